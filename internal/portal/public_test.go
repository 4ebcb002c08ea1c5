package portal

import (
	"bytes"
	"context"
	"encoding/csv"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// programme is a small one: two centres under one PIN code.
type programme struct {
	empty
	asked []scheduling.Question
}

var hostileName = `<script>alert(1)</script> {{.}} "onmouseover=x" ` + "\u202egnp.exe"

func (p *programme) Ask(q scheduling.Question) scheduling.Found {
	p.asked = append(p.asked, q)
	if q.Key != 110001 && q.Key != 7 {
		return scheduling.Found{}
	}
	today := civil.Date{Year: 2026, Month: 2, Day: 2}
	one := func(days, free1, free2, least, most int, product string) scheduling.Listed {
		return scheduling.Listed{Session: scheduling.Session{ID: "22222222-2222-4222-8222-222222222222", Day: today.AddDays(days), Product: product, MinAge: least, MaxAge: most, Slots: []string{"09:00AM-11:00AM"}}, Available1: free1, Available2: free2}
	}
	free := scheduling.CentreDay{Centre: scheduling.Centre{ID: 7, Name: "Free Centre", Address: "1 Sample Road"}, Sessions: []scheduling.Listed{one(0, 0, 0, 18, 0, "COVISHIELD"), one(1, 30, 10, 18, 0, "COVISHIELD"), one(3, 0, 5, 12, 14, "CORBEVAX")}}
	paid := scheduling.CentreDay{Centre: scheduling.Centre{ID: 8, Name: hostileName, Paid: true}, Sessions: []scheduling.Listed{one(1, 99, 0, 18, 0, "COVAXIN")}}
	return scheduling.Found{Area: &scheduling.Area{}, List: []scheduling.CentreDay{free, paid}}
}

func (p *programme) Centres(by scheduling.By, key int64) []scheduling.Centre {
	if key != 7 {
		return nil
	}
	return []scheduling.Centre{{ID: 7, Name: "Free Centre", DistrictID: 1, StateID: 1, Opens: 540, Closes: 1020, Lat: 20.5, Long: 77.25}}
}

func (p *programme) Nearest(float64, float64, int) []scheduling.Centre {
	return []scheduling.Centre{{ID: 7, Name: "Free Centre", Lat: 20.5, Long: 77.25}}
}

func post(s http.Handler, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://example.com"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestFind: what a search shows, narrowed in each way; only days with places unless asked.
func TestFind(t *testing.T) {
	p := &programme{}
	s, _ := newServer(t, func(c *Config) { c.Search = p })
	has := func(path string, status int, with, without string) {
		t.Helper()
		w := get(s, path)
		body := w.Body.String()
		if w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
		for x := range strings.SplitSeq(with, "|") {
			if !strings.Contains(body, x) {
				t.Errorf("%s has no %q", path, x)
			}
		}
		for x := range strings.SplitSeq(without, "|") {
			if x != "" && strings.Contains(body, x) {
				t.Errorf("%s has %q", path, x)
			}
		}
	}
	has("/find", 200, `inputmode="numeric"|autocomplete="postal-code"|Andhra Pradesh`, "Error:")
	has("/find?pin=", 422, `aria-invalid="true"|id="pin-error"|<title>Error:|href="#pin"`, "")
	has("/find?pin=0123", 422, `value="0123"|six digits`, "")
	has("/find?state=21", 200, "Which district of Maharashtra?", "")
	has("/find?state=21&district=", 422, "Choose a district", "")
	has("/find?state=999", 404, "no such page", "")
	has("/find?district=99999", 404, "no such page", "")
	has("/find?pin=999999", 200, "There is no centre here.", "")
	// Tuesday is the first day with places; Monday is full and not there.
	has("/find?pin="+url.QueryEscape("११०००१"), 200, "Centres in 110001|Tuesday, 3 February 2026|30 places, first dose|10 places, further dose|09:00–11:00|Thursday, 5 February 2026, 5 places|&lt;script&gt;", "<script>alert|Monday, 2 February")
	has("/find?pin=110001&all=1", 200, "Monday, 2 February 2026, 0 places", "")
	has("/find?pin=110001&all=1&day=2026-02-02", 200, "Fully booked", "")
	has("/find?pin=110001&fee=free", 200, "Free Centre", "COVAXIN</bdi>")
	has("/find?pin=110001&fee=paid", 200, "COVAXIN</bdi>", "Free Centre")
	has("/find?pin=110001&vaccine=CORBEVAX", 200, "Thursday, 5 February 2026|12 to 14 years", "30 places")
	has("/find?pin=110001&age="+url.QueryEscape("१३"), 200, "CORBEVAX</bdi>", "COVISHIELD</bdi>")
	has("/find?pin=110001&dose=2&day=2026-02-03", 200, "10 places, further dose", "30 places, first dose")
	has("/find?pin=110001&age=old", 422, "Write the age as a number|id=\"age-error\"", "")
	has("/find?pin=110001&fee=cheap", 400, "<h1", "")
	has("/find?pin=110001&vaccine=WATER", 400, "<h1", "")
	has("/find?pin=110001&lang=hi", 200, "110001 के केंद्र|मंगलवार", "")
	has("/centre/7", 200, "Free Centre|09:00–17:00|openstreetmap|Tuesday, 3 February 2026", "")
	has("/centre/8", 404, "<h1", "")
	has("/centre/x", 404, "<h1", "")
	// The whole page can be asked for again in another language, with everything kept.
	w := get(s, "/find?pin=110001&fee=free&day=2026-02-03")
	if !strings.Contains(w.Body.String(), "day=2026-02-03&amp;fee=free&amp;lang=hi&amp;pin=110001") {
		t.Error("a switch of language loses the search")
	}
}

// TestNear: where somebody is stands in no address, no page and no log.
func TestNear(t *testing.T) {
	s, d := newServer(t, func(c *Config) { c.Search = &programme{} })
	w := post(s, "/find/near", url.Values{"lat": {"20.51"}, "long": {"77.26"}})
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Free Centre") || strings.Contains(w.Body.String(), "20.51") || strings.Contains(strings.Join(d.notes, " "), "20.5") {
		t.Errorf("%d %s %v", w.Code, w.Body, d.notes)
	}
	if w := post(s, "/find/near", url.Values{"lat": {"NaN"}, "long": {"1"}}); w.Code != 303 || w.Header().Get("Location") != "/find" {
		t.Errorf("%d", w.Code)
	}
	if got := kilometres(28.6, 77.2, 19.07, 72.88); got != "1,147" && got != "1,148" && got != "1,149" && got != "1,150" {
		t.Errorf("Delhi to Mumbai: %s km", got)
	}
}

// published are the figures of two days.
type published struct{ empty }

func (published) Reports(_ context.Context, until civil.Date) (last, before statistics.Published, err error) {
	day := civil.Date{Year: 2026, Month: 2, Day: 1}
	cells := func(n int64) []statistics.Cell {
		return []statistics.Cell{{State: "Delhi", District: "New Delhi", Product: "COVAXIN", Dose: 1, Gender: 2, N: n}, {State: "Goa", District: "North Goa", Product: "COVISHIELD", Dose: 2, Gender: 1, N: 20},
			{Band: statistics.From18, N: 1_234_560}}
	}
	last, before = statistics.Published{Day: day, Cells: cells(12_340)}, statistics.Published{Day: day.AddDays(-1), Cells: cells(10_000)}
	switch {
	case until.Before(before.Day):
		return statistics.Published{}, statistics.Published{}, nil
	case until.Before(last.Day):
		return before, statistics.Published{}, nil
	}
	return last, before, nil
}

// TestNumbers: charts, tables and files say the same, of rounded cells only.
func TestNumbers(t *testing.T) {
	s, _ := newServer(t, func(c *Config) { c.Reports = published{} })
	body := get(s, "/numbers").Body.String()
	for _, want := range []string{"12,360", "2,340", "At the end of 1 February 2026", "Delhi: 12,340", "Most: COVAXIN, 12,340.", "12,34,560", "fewer than 10", `role="img"`, `class="tk-tile tk-t4"`, "polyline", "From 10,020 doses on 31 January 2026 to 12,360 on 1 February 2026."} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %q", want)
		}
	}
	if strings.Count(body, `class="tk-tile`) != 37 {
		t.Errorf("%d tiles", strings.Count(body, `class="tk-tile`))
	}
	state := get(s, "/numbers?state=9").Body.String()
	if !strings.Contains(state, "The numbers of Delhi") || !strings.Contains(state, "New Delhi") || strings.Contains(state, "12,360") || strings.Contains(state, "12,34,560") {
		t.Error("a state shows other figures than its own")
	}
	for path, want := range map[string][]string{
		"/numbers.csv?by=state": {"state,doses,as_of", "Delhi,12340,2026-02-01"}, "/numbers.csv?by=day": {"day,doses", "2026-01-31,10020", "2026-02-01,12360"},
		"/numbers.csv?by=day&state=10": {"2026-02-01,20"}, "/numbers.csv?by=district&state=9": {"New Delhi,12340,2026-02-01"}, "/numbers.csv?by=gender&lang=hi": {"Female,12340,2026-02-01"}, "/numbers.csv?by=age": {"age,registered,as_of", "18 to 44,1234560,2026-02-01"},
	} {
		w := get(s, path)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") || !strings.Contains(w.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		lines, err := csv.NewReader(strings.NewReader(w.Body.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range want {
			if !slices.ContainsFunc(lines, func(l []string) bool { return strings.Join(l, ",") == x }) {
				t.Errorf("%s has no line %q: %q", path, x, lines)
			}
		}
	}
	for path, want := range map[string]int{"/numbers?state=99": 404, "/numbers?district=0": 404, "/numbers.csv?by=name": 400} {
		if w := get(s, path); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for in, want := range map[string]string{"=1+1": "'=1+1", "＋1": "'＋1", "@x": "'@x", "\tx": "'\tx", "Goa": "Goa", "": ""} {
		if got := plainCell(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// Delhi is on the map once, as every state: no two tiles share a place.
func TestTiles(t *testing.T) {
	seen := map[[2]int]string{}
	s, _ := newServer(t, nil)
	plan := tilePlan()
	for name, at := range plan {
		if other := seen[[2]int{at.col, at.row}]; other != "" || at.col < 1 || at.col > 9 || at.row < 1 || at.row > 9 {
			t.Errorf("%s lies at %v, as %q", name, at, other)
		}
		seen[[2]int{at.col, at.row}] = name
	}
	for _, x := range s.cfg.Places.States() {
		if plan[x.Name].short == "" {
			t.Errorf("%s has no tile", x.Name)
		}
	}
}

// issuer has no keys, or fails.
type issuer struct{ err error }

func (i issuer) CertificateKeys() ([]byte, error)               { return []byte(`{"version":1,"keys":{}}`), i.err }
func (i issuer) RevocationList(context.Context) ([]byte, error) { return nil, i.err }
func (i issuer) VaultServes(context.Context) error              { return i.err }
func (i issuer) Rules(context.Context) (vault.Rules, error) {
	return vault.Rules{Policies: strings.Repeat("ab", 32), Budgets: map[string]int{"base": 29, "other": 7}, BudgetsDigest: strings.Repeat("cd", 32), BudgetsOwn: true, BudgetsSince: noon().UnixMilli()}, i.err
}
func (i issuer) NewestActs(context.Context) (vault.SecondPersonActs, error) {
	return vault.SecondPersonActs{Acts: []vault.SecondPersonAct{{Centre: 7, Kind: "roster-mode", At: noon().UnixMilli(), NotBefore: noon().Add(24 * time.Hour).UnixMilli()},
		{Kind: "budgets", At: noon().UnixMilli(), NotBefore: noon().Add(24 * time.Hour).UnixMilli(), Dropped: true}}, More: true}, i.err
}

func upload(t *testing.T, s http.Handler, fields map[string]string, file string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := m.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if file != "" {
		f, err := m.CreateFormFile(file, "certificate.pdf")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(body)
	}
	_ = m.Close()
	r := httptest.NewRequest("POST", "http://example.com/verify", &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestVerifyForm: what is sent is read, kept for another language, and never stored; what is
// no certificate is said to be none. Real ones are checked in test/journey.
func TestVerifyForm(t *testing.T) {
	s, _ := newServer(t, nil)
	w := get(s, "/verify")
	if w.Header().Get("Content-Security-Policy") != assets.CameraPolicy || !strings.Contains(w.Header().Get("Permissions-Policy"), "camera=(self)") {
		t.Errorf("%v", w.Header())
	}
	for _, c := range []struct {
		name   string
		fields map[string]string
		file   string
		body   []byte
		status int
		want   string
	}{
		{"nothing", nil, "", nil, 422, "Paste the text of the code"},
		{"not one", map[string]string{"text": "HC1:NOT ONE"}, "", nil, 200, "This is not a certificate"},
		{"no file chosen", map[string]string{"text": "HC1:NOT ONE", "file": ""}, "", nil, 200, "This is not a certificate"},
		{"a file that is none", nil, "file", []byte("%PDF-1.7 nothing"), 200, "This is not a certificate"},
		{"another language", map[string]string{"text": "HC1:KEPT <b>", "lang": "hi"}, "", nil, 200, "HC1:KEPT &lt;b&gt;"},
		{"unknown field", map[string]string{"name": "x"}, "", nil, 400, "<h1"},
		{"unknown file", nil, "other", []byte("x"), 400, "<h1"},
		{"too large", nil, "file", make([]byte, verifyLimit), 413, "too large"},
	} {
		w := upload(t, s, c.fields, c.file, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", c.name, w.Code, w.Header())
		}
	}
	s, _ = newServer(t, func(c *Config) { c.Certificates = issuer{fault.New(fault.Unavailable, "keys", "")} })
	if w := upload(t, s, map[string]string{"text": "HC1:X"}, "", nil); w.Code != 503 {
		t.Errorf("without keys: %d", w.Code)
	}
}

// TestState: the page says what works, and no more.
func TestState(t *testing.T) {
	s, _ := newServer(t, func(c *Config) {
		c.Search = &programme{}
		c.Checkpoint = func() (string, int64, error) { return "log\n1234567\nhash\n", 1_234_567, nil }
	})
	body := get(s, "/status").Body.String()
	for _, want := range []string{"Everything works", "12,34,567", "Free Centre: opening from the day&#39;s list", "can be done from 3 February 2026, 12:00",
		"the budgets of openings change", "withdrawn or lapsed", "There are older ones", "as delivered", "changed here, in force since 2 February 2026, 12:00", `<bdi dir="ltr" class="tk-num">29</bdi>`, "cdcdcd"} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %q", want)
		}
	}
	if strings.Contains(body, "Centre 0") {
		t.Error("a change of all centres is said to be of one")
	}
	const older = "are those of an older copy"
	if strings.Contains(body, older) {
		t.Error("rules are said to be older than what was decided, and nothing was lost")
	}
	s2, _ := newServer(t, func(c *Config) { c.Search, c.State = &programme{}, restored{} })
	for path, want := range map[string]string{"/status": "The limits " + older, "/status?lang=hi": "सीमाएँ एक पुरानी प्रति की हैं"} {
		if b := get(s2, path).Body.String(); strings.Count(b, want) != 1 || (path == "/status" && strings.Contains(b, "The policies "+older)) {
			t.Errorf("%s does not say what a restore lost", path)
		}
	}
	if body := get(s, "/promises").Body.String(); !strings.Contains(body, "log\n1234567\nhash\n") {
		t.Error("the checkpoint is not shown as it is")
	}
	s, _ = newServer(t, func(c *Config) { c.State = issuer{fault.New(fault.Unavailable, "vault", "")} })
	body = get(s, "/status").Body.String()
	if strings.Contains(body, "Rules in force") {
		t.Error("rules are shown that nobody told")
	}
	if !strings.Contains(body, "A part does not answer now") || strings.Contains(body, "Nothing is waiting") {
		t.Error("a vault that is away is not said to be")
	}
}

// restored is a vault that goes on from an older copy.
type restored struct{ issuer }

func (r restored) Rules(ctx context.Context) (vault.Rules, error) {
	out, err := r.issuer.Rules(ctx)
	out.Older = []string{"budgets", "another kind"}
	return out, err
}

// leaving takes as long as it is let.
type leaving struct {
	published
	ctx context.Context
}

func (l *leaving) Reports(ctx context.Context, until civil.Date) (last, before statistics.Published, err error) {
	l.ctx = ctx
	if err := ctx.Err(); err != nil {
		return last, before, err
	}
	return l.published.Reports(ctx, until)
}

// TestFiguresOutliveTheAsker: who goes away before the first figures are known leaves no
// error for the others, and nobody waits for ever.
func TestFiguresOutliveTheAsker(t *testing.T) {
	l := &leaving{}
	s, _ := newServer(t, func(c *Config) { c.Reports = l })
	gone, leave := context.WithCancel(t.Context())
	leave()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/numbers", nil).WithContext(gone))
	if _, bounded := l.ctx.Deadline(); !bounded {
		t.Error("the question has no end")
	}
	if body := get(s, "/numbers").Body.String(); !strings.Contains(body, "12,360") {
		t.Error("the next person is shown the error of one who went away")
	}
}
