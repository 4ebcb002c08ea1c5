package policy

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := Default(func(a Action, ids []string) { t.Errorf("alarm: %s: %q", a, ids) })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// own is a folder with the program's own policies and these files besides.
func own(t testing.TB, more map[string]string) fstest.MapFS {
	t.Helper()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: text}
	}
	for name, text := range more {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return dir
}

var (
	centre = access.AtCentre(1, 10, 100)
	other  = access.AtCentre(1, 10, 101)
)

func at(r access.Role, s access.Scope) Principal {
	return Staff(access.Grant{Role: r, Scope: s}, Machine)
}

func human(r access.Role, s access.Scope) Principal {
	return Staff(access.Grant{Role: r, Scope: s}, Passkey)
}

// TestMatrix holds the whole of what the policies say against a file, so that a change
// of them is a change of a text that people read.
func TestMatrix(t *testing.T) {
	const golden = "testdata/matrix.txt"
	got := engine(t).Matrix()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("what the policies allow has changed. If that is meant: go test ./internal/access/policy -run Matrix -update, and read the difference.\n%s", difference(string(want), got))
	}
}

func difference(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range w {
		if !slices.Contains(g, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}

// TestMatrixShowsChanges proves that the golden file can fail: one word more in a
// policy is one line more in the matrix.
func TestMatrixShowsChanges(t *testing.T) {
	before := engine(t).Matrix()
	e, err := FromDir(own(t, map[string]string{"more.cedar": `@id("district-looks-in")
permit (principal is Staff, action == Action::"staff.corrections", resource) when { principal.role == Role::"district" };`}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := difference(before, e.Matrix()); !strings.Contains(d, "district, manager: here") {
		t.Fatalf("the difference is %q", d)
	}
}

func TestZeroPermitDenies(t *testing.T) {
	var p Permit
	if p.Allowed() || p.For("", access.Scope{}) || p.Shows("") || p.Missing() != MissingRole {
		t.Fatal("no permit is one")
	}
	if p := engine(t).Decide(Question{Do: StaffSession}); p.Allowed() || p.For(StaffSession, access.Scope{}) {
		t.Fatal("nobody may")
	}
}

func TestPermitIsForOneThing(t *testing.T) {
	p := engine(t).Decide(Question{Who: at(access.Manager, centre), Do: StaffSession, At: centre})
	if !p.Allowed() || !p.For(StaffSession, centre) || p.Policies() != "manager-runs-the-centre" {
		t.Fatalf("the manager may not: %s", p.Missing())
	}
	if p.For(StaffSession, other) || p.For(Corrections, centre) || p.Shows("booking view") {
		t.Fatal("a permit is good for something else")
	}
	o := engine(t).Decide(Question{Who: Holder(), Do: PersonOpen, Facts: Facts{Own: true, View: "booking view"}})
	if !o.Shows("booking view") || o.Shows("certificate") || o.Shows("") {
		t.Fatalf("leave for one view: %+v", o)
	}
}

func TestMissing(t *testing.T) {
	e := engine(t)
	full := Facts{Open: true, Rostered: true, Listed: true, Fresh: true, Second: true, Waited: true, Own: true, Evidence: EvidenceCard, View: "dose history at the centre"}
	but := func(f func(*Facts)) Facts { x := full; f(&x); return x }
	for _, c := range []struct {
		name  string
		who   Principal
		do    Action
		at    access.Scope
		facts Facts
		want  Missing
	}{
		{"nothing", at(access.Vaccinator, centre), StaffOpen, centre, full, MissingNothing},
		{"role before all else", at(access.Manager, other), StaffView, centre, Facts{}, MissingRole},
		{"place before the session", at(access.Vaccinator, other), StaffView, centre, Facts{}, MissingPlace},
		{"session", at(access.Vaccinator, centre), StaffView, centre, Facts{}, MissingSession},
		{"roster", at(access.Vaccinator, centre), StaffView, centre, Facts{Open: true}, MissingRoster},
		{"administrator", at(access.National, access.Everywhere()), StaffOpen, centre, full, MissingRole},
		{"operator", at(access.Operator, access.Everywhere()), StaffOpen, centre, full, MissingRole},
		{"session of an opening", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Open, f.Evidence = false, "" }), MissingSession},
		{"evidence", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Evidence = "" }), MissingEvidence},
		{"evidence of another kind", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Evidence = EvidenceCorrection }), MissingEvidence},
		{"a view not theirs", at(access.Verifier, centre), StaffOpen, centre, but(func(f *Facts) { f.View = "certificate" }), MissingRole},
		{"roster mode", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Evidence, f.Listed = EvidenceRoster, false }), MissingListed},
		{"fresh", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Evidence, f.Fresh = EvidenceRoster, false }), MissingFresh},
		{"a card needs no passkey", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Fresh = false }), MissingNothing},
		{"break-glass alone", at(access.Vaccinator, centre), StaffOpen, centre, but(func(f *Facts) { f.Evidence, f.Second = EvidenceBreakGlass, false }), MissingSecond},
		{"own approval", at(access.Manager, centre), CorrectionApprove, centre, Facts{}, MissingSecond},
		{"policy at once", at(access.National, access.Everywhere()), PolicyApprove, access.Everywhere(), Facts{Second: true}, MissingWait},
		{"oneself disabled", human(access.National, access.Everywhere()), StaffDisable, centre, Facts{Own: true}, MissingOther},
		{"a colleague's session", human(access.Vaccinator, centre), StaffSessionsEnd, centre, Facts{Other: true}, MissingOwn},
		{"own proposal", human(access.Manager, centre), StaffApprove, centre, Facts{Fresh: true, Waited: true}, MissingSecond},
		{"a proposal's day", human(access.Manager, centre), StaffApprove, centre, Facts{Fresh: true, Second: true}, MissingWait},
		{"another household", Holder(), PersonOpen, access.Scope{}, Facts{View: "booking view"}, MissingOwn},
		{"a partner's list", Partner(), PersonOpen, access.Scope{}, Facts{Own: true, View: "booking view"}, MissingRole},
		{"the vault shows nobody", System(), PersonOpen, access.Scope{}, Facts{Own: true, View: "booking view"}, MissingRole},
	} {
		p := e.Decide(Question{Who: c.who, Do: c.do, At: c.at, Facts: c.facts})
		if p.Missing() != c.want || p.Allowed() != (c.want == MissingNothing) {
			t.Errorf("%s: %q, want %q", c.name, p.Missing(), c.want)
		}
	}
}

