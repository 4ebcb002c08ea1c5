package keeper

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/figures"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// txn is one transaction of the vault: the engine's, and what the vault's words keep
// while they decide.
type txn struct {
	*signin.Txn
	k       *Keeper
	counted figures.Tally // cells of the dashboard, by what became stored
}

func (k *Keeper) in(fn func(*txn) error) func(*engine.Txn) error {
	return func(t *engine.Txn) error { return fn(k.with(t)) }
}

func (k *Keeper) with(t *engine.Txn) *txn {
	out := k.on(k.release.With(t))
	out.Stored = out.followed
	return out
}

// released is with for a part that stands on release.
func (k *Keeper) released(t *engine.Txn) *release.Txn { return k.with(t).Txn.Txn }

// on is with for a transaction in which records are released already.
func (k *Keeper) on(t *release.Txn) *txn {
	return &txn{Txn: k.signin.With(t), k: k}
}

// followed is what a stored seal of a person brings with it.
func (t *txn) followed(person id.Person, p *state.Person, s state.Seal) error {
	if err := t.k.figures.Stored(t.Engine(), &t.counted, person, s); err != nil {
		return err
	}
	if s.Merge != "" {
		if err := t.finishMerge(p, s); err != nil {
			return err
		}
	}
	if s.Revokes != "" {
		return t.revokeCertificates(person, p.Household, s.Revokes)
	}
	return nil
}

// open runs decide in a transaction and, once its entries are durable, unwraps the data
// keys of whom it released; see release.Desk.
func (k *Keeper) open(ctx context.Context, decide func(*txn, *release.Opening) error) (*release.Opening, error) {
	return k.release.Open(ctx, func(t *engine.Txn, o *release.Opening) error { return decide(k.with(t), o) })
}

// update runs fn as one durable transaction; see Engine.Update.
func (k *Keeper) update(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return k.eng.Update(ctx, k.in(fn))
}

// transact is update for what a start writes before requests are let in.
func (k *Keeper) transact(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return k.eng.Transact(ctx, k.in(fn))
}

// view runs fn on a read-only snapshot.
func (k *Keeper) view(ctx context.Context, fn func(*txn) error) error {
	return k.eng.View(ctx, k.in(fn))
}
