package keeper_test

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

const (
	walkInURL = "http://127.0.0.1/api/v2/vaccinator/beneficiaries/new"
	viewURL   = "http://127.0.0.1/api/v2/vaccinator/beneficiaries/findByReferenceId"
	codeURL   = "http://127.0.0.1/api/v3/staff/code"
	onspotURL = "http://127.0.0.1/api/v2/vaccinator/onspots/schedule"
)

// site is a centre with an open session today.
type site struct {
	vaccinator, manager harness.StaffKey
	offer               vault.Offer
}

func (r *rig) site(product string) site {
	r.t.Helper()
	s := site{vaccinator: r.staff("vaccinator", testCentre), manager: r.staff("manager", testCentre), offer: r.offer(product)}
	r.openDay(s.manager, s.offer)
	return s
}

func walkInBody(n int) map[string]any {
	who := asha(n)
	return map[string]any{"name": who.Name, "birth_year": "1980", "gender_id": who.GenderID, "photo_id_type": who.IDType, "photo_id_number": who.IDNumber,
		"comorbidity_ind": "N", "consent_version": "1", "mobile_number": "0000000001"}
}

func (r *rig) tryWalkIn(k harness.StaffKey, n int) (vault.WalkedIn, error) {
	return r.k.WalkIn(r.t.Context(), vault.WalkInRequest{Signed: r.sign(k, walkInURL, walkInBody(n))})
}

func (r *rig) walkIn(k harness.StaffKey, n int) vault.WalkedIn {
	r.t.Helper()
	w, err := r.tryWalkIn(k, n)
	if err != nil {
		r.t.Fatal(err)
	}
	r.store(w.Enrolled.Seal, true)
	return w
}

func (r *rig) byCard(w vault.WalkedIn) vault.Holder {
	r.t.Helper()
	s, err := r.k.CardSession(r.t.Context(), vault.CardAnswer{Card: w.Card, PIN: w.PIN, Origin: "192.0.2.0/24"})
	if err != nil {
		r.t.Fatal(err)
	}
	return vault.Holder{Bearer: s.Bearer, Origin: "192.0.2.0/24"}
}

func wrongPIN(pin string) string {
	if pin == "000000" {
		return "000001"
	}
	return "000000"
}

func TestWalkIn(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	signed := r.sign(s.vaccinator, walkInURL, walkInBody(1))
	first, err := r.k.WalkIn(t.Context(), vault.WalkInRequest{Signed: signed})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.WalkIn(t.Context(), vault.WalkInRequest{Signed: signed}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("the same proof again: %v", err)
	}
	w := r.walkIn(s.vaccinator, 1) // sent again: the answer was lost
	if w.Enrolled.Reference != first.Enrolled.Reference || w.Card == first.Card {
		t.Fatal("a retry made a second person, or showed the card twice")
	}
	if _, err := r.k.CardSession(t.Context(), vault.CardAnswer{Card: first.Card, PIN: first.PIN}); !fault.Is(err, fault.Invalid) {
		t.Errorf("the card of the lost answer: %v", err)
	}
	again := r.walkIn0(s.vaccinator, 1) // stored, answer lost again
	if again.Enrolled.Reference != first.Enrolled.Reference || len(again.Enrolled.Seal.Parts) != 0 {
		t.Error("a retry after the end made something new")
	}
	h := r.byCard(again)
	if _, err := r.tryWalkIn(s.vaccinator, 1); !fault.Is(err, fault.Conflict) {
		t.Errorf("a retry when the card is in use: %v", err)
	}
	o, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(w.Enrolled.Seal.Person)})
	if err != nil || len(o.People) != 1 || o.People[0].MobileLast4 != "" || o.People[0].Name != "Asha Test" {
		t.Fatalf("%+v %v", o, err)
	}
	other := r.walkIn(r.staff("vaccinator", testCentre), 1) // the same id number elsewhere: flagged inside, never refused
	if p, err := r.k.Person(t.Context(), other.Enrolled.Seal.Person); err != nil || len(p.Flags) != 1 || other.Enrolled.Reference == w.Enrolled.Reference {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := r.tryWalkIn(s.manager, 2); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a manager: %v", err)
	}
	if _, err := r.tryWalkIn(r.staff("vaccinator", 8), 2); !fault.Is(err, fault.Forbidden) {
		t.Errorf("no open session: %v", err)
	}
	if dump := r.dump("card", "person", "household", "idempotency"); strings.Contains(dump, w.Card[4:20]) || strings.Contains(dump, `"`+w.PIN+`"`) {
		t.Error("card or PIN in the clear")
	}
	r.audit()
	r.advance(24 * time.Hour)
	if _, err := r.tryWalkIn(s.vaccinator, 3); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the session of yesterday: %v", err)
	}
}

