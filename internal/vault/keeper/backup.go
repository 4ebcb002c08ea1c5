package keeper

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
)

// copiesTopic finds the entries about backups and restores.
const copiesTopic = id.Person("copies")

// NoteCopy records that a backup set is about to be made, for recipients by the
// SHA-256 of their keys, and returns the receipt. It comes before the copies begin,
// so that a set has its own entry in it and is not behind the ledger by that.
func (k *Keeper) NoteCopy(ctx context.Context, set, recipients, role string) (string, error) {
	if len(set) != 36 || len(recipients) != 64 {
		return "", fault.New(fault.Internal, "backup", "a backup has no name or recipients")
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "backup", View: "made", Role: role, Reason: set, Evidence: recipients, Topic: copiesTopic})
		return nil
	})
	return done(receipts).Receipt, err
}
