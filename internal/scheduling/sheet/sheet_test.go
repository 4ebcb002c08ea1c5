package sheet_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/scheduling/sheet"
)

var today = civil.Date{Year: 2026, Month: 11, Day: 26}

func load(t testing.TB) *places.Places {
	t.Helper()
	p, err := places.Load()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	centreHead  = "center_id,name,address,state_name,district_name,pincode,lat,long,from,to,fee_type\n"
	goodCentre  = "700001,Example PHC,1 Sample Road,Delhi,Central Delhi,110001,28.6,77.2,09:00,17:00,Free\n"
	sessionHead = "center_id,date,vaccine,dose1_capacity,dose2_capacity,min_age_limit,max_age_limit,slots,fee\n"
	goodSession = "700001,2026-12-01,COVISHIELD,100,50,18,,09:00AM-11:00AM|11:00AM-01:00PM,\n"
)

func known(n id.Centre) (scheduling.Centre, bool) {
	c := scheduling.Centre{ID: n, Zone: "Asia/Kolkata", Paid: n == 700002}
	return c, n == 700001 || n == 700002
}

// TestExamples reads the files that the README points to.
func TestExamples(t *testing.T) {
	raw, err := os.ReadFile("../../../examples/centres.csv")
	if err != nil {
		t.Fatal(err)
	}
	c, err := sheet.ReadCentres(raw, load(t))
	if err != nil || len(c.Problems) > 0 || len(c.Rows) != 2 || c.Total != 2 {
		t.Fatalf("%+v %v", c, err)
	}
	if d := c.Rows[1].Centre; d.Name != "उदाहरण सामुदायिक स्वास्थ्य केंद्र" || d.StateID != 9 || d.District != "South Delhi" || !d.Paid || d.Zone != "Asia/Kolkata" || d.Block == "" {
		t.Errorf("%+v", d)
	}
	if raw, err = os.ReadFile("../../../examples/sessions.csv"); err != nil {
		t.Fatal(err)
	}
	s, err := sheet.ReadSessions(raw, today, known)
	if err != nil || len(s.Problems) > 0 || len(s.Rows) != 3 {
		t.Fatalf("%+v %v", s, err)
	}
}

