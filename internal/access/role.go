// Package access says who may be what where: the roles of staff, the places they are
// scoped to, and who may grant which role to whom. Pure rules without state: it knows
// neither keys nor sessions, and what a role may do is the policy's to say
// (internal/access/policy).
package access

import (
	"slices"

	"tikakosh/internal/fault"
)

// Role is a staff role. The zero value is no role: it outranks nobody and is granted
// by nobody.
type Role string

// The roles, in their order: administrators, a centre's people, those who watch, and
// those who run the machines. Custodian approves restores (ADR 25).
const (
	National     Role = "national"
	State        Role = "state"
	District     Role = "district"
	Manager      Role = "manager"
	Vaccinator   Role = "vaccinator"
	Verifier     Role = "verifier"
	Auditor      Role = "auditor"
	Privacy      Role = "privacy"
	Investigator Role = "investigator"
	Operator     Role = "operator"
	Custodian    Role = "custodian"
)

// Roles lists every role in order.
func Roles() []Role {
	return []Role{National, State, District, Manager, Vaccinator, Verifier, Auditor, Privacy, Investigator, Operator, Custodian}
}

// ParseRole reads a role's name. It returns a fault.Invalid.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fault.New(fault.Invalid, "role", "no such staff role; the roles are national, state, district, manager, vaccinator, verifier, auditor, privacy, investigator, operator, custodian")
}

// Grants reports whether a holder of r may, as one of two people, give a role and take
// it away: an administrator those of their own rank and below, a centre's manager those
// of the centre. Who is watched does not name the watchers: below the nation nobody
// grants auditor, privacy or investigator. All other roles grant nothing.
func (r Role) Grants(o Role) bool {
	switch r {
	case National:
		return slices.Contains(Roles(), o)
	case State, District, Manager:
		return r == o || r.Outranks(o)
	default:
		return false
	}
}

// Outranks reports whether r stands above o: national over all others, then state,
// district and manager over each one below and over a centre's vaccinators and
// verifiers. No role outranks itself.
func (r Role) Outranks(o Role) bool {
	line := []Role{National, State, District, Manager}
	rank, other := slices.Index(line, r), slices.Index(line, o)
	switch {
	case rank < 0 || r == o || !slices.Contains(Roles(), o):
		return false
	case r == National:
		return true
	case other >= 0:
		return rank < other
	default:
		return o == Vaccinator || o == Verifier
	}
}

// At reports whether r is held at places of level l: administrators at their own level,
// a centre's people at a centre, those who watch anywhere but at a single centre, those
// who run the machines for the whole installation.
func (r Role) At(l Level) bool {
	switch r {
	case National, Operator, Custodian:
		return l == LevelNational
	case State:
		return l == LevelState
	case District:
		return l == LevelDistrict
	case Manager, Vaccinator, Verifier:
		return l == LevelCentre
	case Auditor, Privacy, Investigator:
		return l == LevelNational || l == LevelState || l == LevelDistrict
	default:
		return false
	}
}
