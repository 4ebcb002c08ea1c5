package budget_test

import (
	"reflect"
	"testing"

	"tikakosh/internal/access/budget"
)

// TestPendingCap: the 26th person who would be open at one time needs a code; a
// warning comes from the 20th on, and each visit that ends makes room for one.
func TestPendingCap(t *testing.T) {
	b := newBench(t)
	for i := range 25 {
		if v := b.allow(budget.OpenBare, i); v.Warn != (i+1 >= 20) {
			t.Fatalf("warned %v with %d open", v.Warn, i+1)
		}
	}
	v := b.want(budget.OpenBare, 25, budget.NeedCode, budget.ReasonPending)
	if v.Next != budget.NextClose || v.Alert {
		t.Fatalf("at the pending cap: %+v", v)
	}
	b.allow(budget.OpenBare, 3)   // open already: nobody new
	b.allow(budget.OpenShown, 25) // with a code work goes on
	b.allow(budget.GaveDose, 3)
	b.allow(budget.OpenBare, 25)
	b.want(budget.OpenBare, 26, budget.NeedCode, budget.ReasonPending)
}

// TestAllowance: 30 people, and 1.2 for each whose holder confirmed; a dose that
// nobody confirmed earns nothing, and one confirmation earns once.
func TestAllowance(t *testing.T) {
	b := newBench(t)
	for i := range 30 {
		b.allow(budget.OpenBare, i)
		b.allow(budget.GaveDose, i)
	}
	if v := b.want(budget.OpenBare, 30, budget.NeedCode, budget.ReasonAllowance); v.Next != budget.NextAskCode {
		t.Fatalf("at the end of the allowance: %+v", v)
	}
	for i := range 5 {
		b.allow(budget.Confirm, i)
		b.allow(budget.Confirm, i) // said twice
	}
	for i := range 6 {
		b.allow(budget.OpenBare, 30+i)
	}
	b.want(budget.OpenBare, 36, budget.NeedCode, budget.ReasonAllowance)
	if got := b.l.Member.Codeless(); got != 36 {
		t.Fatalf("%d codeless openings", got)
	}
	b.allow(budget.OpenBare, 30) // still open
	b.allow(budget.OpenBare, 7)  // had a dose: seen before, nobody new
}

// TestConfirmEarnsOnlyAfterADose: who is open, closed without a dose, or was opened by
// code cannot earn.
func TestConfirmEarnsOnlyAfterADose(t *testing.T) {
	b := newBench(t)
	b.allow(budget.OpenBare, 1)
	b.allow(budget.Confirm, 1)
	b.allow(budget.GaveNone, 1)
	b.allow(budget.Confirm, 1)
	b.allow(budget.OpenShown, 2)
	b.allow(budget.GaveDose, 2)
	b.allow(budget.Confirm, 2)
	if n := b.l.Member.Confirmed() + b.l.Centre.Confirmed; n != 0 {
		t.Fatalf("%d confirmed", n)
	}
	b.allow(budget.OpenBare, 3)
	b.allow(budget.GaveDose, 3)
	late := budget.Event{Kind: budget.Confirm, Person: person(3), Day: today - 1, Hour: now}
	if l, _ := b.s.Decide(b.l, late); l.Member.Confirmed() != 0 {
		t.Fatal("a confirmation of another day's dose earned today")
	}
}

// TestNoDoseCap: with the step-up out of the way, the 21st closing without a dose is
// refused; who is left open stays so.
func TestNoDoseCap(t *testing.T) {
	b := newBench(t)
	b.s.StepUpMilli = 100_000
	for i := range 20 {
		b.allow(budget.OpenBare, i)
		b.allow(budget.GaveNone, i)
	}
	b.allow(budget.OpenBare, 20)
	v := b.want(budget.GaveNone, 20, budget.Refuse, budget.ReasonNoDose)
	if v.Next != budget.NextLeave || !v.Alert || b.l.Member.Pending() != 1 {
		t.Fatalf("the 21st closing: %+v, %d open", v, b.l.Member.Pending())
	}
	b.allow(budget.GaveDose, 20)
	b.want(budget.GaveNone, 99, budget.Refuse, budget.ReasonNotOpen)
	b.want(budget.GaveNone, 20, budget.Refuse, budget.ReasonNotOpen)
}

