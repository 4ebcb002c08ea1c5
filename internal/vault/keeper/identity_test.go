package keeper_test

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access/passkey"
	"tikakosh/internal/access/passkey/passkeytest"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

const (
	staffOrigin = "https://staff.example.org"
	identityURL = "https://api.example.org" + vault.RouteIdentity + "/"
	nationalAll = "national@national"
)

// desk is a browser at which a member of staff works: an authenticator and the key of
// the session.
type desk struct {
	r      *rig
	auth   *passkeytest.Authenticator
	key    harness.StaffKey
	member string
	device string
}

func staffRig(t testing.TB) *rig {
	t.Helper()
	return rigWith(t, func(r *rig) {
		site, err := passkey.NewSite("Tikakosh", staffOrigin)
		if err != nil {
			t.Fatal(err)
		}
		r.cfg.Staff = site
	})
}

func (r *rig) desk() *desk {
	d := &desk{r: r, auth: &passkeytest.Authenticator{Origin: staffOrigin}}
	d.newKey()
	return d
}

func (d *desk) newKey() {
	d.r.t.Helper()
	var err error
	if d.key, err = harness.NewStaffKey("", 0); err != nil {
		d.r.t.Fatal(err)
	}
}

// ask signs an act with the desk's key.
func (d *desk) signed(method, act string, body any, assertion []byte) vault.Signed {
	d.r.t.Helper()
	raw, _ := body.([]byte)
	if body != nil && raw == nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			d.r.t.Fatal(err)
		}
	}
	proof, err := d.key.Sign(harness.Claims(method, identityURL+act, raw, d.r.clock()))
	if err != nil {
		d.r.t.Fatal(err)
	}
	return vault.Signed{Method: method, URL: identityURL + act, Body: raw, Proof: proof, Assertion: assertion}
}

func (d *desk) begin(act string, body any) (vault.StaffCeremony, error) {
	return d.r.k.Office().StaffBegin(d.r.t.Context(), vault.StaffAct{Signed: d.signed("POST", act, body, nil)})
}

func (d *desk) act(act string, body any) (vault.StaffActed, error) {
	return d.r.k.Office().StaffAct(d.r.t.Context(), vault.StaffAct{Signed: d.signed("POST", act, body, nil)})
}

func (d *desk) get(act string) (vault.StaffActed, error) {
	return d.r.k.Office().StaffAct(d.r.t.Context(), vault.StaffAct{Signed: d.signed("GET", act, nil, nil)})
}

func (d *desk) mustAct(act string, body any) vault.StaffActed {
	d.r.t.Helper()
	got, err := d.act(act, body)
	if err != nil {
		d.r.t.Fatalf("%s: %v", act, err)
	}
	return got
}

// fresh carries out an act that a passkey signs.
func (d *desk) fresh(act string, body map[string]any) (vault.StaffActed, error) {
	d.r.t.Helper()
	n, err := d.begin(vault.ActNonce, map[string]any{})
	if err != nil {
		return vault.StaffActed{}, err
	}
	body["nonce"] = n.ID
	raw, err := json.Marshal(body)
	if err != nil {
		d.r.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("POST\n" + identityURL + act + "\n" + string(raw)))
	assertion, err := d.auth.Get(n.Options, sum[:])
	if err != nil {
		d.r.t.Fatal(err)
	}
	return d.r.k.Office().StaffAct(d.r.t.Context(), vault.StaffAct{Signed: d.signed("POST", act, raw, assertion)})
}

func (d *desk) mustFresh(act string, body map[string]any) vault.StaffActed {
	d.r.t.Helper()
	got, err := d.fresh(act, body)
	if err != nil {
		d.r.t.Fatalf("%s: %v", act, err)
	}
	return got
}

func (d *desk) enrol(link, name string) error {
	d.r.t.Helper()
	body := map[string]any{"link": link}
	if name != "" {
		body["name"] = name
	}
	c, err := d.begin(vault.ActEnrolBegin, body)
	if err != nil {
		return err
	}
	answer, err := d.auth.Create(c.Options)
	if err != nil {
		d.r.t.Fatal(err)
	}
	got, err := d.act(vault.ActEnrolFinish, map[string]any{"ceremony": c.ID, "credential": json.RawMessage(answer)})
	d.member, d.device = got.Member, got.Device
	return err
}

