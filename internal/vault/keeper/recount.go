package keeper

import (
	"context"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// recounted is the row among the counts that says that everybody of before the
// counters has been counted.
const recounted = "recounted"

// viewCounted is the opening of a record to count what is in it, once.
const viewCounted = "counted for the public figures"

// Recount implements the vault's word. Whether a person is counted is in the person's
// own, anchored row, written in the transaction that counts them: so each is counted
// once, whatever breaks off and however often they are brought.
func (k *Keeper) Recount(ctx context.Context, r vault.RecountRequest) (vault.Recounted, error) {
	if len(r.Persons) > vault.MaxRecountAsked || len(r.Records) > vault.MaxRecountRecords {
		return vault.Recounted{}, fault.New(fault.Invalid, "recount", "too many people at once")
	}
	out := vault.Recounted{}
	err := k.view(ctx, func(t *txn) error {
		row, _, err := engine.Get[state.Stat](t, state.Stats, recounted)
		out = vault.Recounted{Done: row.N > 0}
		for _, p := range r.Persons {
			if err != nil {
				return err
			}
			var left bool
			if left, err = t.uncounted(p); left {
				out.Left = append(out.Left, p)
			}
		}
		return err
	})
	if err != nil || out.Done {
		return out, err
	}
	if len(r.Records) > 0 {
		left, err := k.recount(ctx, r.Records)
		if err != nil {
			return vault.Recounted{}, err
		}
		out.Left = append(out.Left, left...)
	}
	if r.Finished {
		out.Done = true
		_, err = k.update(ctx, func(t *txn) error {
			if row, there, err := engine.Get[state.Stat](t, state.Stats, recounted); err != nil || (there && row.N > 0) {
				return err
			}
			return engine.Put(t, state.Stats, recounted, state.Stat{N: 1, Day: k.statDay()}, 0)
		})
	}
	return out, err
}

// uncounted reports whether a person is still to be counted.
func (t *txn) uncounted(person id.Person) (bool, error) {
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	return ok && p.Band == nil && (p.State == state.Active || p.State == state.Pending), err
}

// recount opens some records, each with its entry first, and counts them in the
// transaction that marks their people. Who changed meanwhile, or has something under
// way, is left for later.
func (k *Keeper) recount(ctx context.Context, brought []vault.Record) (left []id.Person, err error) {
	records := map[id.Person]vault.Record{}
	for _, rec := range brought {
		records[rec.Person] = rec
	}
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		left = nil
		var people []id.Person
		for _, rec := range brought {
			open, err := t.uncounted(rec.Person)
			if err != nil {
				return err
			}
			busy := false
			if open {
				if busy, err = t.storing(rec); err != nil {
					return err
				}
			}
			switch {
			case busy:
				left = append(left, rec.Person)
			case open && !slices.Contains(people, rec.Person):
				people = append(people, rec.Person)
			}
		}
		return t.Release(o, people, records, release.Claim{View: viewCounted, Role: "system"})
	})
	if err != nil {
		return nil, err
	}
	changes, bands := make([]counts, len(o.People)), make([][]byte, len(o.People))
	for i, p := range o.People {
		if changes[i], bands[i], err = k.countsOf(p); err != nil {
			return nil, err
		}
	}
	var grown []id.Person
	_, err = k.update(ctx, func(t *txn) error {
		grown, t.past = nil, true
		for i, op := range o.People {
			p, err := t.Person(op.ID)
			if err != nil {
				return err
			}
			switch {
			case p.Band != nil || p.State != state.Active:
				continue
			case op.Grown(p) != nil || len(t.underWay(p)) > 0:
				grown = append(grown, op.ID)
				continue
			}
			for key, n := range changes[i] {
				t.countCell(key, n)
			}
			p.Band = bands[i]
			if err := engine.Put(t, state.Persons, string(op.ID), p, 0); err != nil {
				return err
			}
		}
		if _, rows := t.Written(); rows > 0 {
			t.Append(engine.Entry{Kind: "counted", View: viewCounted, Role: "system"})
		}
		return nil
	})
	return append(left, grown...), err
}

// storing reports whether something of a person is under way that the record does not
// show as stored yet.
func (t *txn) storing(rec vault.Record) (bool, error) {
	p, err := t.Person(rec.Person)
	if err != nil {
		return false, err
	}
	return int64(len(rec.Parts)) <= p.Seq && len(t.underWay(p)) > 0, nil
}

// underWay are a person's seals that may still be stored.
func (t *txn) underWay(p state.Person) (out []state.Seal) {
	since := t.k.now().Add(-pendingLife).UnixMilli()
	for _, s := range p.Pending {
		if s.At > since {
			out = append(out, s)
		}
	}
	return out
}

// countsOf is what an opened person adds to the counters, and the sealed band.
func (k *Keeper) countsOf(p release.Person) (counts, []byte, error) {
	doc, err := p.Identity(k.keys)
	if err != nil {
		return nil, nil, err
	}
	doses, err := p.Doses(k.keys)
	if err != nil {
		return nil, nil, err
	}
	c := counts{}
	band := c.registered(k, p.ID, doc)
	for _, d := range doses {
		c.changed(release.Dose{}, d, doc.GenderID)
	}
	return c, band, nil
}
