package contract

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"tikakosh/test/harness"
)

const (
	dayListPath = "/v3/staff/day-list"
	openRowPath = "/v3/staff/day-list/open"
	closePath   = "/v3/staff/visits/close"
	trippedPath = "/v3/staff/tripped"
)

func dayListForm(d harness.Day) map[string]any {
	return map[string]any{"center_id": d.Centre, "session_id": d.Session}
}

// expected books somebody into today's session.
func expected(t *testing.T, s *harness.Server) harness.Day {
	t.Helper()
	c, _ := s.Holder()
	today := s.Today()
	_, a := c.Book(today, 1, c.Enrol("Lata Test"))
	want(t, a, 200)
	time.Sleep(2 * time.Second) // the place is confirmed a moment after the answer
	return today
}

// lataRow is a row of somebody called Lata Test.
func lataRow(t *testing.T, a harness.Answer) string {
	t.Helper()
	var list struct {
		Mode string
		Rows []struct {
			Initial string `json:"initial"`
			Row     string `json:"row_id"`
		}
	}
	if err := json.Unmarshal(a.Body, &list); err != nil || list.Mode != "roster" || len(list.Rows) == 0 {
		t.Fatalf("%v: %s", err, a.Text())
	}
	for _, row := range list.Rows {
		if row.Initial == "L" {
			return row.Row
		}
	}
	t.Fatalf("Lata Test is not on the list: %s", a.Text())
	return ""
}

// roster walks the routes of the day's list; the session of today is open.
func (r *tour) roster() {
	r.Helper()
	k := r.s.StaffKey("vaccinator")
	row := lataRow(r.T, r.signedFor(k, dayListPath, dayListForm(expected(r.T, r.s))))
	view := r.signedFor(k, openRowPath, map[string]any{"row_id": row, "nonce": "n"})
	r.private(view, view.Field("view_ref"))
	r.signed(k, closePath, map[string]any{"row_id": row, "reason": "left"})
	path := trippedPath + "?center_id=" + strconv.FormatInt(r.s.Today().Centre, 10)
	m := r.s.StaffKey("manager")
	proof, err := m.Sign(harness.Claims("GET", r.s.API+path, nil, r.s.Now()))
	if err != nil {
		r.Fatal(err)
	}
	r.good(r.s.Client(), "GET", path, nil, "DPoP", proof)
}

// rosterForms are the forms of the routes of the day's list.
func rosterForms(t *testing.T, s *harness.Server, by func(role, path string) func(*testing.T, []byte) harness.Answer, add func(string, func(*testing.T, []byte) harness.Answer, map[string]any)) {
	t.Helper()
	today := expected(t, s)
	list := by("vaccinator", dayListPath)
	raw, err := json.Marshal(dayListForm(today))
	if err != nil {
		t.Fatal(err)
	}
	row := lataRow(t, want(t, list(t, raw), 200))
	add(dayListPath, list, dayListForm(today))
	add(openRowPath, by("vaccinator", openRowPath), map[string]any{"row_id": row, "nonce": "n"})
	add(closePath, by("vaccinator", closePath), map[string]any{"row_id": row, "reason": "left"})
}
