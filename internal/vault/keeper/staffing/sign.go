package staffing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/passkey"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

// signInRefused is one answer for every reason: who fails learns nothing about whom
// the passkey belongs to.
func signInRefused() error {
	return fault.New(fault.Unauthorized, "sign-in", "the sign-in was refused; begin again, and if it is refused again ask whoever invited you")
}

func noLink() error {
	return fault.New(fault.NotFound, "link", "this link is not good, or not any more; ask for a new one")
}

// staffOff answers where nobody said at which address staff sign in.
func (k *Office) staffOff() error {
	if k.site.ID == "" {
		return fault.New(fault.Unavailable, "staff", "staff do not sign in here: the vault was started without --staff-origin")
	}
	return nil
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// StaffBegin implements the vault's word.
func (k *Office) StaffBegin(ctx context.Context, r vault.StaffAct) (vault.StaffCeremony, error) {
	act, _, err := actOf(r.Signed)
	if err = firstErr(err, k.staffOff()); err != nil {
		return vault.StaffCeremony{}, err
	}
	var out vault.StaffCeremony
	_, err = k.update(ctx, func(t *txn) (err error) {
		switch act {
		case "POST " + vault.ActSignInBegin:
			out, err = t.signInBegin(r.Signed)
		case "POST " + vault.ActDepartmentBegin:
			out, err = t.departmentBegin(r.Signed)
		case "POST " + vault.ActEnrolBegin:
			out, err = t.enrolBegin(r.Signed)
		case "POST " + vault.ActNonce:
			out, err = t.nonce(r.Signed)
		default:
			err = proof.Bad("the proof is for another request")
		}
		return err
	})
	return out, err
}

// ceremony writes down a challenge.
func (t *txn) ceremony(c state.Ceremony, life int64) (vault.StaffCeremony, error) {
	name := id.New()
	c.Run, c.Expires = t.k.thisRun(), t.k.now().UnixMilli()+life
	out := vault.StaffCeremony{ID: name, Kind: c.Kind, Expires: c.Expires}
	return out, engine.Put(t, state.Ceremonies, name, c, c.Expires+life)
}

// useCeremony takes a challenge: of that kind, for that key, in time, and once. Not ok
// is no error, so that what is written is kept.
func (t *txn) useCeremony(name, kind, key string) (c state.Ceremony, ok bool, err error) {
	if !id.Valid(name) {
		return c, false, nil
	}
	c, ok, err = engine.Get[state.Ceremony](t, state.Ceremonies, name)
	if err != nil || !ok || c.Kind != kind || c.Used || c.Run != t.k.thisRun() || t.k.now().UnixMilli() >= c.Expires {
		return c, false, err
	}
	if c.Key != key && !ablate.Off(ablate.SessionKey) {
		return c, false, nil
	}
	c.Used = true
	return c, true, engine.Put(t, state.Ceremonies, name, c, c.Expires+ceremonyLife.Milliseconds())
}

const (
	ceremonySignIn     = "sign-in"
	ceremonyEnrol      = "enrol"
	ceremonyNonce      = "nonce"
	ceremonyDepartment = "department"
)

func (t *txn) signInBegin(s vault.Signed) (vault.StaffCeremony, error) {
	thumb, _, err := t.k.proofs.With(t.Txn).NewKey(s)
	if err = firstErr(err, staffBody(s.Body, &struct{}{})); err != nil {
		return vault.StaffCeremony{}, err
	}
	challenge := passkey.NewChallenge()
	out, err := t.ceremony(state.Ceremony{Kind: ceremonySignIn, Key: thumb, Challenge: challenge}, ceremonyLife.Milliseconds())
	out.Options = t.k.site.Request(challenge, nil, ceremonyLife.Milliseconds())
	return out, err
}

// nonce is for the next act that a passkey signs: the client puts the digest of the
// request, with the nonce inside, where the challenge belongs.
func (t *txn) nonce(s vault.Signed) (vault.StaffCeremony, error) {
	a, err := t.acting(s)
	if err = firstErr(err, staffBody(s.Body, &struct{}{})); err == nil {
		err = t.may(&a, policy.StaffNonce, policy.Facts{})
	}
	if err != nil {
		return vault.StaffCeremony{}, err
	}
	var allow [][]byte
	for _, d := range a.row.Devices {
		if d.State == state.DeviceActive {
			allow = append(allow, d.Credential)
		}
	}
	if err := signsNothing(a.row); err != nil {
		return vault.StaffCeremony{}, err
	}
	out, err := t.ceremony(state.Ceremony{Kind: ceremonyNonce, Key: a.session.Key, Member: a.id}, nonceLife.Milliseconds())
	out.Options = t.k.site.Request(nil, allow, nonceLife.Milliseconds())
	return out, err
}

// passkeyOf holds a passkey's answer against a member's active devices and the
// challenge. A device that may have been copied is ended, with all sessions; then, as
// whenever refused is set, what was written is to be kept.
func (t *txn) passkeyOf(member string, m *state.StaffMember, a passkey.Assertion, challenge []byte) (device string, refused, err error) {
	i := slices.IndexFunc(m.Devices, func(d state.StaffDevice) bool {
		return d.State == state.DeviceActive && hmac.Equal(d.Credential, a.Credential)
	})
	if i < 0 {
		return "", signInRefused(), nil
	}
	d := &m.Devices[i]
	row := passkey.Credential{ID: d.Credential, Key: d.Key, Count: uint32(d.Count), Copyable: d.Copyable, Copied: d.Copied}
	row, err = t.k.site.Verify(a, challenge, row)
	if err != nil && ablate.Off(ablate.PasskeyProof) {
		err = nil
	}
	if fault.CodeOf(err) == passkey.CodeCopied {
		d.State = state.DeviceEnded
		t.markEnded(deviceMark(d.ID))
		t.endStaffSessions(m, "")
		t.Append(engine.Entry{Kind: kindStaff, View: "device ended: its count did not grow", Role: "system", Actor: member, Evidence: d.ID})
		t.k.log.Warn("alarm: a staff passkey may have been copied; it was ended", "alarm", "staff")
		return "", signInRefused(), t.putMember(member, *m)
	}
	if err != nil {
		return "", signInRefused(), nil
	}
	d.Count, d.Copied, d.Last = int64(row.Count), row.Copied, t.k.now().UnixMilli()
	return d.ID, nil, nil
}

// signInFinish lets a browser's key in. A refusal is returned apart from an error: the
// ceremony is spent.
func (t *txn) signInFinish(s vault.Signed, out *vault.StaffActed) (refused, err error) {
	var f struct {
		Ceremony   string          `json:"ceremony"`
		Credential json.RawMessage `json:"credential"`
		Grant      string          `json:"grant"`
	}
	if err := staffBody(s.Body, &f); err != nil {
		return nil, err
	}
	thumb, jwk, err := t.k.proofs.With(t.Txn).NewKey(s)
	if err != nil {
		return nil, err
	}
	answer, err := passkey.ParseAssertion(f.Credential)
	if err != nil {
		return nil, err
	}
	c, ok, err := t.useCeremony(f.Ceremony, ceremonySignIn, thumb)
	if err != nil || !ok {
		return signInRefused(), err
	}
	member := memberOf(answer.Handle)
	m, ok, err := engine.Get[state.StaffMember](t, state.StaffMembers, member)
	if err != nil || !ok || m.State != state.MemberActive || m.Department != "" { // whose department lets them in, comes in there
		return signInRefused(), err
	}
	device, refused, err := t.passkeyOf(member, &m, answer, c.Challenge)
	if err != nil || refused != nil {
		return refused, err
	}
	return t.signedIn(member, m, state.StaffSession{Key: thumb, JWK: jwk, Device: device}, f.Grant, out)
}

// signedIn lets a session in, of a member who was found to be who they say.
func (t *txn) signedIn(member string, m state.StaffMember, s state.StaffSession, as string, out *vault.StaffActed) (refused, err error) {
	if s.Grant, err = chosen(m, as); err != nil {
		return err, nil
	}
	thumb := s.Key
	session := t.beginSession(&m, s)
	if err := engine.Put(t, state.StaffSessions, thumb, state.SessionUse{Member: member, Last: session.Began}, session.Expires+sessionLife.Milliseconds()); err != nil {
		return nil, err
	}
	t.Append(actor{id: member, row: m, session: session}.entry("signed in", s.Grant.String(), s.Device))
	view, _, err := t.viewSession(session, thumb)
	if err != nil {
		return nil, err
	}
	person, err := t.k.viewMember(member, m)
	if err != nil {
		return nil, err
	}
	out.Session, out.Person, out.Member = &view, &person, member
	return nil, t.putMember(member, m)
}

// chosen is the grant a session acts under.
func chosen(m state.StaffMember, text string) (access.Grant, error) {
	if text == "" {
		if len(m.Grants) == 0 {
			return access.Grant{}, fault.New(fault.Forbidden, "grant", "you hold no role any more; ask whoever invited you")
		}
		return m.Grants[0], nil
	}
	g, err := access.ParseGrant(text)
	if err != nil {
		return g, err
	}
	if !slices.Contains(m.Grants, g) {
		return g, fault.New(fault.Forbidden, "grant", "you do not hold that role")
	}
	return g, nil
}

// beginSession adds a session to a member's row and drops those that are long over.
func (t *txn) beginSession(m *state.StaffMember, s state.StaffSession) state.StaffSession {
	now := t.k.now().UnixMilli()
	s.Began, s.Expires = now, now+sessionLife.Milliseconds()
	var kept []state.StaffSession
	live := 0
	for _, old := range slices.Backward(m.Sessions) {
		if old.Ended == 0 && now < old.Expires {
			if live++; live >= sessionsMost {
				old.Ended = now
			}
		}
		if now < old.Expires+sessionLife.Milliseconds() { // a dose that waited may still name it
			kept = append(kept, old)
		}
	}
	slices.Reverse(kept)
	m.Sessions = append(kept, s)
	return s
}

// freshlySigned verifies that a passkey of the actor's signed this very request, with a nonce
// of this session inside. A refusal is returned apart from an error.
func (t *txn) freshlySigned(a *actor, s vault.Signed, nonce string) (refused, err error) {
	if ablate.Off(ablate.FreshAssertion) {
		return nil, nil
	}
	again := fault.New(fault.Unauthorized, "assertion", "your passkey has to confirm this very request within a minute; try again")
	_, ok, err := t.useCeremony(nonce, ceremonyNonce, a.session.Key)
	if err != nil || !ok {
		return again, err
	}
	answer, err := passkey.ParseAssertion(s.Assertion)
	if err != nil {
		return again, nil
	}
	_, refused, err = t.passkeyOf(a.id, &a.row, answer, requestDigest(s))
	if err != nil || refused == nil {
		return nil, firstErr(err, t.putMember(a.id, a.row))
	}
	return again, nil
}

// requestDigest is what a passkey signs of a request.
func requestDigest(s vault.Signed) []byte {
	h := sha256.New()
	h.Write([]byte(s.Method + "\n" + s.URL + "\n"))
	h.Write(s.Body)
	return h.Sum(nil)
}

// enrolBegin asks a new authenticator for a passkey, on a link.
func (t *txn) enrolBegin(s vault.Signed) (vault.StaffCeremony, error) {
	var f struct {
		Link string `json:"link"`
		Name string `json:"name"`
	}
	none := vault.StaffCeremony{}
	if err := staffBody(s.Body, &f); err != nil {
		return none, err
	}
	thumb, _, err := t.k.proofs.With(t.Txn).NewKey(s)
	if err != nil {
		return none, err
	}
	name, p, err := t.linked(f.Link)
	if err != nil {
		return none, err
	}
	c := state.Ceremony{Kind: ceremonyEnrol, Key: thumb, Challenge: passkey.NewChallenge(), Member: p.Member, Proposal: name}
	var shown string
	var have [][]byte
	if p.Kind == state.ProposeSetup {
		if shown, err = staffName(f.Name); err != nil {
			return none, err
		}
		c.Member = id.New()
		c.Name = t.k.sealMemberName(c.Member, shown)
	} else {
		if f.Name != "" {
			return none, fault.New(fault.Invalid, "USRRES0001", "name is only for the first administrator")
		}
		m, err := t.staffMember(p.Member)
		if err != nil {
			return none, err
		}
		if shown, err = t.k.memberName(p.Member, m); err != nil {
			return none, err
		}
		for _, d := range m.Devices {
			if d.State != state.DeviceEnded && p.Kind == state.ProposeDevice {
				have = append(have, d.Credential)
			}
		}
	}
	out, err := t.ceremony(c, ceremonyLife.Milliseconds())
	out.Kind = p.Kind
	out.Options = t.k.site.Creation(passkey.User{Handle: handleOf(c.Member), Name: shown}, c.Challenge, have, ceremonyLife.Milliseconds())
	return out, err
}

// linked finds the proposal of a link that may be used now.
func (t *txn) linked(link string) (name string, p state.StaffProposal, err error) {
	name, secret, ok := parseLink(link)
	if !ok {
		return "", p, noLink()
	}
	p, ok, err = engine.Get[state.StaffProposal](t, state.StaffProposals, name)
	if err != nil || !ok || len(p.Secret) == 0 || !hmac.Equal(p.Secret, t.k.linkMAC(name, secret)) {
		return "", p, firstErr(err, noLink())
	}
	return name, p, t.usable(p)
}

// usable reports why a link cannot be used now.
func (t *txn) usable(p state.StaffProposal) error {
	waits := p.State == state.ProposalWaiting
	switch {
	case t.k.now().UnixMilli() >= p.Expires || (p.State != state.ProposalApproved && !waits):
		return noLink()
	case waits && p.Kind == state.ProposeDevice:
		if p.Device != "" {
			return noLink()
		}
	case waits:
		return fault.New(fault.Conflict, "wait", "somebody else has to approve this first; keep the link until then")
	case p.Kind == state.ProposeSetup:
		return t.noAdministrator()
	}
	return nil
}

// noAdministrator: a set-up link is good while there is no national administrator.
func (t *txn) noAdministrator() error {
	area, _, err := engine.Get[state.StaffArea](t, state.StaffAreas, areaKey(access.Everywhere()))
	if err != nil {
		return err
	}
	for _, m := range area.Members {
		row, err := t.staffMember(m)
		if err != nil {
			return err
		}
		if row.State == state.MemberActive && access.Holds(row.Grants, access.National, access.Everywhere()) {
			return fault.New(fault.Conflict, "setup", "there is an administrator already: they invite others")
		}
	}
	return nil
}

// enrolFinish takes a new passkey. A refusal is returned apart from an error: the
// ceremony is spent.
func (t *txn) enrolFinish(s vault.Signed, out *vault.StaffActed) (refused, err error) {
	var f struct {
		Ceremony   string          `json:"ceremony"`
		Credential json.RawMessage `json:"credential"`
	}
	if err := staffBody(s.Body, &f); err != nil {
		return nil, err
	}
	thumb, _, err := t.k.proofs.With(t.Txn).NewKey(s)
	if err != nil {
		return nil, err
	}
	again := fault.New(fault.Unauthorized, "passkey", "the new passkey was refused; begin again")
	c, ok, err := t.useCeremony(f.Ceremony, ceremonyEnrol, thumb)
	if err != nil || !ok {
		return again, err
	}
	made, err := t.k.site.Registered(f.Credential, c.Challenge)
	if fault.Is(err, fault.Invalid) { // no answer at all: it may be sent again
		return nil, err
	}
	if err != nil {
		return err, nil
	}
	p, ok, err := engine.Get[state.StaffProposal](t, state.StaffProposals, c.Proposal)
	if err != nil || !ok {
		return again, err
	}
	if err := t.usable(p); err != nil {
		return nil, err
	}
	now := t.k.now().UnixMilli()
	m := state.StaffMember{Name: c.Name, State: state.MemberInvited, Since: now}
	if p.Kind != state.ProposeSetup {
		if m, err = t.staffMember(p.Member); err != nil {
			return nil, err
		}
	}
	if len(m.Devices) >= devicesMost {
		m.Devices = slices.DeleteFunc(m.Devices, func(d state.StaffDevice) bool { return d.State == state.DeviceEnded })
		if len(m.Devices) >= devicesMost {
			return nil, fault.New(fault.Conflict, "devices", "too many devices; end one first")
		}
	}
	d := state.StaffDevice{ID: deviceID(made.ID), Credential: made.ID, Key: made.Key, Count: int64(made.Count), Copyable: made.Copyable, Copied: made.Copied,
		State: state.DeviceActive, Since: now}
	if err := t.enrolled(c.Member, &m, &d, c.Proposal, &p); err != nil {
		return nil, err
	}
	out.Member, out.Device, out.State = c.Member, d.ID, d.State
	return nil, t.putMember(c.Member, m)
}

// enrolled carries out what a link was for, with the new device.
func (t *txn) enrolled(member string, m *state.StaffMember, d *state.StaffDevice, name string, p *state.StaffProposal) error {
	p.State = state.ProposalUsed
	view := "device enrolled"
	switch p.Kind {
	case state.ProposeSetup:
		p.Member, p.Grant = member, access.Grant{Role: access.National, Scope: access.Everywhere()}
		shown, err := t.k.memberName(member, *m)
		if err != nil {
			return err
		}
		m.Human, view = t.k.keys.HumanTag(shown), "first administrator enrolled"
		fallthrough
	case state.ProposeInvitation:
		if m.State != state.MemberInvited {
			return noLink()
		}
		m.State, m.Grants = state.MemberActive, []access.Grant{p.Grant}
		if err := firstErr(t.placed(p.Grant.Scope, true), t.join(member, p.Grant.Scope, false)); err != nil {
			return err
		}
	case state.ProposeRecovery:
		if m.State != state.MemberActive {
			return noLink()
		}
		for i := range m.Devices {
			if m.Devices[i].State != state.DeviceEnded {
				t.markEnded(deviceMark(m.Devices[i].ID))
			}
			m.Devices[i].State = state.DeviceEnded
		}
		t.endStaffSessions(m, "")
		view = "recovered: all other devices and sessions ended"
	case state.ProposeDevice:
		if m.State != state.MemberActive {
			return noLink()
		}
		p.State, p.Device, p.Expires = state.ProposalWaiting, d.ID, t.k.now().Add(inviteLife).UnixMilli()
		if d.State = state.DevicePending; ablate.Off(ablate.SecondDevice) {
			d.State, p.State = state.DeviceActive, state.ProposalUsed
		}
		view = "second device enrolled; it waits for approval"
	}
	m.Devices = append(m.Devices, *d)
	p.Secret = nil
	t.Append(engine.Entry{Kind: kindStaff, View: view, Role: string(p.Grant.Role), Actor: member, Reason: grantText(p.Grant), Evidence: d.ID})
	return engine.Put(t, state.StaffProposals, name, *p, 0)
}

func grantText(g access.Grant) string {
	if !g.Valid() {
		return ""
	}
	return g.String()
}

// Fresh verifies, for words outside this part, that a member's passkey signed this very
// request: s.Assertion, over a body with a nonce of the member's session. staff and row
// are what Proven or SessionOf gave for the same request. fault.Unauthorized: it did
// not. fault.Forbidden: a machine has no passkey.
func (k *Office) Fresh(on *engine.Txn, staff id.Staff, row state.Staff, s vault.Signed) error {
	if row.Session == "" {
		return fault.New(fault.Forbidden, "session", "a signed-in member of staff does this; the key of a machine does not")
	}
	var f struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(s.Body, &f) != nil || f.Nonce == "" {
		return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: nonce")
	}
	t := k.in(on)
	m, err := t.staffMember(string(staff))
	if err != nil {
		return err
	}
	a := actor{id: string(staff), row: m, session: state.StaffSession{Key: row.Session}}
	refused, err := t.freshlySigned(&a, s, f.Nonce)
	return firstErr(err, refused)
}
