package keeper

import (
	"context"
	"encoding/json"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// roleCustodian is a staff role that can do one thing: approve, with another one,
// that a copy behind the ledger goes live.
const roleCustodian = "custodian"

// Gap is what a restored copy lacks of the ledger: entries that were published
// after it was made.
type Gap struct {
	Checkpoint string   `json:"checkpoint"`         // the newest known one
	Lost       [][]byte `json:"lost"`               // leaves of the entries that are missing, in order
	Approvals  []string `json:"approvals"`          // proofs of two custodians over the statement
	Keychain   string   `json:"keychain,omitempty"` // changes of the ledger's key as they are published: the copy may not know the newest
}

// What the proof of an approval names in place of a request.
const (
	GapMethod = "APPROVE"
	GapURL    = "urn:tikakosh:restore-behind-the-ledger"
)

// GapStatement is what custodians sign: which set takes the place of which ledger.
type GapStatement struct {
	Set      string `json:"set"`
	Manifest string `json:"manifest"` // SHA-256
	Origin   string `json:"origin"`
	Have     int64  `json:"entries_in_the_set"`
	Known    uint64 `json:"entries_published"`
	Root     string `json:"root_published"`
}

// Bytes is the statement in its one form.
func (s GapStatement) Bytes() ([]byte, error) {
	raw, err := json.Marshal(s)
	return raw, fault.Wrap(fault.Internal, err, "statement")
}

// adopt takes the leaves of lost entries into the ledger, so that it stays one log
// for everybody who has seen its newest checkpoint. Their bodies are gone.
func (t *txn) adopt(o *RestoreOrder, e *engine.Entry) error {
	if o.Gap == nil {
		return nil
	}
	cp, err := t.gapCheckpoint(o)
	if err != nil {
		return err
	}
	staff, err := t.gapApproved(o, cp)
	if err != nil {
		return err
	}
	e.Lost, e.Actor = int64(cp.Size)-o.Ledger, string(staff[0])+" "+string(staff[1])
	return t.Txn.Adopt(o.Ledger, o.Gap.Lost)
}

// gapCheckpoint verifies that the lost leaves continue the copy's ledger up to a
// checkpoint that this ledger's key signed, or one that the changes lead to from it.
func (t *txn) gapCheckpoint(o *RestoreOrder) (cp ledger.Checkpoint, err error) {
	_, vkey, err := t.k.CheckpointSigner()
	if err != nil {
		return cp, err
	}
	own, err := ledger.ParseKeychain(t.k.turns.Chain())
	if err != nil {
		return cp, err
	}
	var known []ledger.Transition
	if o.Gap.Keychain != "" {
		if known, err = ledger.ParseKeychain([]byte(o.Gap.Keychain)); err != nil {
			return cp, err
		}
	}
	trusted, err := ledger.TrustedAmong(vkey, own, known)
	if err != nil {
		return cp, err
	}
	if cp, err = ledger.OpenTrusted([]byte(o.Gap.Checkpoint), trusted); err != nil {
		return cp, err
	}
	wrong := fault.New(fault.Integrity, "gap", "the lost entries of the restore order do not continue the copy's ledger up to the published checkpoint")
	if len(o.Gap.Lost) == 0 || cp.Size != uint64(o.Ledger)+uint64(len(o.Gap.Lost)) {
		return cp, wrong
	}
	roots, err := ledger.Roots(t.Ctx, continued{t, o}, cp.Size)
	if err == nil && roots[cp.Size] != cp.Root {
		err = wrong
	}
	return cp, err
}

// continued is the ledger of the copy with the lost leaves after it.
type continued struct {
	t *txn
	o *RestoreOrder
}

// Leaves implements ledger.Source.
func (c continued) Leaves(ctx context.Context, from uint64, limit int) (out [][]byte, err error) {
	if at := int64(from) - c.o.Ledger; at >= 0 {
		lost := c.o.Gap.Lost[min(at, int64(len(c.o.Gap.Lost))):]
		return lost[:min(limit, len(lost))], nil
	}
	rows, err := c.t.Tx.Entries(ctx, int64(from), int(min(int64(limit), c.o.Ledger-int64(from))))
	for i, r := range rows {
		if r.Index != int64(from)+int64(i) {
			return nil, state.Integrity("entry", "ledger indexes are not dense")
		}
		out = append(out, r.Leaf)
	}
	return out, err
}

// gapApproved returns the two custodians who signed that this set takes the place
// of that ledger.
func (t *txn) gapApproved(o *RestoreOrder, cp ledger.Checkpoint) (staff []id.Staff, err error) {
	body, err := GapStatement{Set: o.Set, Manifest: o.Manifest, Origin: t.k.cfg.Origin, Have: o.Ledger, Known: cp.Size, Root: cp.Root.String()}.Bytes()
	if err != nil {
		return nil, err
	}
	bad := fault.New(fault.Integrity, "gap", "a set behind the ledger goes live only when two different custodians have signed for this very set and ledger")
	for _, proof := range o.Gap.Approvals {
		var who id.Staff
		var row state.Staff
		c, err := t.k.proofs.Read(proof, bad, func(thumb string) ([]byte, error) {
			var ok bool
			var err error
			who = id.Staff(thumb)
			if row, ok, err = engine.Get[state.Staff](t, state.StaffKeys, thumb); err == nil && !ok {
				err = bad
			}
			return row.JWK, err
		})
		if err != nil {
			return nil, err
		}
		if c.Match(vault.Signed{Method: GapMethod, URL: GapURL, Body: body}) != nil || !row.Active || !t.k.permits.May(row, policy.RestoreApprove, 0, policy.Facts{Second: true}).Allowed() { // that there are two is seen below
			return nil, bad
		}
		if slices.Contains(staff, who) {
			continue
		}
		if len(staff) > 0 && !ablate.Off(ablate.SecondPerson) { // two people, not two keys
			same, err := t.samePerson(staff[0], who)
			if err != nil {
				return nil, err
			}
			if same {
				continue
			}
		}
		staff = append(staff, who)
	}
	if len(staff) < 2 {
		return nil, bad
	}
	return staff, nil
}
