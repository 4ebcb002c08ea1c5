package keeper_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// between lets a test act while a read-only snapshot is open.
type between struct {
	state.Store
	act func()
}

func (b *between) View(ctx context.Context, fn func(state.Tx) error) error {
	return b.Store.View(ctx, func(tx state.Tx) error {
		if _, err := tx.Head(ctx); err != nil { // the first read makes the snapshot
			return err
		}
		if act := b.act; act != nil {
			b.act = nil
			act()
		}
		return fn(tx)
	})
}

// TestSnapshotBehindACommit: what others commit while a snapshot is read is no
// rollback; a row that was newer before the snapshot began is one.
func TestSnapshotBehindACommit(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000001")
	e := r.enrol(h, "k1", asha(1))
	r.store(e.Seal, true)
	r.close()
	if err := r.open(); err != nil { // database and courier; the keeper below replaces this one
		t.Fatal(err)
	}
	p, err := custody.OpenFile(filepath.Join(r.dir, "keys"), false)
	if err != nil {
		t.Fatal(err)
	}
	b := &between{Store: keeperdb.New(r.db, 1)}
	k, err := keeper.Open(t.Context(), r.cfg, b, p, r, func() time.Time { return r.now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	enrol := func(key string, n int) {
		t.Helper()
		who := asha(n)
		who.Name = "Ravi Test"
		if _, err := k.Enrol(t.Context(), vault.EnrolRequest{Holder: h, Key: key, Identity: who, Consent: consentOne}); err != nil {
			t.Fatal(err)
		}
	}
	enrol("k2", 2)
	b.act = func() { enrol("k3", 3) }
	m, err := k.Membership(t.Context(), h)
	if err != nil || len(m.Members) != 2 {
		t.Fatalf("the snapshot before the third member: %+v, %v", m, err)
	}
	if m, err = k.Membership(t.Context(), h); err != nil || len(m.Members) != 3 {
		t.Fatalf("after it: %+v, %v", m, err)
	}

	// A real rollback: the rows as they were before the fourth member.
	var version int64
	var content, mac []byte
	err = r.db.View(t.Context(), func(tx sqldb.Tx) error {
		return tx.QueryRow(t.Context(), "SELECT version, content, mac FROM household").Scan(&version, &content, &mac)
	})
	if err != nil {
		t.Fatal(err)
	}
	enrol("k4", 4)
	if m, err = k.Membership(t.Context(), h); err != nil || len(m.Members) != 4 {
		t.Fatalf("%+v, %v", m, err)
	}
	err = r.db.Update(t.Context(), func(tx sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE household SET version = $1, content = $2, mac = $3", version, content, mac)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Membership(t.Context(), h)
	if !fault.Is(err, fault.Integrity) {
		t.Fatalf("a row rolled back while the vault runs: %v", err)
	}
}

// meanwhile lets a test act before the second update from now.
type meanwhile struct {
	state.Store
	left int
	act  func()
}

func (m *meanwhile) Update(ctx context.Context, fn func(state.Tx) error) error {
	if m.left > 0 {
		if m.left--; m.left == 0 {
			m.act()
		}
	}
	return m.Store.Update(ctx, fn)
}

// TestBookWhileADoseIsRecorded: the rules allow a first dose, and before the
// booking is made a first dose is recorded. Nobody gets a second first dose.
func TestBookWhileADoseIsRecorded(t *testing.T) {
	m := &meanwhile{}
	c := newCentre(t, func(r *rig) {
		r.wrap = func(s state.Store) state.Store { m.Store = s; return m }
	})
	m.act = func() {
		d, err := c.dose(c.vaccinator, c.person, c.body(nil))
		if err != nil {
			t.Error(err)
		}
		c.store(d.Seal, true)
	}
	m.left = 2 // the opening, then the booking
	err := c.book(c.holder, id.Hold(id.New()), 1, c.offer, c.person)
	if m.left != 0 || !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "record" {
		t.Fatalf("%d updates left; booking a dose that was given meanwhile: %v", m.left, err)
	}
	err = c.book(c.holder, id.Hold(id.New()), 1, c.offer, c.person)
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("booking it again: %v", err)
	}
}
