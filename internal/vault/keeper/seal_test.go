package keeper_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// TestSealBinding opens a part in its own place and in every other.
func TestSealBinding(t *testing.T) {
	r := newRig(t)
	other := rigWith(t, func(r *rig) { r.cfg.Realm = 2 })
	p, q := id.Person(id.New()), id.Person(id.New())
	const part, another = vault.PartIdentity, vault.Part("dose/x")
	if err := r.k.OpenPartAs(p, p, part, part, 1, 1, nil); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another person":  r.k.OpenPartAs(p, q, part, part, 1, 1, nil),
		"another part":    r.k.OpenPartAs(p, p, part, another, 1, 1, nil),
		"another version": r.k.OpenPartAs(p, p, part, part, 1, 2, nil),
		"another schema":  r.k.OpenPartAs(p, p, part, part, 1, 1, func(s *vault.Sealed) { s.Body[0] = 2 }),
		"a flipped bit":   r.k.OpenPartAs(p, p, part, part, 1, 1, func(s *vault.Sealed) { s.Body[len(s.Body)-1] ^= 1 }),
		"a changed nonce": r.k.OpenPartAs(p, p, part, part, 1, 1, func(s *vault.Sealed) { s.Body[1] ^= 1 }),
		"cut short":       r.k.OpenPartAs(p, p, part, part, 1, 1, func(s *vault.Sealed) { s.Body = s.Body[:20] }),
		"one byte":        r.k.OpenPartAs(p, p, part, part, 1, 1, func(s *vault.Sealed) { s.Body = s.Body[:1] }),
		"no body":         r.k.OpenPartAs(p, p, part, part, 1, 1, func(s *vault.Sealed) { s.Body = nil }),
		"another's key":   r.k.UnwrapDataKeyAs(p, q, r.k.EpochName()),
		"another epoch":   r.k.UnwrapDataKeyAs(p, p, "realm-1/epoch/2"),
	} {
		if !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.k.EpochName() == other.k.EpochName() || r.k.BlindIndex("0000000501") == other.k.BlindIndex("0000000501") {
		t.Error("two realms share a key name or an index")
	}
}

