package redteam

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	wantRefusalSeen(t, c, ref, a)
	return a.OK(), fmt.Sprintf("answer %d", a.Status)
}

// wantRefusalSeen: a refused opening is an entry that its person sees.
func wantRefusalSeen(t *testing.T, c *harness.Client, ref string, a harness.Answer) {
	t.Helper()
	if !a.OK() && !slices.ContainsFunc(c.History(), func(e harness.Entry) bool { return e.Reference == ref && e.Kind == "refusal" }) {
		t.Error("the refusal is not in the person's history")
	}
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
		wantRefusalSeen(t, victim, ref, a)
		return a.OK(), fmt.Sprintf("answer %d", a.Status)
	}})
}

// listRow is one row of the day's list.
type listRow struct {
	Row     string `json:"row_id"`
	Initial string `json:"initial"`
	LastTwo string `json:"reference_last2"`
}

// lister is a stolen session of a vaccinator who is a member with a passkey, at a centre that
// opens from its list.
type lister struct {
	*harness.Desk
	t   *testing.T
	day harness.Day
}

// newLister makes the staff. Where the server is not the one that is released, its centre
// opens from the list at once.
func newLister(t *testing.T, s *harness.Server) lister {
	t.Helper()
	first, second, _ := s.Administrators()
	if !s.Ablated() {
		first.RosterMode(second, s.StaffKey("vaccinator").Centre)
	}
	l := lister{t: t, day: s.OpenToday()}
	l.Desk = botMember(first, second, "Vani Test", fmt.Sprintf("vaccinator@centre/1/1/%d", l.day.Centre))
	first.Must(first.Ask("POST", "roster", map[string]any{"member_id": l.Member, "center_id": l.day.Centre, "date": l.day.Date, "on": true}))
	return l
}

// list books so many people into today's session and has the list as the thief gets it.
func (l lister) list(people int) (rows []listRow, refs []string) {
	l.t.Helper()
	return dayRows(l.t, l.Server, l.day, l.Key, people)
}

// lucky is list for a thief who guesses well which rows are of people who do not exist: as
// good as all of them are left out, so that the rule in question is met first.
func (l lister) lucky(people int) []listRow {
	l.t.Helper()
	rows, refs := l.list(people)
	return slices.DeleteFunc(rows, func(r listRow) bool {
		return r.Initial != "A" || !slices.ContainsFunc(refs, func(ref string) bool { return ref[len(ref)-2:] == r.LastTwo })
	})
}

func dayRows(t *testing.T, s *harness.Server, day harness.Day, k harness.StaffKey, people int) (rows []listRow, refs []string) {
	t.Helper()
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
	a := s.Client().Signed(k, dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session})
	var list struct{ Rows []listRow }
	if err := json.Unmarshal(a.Body, &list); err != nil || len(list.Rows) < people {
		t.Fatalf("%v: %s", err, a.Text())
	}
	return list.Rows, refs
}

func (l lister) open(row string) harness.Answer {
	return l.Confirm(openRowPath, map[string]any{"row_id": row})
}

// openRow opens a row with a machine's key.
func openRow(s *harness.Server, row string) harness.Answer {
	return s.Client().Signed(s.StaffKey("vaccinator"), openRowPath, map[string]any{"row_id": row, "nonce": "n"})
}

// listed is what the run without a control goes without besides: people who do not exist,
// so that each rule is seen alone, and what lets a centre open from its list.
func listed(more ...string) harness.Options {
	return harness.Options{Tags: harness.Ablation, Ablate: append(more, "roster-mode")}
}

// TestR30NothingShown opens from the list without a passkey, and where a list opens nobody.
func TestR30NothingShown(t *testing.T) {
	t.Parallel()
	run(t, "R30", trial{name: "no passkey", off: []string{"fresh-assertion"}, bare: true, base: listed("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		l := newLister(t, s)
		rows, _ := dayRows(t, s, l.day, s.StaffKey("vaccinator"), 1)
		a := openRow(s, rows[0].Row)
		own := s.Client().Signed(l.Key, openRowPath, map[string]any{"row_id": rows[0].Row, "nonce": "n"})
		return a.OK() || own.OK(), fmt.Sprintf("a machine's key: answer %d; a session without a touch: %d", a.Status, own.Status)
	}}, trial{name: "by code only", off: []string{"roster-mode"}, bare: true, base: harness.Options{Ablate: []string{"fresh-assertion", "phantoms"}}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		rows, _ := dayRows(t, s, s.OpenToday(), s.StaffKey("vaccinator"), 1)
		a := openRow(s, cmp.Or(rows[0].Row, "x"))
		return a.OK(), fmt.Sprintf("answer %d", a.Status)
	}})
}

