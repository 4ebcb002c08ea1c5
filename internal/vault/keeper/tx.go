package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// txn is one vault transaction: rows with their MACs, the change of the
// combined digest, and the ledger entries that go in with it. Entries get their
// indexes when the function has returned; receipts exist only after commit.
type txn struct {
	ctx      context.Context
	k        *Keeper
	tx       state.Tx
	delta    [32]byte
	changed  bool
	entries  []*entry
	seen     map[string]sighting
	versions map[string]int64
	dropped  []string           // names of anchored rows it removed
	found    map[string][]byte  // contents of rows as read or last written
	fresh    map[string]bool    // rows made anew, perhaps after the last one expired
	olds     map[string][]byte  // digests of anchored rows as read or last written
	rows     map[string]rowNote // anchored rows as last written
	moved    shelves            // what that changed in the digests of shelves
	began    uint64             // sightings before this transaction's snapshot
	next     int64              // the ledger's size before it
	only     id.Person          // whom the caller's session is for alone; set by live
	returns  bool               // a card's session: of somebody, too, who may come back
	quiet    bool               // nobody gets its receipts
	revoked  bool               // certificates were taken back
	marks    []*entry           // entries whose leaves can be made again; before the others
	told     []due              // notices it wrote
	counted  counts             // cells of the dashboard, by what became stored
	past     bool               // what is counted became stored on an earlier day
}

// begin makes the transaction's bookkeeping. A row or head may be expected as
// new as what was committed before began, and no newer: a snapshot is not
// touched by what others commit while it is read.
func (k *Keeper) begin(ctx context.Context, began uint64, next int64, tx state.Tx) *txn {
	return &txn{ctx: ctx, k: k, tx: tx, began: began, next: next,
		seen: map[string]sighting{}, versions: map[string]int64{}, found: map[string][]byte{}, fresh: map[string]bool{}, olds: map[string][]byte{}, rows: map[string]rowNote{}, moved: shelves{}}
}

// update runs fn as one durable transaction and returns the receipts of its
// entries, in order. No error means: rows and entries are synced to disk.
func (k *Keeper) update(ctx context.Context, fn func(*txn) error) ([]string, error) {
	if err := k.gate(ctx); err != nil {
		return nil, err
	}
	return k.transact(ctx, fn)
}

// transact is update without the gate: what Verify itself writes.
func (k *Keeper) transact(ctx context.Context, fn func(*txn) error) ([]string, error) {
	k.turnMu.RLock() // the keys stay as they are until it is committed and remembered
	defer k.turnMu.RUnlock()
	return k.commit(ctx, fn)
}

// commit is transact for those who hold turnMu.
func (k *Keeper) commit(ctx context.Context, fn func(*txn) error) ([]string, error) {
	for attempt := 0; ; attempt++ {
		var t *txn
		var ended []string // notices whose rows go in this commit
		err := k.store.Update(ctx, func(tx state.Tx) error {
			t = k.begin(ctx, k.seen.count.Load(), k.lastNext.Load(), tx)
			if err := fn(t); err != nil {
				return err
			}
			if err := t.flush(); err != nil {
				return err
			}
			ended = k.post.done(ended, endWithOthers)
			return deleteNotices(ctx, tx, ended)
		})
		k.post.deleted(ended, err == nil)
		if err == nil {
			k.seen.remember(t.seen, t.fresh, k.now().UnixMilli())
			k.seen.drop(t.dropped)
			k.dispatch(t.told)
			return t.receipts(), nil
		}
		if !errors.Is(err, errAgain) || attempt == 8 {
			return nil, err
		}
	}
}

// errAgain marks a lost race on a row's version: the transaction is repeated.
var errAgain = fault.New(fault.Conflict, "version", "the row changed meanwhile")

// view runs fn on a read-only snapshot.
func (k *Keeper) view(ctx context.Context, fn func(*txn) error) error {
	if err := k.gate(ctx); err != nil {
		return err
	}
	began, next := k.seen.count.Load(), k.lastNext.Load()
	return k.store.View(ctx, func(tx state.Tx) error { return fn(k.begin(ctx, began, next, tx)) })
}

