package redteam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/test/harness"
)

const (
	dayListPath = "/v3/staff/day-list"
	openRowPath = "/v3/staff/day-list/open"
	closePath   = "/v3/staff/visits/close"
)

// TestR28OtherCentre brings the right code of an appointment that is today, at another
// centre.
func TestR28OtherCentre(t *testing.T) {
	t.Parallel()
	run(t, "R28", trial{own: true, base: harness.Options{Clock: harness.ClockAt(t, "10:00")}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		s.OpenToday()
		own := s.StaffKey("vaccinator").Centre
		for _, text := range s.Column(harness.RegistryDB, fmt.Sprintf("SELECT DISTINCT centre FROM session WHERE centre <> %d ORDER BY centre LIMIT 20", own)) {
			centre, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(s.DaysAt(centre), func(d harness.Day) bool { return d.Date == s.Indian() }); i >= 0 {
				return opensWithCode(t, s, s.DaysAt(centre)[i])
			}
		}
		t.Fatal("no other centre has a session today")
		return false, ""
	}})
}

// TestR29OtherDay brings the right code of an appointment of another day.
func TestR29OtherDay(t *testing.T) {
	t.Parallel()
	run(t, "R29", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		s.OpenToday()
		return opensWithCode(t, s, s.Later()[0])
	}})
}

// opensWithCode books a stranger, reads their code and opens them with it at the demo
// staff's centre.
func opensWithCode(t *testing.T, s *harness.Server, d harness.Day) (bool, string) {
	t.Helper()
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	if _, a := c.Book(d, 1, ref); !a.OK() {
		t.Fatal(a.Text())
	}
	a := s.Client().Shown(s.StaffKey("vaccinator"), harness.StaffViewPath, ref, "code "+s.SecurityCode(mobile, d.Date))
	return a.OK(), fmt.Sprintf("answer %d", a.Status)
}

// TestR32OthersCode opens one person with another's right code.
func TestR32OthersCode(t *testing.T) {
	t.Parallel()
	run(t, "R32", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		today := s.OpenToday()
		c, mobile := s.Holder()
		if _, a := c.Book(today, 1, c.Enrol("Asha Test")); !a.OK() {
			t.Fatal(a.Text())
		}
		victim, _ := s.Holder()
		ref := victim.Enrol("Ravi Test")
		if _, a := victim.Book(today, 1, ref); !a.OK() {
			t.Fatal(a.Text())
		}
		a := s.Client().Shown(s.StaffKey("vaccinator"), harness.StaffViewPath, ref, "code "+s.SecurityCode(mobile, today.Date))
		return a.OK(), fmt.Sprintf("answer %d", a.Status)
	}})
}

// row is one row of the day's list.
type listRow struct {
	Row     string `json:"row_id"`
	Initial string `json:"initial"`
}

