package keeper

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// moveBatch is how many rows are looked at, and at most moved, at a time.
const moveBatch = 64

// batchesPerTurn is how many follow each other before other keys have their turn.
const batchesPerTurn = 40

// pass is one reading of a table for rows that still need an old key.
type pass struct {
	after string
	moved int
	began time.Time
}

// moveRows moves one batch of rows from old versions of a key to the current one.
// done: a whole pass that began after every request of before the change had
// ended found none.
func (k *Keeper) moveRows(ctx context.Context, purpose string, old []state.KeyVersion, passes map[string]*pass) (done bool, err error) {
	if k.eng.Comparing() {
		return false, nil // rows that are read to be compared are not to go meanwhile
	}
	p := passes[purpose]
	if p == nil {
		p = &pass{began: k.now()}
		passes[purpose] = p
	}
	for range batchesPerTurn {
		more, moved, err := k.moveSome(ctx, purpose, old, p)
		if err != nil {
			return false, err
		}
		p.moved += moved
		if !more {
			settled := p.moved == 0 && p.began.Sub(time.UnixMilli(keyset.Current(k.keys.Now().Sets[purpose]).Since)) >= k.cfg.KeyTimes.Drain
			*p = pass{began: k.now()}
			return settled, nil
		}
		if moved > 0 { // requests go first
			k.sleep(2)
		}
	}
	return false, nil
}

// moveSome looks at the next rows of a table and moves those that need it.
func (k *Keeper) moveSome(ctx context.Context, purpose string, old []state.KeyVersion, p *pass) (more bool, moved int, err error) {
	table := map[string]state.Table{keyring.PurposeMobile: state.Households, keyring.PurposeEpoch: state.Persons, keyring.PurposeIDTag: state.IDTags}[purpose]
	var keys []string
	err = k.store.View(ctx, func(tx state.Tx) error {
		keys = keys[:0]
		rows, err := tx.Scan(ctx, table, p.after, moveBatch)
		if err != nil {
			return err
		}
		more = len(rows) == moveBatch
		for _, s := range rows {
			p.after = s.Key
			needs, err := k.needsMove(ctx, tx, purpose, old, s)
			if err != nil {
				return err
			}
			if needs {
				keys = append(keys, s.Key)
			}
		}
		return nil
	})
	if err != nil || len(keys) == 0 {
		return more, 0, err
	}
	what := map[string]string{keyring.PurposeMobile: "numbers named anew", keyring.PurposeEpoch: "data keys wrapped anew", keyring.PurposeIDTag: "compromised tags removed"}[purpose]
	fn := func(t *txn) error {
		moved = 0
		for _, key := range keys {
			did, err := t.moveRow(purpose, key)
			if err != nil {
				return err
			}
			if did {
				moved++
			}
		}
		if moved > 0 {
			t.Append(k.keyEntry(what, keyring.Name(k.keys.Realm, purpose, keyset.Current(k.keys.Now().Sets[purpose]).Version), "system", nil))
		}
		return nil
	}
	if purpose == keyring.PurposeEpoch { // rows are changed, none goes
		_, err = k.update(ctx, fn)
		return more, moved, err
	}
	err = k.eng.Alone(func() error {
		_, err := k.commit(ctx, fn)
		return err
	})
	return more, moved, err
}

