package keeper

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// What finds the entries about the program itself; they are no person's ids.
const (
	dictionaryTopic = id.Person("dictionary")
	clientTopic     = id.Person("staff client")
)

// recordSelf puts on the ledger what this program is, where that is not what was last
// recorded: the digest of its data dictionary, and that of the staff client it serves
// (design.md 4 and 5).
func (k *Keeper) recordSelf(ctx context.Context) error {
	err := k.recordDigest(ctx, engine.Entry{Kind: "dictionary", View: "data dictionary", Evidence: state.DictionaryDigest(), Topic: dictionaryTopic})
	if err == nil && k.cfg.StaffClient != "" {
		err = k.recordDigest(ctx, engine.Entry{Kind: "client", View: "staff client", Evidence: k.cfg.StaffClient, Topic: clientTopic})
	}
	return err
}

// recordDigest appends an entry unless the last one of its topic has the same digest.
func (k *Keeper) recordDigest(ctx context.Context, e engine.Entry) error {
	_, err := k.transact(ctx, func(t *txn) error {
		last, ok, err := t.lastOf(e.Topic)
		if err != nil || (ok && last.Evidence == e.Evidence) {
			return err
		}
		e.Role = "system"
		t.Append(e)
		return nil
	})
	return err
}

// lastOf is the newest entry of a topic.
func (t *txn) lastOf(topic id.Person) (e engine.Entry, ok bool, err error) {
	rows, err := t.Tx.ByPerson(t.Ctx, t.k.keys.PersonTag(topic), 0, 1)
	if err != nil || len(rows) == 0 {
		return e, false, err
	}
	e, err = t.k.eng.OpenEntry(rows[0])
	return e, err == nil, err
}

// StaffClient implements the operator's word: the digest of the staff client that is on
// the ledger.
func (k *Keeper) StaffClient(ctx context.Context, _ vault.Empty) (out vault.StaffClientShown, err error) {
	err = k.view(ctx, func(t *txn) error {
		e, ok, err := t.lastOf(clientTopic)
		if ok {
			out = vault.StaffClientShown{Sum: e.Evidence, At: e.At, Index: e.Index}
		}
		return err
	})
	return out, err
}