func (d *desk) signIn(grant string) error {
	d.r.t.Helper()
	d.newKey()
	c, err := d.begin(vault.ActSignInBegin, map[string]any{})
	if err != nil {
		return err
	}
	answer, err := d.auth.Get(c.Options, nil)
	if err != nil {
		d.r.t.Fatal(err)
	}
	body := map[string]any{"ceremony": c.ID, "credential": json.RawMessage(answer)}
	if grant != "" {
		body["grant"] = grant
	}
	got, err := d.act(vault.ActSignInFinish, body)
	if err == nil {
		d.key.Staff = got.Member
	}
	return err
}

// national enrols and signs in the first administrator.
func (r *rig) national() *desk {
	r.t.Helper()
	link, err := r.k.Office().StaffSetup(r.t.Context(), vault.StaffOperatorRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	d := r.desk()
	if err := d.enrol(link.Link, "Nita Test"); err != nil {
		r.t.Fatal(err)
	}
	if err := d.signIn(""); err != nil {
		r.t.Fatal(err)
	}
	return d
}

// joins takes an invitation to its end: invited by one, approved by another after
// whatever wait there is (nil: by the operator), enrolled and signed in.
func (d *desk) joins(second *desk, name, grant string) *desk {
	r := d.r
	r.t.Helper()
	inv := d.mustFresh(vault.ActInvite, map[string]any{"name": name, "grant": grant})
	if wait := inv.From - r.clock().UnixMilli(); wait > 0 {
		r.advance(time.Duration(wait) * time.Millisecond)
		r.backIn(d, second)
	}
	if second == nil {
		if _, err := r.k.Office().StaffApprove(r.t.Context(), vault.StaffOperatorRequest{Proposal: inv.Proposal}); err != nil {
			r.t.Fatal(err)
		}
	} else {
		second.mustFresh(vault.ActApprove, second.approval(inv.Proposal))
	}
	n := r.desk()
	if err := n.enrol(inv.Link, ""); err != nil {
		r.t.Fatal(err)
	}
	if err := n.signIn(""); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// backIn signs desks in after their sessions' time.
func (r *rig) backIn(desks ...*desk) {
	r.t.Helper()
	for _, d := range desks {
		if d != nil {
			if err := d.signIn(""); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// three is an installation with three national administrators, so that nothing waits.
func three(t testing.TB) (r *rig, a, b, c *desk) {
	r = staffRig(t)
	a = r.national()
	b = a.joins(nil, "Omar Test", nationalAll)
	c = a.joins(b, "Priya Test", nationalAll)
	r.backIn(a, b, c)
	return r, a, b, c
}

func TestFirstAdministrator(t *testing.T) {
	r := staffRig(t)
	first, err := r.k.Office().StaffSetup(t.Context(), vault.StaffOperatorRequest{})
	if err != nil || !strings.HasPrefix(first.Link, staffOrigin+"/enrol#") {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := r.k.Office().StaffSetup(t.Context(), vault.StaffOperatorRequest{})
	if err != nil {
		t.Fatal(err)
	}
	d := r.desk()
	other := "q" // one of the eight letters a link can end with; not the one this link ends with
	if strings.HasSuffix(first.Link, other) {
		other = "a"
	}
	for _, link := range []string{"", "x", first.Link[:len(first.Link)-1] + other, strings.Replace(first.Link, first.Proposal, second.Proposal, 1)} {
		if err := d.enrol(link, "Nita Test"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", link, err)
		}
	}
	if err := d.enrol(first.Link, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a name: %v", err)
	}
	if err := d.enrol(first.Link, "Nita Test"); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{first.Link, second.Link} { // used, and there is an administrator now
		if err := r.desk().enrol(link, "Evil Test"); err == nil {
			t.Error("a second administrator by a set-up link")
		}
	}
	if _, err := r.k.Office().StaffSetup(t.Context(), vault.StaffOperatorRequest{}); !fault.Is(err, fault.Conflict) {
		t.Errorf("another set-up link: %v", err)
	}
	if err := d.signIn(""); err != nil {
		t.Fatal(err)
	}
	me, err := d.get(vault.ActMe)
	if err != nil || me.Person.Name != "Nita Test" || !slices.Equal(me.Person.Grants, []string{nationalAll}) || len(me.Sessions) != 1 || me.Session == nil || len(me.Devices) != 1 {
		t.Fatalf("%+v, %v", me, err)
	}
	if dump := r.dump("staff_member", "staff_proposal", "staff_ceremony"); strings.Contains(dump, "Nita") {
		t.Error("a name stands in the clear")
	}
	r.advance(25 * time.Hour)
	if err := r.desk().enrol(second.Link, "Late Test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after its day: %v", err)
	}
}

func TestSetupLinkEnds(t *testing.T) {
	r := staffRig(t)
	link, err := r.k.Office().StaffSetup(t.Context(), vault.StaffOperatorRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r.advance(25 * time.Hour)
	if err := r.desk().enrol(link.Link, "Late Test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after its day: %v", err)
	}
}

// TestSignInRules: what does not let somebody in.
func TestSignInRules(t *testing.T) {
	r := staffRig(t)
	d := r.national()
	begin := func(d *desk) (vault.StaffCeremony, []byte) {
		d.newKey()
		c, err := d.begin(vault.ActSignInBegin, map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := d.auth.Get(c.Options, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c, answer
	}
	finish := func(d *desk, c vault.StaffCeremony, answer []byte) error {
		_, err := d.act(vault.ActSignInFinish, map[string]any{"ceremony": c.ID, "credential": json.RawMessage(answer)})
		return err
	}
	c, answer := begin(d)
	other := r.desk()
	if err := finish(other, c, answer); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("finished by another key than began: %v", err)
	}
	if err := finish(d, c, answer); err != nil {
		t.Errorf("a stranger's try spent it: %v", err)
	}
	if err := finish(d, c, answer); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("by a key that has a session: %v", err)
	}
	c, answer = begin(d)
	r.advance(2*time.Minute + time.Second)
	if err := finish(d, c, answer); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("after two minutes: %v", err)
	}
	c, _ = begin(d)
	_, answer2 := begin(r.with(d))
	if err := finish(d, c, answer2); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("the answer to another challenge: %v", err)
	}
	c, answer = begin(d)
	d.auth.NoUser = true
	bad, err := d.auth.Get(c.Options, nil)
	d.auth.NoUser = false
	if err != nil {
		t.Fatal(err)
	}
	if err := finish(d, c, bad); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("user not verified: %v", err)
	}
	if err := finish(d, c, answer); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a challenge after a wrong answer: %v", err)
	}
	c, answer = begin(d)
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if err := finish(d, c, answer); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a challenge of another run of the vault: %v", err)
	}
	if err := d.signIn("manager@centre/1/1/7"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("under a role one does not hold: %v", err)
	}
	if err := d.signIn(nationalAll); err != nil {
		t.Error(err)
	}
	d.auth.Passkeys[0].Count = 0 // a copy of the authenticator
	if err := d.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a count that did not grow: %v", err)
	}
	d.auth.Passkeys[0].Count = 100
	if err := d.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a device that was copied: %v", err)
	}
	if !strings.Contains(r.log(), "alarm=staff") {
		t.Error("no alarm")
	}
}