func (k *Keeper) rowMAC(t state.Table, s state.Stored) []byte { return k.keys.rowMAC(t, s) }

func (k *keyring) rowMAC(t state.Table, s state.Stored) []byte {
	return mac(k.sym[purposeRow], k.realmBytes(), []byte(t), []byte(s.Key), []byte(strconv.FormatInt(s.Version, 10)),
		[]byte(strconv.FormatInt(s.Expires, 10)), s.Content)
}

// rowTag names a row in ledger bodies.
func (k *Keeper) rowTag(t state.Table, key string) string {
	return hexString(mac(k.keys.sym[purposeDigest], []byte("row name"), k.keys.realmBytes(), []byte(t), []byte(key))[:16])
}

func (k *Keeper) rowDigest(t state.Table, s state.Stored) []byte {
	return mac(k.keys.sym[purposeDigest], k.keys.realmBytes(), []byte(t), []byte(s.Key), []byte(strconv.FormatInt(s.Version, 10)), s.Content)
}

func anchored(t state.Table) bool {
	for _, a := range state.Anchored() {
		if a == t {
			return true
		}
	}
	return false
}

// get reads a row and checks its MAC, and that it has neither gone back nor
// disappeared since this process last saw it.
func get[T any](t *txn, table state.Table, key string) (v T, ok bool, err error) {
	name := rowName(table, key)
	if s, ok := t.found[name]; ok { // read and checked, or written, in this transaction
		if err := json.Unmarshal(s, &v); err != nil {
			return v, false, integrity(table, "a row is malformed")
		}
		return v, true, nil
	}
	if err := t.k.ready(t.ctx, table, key); err != nil {
		return v, false, err
	}
	s, ok, err := t.tx.Get(t.ctx, table, key)
	if err != nil || !ok {
		if err == nil && t.k.lastSeen(table, key, t.began) > 0 && !ablate.Off(ablate.GuardAnchor) {
			return v, false, integrity(table, "a row has disappeared")
		}
		return v, false, err
	}
	if !hmac.Equal(s.MAC, t.k.rowMAC(table, s)) && !ablate.Off(ablate.RowMAC) {
		return v, false, integrity(table, "a row's MAC does not match")
	}
	if s.Version < t.k.lastSeen(table, key, t.began) && !ablate.Off(ablate.GuardAnchor) {
		return v, false, integrity(table, "a row has gone back to an older version")
	}
	if err := json.Unmarshal(s.Content, &v); err != nil {
		return v, false, integrity(table, "a row is malformed")
	}
	t.versions[name], t.found[name] = s.Version, s.Content
	t.seen[name] = sighting{version: s.Version, expires: s.Expires}
	if anchored(table) {
		t.olds[name] = t.k.rowDigest(table, s)
	}
	return v, true, nil
}

// put writes a row. A row that exists must have been read in this transaction.
func put[T any](t *txn, table state.Table, key string, v T, expires int64) error {
	content, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "row")
	}
	if err := t.k.ready(t.ctx, table, key); err != nil {
		return err
	}
	name := rowName(table, key)
	s := state.Stored{Key: key, Version: t.versions[name] + 1, Content: content, Expires: expires}
	s.MAC = t.k.rowMAC(table, s)
	if err := t.tx.Put(t.ctx, table, s); err != nil {
		if fault.Is(err, fault.Conflict) {
			return errAgain
		}
		return err
	}
	if anchored(table) {
		digest := t.k.rowDigest(table, s)
		shelf := shelfOf(table, key)
		if old := t.olds[name]; old != nil {
			subtle.XORBytes(t.delta[:], t.delta[:], old)
			t.moved.move(shelf, old)
		}
		subtle.XORBytes(t.delta[:], t.delta[:], digest)
		t.moved.move(shelf, digest)
		t.olds[name] = digest
		t.changed = true
		t.rows[name] = rowNote{t.k.rowTag(table, key), s.Version}
	}
	t.found[name] = content
	t.versions[name], t.seen[name] = s.Version, sighting{version: s.Version, expires: expires}
	t.fresh[name] = t.fresh[name] || (s.Version == 1 && !anchored(table))
	return nil
}