// theList books so many people into today's session and has the list as a stolen session
// of its vaccinator gets it.
func theList(t *testing.T, s *harness.Server, people int) (day harness.Day, rows []listRow, refs []string) {
	t.Helper()
	day = s.OpenToday()
	confirmed := func() int {
		n, err := strconv.Atoi(s.Column(harness.RegistryDB, fmt.Sprintf("SELECT count(*) FROM hold WHERE session = '%s' AND state = 2", day.Session))[0])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, households := confirmed(), 0
	for len(refs) < people {
		c, _ := s.Holder()
		var house []string
		for range min(6, people-len(refs)) {
			house = append(house, c.Enrol("Asha Test"))
		}
		if _, a := c.Book(day, 1, house...); !a.OK() {
			t.Fatal(a.Text())
		}
		refs = append(refs, house...)
		households++
	}
	for range 300 { // a place is confirmed a moment after the booking was answered
		if confirmed() >= before+households {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	a := s.Client().Signed(s.StaffKey("vaccinator"), dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session})
	var list struct{ Rows []listRow }
	if err := json.Unmarshal(a.Body, &list); err != nil || len(list.Rows) < people {
		t.Fatalf("%v: %s", err, a.Text())
	}
	return day, list.Rows, refs
}

func openRow(s *harness.Server, row string) harness.Answer {
	return s.Client().Signed(s.StaffKey("vaccinator"), openRowPath, map[string]any{"row_id": row, "nonce": "n"})
}

// listOpens is what lets a stolen machine's key open from the list at all, in a test build:
// what the attack is about is what holds then.
func listOpens(more ...string) harness.Options {
	return harness.Options{Tags: harness.Ablation, Ablate: append(more, "fresh-assertion", "roster-mode")}
}

// TestR30NothingShown opens from the list without a passkey, and where a list opens nobody.
func TestR30NothingShown(t *testing.T) {
	t.Parallel()
	try := func(t *testing.T, s *harness.Server) (bool, string) {
		_, rows, _ := theList(t, s, 1)
		a := openRow(s, rows[0].Row)
		return a.OK(), fmt.Sprintf("answer %d", a.Status)
	}
	run(t, "R30", trial{name: "no passkey", off: []string{"fresh-assertion"}, own: true, base: harness.Options{Tags: harness.Ablation, Ablate: []string{"roster-mode", "phantoms"}}, try: try},
		trial{name: "by code only", off: []string{"roster-mode"}, own: true, base: harness.Options{Tags: harness.Ablation, Ablate: []string{"fresh-assertion", "phantoms"}}, try: try})
}

// walkList opens row after row; end, if set, ends each visit.
func walkList(rows []listRow, s *harness.Server, end func(row string) bool) (opened, ended int) {
	for _, row := range rows {
		if !openRow(s, row.Row).OK() {
			continue
		}
		if opened++; end != nil && end(row.Row) {
			ended++
		}
	}
	return opened, ended
}

// TestR33WalkTheList closes nothing: 25 people are open at one time, at most.
func TestR33WalkTheList(t *testing.T) {
	t.Parallel()
	run(t, "R33", trial{own: true, base: listOpens("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		_, rows, _ := theList(t, s, 30)
		opened, _ := walkList(rows, s, nil)
		return opened > 25, fmt.Sprintf("%d of 30 opened", opened)
	}})
}

// TestR34CloseEach closes each visit without a dose.
func TestR34CloseEach(t *testing.T) {
	t.Parallel()
	try := func(most int, count func(opened, closed int) int) attack {
		return func(t *testing.T, s *harness.Server) (bool, string) {
			_, rows, _ := theList(t, s, 30)
			opened, closed := walkList(rows, s, func(row string) bool {
				return s.Client().Signed(s.StaffKey("vaccinator"), closePath, map[string]any{"row_id": row, "reason": "left"}).OK()
			})
			return count(opened, closed) > most, fmt.Sprintf("%d of 30 opened, %d closed", opened, closed)
		}
	}
	run(t, "R34", trial{name: "step-up", off: []string{"step-up"}, own: true, base: listOpens("phantoms"), try: try(5, func(opened, _ int) int { return opened })},
		trial{name: "closings", off: []string{"no-dose-cap"}, own: true, base: listOpens("phantoms", "step-up"), try: try(20, func(_, closed int) int { return closed })})
}

// TestR35MadeUpDoses records a dose for everybody opened, none of which was given.
func TestR35MadeUpDoses(t *testing.T) {
	t.Parallel()
	run(t, "R35", trial{own: true, base: listOpens("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		day, rows, _ := theList(t, s, 36)
		opened, end := 0, time.Now().Add(90*time.Second)
		for _, row := range rows {
			a := openRow(s, row.Row)
			for strings.Contains(string(a.Body), "NEEDCODE-pending") && time.Now().Before(end) { // what was recorded gets to the vault a little later
				time.Sleep(100 * time.Millisecond)
				a = openRow(s, row.Row)
			}
			if !a.OK() {
				continue
			}
			opened++
			form := harness.DoseForm(day, a.Field("beneficiary_reference_id"), "", 1)
			delete(form, "security_code")
			if w := s.Client().Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, form); w.Status != 204 {
				t.Fatal(w.Text())
			}
		}
		return opened > 30, fmt.Sprintf("%d of 36 opened", opened)
	}})
}

// TestR36Race opens at the same instant.
func TestR36Race(t *testing.T) {
	t.Parallel()
	run(t, "R36", trial{own: true, base: listOpens("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		_, rows, _ := theList(t, s, 40)
		var opened atomic.Int64
		var wg sync.WaitGroup
		for _, row := range rows {
			wg.Go(func() {
				for range 10 { // a race that was lost may be run again
					a := openRow(s, row.Row)
					if a.OK() {
						opened.Add(1)
					}
					if a.Status != 409 && a.Status != 503 {
						return
					}
				}
			})
		}
		wg.Wait()
		return opened.Load() > 25, fmt.Sprintf("%d of 40 opened", opened.Load())
	}})
}

// TestR37Phantom opens the list from its first row on: whoever is not one of those booked is
// nobody, and ends it.
func TestR37Phantom(t *testing.T) {
	t.Parallel()
	run(t, "R37", trial{own: true, base: listOpens(), try: func(t *testing.T, s *harness.Server) (bool, string) {
		_, rows, refs := theList(t, s, 24)
		got := 0
		for _, row := range rows {
			if a := openRow(s, row.Row); a.OK() && slices.Contains(refs, a.Field("beneficiary_reference_id")) {
				got++
			}
		}
		return got == len(refs), fmt.Sprintf("%d of %d people opened, %d rows", got, len(refs), len(rows))
	}})
}
