package engine

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Txn is one vault transaction: rows with their MACs, the change of the
// combined digest, and the ledger entries that go in with it. Entries get their
// indexes when the function has returned; receipts exist only after commit. It is
// used by one goroutine.
type Txn struct {
	Ctx      context.Context
	k        *Engine
	Tx       state.Tx
	Quiet    bool // nobody gets its receipts
	delta    [32]byte
	changed  bool
	entries  []*Entry
	seen     map[string]sighting
	versions map[string]int64
	dropped  []string           // names of anchored rows it removed
	found    map[string][]byte  // contents of rows as read or last written
	fresh    map[string]bool    // rows made anew, perhaps after the last one expired
	olds     map[string][]byte  // digests of anchored rows as read or last written
	rows     map[string]RowNote // anchored rows as last written
	moved    shelves            // what that changed in the digests of shelves
	began    uint64             // sightings before this transaction's snapshot
	next     int64              // the ledger's size before it
	marks    []*Entry           // entries whose leaves can be made again; before the others
	ahead    []func() error     // to be done before its entries are written
	later    []func()           // to be done when it is committed
}

// Transaction is a transaction of the engine, or what a part of the vault has wrapped around one.
type Transaction interface{ Engine() *Txn }

// Engine is the transaction itself, below what parts of the vault have wrapped around it.
func (t *Txn) Engine() *Txn { return t }

// Before has fn called when the transaction's function has returned, before its
// entries get their indexes.
func (t *Txn) Before(fn func() error) { t.ahead = append(t.ahead, fn) }

// After has fn called once the transaction is committed.
func (t *Txn) After(fn func()) { t.later = append(t.later, fn) }

// ReadOnly lets what the transaction writes go nowhere: it is decided again later.
func (t *Txn) ReadOnly() { t.Tx = unwritten{t.Tx} }

// Aside is a copy of the transaction that reads as it does and whose writes have no effect.
func (t *Txn) Aside() *Txn {
	return t.k.begin(t.Ctx, t.began, t.next, unwritten{t.Tx})
}

// Written is how many entries and anchored rows the transaction has written so far.
func (t *Txn) Written() (entries, rows int) { return len(t.entries), len(t.rows) }

// Withdraw takes the transaction's entries back unless an anchored row was written: then
// it has done nothing.
func (t *Txn) Withdraw() {
	if !t.changed {
		t.entries = nil
	}
}

// begin makes the transaction's bookkeeping. A row or head may be expected as
// new as what was committed before began, and no newer: a snapshot is not
// touched by what others commit while it is read.
func (k *Engine) begin(ctx context.Context, began uint64, next int64, tx state.Tx) *Txn {
	return &Txn{Ctx: ctx, k: k, Tx: tx, began: began, next: next,
		seen: map[string]sighting{}, versions: map[string]int64{}, found: map[string][]byte{}, fresh: map[string]bool{}, olds: map[string][]byte{}, rows: map[string]RowNote{}, moved: shelves{}}
}

// Update runs fn as one durable transaction and returns the receipts of its
// entries, in order. No error means: rows and entries are synced to disk.
func (k *Engine) Update(ctx context.Context, fn func(*Txn) error) ([]string, error) {
	if err := k.Gate(ctx); err != nil {
		return nil, err
	}
	return k.Transact(ctx, fn)
}

// Transact is update without the gate: what a start itself writes.
func (k *Engine) Transact(ctx context.Context, fn func(*Txn) error) ([]string, error) {
	k.turnMu.RLock() // the keys stay as they are until it is committed and remembered
	defer k.turnMu.RUnlock()
	return k.Commit(ctx, fn)
}

// Alone runs fn while no transaction runs but those that fn commits: what changes keys
// or drops rows.
func (k *Engine) Alone(fn func() error) error {
	k.turnMu.Lock()
	defer k.turnMu.Unlock()
	return fn()
}

// Commit is transact for those inside alone.
func (k *Engine) Commit(ctx context.Context, fn func(*Txn) error) ([]string, error) {
	for attempt := 0; ; attempt++ {
		var t *Txn
		take, taken := k.cfg.Along()
		err := k.store.Update(ctx, func(tx state.Tx) error {
			t = k.begin(ctx, k.seen.count.Load(), k.lastNext.Load(), tx)
			if err := fn(t); err != nil {
				return err
			}
			if err := t.flush(); err != nil {
				return err
			}
			return take(ctx, tx)
		})
		taken(err == nil)
		if err == nil {
			k.seen.remember(t.seen, t.fresh, k.now().UnixMilli())
			k.seen.drop(t.dropped)
			for _, fn := range t.later {
				fn()
			}
			return t.receipts(), nil
		}
		if !raced(err) || attempt == 8 {
			return nil, err
		}
	}
}

