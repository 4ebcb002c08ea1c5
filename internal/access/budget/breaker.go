package budget

import "slices"

// Hour is how many codeless openings a district or the whole system had in one hour, and
// how many it may have.
type Hour struct {
	Hour  int64 // hours since 1970-01-01 00:00 UTC
	N     int
	Limit int
}

func (h Hour) full() bool { return h.N >= h.Limit }

// History is the codeless openings of past hours, by hour of the week: the last keptWeeks
// counts of each. It says what is usual at this time.
type History struct {
	Weeks [hoursPerWeek][]int
}

const (
	hoursPerWeek = 7 * 24
	keptWeeks    = 8 // two months: longer, and last season's rush is this one's measure
)

// Scope is what a breaker is for.
type Scope byte

// The scopes.
const (
	OfDistrict Scope = 1
	OfSystem   Scope = 2
)

// Roll takes an hour and its history to the hour of an event: what is over is history, and
// the hours between in which nothing was opened are too. The limit of the new hour is
// BreakerPercent of the median of the same hour of the week, and never below the floor;
// with fewer than BreakerWeeks of history it is the start value. An earlier hour changes
// nothing, so that a clock that was set back gives no hour anew.
func (s Settings) Roll(scope Scope, h Hour, past History, hour int64) (Hour, History, bool) {
	if h.Limit > 0 && hour <= h.Hour {
		return h, past, false
	}
	if h.Limit > 0 {
		past = past.with(h.Hour, h.N)
		from := max(h.Hour+1, hour-keptWeeks*hoursPerWeek)
		for quiet := from; quiet < hour; quiet++ {
			past = past.with(quiet, 0)
		}
	}
	return Hour{Hour: hour, Limit: s.limit(scope, past.Weeks[ofWeek(hour)])}, past, true
}

func ofWeek(hour int64) int { return int(((hour % hoursPerWeek) + hoursPerWeek) % hoursPerWeek) }

func (p History) with(hour int64, n int) History {
	w := p.Weeks[ofWeek(hour)]
	if len(w) >= keptWeeks {
		w = w[len(w)-keptWeeks+1:]
	}
	p.Weeks[ofWeek(hour)] = append(slices.Clone(w), n)
	return p
}

func (s Settings) limit(scope Scope, weeks []int) int {
	floor, start := s.SystemFloor, s.SystemStart
	if scope == OfDistrict {
		floor, start = s.DistrictFloor, s.DistrictStart
	}
	if len(weeks) < s.BreakerWeeks {
		return max(1, start)
	}
	return max(1, floor, s.BreakerPercent*median(weeks)/100)
}

// median of some counts: of an even number the lower of the two in the middle, so that
// doubt makes the limit smaller.
func median(counts []int) int {
	sorted := slices.Sorted(slices.Values(counts))
	return sorted[(len(sorted)-1)/2]
}
