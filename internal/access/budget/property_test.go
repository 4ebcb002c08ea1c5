package budget_test

import (
	"fmt"
	"reflect"
	"testing"
	"testing/quick"

	"tikakosh/internal/access/budget"
)

// step is one arbitrary event: of few enough people that they meet again.
type step struct {
	Kind, Person, Day uint8
}

func (s step) event() budget.Event {
	return budget.Event{Kind: budget.Kind(s.Kind%7 + 1), Person: person(int(s.Person) % 90), Day: today + int(s.Day)/250, Hour: now}
}

// TestProperties: whatever happens in whatever order, the promises hold after each step.
func TestProperties(t *testing.T) {
	holds := func(steps []step) error {
		b := newBench(t)
		b.l.System.Limit, b.l.District.Limit = 1000, 1000
		day := 0
		distinct := map[budget.Tag]bool{}
		glass := 0
		for _, st := range steps {
			e := st.event()
			before := b.l
			after, v := b.s.Decide(b.l, e)
			if !reflect.DeepEqual(before, b.l) {
				return fmt.Errorf("Decide changed the state it was given")
			}
			b.l = after
			m := b.l.Member
			if m.Day > day {
				day, distinct, glass = m.Day, map[budget.Tag]bool{}, 0
			}
			if v.Outcome == budget.Allow {
				switch e.Kind {
				case budget.OpenBare, budget.Phantom:
					distinct[e.Person] = true
				case budget.Glass:
					glass++
				}
			}
			switch {
			case v.Outcome < budget.Allow || v.Outcome > budget.Refuse:
				return fmt.Errorf("no outcome: %+v", v)
			case v.Outcome != budget.Allow && (v.Reason == "" || v.Why == ""):
				return fmt.Errorf("refused without a reason: %+v", v)
			case e.Kind == budget.OpenShown && (v != budget.Verdict{Outcome: budget.Allow} || (before.Member.Day == m.Day && !reflect.DeepEqual(before.Member, m))):
				return fmt.Errorf("an opening by code was counted or refused: %+v", v)
			case e.Kind == budget.GaveDose && v.Outcome != budget.Allow:
				return fmt.Errorf("a dose was refused: %+v", v)
			case m.Pending() > b.s.Pending:
				return fmt.Errorf("%d pending", m.Pending())
			case 10*len(distinct) > 10*b.s.Base+b.s.EarnTenths*m.Confirmed() || len(distinct) != m.Codeless():
				return fmt.Errorf("%d people opened codeless, %d counted, with %d confirmed", len(distinct), m.Codeless(), m.Confirmed())
			case m.NoDoses > b.s.NoDose || glass > b.s.BreakGlass || glass != m.BreakGlass:
				return fmt.Errorf("%d closings, %d break-glass", m.NoDoses, glass)
			case m.SteppedUp != 0 && e.Kind == budget.OpenBare && v.Outcome == budget.Allow && m.Day == before.Member.Day && !wasOpen(before.Member, e.Person):
				return fmt.Errorf("opened codeless after a step-up")
			case m.Day == before.Member.Day && before.Member.SteppedUp > m.SteppedUp:
				return fmt.Errorf("a step-up ended within its day")
			}
		}
		return nil
	}
	err := quick.Check(func(steps [400]step) bool {
		if err := holds(steps[:]); err != nil {
			t.Error(err)
			return false
		}
		return true
	}, &quick.Config{MaxCount: 300})
	if err != nil {
		t.Fatal(err)
	}
}

func wasOpen(m budget.Member, t budget.Tag) bool {
	for _, p := range m.People {
		if p.Tag == t {
			return p.Status == budget.Open
		}
	}
	return false
}

// TestCodesChangeNothing: the same day with openings by code strewn in allows the very
// same codeless openings.
func TestCodesChangeNothing(t *testing.T) {
	err := quick.Check(func(steps [200]step) bool {
		plain, mixed := newBench(t), newBench(t)
		for i, st := range steps {
			e := st.event()
			var v, w budget.Verdict
			plain.l, v = plain.s.Decide(plain.l, e)
			mixed.l, w = mixed.s.Decide(mixed.l, e)
			if v != w || !reflect.DeepEqual(plain.l, mixed.l) {
				return false
			}
			shown := budget.Event{Kind: budget.OpenShown, Person: person(i), Day: e.Day, Hour: now}
			mixed.l, w = mixed.s.Decide(mixed.l, shown)
			if w.Outcome != budget.Allow {
				return false
			}
		}
		return true
	}, &quick.Config{MaxCount: 200})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := budget.DefaultSettings()
	var l budget.Load
	l.District, _, _ = s.Roll(budget.OfDistrict, budget.Hour{}, budget.History{}, now)
	l.System, _, _ = s.Roll(budget.OfSystem, budget.Hour{}, budget.History{}, now)
	for i := range 20 {
		l, _ = s.Decide(l, budget.Event{Kind: budget.OpenBare, Person: person(i), Day: today, Hour: now})
	}
	for b.Loop() {
		next, _ := s.Decide(l, budget.Event{Kind: budget.OpenBare, Person: person(21), Day: today, Hour: now})
		raw, _ := next.Member.MarshalBinary()
		var m budget.Member
		_ = m.UnmarshalBinary(raw)
	}
}
