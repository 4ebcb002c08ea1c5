package keeper

import (
	"context"

	"tikakosh/internal/vault"
)

// RotateKey and ListKeys are the words of the part that changes keys.
func (k *Keeper) RotateKey(ctx context.Context, r vault.KeyRotateRequest) (vault.KeyRotated, error) {
	return k.turns.Rotate(ctx, r)
}

func (k *Keeper) ListKeys(ctx context.Context, _ vault.Empty) (vault.KeyList, error) {
	return k.turns.List(ctx, vault.Empty{})
}
