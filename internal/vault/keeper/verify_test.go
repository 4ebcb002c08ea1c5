package keeper_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
)

// begin opens the vault's database again without comparing its rows.
func (r *rig) begin() *keeper.Keeper {
	r.t.Helper()
	p, err := custody.OpenFile(filepath.Join(r.dir, "keys"), false)
	if err != nil {
		r.t.Fatal(err)
	}
	k, err := keeper.Begin(r.t.Context(), r.cfg, r.st, p, r, r.clock, slog.New(slog.NewTextHandler(r, nil)))
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// TestClosedUntilVerified: until the rows are compared, and for good when they are
// not the ledger's, a vault answers what needs no row and nothing else.
func TestClosedUntilVerified(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000401", 1)
	h := p.holder
	closed := func(k *keeper.Keeper) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := k.Membership(ctx, h)
		wantKind(t, err, fault.Unavailable)
		_, err = k.Open(ctx, vault.OpenRequest{Holder: h, Records: r.records(p.person)})
		wantKind(t, err, fault.Unavailable)
		_, err = k.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000402"})
		wantKind(t, err, fault.Unavailable)
		_, err = k.Committed(ctx, vault.CommittedRequest{Seals: []string{"x"}})
		wantKind(t, err, fault.Unavailable)
		if keys, err := k.Keys(ctx, vault.Empty{}); err != nil || len(keys.BearerJWK) == 0 {
			t.Fatalf("the public keys: %v", err)
		}
		if st, err := k.Status(ctx, vault.Empty{}); err != nil || st.Ready {
			t.Fatalf("status %+v %v", st, err)
		}
	}
	k := r.begin()
	closed(k)
	if err := k.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(p.person)}); err != nil || len(v.People) != 1 {
		t.Fatalf("%+v %v", v, err)
	}
	if st, _ := k.Status(t.Context(), vault.Empty{}); !st.Ready {
		t.Error("not ready after the comparison")
	}
	old := r.rowOf("person", string(p.person))
	old.version++
	r.setRow("person", string(p.person), old)
	k = r.begin()
	wantKind(t, k.Verify(t.Context()), fault.Integrity)
	closed(k)
}

// TestSignOutsAreChained: every one of many ended sessions stays ended over starts,
// also when the database's head is of before they were chained; a start does not
// read the entries between them; and none can be left out.
func TestSignOutsAreChained(t *testing.T) {
	r := newRig(t)
	var ended []vault.Holder
	var rows []rowCopy
	var keys []string
	for i := range 4 {
		h := r.signIn(fmt.Sprintf("00000005%02d", i))
		key := r.text("SELECT key FROM bearer WHERE version = 1")
		rows, keys = append(rows, r.rowOf("bearer", key)), append(keys, key)
		if _, err := r.k.EndSession(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		ended = append(ended, h)
	}
	check := func(when string) {
		t.Helper()
		for i := range ended {
			r.setRow("bearer", keys[i], rows[i])
		}
		if err := r.reopen(); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		for i, h := range ended {
			if _, err := r.k.Membership(t.Context(), h); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("%s: session %d lives again: %v", when, i, err)
			}
		}
	}
	check("chained")
	if err := r.k.WriteOldHead(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("old head")
	check("chained again")
	r.exec("DROP TRIGGER ledger_entry_no_delete")
	r.exec("DELETE FROM ledger_entry WHERE entry_index = (SELECT max(entry_index) - 1 FROM ledger_entry)")
	wantKind(t, r.reopen(), fault.Integrity)
}