// walkIn0 is walkIn without storing.
func (r *rig) walkIn0(k harness.StaffKey, n int) vault.WalkedIn {
	r.t.Helper()
	w, err := r.tryWalkIn(k, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func TestWalkInBudget(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	if err := r.k.SpendWalkIns(t.Context(), id.Staff(s.vaccinator.Staff), 299); err != nil {
		t.Fatal(err)
	}
	r.walkIn(s.vaccinator, 1)
	if _, err := r.tryWalkIn(s.vaccinator, 2); !fault.Is(err, fault.RateLimited) {
		t.Errorf("one more than the day's registrations: %v", err)
	}
}

// TestPINTries: five wrong PINs lock the card for a growing time, thirty in its
// life block it; unknown, locked and wrong answer alike.
func TestPINTries(t *testing.T) {
	r := newRig(t)
	w := r.walkIn(r.site("COVISHIELD").vaccinator, 1)
	try := func(card, pin string) error {
		_, err := r.k.CardSession(t.Context(), vault.CardAnswer{Card: card, PIN: pin, Origin: "192.0.2.0/24"})
		return err
	}
	unknown := try(vault.NewCardSecret().Text(), w.PIN)
	for range 5 {
		if err := try(w.Card, wrongPIN(w.PIN)); err == nil || err.Error() != unknown.Error() {
			t.Fatalf("%v, unknown %v", err, unknown)
		}
	}
	if err := try(w.Card, w.PIN); err == nil || err.Error() != unknown.Error() {
		t.Errorf("the right PIN of a locked card: %v", err)
	}
	if err := try("not a card", w.PIN); err == nil || err.Error() != unknown.Error() {
		t.Errorf("no card at all: %v", err)
	}
	r.advance(15 * time.Minute)
	if err := try(w.Card, wrongPIN(w.PIN)); err == nil {
		t.Error("a wrong PIN")
	}
	r.advance(15 * time.Minute)
	if err := try(w.Card, w.PIN); err == nil {
		t.Error("the second lock is not longer")
	}
	r.advance(15 * time.Minute)
	if err := try(w.Card, w.PIN); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	for range 24 {
		_ = try(w.Card, wrongPIN(w.PIN))
		r.advance(17 * time.Hour)
	}
	if err := try(w.Card, w.PIN); err == nil {
		t.Error("a card survives thirty wrong PINs")
	}
	r.audit()
}

// TestCardScope: the card of one of six shows that one, whatever is asked.
func TestCardScope(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	h := r.signIn("0000000901")
	var people []id.Person
	for n := range 5 {
		e := r.enrol(h, "k"+string(rune('0'+n)), asha(n))
		r.store(e.Seal, true)
		people = append(people, e.Seal.Person)
	}
	w := r.walkIn(s.vaccinator, 50)
	me := w.Enrolled.Seal.Person
	if _, err := r.k.Link(t.Context(), vault.LinkRequest{Holder: h, Card: w.Card, PIN: w.PIN}); err != nil {
		t.Fatal(err)
	}
	card, other := r.byCard(w), people[0]
	ctx := t.Context()
	m, err := r.k.Membership(ctx, card)
	if err != nil || len(m.Members) != 1 || m.Members[0].Person != me || m.Members[0].Slot != 6 {
		t.Errorf("membership: %+v %v", m, err)
	}
	o, err := r.k.Open(ctx, vault.OpenRequest{Holder: card, Records: r.records(append(people, me)...)})
	if err != nil || len(o.People) != 1 || o.People[0].Person != me {
		t.Errorf("open: %+v %v", o.People, err)
	}
	ops, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: card})
	if err != nil || len(ops.Entries) == 0 {
		t.Fatal(err)
	}
	for _, e := range ops.Entries {
		if e.Person != me {
			t.Errorf("access history of %s", e.Person)
		}
	}
	r.mustBook(h, "hold-other", 1, s.offer, other)
	for name, err := range map[string]error{
		"openings":    second(r.k.Openings(ctx, vault.OpeningsRequest{Holder: card, Person: other})),
		"book":        r.book(card, "hold-x", 1, s.offer, people[1]),
		"book both":   r.book(card, "hold-y", 1, s.offer, me, people[1]),
		"cancel":      second(r.k.Cancel(ctx, vault.CancelRequest{Holder: card, Hold: "hold-other", Persons: []id.Person{other}})),
		"slip":        second(r.k.Slip(ctx, vault.SlipRequest{Holder: card, Hold: "hold-other", Records: r.records(other)})),
		"certificate": second(r.k.Certificate(ctx, vault.CertificateRequest{Holder: card, Record: r.records(other)[0]})),
		"remove":      second(r.k.Remove(ctx, vault.RemoveRequest{Holder: card, Record: r.records(people[2])[0]})),
		"new card":    second(r.k.NewCard(ctx, vault.NewCardRequest{Holder: card, Person: other})),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s of another member: %v", name, err)
		}
	}
	if _, err := r.k.Enrol(ctx, vault.EnrolRequest{Holder: card, Key: "x", Identity: asha(77), Consent: consentOne}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("enrolment by a card: %v", err)
	}
	r.mustBook(card, "hold-me", 1, s.offer, me)
	fresh, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: card, Person: me})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Membership(ctx, card); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session of a replaced card: %v", err)
	}
	r.byCard(vault.WalkedIn{Card: fresh.Card, PIN: fresh.PIN})
	r.audit()
}