// with is another browser with the same authenticator.
func (r *rig) with(d *desk) *desk {
	n := r.desk()
	n.auth, n.member, n.device = d.auth, d.member, d.device
	return n
}

func TestSessionEnds(t *testing.T) {
	r := staffRig(t)
	d := r.national()
	for range 20 { // in use: lives on
		r.advance(14 * time.Minute)
		if _, err := d.get(vault.ActMe); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(15*time.Minute + time.Second)
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("idle: %v", err)
	}
	r.backIn(d)
	began := r.clock()
	for r.clock().Sub(began) < 8*time.Hour-14*time.Minute {
		r.advance(14 * time.Minute)
		if _, err := d.get(vault.ActMe); err != nil {
			t.Fatalf("after %v: %v", r.clock().Sub(began), err)
		}
	}
	r.advance(14 * time.Minute)
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("after 8 hours: %v", err)
	}
	r.backIn(d)
	one := r.with(d)
	r.backIn(one)
	if me, err := d.get(vault.ActMe); err != nil || len(me.Sessions) != 2 {
		t.Fatalf("%+v, %v", me.Sessions, err)
	}
	one.mustAct(vault.ActSignOut, map[string]any{})
	if _, err := one.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("signed out: %v", err)
	}
	if _, err := d.get(vault.ActMe); err != nil {
		t.Errorf("the other session: %v", err)
	}
	r.backIn(one)
	if got := d.mustAct(vault.ActSessionsEnd, map[string]any{"member_id": d.member}); got.Ended != 2 {
		t.Errorf("%d ended", got.Ended)
	}
	if _, err := one.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("ended from the other: %v", err)
	}
	r.backIn(d)
	s := d.signed("POST", vault.ActSignOut, map[string]any{}, nil)
	if _, err := r.k.Office().StaffAct(t.Context(), vault.StaffAct{Signed: s}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Office().StaffAct(t.Context(), vault.StaffAct{Signed: s}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("replayed: %v", err)
	}
	for range 7 { // five live ones at most
		r.backIn(r.with(d))
	}
	r.backIn(d)
	if me, err := d.get(vault.ActMe); err != nil || len(me.Sessions) != 5 {
		t.Errorf("%d live sessions, %v", len(me.Sessions), err)
	}
}