// TestOutsideTheSchema: a question that the schema does not know is a no and an alarm,
// not a crash.
func TestOutsideTheSchema(t *testing.T) {
	for name, q := range map[string]Question{
		"action":     {Who: at(access.Manager, centre), Do: "staff.everything", At: centre},
		"evidence":   {Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: Facts{Open: true, Rostered: true, Evidence: "a hunch", View: "certificate"}},
		"view":       {Who: Holder(), Do: PersonOpen, Facts: Facts{Own: true, View: "everything"}},
		"no view":    {Who: Holder(), Do: PersonOpen, Facts: Facts{Own: true}},
		"role":       {Who: at("admin", access.Everywhere()), Do: StaffSession, At: centre},
		"credential": {Who: Staff(access.Grant{Role: access.Manager, Scope: centre}, "password"), Do: StaffSession, At: centre},
	} {
		alarms := 0
		e, err := Default(func(Action, []string) { alarms++ })
		if err != nil {
			t.Fatal(err)
		}
		if p := e.Decide(q); p.Allowed() || p.Missing() != MissingSense || alarms != 1 {
			t.Errorf("%s: allowed %v, missing %q, alarms %d", name, p.Allowed(), p.Missing(), alarms)
		}
	}
}

// errs is a guard that forbids, and is in error: a sum that overflows. The schema has
// nothing against it.
const errs = `@id("forbid-all")
forbid (principal, action == Action::"staff.session", resource) when { 9223372036854775807 + 1 > 0 };`

