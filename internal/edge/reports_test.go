package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/statistics"
)

// shelved is a report store that tests fill.
type shelved struct {
	last, before statistics.Published
	asked        int
	until        civil.Date
}

func (s *shelved) Reports(_ context.Context, until civil.Date) (last, before statistics.Published, err error) {
	s.asked++
	s.until = until
	return s.last, s.before, nil
}

func TestReport(t *testing.T) {
	day := civil.Date{Year: 2026, Month: 11, Day: 23}
	cell := func(state, product string, dose, gender int, n int64) statistics.Cell {
		return statistics.Cell{State: state, District: map[string]string{"Delhi": "Central Delhi"}[state], Product: product, Dose: dose, Gender: gender, N: n}
	}
	shelf := &shelved{last: statistics.Published{Day: day, Cells: []statistics.Cell{{Band: statistics.From18, N: 50}, {Band: statistics.From45, N: 30},
		cell("Delhi", "COVISHIELD", 1, 2, 40), cell("Delhi", "COVAXIN", 2, 1, 20), cell("Goa", "COVAXIN", 1, 3, 10)}},
		before: statistics.Published{Day: day.AddDays(-1), Cells: []statistics.Cell{{Band: statistics.From18, N: 30}, cell("Delhi", "COVISHIELD", 1, 2, 10)}}}
	now := fixedNow
	r := newRig(t, func(c *Config) { c.Reports = shelf; c.Now = func() time.Time { return now } })
	get := func(query string, header ...string) (*httptest.ResponseRecorder, wireReport) {
		t.Helper()
		req := httptest.NewRequest("GET", "/api/v1/reports/v2/getPublicReports"+query, nil)
		if len(header) > 0 {
			req.Header.Set(header[0], header[1])
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		var out wireReport
		if w.Code == http.StatusOK {
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
		}
		return w, out
	}
	delhi := ""
	w, out := get("")
	if got, want := out.Top.Registration, (wireRegistration{80, 50, 30, 50}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want := wireVaccination{70, 70, 50, 20, 0, 20, 40, 10, 40, 30, 0, 60, 40, 20, 20, 30, 10}
	if out.Top.Vaccination != want || out.Timestamp != "2026-11-23T23:59:59+05:30" || out.AEFI == nil {
		t.Errorf("%+v, want %+v", out, want)
	}
	for _, x := range out.Areas {
		if x.Name == "Delhi" {
			delhi = x.ID
			if x.Total != 60 || x.Fully != 20 || x.Today != 50 || x.Title != "Delhi" {
				t.Errorf("%+v", x)
			}
		}
	}
	if w, _ := get("", "If-None-Match", w.Header().Get("ETag")); w.Code != 304 || w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("by its tag: %d %v", w.Code, w.Header())
	}
	if shelf.asked != 1 {
		t.Errorf("the registry was asked %d times", shelf.asked)
	}
	if _, out := get("?state_id=" + delhi); out.Top.Vaccination.Doses != 60 || out.Top.Registration != (wireRegistration{}) {
		t.Errorf("of a state: %+v", out.Top)
	}
	central, north := district(t, get, delhi, "Central Delhi"), district(t, get, delhi, "North Delhi")
	for _, query := range []string{"?district_id=" + central, "?state_id=" + delhi + "&district_id=" + central} {
		if _, out := get(query); out.Top.Vaccination.Doses != 60 || out.Top.Vaccination.Today != 50 {
			t.Errorf("%s: %+v", query, out.Top)
		}
	}
	for _, query := range []string{"?state_id=9999", "?state_id=" + delhi + "&district_id=99999", "?district_id=" + north, "?state_id=1&district_id=" + central} {
		if _, out := get(query); out.Top.Vaccination != (wireVaccination{}) {
			t.Errorf("%s: %+v", query, out.Top)
		}
	}
	if get("?date=2026-11-20"); shelf.until != day.AddDays(-3) {
		t.Errorf("asked until %s", shelf.until)
	}
	if get("?date=2999-01-01"); shelf.until != day.AddDays(1) && shelf.until != day.AddDays(-3) {
		t.Errorf("asked until %s", shelf.until)
	}
	// A gap between the days: nothing is known of the last day alone.
	shelf.before.Day = day.AddDays(-2)
	now = now.Add(2 * reportCache)
	if _, out := get(""); out.Top.Vaccination.Today != 0 || out.Top.Vaccination.Doses != 70 {
		t.Errorf("after a gap: %+v", out.Top)
	}
	if w, _ := get("?date=2026-02-30"); w.Code != 400 {
		t.Errorf("30 February: %d", w.Code)
	}
}

// district is the number of a state's district, as its report lists it.
func district(t *testing.T, get func(string, ...string) (*httptest.ResponseRecorder, wireReport), state, name string) string {
	t.Helper()
	_, out := get("?state_id=" + state)
	for _, x := range out.Areas {
		if x.Of == name {
			if want := map[bool]int64{true: 60}[name == "Central Delhi"]; x.Total != want || x.Title != name || strconv.Itoa(x.District) != x.ID {
				t.Errorf("%+v", x)
			}
			return x.ID
		}
	}
	t.Fatalf("%s is not listed: %+v", name, out.Areas)
	return ""
}