// TestFreshAssertion: the passkey signs this very request, once, with the nonce of
// this session.
func TestFreshAssertion(t *testing.T) {
	r := staffRig(t)
	d := r.national()
	body := func(nonce string) []byte {
		raw, _ := json.Marshal(map[string]any{"name": "Omar Test", "grant": nationalAll, "nonce": nonce})
		return raw
	}
	nonce := func(d *desk) vault.StaffCeremony {
		n, err := d.begin(vault.ActNonce, map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	sign := func(n vault.StaffCeremony, act string, raw []byte) []byte {
		sum := sha256.Sum256([]byte("POST\n" + identityURL + act + "\n" + string(raw)))
		a, err := d.auth.Get(n.Options, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	send := func(d *desk, raw, assertion []byte) error {
		_, err := r.k.Office().StaffAct(t.Context(), vault.StaffAct{Signed: d.signed("POST", vault.ActInvite, raw, assertion)})
		return err
	}
	n := nonce(d)
	if err := send(d, body(n.ID), nil); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("none: %v", err)
	}
	if err := send(d, body(n.ID), sign(n, vault.ActInvite, body(n.ID))); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a nonce that was tried: %v", err)
	}
	n = nonce(d)
	if err := send(d, body(n.ID), sign(n, vault.ActRecover, body(n.ID))); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("signed for another act: %v", err)
	}
	n = nonce(d)
	if err := send(d, body(n.ID), sign(n, vault.ActInvite, body(n.ID+" "))); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("signed another body: %v", err)
	}
	n = nonce(d)
	other := r.with(d)
	r.backIn(other)
	if err := send(other, body(n.ID), sign(n, vault.ActInvite, body(n.ID))); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("the nonce of another session: %v", err)
	}
	n = nonce(d)
	late := sign(n, vault.ActInvite, body(n.ID))
	r.advance(time.Minute + time.Second)
	if err := send(d, body(n.ID), late); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("after a minute: %v", err)
	}
	n = nonce(d)
	good := sign(n, vault.ActInvite, body(n.ID))
	if err := send(d, body(n.ID), good); err != nil {
		t.Errorf("the right one: %v", err)
	}
	if err := send(d, body(n.ID), good); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("again: %v", err)
	}
}

