package keeper_test

import (
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// rowCopy is a row as a database administrator would keep it.
type rowCopy struct {
	version      int64
	content, mac []byte
}

func (r *rig) rowOf(table, key string) (c rowCopy) {
	r.t.Helper()
	if err := r.db.View(r.t.Context(), func(tx sqldb.Tx) error {
		return tx.QueryRow(r.t.Context(), "SELECT version, content, mac FROM "+table+" WHERE key = $1", key).Scan(&c.version, &c.content, &c.mac)
	}); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) setRow(table, key string, c rowCopy) {
	r.t.Helper()
	r.exec("UPDATE "+table+" SET version = $1, content = $2, mac = $3 WHERE key = $4", c.version, c.content, c.mac, key)
}

func (r *rig) text(query string) (s string) {
	r.t.Helper()
	if err := r.db.View(r.t.Context(), func(tx sqldb.Tx) error { return tx.QueryRow(r.t.Context(), query).Scan(&s) }); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) headDigest() (d []byte) {
	r.t.Helper()
	if err := r.db.View(r.t.Context(), func(tx sqldb.Tx) error {
		return tx.QueryRow(r.t.Context(), "SELECT digest FROM ledger_head").Scan(&d)
	}); err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *rig) reopen() error { r.close(); return r.open() }

// dependent finds by elimination a set of vectors whose exclusive-or is zero.
func dependent(vectors []*big.Int, bits int) *big.Int {
	type vec struct{ v, comb *big.Int }
	basis := make([]*vec, bits)
	for i := range vectors {
		v, comb := new(big.Int).Set(vectors[i]), new(big.Int).SetBit(new(big.Int), i, 1)
		for b := bits - 1; b >= 0 && v.Sign() != 0; b-- {
			if v.Bit(b) == 0 {
				continue
			}
			if basis[b] == nil {
				basis[b] = &vec{v, comb}
				v = nil
				break
			}
			v, comb = new(big.Int).Xor(v, basis[b].v), new(big.Int).Xor(comb, basis[b].comb)
		}
		if v != nil && v.Sign() == 0 {
			return comb
		}
	}
	return nil
}

// TestRollBackDependentSet watches the ledger's head as a database
// administrator can, and rolls back the set of rows whose shares in what it
// shows cancel out.
func TestRollBackDependentSet(t *testing.T) {
	r := newRig(t)
	const n = 262
	old, delta, staff := make([]rowCopy, n), make([]*big.Int, n), make([]string, n)
	for i := range n {
		staff[i] = r.staff("vaccinator", 7).Staff
		old[i] = r.rowOf("staff", staff[i])
		before := r.headDigest()
		if _, err := r.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: id.Staff(staff[i])}); err != nil {
			t.Fatal(err)
		}
		after := r.headDigest()
		if len(after) != len(before) {
			t.Fatal("the digest's size tells something")
		}
		x := make([]byte, 32)
		for j := range x { // what is stored ends with the sealed digest's tag, or is the digest
			x[j] = before[len(before)-32+j] ^ after[len(after)-32+j]
		}
		delta[i] = new(big.Int).SetBytes(x)
	}
	set := dependent(delta, 256)
	if set == nil {
		t.Fatal("262 vectors of 256 bits are independent")
	}
	first := ""
	for i := range n {
		if set.Bit(i) == 1 {
			r.setRow("staff", staff[i], old[i])
			first = staff[i]
		}
	}
	rep, err := r.k.Audit(t.Context(), r.all())
	if err != nil || !slices.ContainsFunc(rep.Findings, func(f keeper.Finding) bool {
		return f.Kind == "rolled back" && strings.Contains(f.Text, "staff "+first)
	}) {
		t.Errorf("the audit does not name a rolled-back row: %v %+v", err, rep.Findings)
	}
	wantKind(t, r.reopen(), fault.Integrity)
}

// TestDigestIsSealed: one change made twice over shows nothing that repeats.
func TestDigestIsSealed(t *testing.T) {
	r := newRig(t)
	r.staff("vaccinator", 7)
	head := r.headDigest()
	if len(head) != 12+32+8+16 { // nonce, digest, newest sign-out, tag
		t.Fatalf("%d bytes", len(head))
	}
	r.exec("CREATE TABLE old_head AS SELECT * FROM ledger_head")
	r.staff("vaccinator", 7)
	r.exec("UPDATE ledger_head SET digest = (SELECT digest FROM old_head)")
	_, err := r.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: id.Staff(r.text("SELECT min(key) FROM staff"))})
	wantKind(t, err, fault.Integrity)
	wantKind(t, r.reopen(), fault.Integrity)
}