// TestStepUp: four openings that end without a dose ask for codes for the rest of the day;
// honest doses between them bring the sum back.
func TestStepUp(t *testing.T) {
	b := newBench(t)
	for i := range 4 {
		b.allow(budget.OpenBare, i)
		if v := b.allow(budget.GaveNone, i); v.Alert != (i == 3) || (i == 3 && v.Why != budget.WhyOutcomes) {
			t.Fatalf("closing %d: %+v", i+1, v)
		}
	}
	v := b.want(budget.OpenBare, 4, budget.NeedCode, budget.ReasonStepUp)
	if v.Next != budget.NextAskCode || v.Why != budget.WhyOutcomes || b.l.Centre.SteppedUp != 1 {
		t.Fatalf("stepped up: %+v, %+v", v, b.l.Centre)
	}
	b.allow(budget.OpenShown, 4)
	b.want(budget.OpenBare, 0, budget.NeedCode, budget.ReasonStepUp) // also who was seen before

	c := newBench(t)
	for i := range 3 {
		c.allow(budget.OpenBare, i)
		c.allow(budget.GaveNone, i)
	}
	for i := 3; i < 8; i++ {
		c.allow(budget.OpenBare, i)
		c.allow(budget.GaveDose, i)
	}
	c.allow(budget.OpenBare, 8)
	c.allow(budget.GaveNone, 8)
	c.allow(budget.OpenBare, 9) // 3 x 2.08 - 5 x 0.46 + 2.08 is below 8
}

// TestReopened: who was closed without a dose and comes back is no new person, and can
// be closed again; that counts.
func TestReopened(t *testing.T) {
	b := newBench(t)
	b.allow(budget.OpenBare, 1)
	b.allow(budget.GaveNone, 1)
	b.allow(budget.OpenBare, 1)
	if m := b.l.Member; m.Codeless() != 1 || m.Pending() != 1 || b.l.Centre.Codeless != 1 || b.l.System.N != 1 {
		t.Fatalf("after coming back: %+v", b.l)
	}
	b.allow(budget.GaveNone, 1)
	if b.l.Member.NoDoses != 2 {
		t.Fatalf("%d closings", b.l.Member.NoDoses)
	}
}

// TestBreakGlass: two in a day, and each is seen by those who watch.
func TestBreakGlass(t *testing.T) {
	b := newBench(t)
	for i := range 2 {
		if v := b.allow(budget.Glass, i); !v.Alert {
			t.Fatal("nobody is told of a break-glass opening")
		}
	}
	if v := b.want(budget.Glass, 0, budget.Refuse, budget.ReasonBreakGlass); v.Next != budget.NextOthers || !v.Alert {
		t.Fatalf("the third: %+v", v)
	}
	if b.l.Member.Codeless() != 0 {
		t.Fatal("break-glass counts as codeless")
	}
}

// TestPhantom: a person who does not exist opens like any other, to the worker; the next
// one needs a code, and those who watch are told.
func TestPhantom(t *testing.T) {
	b := newBench(t)
	v := b.allow(budget.Phantom, 1)
	if !v.Alert || v.Why != budget.WhyPhantom || v.Reason != "" || v.Next != "" {
		t.Fatalf("a phantom: %+v", v)
	}
	if v := b.want(budget.OpenBare, 2, budget.NeedCode, budget.ReasonStepUp); v.Why != budget.WhyPhantom {
		t.Fatalf("after a phantom: %+v", v)
	}
	other := newBench(t)
	honest := other.allow(budget.OpenBare, 1)
	v.Why, v.Alert = honest.Why, honest.Alert
	if v := (budget.Verdict{Outcome: v.Outcome, Reason: v.Reason, Next: v.Next, Warn: v.Warn}); v != honest {
		t.Fatalf("a phantom is told from a person: %+v, %+v", v, honest)
	}
	// Also one that is refused for another reason is told.
	full := newBench(t)
	for i := range 25 {
		full.allow(budget.OpenBare, i)
	}
	if v := full.want(budget.Phantom, 30, budget.NeedCode, budget.ReasonPending); !v.Alert || v.Why != budget.WhyPhantom {
		t.Fatalf("a phantom at the cap: %+v", v)
	}
}

