// Package sim plays days of honest work, and of attackers, against the budgets, so that
// the price of the figures is known before anybody works under them. It is pure: the same
// seed gives the same numbers.
//
// The model is the throughput model of defence.md 4.2: a member of staff gives 120 doses a
// day (standard deviation 45), one visit in twenty ends without a dose, the day opens with
// a rush, and a visit takes 5.3 minutes in the middle, three in a hundred far longer.
package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"tikakosh/internal/access/budget"
)

// Model is how honest people work. Times are minutes.
type Model struct {
	Doses, DosesSD   float64 // given in a day
	NoDose           float64 // share of visits that end without one
	Minutes          float64 // length of the day
	Rush, RushLength float64 // share of people who come in the first minutes, and how many these are
	Lag, LagSigma    float64 // median of a visit, and the spread of its logarithm
	Long, LongTop    float64 // share of long visits, and how long they take at most

	ConfirmRate  float64 // share of holders who confirm a dose of a codeless opening
	ConfirmDelay float64 // median of minutes from dose to confirmation (logarithm spread 1)
}

// Published is the model with which defence.md 4.2 derived its figures. Rush, spread and
// long visits are not written there; they are fitted to the figures that are: at most 12
// open at once on the median day, 25 on one in a thousand.
func Published() Model {
	return Model{Doses: 120, DosesSD: 45, NoDose: 0.05, Minutes: 480, Rush: 0.26, RushLength: 40,
		Lag: 5.3, LagSigma: 0.6, Long: 0.03, LongTop: 60, ConfirmRate: 1, ConfirmDelay: 5}
}

// Day is what one simulated staff-day came to.
type Day struct {
	Opens, Doses  int
	Pending       int // most at one time
	NoDoses       int
	Asked         int // people who were asked for their code
	FirstAsked    float64
	Reasons       map[budget.Reason]int
	SteppedUp     bool
	Warned        bool
	CodeRefused   int // openings or doses with a code that were refused: never
	ClosesRefused int
}

// A day's doses are held within what a session day plans at the least and a busy one bears.
const (
	leastDoses = 30
	mostDoses  = 260
)

type happening struct {
	at     float64
	kind   budget.Kind
	person int
}

// tag names a person of a day.
func tag(n int) (t budget.Tag) {
	x := uint64(n+1) * 0x9E3779B97F4A7C15
	for i := range t {
		t[i] = byte(x >> (56 - 8*i))
	}
	return t
}

// wide are a district and a system that never stop one member of staff.
func wide() budget.Load {
	h := budget.Hour{Hour: 1, Limit: math.MaxInt32}
	return budget.Load{District: h, System: h}
}

// visits are what comes to pass in a day if nobody is stopped, in order.
func (m Model) visits(r *rand.Rand) []happening {
	doses := int(math.Round(min(max(r.NormFloat64()*m.DosesSD+m.Doses, leastDoses), mostDoses)))
	out := make([]happening, 0, 3*doses+30)
	for n := 0; doses > 0; n++ {
		at := r.Float64() * m.Minutes
		if r.Float64() < m.Rush {
			at = r.Float64() * m.RushLength
		}
		lag := m.Lag * math.Exp(m.LagSigma*r.NormFloat64())
		if r.Float64() < m.Long {
			lag = 15 + (m.LongTop-15)*r.Float64()
		}
		out = append(out, happening{at, budget.OpenBare, n})
		if r.Float64() < m.NoDose {
			out = append(out, happening{at + lag, budget.GaveNone, n})
			continue
		}
		doses--
		out = append(out, happening{at + lag, budget.GaveDose, n})
		if r.Float64() < m.ConfirmRate {
			out = append(out, happening{at + lag + m.ConfirmDelay*math.Exp(r.NormFloat64()), budget.Confirm, n})
		}
	}
	slices.SortStableFunc(out, func(a, b happening) int { return cmp.Compare(a.at, b.at) })
	return out
}

// Honest plays one staff-day of a seed under the settings. Who is asked for a code shows
// it: work goes on, and the answer to that is counted.
func Honest(s budget.Settings, m Model, seed uint64) Day {
	r := rand.New(rand.NewPCG(seed, 20261126))
	d := Day{FirstAsked: -1, Reasons: map[budget.Reason]int{}}
	l := wide()
	s.Centre = math.MaxInt32 // one member alone
	shown := map[int]bool{}
	open, pending := map[int]bool{}, 0
	do := func(k budget.Kind, person int) budget.Verdict {
		var v budget.Verdict
		l, v = s.Decide(l, budget.Event{Kind: k, Person: tag(person), Day: 1, Hour: 1})
		return v
	}
	for _, h := range m.visits(r) {
		switch h.kind {
		case budget.OpenBare:
			d.Opens++
			open[h.person] = true
			pending++
			d.Pending = max(d.Pending, pending)
			v := do(h.kind, h.person)
			d.Warned = d.Warned || v.Warn
			if v.Outcome == budget.Allow {
				continue
			}
			d.Asked++
			d.Reasons[v.Reason]++
			if d.FirstAsked < 0 {
				d.FirstAsked = h.at
			}
			shown[h.person] = true
			if v := do(budget.OpenShown, h.person); v.Outcome != budget.Allow {
				d.CodeRefused++
			}
		case budget.GaveDose, budget.GaveNone:
			pending--
			if h.kind == budget.GaveDose {
				d.Doses++
			} else if d.NoDoses++; shown[h.person] {
				continue // who showed their code need not be closed
			}
			if v := do(h.kind, h.person); v.Outcome != budget.Allow && h.kind == budget.GaveDose {
				d.CodeRefused++
			} else if v.Outcome != budget.Allow {
				d.ClosesRefused++
			}
		case budget.Confirm:
			if !shown[h.person] {
				do(h.kind, h.person)
			}
		}
	}
	d.SteppedUp = l.Member.SteppedUp != budget.NoCause
	return d
}