// TestRollBackUsePutBack puts an old row in after a start, uses it, and puts
// the right one back.
func TestRollBackUsePutBack(t *testing.T) {
	c := newCentre(t, nil)
	e := c.vaccinator.Staff
	live := c.rowOf("staff", e)
	if _, err := c.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: id.Staff(e)}); err != nil {
		t.Fatal(err)
	}
	disabled := c.rowOf("staff", e)
	if err := c.reopen(); err != nil {
		t.Fatal(err)
	}
	c.setRow("staff", e, live)
	_, err := c.dose(c.vaccinator, c.person, c.body(nil))
	wantKind(t, err, fault.Integrity)
	c.setRow("staff", e, disabled)
	if err := c.reopen(); err != nil {
		t.Fatal(err)
	}
}

// TestRowsMissedAfterStart deletes rows that nothing read since the start.
func TestRowsMissedAfterStart(t *testing.T) {
	c := newCentre(t, nil)
	if err := c.reopen(); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"open_session", "staff", "person", "mobile_index"} {
		c.exec("CREATE TABLE kept AS SELECT * FROM " + table)
		c.exec("DELETE FROM " + table)
		var err error
		switch table {
		case "person":
			_, err = c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)})
		case "mobile_index":
			err = answer(c.rig, ask(t, c.rig, "0000000050"), c.rig.code("0000000050"))
		default:
			_, err = c.dose(c.vaccinator, c.person, c.body(nil))
		}
		if !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: %v", table, err)
		}
		c.exec("INSERT INTO " + table + " SELECT * FROM kept")
		c.exec("DROP TABLE kept")
	}
	if _, err := c.dose(c.vaccinator, c.person, c.body(nil)); err != nil {
		t.Error(err)
	}
}

// TestBudgetsNotReset deletes and rolls back rows that limit, while the vault
// runs, and after a start.
func TestBudgetsNotReset(t *testing.T) {
	request := func(r *rig) error {
		_, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000001", Origin: "192.0.2.0/24"})
		return err
	}
	for _, table := range []string{"quota", "counter"} {
		for _, restart := range []bool{false, true} {
			r := newRig(t)
			if err := request(r); err != nil {
				t.Fatal(err)
			}
			if restart {
				if err := r.reopen(); err != nil {
					t.Fatal(err)
				}
			}
			r.exec("DELETE FROM " + table)
			if err := request(r); !fault.Is(err, fault.Integrity) {
				t.Errorf("%s deleted, restart %v: %v", table, restart, err)
			}
		}
	}
	// The expiry is under the MAC: housekeeping cannot be made to delete.
	r := newRig(t)
	if err := request(r); err != nil {
		t.Fatal(err)
	}
	r.exec("UPDATE quota SET expires = 1")
	wantKind(t, request(r), fault.Integrity)
	r.k.Expire(t.Context())
	wantKind(t, request(r), fault.Integrity)
	// A row whose time is over goes and comes back from its first version.
	r = newRig(t)
	for range 3 {
		for range 3 {
			if err := request(r); err != nil {
				t.Fatal(err)
			}
		}
		r.advance(25 * time.Hour)
		r.k.Expire(t.Context())
		if n := r.count("quota"); n != 0 {
			t.Fatalf("%d quota rows are left", n)
		}
	}
	// Also when the clock steps back behind housekeeping.
	r.advance(-time.Hour)
	if err := request(r); err != nil {
		t.Fatal(err)
	}
}

