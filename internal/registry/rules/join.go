package rules

import (
	"cmp"
	"slices"
)

// Joined is what becomes of one dose when two registrations of one person are
// joined: its number, and whether it counts. Reason says why not, in the words
// of a Decision's code.
type Joined struct {
	Dose   int
	Counts bool
	Reason string
}

// Join numbers the doses of two histories of one person anew, in the order of
// their days, by the rules in force on each day: two first doses become first
// and second where the interval allows it, and of two that are too near the
// later one does not count. Answers are in the order of all; doses that do not
// count already stay as they are. The first dose of a programme always counts:
// it was accepted when it was given.
func Join(all []Given, birth Birth) []Joined {
	out := make([]Joined, len(all))
	order := make([]int, 0, len(all))
	for i, g := range all {
		out[i] = Joined{Dose: g.Dose}
		if g.Status == StatusConfirmed {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(all[a].Day.Compare(all[b].Day), cmp.Compare(all[a].Dose, all[b].Dose))
	})
	var had []Given
	for _, i := range order {
		g := all[i]
		p, known := LookupProduct(g.Product)
		if !known {
			out[i].Counts = true // a vaccine from abroad is not ours to judge
			continue
		}
		n := len(counted(had, p.Programme))
		g.Dose = n + 1
		if n > 0 {
			if d := Evaluate(had, birth, Want{Product: g.Product, Dose: g.Dose, Day: g.Day}); !d.OK {
				out[i].Reason = d.Code
				continue
			}
		}
		out[i] = Joined{Dose: g.Dose, Counts: true}
		had = append(had, g)
	}
	return out
}