// raced reports ErrAgain, also as the store says it once the function has returned
// (state.Rows).
func raced(err error) bool {
	return errors.Is(err, ErrAgain) || fault.Is(err, fault.Conflict) && fault.CodeOf(err) == fault.CodeOf(ErrAgain)
}

// ErrAgain marks a lost race on a row's version: the transaction is repeated.
var ErrAgain = fault.New(fault.Conflict, "version", "the row changed meanwhile")

// View runs fn on a read-only snapshot.
func (k *Engine) View(ctx context.Context, fn func(*Txn) error) error {
	if err := k.Gate(ctx); err != nil {
		return err
	}
	return k.Look(ctx, fn)
}

// Look is view without the gate: what a start itself reads.
func (k *Engine) Look(ctx context.Context, fn func(*Txn) error) error {
	began, next := k.seen.count.Load(), k.lastNext.Load()
	return k.store.View(ctx, func(tx state.Tx) error { return fn(k.begin(ctx, began, next, tx)) })
}

// RowTag names a row in ledger bodies.
func (k *Engine) RowTag(t state.Table, key string) string {
	return hex.EncodeToString(k.keys.MAC(keyring.PurposeDigest, []byte("row name"), k.keys.RealmBytes(), []byte(t), []byte(key))[:16])
}

// RowDigest is what an anchored row adds to the combined digest.
func (k *Engine) RowDigest(t state.Table, s state.Stored) []byte {
	return k.keys.MAC(keyring.PurposeDigest, k.keys.RealmBytes(), []byte(t), []byte(s.Key), []byte(strconv.FormatInt(s.Version, 10)), s.Content)
}

func anchored(t state.Table) bool {
	for _, a := range state.Anchored() {
		if a == t {
			return true
		}
	}
	return false
}

// Get reads a row and checks its MAC, and that it has neither gone back nor
// disappeared since this process last saw it.
func Get[T any](on Transaction, table state.Table, key string) (v T, ok bool, err error) {
	t := on.Engine()
	name := rowName(table, key)
	if s, ok := t.found[name]; ok { // read and checked, or written, in this transaction
		if err := json.Unmarshal(s, &v); err != nil {
			return v, false, state.Integrity(table, "a row is malformed")
		}
		return v, true, nil
	}
	if strings.ContainsRune(key, 0) { // no row's name has one, and PostgreSQL would fail on it
		return v, false, nil
	}
	if err := t.k.Compared(t.Ctx, table, key); err != nil {
		return v, false, err
	}
	s, ok, err := t.Tx.Get(t.Ctx, table, key)
	if err != nil || !ok {
		if err == nil && t.k.lastSeen(table, key, t.began) > 0 && !ablate.Off(ablate.GuardAnchor) {
			return v, false, state.Integrity(table, "a row has disappeared")
		}
		return v, false, err
	}
	if !hmac.Equal(s.MAC, t.k.keys.RowMAC(table, s)) && !ablate.Off(ablate.RowMAC) {
		return v, false, state.Integrity(table, "a row's MAC does not match")
	}
	if s.Version < t.k.lastSeen(table, key, t.began) && !ablate.Off(ablate.GuardAnchor) {
		return v, false, state.Integrity(table, "a row has gone back to an older version")
	}
	if err := json.Unmarshal(s.Content, &v); err != nil {
		return v, false, state.Integrity(table, "a row is malformed")
	}
	t.versions[name], t.found[name] = s.Version, s.Content
	t.seen[name] = sighting{version: s.Version, expires: s.Expires}
	if anchored(table) {
		t.olds[name] = t.k.RowDigest(table, s)
	}
	return v, true, nil
}

