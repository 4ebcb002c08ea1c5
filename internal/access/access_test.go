package access

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func grant(t *testing.T, text string) Grant {
	t.Helper()
	g, err := ParseGrant(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return g
}

func grants(t *testing.T, texts ...string) (out []Grant) {
	t.Helper()
	for _, s := range texts {
		out = append(out, grant(t, s))
	}
	return out
}

func TestRoles(t *testing.T) {
	for _, r := range Roles() {
		if got, err := ParseRole(string(r)); err != nil || got != r {
			t.Errorf("%s: %q, %v", r, got, err)
		}
		if r.Outranks(r) {
			t.Errorf("%s outranks itself", r)
		}
	}
	for _, s := range []string{"", "Manager", "manager ", "admin", "root", "citizen"} {
		var f *fault.Error
		if r, err := ParseRole(s); r != "" || !errors.As(err, &f) || f.Kind != fault.Invalid {
			t.Errorf("%q: %q, %v", s, r, err)
		}
	}
}

// TestWhoOutranksWhom is the whole table; what is not in it is not.
func TestWhoOutranksWhom(t *testing.T) {
	outranks := map[Role]string{
		National: "state district manager vaccinator verifier auditor privacy investigator operator custodian",
		State:    "district manager vaccinator verifier",
		District: "manager vaccinator verifier",
		Manager:  "vaccinator verifier",
	}
	gives := map[Role]string{
		National: "national " + outranks[National],
		State:    "state " + outranks[State],
		District: "district " + outranks[District],
		Manager:  "manager " + outranks[Manager],
	}
	all := append(Roles(), "", "admin")
	for _, a := range all {
		for _, b := range all {
			if got, want := a.Outranks(b), b != "" && slices.Contains(strings.Fields(outranks[a]), string(b)); got != want {
				t.Errorf("%q outranks %q: %v, want %v", a, b, got, want)
			}
			if got, want := a.Grants(b), b != "" && slices.Contains(strings.Fields(gives[a]), string(b)); got != want {
				t.Errorf("%q grants %q: %v, want %v", a, b, got, want)
			}
		}
	}
}

func TestScopes(t *testing.T) {
	// Each line covers itself and what is named after it, of all these places.
	places := []string{"national", "state/1", "state/2", "district/1/10", "district/1/11", "district/2/20", "district/2/10",
		"centre/1/10/100", "centre/1/10/101", "centre/1/11/102", "centre/2/20/103", "centre/0/0/100", "centre/0/0/104"}
	covers := map[string]string{
		"national":        strings.Join(places, " "),
		"state/1":         "state/1 district/1/10 district/1/11 centre/1/10/100 centre/1/10/101 centre/1/11/102",
		"state/2":         "state/2 district/2/20 district/2/10 centre/2/20/103",
		"district/1/10":   "district/1/10 centre/1/10/100 centre/1/10/101",
		"district/1/11":   "district/1/11 centre/1/11/102",
		"district/2/20":   "district/2/20 centre/2/20/103",
		"district/2/10":   "district/2/10",
		"centre/1/10/100": "centre/1/10/100 centre/0/0/100", // one centre, whether or not it is said where it lies
		"centre/0/0/100":  "centre/0/0/100 centre/1/10/100",
		"centre/1/10/101": "centre/1/10/101",
		"centre/1/11/102": "centre/1/11/102",
		"centre/2/20/103": "centre/2/20/103",
		"centre/0/0/104":  "centre/0/0/104",
	}
	for _, a := range places {
		s, err := ParseScope(a)
		if err != nil || s.String() != a {
			t.Fatalf("%s: %q, %v", a, s, err)
		}
		for _, b := range places {
			o, _ := ParseScope(b)
			if got, want := s.Covers(o), slices.Contains(strings.Fields(covers[a]), b); got != want {
				t.Errorf("%s covers %s: %v, want %v", a, b, got, want)
			}
		}
		if s.Covers(Scope{}) || (Scope{}).Covers(s) {
			t.Errorf("%s and no place at all", a)
		}
	}
	if (Scope{}).Covers(Scope{}) {
		t.Error("no place covers no place")
	}
}

func TestScopesRefused(t *testing.T) {
	for _, text := range []string{"", "none", "National", "national/", "state", "state/", "state/0", "state/-1", "state/+1", "state/01", "state/1/", "state/x",
		"district/1", "district/1/0", "district/0/1", "district/1/10/100", "centre/1/10", "centre/1/10/0", "centre/0/10/100", "centre/1/0/100",
		"centre/1/10/100/1", "centre/1/10/99999999999999999999", "state/ 1", "state/1 ", "zone/1", "centre/-1/-1/100"} {
		if s, err := ParseScope(text); err == nil || s != (Scope{}) {
			t.Errorf("%q became %s", text, s)
		}
	}
	for _, s := range []Scope{InState(0), InDistrict(1, 0), InDistrict(0, 1), AtCentre(1, 10, 0), AtCentre(1, 0, 100), AtCentre(-1, -1, 100)} {
		if s != (Scope{}) {
			t.Errorf("a place was made: %s", s)
		}
	}
}

func TestGrantForms(t *testing.T) {
	for _, text := range []string{"national@national", "state@state/1", "district@district/1/10", "manager@centre/1/10/100", "vaccinator@centre/0/0/100",
		"verifier@centre/1/10/100", "auditor@national", "privacy@state/1", "investigator@district/1/10", "operator@national", "custodian@national"} {
		g := grant(t, text)
		raw, err := json.Marshal([]Grant{g})
		if err != nil || string(raw) != `["`+text+`"]` {
			t.Errorf("%s: %s, %v", text, raw, err)
		}
		var back []Grant
		if err := json.Unmarshal(raw, &back); err != nil || back[0] != g {
			t.Errorf("%s came back as %v, %v", text, back, err)
		}
	}
	for _, text := range []string{"", "@", "manager", "manager@", "@national", "national@state/1", "state@national", "state@district/1/10", "district@state/1",
		"manager@national", "manager@district/1/10", "vaccinator@state/1", "auditor@centre/1/10/100", "operator@state/1", "custodian@centre/1/10/100", "manager@centre/1/10/100@x"} {
		if g, err := ParseGrant(text); err == nil || g != (Grant{}) {
			t.Errorf("%q became %s", text, g)
		}
	}
	if _, err := json.Marshal(Grant{}); err == nil {
		t.Error("no grant was written")
	}
}

func TestMayGrant(t *testing.T) {
	for _, c := range []struct {
		have, gives string
		want        bool
	}{
		{"national@national", "national@national", true},
		{"national@national", "privacy@state/1", true},
		{"national@national", "vaccinator@centre/0/0/100", true},
		{"national@national", "operator@national", true},
		{"state@state/1", "state@state/1", true},
		{"state@state/1", "district@district/1/10", true},
		{"state@state/1", "manager@centre/1/11/102", true},
		{"state@state/1", "national@national", false},
		{"state@state/1", "state@state/2", false},
		{"state@state/1", "manager@centre/2/20/103", false},
		{"state@state/1", "manager@centre/0/0/102", false}, // nobody knows that it lies there
		{"state@state/1", "privacy@state/1", false},
		{"state@state/1", "auditor@district/1/10", false},
		{"district@district/1/10", "vaccinator@centre/1/10/100", true},
		{"district@district/1/10", "vaccinator@centre/1/11/102", false},
		{"district@district/1/10", "state@state/1", false},
		{"manager@centre/1/10/100", "vaccinator@centre/1/10/100", true},
		{"manager@centre/1/10/100", "manager@centre/1/10/100", true},
		{"manager@centre/1/10/100", "vaccinator@centre/1/10/101", false},
		{"manager@centre/1/10/100", "district@district/1/10", false},
		{"manager@centre/1/10/100 auditor@national", "vaccinator@centre/1/10/101", false}, // role and place of two grants do not add up
		{"auditor@state/1 manager@centre/1/10/100", "manager@centre/1/10/101", false},
		{"vaccinator@centre/1/10/100", "vaccinator@centre/1/10/100", false},
		{"auditor@national", "auditor@national", false},
		{"privacy@national", "investigator@national", false},
		{"investigator@national", "investigator@national", false},
		{"operator@national", "operator@national", false},
		{"operator@national", "manager@centre/1/10/100", false},
		{"custodian@national", "custodian@national", false},
		{"", "vaccinator@centre/1/10/100", false},
	} {
		have := grants(t, strings.Fields(c.have)...)
		if got := MayGrant(have, grant(t, c.gives)); got != c.want {
			t.Errorf("%q gives %s: %v", c.have, c.gives, got)
		}
	}
	all := grants(t, "national@national")
	for _, bad := range []Grant{{}, {Role: Manager}, {Role: National, Scope: InState(1)}, {Scope: Everywhere()}, {Role: "admin", Scope: Everywhere()}} {
		if MayGrant(all, bad) || MayGrant([]Grant{bad}, grant(t, "vaccinator@centre/1/10/100")) {
			t.Errorf("%s counted", bad)
		}
	}
}

func TestMayManage(t *testing.T) {
	for _, c := range []struct {
		have, member string
		want         bool
	}{
		{"district@district/1/10", "manager@centre/1/10/100 vaccinator@centre/1/10/101", true},
		{"district@district/1/10", "manager@centre/1/10/100 vaccinator@centre/1/11/102", false},
		{"district@district/1/10 district@district/1/11", "manager@centre/1/10/100 vaccinator@centre/1/11/102", true},
		{"manager@centre/1/10/100", "vaccinator@centre/1/10/100 privacy@national", false}, // a vaccinator who is more than that
		{"manager@centre/1/10/100", "", false},
		{"national@national", "", false},
		{"", "vaccinator@centre/1/10/100", false},
	} {
		if got := MayManage(grants(t, strings.Fields(c.have)...), grants(t, strings.Fields(c.member)...)); got != c.want {
			t.Errorf("%q over %q: %v", c.have, c.member, got)
		}
	}
}

func TestHolds(t *testing.T) {
	have := grants(t, "manager@centre/1/10/100", "auditor@state/1")
	in := func(s string) Scope { p, _ := ParseScope(s); return p }
	for _, c := range []struct {
		role  Role
		place string
		want  bool
	}{{Manager, "centre/1/10/100", true}, {Manager, "centre/1/10/101", false}, {Auditor, "centre/1/10/101", true}, {Auditor, "state/2", false},
		{Vaccinator, "centre/1/10/100", false}, {Auditor, "national", false}} {
		if got := Holds(have, c.role, in(c.place)); got != c.want {
			t.Errorf("%s at %s: %v", c.role, c.place, got)
		}
	}
}

func FuzzParseGrant(f *testing.F) {
	for _, s := range []string{"manager@centre/1/10/100", "national@national", "state@state/01", "auditor@district/1/10", "@", "custodian@national@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGrant(text)
		if err != nil {
			if g != (Grant{}) {
				t.Fatal("an error and a grant")
			}
			return
		}
		if g.String() != text || !g.Valid() || !g.Scope.Covers(g.Scope) || !Everywhere().Covers(g.Scope) {
			t.Fatalf("%q became %s", text, g)
		}
		if !MayGrant([]Grant{{Role: National, Scope: Everywhere()}}, g) {
			t.Fatalf("nobody may give %s", g)
		}
	})
}
