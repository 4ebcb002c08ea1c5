// Package notary puts on the ledger what is about the program and those who run it, and about
// no person: which data dictionary and staff client a start has, that copies were made, and
// what the logs of the roles said. Each kind has a topic, by which its newest entry is found.
package notary

import (
	"context"
	"log/slog"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// What finds the entries about the program itself; they are no person's ids.
const (
	Dictionary  = id.Person("dictionary")
	Copies      = id.Person("copies") // backups and restores
	clientTopic = id.Person("staff client")
)

// Desk keeps these records of one vault. It is safe for concurrent use.
type Desk struct {
	keys   *keyring.Ring
	client string // SHA-256 of the staff client that is served, in hex; "" for none
	now    func() time.Time
	log    *slog.Logger
	eng    *engine.Engine
}

// New returns a desk over an engine; client is the digest of the staff client that is
// served, "" for none.
func New(keys *keyring.Ring, client string, now func() time.Time, log *slog.Logger, eng *engine.Engine) *Desk {
	return &Desk{keys: keys, client: client, now: now, log: log, eng: eng}
}

// Start puts on the ledger what this program is, where that is not what was last
// recorded: the digest of its data dictionary, and that of the staff client it serves
// (design.md 4 and 5).
func (k *Desk) Start(ctx context.Context) error {
	err := k.recordDigest(ctx, engine.Entry{Kind: "dictionary", View: "data dictionary", Evidence: state.DictionaryDigest(), Topic: Dictionary})
	if err == nil && k.client != "" {
		err = k.recordDigest(ctx, engine.Entry{Kind: "client", View: "staff client", Evidence: k.client, Topic: clientTopic})
	}
	return err
}

// recordDigest appends an entry unless the last one of its topic has the same digest.
func (k *Desk) recordDigest(ctx context.Context, e engine.Entry) error {
	_, err := k.eng.Transact(ctx, func(t *engine.Txn) error {
		last, ok, err := k.lastOf(t, e.Topic)
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
func (k *Desk) lastOf(t *engine.Txn, topic id.Person) (e engine.Entry, ok bool, err error) {
	rows, err := t.Tx.ByPerson(t.Ctx, k.keys.PersonTag(topic), 0, 1)
	if err != nil || len(rows) == 0 {
		return e, false, err
	}
	e, err = k.eng.OpenEntry(rows[0])
	return e, err == nil, err
}

// StaffClient implements the operator's word: the digest of the staff client that is on
// the ledger.
func (k *Desk) StaffClient(ctx context.Context, _ vault.Empty) (out vault.StaffClientShown, err error) {
	err = k.eng.View(ctx, func(t *engine.Txn) error {
		e, ok, err := k.lastOf(t, clientTopic)
		if ok {
			out = vault.StaffClientShown{Sum: e.Evidence, At: e.At, Index: e.Index}
		}
		return err
	})
	return out, err
}

// NoteCopy records that a backup set is about to be made, for recipients by the
// SHA-256 of their keys, and returns the receipt. It comes before the copies begin,
// so that a set has its own entry in it and is not behind the ledger by that.
func (k *Desk) NoteCopy(ctx context.Context, set, recipients, role string) (string, error) {
	if len(set) != 36 || len(recipients) != 64 {
		return "", fault.New(fault.Internal, "backup", "a backup has no name or recipients")
	}
	receipts, err := k.eng.Update(ctx, func(t *engine.Txn) error {
		t.Append(engine.Entry{Kind: "backup", View: "made", Role: role, Reason: set, Evidence: recipients, Topic: Copies})
		return nil
	})
	return newest(receipts), err
}

func newest(receipts []string) string {
	if len(receipts) == 0 {
		return ""
	}
	return receipts[len(receipts)-1]
}