// TestCentre: the centre's day is bounded over all its members.
func TestCentre(t *testing.T) {
	b := newBench(t)
	b.s.Centre = 40
	open := func(who *budget.Member, n int) budget.Verdict {
		b.l.Member = *who
		v := b.does(budget.OpenBare, n)
		if v.Outcome == budget.Allow {
			b.does(budget.GaveDose, n)
		}
		*who = b.l.Member
		return v
	}
	var one, two budget.Member
	for i := range 30 {
		open(&one, i)
	}
	for i := range 10 {
		open(&two, 100+i)
	}
	if v := open(&two, 110); v.Outcome != budget.NeedCode || v.Reason != budget.ReasonCentre || !v.Alert {
		t.Fatalf("the centre's 41st: %+v", v)
	}
	b.l.Member = two
	for i := range 5 {
		b.allow(budget.Confirm, 100+i)
	}
	two = b.l.Member
	for i := range 6 {
		if v := open(&two, 110+i); v.Outcome != budget.Allow {
			t.Fatalf("after five confirmed, %d more: %+v", i+1, v)
		}
	}
	if v := open(&two, 116); v.Reason != budget.ReasonCentre {
		t.Fatalf("after all earned: %+v", v)
	}
}

// TestBreaker: the district is asked before the whole system, and an hour's counts are
// both's.
func TestBreaker(t *testing.T) {
	b := newBench(t)
	b.l.District.Limit, b.l.System.Limit = 2, 3
	b.allow(budget.OpenBare, 1)
	b.allow(budget.OpenBare, 2)
	if v := b.want(budget.OpenBare, 3, budget.NeedCode, budget.ReasonDistrict); !v.Alert || v.Next != budget.NextAskCode {
		t.Fatalf("the district: %+v", v)
	}
	b.l.District.Limit = 10
	b.allow(budget.OpenBare, 3)
	b.want(budget.OpenBare, 4, budget.NeedCode, budget.ReasonSystem)
	b.allow(budget.OpenShown, 4)
	if b.l.District.N != 3 || b.l.System.N != 3 {
		t.Fatalf("counted %d, %d", b.l.District.N, b.l.System.N)
	}
	var none budget.Load // hours that were never rolled allow nothing
	if _, v := b.s.Decide(none, budget.Event{Kind: budget.OpenBare, Day: today}); v.Outcome != budget.NeedCode {
		t.Fatalf("without a limit: %+v", v)
	}
}

// TestDays: a new day begins anew; an earlier one, by a clock set back, does not.
func TestDays(t *testing.T) {
	b := newBench(t)
	b.allow(budget.Phantom, 1)
	on := func(day int) budget.Verdict {
		var v budget.Verdict
		b.l, v = b.s.Decide(b.l, budget.Event{Kind: budget.OpenBare, Person: person(2), Day: day, Hour: now})
		return v
	}
	for _, day := range []int{today, today - 1, today - 400} {
		if v := on(day); v.Outcome != budget.NeedCode {
			t.Fatalf("day %d: %+v", day-today, v)
		}
	}
	if v := on(today + 1); v.Outcome != budget.Allow || b.l.Member.Day != today+1 || b.l.Member.Codeless() != 1 || b.l.Centre.Codeless != 1 {
		t.Fatalf("the next day: %+v, %+v", v, b.l)
	}
	if on(today); b.l.Member.Day != today+1 {
		t.Fatal("the day went back")
	}
}

// TestUnknownEvent: an event nobody knows allows nothing and changes nothing.
func TestUnknownEvent(t *testing.T) {
	b := newBench(t)
	b.allow(budget.OpenBare, 1)
	before := b.l
	for _, k := range []budget.Kind{0, 8, 255} {
		if v := b.does(k, 2); v.Outcome == budget.Allow || v.Outcome == 0 || !reflect.DeepEqual(before, b.l) {
			t.Fatalf("event %d: %+v", k, v)
		}
	}
}
