package keeper_test

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestOpenRemembered: a caller that remembers a household of before gets nothing,
// not even a view with somebody left out, and no entry says it did.
func TestOpenRemembered(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000101")
	one := r.enrol(h, "one", asha(1))
	r.store(one.Seal, true)
	if len(one.Members) != 1 || one.Members[0].Person != one.Seal.Person || one.ExpiresAt == 0 {
		t.Errorf("members %+v until %d", one.Members, one.ExpiresAt)
	}
	open := func() (vault.Opened, error) {
		return r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(one.Seal.Person), Remembered: true})
	}
	if o, err := open(); err != nil || len(o.People) != 1 || len(o.Receipts) != 1 {
		t.Fatalf("%+v %v", o, err)
	}
	two := r.enrol(h, "two", asha(2)) // pending: its rows are not known to be stored
	if len(two.Members) != 2 {
		t.Errorf("members %+v", two.Members)
	}
	before := r.count("ledger_entry")
	_, err := open()
	wantKind(t, err, fault.Conflict)
	r.store(two.Seal, true)
	stored := r.count("ledger_entry")
	_, err = open()
	wantKind(t, err, fault.Conflict)
	if n := r.count("ledger_entry"); n != stored || stored == before {
		t.Errorf("%d, %d and %d entries", before, stored, n)
	}
	o, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(one.Seal.Person, two.Seal.Person), Remembered: true})
	if err != nil || len(o.People) != 2 || len(o.Receipts) != 2 {
		t.Fatalf("%+v %v", o, err)
	}
}
