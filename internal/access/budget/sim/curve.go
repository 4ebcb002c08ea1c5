package sim

import (
	"runtime"
	"slices"
	"sync"

	"tikakosh/internal/access/budget"
)

// Summary is what many staff-days came to.
type Summary struct {
	Days          int
	Opens, Asked  int
	DaysAsked     int
	FirstAsked    float64 // minutes from the day's beginning, median of the days in which anybody was asked; -1 none
	Reasons       map[budget.Reason]int
	SteppedUp     int
	Warned        int
	OverPending   int // days with more than the cap open at once, had nobody been stopped
	OverNoDose    int
	CodeRefused   int
	ClosesRefused int

	Pending, NoDoses, PerDose Quantiles // PerDose: openings per dose, in hundredths
}

// Quantiles of a day's figure.
type Quantiles struct{ Median, P999, Max int }

// AskedPerMille is how many of a thousand people were asked for their code.
func (s Summary) AskedPerMille() int { return (1000*s.Asked + s.Opens/2) / max(1, s.Opens) }

// Days plays so many honest staff-days, on every core.
func Days(s budget.Settings, m Model, days int) Summary {
	all := make([]Day, days)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < days; i += workers {
				all[i] = Honest(s, m, uint64(i))
			}
		})
	}
	wg.Wait()
	return summarise(s, all)
}

func summarise(s budget.Settings, all []Day) Summary {
	out := Summary{Days: len(all), Reasons: map[budget.Reason]int{}}
	var first []float64
	var pending, none, per []int
	for _, d := range all {
		out.Opens += d.Opens
		out.Asked += d.Asked
		out.CodeRefused += d.CodeRefused
		out.ClosesRefused += d.ClosesRefused
		for r, n := range d.Reasons {
			out.Reasons[r] += n
		}
		if d.Asked > 0 {
			out.DaysAsked++
			first = append(first, d.FirstAsked)
		}
		count(&out.SteppedUp, d.SteppedUp)
		count(&out.Warned, d.Pending >= s.PendingWarn)
		count(&out.OverPending, d.Pending > s.Pending)
		count(&out.OverNoDose, d.NoDoses > s.NoDose)
		pending, none, per = append(pending, d.Pending), append(none, d.NoDoses), append(per, 100*d.Opens/max(1, d.Doses))
	}
	out.Pending, out.NoDoses, out.PerDose = quantiles(pending), quantiles(none), quantiles(per)
	out.FirstAsked = -1
	if len(first) > 0 {
		slices.Sort(first)
		out.FirstAsked = first[len(first)/2]
	}
	return out
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

func quantiles(v []int) Quantiles {
	if len(v) == 0 {
		return Quantiles{}
	}
	slices.Sort(v)
	return Quantiles{v[len(v)/2], v[len(v)*999/1000], v[len(v)-1]}
}
