package sim_test

import (
	"testing"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/budget/sim"
)

// quickDays are played by every test run; the published figures are of 50,000.
const quickDays = 1500

// TestModel: the model has the figures that defence.md 4.2 publishes of its own.
func TestModel(t *testing.T) {
	s := sim.Days(budget.DefaultSettings(), sim.Published(), quickDays)
	t.Logf("%+v", s)
	between := func(what string, v, lo, hi int) {
		t.Helper()
		if v < lo || v > hi {
			t.Errorf("%s is %d, want %d to %d", what, v, lo, hi)
		}
	}
	between("openings per dose x 100, median", s.PerDose.Median, 104, 106)
	between("openings per dose x 100, one day in a thousand", s.PerDose.P999, 112, 122)
	between("open at once, median", s.Pending.Median, 11, 13)
	between("open at once, one day in a thousand", s.Pending.P999, 22, 28)
	between("closings without a dose, one day in a thousand", s.NoDoses.P999, 15, 22)
	between("days that warn, per mille", 1000*s.Warned/s.Days, 5, 40)
	between("false step-ups in ten thousand days", 10_000*s.SteppedUp/s.Days, 10, 110)
	between("asked per mille when everybody confirms within minutes", s.AskedPerMille(), 0, 12)
}

// TestWorkNeverStops: in no day of any rate and delay is a dose or an opening with a code
// refused.
func TestWorkNeverStops(t *testing.T) {
	asked := -1
	for _, rate := range []float64{1, 0.5, 0} {
		for _, delay := range []float64{5, 180} {
			m := sim.Published()
			m.ConfirmRate, m.ConfirmDelay = rate, delay
			s := sim.Days(budget.DefaultSettings(), m, quickDays/5)
			if s.CodeRefused != 0 {
				t.Fatalf("rate %.2f, delay %.0f: %d refused although a code was shown", rate, delay, s.CodeRefused)
			}
			if s.Opens < 100*s.Days {
				t.Fatalf("only %d openings in %d days", s.Opens, s.Days)
			}
			if delay == 5 {
				if got := s.AskedPerMille(); got < asked {
					t.Fatalf("fewer confirm, and fewer are asked: %d after %d per mille", got, asked)
				}
				asked = s.AskedPerMille()
			}
		}
	}
	if asked < 700 { // nobody confirms: 30 of 126 go without
		t.Fatalf("nobody confirms, and %d per mille are asked", asked)
	}
}

// TestAttackers: the step-up catches as early as defence.md 4.2 says, and no style takes
// more than the bound.
func TestAttackers(t *testing.T) {
	s := budget.DefaultSettings()
	for _, c := range []struct{ percent, median, slack int }{{100, 4, 0}, {50, 5, 1}, {25, 7, 1}, {10, 18, 5}} {
		if got := sim.Mixed(s, c.percent, 600); got.Median < c.median-c.slack || got.Median > c.median+c.slack {
			t.Errorf("%d %% mix: caught after %d, want %d", c.percent, got.Median, c.median)
		}
	}
	for _, c := range []struct {
		style  sim.Style
		served int
		people int
		why    budget.Reason
	}{
		{sim.NeverCloses, 0, 27, budget.ReasonPending},
		{sim.NoDoses, 0, 6, budget.WhyOutcomes},
		{sim.MadeUp, 0, 32, budget.ReasonAllowance},
		{sim.Beside, 150, 62, budget.ReasonAllowance},
	} {
		got := sim.Attack(s, c.style, c.served)
		if got.People != c.people || got.Why != c.why || got.People > s.Bound(c.served) || !got.Alert {
			t.Errorf("style %d: %+v, want %d by %s, at most %d", c.style, got, c.people, c.why, s.Bound(c.served))
		}
	}
	off := s
	off.Base, off.Pending, off.NoDose, off.StepUpMilli = 1<<14, 1<<14, 1<<14, 1<<30/1000+1
	for _, style := range []sim.Style{sim.NeverCloses, sim.NoDoses, sim.MadeUp} {
		if got := sim.Attack(off, style, 0); got.People < 5000 {
			t.Errorf("without the limits style %d takes %d only", style, got.People)
		}
	}
}
