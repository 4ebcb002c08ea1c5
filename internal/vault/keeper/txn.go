package keeper

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
)

// txn is one transaction of the vault: the engine's, and what the vault's words keep
// while they decide.
type txn struct {
	*engine.Txn
	k       *Keeper
	only    id.Person // whom the caller's session is for alone; set by live
	returns bool      // a card's session: of somebody, too, who may come back
	counted counts    // cells of the dashboard, by what became stored
	past    bool      // what is counted became stored on an earlier day
}

func (k *Keeper) in(fn func(*txn) error) func(*engine.Txn) error {
	return func(t *engine.Txn) error { return fn(&txn{Txn: t, k: k}) }
}

// update runs fn as one durable transaction; see Engine.Update.
func (k *Keeper) update(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return k.eng.Update(ctx, k.in(fn))
}

// transact is update for what a start writes before requests are let in.
func (k *Keeper) transact(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return k.eng.Transact(ctx, k.in(fn))
}

// commit is transact inside Engine.Alone.
func (k *Keeper) commit(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return k.eng.Commit(ctx, k.in(fn))
}

// view runs fn on a read-only snapshot.
func (k *Keeper) view(ctx context.Context, fn func(*txn) error) error {
	return k.eng.View(ctx, k.in(fn))
}
