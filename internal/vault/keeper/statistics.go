package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// The cells of a seal say something of a person until they are counted, so they wait
// sealed in the person's row, and go when the seal does.

// counts are changes of cells by their keys.
type counts map[string]int64

// registered counts a registration and returns its cell, sealed for the person's row:
// who leaves is taken off the same one.
func (c counts) registered(k *Keeper, person id.Person, doc release.Identity) (band []byte) {
	cell := statistics.Cell{Band: statistics.Band(doc.BirthYear, k.statDay().Year)}
	c[cell.Key()]++
	return k.keys.Contact.Seal(nil, nil, padded([]byte(cell.Key())), k.keys.ContactAAD("band", string(person)))
}

// padded fills up with spaces, so that the length of what is sealed tells nothing of it.
func padded(raw []byte) []byte {
	const block = 128
	return append(raw, bytes.Repeat([]byte{' '}, (block-len(raw)%block)%block)...)
}

// unregistered takes a person off the registrations they were counted among, once.
func (t *txn) unregistered(person id.Person, p *state.Person) error {
	if p.Band == nil || p.State != state.Active {
		return nil
	}
	raw, err := t.k.keys.Contact.Open(nil, nil, p.Band, t.k.keys.ContactAAD("band", string(person)))
	if err != nil {
		return state.Integrity(state.Persons, "where a registration is counted does not open")
	}
	t.countCell(strings.TrimSpace(string(raw)), -1)
	p.Band = nil
	return nil
}

func (t *txn) countCell(key string, n int64) {
	if t.counted == nil {
		t.counted = counts{}
		t.Before(t.tally)
	}
	t.counted[key] += n
}

// changed counts how a dose stands after a change: before is zero for a new one.
func (c counts) changed(before, after release.Dose, gender int) {
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

// sealCounts seals changes for the row of a person; nil when there are none.
func (k *Keeper) sealCounts(person id.Person, c counts) ([]byte, error) {
	maps.DeleteFunc(c, func(_ string, n int64) bool { return n == 0 })
	if len(c) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "counts")
	}
	return k.keys.Contact.Seal(nil, nil, padded(raw), k.keys.ContactAAD("counts", string(person))), nil
}

// doseCounts seals what one dose of an opened person changes. A person of before the
// counters is counted with all doses by Recount: until then nothing is.
func (k *Keeper) doseCounts(op release.Person, before, after release.Dose) ([]byte, error) {
	c := counts{}
	if op.Row.Band != nil && (shown(before) || shown(after)) {
		who, err := op.Identity(k.keys)
		if err != nil {
			return nil, err
		}
		c.changed(before, after, who.GenderID)
	}
	return k.sealCounts(op.ID, c)
}

// counting takes the changes of a stored seal into this transaction; tally writes them.
func (t *txn) counting(person id.Person, s state.Seal) error {
	if s.Count == nil {
		return nil
	}
	raw, err := t.k.keys.Contact.Open(nil, nil, s.Count, t.k.keys.ContactAAD("counts", string(person)))
	if err != nil {
		return state.Integrity(state.Persons, "the counts of a seal do not open")
	}
	var c counts
	if err := json.Unmarshal(raw, &c); err != nil {
		return state.Integrity(state.Persons, "the counts of a seal are malformed")
	}
	for key, n := range c {
		t.countCell(key, n)
	}
	return nil
}

// tally writes what was counted, each row once in a transaction.
func (t *txn) tally() error {
	if len(t.counted) == 0 {
		return nil
	}
	day := t.k.statDay()
	for _, key := range slices.Sorted(maps.Keys(t.counted)) {
		row, _, err := engine.Get[state.Stat](t, state.Stats, key)
		if err != nil {
			return err
		}
		if t.past {
			row = row.Earlier(day, t.counted[key])
		} else {
			row = row.Counted(day, t.counted[key])
		}
		if err := engine.Put(t, state.Stats, key, row, 0); err != nil {
			return err
		}
	}
	return nil
}

// statDay is today where the dashboard's day ends.
func (k *Keeper) statDay() civil.Date { return civil.Of(k.now().In(statistics.India())) }

// Statistics implements the vault's word: the rounded cells as of the last midnight.
// What was counted since then is in no answer, so asking often tells no more.
func (k *Keeper) Statistics(ctx context.Context, _ vault.Empty) (vault.Statistics, error) {
	today := k.statDay()
	var cells []statistics.Cell
	err := k.view(ctx, func(t *txn) error {
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