func second[T any](_ T, err error) error { return err }

func TestLink(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	ctx := t.Context()
	h := r.signIn("0000000902")
	w := r.walkIn(s.vaccinator, 1)
	link := func(h vault.Holder, w vault.WalkedIn, pin string, merge bool) (vault.Linked, error) {
		return r.k.Link(ctx, vault.LinkRequest{Holder: h, Card: w.Card, PIN: pin, ToMerge: merge})
	}
	if _, err := link(h, w, wrongPIN(w.PIN), false); !fault.Is(err, fault.Invalid) {
		t.Fatalf("wrong PIN: %v", err)
	}
	if _, err := link(r.byCard(w), w, w.PIN, false); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by the card alone: %v", err)
	}
	got, err := link(h, w, w.PIN, false)
	if err != nil || got.Place.Slot != 1 || got.Reference != w.Enrolled.Reference {
		t.Fatalf("%+v %v", got, err)
	}
	if again, err := link(h, w, w.PIN, false); err != nil || again.Place != got.Place {
		t.Errorf("repeated: %+v %v", again, err)
	}
	if o, err := r.k.Open(ctx, vault.OpenRequest{Holder: h, Records: r.records(got.Person)}); err != nil || len(o.People) != 1 || o.People[0].MobileLast4 != "0902" {
		t.Errorf("%+v %v", o, err)
	}
	if _, err := link(r.signIn("0000000903"), w, w.PIN, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second mobile: %v", err)
	}
	work, err := r.k.Unfinished(ctx, vault.UnfinishedRequest{Kind: vault.WorkLink, Before: r.clock().UnixMilli() + 1})
	if err != nil || len(work.Work) != 1 || work.Work[0].Place != got.Place || work.Work[0].Person != got.Person {
		t.Errorf("%+v %v", work, err)
	}
	if err := r.k.Settled(ctx, vault.SettledRequest{Kind: vault.WorkLink, Persons: []id.Person{got.Person}}); err != nil {
		t.Fatal(err)
	}
	same := r.walkIn(r.staff("vaccinator", testCentre), 1)
	if _, err := link(h, same, same.PIN, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("an id number twice in a household: %v", err)
	}
	if _, err := link(h, same, same.PIN, true); err != nil {
		t.Errorf("to merge: %v", err)
	}
	for n := range 4 {
		w := r.walkIn(s.vaccinator, 10+n)
		if _, err := link(h, w, w.PIN, false); err != nil {
			t.Fatal(err)
		}
	}
	seven := r.walkIn(s.vaccinator, 20)
	if _, err := link(h, seven, seven.PIN, false); !fault.Is(err, fault.Full) {
		t.Errorf("a seventh: %v", err)
	}
	r.close()
	if err := r.open(); err != nil { // every row has the digest the ledger anchors
		t.Fatal(err)
	}
	r.audit()
}

