package journey

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

const (
	dayListPath = "/v3/staff/day-list"
	openRowPath = "/v3/staff/day-list/open"
)

type listRow struct {
	Row     string `json:"row_id"`
	Initial string `json:"initial"`
	LastTwo string `json:"reference_last2"`
}

// theDay is today's list as a desk gets it.
func theDay(t *testing.T, d *harness.Desk, day harness.Day) (mode string, rows []listRow) {
	t.Helper()
	a := d.Client().Signed(d.Key, dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session})
	var list struct {
		Mode string
		Rows []listRow
	}
	if err := json.Unmarshal(a.Body, &list); err != nil || !a.OK() {
		t.Fatalf("the day's list: %v %s", err, a.Text())
	}
	return list.Mode, list.Rows
}

// TestRosterMode switches a centre's roster mode on in the program as it is released: a
// manager proposes it, an administrator approves it, a day later it is in force, and a
// vaccinator opens somebody from the day's list with a touch of their passkey. One person
// ends it, at once.
func TestRosterMode(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	a, second, third := s.Administrators()
	centre := s.StaffKey("manager").Centre
	at := fmt.Sprintf("@centre/21/395/%d", centre)
	m := a.Invite(second, "Mani Test", "manager"+at)
	v := a.Invite(second, "Vani Test", "vaccinator"+at)

	change := func(d *harness.Desk, on bool) harness.Answer {
		return d.Fresh("changes", map[string]any{"kind": "roster-mode", "center_id": centre, "on": on})
	}
	refused := func(what string, a harness.Answer, status int, text string) {
		t.Helper()
		if a.Status != status || !strings.Contains(a.Text(), text) {
			t.Fatalf("%s: %s", what, a.Text())
		}
	}
	refused("a vaccinator proposes", change(v, true), 403, "your role does not decide")
	refused("what is off is ended", change(m, false), 409, "in force already")
	p := m.Must(change(m, true)).Field("proposal_id")
	refused("the manager approves alone", m.Fresh("approve", m.Approval(p)), 403, "somebody else")
	refused("without a passkey", second.Ask("POST", "approve", map[string]any{"nonce": p, "proposal_id": p, "text_sha256": p}), 401, "")
	got := second.Must(second.Fresh("approve", second.Approval(p)))
	from, err := time.Parse(time.RFC3339, got.Field("in_force_from"))
	if err != nil || from.Sub(s.Now()) < 24*time.Hour-time.Minute {
		t.Fatalf("in force from: %v %s", err, got.Text())
	}
	refused("approved twice", third.Fresh("approve", third.Approval(p)), 409, "approved already")
	shown := func() string { return string(s.Client().Must("GET", harness.StatusPath, nil).Body) }
	if text := shown(); !strings.Contains(text, p) || !strings.Contains(text, "roster-mode") {
		t.Errorf("the public list does not show it: %s", text)
	}

	day := s.OpenToday()
	put := func() {
		m.Must(m.Ask("POST", "roster", map[string]any{"member_id": v.Member, "center_id": centre, "date": s.Indian(), "on": true}))
	}
	put()
	if mode, rows := theDay(t, v, day); mode != "code" || (len(rows) > 0 && rows[0].Row != "") {
		t.Fatalf("within the day: mode %s", mode)
	}
	s.Forward(24*time.Hour + time.Second)
	for _, d := range []*harness.Desk{a, m, v, second} {
		d.Must(d.SignIn(""))
	}
	day = s.OpenToday()
	put()
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	if _, a := c.Book(day, 1, ref); !a.OK() {
		t.Fatal(a.Text())
	}
	opened := false
	for end := time.Now().Add(30 * time.Second); !opened; time.Sleep(100 * time.Millisecond) { // a place is confirmed a moment after the booking was answered
		mode, rows := theDay(t, v, day)
		if mode != "roster" {
			t.Fatalf("a day later: mode %s", mode)
		}
		i := slices.IndexFunc(rows, func(r listRow) bool { return r.Initial == "A" && r.LastTwo == ref[len(ref)-2:] })
		if i >= 0 {
			o := v.FreshAt(openRowPath, map[string]any{"row_id": rows[i].Row})
			opened = o.Field("beneficiary_reference_id") == ref
			if !opened {
				t.Fatalf("opening: %s", o.Text())
			}
		}
		if time.Now().After(end) {
			t.Fatal("whoever booked is not on the list")
		}
	}
	if _, entry, ok := strings.Cut(shown(), p); !ok || strings.HasPrefix(entry[strings.Index(entry, `"approved_at":`):], `"approved_at":""`) {
		t.Errorf("what is in force still waits on the public list: %s", entry)
	}
	if a := v.Client().Signed(v.Key, openRowPath, map[string]any{"row_id": "x", "nonce": "n"}); a.OK() {
		t.Error("a row opened without a passkey")
	}
	m.Must(change(m, false))
	if mode, _ := theDay(t, v, day); mode != "code" {
		t.Errorf("ended, and the mode is %s", mode)
	}
}
