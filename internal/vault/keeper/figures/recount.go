package figures

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
func (d *Desk) Recount(ctx context.Context, r vault.RecountRequest) (vault.Recounted, error) {
	if len(r.Persons) > vault.MaxRecountAsked || len(r.Records) > vault.MaxRecountRecords {
		return vault.Recounted{}, fault.New(fault.Invalid, "recount", "too many people at once")
	}
	out := vault.Recounted{}
	err := d.eng.View(ctx, func(t *engine.Txn) error {
		row, _, err := engine.Get[state.Stat](t, state.Stats, recounted)
		out = vault.Recounted{Done: row.N > 0}
		for _, p := range r.Persons {
			if err != nil {
				return err
			}
			var left bool
			if left, err = uncounted(t, p); left {
				out.Left = append(out.Left, p)
			}
		}
		return err
	})
	if err != nil || out.Done {
		return out, err
	}
	if len(r.Records) > 0 {
		left, err := d.recount(ctx, r.Records)
		if err != nil {
			return vault.Recounted{}, err
		}
		out.Left = append(out.Left, left...)
	}
	if r.Finished {
		out.Done = true
		_, err = d.eng.Update(ctx, func(t *engine.Txn) error {
			if row, there, err := engine.Get[state.Stat](t, state.Stats, recounted); err != nil || (there && row.N > 0) {
				return err
			}
			return engine.Put(t, state.Stats, recounted, state.Stat{N: 1, Day: d.today()}, 0)
		})
	}
	return out, err
}

// uncounted reports whether a person is still to be counted.
func uncounted(t engine.Transaction, person id.Person) (bool, error) {
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	return ok && p.Band == nil && (p.State == state.Active || p.State == state.Pending), err
}

// recount opens some records, each with its entry first, and counts them in the
// transaction that marks their people. Who changed meanwhile, or has something under
// way, is left for later.
func (d *Desk) recount(ctx context.Context, brought []vault.Record) (left []id.Person, err error) {
	records := map[id.Person]vault.Record{}
	for _, rec := range brought {
		records[rec.Person] = rec
	}
	o, err := d.Release.Open(ctx, func(on *engine.Txn, o *release.Opening) error {
		t := d.With(on)
		left = nil
		var people []id.Person
		for _, rec := range brought {
			open, err := uncounted(t, rec.Person)
			if err != nil {
				return err
			}
			busy := false
			if open {
				if busy, err = d.storing(t, rec); err != nil {
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
	changes, bands := make([]Counts, len(o.People)), make([][]byte, len(o.People))
	for i, p := range o.People {
		if changes[i], bands[i], err = d.countsOf(p); err != nil {
			return nil, err
		}
	}
	var grown []id.Person
	_, err = d.eng.Update(ctx, func(on *engine.Txn) error {
		t, counted := d.With(on), &Tally{past: true}
		grown = nil
		for i, op := range o.People {
			p, err := t.Person(op.ID)
			if err != nil {
				return err
			}
			switch {
			case p.Band != nil || p.State != state.Active:
				continue
			case op.Grown(p) != nil || len(release.UnderWay(p, d.Now())) > 0:
				grown = append(grown, op.ID)
				continue
			}
			for key, n := range changes[i] {
				d.add(on, counted, key, n)
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
func (d *Desk) storing(t *release.Txn, rec vault.Record) (bool, error) {
	p, err := t.Person(rec.Person)
	if err != nil {
		return false, err
	}
	return int64(len(rec.Parts)) <= p.Seq && len(release.UnderWay(p, d.Now())) > 0, nil
}

// countsOf is what an opened person adds to the counters, and the sealed band.
func (d *Desk) countsOf(p release.Person) (Counts, []byte, error) {
	doc, err := p.Identity(d.Keys)
	if err != nil {
		return nil, nil, err
	}
	doses, err := p.Doses(d.Keys)
	if err != nil {
		return nil, nil, err
	}
	c := Counts{}
	band := d.Registered(c, p.ID, doc)
	for _, dose := range doses {
		c.Changed(release.Dose{}, dose, doc.GenderID)
	}
	return c, band, nil
}