// TestInvitations: who may invite whom, that another human approves it, and what waits.
func TestInvitations(t *testing.T) {
	r := staffRig(t)
	a := r.national()
	inv := a.mustFresh(vault.ActInvite, map[string]any{"name": "Omar Test", "grant": nationalAll})
	if inv.From != r.clock().Add(24*time.Hour).UnixMilli() {
		t.Errorf("from %d", inv.From)
	}
	if _, err := a.fresh(vault.ActApprove, a.approval(inv.Proposal)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("approved by who proposed it: %v", err)
	}
	_, err := r.k.Office().StaffApprove(t.Context(), vault.StaffOperatorRequest{Proposal: inv.Proposal})
	if fault.CodeOf(err) != "wait" || fault.RetryAfter(err) != 24*time.Hour {
		t.Errorf("by the operator at once: %v", err)
	}
	acts, err := r.k.SecondPersonActs(t.Context(), vault.SecondPersonRequest{})
	if err != nil || len(acts.Acts) != 1 || acts.Acts[0].ID != inv.Proposal || acts.Acts[0].Kind != "staff-invitation" || acts.Acts[0].Done != 0 {
		t.Errorf("the public list: %+v, %v", acts, err)
	}
	if err := r.desk().enrol(inv.Link, ""); fault.CodeOf(err) != "wait" {
		t.Errorf("used before it was approved: %v", err)
	}
	r.advance(24 * time.Hour)
	if _, err := r.k.Office().StaffApprove(t.Context(), vault.StaffOperatorRequest{Proposal: inv.Proposal}); err != nil {
		t.Fatal(err)
	}
	if acts, _ := r.k.SecondPersonActs(t.Context(), vault.SecondPersonRequest{}); len(acts.Acts) != 1 || acts.Acts[0].Done == 0 {
		t.Errorf("the public list: %+v", acts)
	}
	b := r.desk()
	if err := b.enrol(inv.Link, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.desk().enrol(inv.Link, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("a used link: %v", err)
	}
	r.backIn(a, b)
	second := a.mustFresh(vault.ActInvite, map[string]any{"name": "Priya Test", "grant": nationalAll})
	if _, err := r.k.Office().StaffApprove(t.Context(), vault.StaffOperatorRequest{Proposal: second.Proposal}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by the operator though another can: %v", err)
	}
	if _, err := b.fresh(vault.ActApprove, b.approval(second.Proposal)); fault.CodeOf(err) != "wait" {
		t.Errorf("two administrators, at once: %v", err)
	}
	r.advance(24 * time.Hour)
	r.backIn(a, b)
	b.mustFresh(vault.ActApprove, b.approval(second.Proposal))
	c := r.desk()
	if err := c.enrol(second.Link, ""); err != nil {
		t.Fatal(err)
	}
	r.backIn(c)

	state := a.joins(b, "Sana Test", "state@state/21")
	for _, bad := range []string{"state@state/22", "national@national", "manager@centre/22/395/7", "auditor@state/21", "privacy@state/21"} {
		if _, err := state.fresh(vault.ActInvite, map[string]any{"name": "Xavi Test", "grant": bad}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a state gives %s: %v", bad, err)
		}
	}
	if _, err := state.fresh(vault.ActInvite, map[string]any{"name": "sana  TEST", "grant": "district@district/21/395"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("oneself under another role: %v", err)
	}
	manager := state.joins(a, "Mira Test", "manager@centre/21/395/7")
	if _, err := a.fresh(vault.ActInvite, map[string]any{"name": "Yuri Test", "grant": "manager@centre/21/396/7"}); fault.CodeOf(err) != "place" {
		t.Errorf("a centre that lies elsewhere: %v", err)
	}
	if _, err := manager.fresh(vault.ActInvite, map[string]any{"name": "Yuri Test", "grant": "vaccinator@centre/21/395/8"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a manager for another centre: %v", err)
	}
	p := manager.mustFresh(vault.ActInvite, map[string]any{"name": "Vani Test", "grant": "vaccinator@centre/21/395/7"})
	if p.From > r.clock().UnixMilli() { // five could approve
		t.Errorf("waits until %d", p.From)
	}
	list, err := state.get(vault.ActProposals)
	if err != nil || len(list.Proposals) != 1 || list.Proposals[0].Name != "Vani Test" || list.Proposals[0].Mine {
		t.Errorf("%+v, %v", list.Proposals, err)
	}
	if members, err := state.get(vault.ActMembers); err != nil || len(members.Members) != 2 {
		t.Errorf("the state's members: %+v, %v", members.Members, err)
	}
	manager.mustAct(vault.ActWithdraw, map[string]any{"proposal_id": p.Proposal})
	if _, err := state.fresh(vault.ActApprove, state.approval(p.Proposal)); !fault.Is(err, fault.NotFound) {
		t.Errorf("withdrawn: %v", err)
	}
}

// TestSecondDevice: what is enrolled on the link of a member waits for another human.
func TestSecondDevice(t *testing.T) {
	r, a, b, _ := three(t)
	v := a.joins(b, "Vani Test", "vaccinator@centre/21/395/7")
	link := v.mustFresh(vault.ActDeviceLink, map[string]any{})
	two := r.desk()
	if err := two.enrol(link.Link, ""); err != nil {
		t.Fatal(err)
	}
	if err := two.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a device that waits: %v", err)
	}
	if _, err := v.fresh(vault.ActApprove, v.approval(link.Proposal)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by its owner: %v", err)
	}
	if _, err := v.get(vault.ActMe); err != nil {
		t.Fatal(err)
	}
	a.mustFresh(vault.ActApprove, a.approval(link.Proposal))
	if _, err := v.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session after a change of devices: %v", err)
	}
	r.backIn(v, two)
	if got := a.mustAct(vault.ActDeviceEnd, map[string]any{"member_id": v.member, "device_id": v.device, "reason": "lost"}); got.Ended != 2 {
		t.Errorf("%d sessions ended", got.Ended)
	}
	if err := v.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("an ended device: %v", err)
	}
	r.backIn(two)
	link = two.mustFresh(vault.ActDeviceLink, map[string]any{})
	r.advance(15*time.Minute + time.Second)
	if err := r.desk().enrol(link.Link, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("a link of a quarter of an hour: %v", err)
	}
}

