package keeper_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access/department/departmenttest"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// provider is an identity provider by the rig's clock.
func (r *rig) provider() *departmenttest.Provider {
	r.t.Helper()
	p, err := departmenttest.Start(r.clock)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (r *rig) hand(config []byte) vault.DepartmentState {
	r.t.Helper()
	got, err := r.k.Office().DepartmentSet(r.t.Context(), vault.DepartmentRequest{Config: config})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range got.List {
		if d.ID == "health" {
			return d
		}
	}
	r.t.Fatal("no department")
	return vault.DepartmentState{}
}

// inForce takes a configuration to its end: a day, and one administrator.
func (r *rig) inForce(config []byte, by *desk) {
	r.t.Helper()
	d := r.hand(config)
	r.advance(24 * time.Hour)
	r.backIn(by)
	by.mustFresh(vault.ActApprove, by.approval(d.Proposal))
}

type departmentOptions struct {
	Nonce, Seed, Redirect string
}

// atDepartment begins a sign-in with a new key and says what the provider is asked.
func (d *desk) atDepartment() (vault.StaffCeremony, departmentOptions, error) {
	d.r.t.Helper()
	d.newKey()
	c, err := d.begin(vault.ActDepartmentBegin, map[string]any{"department": "health"})
	var o struct {
		Nonce    string `json:"nonce"`
		Seed     string `json:"seed"`
		Redirect string `json:"redirect_uri"`
	}
	if err == nil {
		if err := json.Unmarshal(c.Options, &o); err != nil {
			d.r.t.Fatal(err)
		}
	}
	return c, departmentOptions{o.Nonce, o.Seed, o.Redirect}, err
}

// brings ends a sign-in with a token.
func (d *desk) brings(c vault.StaffCeremony, token, grant string) (vault.StaffActed, error) {
	d.r.t.Helper()
	body := map[string]any{"ceremony": c.ID, "department": "health", "code": "c", "verifier": "v"}
	if grant != "" {
		body["grant"] = grant
	}
	got, err := d.r.k.Office().StaffAct(d.r.t.Context(), vault.StaffAct{Signed: d.signed("POST", vault.ActDepartmentFinish, body, nil), Token: token})
	if err == nil {
		d.member, d.key.Staff = got.Member, got.Member
	}
	return got, err
}

// comes signs in at the provider as who it says.
func (d *desk) comes(p *departmenttest.Provider, claims map[string]any, grant string) (vault.StaffActed, error) {
	d.r.t.Helper()
	c, o, err := d.atDepartment()
	if err != nil {
		return vault.StaffActed{}, err
	}
	p.Login(claims)
	return d.brings(c, p.Sign(p.Claims(o.Nonce)), grant)
}

func who(sub string, roles ...string) map[string]any {
	return map[string]any{"sub": sub, "roles": roles, "name": "Vani Test"}
}

// TestDepartmentSignIn: a department's member comes, works, changes roles and leaves.
func TestDepartmentSignIn(t *testing.T) {
	r := staffRig(t)
	a := r.national()
	p := r.provider()
	d := r.desk()
	if _, _, err := d.atDepartment(); !fault.Is(err, fault.NotFound) {
		t.Fatalf("before there is a department: %v", err)
	}
	config := p.Config(nil)
	waits := r.hand(config)
	if waits.InForce != "" || waits.Waiting == "" || waits.From != r.clock().Add(24*time.Hour).UnixMilli() {
		t.Fatalf("%+v", waits)
	}
	if _, _, err := d.atDepartment(); !fault.Is(err, fault.NotFound) {
		t.Fatalf("before it is approved: %v", err)
	}
	if _, err := a.fresh(vault.ActApprove, a.approval(waits.Proposal)); fault.CodeOf(err) != "wait" {
		t.Fatalf("at once: %v", err)
	}
	list, err := a.get(vault.ActProposals)
	if err != nil || len(list.Proposals) != 1 || list.Proposals[0].Kind != "department" || list.Proposals[0].Digest != waits.Waiting || !strings.Contains(string(list.Proposals[0].Department), p.Issuer) {
		t.Fatalf("%+v, %v", list, err)
	}
	r.inForce(config, a)
	all, err := r.k.Office().Departments(t.Context(), vault.Empty{})
	if err != nil || len(all.List) != 1 || all.List[0].Redirect != staffOrigin+"/department" {
		t.Fatalf("%+v, %v", all, err)
	}

	c, o, err := d.atDepartment()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(o.Seed)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(append(seed, thumbOf(t, d)...)); o.Nonce != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Error("the nonce is not bound to the session's key")
	}
	p.Login(who("sub-1", "lead-7"))
	token := p.Sign(p.Claims(o.Nonce))
	in, err := d.brings(c, token, "")
	if err != nil {
		t.Fatal(err)
	}
	if in.Person.Name != "Vani Test" || strings.Join(in.Person.Grants, " ") != "manager@centre/21/395/7 vaccinator@centre/21/395/7" || in.Session.Device != "department:health" {
		t.Fatalf("%+v %+v", in.Person, in.Session)
	}
	// The same token again: for the same question, for another, by another key.
	if _, err := d.brings(c, token, ""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("the same ceremony: %v", err)
	}
	other := r.desk()
	c2, _, err := other.atDepartment()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.brings(c2, token, ""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("another key: %v", err)
	}
	if _, err := other.brings(c2, token, ""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a ceremony that was spent: %v", err)
	}

	// Nothing that wants a fresh passkey, until two administrators give one.
	if _, err := d.fresh(vault.ActInvite, map[string]any{"name": "Omar Test", "grant": "vaccinator@centre/21/395/7"}); !fault.Is(err, fault.Forbidden) || fault.CodeOf(err) != "passkey" {
		t.Errorf("an invitation without a passkey: %v", err)
	}
	if _, err := a.fresh(vault.ActGrant, map[string]any{"member_id": d.member, "grant": "verifier@centre/21/395/7"}); fault.CodeOf(err) != "department" {
		t.Errorf("a role from here: %v", err)
	}
	if _, err := a.act(vault.ActGrantEnd, map[string]any{"member_id": d.member, "grant": "manager@centre/21/395/7", "reason": "x"}); fault.CodeOf(err) != "department" {
		t.Errorf("a role taken here: %v", err)
	}

	// Roles change at the next sign-in, and all sessions end.
	again := r.desk()
	if _, err := again.comes(p, who("sub-1", "lead-7"), "vaccinator@centre/21/395/7"); err != nil || again.member != d.member {
		t.Fatalf("%v, %s and %s", err, again.member, d.member)
	}
	if _, err := d.get(vault.ActMe); err != nil {
		t.Errorf("a second session ended the first: %v", err)
	}
	if got, err := again.comes(p, who("sub-1", "jab-7"), ""); err != nil || strings.Join(got.Person.Grants, " ") != "vaccinator@centre/21/395/7" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session with roles of before: %v", err)
	}
	if _, err := again.comes(p, who("sub-1", "nothing"), ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without a role: %v", err)
	}
	if _, err := again.comes(p, who("nobody", "nothing"), ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a newcomer without a role: %v", err)
	}
	if _, err := again.comes(p, who("sub-1", "jab-7"), "national@national"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a role that is not theirs: %v", err)
	}
}

