package sim

import (
	"math"
	"math/rand/v2"
	"slices"

	"tikakosh/internal/access/budget"
)

// Caught is after how many openings of an attacker every further one needs a code.
type Caught struct {
	Median, P90 int
	Before      int // per mille of runs in which it is before the day's closings are used up
}

// Mixed plays an attacker among honest work: of so many in a hundred openings each is the
// attacker's, who closes it as "no dose"; the others are honest people, of whom one in
// twenty leaves without a dose. Only the step-up stops it: every dose is confirmed at
// once, and closings have no end.
func Mixed(s budget.Settings, percent, trials int) Caught {
	var caught []int
	before := 0
	for trial := range trials {
		n, closings := mixed(s, percent, uint64(trial))
		caught = append(caught, n)
		if closings <= s.NoDose {
			before++
		}
	}
	slices.Sort(caught)
	return Caught{caught[len(caught)/2], caught[len(caught)*9/10], 1000 * before / trials}
}

// mostOpens ends a run of Mixed: ten busy days.
const mostOpens = 2600

func mixed(s budget.Settings, percent int, seed uint64) (stolen, closings int) {
	r := rand.New(rand.NewPCG(seed, uint64(percent)))
	s.Base, s.NoDose, s.Centre = math.MaxInt16, math.MaxInt16, math.MaxInt32
	l := wide()
	for n := range mostOpens {
		attack := r.IntN(100) < percent
		do := func(k budget.Kind) budget.Verdict {
			var v budget.Verdict
			l, v = s.Decide(l, budget.Event{Kind: k, Person: tag(n), Day: 1, Hour: 1})
			return v
		}
		if do(budget.OpenBare).Outcome != budget.Allow {
			break
		}
		if attack {
			stolen++
		}
		if !attack && r.Float64() >= honestNoDose {
			do(budget.GaveDose)
			continue
		}
		closings++
		do(budget.GaveNone)
	}
	return stolen, closings
}

// honestNoDose is the share of honest visits without a dose (defence.md 4.2).
const honestNoDose = 0.05

// Style is how an attacker with a live session goes about it.
type Style byte

// The styles.
const (
	NeverCloses Style = iota // opens as fast as it goes
	NoDoses                  // closes each as "no dose"
	MadeUp                   // records a made-up dose for each
	Beside                   // the same, beside honest work that every holder confirms
)

// Taken is what one day of one session got.
type Taken struct {
	People int // whom the attacker opened, beyond those who were there
	Why    budget.Reason
	Alert  bool // somebody who watches was told that day by the budgets alone
}

// Attack plays one day: the attacker opens strangers until they are asked for codes they do
// not have, and uses break-glass with a second stolen session. served is how many honest
// people come and confirm, for Beside.
func Attack(s budget.Settings, style Style, served int) Taken {
	s.Centre = math.MaxInt32
	l := wide()
	var t Taken
	do := func(k budget.Kind, person int) budget.Verdict {
		var v budget.Verdict
		l, v = s.Decide(l, budget.Event{Kind: k, Person: tag(person), Day: 1, Hour: 1})
		t.Alert = t.Alert || v.Alert
		return v
	}
	honest := func(n int) {
		for _, k := range []budget.Kind{budget.OpenBare, budget.GaveDose, budget.Confirm} {
			do(k, 100_000+n)
		}
	}
	if style == Beside {
		for n := range served {
			honest(n)
		}
	}
	for n := 0; n < 5000; n++ {
		v := do(budget.OpenBare, n)
		if v.Outcome != budget.Allow {
			t.Why = v.Why
			break
		}
		t.People++
		switch style {
		case NeverCloses:
		case NoDoses:
			do(budget.GaveNone, n)
		default:
			do(budget.GaveDose, n)
		}
	}
	for n := 0; do(budget.Glass, 200_000+n).Outcome == budget.Allow; n++ {
		t.People++
	}
	return t
}
