package keeper

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
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
	if k.comparing.Load() != nil {
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
			settled := p.moved == 0 && p.began.Sub(time.UnixMilli(keyset.Current(k.keys.now().sets[purpose]).Since)) >= k.cfg.KeyTimes.Drain
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
	table := map[string]state.Table{purposeMobile: state.Households, purposeEpoch: state.Persons, purposeIDTag: state.IDTags}[purpose]
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
	what := map[string]string{purposeMobile: "numbers named anew", purposeEpoch: "data keys wrapped anew", purposeIDTag: "compromised tags removed"}[purpose]
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
			t.append(k.keyEntry(what, keyName(k.keys.realm, purpose, keyset.Current(k.keys.now().sets[purpose]).Version), "system", nil))
		}
		return nil
	}
	if purpose == purposeEpoch { // rows are changed, none goes
		_, err = k.update(ctx, fn)
		return more, moved, err
	}
	k.turnMu.Lock()
	defer k.turnMu.Unlock()
	_, err = k.commit(ctx, fn)
	return more, moved, err
}

// needsMove decides on a snapshot; moveRow decides again in its transaction.
func (k *Keeper) needsMove(ctx context.Context, tx state.Tx, purpose string, old []state.KeyVersion, s state.Stored) (bool, error) {
	switch purpose {
	case purposeEpoch:
		var row state.Person
		if err := json.Unmarshal(s.Content, &row); err != nil {
			return false, integrity(state.Persons, "a row is malformed")
		}
		return row.Wrapped != nil && row.Epoch != k.keys.now().epochName, nil
	case purposeIDTag:
		for _, v := range old {
			if strings.HasPrefix(s.Key, hexString([]byte{byte(v.Version)})) {
				return true, nil
			}
		}
		return false, nil
	}
	var row state.Household
	if err := json.Unmarshal(s.Content, &row); err != nil {
		return false, integrity(state.Households, "a row is malformed")
	}
	if len(row.Mobile) == 0 {
		return false, nil
	}
	mobile, err := k.mobileOf(id.Household(s.Key), row)
	if err != nil {
		return false, err
	}
	for _, name := range k.oldIndexes(mobile) {
		if _, ok, err := tx.Get(ctx, state.MobileIndexes, name); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (k *Keeper) mobileOf(house id.Household, h state.Household) (string, error) {
	mobile, err := k.keys.contact.Open(nil, nil, h.Mobile, k.contactAAD("mobile", string(house)))
	if err != nil {
		return "", integrity(state.Households, "a number does not open")
	}
	return string(mobile), nil
}

func (t *txn) moveRow(purpose, key string) (bool, error) {
	switch purpose {
	case purposeEpoch:
		return t.rewrap(id.Person(key))
	case purposeIDTag:
		_, ok, err := get[state.IDTag](t, state.IDTags, key)
		if err != nil || !ok {
			return false, err
		}
		return true, t.drop(state.IDTags, key)
	}
	return t.reindex(id.Household(key))
}

// rewrap wraps a person's data key under the current epoch key. The parts that it
// opens stay as they are.
func (t *txn) rewrap(person id.Person) (bool, error) {
	keys := t.k.keys.now()
	p, ok, err := get[state.Person](t, state.Persons, string(person))
	if err != nil || !ok || p.Wrapped == nil || p.Epoch == keys.epochName {
		return false, err
	}
	epoch := keys.epochs[p.Epoch]
	if epoch == nil {
		return false, integrity(state.Persons, "a data key is wrapped under an epoch key that is destroyed")
	}
	raw, err := epoch.Open(nil, nil, p.Wrapped, t.k.dataKeyAAD(person, p.Epoch))
	if err != nil {
		return false, integrity(state.Persons, "a data key does not open")
	}
	p.Epoch, p.Wrapped = t.k.wrapDataKey(person, raw)
	return true, put(t, state.Persons, string(person), p, 0)
}

// reindex gives a household's number its name under the current index key and
// removes the one under an old key. Whatever looks for the number meanwhile looks
// under both.
func (t *txn) reindex(house id.Household) (bool, error) {
	h, err := t.household(house)
	if err != nil || len(h.Mobile) == 0 {
		return false, err
	}
	mobile, err := t.k.mobileOf(house, h)
	if err != nil {
		return false, err
	}
	moved := false
	for _, name := range t.k.oldIndexes(mobile) {
		row, ok, err := get[state.MobileIndex](t, state.MobileIndexes, name)
		if err != nil || !ok {
			if err != nil {
				return moved, err
			}
			continue
		}
		if row.Household != house {
			return moved, integrity(state.MobileIndexes, "an index leads to another household than its number's")
		}
		_, there, err := get[state.MobileIndex](t, state.MobileIndexes, t.k.blindIndex(mobile))
		if err == nil && !there {
			err = put(t, state.MobileIndexes, t.k.blindIndex(mobile), row, 0)
		}
		if err == nil {
			err = t.drop(state.MobileIndexes, name)
		}
		if err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// oldIndexes are the names of a number under index keys that are being replaced.
func (k *Keeper) oldIndexes(mobile string) []string {
	if ablate.Off(ablate.KeyHistory) {
		return nil
	}
	var out []string
	current := k.blindIndex(mobile)
	for _, key := range k.keys.now().indexes[1:] {
		if name := k.indexUnder(key, mobile); name != current {
			out = append(out, name)
		}
	}
	return out
}

// findNumber is where a number leads: under the current key or, during a change,
// an old one.
func (t *txn) findNumber(mobile string) (row state.MobileIndex, ok bool, err error) {
	for _, name := range append([]string{t.k.blindIndex(mobile)}, t.k.oldIndexes(mobile)...) {
		if row, ok, err = get[state.MobileIndex](t, state.MobileIndexes, name); err != nil || ok {
			return row, ok, err
		}
	}
	return row, false, nil
}

// idTags are the keyed duplicate tags of one id number: under the current
// version of the key, and under older ones that still count.
type idTags struct {
	current string
	old     []string
}

// is reports whether a stored tag is one of them.
func (i idTags) is(tag string) bool {
	for _, o := range i.old {
		if o == tag {
			return tag != ""
		}
	}
	return i.current == tag
}

// oldest is the tag that stays the same through a change.
func (i idTags) oldest() string {
	if len(i.old) > 0 {
		return i.old[0]
	}
	return i.current
}

// idTags makes the tags of an id number; the number itself is dropped right
// after.
func (k *Keeper) idTags(idType int, canonical string) (out idTags, err error) {
	raw, err := json.Marshal([]any{int(k.keys.realm), idType, canonical})
	if err != nil {
		return out, fault.Wrap(fault.Internal, err, "id tag")
	}
	for i, version := range k.keys.now().tags {
		tag, err := k.keys.provider.Tag(version, raw)
		if err != nil {
			return out, err
		}
		text := hexString(append([]byte{byte(version)}, tag...))
		if i == 0 {
			out.current = text
			continue
		}
		out.old = append(out.old, text)
	}
	return out, nil
}

// drop forgets rows that were removed.
func (m *memory) drop(names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		c, _ := class(tableOf(name))
		delete(m.rows[c], m.id(name))
	}
}
