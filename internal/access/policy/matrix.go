package policy

import (
	"fmt"
	"slices"
	"strings"

	"tikakosh/internal/access"
)

// everybody lists every principal there can be, each at a place of its own rank, with
// its name in the matrix.
func everybody() (out []asker) {
	place := map[access.Level]access.Scope{access.LevelNational: access.Everywhere(), access.LevelState: access.InState(1),
		access.LevelDistrict: access.InDistrict(1, 1), access.LevelCentre: access.AtCentre(1, 1, 1)}
	for _, r := range access.Roles() {
		for l := access.LevelNational; l <= access.LevelCentre; l++ {
			if g, err := access.NewGrant(r, place[l]); err == nil {
				for _, c := range []Credential{Machine, Passkey} {
					out = append(out, asker{string(r), string(c), Staff(g, c)})
				}
				break
			}
		}
	}
	return append(out, asker{"holder", "", Holder()}, asker{"partner", "", Partner()}, asker{"system", "", System()}, asker{"nobody", "", Principal{}})
}

type asker struct {
	name, by string
	who      Principal
}

// every asks every question there is about an action: for each combination of the facts
// that count, here among them, each principal.
func (e *Engine) every(a Action, f func(who asker, facts Facts, here, ok bool, bad []string)) {
	all := everybody()
	s := e.facts[a]
	for _, view := range s.views {
		for _, ev := range s.evidences {
			for n := range s.ways() {
				x, here := Facts{View: view, Evidence: ev}, n&1 == 1
				for i, of := range s.flags {
					*of(&x) = n>>(i+1)&1 == 1
				}
				context, _ := s.context(x, here)
				for _, who := range all {
					ok, _, bad := e.evaluate(who.who.uid(), a, s, context)
					f(who, x, here, ok, bad)
				}
			}
		}
	}
}

// probe asks every question there is: a policy that is in error for one of them
// refuses to start, and does not wait for that request.
func (e *Engine) probe() error {
	for _, a := range Actions() {
		var err error
		e.every(a, func(who asker, f Facts, here, _ bool, bad []string) {
			if bad != nil && err == nil {
				err = wrong("%s: in error when %s asks for %s (true: %s)", strings.Join(bad, ", "), who.name, a, strings.Join(truths(f, here), ", "))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Matrix is the whole of what the policies in force say, as text: by action, view and
// evidence, who may, and what must be true besides. It is made by asking every question
// there is, so that two sets of policies with the same text say the same. Whoever does
// not stand under a heading may not.
func (e *Engine) Matrix() string {
	var b strings.Builder
	for _, a := range Actions() {
		s := e.facts[a]
		fmt.Fprintf(&b, "%s (%s)\n", a, strings.ToLower(string(s.resource.Type)))
		cells := map[[2]string]map[string][]string{} // view and evidence, then what must be true, then who
		type cell struct{ view, evidence, who string }
		sets := map[cell][][]string{}
		e.every(a, func(who asker, f Facts, here, ok bool, _ []string) {
			if ok {
				at := cell{f.View, string(f.Evidence), who.name + "/" + who.by}
				sets[at] = append(sets[at], truths(f, here))
			}
		})
		for _, who := range everybody() {
			for at, allowed := range sets {
				if at.who != who.name+"/"+who.by {
					continue
				}
				key := [2]string{at.view, at.evidence}
				if cells[key] == nil {
					cells[key] = map[string][]string{}
				}
				text := least(allowed, len(s.flags)+1)
				cells[key][text] = append(cells[key][text], at.who)
			}
		}
		if len(cells) == 0 {
			b.WriteString("  nobody\n")
		}
		for _, view := range s.views {
			for _, ev := range s.evidences {
				cell, ok := cells[[2]string{view, string(ev)}]
				if !ok {
					continue
				}
				indent := "  "
				if len(s.views) > 1 {
					if len(s.evidences) > 1 {
						fmt.Fprintf(&b, "  %s; brought: %s\n", view, ev)
					} else {
						fmt.Fprintf(&b, "  %s\n", view)
					}
					indent = "    "
				}
				for _, text := range sorted(cell) {
					fmt.Fprintf(&b, "%s%s: %s\n", indent, strings.Join(people(cell[text]), ", "), text)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func sorted(m map[string][]string) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(m[a][0]+a, m[b][0]+b) })
	return out
}

// people joins the two credentials of a role where they may the same, and the roles
// where it is a passkey that they all need.
func people(names []string) (out []string) {
	byKey := func(n string) bool { return strings.HasSuffix(n, "/"+string(Passkey)) }
	if len(names) > 1 && !slices.ContainsFunc(names, func(n string) bool { return !byKey(n) }) {
		if len(names) == len(access.Roles()) {
			return []string{"every role, with a passkey"}
		}
		for _, n := range names {
			out = append(out, strings.TrimSuffix(n, "/"+string(Passkey)))
		}
		out[len(out)-1] += ", each with a passkey"
		return out
	}
	for _, n := range names {
		role, by, _ := strings.Cut(n, "/")
		switch {
		case by == "":
			out = append(out, role)
		case slices.Contains(names, role+"/"+string(Machine)) && slices.Contains(names, role+"/"+string(Passkey)):
			if by == string(Machine) {
				out = append(out, role)
			}
		default:
			out = append(out, role+" with a "+by)
		}
	}
	return out
}

// truths lists the facts that are true.
func truths(f Facts, here bool) []string {
	out := []string{}
	if here {
		out = append(out, factHere)
	}
	for name, of := range flags() {
		if *of(&f) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// least says which facts must be true, given every set of true ones that is allowed,
// of n facts. Where more facts may mean less, each set is written out.
func least(sets [][]string, n int) string {
	within := func(a, b []string) bool {
		return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
	}
	var minimal [][]string
	for _, s := range sets {
		if !slices.ContainsFunc(sets, func(o []string) bool { return len(o) < len(s) && within(o, s) }) {
			minimal = append(minimal, s)
		}
	}
	slices.SortFunc(minimal, slices.Compare)
	upward := 0
	if len(minimal) == 1 {
		upward = 1 << (n - len(minimal[0]))
	}
	if len(minimal) == 1 && upward == len(sets) {
		if len(minimal[0]) == 0 {
			return "always"
		}
		return strings.Join(minimal[0], ", ")
	}
	texts := make([]string, len(sets))
	for i, s := range sets {
		texts[i] = "{" + strings.Join(s, ", ") + "}"
	}
	slices.Sort(texts)
	return "exactly when " + strings.Join(texts, " or ")
}
