// Package policy decides what staff, holders, partners and the vault itself may do, by
// Cedar policies in readable files. Its answer is a Permit, a value that only this
// package makes; whoever acts takes one as an argument.
//
// The guard rails (rules/rails.cedar) are always in force; the other embedded files may
// be replaced by an operator's.
package policy

import (
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
)

// Question is one request.
type Question struct {
	Who   Principal
	Do    Action
	At    access.Scope // the place acted on: a centre, or Everywhere for the installation
	Facts Facts
}

// Permit is the answer to one question. Its zero value denies.
type Permit struct {
	allowed bool
	asked   Question
	ids     string
	missing Missing
}

// Allowed reports whether the question was answered with yes.
func (p Permit) Allowed() bool { return p.allowed }

// For reports whether this is leave to do a at that place. What opens a person's
// record holds its permit against the view as well: see Shows.
func (p Permit) For(a Action, at access.Scope) bool {
	return p.allowed && p.asked.Do == a && p.asked.At == at
}

// Shows reports whether this is leave to open a person in that view.
func (p Permit) Shows(view string) bool {
	return p.allowed && (p.asked.Do == PersonOpen || p.asked.Do == StaffOpen) && p.asked.Facts.View == view
}

// Policies are the ids of the policies that decided, in order, separated by spaces:
// what a ledger entry keeps. For a refusal they are those that forbid, "" when none
// permits.
func (p Permit) Policies() string { return p.ids }

// Missing is what a refusal lacks first.
func (p Permit) Missing() Missing {
	if p.allowed {
		return MissingNothing
	}
	if p.missing == "" {
		return MissingRole // the zero value
	}
	return p.missing
}

// Alarm is told when a decision was in error: a policy that cannot be evaluated, or a
// question outside the schema. Whatever the policies say, the answer was no. It must
// not block, and holds names of policies and actions only.
type Alarm func(action Action, policies []string)

// Engine answers questions. What it answers never changes once it is made; it is safe for
// concurrent use.
type Engine struct {
	rules    map[Action]policies
	facts    map[Action]*shape
	entities types.EntityMap
	alarm    Alarm
	digest   string
	ids      []string
	lacks    sync.Map     // refusal -> Missing, of those that were asked before
	known    atomic.Int64 // how many
}

// refusal is all that what a refused question lacks depends on. There are some thousands of
// them: views and evidence are the schema's.
type refusal struct {
	kind       string
	role       access.Role
	credential Credential
	do         Action
	facts      Facts
	here       bool
}

// refusalsKept bounds what is remembered of them, at some 200 bytes each.
const refusalsKept = 20_000

// policies are those whose action is, or includes, one action, in the order of their
// ids.
type policies []rule

type rule struct {
	id     types.PolicyID
	policy *cedar.Policy
}

// All implements cedar.PolicyIterator.
func (p policies) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range p {
			if !yield(r.id, r.policy) {
				return
			}
		}
	}
}

// Digest is the SHA-256, in hex, of all policies in force and the schema.
func (e *Engine) Digest() string { return e.digest }

// Policies lists the ids of the policies in force, sorted.
func (e *Engine) Policies() []string { return slices.Clone(e.ids) }

// Decide answers a question. It costs some microseconds and does no I/O.
func (e *Engine) Decide(q Question) Permit {
	if ablate.Off(ablate.Policy) {
		return Permit{allowed: true, asked: q}
	}
	here := q.Who.scope.Covers(q.At)
	ok, ids, bad := e.ask(q, here)
	p := Permit{allowed: ok, asked: q, ids: ids}
	switch {
	case bad != nil:
		if e.alarm != nil {
			e.alarm(q.Do, bad)
		}
		p.missing = MissingSense
	case !ok:
		p.missing = e.lacking(q, here)
	}
	return p
}

// lacking is missing, remembered: it asks the policies a dozen times, and whoever is
// refused is mostly refused for the same.
func (e *Engine) lacking(q Question, here bool) Missing {
	key := refusal{q.Who.kind, q.Who.role, q.Who.credential, q.Do, q.Facts, here}
	if m, ok := e.lacks.Load(key); ok {
		return m.(Missing)
	}
	m := e.missing(q, here)
	if e.known.Add(1) <= refusalsKept {
		e.lacks.Store(key, m)
	}
	return m
}

// ask evaluates the policies. bad lists those in error, and is not nil then: cedar-go
// leaves a forbid that errors out of account and allows, so that any error at all is a
// no here.
func (e *Engine) ask(q Question, here bool) (ok bool, ids string, bad []string) {
	shape, known := e.facts[q.Do]
	if !known {
		return false, "", []string{"unknown action"}
	}
	context, sound := shape.context(q.Facts, here)
	if !sound {
		return false, "", []string{"unknown evidence or view"}
	}
	return e.evaluate(q.Who.uid(), q.Do, shape, context)
}

func (e *Engine) evaluate(who types.EntityUID, do Action, s *shape, context types.Record) (ok bool, ids string, bad []string) {
	decision, diagnostic := cedar.Authorize(e.rules[do], e.entities, cedar.Request{
		Principal: who, Action: s.action, Resource: s.resource, Context: context})
	if len(diagnostic.Errors) > 0 {
		bad = make([]string, len(diagnostic.Errors))
		for i, x := range diagnostic.Errors {
			bad[i] = string(x.PolicyID)
		}
		return false, "", bad
	}
	var b strings.Builder
	for i, r := range diagnostic.Reasons {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(r.PolicyID))
	}
	return decision == cedar.Allow, b.String(), nil
}

// missing finds what a refused question lacks first, by asking it again with
// everything else granted.
func (e *Engine) missing(q Question, here bool) Missing {
	kinds := e.facts[q.Do].evidences
	every := q
	every.Facts.Evidence = NoEvidence
	for _, s := range steps() {
		*s.of(&every.Facts) = true
	}
	allows := func(f Facts, kinds ...Evidence) bool {
		x := every
		x.Facts = f
		return slices.ContainsFunc(kinds, func(v Evidence) bool {
			x.Facts.Evidence = v
			ok, _, _ := e.ask(x, true)
			return ok
		})
	}
	brought := []Evidence{q.Facts.Evidence}
	switch {
	case !allows(every.Facts, kinds...):
		return MissingRole
	case !here && q.Who.kind == kindStaff:
		return MissingPlace
	}
	for i, s := range steps() {
		with := kinds
		if i >= stepsBefore {
			with = brought
		}
		if i == stepsBefore && !allows(every.Facts, brought...) {
			return MissingEvidence
		}
		without := every.Facts
		*s.of(&without) = false
		if !*s.of(&q.Facts) && !allows(without, with...) {
			return s.missing
		}
	}
	return MissingRole
}

// step is a fact that can be missing.
type step struct {
	missing Missing
	of      func(*Facts) *bool
}

// stepsBefore is how many of the steps come before the evidence.
const stepsBefore = 3

func steps() []step {
	return []step{
		{MissingOwn, func(f *Facts) *bool { return &f.Own }},
		{MissingSession, func(f *Facts) *bool { return &f.Open }},
		{MissingRoster, func(f *Facts) *bool { return &f.Rostered }},
		{MissingListed, func(f *Facts) *bool { return &f.Listed }},
		{MissingFresh, func(f *Facts) *bool { return &f.Fresh }},
		{MissingSecond, func(f *Facts) *bool { return &f.Second }},
		{MissingWait, func(f *Facts) *bool { return &f.Waited }},
		{MissingOther, func(f *Facts) *bool { return &f.Other }},
	}
}
