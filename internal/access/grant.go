package access

import (
	"strings"

	"tikakosh/internal/fault"
)

// Grant is a role at a place. It is comparable. The zero value grants nothing; one that
// is not Valid counts for nothing in every rule here.
type Grant struct {
	Role  Role
	Scope Scope
}

// NewGrant refuses a role that is not held at places of that size, with a
// fault.Invalid.
func NewGrant(r Role, s Scope) (Grant, error) {
	g := Grant{Role: r, Scope: s}
	if !g.Valid() {
		return Grant{}, fault.New(fault.Invalid, "grant", "that role is not held at such a place: national, operator and custodian everywhere, state in a state, district in a district, "+
			"manager, vaccinator and verifier at a centre, auditor, privacy and investigator everywhere, in a state or in a district")
	}
	return g, nil
}

// Valid reports whether the role is one and is held at such places.
func (g Grant) Valid() bool { return g.Role.At(g.Scope.level) }

// String is ROLE@PLACE.
func (g Grant) String() string { return string(g.Role) + "@" + g.Scope.String() }

// ParseGrant reads what String writes. It returns a fault.Invalid.
func ParseGrant(text string) (Grant, error) {
	role, place, ok := strings.Cut(text, "@")
	if !ok {
		return Grant{}, fault.New(fault.Invalid, "grant", "a grant is ROLE@PLACE")
	}
	r, err := ParseRole(role)
	if err != nil {
		return Grant{}, err
	}
	s, err := ParseScope(place)
	if err != nil {
		return Grant{}, err
	}
	return NewGrant(r, s)
}

// MarshalText writes String's form. A grant that is not valid is an error.
func (g Grant) MarshalText() ([]byte, error) {
	if !g.Valid() {
		return nil, fault.New(fault.Internal, "grant", "no grant")
	}
	return []byte(g.String()), nil
}

// UnmarshalText is ParseGrant.
func (g *Grant) UnmarshalText(text []byte) (err error) {
	*g, err = ParseGrant(string(text))
	return err
}

// MayGrant reports whether somebody with these grants may, as one of two people, give
// that grant to somebody else, or take it away: one of their own roles grants it, and
// that same grant's place covers its place. That the two, and the one it is for, are
// three different humans is the caller's to check.
func MayGrant(have []Grant, g Grant) bool {
	if !g.Valid() {
		return false
	}
	for _, h := range have {
		if h.Valid() && h.Role.Grants(g.Role) && h.Scope.Covers(g.Scope) {
			return true
		}
	}
	return false
}

// MayManage reports whether somebody with these grants may, as one of two people,
// decide over all of a member who holds others: invite, approve a device, disable,
// recover. Each of the member's grants must be theirs to give; a member without any is
// nobody's to decide over.
func MayManage(have, member []Grant) bool {
	for _, g := range member {
		if !MayGrant(have, g) {
			return false
		}
	}
	return len(member) > 0
}

// Holds reports whether one of the grants is of that role at a place that covers s.
func Holds(have []Grant, r Role, s Scope) bool {
	for _, h := range have {
		if h.Valid() && h.Role == r && h.Scope.Covers(s) {
			return true
		}
	}
	return false
}