// TestEndedBearerStaysEnded sets the row of an ended session back while the
// vault is down, and before it is asked again.
func TestEndedBearerStaysEnded(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000002")
	key := r.text("SELECT key FROM bearer")
	live := r.rowOf("bearer", key)
	for range 2 { // twice is one entry
		if _, err := r.k.EndSession(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	entries := r.k.LastNext()
	r.setRow("bearer", key, live)
	_, err := r.k.Membership(t.Context(), h)
	wantKind(t, err, fault.Integrity)
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	_, err = r.k.Membership(t.Context(), h)
	wantKind(t, err, fault.Unauthorized)
	if got := r.k.LastNext(); got != entries {
		t.Errorf("%d entries, then %d", entries, got)
	}
	other := r.signIn("0000000003") // a live one stays live over a start
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Membership(t.Context(), other); err != nil {
		t.Fatal(err)
	}
}

// TestCodeOfAnotherRun: a challenge that may have been set back while the vault
// was down admits nobody.
func TestCodeOfAnotherRun(t *testing.T) {
	r := newRig(t)
	txn := ask(t, r, "0000000010")
	code := r.code("0000000010")
	key := r.text("SELECT key FROM challenge")
	open := r.rowOf("challenge", key)
	if err := answer(r, txn, code); err != nil {
		t.Fatal(err)
	}
	r.setRow("challenge", key, open)
	wantKind(t, answer(r, txn, code), fault.Integrity)
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	wantKind(t, answer(r, txn, code), fault.Invalid)
}

// TestKeysNotRemade takes keys away from a vault that is in use.
func TestKeysNotRemade(t *testing.T) {
	r := newRig(t)
	r.register("0000000501", 1)
	keys := r.text("SELECT group_concat(key) FROM key_ring")
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	r.exec("CREATE TABLE kept AS SELECT * FROM key_ring")
	for _, name := range strings.Split(keys, ",") {
		r.exec("DELETE FROM key_ring WHERE key = $1", name)
		err := r.reopen()
		wantKind(t, err, fault.Integrity)
		if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%v", err)
		}
		refill(t, r)
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
	}
	// Without the ledger the rows alone show that it was in use.
	r.exec("DROP TRIGGER ledger_entry_no_delete")
	for _, table := range []string{"key_ring", "ledger_head", "ledger_entry"} {
		r.exec("DELETE FROM " + table)
	}
	wantKind(t, r.reopen(), fault.Integrity)
}

// refill puts the key ring back as it was, with the vault down.
func refill(t *testing.T, r *rig) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), r.path(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(t.Context(), func(tx sqldb.Tx) error {
		if _, err := tx.Exec(t.Context(), "DELETE FROM key_ring"); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), "INSERT INTO key_ring SELECT * FROM kept")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestKeyFilesNotRemade takes a key file away, or exchanges it.
func TestKeyFilesNotRemade(t *testing.T) {
	for _, name := range []string{"root-1.key", "idtag-1.key"} {
		r := newRig(t)
		r.register("0000000501", 1)
		r.close()
		file := filepath.Join(r.dir, "keys", name)
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		wantKind(t, r.open(), fault.Integrity)
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s was made anew: %v", name, err)
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
	}
}

// TestAuditNamesRows changes the vault's rows behind it and reads the report.
func TestAuditNamesRows(t *testing.T) {
	for name, c := range map[string]struct {
		do         string
		kind, text string
	}{
		"mac of a staff row":    {"UPDATE staff SET mac = x'00' WHERE key = (SELECT min(key) FROM staff)", "row", "vault row staff "},
		"mac of a session":      {"UPDATE open_session SET mac = x'00'", "row", "vault row open_session "},
		"content of a tag":      {"UPDATE id_tag SET content = CAST('{}' AS BLOB)", "row", "vault row id_tag "},
		"mobile index repoints": {"UPDATE mobile_index SET mac = x'00'", "row", "vault row mobile_index "},
		"person gone":           {"DELETE FROM person", "deleted", "vault row person "},
		"staff gone":            {"DELETE FROM staff WHERE key = (SELECT min(key) FROM staff)", "deleted", "not in the database: 1"},
		"session gone":          {"DELETE FROM open_session", "deleted", "not in the database: 1"},
		"person set back":       {"UPDATE person SET (version, content, mac) = (SELECT version, content, mac FROM old WHERE old.key = person.key)", "rolled back", "vault row person "},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := newCentre(t, nil)
			c2.audit()
			c2.exec("CREATE TABLE old AS SELECT * FROM person")
			if _, err := c2.dose(c2.vaccinator, c2.person, c2.body(nil)); err != nil {
				t.Fatal(err)
			}
			c2.exec(c.do)
			rep, err := c2.k.Audit(t.Context(), c2.all())
			if err != nil || !slices.ContainsFunc(rep.Findings, func(f keeper.Finding) bool {
				return f.Kind == c.kind && strings.Contains(f.Text, c.text)
			}) {
				t.Errorf("%v %+v", err, rep.Findings)
			}
		})
	}
}