// TestForbidInErrorDenies is a regression test of the trap in cedar-go: it leaves a
// forbid that errors out of account, answers allow, and says so in the diagnostics only.
func TestForbidInErrorDenies(t *testing.T) {
	files, err := embedded(func(name string) bool { return name != rails })
	if err != nil {
		t.Fatal(err)
	}
	var alarmed []string
	e, err := build(append(files, file{"errs.cedar", []byte(errs)}), func(a Action, ids []string) { alarmed = append([]string{string(a)}, ids...) })
	if err != nil {
		t.Fatal(err)
	}
	who := at(access.Manager, centre)
	record, _ := e.facts[StaffSession].context(Facts{}, true)
	decision, diagnostic := cedar.Authorize(e.rules[StaffSession], e.entities, cedar.Request{Principal: who.uid(),
		Action: types.NewEntityUID("Action", types.String(StaffSession)), Resource: e.facts[StaffSession].resource, Context: record})
	if decision != cedar.Allow || len(diagnostic.Errors) != 1 {
		t.Fatalf("cedar-go itself answers %v with %d errors: the trap is gone, and so may be this test's reason", decision, len(diagnostic.Errors))
	}
	if p := e.Decide(Question{Who: who, Do: StaffSession, At: centre}); p.Allowed() || p.Missing() != MissingSense {
		t.Fatal("a forbid that is in error was left out of account")
	}
	if want := []string{"staff.session", "forbid-all"}; !slices.Equal(alarmed, want) {
		t.Fatalf("the alarm got %q, want %q", alarmed, want)
	}
	if p := e.Decide(Question{Who: who, Do: Corrections, At: centre}); !p.Allowed() {
		t.Fatal("another action is refused too")
	}
	files, err = embedded(func(name string) bool { return name != rails })
	if err != nil {
		t.Fatal(err)
	}
	if e, err = build(append(files, file{"errs.cedar", []byte(strings.Replace(errs, "staff.session", "staff.invite", 1))}), func(a Action, _ []string) { alarmed = []string{string(a)} }); err != nil {
		t.Fatal(err)
	}
	invite := Question{Who: human(access.National, access.Everywhere()), Do: StaffInvite, At: centre, Facts: Facts{Other: true, Fresh: true}}
	if p := e.Decide(invite); p.Allowed() || p.Missing() != MissingSense || alarmed[0] != "staff.invite" || !engine(t).Decide(invite).Allowed() {
		t.Fatalf("an invitation under a policy in error: %q, alarm %q", p.Missing(), alarmed)
	}
	// From a folder it does not even start.
	if _, err := FromDir(own(t, map[string]string{"errs.cedar": errs}), nil); err == nil || !strings.Contains(err.Error(), "forbid-all") {
		t.Fatalf("policies that err for some question start: %v", err)
	}
}