// Put writes a row. A row that exists must have been read in this transaction.
func Put[T any](on Transaction, table state.Table, key string, v T, expires int64) error {
	t := on.Engine()
	content, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "row")
	}
	if err := t.k.Compared(t.Ctx, table, key); err != nil {
		return err
	}
	name := rowName(table, key)
	s := state.Stored{Key: key, Version: t.versions[name] + 1, Content: content, Expires: expires}
	s.MAC = t.k.keys.RowMAC(table, s)
	if err := t.Tx.Put(t.Ctx, table, s); err != nil {
		if fault.Is(err, fault.Conflict) {
			return ErrAgain
		}
		return err
	}
	if anchored(table) {
		digest := t.k.RowDigest(table, s)
		shelf := shelfOf(table, key)
		if old := t.olds[name]; old != nil {
			subtle.XORBytes(t.delta[:], t.delta[:], old)
			t.moved.move(shelf, old)
		}
		subtle.XORBytes(t.delta[:], t.delta[:], digest)
		t.moved.move(shelf, digest)
		t.olds[name] = digest
		t.changed = true
		t.rows[name] = RowNote{t.k.RowTag(table, key), s.Version}
	}
	t.found[name] = content
	t.versions[name], t.seen[name] = s.Version, sighting{version: s.Version, expires: expires}
	t.fresh[name] = t.fresh[name] || (s.Version == 1 && !anchored(table))
	return nil
}

// Count adds n to a counter of the current window, from the epoch on, and returns its value.
// With 0 it reads.
func (t *Txn) Count(window time.Duration, kind, key string, n int64) (int64, error) {
	begin := t.k.now().Truncate(window)
	name := kind + "/" + key + "/" + strconv.FormatInt(begin.Unix(), 10)
	c, _, err := Get[state.Counter](t, state.Counters, name)
	if err != nil || n == 0 {
		return c.N, err
	}
	c.N += n
	return c.N, Put(t, state.Counters, name, c, begin.Add(2*window).UnixMilli())
}

// Drop removes an anchored row that was read in this transaction. It needs turnMu
// alone (Keeper.turnRows), so that no other transaction remembers the row as seen.
func (t *Txn) Drop(table state.Table, key string) error {
	if err := t.k.Compared(t.Ctx, table, key); err != nil {
		return err
	}
	name := rowName(table, key)
	if err := t.Tx.Delete(t.Ctx, table, key); err != nil {
		return err
	}
	subtle.XORBytes(t.delta[:], t.delta[:], t.olds[name])
	t.moved.move(shelfOf(table, key), t.olds[name])
	t.changed = true
	t.rows[name] = RowNote{t.k.RowTag(table, key), 0}
	t.dropped = append(t.dropped, name)
	for _, m := range []map[string][]byte{t.found, t.olds} {
		delete(m, name)
	}
	delete(t.versions, name)
	delete(t.seen, name)
	return nil
}

func rowName(t state.Table, key string) string { return string(t) + "/" + key }

// Entry is one ledger entry before it has an index.
type Entry struct {
	Index    int64
	At       int64
	Kind     string
	Person   id.Person         `json:",omitempty"`
	House    id.Household      `json:",omitempty"`
	View     string            `json:",omitempty"`
	Role     string            `json:",omitempty"`
	Actor    string            `json:",omitempty"`
	Place    string            `json:",omitempty"`
	Reason   string            `json:",omitempty"`
	ViewID   string            `json:",omitempty"`
	Evidence string            `json:",omitempty"`
	Policy   string            `json:",omitempty"` // ids of the policies that allowed it
	Seal     *SealNote         `json:",omitempty"`
	Rows     []RowNote         `json:",omitempty"` // anchored rows the transaction wrote, in its first entry
	Moved    map[string][]byte `json:",omitempty"` // by shelf: what that changed in its digest
	Lost     int64             `json:",omitempty"` // of a restore: how many entries right before it are leaves without a body
	Digest   string            // combined digest of the anchored rows after the transaction
	LastOut  int64             `json:",omitempty"` // index and one of the newest sign-out, this entry or an earlier one
	PrevOut  int64             `json:",omitempty"` // of a sign-out: of the one before it

	commitment ledger.Commitment
	Topic      id.Person `json:"-"` // finds an entry that is about no person
	salt       *[32]byte // of a mark
}

// RowNote is a row, by its keyed tag, and the version it was written at; 0: it
// was removed.
type RowNote struct {
	Row     string
	Version int64
}

// SealNote says what a sealed or committed entry is about; hashes are of
// ciphertext.
type SealNote struct {
	ID    string
	Parts []PartNote
}

// PartNote is one part of a sealed or committed entry.
type PartNote struct {
	Seq     int64
	Part    vault.Part
	Version int
	Hash    vault.Hash
}

