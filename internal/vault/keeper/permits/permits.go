// Package permits puts the vault's questions to the policies: who somebody is, by the
// rows the vault keeps, and which facts it established.
package permits

import (
	"sync/atomic"

	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// Who asks, on the ledger, where it is no staff.
const (
	Holder  = "holder"
	Partner = "partner"
	System  = "system"
)

// Asker asks. Copies of it ask the same policies. It is safe for concurrent use.
type Asker struct {
	policies *atomic.Pointer[policy.Engine]
}

// New asks those policies.
func New(e *policy.Engine) Asker {
	a := Asker{new(atomic.Pointer[policy.Engine])}
	a.Ask(e)
	return a
}

// Policies in force.
func (a Asker) Policies() *policy.Engine { return a.policies.Load() }

// Ask has others asked from now on.
func (a Asker) Ask(e *policy.Engine) { a.policies.Store(e) }

// May asks whether a member of staff may do something at a centre; 0 is the
// installation.
func (a Asker) May(row state.Staff, do policy.Action, c id.Centre, f policy.Facts) policy.Permit {
	return a.MayAt(row, do, scopeOf(c), f)
}

// MayAt is May at a place that the vault has on record: a grant of a district or state
// covers a centre only where it is known in which that lies.
func (a Asker) MayAt(row state.Staff, do policy.Action, at access.Scope, f policy.Facts) policy.Permit {
	return a.Policies().Decide(policy.Question{Who: acting(row), Do: do, At: at, Facts: f})
}

// Opens asks whether a member of staff may open a person at a centre in a view, on what
// was brought.
func (a Asker) Opens(row state.Staff, c id.Centre, view string, f policy.Facts) policy.Permit {
	f.View = view
	return a.May(row, policy.StaffOpen, c, f)
}

// AtWork are the facts about somebody at a centre where those sessions are open, of
// which theirs are on days on whose roster they are.
func AtWork(open, theirs []state.OpenSession) policy.Facts {
	return policy.Facts{Open: len(open) > 0, Rostered: len(theirs) > 0}
}

// Own asks whether a household, a partner or the vault itself may see a view of people
// of whom it was established that they are the household's own, or that they consented.
// Whoever else asks gets a permit that denies.
func (a Asker) Own(role, view string) policy.Permit {
	q := policy.Question{Do: policy.PersonOpen, Facts: policy.Facts{Own: true, View: view}}
	switch role {
	case Holder:
		q.Who = policy.Holder()
	case Partner:
		q.Who = policy.Partner()
	case System:
		q.Who = policy.System()
	}
	return a.Policies().Decide(q)
}

// acting is a member of staff as the policies know them: a human at the place of the
// grant that their session acts under, or a machine's key at its own centre.
func acting(row state.Staff) policy.Principal {
	if row.Session != "" {
		return policy.Staff(row.Grant, policy.Passkey)
	}
	return policy.Staff(access.Grant{Role: access.Role(row.Role), Scope: scopeOf(row.Centre)}, policy.Machine)
}

func scopeOf(c id.Centre) access.Scope {
	if c == 0 {
		return access.Everywhere()
	}
	return access.AtCentre(0, 0, c)
}

// Refused is the answer to who may not, whatever else was true.
func Refused(text string) error { return fault.New(fault.Forbidden, "role", text) }

// Denied is the answer to who may not see a view.
func Denied() error {
	return fault.New(fault.Forbidden, "policy", "the policies of this installation do not allow this")
}
