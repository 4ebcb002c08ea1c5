package keeper

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// ListAsked is listAsked for tests.
func ListAsked(s vault.Signed) (id.Centre, string, error) { return listAsked(s) }

// MayApprove is why second may not approve what by proposed, nil where they may.
func (k *Keeper) MayApprove(ctx context.Context, by, second id.Staff) error {
	return k.view(ctx, func(t *txn) error { return t.mayApprove(state.Correction{By: by}, second) })
}