// TestRowsBound exchanges the wrapped data keys, and then whole rows, of two
// people in the vault's own database, and more: MACs find it.
func TestRowsBound(t *testing.T) {
	for name, change := range map[string]string{
		"content of two people exchanged": `UPDATE person SET (version, content, mac) = (SELECT version, content, mac FROM person AS o WHERE o.key <> person.key LIMIT 1)`,
		"version raised":                  `UPDATE person SET version = version + 1`,
		"open session of another day":     `UPDATE open_session SET key = replace(key, '2026-11-24', '2026-11-25')`,
		"bearer of another":               `UPDATE bearer SET (version, content, mac) = (SELECT version, content, mac FROM bearer AS o WHERE o.key <> bearer.key LIMIT 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t, nil)
			other := c.register("0000000502", 2)
			c.exec(change)
			_, err := c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)})
			if err == nil {
				_, err = c.k.Open(t.Context(), vault.OpenRequest{Holder: other.holder, Records: c.records(other.person)})
			}
			if err == nil {
				_, err = c.dose(c.vaccinator, c.person, c.body(nil))
			}
			if err == nil {
				t.Error("nothing noticed it")
			}
		})
	}
}

// TestHeadOfTheLedger: a head set back, or gone, while the vault runs and while
// it is down.
func TestHeadOfTheLedger(t *testing.T) {
	for name, q := range map[string]string{
		"set back":          "UPDATE ledger_head SET next_index = next_index - 1",
		"gone":              "DELETE FROM ledger_head",
		"another digest":    "UPDATE ledger_head SET digest = zeroblob(32)",
		"old head replayed": "UPDATE ledger_head SET (next_index, digest, mac) = (SELECT next_index, digest, mac FROM old_head)",
	} {
		setup := func(t *testing.T) (*rig, patient) {
			r := newRig(t)
			r.signIn("0000000500")
			r.exec("CREATE TABLE old_head AS SELECT * FROM ledger_head")
			return r, r.register("0000000501", 1)
		}
		t.Run(name+" while running", func(t *testing.T) {
			r, p := setup(t)
			r.exec(q)
			_, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)})
			wantKind(t, err, fault.Integrity)
		})
		t.Run(name+" found at start", func(t *testing.T) {
			r, _ := setup(t)
			r.exec(q)
			r.close()
			wantKind(t, r.open(), fault.Integrity)
		})
	}
	t.Run("rows and head gone, entries left", func(t *testing.T) {
		r := newRig(t)
		r.register("0000000501", 1)
		for _, table := range append(state.Anchored(), "ledger_head") {
			r.exec("DELETE FROM " + string(table))
		}
		r.close()
		wantKind(t, r.open(), fault.Integrity)
	})
}

// TestEntriesBound alters ledger rows behind the database's guards.
func TestEntriesBound(t *testing.T) {
	for name, q := range map[string]string{ // 0: dictionary, 1: keys, 2: policies, 3: household, 4: sealed
		"sealed body": "UPDATE ledger_entry SET sealed = (SELECT sealed FROM ledger_entry WHERE entry_index = 0) WHERE entry_index = 4",
		"leaf":        "UPDATE ledger_entry SET leaf = (SELECT leaf FROM ledger_entry WHERE entry_index = 0) WHERE entry_index = 4",
		"whole row":   "UPDATE ledger_entry SET (sealed, leaf) = (SELECT sealed, leaf FROM ledger_entry WHERE entry_index = 0) WHERE entry_index = 4",
		"missing":     "DELETE FROM ledger_entry WHERE entry_index = 4",
		"another's":   "UPDATE ledger_entry SET entry_index = 100 WHERE entry_index = 4",
		"renumbered":  "UPDATE ledger_entry SET entry_index = entry_index + 50 WHERE entry_index >= 4",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := r.register("0000000501", 1)
			r.exec("DROP TRIGGER ledger_entry_no_update")
			r.exec("DROP TRIGGER ledger_entry_no_delete")
			r.exec(q)
			if _, err := r.k.Audit(t.Context(), r.all()); !fault.Is(err, fault.Integrity) {
				t.Errorf("audit: %v", err)
			}
			_, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: p.holder, Person: p.person})
			if name != "missing" && name != "another's" && name != "renumbered" {
				wantKind(t, err, fault.Integrity)
			}
		})
	}
	r := newRig(t)
	r.register("0000000501", 1)
	for _, q := range []string{"DELETE FROM ledger_entry", "UPDATE ledger_entry SET leaf = x'00'"} {
		if err := execErr(r, q); err == nil {
			t.Errorf("the schema allows %s", q)
		}
	}
}

// TestLeavesAndReceipts compares what is published with what is promised.
func TestLeavesAndReceipts(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000501", 1)
	o, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)})
	if err != nil || len(o.Receipts) != 1 {
		t.Fatalf("%+v %v", o, err)
	}
	select {
	case <-r.k.Wake():
	default:
		t.Error("nobody is told that there are new entries")
	}
	keys, err := r.k.Keys(t.Context(), vault.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ledger.OpenReceipt(o.Receipts[0], keys.ReceiptKey)
	if err != nil || rec.Origin != r.cfg.Origin || int64(rec.Index) != r.k.LastNext()-1 || rec.TimeMillis != r.clock().UnixMilli() {
		t.Fatalf("%+v %v", rec, err)
	}
	leaves, err := r.k.Leaves(t.Context(), 0, 100)
	if err != nil || int64(len(leaves)) != r.k.LastNext() || !slices.Equal(leaves[rec.Index], ledger.LeafData(rec.Commitment)) {
		t.Errorf("%d leaves (%v)", len(leaves), err)
	}
	tail, err := r.k.Leaves(t.Context(), rec.Index, 100)
	if err != nil || len(tail) != 1 {
		t.Errorf("%d leaves from the last (%v)", len(tail), err)
	}
	for _, l := range leaves {
		if len(l) != len(leaves[0]) {
			t.Error("leaves differ in size")
		}
	}
	if signer, vkey, err := r.k.CheckpointSigner(); err != nil || signer.Name() != r.cfg.Origin || vkey != r.k.CheckpointVKey() {
		t.Errorf("%v %s", err, vkey)
	}
}

// TestAuditor opens the database read-only, sees what the vault sees, and can
// neither write nor open a part.
func TestAuditor(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000501", 1)
	db, err := sqlite.Open(t.Context(), r.path(), sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	prov, err := custody.OpenFile(filepath.Join(r.dir, "keys"), false)
	if err != nil {
		t.Fatal(err)
	}
	a, err := keeper.OpenAuditor(t.Context(), r.cfg, keeperdb.New(db, 1), prov, r.clock)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := a.Audit(t.Context(), r.all())
	if err != nil || len(rep.Findings) != 0 || rep.Entries != r.k.LastNext() || rep.Parts != 2 || rep.Persons != 1 {
		t.Errorf("%+v %v", rep, err)
	}
	delete(r.regs, p.person)
	if rep, err = a.Audit(t.Context(), r.all()); err != nil || len(rep.Findings) != 1 || rep.Findings[0].Kind != "deleted" {
		t.Errorf("%+v %v", rep, err)
	}
	if _, err := keeper.OpenAuditor(t.Context(), keeper.Config{Realm: 2}, keeperdb.New(db, 2), prov, r.clock); !fault.Is(err, fault.NotFound) {
		t.Errorf("another realm: %v", err)
	}
}

// TestAuditCounts tells seals that wait from seals that were given up, and a
// head that was moved.
func TestAuditCounts(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000501")
	r.enrol(h, "a", asha(1))
	counts := func() [2]int {
		rep, err := r.k.Audit(t.Context(), r.all())
		if err != nil || len(rep.Findings) != 0 {
			t.Fatalf("%+v %v", rep, err)
		}
		return [2]int{rep.Waiting, rep.Abandoned}
	}
	if got := counts(); got != [2]int{2, 0} {
		t.Errorf("waiting and abandoned: %v", got)
	}
	r.advance(25 * 3600e9)
	if got := counts(); got != [2]int{0, 2} {
		t.Errorf("after a day: %v", got)
	}
	r.exec("UPDATE person SET mac = x'00'")
	r.audit("row")
}

// TestWrongRootKey: a vault whose root key is another's refuses to start and
// overwrites nothing.
func TestWrongRootKey(t *testing.T) {
	r := newRig(t)
	r.register("0000000501", 1)
	ring := r.dump("key_ring")
	r.close()
	file := filepath.Join(r.dir, "keys", "root-1.key")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.open(), fault.Integrity)
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if r.dump("key_ring") != ring {
		t.Error("the key ring changed")
	}
}
