package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
)

// TestKnownBearer: that a bearer's signature was verified once says nothing of
// whether it is still good.
func TestKnownBearer(t *testing.T) {
	r := newRig(t)
	a, b := r.signIn("0000000101"), r.signIn("0000000102")
	for range 2 {
		if _, err := r.k.Membership(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	// One bit of the signature decides, also after its neighbour was seen.
	forged := a
	last := byte('A')
	if a.Bearer[len(a.Bearer)-10] == last {
		last = 'B'
	}
	forged.Bearer = a.Bearer[:len(a.Bearer)-10] + string(last) + a.Bearer[len(a.Bearer)-9:]
	_, err := r.k.Membership(t.Context(), forged)
	wantKind(t, err, fault.Unauthorized)
	if _, err := r.k.EndSession(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	_, err = r.k.Membership(t.Context(), a)
	wantKind(t, err, fault.Unauthorized)
	r.advance(15*time.Minute + time.Second)
	_, err = r.k.Membership(t.Context(), b)
	wantKind(t, err, fault.Unauthorized)
	// A vault that has just started knows none and verifies.
	c := r.signIn("0000000103")
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Membership(t.Context(), c); err != nil {
		t.Errorf("a live bearer after a restart: %v", err)
	}
	_, err = r.k.Membership(t.Context(), a)
	wantKind(t, err, fault.Unauthorized)
}
