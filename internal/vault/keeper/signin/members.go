package signin

import (
	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// MaxMembers is the number of people under one mobile (contract.md 3).
const MaxMembers = 6

// MembersOf pairs records with the household's members. With all set every
// member is opened, else only those whose record was brought.
func MembersOf(h state.Household, records []vault.Record, all bool) ([]id.Person, map[id.Person]vault.Record, error) {
	if len(records) > MaxMembers {
		return nil, nil, fault.New(fault.Invalid, "records", "more records than people under one mobile")
	}
	byPerson := map[id.Person]vault.Record{}
	for _, r := range records {
		byPerson[r.Person] = r
	}
	var people []id.Person
	for _, m := range ActiveMembers(h) {
		if _, ok := byPerson[m.Person]; ok || all {
			people = append(people, m.Person)
		}
	}
	if !all && len(people) != len(byPerson) {
		if ablate.Off(ablate.Ownership) {
			people = people[:0]
			for p := range byPerson {
				people = append(people, p)
			}
			return people, byPerson, nil
		}
		return nil, nil, NotYours()
	}
	return people, byPerson, nil
}

// NotYours is the one answer about a person who is not of the household, or not at all.
func NotYours() error {
	return fault.New(fault.NotFound, "person", "no such person under this mobile")
}

// ActiveMembers are a household's members whom a session sees.
func ActiveMembers(h state.Household) []state.Member {
	var out []state.Member
	for _, m := range h.Members {
		if !Hides(m) && (h.Only == "" || h.Only == m.Person) {
			out = append(out, m)
		}
	}
	return out
}

// Hides reports whether a member is hidden from the household.
func Hides(m state.Member) bool {
	return m.State == state.Removed || (m.State == state.Left && !ablate.Off(ablate.LeaveHides))
}
