package keeper_test

import (
	"os"
	"testing"

	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// TestUnpublishedErasures: a database that was put back to before an erasure whose
// entry no checkpoint covers erases again, by the leaf that the files held.
func TestUnpublishedErasures(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000341")
	gone, stays := r.enrol(h, "k1", asha(1)), r.enrol(h, "k2", asha(2))
	r.store(gone.Seal, true)
	r.store(stays.Seal, true)
	r.close()
	older, err := os.ReadFile(r.path())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	have := r.k.LastNext()
	h = r.signIn("0000000341")
	if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: h, Record: r.records(gone.Seal.Person)[0]}); err != nil {
		t.Fatal(err)
	}
	leaves, err := r.k.Leaves(t.Context(), uint64(have), 100)
	if err != nil || len(leaves) == 0 {
		t.Fatal(len(leaves), err)
	}
	r.close()
	if err := os.WriteFile(r.path(), older, 0o600); err != nil {
		t.Fatal(err)
	}
	r.cfg.Restore = &keeper.RestoreOrder{Set: "recovered database", Ledger: have, Known: "ledger", Unpublished: leaves}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	h = r.signIn("0000000341") // waits until the order is carried out
	if people, err := r.k.Membership(t.Context(), h); err != nil || len(people.Members) != 1 {
		t.Errorf("the household: %+v %v", people, err)
	}
	if row, err := r.k.Person(t.Context(), gone.Seal.Person); err != nil || len(row.Wrapped) > 0 {
		t.Errorf("the erased person is back: %+v %v", row, err)
	}
	if row, err := r.k.Person(t.Context(), stays.Seal.Person); err != nil || len(row.Wrapped) == 0 {
		t.Errorf("somebody else is gone: %+v %v", row, err)
	}
}
