package staffing

import (
	"slices"
	"strings"

	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/state"
)

// may asks the policies whether the actor does something about somebody at places, all of
// which must allow it; none stands for the place of the actor's own role. What it answers
// is why not. The rules of who grants what to whom are asked after it: both must allow.
func (t *txn) may(a *actor, do policy.Action, f policy.Facts, places ...access.Scope) error {
	if len(places) == 0 {
		places = []access.Scope{a.session.Grant.Scope}
	}
	row := state.Staff{Role: string(a.session.Grant.Role), Session: a.session.Key, Grant: a.session.Grant}
	var ids []string
	for _, at := range places {
		p := t.k.permit.MayAt(row, do, at, f)
		if !p.Allowed() {
			return denied(p.Missing())
		}
		ids = append(ids, strings.Fields(p.Policies())...)
	}
	slices.Sort(ids)
	a.policies = strings.Join(slices.Compact(ids), " ")
	return nil
}

// denied is what a refusal of the policies says, in the words of the rules.
func denied(m policy.Missing) error {
	switch m {
	case policy.MissingOther:
		return ownDecision()
	case policy.MissingSecond:
		return notSecond()
	case policy.MissingWait:
		return fault.New(fault.Conflict, "wait", "it is not time yet")
	default:
		return notTheirs()
	}
}

// ownDecision tells somebody that they do not decide about themself.
func ownDecision() error {
	return fault.New(fault.Forbidden, "self", "somebody else decides that for you")
}

// about are the facts of an act about a member: whether that is the actor, and another
// human than they.
func about(a *actor, member string, m state.StaffMember) policy.Facts {
	return policy.Facts{Own: member == a.id, Other: member != a.id && m.Human != a.row.Human}
}

// placesOf are those of all that a member holds; a member without anything is nowhere.
func placesOf(m state.StaffMember) []access.Scope {
	out := make([]access.Scope, 0, len(m.Grants)+1)
	for _, g := range m.Grants {
		out = append(out, g.Scope)
	}
	if len(out) == 0 {
		return []access.Scope{{}}
	}
	return out
}
