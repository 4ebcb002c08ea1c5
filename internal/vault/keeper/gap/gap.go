// Package gap judges a copy that is behind its ledger (ADR 25): a restore order says which
// set of a backup takes whose place, and one whose entries end before what was published goes
// on only when the lost leaves continue it up to a checkpoint of this ledger, and when two
// people have signed for this very set.
package gap

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

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
	Method = "APPROVE"
	URL    = "urn:tikakosh:restore-behind-the-ledger"
)

// Statement is what custodians sign: which set takes the place of which ledger.
type Statement struct {
	Set      string `json:"set"`
	Manifest string `json:"manifest"` // SHA-256
	Origin   string `json:"origin"`
	Have     int64  `json:"entries_in_the_set"`
	Known    uint64 `json:"entries_published"`
	Root     string `json:"root_published"`
}

// Bytes is the statement in its one form.
func (s Statement) Bytes() ([]byte, error) {
	raw, err := json.Marshal(s)
	return raw, fault.Wrap(fault.Internal, err, "statement")
}

// Desk judges for one vault.
type Desk struct {
	Config
}

// Config is what judging a gap needs.
type Config struct {
	Origin  string // name of the ledger, as in its checkpoints
	Keys    *keyring.Ring
	Proofs  *proof.Desk
	Permits permits.Asker
	Chain   func() []byte // every change of the ledger's key that the copy knows
	// SamePerson reports whether two staff keys are one human's.
	SamePerson func(t *engine.Txn, a, b id.Staff) (bool, error)
}

// New returns a desk.
func New(cfg Config) *Desk { return &Desk{cfg} }

// Order is what a restore leaves for the vault's first start: the vault puts
// it on the ledger before anything else, and ends what the copy still holds open.
type Order struct {
	Origin   string `json:"origin,omitempty"` // the ledger's name, which the next start must have too
	Set      string `json:"set"`              // name of the backup set; "" when only the ledger's files are made anew
	Manifest string `json:"manifest"`         // SHA-256 of its manifest
	Made     string `json:"made"`             // when the set was made
	Ledger   int64  `json:"ledger"`           // entries in the restored database
	Known    string `json:"known"`            // how the newest head was known: "ledger", "checkpoint", "only copy"
	Gap      *Gap   `json:"gap,omitempty"`
	// Unpublished are leaves of entries after those, and after the gap's, that files
	// hold and no checkpoint covers: they are not taken in, and whom they erased or
	// hid is so again. Only a vault's key makes such a leaf.
	Unpublished [][]byte `json:"unpublished,omitempty"`
}

// All are the known leaves of the entries that the copy lacks.
func (o *Order) All() [][]byte {
	if o.Gap == nil {
		return o.Unpublished
	}
	return slices.Concat(o.Gap.Lost, o.Unpublished)
}

// Evidence names the order in ledger entries.
func (o *Order) Evidence() string { return o.Manifest + "@" + strconv.FormatInt(o.Ledger, 10) }

// Adopt takes the leaves of lost entries into the ledger, so that it stays one log
// for everybody who has seen its newest checkpoint. Their bodies are gone.
func (d *Desk) Adopt(t *engine.Txn, o *Order, e *engine.Entry) error {
	if o.Gap == nil {
		return nil
	}
	cp, err := d.checkpoint(t, o)
	if err != nil {
		return err
	}
	staff, err := d.approved(t, o, cp)
	if err != nil {
		return err
	}
	e.Lost, e.Actor = int64(cp.Size)-o.Ledger, string(staff[0])+" "+string(staff[1])
	return t.Adopt(o.Ledger, o.Gap.Lost)
}

// checkpoint verifies that the lost leaves continue the copy's ledger up to a
// checkpoint that this ledger's key signed, or one that the changes lead to from it.
func (d *Desk) checkpoint(t *engine.Txn, o *Order) (cp ledger.Checkpoint, err error) {
	_, vkey, err := ledger.NoteKeys(d.Origin, d.Keys.Now().Checkpoint)
	if err != nil {
		return cp, err
	}
	own, err := ledger.ParseKeychain(d.Chain())
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
	t *engine.Txn
	o *Order
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

// approved returns the two custodians who signed that this set takes the place
// of that ledger.
func (d *Desk) approved(t *engine.Txn, o *Order, cp ledger.Checkpoint) (staff []id.Staff, err error) {
	body, err := Statement{Set: o.Set, Manifest: o.Manifest, Origin: d.Origin, Have: o.Ledger, Known: cp.Size, Root: cp.Root.String()}.Bytes()
	if err != nil {
		return nil, err
	}
	bad := fault.New(fault.Integrity, "gap", "a set behind the ledger goes live only when two different custodians have signed for this very set and ledger")
	for _, proof := range o.Gap.Approvals {
		var who id.Staff
		var row state.Staff
		c, err := d.Proofs.Read(proof, bad, func(thumb string) ([]byte, error) {
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
		if c.Match(vault.Signed{Method: Method, URL: URL, Body: body}) != nil || !row.Active || !d.Permits.May(row, policy.RestoreApprove, 0, policy.Facts{Second: true}).Allowed() { // that there are two is seen below
			return nil, bad
		}
		if slices.Contains(staff, who) {
			continue
		}
		if len(staff) > 0 && !ablate.Off(ablate.SecondPerson) { // two people, not two keys
			same, err := d.SamePerson(t, staff[0], who)
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