// walkList opens row after row; end, if set, ends each visit.
func (l lister) walkList(rows []listRow, end func(row string) bool) (opened, ended int) {
	for _, row := range rows {
		if !l.open(row.Row).OK() {
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
	run(t, "R33", trial{bare: true, base: listed("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		l := newLister(t, s)
		rows := l.lucky(30)
		opened, _ := l.walkList(rows, nil)
		return opened > 25, fmt.Sprintf("%d of %d opened", opened, len(rows))
	}})
}

// TestR34CloseEach closes each visit without a dose.
func TestR34CloseEach(t *testing.T) {
	t.Parallel()
	try := func(most int, count func(opened, closed int) int) attack {
		return func(t *testing.T, s *harness.Server) (bool, string) {
			l := newLister(t, s)
			rows := l.lucky(30)
			opened, closed := l.walkList(rows, func(row string) bool {
				return s.Client().Signed(l.Key, closePath, map[string]any{"row_id": row, "reason": "left"}).OK()
			})
			return count(opened, closed) > most, fmt.Sprintf("%d of %d opened, %d closed", opened, len(rows), closed)
		}
	}
	run(t, "R34", trial{name: "step-up", off: []string{"step-up"}, bare: true, base: listed("phantoms"), try: try(5, func(opened, _ int) int { return opened })},
		trial{name: "closings", off: []string{"no-dose-cap"}, bare: true, base: listed("phantoms", "step-up"), try: try(20, func(_, closed int) int { return closed })})
}

// TestR35MadeUpDoses records a dose for everybody opened, none of which was given.
func TestR35MadeUpDoses(t *testing.T) {
	t.Parallel()
	run(t, "R35", trial{bare: true, base: listed("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		l := newLister(t, s)
		rows := l.lucky(36)
		opened, end := 0, time.Now().Add(90*time.Second)
		for _, row := range rows {
			a := l.open(row.Row)
			for strings.Contains(string(a.Body), "NEEDCODE-pending") && time.Now().Before(end) { // what was recorded gets to the vault a little later
				time.Sleep(100 * time.Millisecond)
				a = l.open(row.Row)
			}
			if !a.OK() {
				continue
			}
			opened++
			form := harness.DoseForm(l.day, a.Field("beneficiary_reference_id"), "", 1)
			delete(form, "security_code")
			if w := s.Client().Signed(l.Key, harness.VaccinatePath, form); w.Status != 204 {
				t.Fatal(w.Text())
			}
		}
		return opened > 30, fmt.Sprintf("%d of %d opened", opened, len(rows))
	}})
}

// TestR36Race opens at the same instant.
func TestR36Race(t *testing.T) {
	t.Parallel()
	run(t, "R36", trial{bare: true, base: listed("phantoms"), try: func(t *testing.T, s *harness.Server) (bool, string) {
		l := newLister(t, s)
		rows := l.lucky(40)
		o := &opens{people: map[string]string{}}
		for range 3 { // a race that was lost may be run again
			var all []func()
			c := s.Client()
			for _, row := range rows { // touched one after the other, sent at the same instant
				raw, header, refused := l.Touch(openRowPath, map[string]any{"row_id": row.Row})
				if raw == nil {
					t.Fatal(refused.Text())
				}
				all = append(all, func() { o.add(c.Must("POST", openRowPath, raw, header...), "") })
			}
			var wg sync.WaitGroup
			for _, send := range all {
				wg.Go(send)
			}
			wg.Wait()
		}
		return len(o.people) > 25, fmt.Sprintf("%d of %d opened", len(o.people), len(rows))
	}})
}

// TestR37Phantom opens the list from its first row on: whoever is not one of those booked is
// nobody, and ends it.
func TestR37Phantom(t *testing.T) {
	t.Parallel()
	run(t, "R37", trial{bare: true, base: listed(), try: func(t *testing.T, s *harness.Server) (bool, string) {
		l := newLister(t, s)
		rows, refs := l.list(24)
		got := 0
		for _, row := range rows {
			if a := l.open(row.Row); a.OK() && slices.Contains(refs, a.Field("beneficiary_reference_id")) {
				got++
			}
		}
		return got == len(refs), fmt.Sprintf("%d of %d people opened, %d rows", got, len(refs), len(rows))
	}})
}
