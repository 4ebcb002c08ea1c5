// Package keyset is how the versions of a key succeed each other: pure rules on
// the rows of package state, without keys.
//
// Two ways lead from one version to the next. A secret that names or wraps rows
// (index, epoch, id tag) changes at once and the old one goes on being tried
// until no row needs it: current → old → destroyed. A signing key is published
// first, so that those who verify have it before they meet it, and its public
// half goes on verifying: next → current → verifies (→ destroyed).
package keyset

import (
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/state"
)

// Birth is the set of a key that has never changed.
func Birth(purpose string, created int64) state.KeySet {
	return state.KeySet{Purpose: purpose, Versions: []state.KeyVersion{{Version: 1, State: state.KeyCurrent, Created: created, Since: created}}}
}

// Current is the version in use. Every set has one.
func Current(s state.KeySet) state.KeyVersion {
	for _, v := range s.Versions {
		if v.State == state.KeyCurrent {
			return v
		}
	}
	return state.KeyVersion{}
}

// In lists the versions in a state, oldest first.
func In(s state.KeySet, states ...string) []state.KeyVersion {
	var out []state.KeyVersion
	for _, v := range s.Versions {
		if slices.Contains(states, v.State) {
			out = append(out, v)
		}
	}
	return out
}

// Secret reports whether a version's secret half exists.
func Secret(v state.KeyVersion) bool {
	return v.State == state.KeyNext || v.State == state.KeyCurrent || v.State == state.KeyOld
}

// Add adds a version. It is to be published first, or is current at once.
// fault.Conflict while an earlier change is under way, unless several old
// versions may be tried side by side.
func Add(s *state.KeySet, v state.KeyVersion, now int64, first, several bool) error {
	if len(In(*s, state.KeyNext)) > 0 || !several && len(In(*s, state.KeyOld)) > 0 {
		return fault.Newf(fault.Conflict, "key-change", "a change of the %s key is under way; `tikakosh keys list` shows it", s.Purpose)
	}
	v.Version = s.Versions[len(s.Versions)-1].Version + 1
	v.State, v.Created, v.Since = state.KeyNext, now, now
	if !first {
		move(s, state.KeyCurrent, state.KeyOld, now)
		v.State = state.KeyCurrent
	}
	s.Versions = append(s.Versions, v)
	return nil
}

// Switch lets the published version sign from now on. The old one verifies what
// it signed until a time (0: for ever). fault.Conflict when none is published.
func Switch(s *state.KeySet, now, until int64) error {
	if len(In(*s, state.KeyNext)) != 1 {
		return fault.New(fault.Conflict, "key-change", "no key is waiting to be used")
	}
	for i := range s.Versions {
		if s.Versions[i].State == state.KeyCurrent {
			s.Versions[i].Until = until
		}
	}
	move(s, state.KeyCurrent, state.KeyVerifies, now)
	move(s, state.KeyNext, state.KeyCurrent, now)
	return nil
}

// Destroy ends versions for good.
func Destroy(s *state.KeySet, versions []state.KeyVersion, now int64) {
	for i := range s.Versions {
		v := &s.Versions[i]
		if slices.ContainsFunc(versions, func(o state.KeyVersion) bool { return o.Version == v.Version }) && v.State != state.KeyCurrent {
			v.State, v.Since, v.Public = state.KeyDestroyed, now, nil
		}
	}
}

func move(s *state.KeySet, from, to string, now int64) {
	for i := range s.Versions {
		if s.Versions[i].State == from {
			s.Versions[i].State, s.Versions[i].Since = to, now
		}
	}
}