// TestRecovery: two others give a member a new first device; all before it ends.
func TestRecovery(t *testing.T) {
	r, a, b, c := three(t)
	v := a.joins(b, "Vani Test", "vaccinator@centre/21/395/7")
	if _, err := v.fresh(vault.ActRecover, map[string]any{"member_id": v.member}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("of oneself: %v", err)
	}
	if _, err := v.fresh(vault.ActRecover, map[string]any{"member_id": a.member}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("of an administrator by a vaccinator: %v", err)
	}
	rec := a.mustFresh(vault.ActRecover, map[string]any{"member_id": v.member})
	if err := r.desk().enrol(rec.Link, ""); fault.CodeOf(err) != "wait" {
		t.Errorf("before a second person: %v", err)
	}
	if _, err := a.fresh(vault.ActApprove, a.approval(rec.Proposal)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by the same: %v", err)
	}
	c.mustFresh(vault.ActApprove, c.approval(rec.Proposal))
	n := r.desk()
	if err := n.enrol(rec.Link, ""); err != nil || n.member != v.member {
		t.Fatal(n.member, err)
	}
	if _, err := v.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("an old session: %v", err)
	}
	if err := v.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("the lost device: %v", err)
	}
	r.backIn(n)
}

// TestGrantsAndDisabling: roles come by two humans and go by one, with all sessions.
func TestGrantsAndDisabling(t *testing.T) {
	r, a, b, c := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	p := a.mustFresh(vault.ActGrant, map[string]any{"member_id": m.member, "grant": "vaccinator@centre/21/395/8"})
	if _, err := a.fresh(vault.ActApprove, a.approval(p.Proposal)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by the same: %v", err)
	}
	c.mustFresh(vault.ActApprove, c.approval(p.Proposal))
	if _, err := m.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session of before: %v", err)
	}
	if err := m.signIn("vaccinator@centre/21/395/8"); err != nil {
		t.Fatal(err)
	}
	if got := m.mustAct(vault.ActGrantChosen, map[string]any{"grant": "manager@centre/21/395/7"}); got.Session.Grant != "manager@centre/21/395/7" {
		t.Errorf("%+v", got.Session)
	}
	if _, err := m.act(vault.ActGrantChosen, map[string]any{"grant": nationalAll}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a role not held: %v", err)
	}
	if got := b.mustAct(vault.ActGrantEnd, map[string]any{"member_id": m.member, "grant": "manager@centre/21/395/7", "reason": "moved"}); got.Ended != 1 {
		t.Errorf("%d ended", got.Ended)
	}
	if err := m.signIn("manager@centre/21/395/7"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a role that was taken: %v", err)
	}
	r.backIn(m)
	if _, err := m.act(vault.ActDisable, map[string]any{"member_id": a.member, "reason": "x"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a vaccinator disables an administrator: %v", err)
	}
	if _, err := a.act(vault.ActDisable, map[string]any{"member_id": a.member, "reason": "x"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("oneself: %v", err)
	}
	p = a.mustFresh(vault.ActGrant, map[string]any{"member_id": m.member, "grant": "verifier@centre/21/395/8"})
	a.mustAct(vault.ActDisable, map[string]any{"member_id": m.member, "reason": "left"})
	if _, err := m.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session: %v", err)
	}
	if err := m.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("signed in: %v", err)
	}
	if _, err := b.fresh(vault.ActApprove, b.approval(p.Proposal)); !fault.Is(err, fault.Conflict) {
		t.Errorf("a role for somebody who left: %v", err)
	}
	p = c.mustFresh(vault.ActInvite, map[string]any{"name": "Zoya Test", "grant": "auditor@national"})
	if _, err := r.k.Office().StaffEnd(t.Context(), vault.StaffOperatorRequest{Member: c.member}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.fresh(vault.ActApprove, a.approval(p.Proposal)); fault.CodeOf(err) != "ended" {
		t.Errorf("proposed by somebody who left: %v", err)
	}
}

