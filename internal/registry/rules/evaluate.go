package rules

import (
	"cmp"
	"slices"

	"tikakosh/internal/civil"
)

// Given is a dose in a person's history, as the rules read it.
type Given struct {
	Product string
	Dose    int
	Day     civil.Date
	Status  string // of the dose event; only StatusConfirmed counts
}

// Want is a dose somebody wants. MinAge and MaxAge are the session's, 0 for none.
type Want struct {
	Product        string
	Dose           int
	Day            civil.Date
	MinAge, MaxAge int
}

// The codes of a Decision; stable words.
const (
	CodeUnknownProduct = "unknown_product"
	CodeComplete       = "complete"
	CodeWrongDose      = "wrong_dose"
	CodeTooYoung       = "too_young"
	CodeTooOld         = "too_old"
	CodeOtherProduct   = "other_product"
	CodeTooEarly       = "too_early"
)

// Decision says whether a dose may be given on its day; Code says why not, ""
// when OK. Earliest is the first day it may be given, Latest the last day it is
// recommended (a late dose is still given); each zero where there is none. Next
// is what is due for the person: after the wanted dose when OK, else now.
type Decision struct {
	OK               bool
	Code             string
	Earliest, Latest civil.Date
	Next             Due
}

// Evaluate decides on a wanted dose from the person's history by the rules in
// force on the wanted day, in the shape of CDC's CDSi: the schedule is data,
// the decision a pure function. Doses not confirmed or revoked do not count;
// neither do those of another programme.
func Evaluate(history []Given, birth Birth, w Want) Decision {
	product, ok := LookupProduct(w.Product)
	if !ok {
		return Decision{Code: CodeUnknownProduct}
	}
	had := counted(history, product.Programme)
	d := judge(product, had, birth, w)
	if d.OK {
		had = append(had, Given{Product: w.Product, Dose: w.Dose, Day: w.Day, Status: StatusConfirmed})
	}
	d.Next = forecast(product.Programme, had, birth, w.Day)
	return d
}

// judge is Evaluate on a given product and counted history, without Next. Ages
// in days are conservative: a person of whom only the year is known counts as
// born on its last day for a lower bound, on its first for an upper one.
func judge(product Product, had []Given, birth Birth, w Want) Decision {
	version, ok := product.On(w.Day)
	if !ok {
		return Decision{Code: CodeTooEarly, Earliest: product.Versions[0].From}
	}
	step, ok := stepOf(version.Steps, w.Dose)
	switch {
	case len(had) >= len(version.Steps):
		return Decision{Code: CodeComplete}
	case !ok || w.Dose != len(had)+1:
		return Decision{Code: CodeWrongDose}
	}
	age := birth.AgeOn(w.Day)
	switch {
	case age < max(version.MinAge, step.MinAge, w.MinAge):
		return Decision{Code: CodeTooYoung}
	case pastAge(age, version.MaxAge) || pastAge(age, w.MaxAge):
		return Decision{Code: CodeTooOld}
	case len(had) == 0 && !startable(product, age, w.Day):
		return Decision{Code: CodeOtherProduct}
	case len(had) > 0 && step.SameProduct && had[len(had)-1].Product != product.Code:
		return Decision{Code: CodeOtherProduct}
	}
	d := window(step, had, birth)
	first, _ := birth.days()
	switch {
	case step.BirthDays.Max > 0 && w.Day.After(first.AddDays(step.BirthDays.Max)):
		d.Code = CodeTooOld
	case !d.Earliest.IsZero() && w.Day.Before(d.Earliest):
		d.Code = CodeTooEarly
	default:
		d.OK = true
	}
	return d
}

func pastAge(age, limit int) bool { return limit > 0 && age > limit }

// window is the span of days of a step after the doses had.
func window(step Step, had []Given, birth Birth) Decision {
	var d Decision
	if step.BirthDays.Min > 0 {
		_, born := birth.days()
		d.Earliest = born.AddDays(step.BirthDays.Min)
	}
	if len(had) == 0 {
		return d
	}
	last := had[len(had)-1].Day
	if e := last.AddDays(step.MinDays); d.Earliest.IsZero() || e.After(d.Earliest) {
		d.Earliest = e
	}
	if step.MaxDays > 0 {
		d.Latest = last.AddDays(step.MaxDays)
	}
	return d
}

// counted returns the doses of a programme that are in force, oldest first.
func counted(history []Given, programme string) []Given {
	var out []Given
	for _, g := range history {
		if g.Status != StatusConfirmed {
			continue
		}
		if p, ok := LookupProduct(g.Product); ok && p.Programme == programme {
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b Given) int {
		return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Dose, b.Dose))
	})
	return out
}

// The statuses of CoWIN's beneficiary list.
const (
	NotVaccinated       = "Not Vaccinated"
	PartiallyVaccinated = "Partially Vaccinated"
	Vaccinated          = "Vaccinated"
)

// Status is the COVID vaccination status of a history; vaccines of other
// programmes do not count.
func Status(history []Given) string {
	had := counted(history, ProgrammeCOVID)
	if len(had) == 0 {
		return NotVaccinated
	}
	if p, ok := LookupProduct(had[len(had)-1].Product); ok && len(had) >= p.PrimaryDoses() {
		return Vaccinated
	}
	return PartiallyVaccinated
}
