package policy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"tikakosh/internal/fault"
)

//go:embed schema.cedarschema
var schemaText []byte

//go:embed rules/*.cedar
var ruleFiles embed.FS

// rails are the guard rails' file.
const rails = "rails.cedar"

// railPrefix begins the ids of the guard rails, and no others.
const railPrefix = "rail-"

// Bounds of an operator's files.
const (
	maxFiles    = 50
	maxFile     = 256 << 10 // bytes
	maxPolicies = 500
)

// file is one file of policies.
type file struct {
	name string
	text []byte
}

// Default makes the engine of the policies that come with the program.
func Default(alarm Alarm) (*Engine, error) {
	files, err := embedded(func(name string) bool { return name != rails })
	if err != nil {
		return nil, err
	}
	return build(files, alarm)
}

// FromDir is FromFiles of every *.cedar file at the top of dir.
func FromDir(dir fs.FS, alarm Alarm) (*Engine, error) {
	files, err := ReadDir(dir)
	if err != nil {
		return nil, err
	}
	return FromFiles(files, alarm)
}

// Files are the policies that come with the program, to begin one's own with: file
// names and texts, without the guard rails.
func Files() (map[string][]byte, error) {
	files, err := embedded(func(name string) bool { return name != rails })
	out := map[string][]byte{}
	for _, f := range files {
		out[f.name] = f.text
	}
	return out, err
}

func wrong(format string, a ...any) error {
	return fault.Newf(fault.Invalid, "policies", format, a...)
}

func embedded(want func(name string) bool) (out []file, err error) {
	entries, err := fs.ReadDir(ruleFiles, "rules")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "policies")
	}
	for _, entry := range entries {
		if !want(entry.Name()) {
			continue
		}
		text, err := ruleFiles.ReadFile(path.Join("rules", entry.Name()))
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "policies")
		}
		out = append(out, file{entry.Name(), text})
	}
	return out, nil
}

// ground is what every engine stands on: the schema, and what the program makes of it.
type ground struct {
	schema    *resolved.Schema
	validator *validate.Validator
	facts     map[Action]*shape
}

func newGround() (g ground, err error) {
	if g.schema, err = loadSchema(); err != nil {
		return g, err
	}
	if g.facts, err = shapes(g.schema); err != nil {
		return g, fault.Wrap(fault.Internal, err, "policies")
	}
	g.validator = validate.New(g.schema)
	return g, nil
}

// build parses and checks files, adds the guard rails, and makes the engine.
func build(files []file, alarm Alarm) (*Engine, error) {
	g, err := newGround()
	if err != nil {
		return nil, err
	}
	return g.build(files, alarm)
}

func (g ground) build(files []file, alarm Alarm) (*Engine, error) {
	rail, err := embedded(func(name string) bool { return name == rails })
	if err != nil {
		return nil, err
	}
	files = append(rail, files...)
	e := &Engine{rules: map[Action]policies{}, facts: g.facts, entities: entities(), alarm: alarm}
	check := checker{schema: g.schema, validator: g.validator, seen: map[string]string{}}
	sum := sha256.New()
	note := func(name string, text []byte) { fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text) }
	note("schema", schemaText)
	var all policies
	for i, f := range files {
		list, err := cedar.NewPolicyListFromBytes(f.name, f.text)
		if err != nil {
			return nil, wrong("%s: %v", f.name, err)
		}
		for _, p := range list {
			id, err := check.policy(f.name, p, i == 0)
			if err != nil {
				return nil, err
			}
			all = append(all, rule{types.PolicyID(id), p})
		}
		note(f.name, f.text)
	}
	if len(all) > maxPolicies {
		return nil, wrong("more than %d policies", maxPolicies)
	}
	slices.SortFunc(all, func(a, b rule) int { return strings.Compare(string(a.id), string(b.id)) })
	for _, r := range all {
		e.ids = append(e.ids, string(r.id))
		for _, a := range Actions() {
			if about(r.policy, a) {
				e.rules[a] = append(e.rules[a], r)
			}
		}
	}
	e.digest = hex.EncodeToString(sum.Sum(nil))
	return e, nil
}

func loadSchema() (*resolved.Schema, error) {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar(schemaText); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "policies: schema")
	}
	r, err := s.Resolve()
	return r, fault.Wrap(fault.Internal, err, "policies: schema")
}

// about reports whether a policy's scope can include an action: the others need not be
// evaluated for it.
func about(p *cedar.Policy, a Action) bool {
	is := func(uid types.EntityUID) bool { return uid == types.NewEntityUID("Action", types.String(a)) }
	switch scope := tree(p).Action.(type) {
	case ast.ScopeTypeEq:
		return is(scope.Entity)
	case ast.ScopeTypeIn:
		return is(scope.Entity)
	case ast.ScopeTypeInSet:
		return slices.ContainsFunc(scope.Entities, is)
	default:
		return true
	}
}

func tree(p *cedar.Policy) *ast.Policy { return (*ast.Policy)(p.AST()) }

// checker holds policies against the schema. Cedar's own validator checks actions,
// types, attributes and that what is compared can be equal; it does not know that an
// enumerated type has no other members, so that is checked here.
type checker struct {
	schema    *resolved.Schema
	validator *validate.Validator
	seen      map[string]string // by id: where
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// policy checks one policy and returns its id.
func (c checker) policy(name string, p *cedar.Policy, rail bool) (string, error) {
	at := fmt.Sprintf("%s:%d", name, p.Position().Line)
	id := string(p.Annotations()["id"])
	switch {
	case !idForm.MatchString(id) || len(id) > 60:
		return "", wrong(`%s: every policy begins with its name, @id("small-letters-and-digits")`, at)
	case strings.HasPrefix(id, railPrefix) != rail:
		return "", wrong("%s: the id %s: the names of guard rails begin with %q, and no others", at, id, railPrefix)
	case rail && p.Effect() != cedar.Forbid:
		return "", wrong("%s: %s: a guard rail forbids", at, id)
	case c.seen[id] != "":
		return "", wrong("%s: the id %s is taken by the policy at %s", at, id, c.seen[id])
	}
	c.seen[id] = at
	if err := c.validator.Policy("", tree(p)); err != nil {
		return "", wrong("%s: %s: %v", at, id, oneLine(err))
	}
	for _, uid := range named(tree(p)) {
		if enum, ok := c.schema.Enums[uid.Type]; ok && !slices.Contains(enum.Values, uid) {
			return "", wrong("%s: %s: %s is none of the schema's", at, id, uid)
		} else if _, known := c.schema.Actions[uid]; !ok && !known {
			return "", wrong("%s: %s: policies name no single %s, only kinds", at, id, uid)
		}
	}
	return id, nil
}

func oneLine(err error) error { return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) }

// named lists every entity that a policy names.
func named(p *ast.Policy) (out []types.EntityUID) {
	add := func(uid types.EntityUID) { out = append(out, uid) }
	for _, scope := range []any{p.Principal, p.Action, p.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			add(s.Entity)
		case ast.ScopeTypeIn:
			add(s.Entity)
		case ast.ScopeTypeInSet:
			out = append(out, s.Entities...)
		case ast.ScopeTypeIsIn:
			add(s.Entity)
		}
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				literals(v.Value, add)
			}
			return true
		})
	}
	return out
}

func literals(v types.Value, add func(types.EntityUID)) {
	switch v := v.(type) {
	case types.EntityUID:
		add(v)
	case types.Set:
		for x := range v.All() {
			literals(x, add)
		}
	case types.Record:
		for x := range v.Values() {
			literals(x, add)
		}
	}
}