// TestForms are the ways in which spreadsheets write the same rows.
func TestForms(t *testing.T) {
	want, err := sheet.ReadCentres([]byte(centreHead+goodCentre), load(t))
	if err != nil || len(want.Rows) != 1 {
		t.Fatalf("%+v %v", want, err)
	}
	for name, text := range map[string]string{
		"mark":          "\xef\xbb\xbf" + centreHead + goodCentre,
		"crlf":          strings.ReplaceAll(centreHead+goodCentre, "\n", "\r\n"),
		"no last line":  strings.TrimSuffix(centreHead+goodCentre, "\n"),
		"quoted":        centreHead + `"700001","Example PHC","1 Sample Road","Delhi","Central Delhi","110001","28.6","77.2","09:00","17:00","Free"` + "\n",
		"space":         centreHead + " 700001 , Example PHC ,1 Sample Road,  delhi ,central  delhi,110001, 28.60,77.2,9:00,17:00:00,FREE\n",
		"numbers":       centreHead + "700001,Example PHC,1 Sample Road,9,116,110001,28.6,77.2,09:00,17:00,Free\n",
		"empty rows":    centreHead + "\n,,,,,,,,,,\n" + goodCentre + ",,,,,,,,,,\n",
		"other order":   "name,center_id,fee_type,to,from,long,lat,pincode,district_name,state_name,address\nExample PHC,700001,Free,17:00,09:00,77.2,28.6,110001,Central Delhi,Delhi,1 Sample Road\n",
		"capital names": strings.ToUpper(centreHead) + goodCentre,
	} {
		got, err := sheet.ReadCentres([]byte(text), load(t))
		if err != nil || len(got.Problems) > 0 || len(got.Rows) != 1 || got.Rows[0].Centre != want.Rows[0].Centre {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// TestWholeFile are files of which no row can be trusted.
func TestWholeFile(t *testing.T) {
	long := centreHead + strings.Repeat(goodCentre, sheet.MaxRows+1)
	for name, c := range map[string]struct{ text, says string }{
		"empty":          {"", "empty"},
		"utf-16":         {"\xff\xfec\x00", "UTF-16"},
		"spreadsheet":    {"PK\x03\x04xx", "spreadsheet"},
		"latin-1":        {centreHead + strings.Replace(goodCentre, "Example", "Exampl\xe9", 1), "line 2"},
		"nul":            {centreHead + "\x00", "line 2"},
		"semicolons":     {strings.ReplaceAll(centreHead, ",", ";"), "commas"},
		"unknown column": {"center_id,nmae\n", `"nmae"`},
		"lacks a column": {"center_id,name\n", "state_name"},
		"twice a column": {"center_id,center_id\n", "twice"},
		"open quote":     {centreHead + "\"700001\n", "quotation mark"},
		"bare quote":     {centreHead + "70\"0001,x\n", "line 2"},
		"too many rows":  {long, "rows"},
		"too large":      {strings.Repeat("x", sheet.MaxFile+1), "MiB"},
	} {
		got, err := sheet.ReadCentres([]byte(c.text), load(t))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %d rows, %v", name, len(got.Rows), err)
		}
	}
}

// wrong replaces one cell of a good row and says where the problem must be.
type wrong struct {
	cell int
	text string
	says string
}

func (w wrong) row(good string) string {
	cells := strings.Split(strings.TrimSuffix(good, "\n"), ",")
	cells[w.cell] = w.text
	return strings.Join(cells, ",") + "\n"
}

func TestWrongCentres(t *testing.T) {
	for _, w := range []wrong{
		{0, "", "center_id"}, {0, "0", "center_id"}, {0, "-1", "center_id"}, {0, "7e5", "center_id"}, {0, "१२३", "center_id"}, {0, "1000000000", "center_id"},
		{1, "", "name"}, {1, strings.Repeat("x", 201), "200 bytes"}, {1, "a\u202eb", "invisible"}, {1, "\"a\nb\"", "invisible"},
		{1, `"=HYPERLINK(""http://x"")"`, "formula"}, {1, "+1", "formula"}, {1, "@SUM(A1)", "formula"}, {2, "-2+3", "formula"}, {2, "\"=cmd|' /C calc'!A0\"", "formula"},
		{3, "Nowhere", "state_name"}, {3, "", "state_name"}, {4, "Pune", "district_name"}, {4, "", "district_name"},
		{5, "012345", "pincode"}, {5, "11001", "pincode"}, {5, "1100011", "pincode"}, {5, "", "pincode"},
		{6, "91", "lat"}, {6, "NaN", "lat"}, {6, "Inf", "lat"}, {6, "1e1", "lat"}, {6, "", "lat"}, {7, "-180.1", "long"},
		{8, "9", "from"}, {8, "09:60", "from"}, {8, "25:00", "from"}, {8, "9am", "from"}, {9, "08:59", "to"}, {9, "24:01", "to"},
		{10, "", "fee_type"}, {10, "Gratis", "fee_type"},
	} {
		text := centreHead + w.row(goodCentre) + "700009,Other,,Delhi,Central Delhi,110001,28.6,77.2,09:00,17:00,Free\n"
		got, err := sheet.ReadCentres([]byte(text), load(t))
		if err != nil || len(got.Rows) != 1 || len(got.Problems) != 1 || got.Total != 2 {
			t.Errorf("%+v: %+v %v", w, got, err)
			continue
		}
		if p := got.Problems[0]; p.Line != 2 || !strings.Contains(p.String(), w.says) || strings.ContainsFunc(p.String(), func(r rune) bool { return r < ' ' || r == '\u202e' }) {
			t.Errorf("%+v: %s", w, p)
		}
	}
	twice, err := sheet.ReadCentres([]byte(centreHead+goodCentre+goodCentre), load(t))
	if err != nil || len(twice.Rows) != 1 || len(twice.Problems) != 1 || twice.Problems[0].Line != 3 {
		t.Errorf("a centre twice: %+v %v", twice, err)
	}
	short, err := sheet.ReadCentres([]byte(centreHead+"700001,A, B,C\n"), load(t))
	if err != nil || len(short.Rows) != 0 || len(short.Problems) != 1 || !strings.Contains(short.Problems[0].Wants, "quotes") {
		t.Errorf("a short row: %+v %v", short, err)
	}
}

func TestWrongSessions(t *testing.T) {
	for _, w := range []wrong{
		{0, "700003", "import the centres first"}, {0, "x", "center_id"},
		{1, "", "date"}, {1, "2026-13-01", "date"}, {1, "12/01/2026", "date"}, {1, "01-12-26", "date"}, {1, "2028-01-01", "date"}, {1, "1999-01-01", "date"},
		{2, "PFIZER", "vaccine"}, {2, "", "vaccine"}, {3, "-1", "dose1_capacity"}, {3, "", "dose1_capacity"}, {4, "1000001", "dose2_capacity"}, {4, "1.5", "dose2_capacity"},
		{5, "11", "min_age_limit"}, {5, "old", "min_age_limit"}, {6, "17", "max_age_limit"},
		{7, "", "slots"}, {7, "9-11", "slots"}, {7, "09:00-11:00", "slots"}, {7, "11:00AM-09:00AM", "slots"}, {7, "11:00AM-01:00PM|09:00AM-11:00AM", "slots"},
		{7, strings.TrimSuffix(strings.Repeat("09:00AM-09:01AM|", 49), "|"), "slots"}, {8, "10", "free"}, {8, "ten", "fee"},
	} {
		got, err := sheet.ReadSessions([]byte(sessionHead+w.row(goodSession)), today, known)
		if err != nil || len(got.Rows) != 0 || len(got.Problems) == 0 || got.Total != 1 || !strings.Contains(got.Problems[0].String(), w.says) {
			t.Errorf("%+v: %+v %v", w, got, err)
		}
	}
	twice, err := sheet.ReadSessions([]byte(sessionHead+goodSession+strings.Replace(goodSession, "2026-12-01", "01-12-2026", 1)), today, known)
	if err != nil || len(twice.Rows) != 1 || len(twice.Problems) != 1 {
		t.Errorf("a session twice: %+v %v", twice, err)
	}
}

// TestSessionIDs: the id follows from centre, day, vaccine and ages, from nothing
// else, and is the same in ten years.
func TestSessionIDs(t *testing.T) {
	read := func(row string) scheduling.Session {
		got, err := sheet.ReadSessions([]byte(sessionHead+row), today, known)
		if err != nil || len(got.Rows) != 1 {
			t.Fatalf("%+v %v", got, err)
		}
		return got.Rows[0].Session
	}
	base := read(goodSession)
	if base.ID != "f23e7392-8803-5b47-a720-9cadb3b2053f" {
		t.Errorf("the id is now %s: files that were imported would be imported again", base.ID)
	}
	for _, w := range []wrong{{3, "5", ""}, {7, "09:00AM-05:00PM", ""}, {1, "01-12-2026", ""}} {
		if got := read(w.row(goodSession)); got.ID != base.ID {
			t.Errorf("%+v made another session", w)
		}
	}
	for _, w := range []wrong{{0, "700002", ""}, {1, "2026-12-02", ""}, {2, "COVAXIN", ""}, {5, "45", ""}, {6, "60", ""}} {
		if got := read(w.row(goodSession)); got.ID == base.ID {
			t.Errorf("%+v made the same session", w)
		}
	}
}

// TestAgainstRegistry compares rows with what is there.
func TestAgainstRegistry(t *testing.T) {
	got, err := sheet.ReadSessions([]byte(sessionHead+goodSession), today, known)
	if err != nil {
		t.Fatal(err)
	}
	row := got.Rows[0]
	there := row.Session
	if c, no := row.Check(there); no != "" || len(c) > 0 {
		t.Errorf("the same session: %v %q", c, no)
	}
	there.Cap1, there.Taken1, there.Fee = 120, 110, 7
	c, no := row.Check(there)
	if no != "" || fmt.Sprint(c) != "[dose1_capacity fee]" || row.BelowTaken(there) == "" || row.Over(there).Cap1 != 110 || row.Over(there).Taken1 != 110 {
		t.Errorf("%v %q %+v", c, no, row.Over(there))
	}
	there.Day = there.Day.AddDays(1)
	if _, no := row.Check(there); !strings.Contains(no, "110 people") {
		t.Errorf("another day with bookings: %q", no)
	}
	there.Taken1, there.Centre = 0, 5
	if _, no := row.Check(there); no == "" {
		t.Error("another centre's session was taken")
	}
	cs, err := sheet.ReadCentres([]byte(centreHead+goodCentre), load(t))
	if err != nil {
		t.Fatal(err)
	}
	old := cs.Rows[0].Centre
	old.Name, old.Closes = "Former", 20*60
	if got := fmt.Sprint(cs.Rows[0].Changes(old)); got != "[name to]" {
		t.Error(got)
	}
	if cs.Rows[0].Over(old) != cs.Rows[0].Centre {
		t.Error("the row did not replace the centre")
	}
}

func FuzzSheets(f *testing.F) {
	f.Add([]byte(centreHead + goodCentre))
	f.Add([]byte(sessionHead + goodSession))
	f.Add([]byte("\xef\xbb\xbf" + centreHead + `700001,"a ""b"", c",,दिल्ली,South Delhi,110003,1,2,9:00,24:00,Paid` + "\r\n"))
	p, err := places.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := sheet.ReadCentres(raw, p)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
		for _, r := range c.Rows {
			if again := r.Changes(r.Centre); len(again) > 0 || r.Centre.ID <= 0 || r.Centre.Name == "" || strings.ContainsAny(r.Centre.Name[:1], "=+-@") || r.Centre.Opens > r.Centre.Closes {
				t.Fatalf("%+v", r)
			}
		}
		s, err := sheet.ReadSessions(raw, today, known)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
		for _, r := range s.Rows {
			if changes, no := r.Check(r.Session); len(changes) > 0 || no != "" || len(r.Session.Slots) == 0 || !r.Session.Day.Valid() {
				t.Fatalf("%+v", r)
			}
		}
		for _, q := range append(c.Problems, s.Problems...) {
			if q.Line < 2 || strings.ContainsFunc(q.String(), func(r rune) bool { return r < ' ' }) {
				t.Fatalf("%+v", q)
			}
		}
	})
}