// NoteOf says which parts a seal is of.
func NoteOf(sealID string, parts []vault.Sealed) *SealNote {
	n := &SealNote{ID: sealID}
	for _, p := range parts {
		n.Parts = append(n.Parts, PartNote{p.Seq, p.Part, p.Version, p.Hash})
	}
	return n
}

// Append adds an entry to the transaction.
func (t *Txn) Append(e Entry) *Entry {
	e.At = t.k.now().UnixMilli()
	t.entries = append(t.entries, &e)
	return &e
}

// flush gives the entries their indexes and writes them with the new digest. A
// change of anchored rows without an entry is a bug and refused.
func (t *Txn) flush() error {
	for _, fn := range t.ahead {
		if err := fn(); err != nil {
			return err
		}
	}
	if len(t.entries) == 0 {
		if t.changed {
			return fault.New(fault.Internal, "anchor", "rows that grant changed without a ledger entry")
		}
		return nil
	}
	next, at, err := t.Head()
	if err != nil {
		return err
	}
	subtle.XORBytes(at.Sum[:], at.Sum[:], t.delta[:])
	for _, name := range slices.Sorted(maps.Keys(t.rows)) {
		t.entries[0].Rows = append(t.entries[0].Rows, t.rows[name])
	}
	for shelf, sum := range t.moved {
		if t.entries[0].Moved == nil {
			t.entries[0].Moved = map[string][]byte{}
		}
		t.entries[0].Moved[shelf] = sum[:]
	}
	for _, e := range slices.Concat(t.marks, t.entries) {
		e.Index, e.Digest = next, hex.EncodeToString(at.Sum[:])
		if e.Kind == SignOut {
			e.PrevOut, at.out = at.out, next+1
		}
		e.LastOut = at.out
		row, err := t.k.sealEntry(e)
		if err != nil {
			return err
		}
		if err := t.Tx.Append(t.Ctx, row); err != nil {
			return err
		}
		next++
	}
	return t.setHead(next, at)
}

func (t *Txn) setHead(next int64, at Tip) error {
	return t.Tx.SetHead(t.Ctx, t.k.SealHead(next, at.bytes()))
}

// SealHead is the ledger's head after next entries: a tip, sealed to its place.
func (k *Engine) SealHead(next int64, tip []byte) state.Head {
	head := state.Head{Next: next, Digest: k.keys.Head.Seal(nil, nil, tip, k.headAAD(next))}
	head.MAC = k.headMAC(head)
	return head
}

// Adopt puts leaves whose bodies are lost behind the ledger's end, which is at from.
func (t *Txn) Adopt(from int64, leaves [][]byte) error {
	_, at, err := t.Head()
	if err != nil {
		return err
	}
	for i, leaf := range leaves {
		if err := t.Tx.Append(t.Ctx, state.Entry{Index: from + int64(i), Leaf: leaf, Sealed: []byte{}}); err != nil {
			return err
		}
	}
	return t.setHead(from+int64(len(leaves)), at)
}

func (k *Engine) headMAC(h state.Head) []byte {
	return k.keys.MAC(keyring.PurposeRow, []byte("head"), k.keys.RealmBytes(), []byte(strconv.FormatInt(h.Next, 10)), h.Digest)
}

func (k *Engine) headAAD(next int64) []byte {
	return []byte("tikakosh/head/v1\x00" + strconv.Itoa(int(k.keys.Realm)) + "\x00" + strconv.FormatInt(next, 10))
}

// Head reads the ledger's head and opens what it seals. It must not be behind what
// was committed before this transaction began.
func (t *Txn) Head() (next int64, at Tip, err error) {
	k := t.k
	head, err := t.Tx.Head(t.Ctx)
	if err != nil || (head.Next == 0 && t.next == 0) {
		return 0, at, err
	}
	if !hmac.Equal(head.MAC, k.headMAC(head)) || head.Next < t.next {
		return 0, at, state.Integrity("ledger_head", "the ledger's head does not match")
	}
	raw, err := k.keys.Head.Open(nil, nil, head.Digest, k.headAAD(head.Next))
	if at, ok := readTip(raw); err == nil && ok {
		return head.Next, at, nil
	}
	return 0, at, state.Integrity("ledger_head", "the ledger's digest does not open")
}