// TestRosteredSession: a session is used like an enrolled key, opens records only where
// its member is on the roster, and the ledger and the budgets know the human.
func TestRosteredSession(t *testing.T) {
	r, a, b, _ := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	v := a.joins(b, "Vani Test", "vaccinator@centre/21/395/7")
	o := r.offer("COVAXIN")
	r.openDay(m.key, o)
	person, ref := id.Person(id.New()), id.NewReference()
	code := func() error {
		_, err := r.k.StaffCode(t.Context(), vault.StaffCodeRequest{Signed: r.sign(v.key, codeURL, map[string]any{"beneficiary_reference_id": ref}), Reference: ref, Person: person})
		return err
	}
	if err := code(); fault.CodeOf(err) != "roster" {
		t.Fatalf("not on the roster: %v", err)
	}
	day := o.Day.Indian()
	if _, err := v.act(vault.ActRosterPut, map[string]any{"member_id": v.member, "center_id": 7, "date": day, "on": true}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("put there by a vaccinator: %v", err)
	}
	m.mustAct(vault.ActRosterPut, map[string]any{"member_id": v.member, "center_id": 7, "date": day, "on": true})
	if _, err := m.act(vault.ActRosterPut, map[string]any{"member_id": a.member, "center_id": 7, "date": day, "on": true}); !fault.Is(err, fault.Conflict) {
		t.Errorf("somebody of another place: %v", err)
	}
	if err := code(); err != nil {
		t.Errorf("on the roster: %v", err)
	}
	list, err := m.get(vault.ActRoster + "?center_id=7&date=" + day)
	if err != nil || len(list.Members) != 1 || list.Members[0].ID != v.member {
		t.Errorf("%+v, %v", list.Members, err)
	}
	m.mustAct(vault.ActRosterPut, map[string]any{"member_id": v.member, "center_id": 7, "date": day, "on": false})
	if err := code(); fault.CodeOf(err) != "roster" {
		t.Errorf("taken off: %v", err)
	}
	names, err := r.k.StaffNames(t.Context(), vault.Empty{})
	if err != nil || len(names.Names) == 0 {
		t.Errorf("%d names, %v", len(names.Names), err)
	}
}

// TestSuspendedMembers: after a restore behind the ledger nobody goes on before the
// operator confirmed them.
func TestSuspendedMembers(t *testing.T) {
	r := staffRig(t)
	d := r.national()
	if n, err := r.k.SuspendMembers(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := d.get(vault.ActMe); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session: %v", err)
	}
	if err := d.signIn(""); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("signed in: %v", err)
	}
	for range 2 {
		_, err := r.k.Resume(t.Context(), vault.ResumeRequest{Staff: id.Staff(d.member)})
		if again := fault.Is(err, fault.Conflict); err != nil && !again {
			t.Fatal(err)
		}
	}
	if err := d.signIn(""); err != nil {
		t.Error(err)
	}
}

// TestStaffOff: without a place where staff sign in there is no act at all.
func TestStaffOff(t *testing.T) {
	r := newRig(t)
	if _, err := r.k.Office().StaffSetup(t.Context(), vault.StaffOperatorRequest{}); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if _, err := r.desk().begin(vault.ActSignInBegin, map[string]any{}); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}
