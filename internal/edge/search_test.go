package edge

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
)

// shelf is a listing and feed in memory.
type shelf struct {
	mu       sync.Mutex
	seq      int64
	centres  []scheduling.Centre
	sessions []scheduling.Session
	changed  []scheduling.ChangedSession
}

func (s *shelf) Centres(_ context.Context, after id.Centre, _ int) (out []scheduling.Centre, _ error) {
	if after == 0 {
		out = s.centres
	}
	return out, nil
}

func (s *shelf) Sessions(_ context.Context, _, _ civil.Date, cursor scheduling.Session, _ int) (out []scheduling.Session, _ error) {
	if cursor.ID == "" {
		out = slices.Clone(s.sessions)
	}
	return out, nil
}

func (s *shelf) Newest(context.Context) (scheduling.Mark, error) { return scheduling.Mark{}, nil }

func (s *shelf) CentresChanged(context.Context, int64, int) ([]scheduling.ChangedCentre, error) {
	return nil, nil
}

func (s *shelf) SessionsChanged(_ context.Context, after int64, _ int) (out []scheduling.ChangedSession, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.changed {
		if c.Seq > after {
			out = append(out, c)
		}
	}
	return out, nil
}

// take takes a place of a session.
func (s *shelf) take(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	s.sessions[i].Taken1++
	s.changed = []scheduling.ChangedSession{{Session: s.sessions[i], Seq: s.seq}}
}

// asked counts how often the picture is asked, that is: an answer encoded.
type asked struct {
	*scheduling.Availability
	n atomic.Int64
}

func (a *asked) Ask(q scheduling.Question) scheduling.Found {
	a.n.Add(1)
	return a.Availability.Ask(q)
}

// market is a server over a picture of free places.
type market struct {
	*rig
	shelf  *shelf
	search *asked
	clock  atomic.Int64 // added to fixedNow, in ms
}

func newMarket(t testing.TB, centres, perCentre int) *market {
	m := &market{shelf: &shelf{}}
	now := func() time.Time { return fixedNow.Add(time.Duration(m.clock.Load()) * time.Millisecond) }
	for c := range centres {
		ctr := scheduling.Centre{ID: id.Centre(900001 + c), Name: fmt.Sprintf("Test PHC %d", c), Address: "1 Sample Road", State: "Sample State",
			District: "Sample District", Block: "Block A", StateID: 91, DistrictID: 9101, PIN: "999001", Lat: 20, Long: 77, Zone: "Asia/Kolkata", Opens: 540, Closes: 1020, Paid: c%2 == 0}
		m.shelf.centres = append(m.shelf.centres, ctr)
		for i := range perCentre {
			m.shelf.sessions = append(m.shelf.sessions, scheduling.Session{ID: id.Session(fmt.Sprintf("22222222-2222-4222-8222-%06d%06d", c, i)), Centre: ctr.ID,
				Day: civil.Of(fixedNow).AddDays(1 + i%7), Zone: ctr.Zone, Product: []string{"COVISHIELD", "COVAXIN", "SPUTNIK V"}[i%3], MinAge: 18, Cap1: 30, Cap2: 10,
				Slots: []string{"09:00AM-11:00AM", "11:00AM-01:00PM"}, Fee: 780})
		}
	}
	a := scheduling.NewAvailability(m.shelf, 30, now, slog.New(slog.DiscardHandler))
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.search = &asked{Availability: a}
	m.rig = newRig(t, func(c *Config) { c.Search, c.Now = m.search, now })
	return m
}

// later moves the clock past the time an answer may be given on after a change.
func (m *market) later() { m.clock.Add(answerPause.Milliseconds() + 1) }

const calendarURL = "/api/v2/appointment/sessions/public/calendarByDistrict?district_id=9101&date=25-11-2026"