// given records a dose by card: booked as a walk-in, then by the booking's code.
func (r *rig) given(s site, h vault.Holder, p id.Person, ref id.Reference, dose int) {
	r.t.Helper()
	hold := id.Hold(id.New())
	r.mustBook(h, hold, dose, s.offer, p)
	d, err := r.dose(s.vaccinator, p, doseBody(s.offer, ref, r.slipCode(h, hold, p), dose))
	if err != nil {
		r.t.Fatal(err)
	}
	r.store(d.Seal, true)
}

func (r *rig) again(s site) site { // the session of a later day
	s.offer = r.offer(s.offer.Product)
	r.openDay(s.manager, s.offer)
	return s
}

// TestMerge: two registrations with a first dose each become one with two.
func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name   string
		days   int
		status string
	}{{"far enough apart", 90, "Vaccinated"}, {"too near", 10, "Partially Vaccinated"}} {
		t.Run(c.name, func(t *testing.T) { mergeAfter(t, c.days, c.status) })
	}
}

func mergeAfter(t *testing.T, days int, status string) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	ctx := t.Context()
	h := r.signIn("0000000904")
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	other := e.Seal.Person
	r.given(s, h, other, e.Reference, 1)
	r.advance(time.Duration(days) * 24 * time.Hour)
	s = r.again(s)
	w := r.walkIn(s.vaccinator, 1)
	keep := w.Enrolled.Seal.Person
	r.given(s, r.byCard(w), keep, w.Enrolled.Reference, 1)
	h = r.signIn("0000000904")
	if _, err := r.k.Link(ctx, vault.LinkRequest{Holder: h, Card: w.Card, PIN: w.PIN, ToMerge: true}); err != nil {
		t.Fatal(err)
	}
	merge := func(h vault.Holder, keep, other id.Person) (vault.MergeSealed, error) {
		recs := r.records(keep, other)
		return r.k.Merge(ctx, vault.MergeRequest{Holder: h, Keep: recs[0], Merge: recs[1]})
	}
	if _, err := merge(r.signIn("0000000905"), keep, other); !fault.Is(err, fault.NotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := merge(r.byCard(w), keep, other); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a card: %v", err)
	}
	x := r.enrolOther(h)
	if _, err := merge(h, keep, x); !fault.Is(err, fault.Conflict) {
		t.Errorf("another person: %v", err)
	}
	r.wantCounted("before the merge", 2, 0)
	joined := r.oneFewer()
	m, err := merge(h, keep, other)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := merge(h, keep, other); err != nil || again.Seal.ID != m.Seal.ID {
		t.Errorf("repeated: %+v %v", again.Seal.ID, err)
	}
	if err := r.book(h, "hold-late", 2, s.offer, other); err == nil {
		t.Error("a booking of somebody who is being joined")
	}
	if _, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: h, Record: r.records(other)[0]}); !fault.Is(err, fault.Conflict) {
		t.Errorf("removal of somebody who is being joined: %v", err)
	}
	work, err := r.k.Unfinished(ctx, vault.UnfinishedRequest{Kind: vault.WorkMerge, Before: r.clock().UnixMilli() + 1})
	if err != nil || len(work.Work) != 1 || work.Work[0].Seal.ID != m.Seal.ID || len(work.Work[0].Seal.Parts) != len(m.Seal.Parts) {
		t.Errorf("%+v %v", work, err)
	}
	// Stored, the report not come yet: the holder already sees one person.
	r.store(m.Seal, false)
	if days > 84 {
		if again, err := merge(h, keep, other); err != nil || len(again.Seal.Parts) != 0 || again.Merged != other {
			t.Errorf("repeated when it is stored: %+v %v", again, err)
		}
	}
	o, err := r.k.Open(ctx, vault.OpenRequest{Holder: h, Records: r.records(other, keep, x)})
	if err != nil || len(o.People) != 2 {
		t.Fatalf("%+v %v", o.People, err)
	}
	for _, p := range o.People {
		if p.Person == keep && p.Status != status {
			t.Errorf("status %q, want %q", p.Status, status)
		}
		if p.Person == other {
			t.Error("the merged person is shown")
		}
	}
	if _, err := r.k.Committed(ctx, vault.CommittedRequest{Seals: []string{m.Seal.ID}}); err != nil {
		t.Fatal(err)
	}
	r.wantCounted("after the merge", 1, map[string]int64{"Vaccinated": 1}[status])
	joined()
	if p, err := r.k.Person(ctx, other); err != nil || p.State != state.Merged || len(p.Wrapped) == 0 {
		t.Errorf("the one who ended: %+v %v", p, err)
	}
	if _, err := r.dose(s.vaccinator, other, doseBody(s.offer, e.Reference, "0000", 2)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a dose on the number that ended: %v", err)
	}
	cert, err := r.k.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: r.records(keep)[0]})
	if err != nil || len(cert.PDF) == 0 {
		t.Error(err)
	}
	work, err = r.k.Unfinished(ctx, vault.UnfinishedRequest{Before: r.clock().UnixMilli() + 1})
	removal := false
	for _, w := range work.Work {
		removal = removal || (w.Kind == vault.WorkRemove && w.Person == other && w.Place.Slot == 1)
	}
	if err != nil || !removal {
		t.Errorf("%+v %v", work.Work, err)
	}
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	r.audit()
}

