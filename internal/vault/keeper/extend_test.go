package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

const extendURL = "https://api.example/session/extend"

// extendProof is what a device signs to have its session go on.
func (r *rig) extendProof(k *harness.StaffKey, url, body string) *vault.Signed {
	r.t.Helper()
	proof, err := k.Sign(harness.Claims("POST", url, []byte(body), r.clock()))
	if err != nil {
		r.t.Fatal(err)
	}
	return &vault.Signed{Method: "POST", URL: url, Body: []byte(body), Proof: proof}
}

func (r *rig) extend(h vault.Holder, k *harness.StaffKey) (vault.Holder, error) {
	r.t.Helper()
	var proof vault.Signed
	if k != nil {
		proof = *r.extendProof(k, extendURL, "extend")
	}
	s, err := r.k.ExtendSession(r.t.Context(), vault.ExtendRequest{Holder: h, Device: proof})
	return vault.Holder{Bearer: s.Bearer, Origin: h.Origin}, err
}

// TestExtend: a session goes on with the key that it was got on, for an hour in all; it is one
// session, whichever of its bearers is shown.
func TestExtend(t *testing.T) {
	r := newRig(t)
	const mobile = "0000000431"
	own := device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	person := e.Seal.Person
	first := h
	for i := range 5 {
		r.advance(10 * time.Minute)
		next, err := r.extend(h, own)
		if err != nil {
			t.Fatalf("after %d minutes: %v", 10*(i+1), err)
		}
		if i == 0 {
			r.wantSees(first, "all", person) // until its own end
			if next.Bearer == first.Bearer || claimsOf(t, next.Bearer).ID != claimsOf(t, first.Bearer).ID {
				t.Error("not the same session under a new bearer")
			}
		}
		h = next
		r.wantSees(h, "all", person)
	}
	r.wantSees(first, "unauthorized", person)
	r.advance(6 * time.Minute) // 56 minutes: four are left, and they were given already
	if _, err := r.extend(h, own); !fault.Is(err, fault.Forbidden) || fault.CodeOf(err) != "EXTEND" {
		t.Errorf("beyond an hour: %v", err)
	}
	r.wantSees(h, "all", person)
	r.advance(4 * time.Minute)
	r.wantSees(h, "unauthorized", person)
	if _, err := r.extend(h, own); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("after its end: %v", err)
	}
}

// TestExtendRefused: a bearer alone is not enough, nor another device's key, nor a proof that
// was used; what waits, and a client without a key, goes on no longer.
func TestExtendRefused(t *testing.T) {
	r := newRig(t)
	const mobile = "0000000432"
	own, other := device(t), device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	r.advance(time.Minute)
	proof := *r.extendProof(own, extendURL, "extend")
	for name, d := range map[string]vault.Signed{"no proof": {}, "another key": *r.extendProof(other, extendURL, "extend"), "for a code": *r.extendProof(own, askURL, "extend"), "for something else": *r.extendProof(own, extendURL, "9876543210"),
		"another request": {Method: "POST", URL: extendURL + "x", Body: proof.Body, Proof: proof.Proof}} {
		if _, err := r.k.ExtendSession(t.Context(), vault.ExtendRequest{Holder: h, Device: d}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := r.k.ExtendSession(t.Context(), vault.ExtendRequest{Holder: h, Device: proof})
	if err != nil {
		t.Fatal(err)
	}
	r.advance(10 * time.Second)
	if _, err := r.k.ExtendSession(t.Context(), vault.ExtendRequest{Holder: h, Device: proof}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the same proof again: %v", err)
	}
	// The first bearer ends the session, also under its second one.
	if _, err := r.k.EndSession(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if _, err := r.extend(vault.Holder{Bearer: s.Bearer}, own); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("an ended session went on: %v", err)
	}
	if _, err := r.extend(r.on(other, mobile), other); fault.CodeOf(err) != "NEWDEVICE" {
		t.Errorf("a device that waits: %v", err)
	}
	if _, err := r.extend(r.on(nil, "0000000433"), own); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a client without a key: %v", err)
	}
}