// drop removes an anchored row that was read in this transaction. It needs turnMu
// alone (Keeper.turnRows), so that no other transaction remembers the row as seen.
func (t *txn) drop(table state.Table, key string) error {
	if err := t.k.ready(t.ctx, table, key); err != nil {
		return err
	}
	name := rowName(table, key)
	if err := t.tx.Delete(t.ctx, table, key); err != nil {
		return err
	}
	subtle.XORBytes(t.delta[:], t.delta[:], t.olds[name])
	t.moved.move(shelfOf(table, key), t.olds[name])
	t.changed = true
	t.rows[name] = rowNote{t.k.rowTag(table, key), 0}
	t.dropped = append(t.dropped, name)
	for _, m := range []map[string][]byte{t.found, t.olds} {
		delete(m, name)
	}
	delete(t.versions, name)
	delete(t.seen, name)
	return nil
}

func rowName(t state.Table, key string) string { return string(t) + "/" + key }

func integrity(table state.Table, text string) error {
	return fault.Newf(fault.Integrity, "row", "vault table %s: %s; nothing was released. Run `tikakosh ledger audit` and compare with the backup", table, text)
}

// entry is one ledger entry before it has an index.
type entry struct {
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
	Seal     *sealNote         `json:",omitempty"`
	Rows     []rowNote         `json:",omitempty"` // anchored rows the transaction wrote, in its first entry
	Moved    map[string][]byte `json:",omitempty"` // by shelf: what that changed in its digest
	Lost     int64             `json:",omitempty"` // of a restore: how many entries right before it are leaves without a body
	Digest   string            // combined digest of the anchored rows after the transaction
	LastOut  int64             `json:",omitempty"` // index and one of the newest sign-out, this entry or an earlier one
	PrevOut  int64             `json:",omitempty"` // of a sign-out: of the one before it

	commitment ledger.Commitment
	topic      id.Person // finds an entry that is about no person
	salt       *[32]byte // of a mark
}

// dictionaryTopic is no person's id.
const dictionaryTopic = id.Person("dictionary")

// rowNote is a row, by its keyed tag, and the version it was written at; 0: it
// was removed.
type rowNote struct {
	Row     string
	Version int64
}

// sealNote says what a sealed or committed entry is about; hashes are of
// ciphertext.
type sealNote struct {
	ID    string
	Parts []partNote
}

type partNote struct {
	Seq     int64
	Part    vault.Part
	Version int
	Hash    vault.Hash
}

func noteOf(sealID string, parts []vault.Sealed) *sealNote {
	n := &sealNote{ID: sealID}
	for _, p := range parts {
		n.Parts = append(n.Parts, partNote{p.Seq, p.Part, p.Version, p.Hash})
	}
	return n
}

// append adds an entry to the transaction.
func (t *txn) append(e entry) *entry {
	e.At = t.k.now().UnixMilli()
	t.entries = append(t.entries, &e)
	return &e
}

// flush gives the entries their indexes and writes them with the new digest. A
// change of anchored rows without an entry is a bug and refused.
func (t *txn) flush() error {
	if err := t.tally(); err != nil {
		return err
	}
	if len(t.entries) == 0 {
		if t.changed {
			return fault.New(fault.Internal, "anchor", "rows that grant changed without a ledger entry")
		}
		return nil
	}
	next, at, err := t.head()
	if err != nil {
		return err
	}
	subtle.XORBytes(at.sum[:], at.sum[:], t.delta[:])
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
		e.Index, e.Digest = next, hexString(at.sum[:])
		if e.Kind == signOut {
			e.PrevOut, at.out = at.out, next+1
		}
		e.LastOut = at.out
		row, err := t.k.sealEntry(e)
		if err != nil {
			return err
		}
		if err := t.tx.Append(t.ctx, row); err != nil {
			return err
		}
		next++
	}
	head := state.Head{Next: next, Digest: t.k.keys.head.Seal(nil, nil, at.bytes(), t.k.headAAD(next))}
	head.MAC = t.k.headMAC(head)
	return t.tx.SetHead(t.ctx, head)
}