func (r *rig) enrolOther(h vault.Holder) id.Person {
	who := asha(700)
	who.Name = "Bina Test"
	e := r.enrol(h, "other", who)
	r.store(e.Seal, true)
	return e.Seal.Person
}

// TestMergeSuperseded: a merge whose seal loses to another change never happened.
func TestMergeSuperseded(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	h := r.signIn("0000000906")
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	w := r.walkIn(s.vaccinator, 2)
	if _, err := r.k.Link(t.Context(), vault.LinkRequest{Holder: h, Card: w.Card, PIN: w.PIN}); err != nil {
		t.Fatal(err)
	}
	keep, other := e.Seal.Person, w.Enrolled.Seal.Person
	recs := r.records(keep, other)
	if _, err := r.k.Merge(t.Context(), vault.MergeRequest{Holder: h, Keep: recs[0], Merge: recs[1]}); err != nil {
		t.Fatal(err)
	}
	r.given(s, h, keep, e.Reference, 1) // stored first
	if err := r.book(h, "hold-free", 1, s.offer, other); err != nil {
		t.Errorf("the other registration is not free again: %v", err)
	}
	if u, err := r.k.Unfinished(t.Context(), vault.UnfinishedRequest{Kind: vault.WorkMerge, Before: r.clock().UnixMilli() + 1}); err != nil || len(u.Work) != 0 {
		t.Errorf("%+v %v", u, err)
	}
	r.audit()
}

func (r *rig) staffView(k harness.StaffKey, p id.Person, ref id.Reference, ev vault.Evidence) (vault.StaffView, error) {
	req := vault.StaffViewRequest{Signed: r.signGet(k, viewURL+"?beneficiary_reference_id="+string(ref), ev), Reference: ref, Person: p}
	if p != "" {
		req.Record = r.records(p)[0]
	}
	return r.k.StaffView(r.t.Context(), req)
}

// signGet signs a request for a person's view and what they showed.
func (r *rig) signGet(k harness.StaffKey, url string, ev vault.Evidence) vault.Signed {
	r.t.Helper()
	shown := ""
	switch {
	case ev.Code != "":
		shown = "code " + ev.Code
	case ev.Card != "":
		shown = "card " + ev.Card
	case ev.Txn != "":
		shown = "otp " + ev.Txn + " " + ev.Digest
	}
	proof, err := k.Sign(harness.Claims("GET", url, []byte(shown), r.clock()))
	if err != nil {
		r.t.Fatal(err)
	}
	return vault.Signed{Method: "GET", URL: url, Body: []byte(shown), Proof: proof}
}

