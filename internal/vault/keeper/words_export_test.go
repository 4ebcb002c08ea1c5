package keeper

import (
	"context"

	"tikakosh/internal/vault"
)

// Words of parts, as tests call them.

// RotateKey and ListKeys are the words of the part that changes keys.
func (k *Keeper) RotateKey(ctx context.Context, r vault.KeyRotateRequest) (vault.KeyRotated, error) {
	return k.turns.Rotate(ctx, r)
}

func (k *Keeper) ListKeys(ctx context.Context, _ vault.Empty) (vault.KeyList, error) {
	return k.turns.List(ctx, vault.Empty{})
}

// Statistics and Recount are the words of the part that counts.
func (k *Keeper) Statistics(ctx context.Context, r vault.Empty) (vault.Statistics, error) {
	return k.figures.Statistics(ctx, r)
}

func (k *Keeper) Recount(ctx context.Context, r vault.RecountRequest) (vault.Recounted, error) {
	return k.figures.Recount(ctx, r)
}
