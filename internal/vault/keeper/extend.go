package keeper

import (
	"context"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
)

// sessionWhole is how long a session may go on (design.md 5).
const sessionWhole = time.Hour

// ExtendSession implements the vault's word (ADR 44).
func (k *Keeper) ExtendSession(ctx context.Context, r vault.ExtendRequest) (vault.Session, error) {
	var mint func() (vault.Session, error)
	_, err := k.update(ctx, func(t *txn) error {
		house, row, err := t.live(r.Holder)
		if err != nil {
			return err
		}
		thumb, err := t.deviceOf(&r.Device)
		if off := ablate.Off(ablate.HolderKey); (err != nil || row.Way == "" || thumb != row.Way) && !off {
			if err != nil && !fault.Is(err, fault.Unauthorized) {
				return err
			}
			return fault.New(fault.Forbidden, "EXTEND", "the session goes on only with the key of the device that it began on: sign in again")
		}
		if mint, err = t.Extend(r.Holder, sessionWhole); err == nil {
			t.Append(engine.Entry{Kind: "household", House: house, View: "session extended", Role: "holder"})
		}
		return err
	})
	if err != nil {
		return vault.Session{}, err
	}
	return mint()
}