// TestStaffViewSigned: a captured web role has seen a card. What a vaccinator
// signed about another person, or on another route, does not open its person,
// nor send them a code.
func TestStaffViewSigned(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	here, victim := r.walkIn(s.vaccinator, 1), r.walkIn(s.vaccinator, 2)
	p, ref := victim.Enrolled.Seal.Person, victim.Enrolled.Reference
	address := func(w vault.WalkedIn) string {
		return viewURL + "?beneficiary_reference_id=" + string(w.Enrolled.Reference)
	}
	swapped := r.signGet(s.vaccinator, address(victim), vault.Evidence{Card: here.Card})
	swapped.Body = []byte("card " + victim.Card)
	for name, signed := range map[string]vault.Signed{
		"another person": r.signGet(s.vaccinator, address(here), vault.Evidence{Card: victim.Card}),
		"another route":  r.signGet(s.vaccinator, "http://127.0.0.1/api/v3/staff/other?beneficiary_reference_id="+string(ref), vault.Evidence{Card: victim.Card}),
		"no person":      r.signGet(s.vaccinator, viewURL, vault.Evidence{Card: victim.Card}),
		"other evidence": swapped,
	} {
		req := vault.StaffViewRequest{Signed: signed, Reference: ref, Person: p, Record: r.records(p)[0], Evidence: vault.Evidence{Card: victim.Card}}
		if _, err := r.k.StaffView(t.Context(), req); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("view, %s: %v", name, err)
		}
		if _, err := r.k.StaffCertificate(t.Context(), req); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("certificate, %s: %v", name, err)
		}
	}
	body := map[string]any{"beneficiary_reference_id": here.Enrolled.Reference}
	_, err := r.k.StaffCode(t.Context(), vault.StaffCodeRequest{Signed: r.sign(s.vaccinator, codeURL, body), Reference: ref, Person: p, Origin: "192.0.2.0/24"})
	wantKind(t, err, fault.Unauthorized)
	r.audit()
}

// TestStaffView: a record opens for staff on what its person showed, and on
// nothing else; every refusal is the same and counted.
func TestStaffView(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	h := r.signIn("0000000907")
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	p, ref := e.Seal.Person, e.Reference
	w, stranger := r.walkIn(s.vaccinator, 2), r.walkIn(s.vaccinator, 3)
	r.mustBook(h, "hold-1", 1, s.offer, p)
	code := r.slipCode(h, "hold-1", p)
	v, err := r.staffView(s.vaccinator, p, ref, vault.Evidence{Code: code})
	if err != nil || v.Person.Name != "Asha Test" || v.Person.MobileLast4 != "" || v.Centre != testCentre || v.ViewRef == "" {
		t.Fatalf("%+v %v", v, err)
	}
	if v, err = r.staffView(s.vaccinator, w.Enrolled.Seal.Person, w.Enrolled.Reference, vault.Evidence{Card: w.Card}); err != nil || v.Person.Reference != w.Enrolled.Reference {
		t.Fatalf("%+v %v", v, err)
	}
	ops, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: h, Person: p})
	if err != nil || !strings.Contains(openingText(ops), "vaccinator Test Centre") {
		t.Errorf("the person does not see it: %v %v", ops, err)
	}
	bad := "0000"
	if code == bad {
		bad = "0001"
	}
	_, unknown := r.staffView(s.vaccinator, "", id.NewReference(), vault.Evidence{Code: code})
	wantKind(t, unknown, fault.NotFound)
	for name, ev := range map[string]vault.Evidence{"nothing": {}, "a wrong code": {Code: bad}, "another's card": {Card: stranger.Card}, "no card": {Card: "TK1:X"},
		"an unknown code": {Txn: id.New(), Digest: sha("000000")}} {
		if _, err := r.staffView(s.vaccinator, p, ref, ev); err == nil || err.Error() != unknown.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.staffView(s.vaccinator, p, w.Enrolled.Reference, vault.Evidence{Code: code}); !fault.Is(err, fault.NotFound) {
		t.Errorf("another number: %v", err)
	}
	for range 3 {
		_, _ = r.staffView(s.vaccinator, p, ref, vault.Evidence{})
	}
	if _, err := r.staffView(s.vaccinator, p, ref, vault.Evidence{Code: code}); !fault.Is(err, fault.RateLimited) {
		t.Errorf("after ten wrong ones: %v", err)
	}
	if _, err := r.staffView(s.manager, p, ref, vault.Evidence{Code: code}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a manager: %v", err)
	}
	r.audit()
}

