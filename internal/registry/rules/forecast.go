package rules

import "tikakosh/internal/civil"

// The states of a Due.
const (
	DueNone    = "none"    // no product of the programme is for this age yet, or any more
	DueNotYet  = "not_yet" // the next dose's first day is to come
	DueNow     = "due"     // may be given
	DueOverdue = "overdue" // the recommended time is over; it may still be given
	DueDone    = "complete"
)

// Due is what comes next for a person in a programme. Product is "" while any
// product may be chosen. From and Until span the recommended days, Earliest is
// the first day allowed; each zero where there is none.
type Due struct {
	Programme   string
	State       string
	Product     string
	Dose        int
	Earliest    civil.Date
	From, Until civil.Date
}

// Forecast says what comes next in the COVID programme, by the rules in force
// on the day.
func Forecast(history []Given, birth Birth, day civil.Date) Due {
	return ForecastIn(ProgrammeCOVID, history, birth, day)
}

// ForecastIn is Forecast for another programme; DueNone when it is unknown.
func ForecastIn(programme string, history []Given, birth Birth, day civil.Date) Due {
	return forecast(programme, counted(history, programme), birth, day)
}

func forecast(programme string, had []Given, birth Birth, day civil.Date) Due {
	out := Due{Programme: programme, State: DueNone, Dose: len(had) + 1}
	if len(had) == 0 {
		for _, p := range Products() {
			if p.Programme == programme && judge(p, nil, birth, Want{Product: p.Code, Dose: 1, Day: day}).OK {
				out.State = DueNow
				return out
			}
		}
		return out
	}
	p, _ := LookupProduct(had[len(had)-1].Product) // counted holds known products only
	v, ok := p.On(day)
	if !ok {
		return out
	}
	step, ok := stepOf(v.Steps, out.Dose)
	if !ok || !step.Primary && birth.AgeOn(day) < step.MinAge {
		return Due{Programme: programme, State: DueDone}
	}
	span := window(step, had, birth)
	out.Product, out.Earliest, out.From, out.Until = p.Code, span.Earliest, span.Earliest, span.Latest
	if step.RecommendFrom > 0 {
		out.From = had[len(had)-1].Day.AddDays(step.RecommendFrom)
	}
	switch {
	case day.Before(out.Earliest):
		out.State = DueNotYet
	case !out.Until.IsZero() && day.After(out.Until):
		out.State = DueOverdue
	default:
		out.State = DueNow
	}
	return out
}
