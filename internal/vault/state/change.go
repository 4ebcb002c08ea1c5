package state

import "tikakosh/internal/id"

// Changes are what two people agree on before the vault does it (ADR 36), by ordered id,
// and under ChangesOpen which of them are not over; anchored.
const Changes Table = "change"

// ChangesOpen is the key of the row whose Open lists the changes that are not over.
const ChangesOpen = "open"

// PoliciesNow is the key of the row of the policies in force: Content their files, none
// for those of the program, Digest that of all that is in force.
const PoliciesNow = "policies"

// OlderRules is the key of the row whose On says that a kind of rules is in force as an
// older copy has it, and that something later was decided in what a restore lost. Its
// Digest is that of what is in force, From since when it is so.
func OlderRules(kind string) string { return "older/" + kind }

// The states of a change, besides those of a proposal: ProposalWaiting, ProposalApproved
// (it waits for its time), ProposalWithdrawn.
const (
	ChangeInForce = "in force"
	ChangeLapsed  = "lapsed" // its time came, and it no longer fitted
)

// Change is one change. Content is what it puts into force: figures or files, as JSON;
// Digest stands for it: of policies, that of all that is then in force.
type Change struct {
	Kind      string    `json:",omitempty"`
	Centre    id.Centre `json:",omitempty"`
	On        bool      `json:",omitempty"`
	Content   []byte    `json:",omitempty"`
	Digest    string    `json:",omitempty"`
	Base      string    `json:",omitempty"` // digest of what it takes the place of
	By        string    `json:",omitempty"` // member id, or "operator": then nobody's word yet
	Second    string    `json:",omitempty"`
	At        int64     `json:",omitempty"`
	NotBefore int64     `json:",omitempty"` // from when on it can be approved
	Expires   int64     `json:",omitempty"` // until when
	From      int64     `json:",omitempty"` // when it comes into force, once approved
	State     string    `json:",omitempty"`
	Open      []string  `json:",omitempty"`
}
