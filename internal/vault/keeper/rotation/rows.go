package rotation

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/numbers"
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
func (k *Desk) moveRows(ctx context.Context, purpose string, old []state.KeyVersion, passes map[string]*pass) (done bool, err error) {
	if k.eng.Comparing() {
		return false, nil // rows that are read to be compared are not to go meanwhile
	}
	p := passes[purpose]
	if p == nil {
		p = &pass{began: k.Now()}
		passes[purpose] = p
	}
	for range batchesPerTurn {
		more, moved, err := k.moveSome(ctx, purpose, old, p)
		if err != nil {
			return false, err
		}
		p.moved += moved
		if !more {
			settled := p.moved == 0 && p.began.Sub(time.UnixMilli(keyset.Current(k.Keys.Now().Sets[purpose]).Since)) >= k.Times.Drain
			*p = pass{began: k.Now()}
			return settled, nil
		}
		if moved > 0 { // requests go first
			time.Sleep(2 * time.Millisecond)
		}
	}
	return false, nil
}

// moveSome looks at the next rows of a table and moves those that need it.
func (k *Desk) moveSome(ctx context.Context, purpose string, old []state.KeyVersion, p *pass) (more bool, moved int, err error) {
	table := map[string]state.Table{keyring.PurposeMobile: state.Households, keyring.PurposeEpoch: state.Persons, keyring.PurposeIDTag: state.IDTags}[purpose]
	var keys []string
	err = k.Store.View(ctx, func(tx state.Tx) error {
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
	fn := func(t *engine.Txn) error {
		moved = 0
		for _, key := range keys {
			did, err := k.moveRow(t, purpose, key)
			if err != nil {
				return err
			}
			if did {
				moved++
			}
		}
		if moved > 0 {
			t.Append(k.entry(what, keyring.Name(k.Keys.Realm, purpose, keyset.Current(k.Keys.Now().Sets[purpose]).Version), "system", nil))
		}
		return nil
	}
	if purpose == keyring.PurposeEpoch { // rows are changed, none goes
		_, err = k.eng.Update(ctx, fn)
		return more, moved, err
	}
	err = k.eng.Alone(func() error {
		_, err := k.eng.Commit(ctx, fn)
		return err
	})
	return more, moved, err
}

// needsMove decides on a snapshot; moveRow decides again in its transaction.
func (k *Desk) needsMove(ctx context.Context, tx state.Tx, purpose string, old []state.KeyVersion, s state.Stored) (bool, error) {
	switch purpose {
	case keyring.PurposeEpoch:
		var row state.Person
		if err := json.Unmarshal(s.Content, &row); err != nil {
			return false, state.Integrity(state.Persons, "a row is malformed")
		}
		return row.Wrapped != nil && row.Epoch != k.Keys.Now().EpochName, nil
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
	mobile, err := numbers.Of(k.Keys, id.Household(s.Key), row)
	if err != nil {
		return false, err
	}
	for _, name := range k.Keys.OldIndexes(mobile) {
		if _, ok, err := tx.Get(ctx, state.MobileIndexes, name); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (k *Desk) moveRow(t *engine.Txn, purpose, key string) (bool, error) {
	switch purpose {
	case keyring.PurposeEpoch:
		return k.rewrap(t, id.Person(key))
	case keyring.PurposeIDTag:
		_, ok, err := engine.Get[state.IDTag](t, state.IDTags, key)
		if err != nil || !ok {
			return false, err
		}
		return true, t.Drop(state.IDTags, key)
	}
	return k.reindex(t, id.Household(key))
}

// rewrap wraps a person's data key under the current epoch key. The parts that it
// opens stay as they are.
func (k *Desk) rewrap(t *engine.Txn, person id.Person) (bool, error) {
	keys := k.Keys.Now()
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	if err != nil || !ok || p.Wrapped == nil || p.Epoch == keys.EpochName {
		return false, err
	}
	epoch := keys.Epochs[p.Epoch]
	if epoch == nil {
		return false, state.Integrity(state.Persons, "a data key is wrapped under an epoch key that is destroyed")
	}
	raw, err := epoch.Open(nil, nil, p.Wrapped, k.Keys.DataKeyAAD(person, p.Epoch))
	if err != nil {
		return false, state.Integrity(state.Persons, "a data key does not open")
	}
	p.Epoch, p.Wrapped = k.Keys.WrapDataKey(person, raw)
	return true, engine.Put(t, state.Persons, string(person), p, 0)
}

// reindex gives a household's number its name under the current index key and
// removes the one under an old key. Whatever looks for the number meanwhile looks
// under both.
func (k *Desk) reindex(t *engine.Txn, house id.Household) (bool, error) {
	h, ok, err := engine.Get[state.Household](t, state.Households, string(house))
	if err == nil && !ok {
		err = state.Integrity(state.Households, "a household is missing")
	}
	if err != nil || len(h.Mobile) == 0 {
		return false, err
	}
	mobile, err := numbers.Of(k.Keys, house, h)
	if err != nil {
		return false, err
	}
	moved := false
	for _, name := range k.Keys.OldIndexes(mobile) {
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
		_, there, err := engine.Get[state.MobileIndex](t, state.MobileIndexes, k.Keys.BlindIndex(mobile))
		if err == nil && !there {
			err = engine.Put(t, state.MobileIndexes, k.Keys.BlindIndex(mobile), row, 0)
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