func (k *Keeper) headMAC(h state.Head) []byte {
	return mac(k.keys.sym[purposeRow], []byte("head"), k.keys.realmBytes(), []byte(strconv.FormatInt(h.Next, 10)), h.Digest)
}

func (k *Keeper) headAAD(next int64) []byte {
	return []byte("tikakosh/head/v1\x00" + strconv.Itoa(int(k.keys.realm)) + "\x00" + strconv.FormatInt(next, 10))
}

// head reads the ledger's head and opens what it seals. It must not be behind what
// was committed before this transaction began.
func (t *txn) head() (next int64, at tip, err error) {
	k := t.k
	head, err := t.tx.Head(t.ctx)
	if err != nil || (head.Next == 0 && t.next == 0) {
		return 0, at, err
	}
	if !hmac.Equal(head.MAC, k.headMAC(head)) || head.Next < t.next {
		return 0, at, integrity("ledger_head", "the ledger's head does not match")
	}
	raw, err := k.keys.head.Open(nil, nil, head.Digest, k.headAAD(head.Next))
	if at, ok := readTip(raw); err == nil && ok {
		return head.Next, at, nil
	}
	return 0, at, integrity("ledger_head", "the ledger's digest does not open")
}

func (k *Keeper) sealEntry(e *entry) (state.Entry, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return state.Entry{}, fault.Wrap(fault.Internal, err, "ledger entry")
	}
	salt := [32]byte(randomBytes(32))
	if e.salt != nil {
		salt, body = *e.salt, []byte(markBody)
	}
	e.commitment = ledger.Commit(salt, body)
	row := state.Entry{Index: e.Index, Leaf: ledger.LeafData(e.commitment)}
	row.Sealed = k.keys.entry.Seal(nil, nil, append(salt[:], body...), k.entryAAD(e.Index))
	if about := e.Person + e.topic; about != "" {
		row.PersonTag = k.personTag(about)
	}
	return row, nil
}

func (k *Keeper) entryAAD(index int64) []byte {
	return []byte("tikakosh/entry/v1\x00" + strconv.Itoa(int(k.keys.realm)) + "\x00" + strconv.FormatInt(index, 10))
}

// openEntry opens a ledger row and checks that its leaf commits to the body.
func (k *Keeper) openEntry(row state.Entry) (entry, error) {
	var e entry
	raw, err := k.keys.entry.Open(nil, nil, row.Sealed, k.entryAAD(row.Index))
	if err != nil || len(raw) < 32 {
		return e, integrity("entry", "ledger entry "+strconv.FormatInt(row.Index, 10)+" does not open")
	}
	salt := [32]byte(raw[:32])
	e.commitment = ledger.Commit(salt, raw[32:])
	if string(ledger.LeafData(e.commitment)) != string(row.Leaf) || json.Unmarshal(raw[32:], &e) != nil || (e.Index != row.Index && e.Kind != kindMark) {
		return e, integrity("entry", "ledger entry "+strconv.FormatInt(row.Index, 10)+" does not match its leaf")
	}
	e.Index = row.Index
	return e, nil
}

func (k *Keeper) personTag(p id.Person) []byte {
	return mac(k.keys.sym[purposePersonTag], k.keys.realmBytes(), []byte(p))[:16]
}

func (t *txn) receipts() []string {
	var out []string
	for _, e := range t.entries {
		t.k.raiseNext(e.Index + 1)
		t.k.noteSignOut(*e)
		if t.quiet {
			continue
		}
		r := ledger.Receipt{Origin: t.k.cfg.Origin, Realm: t.k.keys.realm, Index: uint64(e.Index), Commitment: e.commitment, TimeMillis: e.At}
		out = append(out, ledger.SignReceipt(r, t.k.keys.receipt))
	}
	if t.revoked {
		t.k.revoked.changes.Add(1)
	}
	if len(t.entries) > 0 {
		t.k.wake()
	}
	return out
}

// viewRef is the reference printed wherever a view is shown: 13 base32 digits
// (65 bits) of a MAC over the view's id.
func (k *Keeper) viewRef(viewID string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac(k.keys.sym[purposeView], []byte("view"), []byte(viewID)))[:13]
}

func newViewID() string { return strings.ToUpper(id.Secret(16)) }
