package staffing

import (
	"encoding/json"
	"slices"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// Who is a signed-in member of staff, as other parts of the vault know them. Human is
// the keyed tag of the person, Grant the one role they act under.
type Who struct {
	Member string
	Human  string
	Grant  access.Grant
}

// Changes is the part of the vault for what two people agree on and what then waits for its
// time (ADR 36): members propose, approve and withdraw it where they do the same with
// colleagues. That the request is theirs, and freshly signed where it has to be, was
// established before. known is false for an id that is none of a change; a refusal is an
// error, but for the one of an approval of another text than the change's, whose entry is kept.
type Changes interface {
	Propose(t *engine.Txn, who Who, body []byte, out *vault.StaffActed) error
	Approve(t *engine.Txn, who Who, name, read string, out *vault.StaffActed) (known bool, refused, err error)
	Withdraw(t *engine.Txn, who Who, name string) (known bool, err error)
	List(t *engine.Txn, who Who) ([]vault.StaffProposal, error)
	Show(t *engine.Txn, who Who, name string, out *vault.StaffActed) error
}

// Serve has the office pass on what is about changes. It is called once, before the first
// request.
func (k *Office) Serve(c Changes) { k.changes = c }

func (a actor) who() Who { return Who{a.id, a.row.Human, a.session.Grant} }

// proposeChange checks that a passkey signed this very proposal, and passes it on.
func (t *txn) proposeChange(a *actor, s vault.Signed, out *vault.StaffActed) (refused, err error) {
	var f struct {
		Nonce string `json:"nonce"`
	}
	if len(s.Body) > vault.MaxChange || json.Unmarshal(s.Body, &f) != nil {
		return nil, fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	if refused, err = t.freshlySigned(a, s, f.Nonce); err != nil || refused != nil {
		return refused, err
	}
	return nil, t.k.changes.Propose(t.Txn, a.who(), s.Body, out)
}

// showChange shows what a change says, to who may decide about it.
func (t *txn) showChange(a *actor, name string, out *vault.StaffActed) error {
	if !id.Valid(name) {
		return fault.New(fault.NotFound, "proposal", "no such proposal")
	}
	return t.k.changes.Show(t.Txn, a.who(), name, out)
}

// CentrePlace is a centre with where it lies, as it is on record.
func (k *Office) CentrePlace(t *engine.Txn, c id.Centre) (access.Scope, error) {
	return k.in(t).centrePlace(c)
}

// Deciders are the active members with a passkey here who hold a role at a place or at one that it lies in,
// once for each of their grants.
func (k *Office) Deciders(on *engine.Txn, place access.Scope) (out []Who, err error) {
	t := k.in(on)
	var seen []string
	for _, s := range around(place) {
		area, _, err := engine.Get[state.StaffArea](t, state.StaffAreas, areaKey(s))
		if err != nil {
			return nil, err
		}
		for _, m := range area.Members {
			if slices.Contains(seen, m) {
				continue
			}
			seen = append(seen, m)
			row, err := t.staffMember(m)
			if err != nil {
				return nil, err
			}
			for _, g := range row.Grants {
				if row.State == state.MemberActive && signsNothing(row) == nil {
					out = append(out, Who{m, row.Human, g})
				}
			}
		}
	}
	return out, nil
}

// Standing is a member once for each grant they hold now; none unless they work here.
func (k *Office) Standing(on *engine.Txn, member string) (out []Who, err error) {
	row, ok, err := engine.Get[state.StaffMember](on, state.StaffMembers, member)
	if err != nil || !ok || row.State != state.MemberActive {
		return nil, err
	}
	for _, g := range row.Grants {
		out = append(out, Who{member, row.Human, g})
	}
	return out, nil
}

// Working is the human behind a member, "" unless they work here now.
func (k *Office) Working(on *engine.Txn, member string) (human string, err error) {
	row, ok, err := engine.Get[state.StaffMember](on, state.StaffMembers, member)
	if err != nil || !ok || row.State != state.MemberActive {
		return "", err
	}
	return row.Human, nil
}