// TestSearchGolden: the answers are these bytes; clients in the wild read them.
func TestSearchGolden(t *testing.T) {
	m := newMarket(t, 1, 1)
	const centre = `"center_id":900001,"name":"Test PHC 0","address":"1 Sample Road","state_name":"Sample State","district_name":"Sample District",` +
		`"block_name":"Block A","pincode":999001,"lat":20,"long":77,"from":"09:00:00","to":"17:00:00","fee_type":"Paid"`
	const session = `"session_id":"22222222-2222-4222-8222-000000000000","date":"25-11-2026","available_capacity":40,"available_capacity_dose1":30,` +
		`"available_capacity_dose2":10,"min_age_limit":18,"vaccine":"COVISHIELD","slots":["09:00AM-11:00AM","11:00AM-01:00PM"]`
	calendar := `{` + centre + `,"vaccine_fees":[{"vaccine":"COVISHIELD","fee":"780"}],"sessions":[{` + session + `}]}`
	for target, want := range map[string]string{
		"findByPin?pincode=999001&date=25-11-2026":                             `{"sessions":[{` + centre + `,"fee":"780",` + session + `}]}`,
		"findByDistrict?district_id=9101&date=25-11-2026":                      `{"sessions":[{` + centre + `,"fee":"780",` + session + `}]}`,
		"findByDistrict?district_id=9101&date=26-11-2026":                      `{"sessions":[]}`,
		"calendarByPin?pincode=999001&date=20-11-2026":                         `{"centers":[` + calendar + `]}`,
		"calendarByDistrict?district_id=9101&date=25-11-2026":                  `{"centers":[` + calendar + `]}`,
		"calendarByDistrict?district_id=9101&date=25-11-2026&vaccine=COVAXIN":  `{"centers":[]}`,
		"calendarByDistrict?district_id=9102&date=25-11-2026":                  `{"centers":[]}`,
		"calendarByCenter?center_id=900001&date=25-11-2026":                    `{"centers":` + calendar + `}`,
		"calendarByCenter?center_id=1&date=25-11-2026":                         `{"centers":{}}`,
		"calendarByCenter?center_id=900001&date=25-11-2026&vaccine=no+vaccine": `{"centers":{}}`,
	} {
		for _, header := range [][]string{nil, {"Authorization", "Bearer " + m.bearerText(t)}} {
			at := searchPublic + target
			if header != nil {
				at = strings.Replace(at, "/public", "", 1)
			}
			w := m.send("GET", at, "", header...)
			if w.Code != 200 || w.Body.String() != want {
				t.Errorf("%s: %d\n got %s\nwant %s", at, w.Code, w.Body, want)
			}
			h := w.Header()
			if h.Get("Content-Type") != typeJSON || h.Get("Content-Length") != fmt.Sprint(len(want)) || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Referrer-Policy") != "no-referrer" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("ETag") == "" {
				t.Errorf("%s: %v", at, h)
			}
			if public := h.Get("Cache-Control") == "public, max-age=1" && h.Get("Access-Control-Allow-Origin") == "*"; public != (header == nil) {
				t.Errorf("%s: %v", at, h)
			}
		}
	}
	if !strings.Contains(m.logs.String(), `"msg":"request","method":"GET","route":"/api/v2/appointment/sessions/public/calendarByDistrict","status":200,"ms":0,"request":"`) {
		t.Errorf("log: %s", m.logs)
	}
	// Request ids are random and may hold any digits by chance.
	if text := regexp.MustCompile(`"(request|time)":"[^"]*"`).ReplaceAllString(m.logs.String(), ""); strings.Contains(text, "999001") || strings.Contains(text, "9101") {
		t.Errorf("the log holds what was asked: %s", text)
	}
}

// TestOneEntry: every way of asking the same is one entry, encoded once.
func TestOneEntry(t *testing.T) {
	m := newMarket(t, 3, 21)
	dates := []string{"25-11-2026", "25-11-26", "25-11-2026"}
	single := []string{"05-12-2026", "5-12-2026", "05-12-26"}
	for _, family := range [][]string{dates, single} {
		m.search.n.Store(0)
		var first string
		for _, date := range family {
			for _, vaccine := range []string{"SPUTNIK+V", "SPUTNIK%20V", "sputnik-v", "SputnikV", "sputnik_v"} {
				for _, query := range []string{"district_id=9101&date=" + date + "&vaccine=" + vaccine, "vaccine=" + vaccine + "&date=" + date + "&district_id=9101",
					"date=" + date + "&x=1&district_id=09101&vaccine=" + vaccine} {
					w := m.send("GET", searchPublic+"calendarByDistrict?"+query, "")
					if first == "" {
						first = w.Header().Get("ETag")
					}
					if w.Code != 200 || w.Header().Get("ETag") != first {
						t.Errorf("%s: %d %v", query, w.Code, w.Header())
					}
				}
			}
		}
		if n := m.search.n.Load(); n != 1 {
			t.Errorf("%v: encoded %d times", family, n)
		}
	}
	m.answers.mu.RLock()
	defer m.answers.mu.RUnlock()
	if len(m.answers.now) != 2 || len(m.answers.old) != 0 {
		t.Errorf("%d entries", len(m.answers.now))
	}
}

