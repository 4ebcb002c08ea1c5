package proof

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// SessionIdle is how long a member's session lives without use; how often its use is
// written down makes it exact to a minute and never longer (ADR 31).
const (
	SessionIdle = 15 * time.Minute
	sessionTick = time.Minute
)

// SessionOf resolves the thumbprint of a session's key to its member, as a row that
// all words for staff understand. Its Active is whether the session lives.
func (t *Txn) SessionOf(thumb string) (staff id.Staff, row state.Staff, ok bool, err error) {
	use, ok, err := engine.Get[state.SessionUse](t, state.StaffSessions, thumb)
	if err != nil || !ok {
		return "", row, false, err
	}
	m, ok, err := engine.Get[state.StaffMember](t, state.StaffMembers, use.Member)
	i := slices.IndexFunc(m.Sessions, func(s state.StaffSession) bool { return s.Key == thumb })
	if err != nil || !ok || i < 0 {
		return "", row, false, err
	}
	s, now := m.Sessions[i], t.k.now().UnixMilli()
	held := m.State == state.MemberActive && s.Ended == 0 && slices.Contains(m.Grants, s.Grant)
	row = state.Staff{Role: string(s.Grant.Role), Centre: s.Grant.Scope.Centre(), Grant: s.Grant, JWK: s.JWK, Since: m.Since, Human: m.Human, Session: thumb, Until: s.Expires}
	row.Active, row.Lapsed = held && Alive(s, use, now), held
	return id.Staff(use.Member), row, true, nil
}

// Alive reports whether a session's time is not over.
func Alive(s state.StaffSession, use state.SessionUse, now int64) bool {
	if ablate.Off(ablate.SessionLife) {
		return true
	}
	return now < s.Expires && now-max(use.Last, s.Began) <= SessionIdle.Milliseconds()
}

// touch writes down that a session is in use, which ends at until (Unix milliseconds)
// at the latest.
func (t *Txn) touch(thumb string, until int64) error {
	use, ok, err := engine.Get[state.SessionUse](t, state.StaffSessions, thumb)
	now := t.k.now().UnixMilli()
	if err != nil || !ok || now-use.Last < sessionTick.Milliseconds() {
		return err
	}
	use.Last = now
	return engine.Put(t, state.StaffSessions, thumb, use, until+time.Hour.Milliseconds())
}

// NewKey verifies a proof by a key that is nobody's yet: it will be a session's, or
// carries an enrolment through. The proof is spent.
func (t *Txn) NewKey(s vault.Signed) (thumb string, jwk []byte, err error) {
	bad := Bad("a DPoP proof of a new key is wanted")
	p, ok := t.k.proofs.get(s.Proof)
	if !ok {
		if p, ok = parseProof(s.Proof); !ok {
			return "", nil, bad
		}
	}
	if err := p.claims.Covers(s, "", t.k.now()); err != nil {
		return "", nil, err
	}
	_, machine, err1 := engine.Get[state.Staff](t, state.StaffKeys, p.thumb)
	_, session, err2 := engine.Get[state.SessionUse](t, state.StaffSessions, p.thumb)
	switch {
	case err1 != nil:
		return "", nil, err1
	case err2 != nil:
		return "", nil, err2
	case machine || session:
		return "", nil, bad
	}
	used, err := t.Spend(p.thumb, p.claims)
	if err == nil && used && !ablate.Off(ablate.ProofReplay) {
		err = Bad("the proof was used before")
	}
	if err != nil {
		return "", nil, err
	}
	jwk, err = json.Marshal(jose.JSONWebKey{Key: p.key})
	return p.thumb, jwk, err
}

// SessionFor is the member's session whose key signed a request. That the request is
// proven is the caller's to have seen.
func (t *Txn) SessionFor(s vault.Signed) (staff id.Staff, row state.Staff, ok bool, err error) {
	p, ok := t.k.proofs.get(s.Proof)
	if !ok {
		if p, ok = parseProof(s.Proof); !ok {
			return "", row, false, nil
		}
	}
	return t.SessionOf(p.thumb)
}
