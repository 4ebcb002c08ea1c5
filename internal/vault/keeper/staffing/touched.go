package staffing

import (
	"encoding/json"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/passkey"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// Touch is whose passkey signed a request, and what they may act under there.
type Touch struct {
	Staff  id.Staff
	Human  string
	Grants []access.Grant // the session's one, or all of somebody's who has no session there
}

// Touched says whose passkey signed this very request, with a nonce of the session that
// sent it: the session's own member, or somebody else at the same screen. staff and row
// are what Proven gave for the same request. A refusal is returned apart from an error:
// what was written is to be kept. fault.Forbidden: a machine has no passkey.
func (k *Office) Touched(on *engine.Txn, staff id.Staff, row state.Staff, s vault.Signed) (touch Touch, refused, err error) {
	if row.Session == "" {
		return touch, nil, fault.New(fault.Forbidden, "session", "a signed-in member of staff does this; the key of a machine does not")
	}
	var f struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(s.Body, &f) != nil || f.Nonce == "" {
		return touch, nil, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: nonce")
	}
	t, who := k.in(on), string(staff)
	answer, err := passkey.ParseAssertion(s.Assertion)
	if err == nil && len(answer.Handle) > 0 {
		who = memberOf(answer.Handle)
	}
	if who != string(staff) {
		return t.beside(who, row.Session, f.Nonce, s)
	}
	m, err := t.staffMember(who)
	if err != nil {
		return touch, nil, err
	}
	a := actor{id: who, row: m, session: state.StaffSession{Key: row.Session}}
	refused, err = t.freshlySigned(&a, s, f.Nonce)
	return Touch{staff, m.Human, []access.Grant{row.Grant}}, refused, err
}

// beside is Touched of somebody at another's screen.
func (t *txn) beside(who, session, nonce string, s vault.Signed) (touch Touch, refused, err error) {
	again := fault.New(fault.Unauthorized, "assertion", "your passkey has to confirm this very request within a minute; try again")
	m, ok, err := engine.Get[state.StaffMember](t, state.StaffMembers, who)
	if err != nil || !ok || m.State != state.MemberActive {
		return touch, again, err
	}
	touch = Touch{id.Staff(who), m.Human, m.Grants}
	if ablate.Off(ablate.FreshAssertion) {
		return touch, nil, nil
	}
	if _, ok, err := t.useCeremony(nonce, ceremonyNonce, session); err != nil || !ok {
		return touch, again, err
	}
	answer, err := passkey.ParseAssertion(s.Assertion)
	if err != nil {
		return touch, again, nil
	}
	if _, refused, err = t.passkeyOf(who, &m, answer, requestDigest(s)); err != nil || refused != nil {
		return touch, again, err
	}
	return touch, nil, t.putMember(who, m)
}