// needsMove decides on a snapshot; moveRow decides again in its transaction.
func (k *Keeper) needsMove(ctx context.Context, tx state.Tx, purpose string, old []state.KeyVersion, s state.Stored) (bool, error) {
	switch purpose {
	case keyring.PurposeEpoch:
		var row state.Person
		if err := json.Unmarshal(s.Content, &row); err != nil {
			return false, state.Integrity(state.Persons, "a row is malformed")
		}
		return row.Wrapped != nil && row.Epoch != k.keys.Now().EpochName, nil
	case keyring.PurposeIDTag:
		for _, v := range old {
			if strings.HasPrefix(s.Key, hex.EncodeToString([]byte{byte(v.Version)})) {
				return true, nil
			}
		}
		return false, nil
	}
	var row state.Household
	if err := json.Unmarshal(s.Content, &row); err != nil {
		return false, state.Integrity(state.Households, "a row is malformed")
	}
	if len(row.Mobile) == 0 {
		return false, nil
	}
	mobile, err := k.mobileOf(id.Household(s.Key), row)
	if err != nil {
		return false, err
	}
	for _, name := range k.keys.OldIndexes(mobile) {
		if _, ok, err := tx.Get(ctx, state.MobileIndexes, name); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (k *Keeper) mobileOf(house id.Household, h state.Household) (string, error) {
	mobile, err := k.keys.Contact.Open(nil, nil, h.Mobile, k.keys.ContactAAD("mobile", string(house)))
	if err != nil {
		return "", state.Integrity(state.Households, "a number does not open")
	}
	return string(mobile), nil
}

func (t *txn) moveRow(purpose, key string) (bool, error) {
	switch purpose {
	case keyring.PurposeEpoch:
		return t.rewrap(id.Person(key))
	case keyring.PurposeIDTag:
		_, ok, err := engine.Get[state.IDTag](t, state.IDTags, key)
		if err != nil || !ok {
			return false, err
		}
		return true, t.Drop(state.IDTags, key)
	}
	return t.reindex(id.Household(key))
}

// rewrap wraps a person's data key under the current epoch key. The parts that it
// opens stay as they are.
func (t *txn) rewrap(person id.Person) (bool, error) {
	keys := t.k.keys.Now()
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	if err != nil || !ok || p.Wrapped == nil || p.Epoch == keys.EpochName {
		return false, err
	}
	epoch := keys.Epochs[p.Epoch]
	if epoch == nil {
		return false, state.Integrity(state.Persons, "a data key is wrapped under an epoch key that is destroyed")
	}
	raw, err := epoch.Open(nil, nil, p.Wrapped, t.k.keys.DataKeyAAD(person, p.Epoch))
	if err != nil {
		return false, state.Integrity(state.Persons, "a data key does not open")
	}
	p.Epoch, p.Wrapped = t.k.keys.WrapDataKey(person, raw)
	return true, engine.Put(t, state.Persons, string(person), p, 0)
}

// reindex gives a household's number its name under the current index key and
// removes the one under an old key. Whatever looks for the number meanwhile looks
// under both.
func (t *txn) reindex(house id.Household) (bool, error) {
	h, err := t.Household(house)
	if err != nil || len(h.Mobile) == 0 {
		return false, err
	}
	mobile, err := t.k.mobileOf(house, h)
	if err != nil {
		return false, err
	}
	moved := false
	for _, name := range t.k.keys.OldIndexes(mobile) {
		row, ok, err := engine.Get[state.MobileIndex](t, state.MobileIndexes, name)
		if err != nil || !ok {
			if err != nil {
				return moved, err
			}
			continue
		}
		if row.Household != house {
			return moved, state.Integrity(state.MobileIndexes, "an index leads to another household than its number's")
		}
		_, there, err := engine.Get[state.MobileIndex](t, state.MobileIndexes, t.k.keys.BlindIndex(mobile))
		if err == nil && !there {
			err = engine.Put(t, state.MobileIndexes, t.k.keys.BlindIndex(mobile), row, 0)
		}
		if err == nil {
			err = t.Drop(state.MobileIndexes, name)
		}
		if err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// findNumber is where a number leads: under the current key or, during a change,
// an old one.
func (t *txn) findNumber(mobile string) (row state.MobileIndex, ok bool, err error) {
	_, row, ok, err = t.findNumberNamed(mobile)
	return row, ok, err
}

// findNumberNamed is findNumber with the name under which it was found, or is to be put.
func (t *txn) findNumberNamed(mobile string) (name string, row state.MobileIndex, ok bool, err error) {
	for _, name := range append([]string{t.k.keys.BlindIndex(mobile)}, t.k.keys.OldIndexes(mobile)...) {
		if row, ok, err = engine.Get[state.MobileIndex](t, state.MobileIndexes, name); err != nil || ok {
			return name, row, ok, err
		}
	}
	return t.k.keys.BlindIndex(mobile), row, false, nil
}
