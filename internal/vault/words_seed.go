package vault

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// MaxSeedHouseholds bounds the households of one SeedRequest: all of them are one
// transaction, and the vault's other writers wait for it.
const MaxSeedHouseholds = 64

// SeedRequest adds households of synthetic people with past doses (demo only; the
// method exists only in a vault started for a demo).
type SeedRequest struct{ Households []SeedHousehold }

// SeedHousehold is one synthetic household. Without a Mobile it is one person who
// has none.
type SeedHousehold struct {
	Mobile  string
	Members []SeedMember
}

// SeedMember is one synthetic person.
type SeedMember struct {
	Identity Identity
	Consent  Consent
	Doses    []SeedDose
}

// SeedDose is a past dose of a synthetic person.
type SeedDose struct {
	Product, Lot                string
	Sequence                    int
	Given                       civil.Date
	Centre                      id.Centre
	CentreName, District, State string
	Vaccinator                  string
}

// Seeded are the sealed people; those who are stored already are left out.
type Seeded struct{ People []Enrolled }