// TestRailsStand: an operator who permits everything permits nothing that the guard
// rails forbid.
func TestRailsStand(t *testing.T) {
	e, err := FromDir(fstest.MapFS{"all.cedar": {Data: []byte("@id(\"everything\")\npermit (principal, action, resource);")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	work := Facts{Open: true, Rostered: true, View: "dose history at the centre"}
	for name, q := range map[string]Question{
		"nobody":              {Do: StaffSession, At: centre},
		"no evidence":         {Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: work},
		"another centre":      {Who: at(access.Vaccinator, other), Do: StaffView, At: centre, Facts: work},
		"administrator":       {Who: at(access.National, access.Everywhere()), Do: StaffOpen, At: centre, Facts: Facts{Evidence: EvidenceCard, View: "certificate", Open: true}},
		"other household":     {Who: Holder(), Do: PersonOpen, Facts: Facts{View: "booking view"}},
		"holder as staff":     {Who: Holder(), Do: StaffSession, At: centre},
		"roster mode is off":  {Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: Facts{Evidence: EvidenceRoster, Fresh: true, View: "certificate"}},
		"own approval":        {Who: at(access.Manager, centre), Do: CorrectionApprove, At: centre},
		"a machine's members": {Who: at(access.National, access.Everywhere()), Do: StaffDisable, At: centre, Facts: Facts{Other: true}},
		"own role":            {Who: human(access.National, access.Everywhere()), Do: StaffGrantPropose, At: centre, Facts: Facts{Fresh: true}},
		"no passkey":          {Who: human(access.National, access.Everywhere()), Do: StaffInvite, At: centre, Facts: Facts{Other: true}},
		"a vaccinator's":      {Who: human(access.Vaccinator, centre), Do: StaffInvite, At: centre, Facts: Facts{Other: true, Fresh: true}},
		"own proposal":        {Who: human(access.National, access.Everywhere()), Do: StaffApprove, At: centre, Facts: Facts{Fresh: true, Waited: true}},
		"before its day":      {Who: human(access.National, access.Everywhere()), Do: StaffApprove, At: centre, Facts: Facts{Fresh: true, Second: true}},
		"members elsewhere":   {Who: human(access.Manager, other), Do: StaffDisable, At: centre, Facts: Facts{Other: true}},
		"at once":             {Who: at(access.National, access.Everywhere()), Do: PolicyApprove, At: access.Everywhere(), Facts: Facts{Second: true}},
	} {
		if p := e.Decide(q); p.Allowed() {
			t.Errorf("%s: allowed by %s", name, p.Policies())
		}
	}
	if p := e.Decide(Question{Who: at(access.District, access.InDistrict(1, 10)), Do: Corrections, At: centre}); !p.Allowed() || p.Policies() != "everything" {
		t.Error("what no rail forbids is not permitted either")
	}
}

// TestRefusedFiles: each thing wrong is refused at start, with file, line and what it is.
func TestRefusedFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"syntax", "@id(\"a\")\npermit (principal, action, resource)", "own.cedar: parse"},
		{"no id", "\npermit (principal, action, resource);", "own.cedar:2: every policy begins with its name"},
		{"bad id", "@id(\"Not So\")\npermit (principal, action, resource);", "own.cedar:1: every policy begins"},
		{"a rail's name", "@id(\"rail-own\")\npermit (principal, action, resource);", "guard rails begin with"},
		{"twice", "@id(\"a\")\npermit (principal is Holder, action, resource);\n@id(\"a\")\nforbid (principal, action, resource);", "own.cedar:3: the id a is taken by the policy at own.cedar:1"},
		{"id of another file", "@id(\"holder-opens-own\")\npermit (principal is Holder, action, resource);", "is taken by the policy at openings.cedar:"},
		{"action", "@id(\"a\")\npermit (principal, action == Action::\"staff.sesion\", resource);", "own.cedar:1: a: unrecognized action `Action::\"staff.sesion\"`"},
		{"principal type", "@id(\"a\")\npermit (principal is Staf, action, resource);", "own.cedar:1: a: unrecognized entity type `Staf`"},
		{"resource type", "@id(\"a\")\npermit (principal, action, resource is Room);", "unrecognized entity type `Room`"},
		{"attribute", "// a comment\n@id(\"a\")\npermit (principal is Staff, action, resource) when { principal.rank == Role::\"manager\" };", "own.cedar:2: a: attribute `rank`"},
		{"fact", "@id(\"a\")\npermit (principal is Staff, action == Action::\"staff.view\", resource) when { context.opened };", "attribute `opened`"},
		{"fact of another action", "@id(\"a\")\npermit (principal is Staff, action == Action::\"staff.session\", resource) when { context.open };", "attribute `open`"},
		{"role", "@id(\"a\")\npermit (principal is Staff, action, resource) when { principal.role == Role::\"managr\" };", "own.cedar:1: a: Role::\"managr\" is none of the schema's"},
		{"role in a list", "@id(\"a\")\npermit (principal is Staff, action, resource) when { [Role::\"manager\", Role::\"boss\"].contains(principal.role) };", "Role::\"boss\" is none"},
		{"view", "@id(\"a\")\npermit (principal, action == Action::\"person.open\", resource) when { context.view == View::\"everything\" };", "View::\"everything\" is none"},
		{"one person", "@id(\"a\")\npermit (principal, action == Action::\"person.open\", resource == Person::\"p\");", "name no single Person::\"p\""},
		{"kinds compared", "@id(\"a\")\npermit (principal is Staff, action, resource) when { principal.role == \"manager\" };", "own.cedar:1: a: "},
		{"no truth", "@id(\"a\")\npermit (principal is Staff, action, resource) when { principal.role };", "own.cedar:1: a: "},
		{"not for it", "@id(\"a\")\npermit (principal, action == Action::\"staff.session\", resource is Person);", "unable to find an applicable action"},
	} {
		_, err := FromDir(own(t, map[string]string{"own.cedar": c.text}), nil)
		if err == nil || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := FromDir(fstest.MapFS{}, nil); err == nil {
		t.Error("an empty folder is a set of policies")
	}
	if _, err := FromDir(fstest.MapFS{"big.cedar": {Data: make([]byte, maxFile+1)}}, nil); err == nil {
		t.Error("a file without bound was read")
	}
}

func TestDigest(t *testing.T) {
	a, err := FromDir(own(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest() != engine(t).Digest() || len(a.Digest()) != 64 {
		t.Fatal("the same files have another digest")
	}
	b, err := FromDir(own(t, map[string]string{"z.cedar": "@id(\"z\")\nforbid (principal is Partner, action, resource);"}), nil)
	if err != nil || b.Digest() == a.Digest() || !slices.Contains(b.Policies(), "z") || slices.Contains(a.Policies(), "z") {
		t.Fatalf("other files have the same digest: %v", err)
	}
}

// FuzzPolicies: whatever stands in an operator's file, it is refused with a text or
// makes policies that answer every question, and the rails stand.
func FuzzPolicies(f *testing.F) {
	f.Add([]byte(errs))
	f.Add([]byte("@id(\"a\")\npermit (principal, action, resource);"))
	f.Add([]byte("@id(\"a\")\npermit (principal is Staff, action in [Action::\"staff.view\"], resource) when { context has open && context.open } unless { principal.role in [Role::\"manager\"] };"))
	g, err := newGround()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := g.build([]file{{"fuzz.cedar", text}}, nil)
		if err != nil {
			return
		}
		for _, q := range []Question{
			{Do: StaffSession, At: centre},
			{Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: Facts{Open: true, Rostered: true, View: "certificate"}},
			{Who: at(access.Manager, other), Do: StaffSession, At: centre},
		} {
			if e.Decide(q).Allowed() {
				t.Fatalf("%+v is allowed", q)
			}
		}
	})
}

// TestRefusalsRemembered: what a refusal lacks is the same when it is asked again, and is
// not another question's that differs in one fact, the role, the place or the view.
func TestRefusalsRemembered(t *testing.T) {
	e := engine(t)
	base := Question{Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: Facts{View: "dose history at the centre"}}
	ask := func(change func(*Question)) []Question {
		q := base
		change(&q)
		return []Question{q, q}
	}
	var all []Question
	for _, s := range steps() {
		all = append(all, ask(func(q *Question) { *s.of(&q.Facts) = true })...)
	}
	all = append(all, ask(func(q *Question) { q.Facts.Open, q.Facts.Rostered = true, true })...)
	all = append(all, ask(func(q *Question) { q.Who = at(access.Verifier, centre) })...)
	all = append(all, ask(func(q *Question) { q.Who = at(access.Auditor, centre) })...)
	all = append(all, ask(func(q *Question) { q.At = other })...)
	all = append(all, ask(func(q *Question) { q.Facts.View = "certificate" })...)
	seen := map[Missing]bool{}
	for range 2 {
		for _, q := range all {
			got := e.Decide(q)
			if want := e.missing(q, q.Who.scope.Covers(q.At)); !got.Allowed() && got.Missing() != want {
				t.Errorf("%+v lacks %s, want %s", q, got.Missing(), want)
			}
			seen[got.Missing()] = true
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %v", seen)
	}
}

func BenchmarkDecide(b *testing.B) {
	e := engine(b)
	open := Facts{Open: true, Rostered: true, Evidence: EvidenceCode, View: "dose history at the centre"}
	for _, c := range []struct {
		name string
		q    Question
	}{
		{"staff.view", Question{Who: at(access.Vaccinator, centre), Do: StaffView, At: centre, Facts: open}},
		{"staff.open", Question{Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: open}},
		{"person.open-holder", Question{Who: Holder(), Do: PersonOpen, Facts: Facts{Own: true, View: "booking view"}}},
		{"denied", Question{Who: at(access.Vaccinator, centre), Do: StaffOpen, At: centre, Facts: Facts{Open: true, Rostered: true, View: "certificate"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(c.q)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Default(nil); err != nil {
			b.Fatal(err)
		}
	}
}
