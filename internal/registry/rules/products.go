package rules

import (
	"slices"

	"tikakosh/internal/civil"
)

// Programme names.
const (
	ProgrammeCOVID  = "COVID-19"
	ProgrammeTravel = "TRAVEL"
)

// Product is one vaccine product with the schedules of its programme. All of it
// is data: another schedule is another list of versions and steps. The slices
// of a Product are the caller's own.
type Product struct {
	Code         string // as clients send it: "COVISHIELD"
	Programme    string
	Antigens     []string
	Manufacturer string
	CVX          string // CDC's vaccine code
	ICD11        string // WHO ICD-11 extension code, or ""
	SNOMED       string // SNOMED CT product code, or ""; its use needs a licence
	MinAge       int    // years by AgeOn, as of the latest version
	MaxAge       int    // years, 0: no limit; as of the latest version
	Steps        []Step // as of the latest version
	Route        string // HL7 v3 RouteOfAdministration code
	BodySite     string // usual site
	Quantity     string // per dose, as UCUM text
	Versions     []Version
}

// Version is a product's schedule from a day on, until the next version's day.
type Version struct {
	From   civil.Date
	MinAge int
	MaxAge int // 0: no limit
	Steps  []Step
	Note   string // what the rule says that the numbers do not
}

// Step is one dose of a schedule. MinDays counts from the dose before; the dose
// is recommended from RecommendFrom to MaxDays after it (RecommendFrom 0:
// MinDays; MaxDays 0: no end). A dose is never refused for being late. After
// the last Primary step the schedule counts as complete.
//
// BirthDays bounds a step by age in days, for schedules counted from birth.
type Step struct {
	Dose          int
	MinDays       int
	RecommendFrom int
	MaxDays       int
	Primary       bool
	SameProduct   bool
	MinAge        int // years; 0: the product's
	BirthDays     Window
}

// Window is a span of ages in days: not before Min, recommended at Due, not
// after Max. Zero fields do not bound.
type Window struct{ Min, Due, Max int }

// On returns the version in force on a day; false before the first one.
func (p Product) On(day civil.Date) (Version, bool) {
	for i := len(p.Versions) - 1; i >= 0; i-- {
		if !day.Before(p.Versions[i].From) {
			return p.Versions[i], true
		}
	}
	return Version{}, false
}

// PrimaryDoses is the number of doses after which the schedule is complete, by
// the latest version.
func (p Product) PrimaryDoses() int { return primaryDoses(p.Steps) }

func primaryDoses(steps []Step) int {
	n := 0
	for _, s := range steps {
		if s.Primary {
			n++
		}
	}
	return n
}

func stepOf(steps []Step, dose int) (Step, bool) {
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Dose == dose })
	if i < 0 {
		return Step{}, false
	}
	return steps[i], true
}

// LookupProduct finds a product by its code, exactly as listed.
func LookupProduct(code string) (Product, bool) {
	entry, ok := catalogue[code]
	if !ok {
		return Product{}, false
	}
	return entry(), true
}

// Products lists the products in the order they are shown.
func Products() []Product {
	out := make([]Product, 0, len(shown))
	for _, code := range shown {
		out = append(out, catalogue[code]())
	}
	return out
}

// AgeRule limits which products of a programme a person of some ages may start
// with, from a day on. Who has begun with another product goes on with it.
type AgeRule struct {
	Programme      string
	From, Until    civil.Date // Until (exclusive) zero: still in force
	MinAge, MaxAge int        // years by AgeOn, inclusive
	Products       []string
}

// AgeRules lists the programmes' age rules.
func AgeRules() []AgeRule {
	return []AgeRule{
		// 15 to 18: COVAXIN only (guidelines of 27 December 2021, contract.md 3).
		{Programme: ProgrammeCOVID, From: on(2022, 1, 3), MinAge: 15, MaxAge: 17, Products: []string{"COVAXIN"}},
	}
}

// startable reports whether the programme lets a person of this age begin with
// the product on a day.
func startable(p Product, age int, day civil.Date) bool {
	for _, r := range AgeRules() {
		inForce := !day.Before(r.From) && (r.Until.IsZero() || day.Before(r.Until))
		if r.Programme == p.Programme && inForce && age >= r.MinAge && age <= r.MaxAge && !slices.Contains(r.Products, p.Code) {
			return false
		}
	}
	return true
}