// TestAnswersFollowThePicture: an answer is encoded again after a change in its
// area, after the close of a session, and not otherwise.
func TestAnswersFollowThePicture(t *testing.T) {
	m := newMarket(t, 2, 7)
	get := func() (free, tag string) {
		w := m.send("GET", calendarURL, "")
		var out struct {
			Centers []struct {
				Sessions []struct {
					Available int `json:"available_capacity"`
				} `json:"sessions"`
			} `json:"centers"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(out.Centers[0].Sessions[0].Available), w.Header().Get("ETag")
	}
	free, tag := get()
	for range 100 {
		m.later()
		if f, g := get(); f != free || g != tag {
			t.Fatal("an answer changed by itself")
		}
	}
	if m.search.n.Load() != 1 || free != "40" {
		t.Errorf("encoded %d times, %s free", m.search.n.Load(), free)
	}
	m.shelf.take(0)
	if err := m.search.CatchUp(t.Context(), m.shelf); err != nil {
		t.Fatal(err)
	}
	m.later()
	if f, g := get(); f != "39" || g == tag {
		t.Errorf("after a booking %s free, tag %s", f, g)
	}
	// 15:00 in India on the first session's day.
	closes := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	m.clock.Store(closes.Sub(fixedNow).Milliseconds() - 1)
	if f, _ := get(); f != "39" {
		t.Errorf("before the close %s free", f)
	}
	m.clock.Add(1)
	if f, _ := get(); f != "0" {
		t.Errorf("after the close %s free", f)
	}
}

// TestRushEncodesSeldom: while every moment brings a booking, searches cost an
// encoding per pause, not one each.
func TestRushEncodesSeldom(t *testing.T) {
	m := newMarket(t, 50, 7)
	m.send("GET", calendarURL, "")
	for range 500 {
		m.shelf.take(0)
		if err := m.search.CatchUp(t.Context(), m.shelf); err != nil {
			t.Fatal(err)
		}
		m.send("GET", calendarURL, "") // the clock stands still: within the pause
	}
	if n := m.search.n.Load(); n != 1 {
		t.Errorf("encoded %d times", n)
	}
	m.later()
	w := m.send("GET", calendarURL, "")
	if m.search.n.Load() != 2 || w.Code != 200 {
		t.Errorf("encoded %d times after the pause", m.search.n.Load())
	}
}

func TestConditional(t *testing.T) {
	m := newMarket(t, 3, 7)
	plain := m.send("GET", calendarURL, "")
	zipped := m.send("GET", calendarURL, "", "Accept-Encoding", "br, gzip;q=0.5")
	tag, ztag := plain.Header().Get("ETag"), zipped.Header().Get("ETag")
	if tag == ztag || zipped.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" ||
		zipped.Header().Get("Vary") != "Accept-Language, Accept-Encoding" || zipped.Header().Get("Content-Length") != fmt.Sprint(zipped.Body.Len()) {
		t.Errorf("%v\n%v", plain.Header(), zipped.Header())
	}
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(raw, plain.Body.Bytes()) {
		t.Errorf("%v: the compressed form is another", err)
	}
	for match, want := range map[string]int{tag: 304, ztag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, tag[1 : len(tag)-1]: 200, "": 200} {
		w := m.send("GET", calendarURL, "", "If-None-Match", match)
		if w.Code != want || (want == 304 && (w.Body.Len() != 0 || w.Header().Get("ETag") != tag || w.Header().Get("Content-Encoding") != "")) {
			t.Errorf("%q: %d %v", match, w.Code, w.Header())
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "public, max-age=1" {
			t.Errorf("%q: %v", match, w.Header())
		}
	}
	for accept, want := range map[string]bool{"": false, "identity": false, "gzip": true, "GZIP": true, "gzip;q=0": false, "gzip; q=0.0": false, "*": true, "*;q=0": false, "deflate, gzip": true, "xgzip": false} {
		if got := m.send("GET", calendarURL, "", "Accept-Encoding", accept).Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed %v", accept, got)
		}
	}
}

// TestAnswersAreBounded: whatever is asked, the bytes kept stay below the bound,
// and what is asked often stays.
func TestAnswersAreBounded(t *testing.T) {
	m := newMarket(t, 40, 21)
	m.answers = newAnswers(1 << 20)
	get := func(target string) { m.send("GET", searchPublic+target, "") }
	for i := range 3000 {
		get(fmt.Sprintf("calendarByCenter?center_id=%d&date=25-11-2026", 900001+i%40))
		get("calendarByDistrict?district_id=9101&date=25-11-2026&vaccine=" + fmt.Sprintf("v%d", i)) // no such vaccine
		get(fmt.Sprintf("findByPin?pincode=%d&date=25-11-2026", 100_000+i))                         // nothing there
		get(fmt.Sprintf("findByPin?pincode=999001&date=%s", civil.Of(fixedNow).AddDays(40+i).Indian()))
	}
	m.answers.mu.RLock()
	defer m.answers.mu.RUnlock()
	total := 0
	for _, g := range []map[searchKey]*slotAnswer{m.answers.now, m.answers.old} {
		for k, s := range g {
			if k.key == 9101 && k.vaccine != "" && len(s.cur.Load().body) > 100 {
				t.Errorf("%+v is kept", k)
			}
			total += 2*len(s.cur.Load().body) + answerCost
		}
	}
	if total > 1<<20 || m.answers.used > m.answers.half {
		t.Errorf("%d bytes are kept", total)
	}
	if n := m.search.n.Load(); n > 3000*3+200 {
		t.Errorf("asked the picture %d times", n)
	}
}

// TestQuickIsTheSame: what the short way answers, the route table answers with
// the same bytes and headers; and limits count once.
func TestQuickIsTheSame(t *testing.T) {
	m := newMarket(t, 3, 21)
	for _, query := range []string{"district_id=9101&date=25-11-2026", "district_id=9101&date=26-11-26&vaccine=COVAXIN", "date=1-12-2026&district_id=9101",
		"district_id=x&date=25-11-2026", "district_id=9101&date=31-02-2026", "district_id=9101", "", "date=25-11-2026", "district_id=9101&date=25-11-2026&date=1-1-1"} {
		for _, header := range [][]string{nil, {"Accept-Encoding", "gzip"}, {"Accept-Language", "hi_IN"}} {
			quick := m.send("GET", searchPublic+"calendarByDistrict?"+query, "", header...)
			table := m.send("GET", searchPublic+"calendarByDistrict?"+query+"&unknown=1", "", header...)
			if quick.Code != table.Code || !bytes.Equal(quick.Body.Bytes(), table.Body.Bytes()) || fmt.Sprint(quick.Header()) != fmt.Sprint(table.Header()) {
				t.Errorf("%q %v:\n%d %v %s\n%d %v %s", query, header, quick.Code, quick.Header(), quick.Body, table.Code, table.Header(), table.Body)
			}
		}
	}
	m.limits[RateSearch] = tiny(2)
	var codes []int
	for range 4 {
		codes = append(codes, m.send("GET", calendarURL, "").Code)
	}
	if !slices.Equal(codes, []int{200, 200, 200, 429}) {
		t.Errorf("with a burst of three: %v", codes)
	}
}

// FuzzQuickQuery: the short reading of a query agrees with the whole one.
func FuzzQuickQuery(f *testing.F) {
	for _, q := range []string{"pincode=999001&date=25-11-2026", "date=5-1-26&pincode=110001&vaccine=covaxin", "center_id=900001&date=01-01-2026",
		"district_id=9101&date=00-01-2026", "pincode=&date=", "pincode=999001&pincode=999002&date=25-11-2026", "&&date=25-11-2026&=&pincode=999001", "pincode=999001;date=25-11-2026"} {
		f.Add(q, uint8(0))
		f.Add(q, uint8(3))
		f.Add(q, uint8(4))
	}
	f.Fuzz(func(t *testing.T, raw string, k uint8) {
		kind := searchKind(k) % searchKinds
		quick, ok := kind.plain(raw)
		if !ok {
			return
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if whole, err := kind.parse(values); err != nil || whole != quick {
			t.Errorf("%q: quick %+v, whole %+v, %v", raw, quick, whole, err)
		}
	})
}

// TestSearchPanics: a failure while encoding is one error, in the usual form.
func TestSearchPanics(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Search = panicking{} })
	w := r.send("GET", calendarURL, "")
	if code, _ := errorOf(t, w); w.Code != 500 || code != "INTERNAL" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type panicking struct{ noPlaces }

func (panicking) Ask(scheduling.Question) scheduling.Found {
	panic(fault.New(fault.Internal, "x", "x"))
}

func BenchmarkSearch(b *testing.B) {
	m := newMarket(b, 20, 21)
	m.cfg.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
	m.cfg.Now = time.Now
	b.ReportAllocs()
	for b.Loop() {
		m.send("GET", calendarURL, "")
	}
}
