package keeper_test

import (
	"os"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// TestUnpublishedErasures: a database that was put back to before an erasure whose
// entry no checkpoint covers erases again, by the leaf that the files held, and a staff
// key that was ended then has ended; nobody else's is suspended.
func TestUnpublishedErasures(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000341")
	gone, stays := r.enrol(h, "k1", asha(1)), r.enrol(h, "k2", asha(2))
	r.store(gone.Seal, true)
	r.store(stays.Seal, true)
	left, works := id.Staff(r.staff("vaccinator", 1).Staff), id.Staff(r.staff("vaccinator", 1).Staff)
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
	if _, err := r.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: left}); err != nil {
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
	list, err := r.k.StaffCredentials(t.Context())
	if err != nil || len(list.Staff) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, c := range list.Staff {
		if c.Active != (c.Staff == works) || c.Suspended {
			t.Errorf("a staff key that was ended meanwhile (%v): %+v", c.Staff == left, c)
		}
	}
}
