package budget

import (
	"math"

	"tikakosh/internal/fault"
)

// Settings are the figures of the budgets. All of them are approved by two people and
// shown to the public (R44). The zero value is not valid; start from DefaultSettings.
type Settings struct {
	Pending     int // people opened codeless and not closed at one time, per member of staff
	PendingWarn int // from how many on the worker is warned
	NoDose      int // closings "no dose" per member of staff and session day
	Base        int // codeless openings per member of staff and session day
	EarnTenths  int // tenths of an opening that a confirmed codeless dose adds
	BreakGlass  int // openings by break-glass per member of staff and session day

	// The step-up: a cumulative sum of how much likelier it is that this member's
	// openings end without a dose as a scraper's do (BadPermille) than as honest ones do
	// (HonestPermille). Above StepUpMilli / 1000 every further opening needs a code.
	HonestPermille, BadPermille int
	StepUpMilli                 int

	Centre int // codeless openings of one centre in a day, besides what its confirmed doses earn

	// The breaker: codeless openings of an hour, of a district and of the whole system.
	BreakerPercent int // of the median of the same hour of the week
	BreakerWeeks   int // from how many weeks of history on
	DistrictFloor  int // an hour that is never too many: the limit is not below it
	DistrictStart  int // the limit while there is less history
	SystemFloor    int
	SystemStart    int
}

// DefaultSettings are the figures of defence.md 4.2, where they are named there.
func DefaultSettings() Settings {
	return Settings{
		Pending:     25, // defence.md 4.2: 0.04 % of honest days have more open at once
		PendingWarn: 20, // defence.md 4.2: 1.8 % of honest days see it
		NoDose:      20, // defence.md 4.2: 0.02 % of honest days have more
		Base:        30, // defence.md 4.2 and design.md 5: 30 + 1.2 per confirmed dose
		EarnTenths:  12, // defence.md 4.2
		BreakGlass:  2,  // defence.md 4.2

		HonestPermille: 50,   // defence.md 4.2: p0 .05, the honest share of visits without a dose
		BadPermille:    400,  // defence.md 4.2: p1 .40
		StepUpMilli:    8000, // defence.md 4.2: h = 8, one false step-up in 205 staff-days

		Centre: 200, // one session-day's plan at its largest (India's guidelines of December 2020, defence.md 4.2)

		BreakerPercent: 150,  // defence.md 4.2: 1.5 x the same hour of the week
		BreakerWeeks:   4,    // issue 5: four weeks before a median says anything
		DistrictFloor:  60,   // our choice: two members of staff who spend their base in one hour
		DistrictStart:  300,  // our choice: ten who do
		SystemFloor:    300,  // our choice: ten who do
		SystemStart:    3000, // our choice: a hundred who do
	}
}

// The largest figures that Validate takes. A setting beyond them is a typing error or
// an attack; none is a need of a centre.
const (
	maxPerDay  = 500       // of one member of staff: a day of 8 hours has 480 minutes
	maxPerHour = 1_000_000 // of the whole system
)

// figure is one setting: its name, where it is, and between what it may lie.
type figure struct {
	name    string
	v       *int
	lo, top int
}

func (s *Settings) figures() []figure {
	return []figure{
		{"pending", &s.Pending, 1, maxPerDay},
		{"pending_warn", &s.PendingWarn, 1, s.Pending},
		{"no_dose", &s.NoDose, 0, maxPerDay},
		{"base", &s.Base, 0, maxPerDay},
		{"earn_tenths", &s.EarnTenths, 0, 20}, // 2 x is what defence.md 4.2 warns of
		{"break_glass", &s.BreakGlass, 0, 20},
		{"honest_permille", &s.HonestPermille, 1, 998},
		{"bad_permille", &s.BadPermille, s.HonestPermille + 1, 999},
		{"step_up_milli", &s.StepUpMilli, 1000, 100_000},
		{"centre", &s.Centre, 0, 100 * maxPerDay},
		{"breaker_percent", &s.BreakerPercent, 100, 1000},
		{"breaker_weeks", &s.BreakerWeeks, 1, keptWeeks},
		{"district_floor", &s.DistrictFloor, 0, maxPerHour},
		{"district_start", &s.DistrictStart, 0, maxPerHour},
		{"system_floor", &s.SystemFloor, 0, maxPerHour},
		{"system_start", &s.SystemStart, 0, maxPerHour},
	}
}

// Validate reports the first figure that makes no budget (fault.Invalid).
func (s Settings) Validate() error {
	for _, f := range s.figures() {
		if *f.v < f.lo || *f.v > f.top {
			return fault.New(fault.Invalid, "budget", "the budget setting "+f.name+" is outside what a budget can be")
		}
	}
	return nil
}

// Named are the figures by their names.
func (s Settings) Named() map[string]int {
	out := map[string]int{}
	for _, f := range s.figures() {
		out[f.name] = *f.v
	}
	return out
}

// With are the settings with the figures that are named in place of its own. It returns a
// fault.Invalid for a name that is none, and for what makes no budget.
func (s Settings) With(named map[string]int) (Settings, error) {
	n := 0
	for _, f := range s.figures() {
		if v, ok := named[f.name]; ok {
			*f.v = v
			n++
		}
	}
	if n != len(named) {
		return s, fault.New(fault.Invalid, "budget", "one of these figures is none of a budget's")
	}
	return s, s.Validate()
}

// Allowance is how many different people one member of staff may open codeless in a
// session day after so many confirmed codeless doses.
func (s Settings) Allowance(confirmed int) int { return s.Base + s.EarnTenths*confirmed/10 }

// Bound is the largest number of people whom a stolen or dishonest session can open in a
// session day beyond those who really came and confirmed: the rest of the allowance, and
// break-glass. It does not count on the pending cap, the closings or the step-up: an
// attacker who records made-up doses for those he opens meets none of them.
func (s Settings) Bound(confirmed int) int { return s.Allowance(confirmed) - confirmed + s.BreakGlass }

// weights are what one outcome adds to the cumulative sum, in millionths: the logarithm
// of how much likelier it is from a scraper than from honest work.
func (s Settings) weights() (noDose, dose int64) {
	p0, p1 := float64(s.HonestPermille)/1000, float64(s.BadPermille)/1000
	return int64(math.Round(1e6 * math.Log(p1/p0))), int64(math.Round(1e6 * math.Log((1-p1)/(1-p0))))
}