// centreCode waits for the code that a vaccinator had sent.
func (r *rig) centreCode(mobile string) string {
	for range 200 {
		r.mu.Lock()
		for _, n := range r.sent {
			if n.Mobile == mobile && n.Template == "code-centre" {
				r.mu.Unlock()
				return n.Params["code"]
			}
		}
		r.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	r.t.Fatal("no code came")
	return ""
}

func openingText(o vault.Openings) string {
	var b strings.Builder
	for _, e := range o.Entries {
		b.WriteString(e.Role + " " + e.Place + " " + e.View + "\n")
	}
	return b.String()
}

// TestStaffCode: a code that staff asked for opens that person for that staff
// member once, and signs nobody in.
func TestStaffCode(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	h := r.signIn("0000000908")
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	ask := func(p id.Person, ref id.Reference) string {
		t.Helper()
		r.forget()
		c, err := r.k.StaffCode(t.Context(), vault.StaffCodeRequest{Signed: r.sign(s.vaccinator, codeURL, map[string]any{"beneficiary_reference_id": ref}), Reference: ref, Person: p, Origin: "192.0.2.0/24"})
		if err != nil || len(c.Txn) != 36 {
			t.Fatal(c, err)
		}
		return c.Txn
	}
	txn := ask(e.Seal.Person, e.Reference)
	digest := sha(r.centreCode("0000000908"))
	if _, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: txn, Digest: digest, Origin: "192.0.2.0/24"}); err == nil {
		t.Fatal("a code for a centre signed its staff in")
	}
	colleague := r.staff("vaccinator", testCentre)
	if _, err := r.staffView(colleague, e.Seal.Person, e.Reference, vault.Evidence{Txn: txn, Digest: digest}); !fault.Is(err, fault.NotFound) {
		t.Errorf("another staff member: %v", err)
	}
	if _, err := r.staffView(s.vaccinator, e.Seal.Person, e.Reference, vault.Evidence{Txn: txn, Digest: digest}); err != nil {
		t.Errorf("the right code: %v", err)
	}
	if _, err := r.staffView(s.vaccinator, e.Seal.Person, e.Reference, vault.Evidence{Txn: txn, Digest: digest}); !fault.Is(err, fault.NotFound) {
		t.Errorf("the same code again: %v", err)
	}
	w := r.walkIn(s.vaccinator, 2)
	ask(w.Enrolled.Seal.Person, w.Enrolled.Reference) // no mobile
	ask("", id.NewReference())
	for range 8 { // the number's budget of codes is that of sign-ins
		ask(e.Seal.Person, e.Reference)
	}
	if iss, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000908", Origin: "192.0.2.0/24"}); !fault.Is(err, fault.RateLimited) {
		t.Errorf("%+v %v", iss, err)
	}
	r.audit()
}

// TestWalkInBooking: V4 books who showed it, in the session that is open today.
func TestWalkInBooking(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	w := r.walkIn(s.vaccinator, 1)
	p, ref := w.Enrolled.Seal.Person, w.Enrolled.Reference
	book := func(hold id.Hold, o vault.Offer, card string) error {
		body := map[string]any{"dose": 1, "session_id": o.Session, "slot": o.Slot, "beneficiaries": []any{ref}, "card": card}
		_, err := r.k.WalkInBook(t.Context(), vault.WalkInBookRequest{Signed: r.sign(s.vaccinator, onspotURL, body), Hold: hold, Offer: o, Record: r.records(p)[0]})
		return err
	}
	if err := book("hold-1", s.offer, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing shown: %v", err)
	}
	elsewhere := s.offer
	elsewhere.Session = "session-not-open"
	if err := book("hold-1", elsewhere, w.Card); !fault.Is(err, fault.Invalid) {
		t.Errorf("a session that is not open: %v", err)
	}
	if err := book("hold-1", s.offer, w.Card); err != nil {
		t.Fatal(err)
	}
	if err := book("hold-2", s.offer, w.Card); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second booking: %v", err)
	}
	byCard := doseBody(s.offer, ref, "", 1)
	byCard["card"] = vault.NewCardSecret().Text()
	if _, err := r.dose(s.vaccinator, p, byCard); !fault.Is(err, fault.Invalid) {
		t.Errorf("a dose by a strange card: %v", err)
	}
	byCard["card"] = w.Card
	d, err := r.dose(s.vaccinator, p, byCard)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.dose(s.vaccinator, p, byCard); err != nil || again.Seal.ID != d.Seal.ID {
		t.Errorf("the same dose again: %+v %v", again, err)
	}
	r.store(d.Seal, true)
	r.audit()
}

func FuzzParseWalkIn(f *testing.F) {
	f.Add([]byte(`{"name":"Asha Test","birth_year":"1980","gender_id":2,"photo_id_type":6,"photo_id_number":"ABCDE0001F","consent_version":"1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		who, c, err := keeper.ParseWalkIn(body)
		if err == nil && (who.Name == "" || who.IDNumber == "" || c.Version == "") {
			t.Fatalf("%q: %+v %+v", body, who, c)
		}
	})
}
