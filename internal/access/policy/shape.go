package policy

import (
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"

	"tikakosh/internal/access"
)

// shape is what the schema says of one action, with every context it can be asked in,
// prepared: some thousands for the largest.
type shape struct {
	action    types.EntityUID
	resource  types.EntityUID
	flags     []func(*Facts) *bool // after here, in the order of their names
	evidences []Evidence           // the kinds it can be asked with; NoEvidence alone where evidence does not count
	views     []string             // likewise, "" alone where views do not count
	contexts  []types.Record       // by view, evidence, flags, here
}

// flags are the facts that are yes or no, by their names in the schema.
func flags() map[string]func(*Facts) *bool {
	return map[string]func(*Facts) *bool{
		"open":     func(f *Facts) *bool { return &f.Open },
		"rostered": func(f *Facts) *bool { return &f.Rostered },
		"listed":   func(f *Facts) *bool { return &f.Listed },
		"fresh":    func(f *Facts) *bool { return &f.Fresh },
		"second":   func(f *Facts) *bool { return &f.Second },
		"waited":   func(f *Facts) *bool { return &f.Waited },
		"own":      func(f *Facts) *bool { return &f.Own },
		"other":    func(f *Facts) *bool { return &f.Other },
	}
}

// The facts that are no flags of a request.
const (
	factHere     = "here" // the engine's own: the principal's place covers the place acted on
	factEvidence = "evidence"
	factView     = "view"
)

// shapes reads what the schema says of every action. The schema and this program must
// know the same actions, roles, credentials, evidence and facts.
func shapes(s *resolved.Schema) (map[Action]*shape, error) {
	out := map[Action]*shape{}
	for uid, a := range s.Actions {
		name := Action(uid.ID)
		if !slices.Contains(Actions(), name) || a.AppliesTo == nil || len(a.AppliesTo.Resources) != 1 {
			return nil, fmt.Errorf("the schema's action %q is none of the program's, or acts on not exactly one kind of thing", name)
		}
		sh := shape{action: uid, resource: types.NewEntityUID(a.AppliesTo.Resources[0], "one"), evidences: []Evidence{NoEvidence}, views: []string{""}}
		values := map[string]types.Value{}
		var names []string
		for fact, attribute := range a.AppliesTo.Context {
			t, _ := attribute.Type.(resolved.EntityType)
			switch _, flag := flags()[string(fact)]; {
			case attribute.Optional:
				return nil, fmt.Errorf("the schema's action %q: %s may be absent; every fact is always stated", name, fact)
			case fact == factHere:
			case flag:
				names = append(names, string(fact))
			case fact == factEvidence && t == "Evidence":
				sh.evidences = nil
				for _, v := range s.Enums["Evidence"].Values {
					sh.evidences, values[string(v.ID)] = append(sh.evidences, Evidence(v.ID)), v
				}
			case fact == factView && (t == "View" || t == "StaffView"):
				sh.views = nil
				for _, v := range s.Enums[types.EntityType(t)].Values {
					sh.views, values[string(v.ID)] = append(sh.views, string(v.ID)), v
				}
			default:
				return nil, fmt.Errorf("the schema's action %q: the program states no fact %s of that kind", name, fact)
			}
		}
		if _, ok := a.AppliesTo.Context[factHere]; !ok {
			return nil, fmt.Errorf("the schema's action %q lacks the fact here", name)
		}
		if sh.evidences[0] != NoEvidence {
			return nil, fmt.Errorf("the schema's kinds of evidence begin with %q", NoEvidence)
		}
		slices.Sort(names)
		for _, n := range names {
			sh.flags = append(sh.flags, flags()[n])
		}
		sh.prepare(names, values)
		out[name] = &sh
	}
	for _, a := range Actions() {
		if _, ok := out[a]; !ok {
			return nil, fmt.Errorf("the schema lacks the action %q", a)
		}
	}
	var roles []string
	for _, r := range access.Roles() {
		roles = append(roles, string(r))
	}
	for enum, want := range map[types.EntityType][]string{"Role": roles, "Credential": {string(Machine), string(Passkey)}} {
		var have []string
		for _, v := range s.Enums[enum].Values {
			have = append(have, string(v.ID))
		}
		if !slices.Equal(have, want) {
			return nil, fmt.Errorf("the schema's %s are %q, the program's %q", enum, have, want)
		}
	}
	return out, nil
}

// prepare makes every context.
func (s *shape) prepare(names []string, values map[string]types.Value) {
	for _, view := range s.views {
		for _, ev := range s.evidences {
			for n := range s.ways() {
				m := types.RecordMap{factHere: types.Boolean(n&1 == 1)}
				for i, name := range names {
					m[types.String(name)] = types.Boolean(n>>(i+1)&1 == 1)
				}
				if view != "" {
					m[factView] = values[view]
				}
				if len(s.evidences) > 1 {
					m[factEvidence] = values[string(ev)]
				}
				s.contexts = append(s.contexts, types.NewRecord(m))
			}
		}
	}
}

// ways is how many combinations there are of what is yes or no.
func (s *shape) ways() int { return 2 << len(s.flags) }

// context is a request's: exactly the facts that count. sound is false when the
// evidence or the view is none of the schema's.
func (s *shape) context(f Facts, here bool) (out types.Record, sound bool) {
	view, ev, n := 0, 0, 0
	if len(s.views) > 1 {
		view = slices.Index(s.views, f.View)
	}
	if len(s.evidences) > 1 && f.Evidence != "" {
		ev = slices.Index(s.evidences, f.Evidence)
	}
	if view < 0 || ev < 0 {
		return out, false
	}
	if here {
		n = 1
	}
	for i, of := range s.flags {
		if *of(&f) {
			n |= 2 << i
		}
	}
	return s.contexts[(view*len(s.evidences)+ev)*s.ways()+n], true
}

// uid names the principal's prepared entity.
func (p Principal) uid() types.EntityUID {
	switch p.kind {
	case "":
		return types.NewEntityUID("Nobody", "one")
	case kindStaff:
		return types.NewEntityUID(kindStaff, types.String(string(p.role)+"/"+string(p.credential)))
	default:
		return types.NewEntityUID(types.EntityType(p.kind), "one")
	}
}

// entities prepares every principal there can be. A role or credential that is none
// has no entity, so that a policy that asks for it errs, and that denies.
func entities() types.EntityMap {
	out := types.EntityMap{}
	add := func(uid types.EntityUID, attributes types.RecordMap) {
		out[uid] = types.Entity{UID: uid, Attributes: types.NewRecord(attributes)}
	}
	for _, p := range []Principal{{}, Holder(), Partner(), System()} {
		add(p.uid(), nil)
	}
	for _, r := range access.Roles() {
		for _, c := range []Credential{Machine, Passkey} {
			add(Principal{kind: kindStaff, role: r, credential: c}.uid(), types.RecordMap{
				"role": types.NewEntityUID("Role", types.String(r)), "credential": types.NewEntityUID("Credential", types.String(c))})
		}
	}
	return out
}
