package redteam

import (
	"fmt"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// moved reports whether somebody signed in by a number has the record of whom they want.
func moved(c *harness.Client, reference string) bool {
	for _, b := range c.Beneficiaries() {
		if b.Reference == reference {
			return true
		}
	}
	return false
}

// attacker is a shift at the demo centre, whose sessions and passkeys somebody has, and
// somebody whose record they want; l.New is the attacker's own number.
func relinkScene(t *testing.T, s *harness.Server, people int) (harness.Shift, harness.Lost) {
	t.Helper()
	a, b, _ := s.Administrators()
	return s.Shift(a, b), s.Lost(people)
}

const threeDays = 72*time.Hour + time.Second

// takes lets the three days pass and takes somebody over to a number.
func takes(s *harness.Server, l harness.Lost, number string) (bool, int) {
	s.Forward(threeDays)
	c := s.Client().SignIn(number)
	a := c.TakeOver(l.Reference)
	return moved(c, l.Reference), a.Status
}

// TestK1RelinkAlone: one member of staff alone.
func TestK1RelinkAlone(t *testing.T) {
	t.Parallel()
	run(t, "K1", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		q := w.A.Must(w.A.RelinkAsk(l))
		alone := w.A.RelinkAgree(q)
		has, status := takes(s, l, l.New)
		return has, fmt.Sprintf("approved by who asked: status %d; three days later: %d", alone.Status, status)
	}})
}

// TestK2RelinkAtOnce: two members of staff who agree, before anybody could say no.
func TestK2RelinkAtOnce(t *testing.T) {
	t.Parallel()
	run(t, "K2", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		w.Relink(l)
		s.Forward(71 * time.Hour)
		c := s.Client().SignIn(l.New)
		a := c.TakeOver(l.Reference)
		told := len(s.To(l.Old))
		return moved(c, l.Reference), fmt.Sprintf("71 hours later: status %d; the number before has %d messages", a.Status, told)
	}})
}

// TestK3RelinkDocument: two members of staff who have a reference number and no document.
func TestK3RelinkDocument(t *testing.T) {
	t.Parallel()
	run(t, "K3", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		l.Document = s.PAN()
		asked := w.A.Must(w.A.RelinkAsk(l))
		a := w.B.RelinkAgree(asked)
		has, status := takes(s, l, l.New)
		return has, fmt.Sprintf("asked: status %d, approved: %d; three days later: %d", asked.Status, a.Status, status)
	}})
}

// TestK4RelinkStopped: whoever has the old number said no.
func TestK4RelinkStopped(t *testing.T) {
	t.Parallel()
	run(t, "K4", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		q := w.Relink(l)
		s.Forward(70 * time.Hour)
		no := s.Client().SignIn(l.Old).Must("POST", harness.MovesPath+"/stop", map[string]any{"request_id": q.Field("request_id")})
		has, status := takes(s, l, l.New)
		return has, fmt.Sprintf("stopped: status %d; three days later: %d", no.Status, status)
	}})
}

// TestK5RelinkThird: two members of staff who agree, three people in a day.
func TestK5RelinkThird(t *testing.T) {
	t.Parallel()
	run(t, "K5", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		w.Relink(l)
		glass := w.A.Must(w.A.GlassAsk(s.Lost(1).Reference, "asleep"))
		w.B.Must(w.B.TouchedBy(approvePath, harness.GlassApproval(glass), w.B))
		w.A.Must(w.A.GlassOpen(glass.Field("request_id")))
		third := s.Lost(1)
		q := w.A.RelinkAsk(third)
		if q.OK() {
			q = w.B.RelinkAgree(q)
		}
		has, status := takes(s, third, third.New)
		return has, fmt.Sprintf("a third of the day, after one view and one move: status %d; three days later: %d", q.Status, status)
	}})
}

// TestK6RelinkHousehold: the record of one person brings the others of their household.
func TestK6RelinkHousehold(t *testing.T) {
	t.Parallel()
	run(t, "K6", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 3)
		w.Relink(l)
		s.Forward(threeDays)
		c := s.Client().SignIn(l.New)
		a := c.TakeOver(l.Reference)
		n := len(c.Beneficiaries())
		return n > 1, fmt.Sprintf("taken over: status %d; %d people under the new number, %d under the old one", a.Status, n, len(s.Client().SignIn(l.Old).Beneficiaries()))
	}})
}

// TestK7RelinkOther: somebody else than who two members of staff wrote down takes the person
// over: with the reference number, and a number of their own.
func TestK7RelinkOther(t *testing.T) {
	t.Parallel()
	run(t, "K7", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		w.Relink(l)
		has, status := takes(s, l, s.Mobile())
		return has, fmt.Sprintf("by another number: status %d", status)
	}})
}

// TestK8RelinkDisabled: a member of staff was found out and disabled in the three days.
func TestK8RelinkDisabled(t *testing.T) {
	t.Parallel()
	run(t, "K8", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, l := relinkScene(t, s, 1)
		w.Relink(l)
		out := w.Admin.Must(w.Admin.Ask("POST", "members/disable", map[string]any{"member_id": w.B.Member, "reason": "an inquiry"}))
		has, status := takes(s, l, l.New)
		return has, fmt.Sprintf("disabled: status %d; three days later: %d", out.Status, status)
	}})
}
