package keeper_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// TestMistypedCentre: a dose with another centre's number goes to the list of the
// vaccinator's own centre, where two people put it right, under their centre.
func TestMistypedCentre(t *testing.T) {
	c := newCentre(t, nil)
	manager := c.staff("manager", 7)
	w := c.write(c.vaccinator, c.without(map[string]any{"center_id": 4711}))
	for range 2 { // asked again after a crash
		if got, err := c.handOver(w, c.person); err != nil || got.Verdict != vault.InboxNobody || got.Centre != 7 {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if got, err := c.handOver(c.write(manager, c.without(map[string]any{"center_id": 4711})), c.person); err != nil || got.Verdict != vault.InboxRefused {
		t.Errorf("a manager's: %+v %v", got, err)
	}
	rows := []vault.InboxRow{{Event: w.event, Sealed: w.sealed}}
	list, err := c.k.Unmatched(t.Context(), vault.UnmatchedRequest{Signed: c.sign(manager, "https://api.test/api/v3/staff/doses/unmatched", map[string]any{"center_id": 7}), Rows: rows})
	if err != nil || len(list.Doses) != 1 || list.Doses[0].Centre != 4711 || list.Doses[0].Typed != c.ref {
		t.Fatalf("%+v %v", list, err)
	}
	other := c.staff("manager", 8)
	c.staff("manager", 8)
	c.staff("vaccinator", 8)
	if list, err = c.k.Unmatched(t.Context(), vault.UnmatchedRequest{Signed: c.sign(other, "https://api.test/api/v3/staff/doses/unmatched", map[string]any{"center_id": 8}), Rows: rows}); err != nil || len(list.Doses) != 0 {
		t.Errorf("another centre's list: %+v %v", list, err)
	}
	typed, err := c.k.Unmatched(t.Context(), vault.UnmatchedRequest{Signed: c.sign(c.staff("manager", 4711), "https://api.test/api/v3/staff/doses/unmatched", map[string]any{"center_id": 4711}), Rows: rows})
	if err != nil || len(typed.Doses) != 0 {
		t.Errorf("the list of the centre typed, which can do nothing about it: %+v %v", typed, err)
	}
	_, err = c.correct(other, c.staff("manager", 8), c.person, w, map[string]any{"kind": "assign", "center_id": 8, "event_id": string(w.event), "beneficiary_reference_id": string(c.ref), "reason": "x"})
	wantKind(t, err, fault.NotFound)
	done, err := c.correct(manager, c.vaccinator, c.person, w, c.correctionBody("assign", w.event, c.ref, nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(done.Seal, true)
	if ev := c.events(c.holder, c.person); len(ev) != 1 || ev[0].Status != "unconfirmed" || ev[0].Place == "" || ev[0].Place == "Centre 4711" {
		t.Fatalf("%+v", ev)
	}
	if done, err = c.correct(manager, c.vaccinator, c.person, written{}, c.correctionBody("confirm", w.event, c.ref, map[string]any{"person_seen": true})); err != nil {
		t.Fatal(err)
	}
	c.store(done.Seal, true)
	if _, err := c.certificate(c.holder, c.person); err != nil {
		t.Errorf("certificate: %v", err)
	}
	c.audit()
}

// TestWaitedWithCode: a dose with the person's code that waited for the vault counts
// when the code was right as of then, once, and spends the booking.
func TestWaitedWithCode(t *testing.T) {
	c := newCentre(t, nil)
	w := c.write(c.vaccinator, c.body(nil))
	c.advance(3 * time.Hour)
	c.holder = c.signIn("0000000050")
	got, err := c.handOver(w, c.person)
	if err != nil || got.Verdict != vault.InboxSealed || got.Hold != c.hold || len(got.Seal.Parts) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	again, err := c.handOver(w, c.person) // a crash before it was stored
	if err != nil || again.Seal.ID != got.Seal.ID || again.Hold != c.hold {
		t.Fatalf("%+v %v", again, err)
	}
	c.store(got.Seal, true)
	if again, err = c.handOver(w, c.person); err != nil || again.Verdict != vault.InboxSealed || len(again.Seal.Parts) != 0 {
		t.Errorf("%+v %v", again, err)
	}
	// The same dose signed anew, with and without the vault, is the same dose.
	if d, err := c.dose(c.vaccinator, c.person, c.body(nil)); err != nil || len(d.Seal.Parts) != 0 {
		t.Errorf("%+v %v", d, err)
	}
	if again, err = c.handOver(c.write(c.vaccinator, c.body(nil)), c.person); err != nil || len(again.Seal.Parts) != 0 {
		t.Errorf("%+v %v", again, err)
	}
	if ev := c.events(c.holder, c.person); len(ev) != 1 || ev[0].Status != "confirmed" || ev[0].Event != w.event || c.clock().UnixMilli()-ev[0].Recorded < (2*time.Hour).Milliseconds() {
		t.Errorf("%+v", ev)
	}
	c.wantCounted("waited with the code", 1, 0)
	if _, err := c.certificate(c.holder, c.person); err != nil {
		t.Errorf("certificate: %v", err)
	}
	c.audit()
}

// TestWaitedWithWrongCode: it is unconfirmed, and each request counts one try however
// often it is handed over; after three the right code is none.
func TestWaitedWithWrongCode(t *testing.T) {
	c := newCentre(t, nil)
	var first written
	for i := range 3 {
		w := c.write(c.vaccinator, c.body(map[string]any{"security_code": wrong(c.code), "vaccine_batch": "LOT-" + string(rune('A'+i))}))
		if i == 0 {
			first = w
		}
		for range 4 {
			if got, err := c.handOver(w, c.person); err != nil || got.Verdict != vault.InboxSealed || got.Hold != "" {
				t.Fatalf("%+v %v", got, err)
			} else if len(got.Seal.Parts) > 0 {
				c.store(got.Seal, true)
			}
		}
		p, err := c.k.Person(t.Context(), c.person)
		if err != nil || p.Bookings[0].Tries != i+1 || p.Bookings[0].State != "live" {
			t.Fatalf("after %d wrong codes: %+v %v", i+1, p.Bookings, err)
		}
	}
	got, err := c.handOver(c.write(c.vaccinator, c.body(nil)), c.person)
	if err != nil || got.Hold != "" {
		t.Fatalf("the right code after three wrong ones: %+v %v", got, err)
	}
	c.store(got.Seal, true)
	if _, err := c.dose(c.vaccinator, c.person, c.body(nil)); !fault.Is(err, fault.Invalid) {
		t.Errorf("three tries are over: %v", err)
	}
	ev := c.events(c.holder, c.person)
	if len(ev) != 4 || ev[0].Event != first.event {
		t.Fatalf("%+v", ev)
	}
	for _, e := range ev {
		if e.Status != "unconfirmed" {
			t.Errorf("%+v", e)
		}
	}
	c.wantCounted("wrong codes", 0, 0)
	c.audit()
}

// TestWaitedRefusedBefore: a request that the vault refused for its code and that is
// kept all the same counts no second try.
func TestWaitedRefusedBefore(t *testing.T) {
	c := newCentre(t, nil)
	s := c.sign(c.vaccinator, doseURL, c.body(map[string]any{"security_code": wrong(c.code)}))
	if _, err := c.k.RecordDose(t.Context(), vault.DoseRequest{Signed: s, Person: c.person, Record: c.records(c.person)[0]}); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	if got, err := c.handOver(c.writeSigned(s), c.person); err != nil || got.Verdict != vault.InboxSealed || got.Hold != "" {
		t.Fatalf("%+v %v", got, err)
	}
	if p, err := c.k.Person(t.Context(), c.person); err != nil || p.Bookings[0].Tries != 1 {
		t.Errorf("%+v %v", p.Bookings, err)
	}
	// After the day of the session nobody's word is enough: it is on the list.
	late := c.write(c.vaccinator, c.body(nil))
	c.advance(25 * time.Hour)
	if got, err := c.handOver(late, c.person); err != nil || got.Verdict != vault.InboxNobody {
		t.Errorf("after a day: %+v %v", got, err)
	}
}

// TestWaitedOneProofManyCodes: requests that share one proof id are requests of
// their own: each wrong code among them counts, so that nobody finds a person's four
// digits by signing all of them with one id while the vault is down.
func TestWaitedOneProofManyCodes(t *testing.T) {
	c := newCentre(t, nil)
	jti := strings.Repeat("j", 22)
	signed := func(code, lot string) written {
		raw, err := json.Marshal(c.body(map[string]any{"security_code": code, "vaccine_batch": lot}))
		if err != nil {
			t.Fatal(err)
		}
		claims := harness.Claims("POST", doseURL, raw, c.clock())
		claims["jti"] = jti
		proof, err := c.vaccinator.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		return c.writeSigned(vault.Signed{Method: "POST", URL: doseURL, Body: raw, Proof: proof})
	}
	for i := range 5 {
		got, err := c.handOver(signed(wrong(c.code), "LOT-"+string(rune('A'+i))), c.person)
		if err != nil || got.Verdict != vault.InboxSealed || got.Hold != "" {
			t.Fatalf("%+v %v", got, err)
		}
		c.store(got.Seal, true)
	}
	if p, err := c.k.Person(t.Context(), c.person); err != nil || p.Bookings[0].Tries != 3 {
		t.Errorf("five wrong codes under one proof id: %+v %v", p.Bookings, err)
	}
	if got, err := c.handOver(signed(c.code, "LOT-X"), c.person); err != nil || got.Hold != "" {
		t.Errorf("the right code after them: %+v %v", got, err)
	}
}
