package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// shelfFile is an anchor file in memory.
type shelfFile struct {
	b    []byte
	fail bool
}

// Load implements keeper.AnchorFile.
func (f *shelfFile) Load() ([]byte, error) {
	if f.fail {
		return nil, errors.New("no disk")
	}
	return f.b, nil
}

// Save implements keeper.AnchorFile.
func (f *shelfFile) Save(b []byte) error { f.b = slices.Clone(b); return nil }

// slow lets nothing but named shelves' rows be read after the gate has opened, so that
// the comparison in the background waits.
type slow struct {
	state.Store
	go1 chan struct{} // closed: everything goes on
	on  bool
}

// View implements state.Store.
func (s *slow) View(ctx context.Context, fn func(state.Tx) error) error {
	return s.Store.View(ctx, func(tx state.Tx) error { return fn(&slowTx{tx, s}) })
}

type slowTx struct {
	state.Tx
	s *slow
}

// Scan implements state.Rows: whole tables are read from "" on.
func (t *slowTx) Scan(ctx context.Context, table state.Table, after string, limit int) ([]state.Stored, error) {
	if t.s.on && after == "" && table == state.Households {
		select {
		case <-t.s.go1:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return t.Tx.Scan(ctx, table, after, limit)
}

// shelved is a rig with an anchor file, some people, and a vault whose comparison
// waits.
func shelved(t *testing.T) (*rig, *shelfFile, *slow, []patient) {
	f, s := &shelfFile{}, &slow{go1: make(chan struct{})}
	r := rigWith(t, func(r *rig) {
		r.cfg.Anchors = f
		r.wrap = func(st state.Store) state.Store { s.Store = st; return s }
	})
	var all []patient
	for i := range 6 {
		all = append(all, r.register(fmt.Sprintf("000000050%d", i), i+1))
	}
	r.close()
	if len(f.b) == 0 {
		t.Fatal("nothing was saved at the end")
	}
	return r, f, s, all
}

// openStore opens the database without a vault.
func (r *rig) openStore() {
	r.t.Helper()
	db, err := sqlite.Open(r.t.Context(), r.path(), sqlite.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db, r.st = db, keeperdb.New(db, 1)
	if r.wrap != nil {
		r.st = r.wrap(r.st)
	}
	r.stop = func() {}
}

// compares begins a vault and returns it when it lets requests in, with the end of its
// comparison.
func (r *rig) compares() (*keeper.Keeper, <-chan error) {
	r.t.Helper()
	k := r.begin()
	end := make(chan error, 1)
	go func() { end <- k.Verify(r.t.Context()) }()
	select {
	case <-k.Ready():
	case err := <-end:
		r.t.Fatalf("nobody is let in: %v", err)
	case <-time.After(10 * time.Second):
		r.t.Fatal("nobody is let in")
	}
	return k, end
}

// TestShelves: with the file a vault serves before every row is compared, and writes;
// the end is the same as without.
func TestShelves(t *testing.T) {
	r, f, s, all := shelved(t)
	s.on = true
	r.openStore()
	k, end := r.compares()
	if h, err := k.Membership(t.Context(), all[0].holder); err != nil || len(h.Members) != 1 {
		t.Fatalf("%+v %v", h, err)
	}
	if v, err := k.Open(t.Context(), vault.OpenRequest{Holder: all[1].holder, Records: r.records(all[1].person)}); err != nil || len(v.People) != 1 {
		t.Fatalf("%+v %v", v, err)
	}
	e, err := k.Enrol(t.Context(), vault.EnrolRequest{Holder: all[2].holder, Key: "new", Identity: asha(77), Consent: consentOne})
	if err != nil {
		t.Fatal(err)
	}
	r.regs[e.Seal.Person] = e.Seal.Parts
	if _, err := k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{e.Seal.ID}}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-end:
		t.Fatalf("the comparison ended before it could: %v", err)
	default:
	}
	close(s.go1)
	if err := <-end; err != nil {
		t.Fatalf("rows that were written meanwhile: %v", err)
	}
	// The file of before leads to the end by the entries since.
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log(), "every row is compared") || len(f.b) == 0 {
		t.Errorf("the file was not used: %s", r.log())
	}
	r.audit()
}

// TestShelvesRolledBack: a row that was set back, removed or added while the vault was
// down is refused to who needs it, before and after the comparison in the background
// finds it; others are served; and the comparison ends the vault.
func TestShelvesRolledBack(t *testing.T) {
	for _, how := range []string{"older", "removed", "added", "edited"} {
		r, _, s, all := shelved(t)
		s.on = true
		close(s.go1)
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		old := r.rowOf("person", string(all[0].person))
		r.mustBook(all[0].holder, "h", 1, r.offer("COVISHIELD"), all[0].person)
		r.close()
		r.openStore()
		s.go1 = make(chan struct{})
		switch how {
		case "older":
			r.setRow("person", string(all[0].person), old)
		case "removed":
			r.exec("DELETE FROM person WHERE key = $1", string(all[0].person))
		case "added":
			r.exec("INSERT INTO person (key, version, content, mac, expires, bucket) SELECT substr(key, 1, 3) || 'x', version, content, mac, expires, bucket FROM person WHERE key = $1", string(all[0].person))
		case "edited":
			r.exec("UPDATE person SET mac = x'00' WHERE key = $1", string(all[0].person))
		}
		k, end := r.compares()
		_, err := k.Open(t.Context(), vault.OpenRequest{Holder: all[0].holder, Records: r.records(all[0].person)})
		if !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: the person's view: %v", how, err)
		}
		served := 0
		for _, p := range all[1:] {
			if _, err := k.Open(t.Context(), vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)}); err == nil {
				served++
			}
		}
		if served < len(all)-2 { // one may be on the same shelf
			t.Errorf("%s: %d of the others are served", how, served)
		}
		close(s.go1)
		if err := <-end; !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: the comparison ends with %v", how, err)
		}
	}
}

// TestShelvesFile: a file that is missing, damaged, another vault's, ahead of the
// ledger or of entries that say nothing of shelves costs speed and nothing else.
func TestShelvesFile(t *testing.T) {
	r, f, _, all := shelved(t)
	good := f.b
	damaged := slices.Clone(good)
	damaged[len(damaged)/2] ^= 1
	later := slices.Clone(good)
	later[6]++
	for name, b := range map[string][]byte{"none": nil, "short": good[:5], "damaged": damaged, "of another place": later, "cut": good[:len(good)-1]} {
		f.b = b
		if err := r.open(); err != nil {
			t.Fatal(name, err)
		}
		if v, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: all[0].holder, Records: r.records(all[0].person)}); err != nil || len(v.People) != 1 {
			t.Errorf("%s: %+v %v", name, v, err)
		}
		r.close()
	}
	f.fail = true
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	r.audit()
}