func thumbOf(t *testing.T, d *desk) string {
	t.Helper()
	j := d.key.JWK()
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + j["x"] + `","y":"` + j["y"] + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestDepartmentLeavers: who left is out at once, comes back only by their department's
// word, and not where an administrator disabled them.
func TestDepartmentLeavers(t *testing.T) {
	r := staffRig(t)
	a := r.national()
	p := r.provider()
	r.inForce(p.Config(nil), a)
	one, two, three := r.desk(), r.desk(), r.desk()
	for i, d := range []*desk{one, two, three} {
		if _, err := d.comes(p, who([]string{"one", "two", "three"}[i], "jab-7"), ""); err != nil {
			t.Fatal(err)
		}
	}
	sync := func(s vault.StaffSync) vault.StaffSynced {
		t.Helper()
		s.Department = "health"
		got, err := r.k.Office().StaffSync(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := sync(vault.StaffSync{Left: []string{"one", "stranger"}, Stay: []string{"two"}}); got.Disabled != 1 || got.Ended != 1 {
		t.Errorf("%+v", got)
	}
	if _, err := one.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a leaver's session: %v", err)
	}
	if _, err := two.get(vault.ActMe); err != nil {
		t.Errorf("a colleague's session: %v", err)
	}
	if _, err := one.comes(p, who("one", "jab-7"), ""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a leaver signs in: %v", err)
	}
	if got := sync(vault.StaffSync{Left: []string{"one"}}); got.Disabled != 0 {
		t.Errorf("the same again: %+v", got)
	}
	if got := sync(vault.StaffSync{Stay: []string{"one", "two"}, Whole: true}); got.Back != 1 || got.Disabled != 1 {
		t.Errorf("%+v", got)
	}
	if _, err := three.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("who is not in a whole list: %v", err)
	}
	if _, err := one.comes(p, who("one", "jab-7"), ""); err != nil {
		t.Errorf("back: %v", err)
	}
	a.mustAct(vault.ActDisable, map[string]any{"member_id": one.member, "reason": "left"})
	if got := sync(vault.StaffSync{Stay: []string{"one"}}); got.Back != 0 {
		t.Errorf("whom an administrator disabled: %+v", got)
	}
	left := who("two", "jab-7")
	left["active"] = false
	if _, err := two.comes(p, left, ""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("an account that is not active: %v", err)
	}
	if _, err := two.comes(p, who("two", "jab-7"), ""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("after that: %v", err)
	}
	if _, err := r.k.Office().StaffSync(t.Context(), vault.StaffSync{Department: "other"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
}

// TestDepartmentChanges: what a file takes away is gone at once; what it adds waits.
func TestDepartmentChanges(t *testing.T) {
	r := staffRig(t)
	a := r.national()
	p := r.provider()
	r.inForce(p.Config(nil), a)
	d := r.desk()
	if _, err := d.comes(p, who("one", "lead-7"), ""); err != nil {
		t.Fatal(err)
	}
	more := map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}, "lead-7": {"manager@centre/21/395/7", "vaccinator@centre/21/395/7"}, "boss": {"district@district/21/395"}}
	added := r.hand(p.Config(map[string]any{"mapping": more}))
	if added.Ended != 0 || added.Waiting == "" || added.InForce == "" {
		t.Fatalf("%+v", added)
	}
	if _, err := d.get(vault.ActMe); err != nil {
		t.Errorf("something that waits ended a session: %v", err)
	}
	if _, err := d.comes(p, who("two", "boss"), ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a line that waits: %v", err)
	}
	// Another file takes the place of the one that waited, and takes a line away.
	if _, err := d.comes(p, who("one", "lead-7"), ""); err != nil {
		t.Fatal(err)
	}
	less := r.hand(p.Config(map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}}}))
	for range 2 { // the same file again changes nothing
		if same := r.hand(p.Config(map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}}})); same.Ended != 0 || same.Waiting != "" || same.InForce != less.InForce {
			t.Errorf("%+v", same)
		}
	}
	if less.Ended != 2 || less.Waiting != "" || less.InForce == added.InForce {
		t.Fatalf("%+v", less)
	}
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session under what was taken away: %v", err)
	}
	if _, err := a.fresh(vault.ActApprove, a.approval(added.Proposal)); !fault.Is(err, fault.NotFound) {
		t.Errorf("what was replaced is approved: %v", err)
	}
	if _, err := d.comes(p, who("one", "lead-7"), ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a line that is gone: %v", err)
	}
	// Withdrawn by an administrator, ended by the operator.
	more["lead-7"] = nil
	delete(more, "lead-7")
	waits := r.hand(p.Config(map[string]any{"mapping": more}))
	a.mustAct(vault.ActWithdraw, map[string]any{"proposal_id": waits.Proposal})
	if got, err := r.k.Office().DepartmentList(t.Context(), vault.Empty{}); err != nil || got.List[0].Waiting != "" || got.List[0].InForce != less.InForce {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := d.comes(p, who("three", "jab-7"), ""); err != nil {
		t.Fatal(err)
	}
	got, err := r.k.Office().DepartmentEnd(t.Context(), vault.DepartmentRequest{ID: "health"})
	if err != nil || got.List[0].Ended != 1 || got.List[0].Members != 2 || got.List[0].InForce != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("after the end: %v", err)
	}
	if got := r.hand(p.Config(nil)); got.Waiting == "" || got.InForce != "" { // as if it had never been
		t.Errorf("%+v", got)
	}
	if _, err := r.k.Office().DepartmentEnd(t.Context(), vault.DepartmentRequest{ID: "health"}); err != nil {
		t.Error(err)
	}
	second := p.Config(map[string]any{"id": "other"})
	if _, err := r.k.Office().DepartmentSet(t.Context(), vault.DepartmentRequest{Config: second}); err != nil {
		t.Errorf("the issuer of a department that ended: %v", err)
	}
	if _, err := r.k.Office().DepartmentSet(t.Context(), vault.DepartmentRequest{Config: p.Config(nil)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("two departments of one issuer: %v", err)
	}
}

