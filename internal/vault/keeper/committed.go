package keeper

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// committedTogether is how many reported seals share a transaction.
const committedTogether = 100

// Committed implements the vault's word: heads move over seals that the
// registry has stored. Many seals share transactions; when one of them cannot
// be read, each of its transaction gets one of its own, so that it stops no other.
func (k *Keeper) Committed(ctx context.Context, r vault.CommittedRequest) (vault.CommittedAnswer, error) {
	if len(r.Seals) > 500 {
		return vault.CommittedAnswer{}, fault.New(fault.Invalid, "seals", "at most 500 seals at once")
	}
	var out vault.CommittedAnswer
	for len(r.Seals) > 0 {
		some := r.Seals[:min(len(r.Seals), committedTogether)]
		r.Seals = r.Seals[len(some):]
		n, err := k.committed(ctx, some)
		if err == nil {
			out.Advanced += n
			continue
		}
		if len(some) == 1 {
			return out, err
		}
		for i := range some {
			if n, err = k.committed(ctx, some[i:i+1]); err != nil {
				return out, err
			}
			out.Advanced += n
		}
	}
	return out, nil
}

func (k *Keeper) committed(ctx context.Context, seals []string) (n int, err error) {
	_, err = k.update(ctx, func(t *txn) error {
		n, t.Quiet = 0, true
		if len(seals) > 1 { // it names the rows, so that no person's entry has to
			t.Append(engine.Entry{Kind: "stored", View: "stored", Role: "system"})
		}
		for _, s := range seals {
			moved, err := t.stored(s)
			if err != nil {
				return err
			}
			n += moved
		}
		if n == 0 {
			t.Withdraw()
		}
		return nil
	})
	return n, err
}

// stored moves a person's head over a seal that waits for it, and returns how
// many it moved.
func (t *txn) stored(sealID string) (int, error) {
	task, ok, err := t.Tx.GetTask(t.Ctx, "seal/"+sealID)
	if err != nil || !ok {
		return 0, err
	}
	p, err := t.Person(task.Person)
	if err != nil {
		return 0, err
	}
	for i, s := range p.Pending {
		if s.ID == sealID && s.Base == p.Seq {
			if err := t.Advance(task.Person, &p, i); err != nil {
				return 0, err
			}
			return 1, engine.Put(t, state.Persons, string(task.Person), p, 0)
		}
	}
	return 0, nil
}
