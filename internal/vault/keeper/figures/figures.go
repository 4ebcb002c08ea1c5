// Package figures counts for the dashboard: cells of people registered and doses given, kept
// as the rows of one table and told rounded, as of the last midnight. What a seal will change
// waits sealed in its person's row, because the cells say something of a person until they
// are counted, and is counted in the transaction in which the seal is stored.
package figures

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// Desk counts for one vault. It is safe for concurrent use.
type Desk struct {
	Config
	eng *engine.Engine
}

// Config is what the counting needs.
type Config struct {
	Keys    *keyring.Ring
	Release *release.Desk
	With    func(*engine.Txn) *release.Txn // a transaction in which what follows a stored seal is known
	Now     func() time.Time
}

// New returns a desk over an engine.
func New(cfg Config, eng *engine.Engine) *Desk { return &Desk{Config: cfg, eng: eng} }

// Counts are changes of cells by their keys.
type Counts map[string]int64

// Tally is what one transaction counts. The zero value counts nothing yet.
type Tally struct {
	counted Counts
	past    bool // what is counted became stored on an earlier day
}

// Registered counts a registration and returns its cell, sealed for the person's row:
// who leaves is taken off the same one.
func (d *Desk) Registered(c Counts, person id.Person, doc release.Identity) (band []byte) {
	cell := statistics.Cell{Band: statistics.Band(doc.BirthYear, d.today().Year)}
	c[cell.Key()]++
	return d.Keys.Contact.Seal(nil, nil, padded([]byte(cell.Key())), d.Keys.ContactAAD("band", string(person)))
}

// padded fills up with spaces, so that the length of what is sealed tells nothing of it.
func padded(raw []byte) []byte {
	const block = 128
	return append(raw, bytes.Repeat([]byte{' '}, (block-len(raw)%block)%block)...)
}

// Unregistered takes a person off the registrations they were counted among, once; p is the
// person's row, for the caller to write.
func (d *Desk) Unregistered(t *engine.Txn, n *Tally, person id.Person, p *state.Person) error {
	if p.Band == nil || p.State != state.Active {
		return nil
	}
	raw, err := d.Keys.Contact.Open(nil, nil, p.Band, d.Keys.ContactAAD("band", string(person)))
	if err != nil {
		return state.Integrity(state.Persons, "where a registration is counted does not open")
	}
	d.add(t, n, strings.TrimSpace(string(raw)), -1)
	p.Band = nil
	return nil
}

func (d *Desk) add(t *engine.Txn, n *Tally, key string, by int64) {
	if n.counted == nil {
		n.counted = Counts{}
		t.Before(func() error { return d.write(t, n) })
	}
	n.counted[key] += by
}

// Changed counts how a dose stands after a change: before is zero for a new one.
func (c Counts) Changed(before, after release.Dose, gender int) {
	if shown(before) {
		c[doseCell(before, gender)]--
	}
	if shown(after) {
		c[doseCell(after, gender)]++
	}
}

// shown reports whether a dose is in the figures: in force, of the programme the
// dashboard is about, and given in this country.
func shown(d release.Dose) bool {
	return d.Counts() && d.Programme == rules.ProgrammeCOVID && d.Source != rules.SourceAbroad
}

func doseCell(d release.Dose, gender int) string {
	return statistics.Cell{State: d.State, District: d.District, Product: d.Product, Dose: d.Sequence, Gender: gender}.Key()
}

// Seal seals changes for the row of a person; nil when there are none.
func (d *Desk) Seal(person id.Person, c Counts) ([]byte, error) {
	maps.DeleteFunc(c, func(_ string, n int64) bool { return n == 0 })
	if len(c) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "counts")
	}
	return d.Keys.Contact.Seal(nil, nil, padded(raw), d.Keys.ContactAAD("counts", string(person))), nil
}

// SealDose seals what one dose of an opened person changes. A person of before the
// counters is counted with all doses by Recount: until then nothing is.
func (d *Desk) SealDose(op release.Person, before, after release.Dose) ([]byte, error) {
	c := Counts{}
	if op.Row.Band != nil && (shown(before) || shown(after)) {
		who, err := op.Identity(d.Keys)
		if err != nil {
			return nil, err
		}
		c.Changed(before, after, who.GenderID)
	}
	return d.Seal(op.ID, c)
}

// Stored counts the changes of a seal in the transaction in which it is stored.
func (d *Desk) Stored(t *engine.Txn, n *Tally, person id.Person, s state.Seal) error {
	if s.Count == nil {
		return nil
	}
	raw, err := d.Keys.Contact.Open(nil, nil, s.Count, d.Keys.ContactAAD("counts", string(person)))
	if err != nil {
		return state.Integrity(state.Persons, "the counts of a seal do not open")
	}
	var c Counts
	if err := json.Unmarshal(raw, &c); err != nil {
		return state.Integrity(state.Persons, "the counts of a seal are malformed")
	}
	for key, by := range c {
		d.add(t, n, key, by)
	}
	return nil
}

// write writes what was counted, each row once in a transaction.
func (d *Desk) write(t *engine.Txn, n *Tally) error {
	if len(n.counted) == 0 {
		return nil
	}
	day := d.today()
	for _, key := range slices.Sorted(maps.Keys(n.counted)) {
		row, _, err := engine.Get[state.Stat](t, state.Stats, key)
		if err != nil {
			return err
		}
		if n.past {
			row = row.Earlier(day, n.counted[key])
		} else {
			row = row.Counted(day, n.counted[key])
		}
		if err := engine.Put(t, state.Stats, key, row, 0); err != nil {
			return err
		}
	}
	return nil
}

// today is the day it is where the dashboard's day ends.
func (d *Desk) today() civil.Date { return civil.Of(d.Now().In(statistics.India())) }

// Statistics implements the vault's word: the rounded cells as of the last midnight.
// What was counted since then is in no answer, so asking often tells no more.
func (d *Desk) Statistics(ctx context.Context, _ vault.Empty) (vault.Statistics, error) {
	today := d.today()
	var cells []statistics.Cell
	err := d.eng.View(ctx, func(t *engine.Txn) error {
		cells = nil
		var keys []string
		if err := t.Tx.All(ctx, state.Stats, func(s state.Stored) error { keys = append(keys, s.Key); return nil }); err != nil {
			return err
		}
		for _, key := range keys {
			if key == recounted {
				continue
			}
			row, _, err := engine.Get[state.Stat](t, state.Stats, key)
			if err != nil {
				return err
			}
			cell, ok := statistics.ParseKey(key)
			if !ok {
				return state.Integrity(state.Stats, "a row has no known name")
			}
			cell.N = row.AsOf(today)
			cells = append(cells, cell)
		}
		return nil
	})
	if err != nil {
		return vault.Statistics{}, err
	}
	return vault.Statistics{Published: statistics.Publish(today.AddDays(-1), cells)}, nil
}