// TestDepartmentPasskey: with a passkey that two administrators gave, a department's
// member confirms acts; signing in goes through the department all the same.
func TestDepartmentPasskey(t *testing.T) {
	r, a, b, _ := three(t)
	p := r.provider()
	r.inForce(p.Config(nil), a)
	r.backIn(b)
	d := r.desk()
	if _, err := d.comes(p, who("one", "lead-7"), "manager@centre/21/395/7"); err != nil {
		t.Fatal(err)
	}
	link := a.mustFresh(vault.ActRecover, map[string]any{"member_id": d.member})
	b.mustFresh(vault.ActApprove, b.approval(link.Proposal))
	key := d.key
	d.newKey()
	if err := d.enrol(link.Link, ""); err != nil {
		t.Fatal(err)
	}
	d.key = key
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a new passkey ends the sessions: %v", err)
	}
	if err := d.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("past the department: %v", err)
	}
	if _, err := d.comes(p, who("one", "lead-7"), "manager@centre/21/395/7"); err != nil {
		t.Fatal(err)
	}
	d.mustFresh(vault.ActInvite, map[string]any{"name": "Tara Test", "grant": "vaccinator@centre/21/395/7"})
}

// TestDepartmentApprovesNothing: a directory can make two accounts for one human; whom it
// alone vouches for is nobody's second person, where no touch is asked for either.
func TestDepartmentApprovesNothing(t *testing.T) {
	r := staffRig(t)
	a := r.national()
	p := r.provider()
	r.inForce(p.Config(nil), a)
	one, two := r.desk(), r.desk()
	for sub, d := range map[string]*desk{"sub-1": one, "sub-2": two} {
		if _, err := d.comes(p, who(sub, "lead-7"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.k.MayApprove(t.Context(), id.Staff(one.member), id.Staff(two.member)); fault.CodeOf(err) != "passkey" {
		t.Errorf("two accounts of one directory: %v", err)
	}
	if err := r.k.MayApprove(t.Context(), id.Staff(one.member), id.Staff(a.member)); err != nil {
		t.Errorf("somebody with a passkey: %v", err)
	}
}