func (k *Engine) sealEntry(e *Entry) (state.Entry, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return state.Entry{}, fault.Wrap(fault.Internal, err, "ledger entry")
	}
	salt := [32]byte(keyring.RandomBytes(32))
	if e.salt != nil {
		salt, body = *e.salt, []byte(markBody)
	}
	e.commitment = ledger.Commit(salt, body)
	row := state.Entry{Index: e.Index, Leaf: ledger.LeafData(e.commitment)}
	row.Sealed = k.keys.Entry.Seal(nil, nil, append(salt[:], body...), k.entryAAD(e.Index))
	if about := e.Person + e.Topic; about != "" {
		row.PersonTag = k.keys.PersonTag(about)
	}
	return row, nil
}

func (k *Engine) entryAAD(index int64) []byte {
	return []byte("tikakosh/entry/v1\x00" + strconv.Itoa(int(k.keys.Realm)) + "\x00" + strconv.FormatInt(index, 10))
}

// OpenEntry opens a ledger row and checks that its leaf commits to the body.
func (k *Engine) OpenEntry(row state.Entry) (Entry, error) {
	var e Entry
	raw, err := k.keys.Entry.Open(nil, nil, row.Sealed, k.entryAAD(row.Index))
	if err != nil || len(raw) < 32 {
		return e, state.Integrity("entry", "ledger entry "+strconv.FormatInt(row.Index, 10)+" does not open")
	}
	salt := [32]byte(raw[:32])
	e.commitment = ledger.Commit(salt, raw[32:])
	if string(ledger.LeafData(e.commitment)) != string(row.Leaf) || json.Unmarshal(raw[32:], &e) != nil || (e.Index != row.Index && e.Kind != KindMark) {
		return e, state.Integrity("entry", "ledger entry "+strconv.FormatInt(row.Index, 10)+" does not match its leaf")
	}
	e.Index = row.Index
	return e, nil
}

func (t *Txn) receipts() []string {
	var out []string
	for _, e := range t.entries {
		t.k.raiseNext(e.Index + 1)
		t.k.noteSignOut(*e)
		if t.Quiet {
			continue
		}
		out = append(out, t.k.ReceiptOf(*e))
	}
	if len(t.entries) > 0 {
		t.k.wake()
	}
	return out
}

// unwritten lets code that wants to write run on a snapshot without effect. Only
// builds that switch controls off use it.
type unwritten struct{ state.Tx }

func (unwritten) Put(context.Context, state.Table, state.Stored) error { return nil }
func (unwritten) Delete(context.Context, state.Table, string) error    { return nil }
func (unwritten) Append(context.Context, state.Entry) error            { return nil }
func (unwritten) SetHead(context.Context, state.Head) error            { return nil }
func (unwritten) AddTask(context.Context, state.Task) error            { return nil }
func (unwritten) EndTask(context.Context, string) error                { return nil }

// ReceiptOf signs what a holder keeps of an entry.
func (k *Engine) ReceiptOf(e Entry) string {
	r := ledger.Receipt{Origin: k.cfg.Origin, Realm: k.keys.Realm, Index: uint64(e.Index), Commitment: e.commitment, TimeMillis: e.At}
	return ledger.SignReceipt(r, k.keys.Receipt)
}

// Kinds of entries that are read by more than one part: a key was destroyed; the body of
// an entry was lost with a disk (an audit's word, on no ledger).
const (
	KindErased = "erased"
	KindLost   = "lost"
)

// KindMark is the kind of a mark's entry. Its body is the same for all.
const KindMark = "mark"

const markBody = `{"Kind":"mark","Digest":""}`

// Mark adds a mark to the transaction, an entry with a salt of the caller's, so that
// its leaf can be made again; another entry must say what it is for.
func (t *Txn) Mark(salt [32]byte) { t.marks = append(t.marks, &Entry{Kind: KindMark, salt: &salt}) }

// Unmark takes the marks back.
func (t *Txn) Unmark() { t.marks = nil }

// MarkSalt takes the place of the random salt in a mark of what happened to a subject for
// the n-th time.
func MarkSalt(keys *keyring.Ring, what, subject string, n int) [32]byte {
	return [32]byte(keys.MAC(keyring.PurposePersonTag, keys.RealmBytes(), []byte(KindMark), []byte(what), []byte(subject), []byte(strconv.Itoa(n))))
}

// MarkLeaf is the leaf of a mark with a salt.
func MarkLeaf(salt [32]byte) []byte { return ledger.LeafData(ledger.Commit(salt, []byte(markBody))) }
