package release

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
)

// Dose is a sealed dose event: the clinical facts, and the place as the
// manager's signed request named it.
type Dose struct {
	Schema int
	rules.DoseEvent
	Centre                      id.Centre
	CentreName, District, State string
	Vaccinator                  string
	Staff                       id.Staff
	Hold                        id.Hold `json:",omitempty"`

	// Of a dose that came with a merge: where it was sealed first. NotCounted says
	// why one does not count.
	FromPerson    id.Person    `json:",omitempty"`
	FromReference id.Reference `json:",omitempty"`
	FromEvent     id.Event     `json:",omitempty"`
	NotCounted    string       `json:",omitempty"`

	Country   string `json:",omitempty"` // ISO 3166-1, of a dose given abroad
	Reason    string `json:",omitempty"` // of the last change
	ChangedBy string `json:",omitempty"` // "holder", or the two staff keys
	ChangedAt int64  `json:",omitempty"`
	Change    string `json:",omitempty"` // the id of the correction
}

// Counts reports whether the dose is in force: confirmed and not revoked.
func (d Dose) Counts() bool { return d.Status == rules.StatusConfirmed }

// Day is the civil day the dose was given on at its place.
func (d Dose) Day() civil.Date { return d.DoseEvent.Day() }

// Given turns dose documents into what the rules read.
func Given(docs []Dose) []rules.Given {
	out := make([]rules.Given, 0, len(docs))
	for _, d := range docs {
		out = append(out, rules.Given{Product: d.Product, Dose: d.Sequence, Day: d.Day(), Status: d.Status})
	}
	return out
}
