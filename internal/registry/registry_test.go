package registry_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/vault"
)

type world struct {
	t     *testing.T
	clock *registrytest.Clock
	db    *registrytest.Faulty
	vault *registrytest.Vault
	store *registrydb.People
	books *registrydb.Bookings
	svc   *registry.Service
	relay *registry.Relay
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: registrytest.NewClock(time.Date(2026, 2, 2, 6, 0, 0, 0, time.UTC)), db: &registrytest.Faulty{DB: registrytest.Open(t)}}
	w.vault = registrytest.NewVault(w.clock.Now)
	w.store, w.books = registrydb.NewPeople(w.db), registrydb.NewBookings(w.db)
	w.svc = registry.New(w.store, w.vault, w.clock.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	w.relay = registry.NewRelay(w.svc, registrydb.NewScatter(w.db))
	return w
}

func identity(n int) vault.Identity {
	return vault.Identity{Name: fmt.Sprintf("Test Person %d", n), BirthYear: 1980, GenderID: 2, IDType: 6, IDNumber: fmt.Sprintf("TEST%05d", n)}
}

func (w *world) enrol(h vault.Holder, n int) id.Reference {
	w.t.Helper()
	ref, err := w.svc.Enrol(w.t.Context(), h, fmt.Sprintf("key-%d", n), identity(n), vault.Consent{Version: "1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

func (w *world) person(h vault.Holder, ref id.Reference) id.Person {
	w.t.Helper()
	recs, err := w.svc.Persons(w.t.Context(), h, []id.Reference{ref})
	if err != nil {
		w.t.Fatal(err)
	}
	return recs[0].Person
}

// book gives a person a live booking in vault and registry, and returns its number.
func (w *world) book(h vault.Holder, p id.Person, dose int) id.Hold {
	w.t.Helper()
	recs, err := w.svc.Records(w.t.Context(), []id.Person{p})
	if err != nil {
		w.t.Fatal(err)
	}
	hold := id.Hold(id.New())
	if _, err := w.vault.Book(w.t.Context(), vault.BookRequest{Holder: h, Hold: hold, Dose: dose, Records: recs}); err != nil {
		w.t.Fatal(err)
	}
	st, err := w.books.Bind(w.t.Context(), scheduling.Appointment{Person: p, Hold: hold, Centre: 1, Session: "s", Dose: dose, Programme: "P"})
	if err != nil || st != scheduling.Live {
		w.t.Fatal(st, err)
	}
	return hold
}

func staff(hold id.Hold) vault.Signed {
	return vault.Signed{Proof: registrytest.StaffProof, Body: []byte(hold)}
}

func kind(err error) string { return string(fault.KindOf(err)) }

func TestHouseholdLife(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h, other := w.vault.SignIn("a"), w.vault.SignIn("b")
	if hh, err := w.svc.Household(ctx, h); err != nil || len(hh.People) != 0 || hh.ViewRef == "" {
		t.Fatalf("a new household: %+v %v", hh, err)
	}
	var refs []id.Reference
	for n := range 6 {
		refs = append(refs, w.enrol(h, n))
	}
	if _, err := w.svc.Enrol(ctx, h, "seven", identity(7), vault.Consent{}); kind(err) != "full" {
		t.Errorf("a seventh member: %v", err)
	}
	if _, err := w.svc.Enrol(ctx, other, "again", identity(0), vault.Consent{}); err != nil {
		t.Errorf("an id used in another household is accepted: %v", err)
	}
	hh, err := w.svc.Household(ctx, h)
	if err != nil || len(hh.People) != 6 {
		t.Fatal(hh, err)
	}
	for i, p := range hh.People {
		if p.Reference != refs[i] {
			t.Error("people are not in order of their places")
		}
	}
	if again := w.enrol(h, 3); again != refs[3] {
		t.Error("the same key answered another number")
	}
	w.roles(h, other, refs)

	hold := w.book(h, hh.People[0].Person, 1)
	if err := w.svc.Remove(ctx, h, refs[0]); kind(err) != "conflict" {
		t.Errorf("removal with a live booking: %v", err)
	}
	if err := w.svc.RecordDose(ctx, staff(hold), refs[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Certificate(ctx, h, refs[0], "en"); err != nil {
		t.Error(err)
	}
	if err := w.svc.Remove(ctx, h, refs[0]); kind(err) != "conflict" {
		t.Errorf("removal after a dose: %v", err)
	}
	if err := w.svc.Remove(ctx, h, refs[1]); err != nil {
		t.Fatal(err)
	}
	newRef := w.enrol(h, 20) // takes the freed place
	hh, err = w.svc.Household(ctx, h)
	if err != nil || len(hh.People) != 6 || hh.People[1].Reference != newRef || hh.People[0].Status != "Partially Vaccinated" {
		t.Errorf("after removal: %+v %v", hh, err)
	}
	if err := w.svc.Remove(ctx, h, refs[1]); kind(err) != "not_found" {
		t.Errorf("removing twice: %v", err)
	}
	w.clean()
}

// roles checks that an unknown number and a stranger's answer alike.
func (w *world) roles(h, other vault.Holder, refs []id.Reference) {
	t, ctx := w.t, w.t.Context()
	unknown := id.NewReference()
	acts := map[string]func(vault.Holder, id.Reference) error{
		"certificate": func(h vault.Holder, r id.Reference) error { _, err := w.svc.Certificate(ctx, h, r, "en"); return err },
		"remove":      func(h vault.Holder, r id.Reference) error { return w.svc.Remove(ctx, h, r) },
		"persons": func(h vault.Holder, r id.Reference) error {
			_, err := w.svc.Persons(ctx, h, []id.Reference{r})
			return err
		},
	}
	for name, act := range acts {
		a, b := act(other, refs[0]), act(other, unknown)
		if kind(a) != "not_found" || a.Error() != b.Error() {
			t.Errorf("%s: a stranger's %v, unknown %v", name, a, b)
		}
		if err := act(vault.Holder{Bearer: "nobody"}, refs[0]); kind(err) != "unauthorized" {
			t.Errorf("%s without a session: %v", name, err)
		}
	}
	if _, err := w.svc.Certificate(ctx, h, refs[0], "en"); err == nil || err.Error() != acts["certificate"](other, unknown).Error() {
		t.Errorf("a certificate without a dose: %v", err)
	}
	for _, list := range [][]id.Reference{nil, {refs[0], refs[0]}} {
		if _, err := w.svc.Persons(ctx, h, list); kind(err) != "invalid" {
			t.Errorf("%v: %v", list, err)
		}
	}
	recs, err := w.svc.Persons(ctx, h, []id.Reference{refs[4], refs[2]})
	if err != nil || recs[0].Person != w.person(h, refs[4]) || recs[1].Person != w.person(h, refs[2]) {
		t.Errorf("order of records: %v", err)
	}
	if _, err := w.svc.Persons(ctx, h, []id.Reference{refs[0], unknown}); kind(err) != "not_found" {
		t.Errorf("one of two unknown: %v", err)
	}
}

// clean checks that nothing remains to be done.
func (w *world) clean() {
	w.t.Helper()
	if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM outbox`); n != 0 {
		w.t.Errorf("%d notes remain", n)
	}
	if w.vault.Removals() != 0 {
		w.t.Error("removals remain")
	}
}

// work runs the relay as the worker would, some time later.
func (w *world) work() {
	w.t.Helper()
	for range 3 {
		w.clock.Add(2 * time.Minute)
		if _, err := w.relay.Relay(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestDoseLosesAndRepeats(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	ref := w.enrol(h, 1)
	p := w.person(h, ref)
	hold := w.book(h, p, 1)
	// Another writer stores its part between the vault's seal and the store.
	first := true
	w.svc.SetStep(func(point string) error {
		if point == "dose:after-vault" && first {
			first = false
			s := w.vault.SealMore(p)
			note := registry.Note{ID: id.NewOrdered(), Kind: registry.NoteSealed, Person: p, Seal: s.ID}
			if err := w.store.Store(ctx, registry.Write{Person: p, Parts: s.Parts, At: 1, Note: note}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.vault.Committed(ctx, vault.CommittedRequest{Seals: []string{s.ID}}); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	})
	if err := w.svc.RecordDose(ctx, staff(hold), ref); err != nil {
		t.Fatal(err)
	}
	rec, err := w.store.Record(ctx, p)
	if err != nil || len(rec.Parts) != 4 || w.vault.Head(p) != 4 {
		t.Errorf("%d parts, head %d, %v", len(rec.Parts), w.vault.Head(p), err)
	}
	if _, err := w.svc.Household(ctx, h); err != nil {
		t.Error(err)
	}
}

func TestDoseGivesNothingAway(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ref := w.enrol(w.vault.SignIn("a"), 1)
	unknown := id.NewReference()
	for proof, want := range map[string]string{"": "unauthorized", registrytest.StaffProof: "not_found"} {
		s := vault.Signed{Proof: proof, Body: []byte("x")}
		a, b := w.svc.RecordDose(ctx, s, ref), w.svc.RecordDose(ctx, s, unknown)
		if kind(a) != want || a.Error() != b.Error() {
			t.Errorf("known %v, unknown %v", a, b)
		}
	}
}

func TestReferenceDrawnTwice(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ha, hb := w.vault.SignIn("a"), w.vault.SignIn("b")
	ref := w.enrol(ha, 1)
	w.svc.SetStep(func(point string) error {
		if point == "enrol:after-vault" {
			return registry.ErrStop
		}
		return nil
	})
	if _, err := w.svc.Enrol(ctx, hb, "k", identity(2), vault.Consent{}); err == nil {
		t.Fatal("not stopped")
	}
	m, _ := w.vault.Membership(ctx, hb)
	b := m.Members[0].Person
	w.vault.SetReference(b, ref)
	w.svc.SetStep(none)
	got, err := w.svc.Enrol(ctx, hb, "k", identity(2), vault.Consent{})
	if err != nil || got != ref {
		t.Fatal(got, err)
	}
	a := w.person(ha, ref)
	if w.person(hb, ref) != b || a == b {
		t.Error("each household finds its own person")
	}
	if err := w.svc.RecordDose(ctx, staff("x"), ref); kind(err) != "not_found" {
		t.Errorf("nobody booked: %v", err)
	}
	holdB := w.book(hb, b, 1)
	if err := w.svc.RecordDose(ctx, staff(holdB), ref); err != nil {
		t.Errorf("the booked one of two: %v", err)
	}
	if w.vault.Head(b) != 3 || w.vault.Head(a) != 2 {
		t.Error("the dose went to the wrong person")
	}
	w.clean()
}

func TestIntegrityIsReadTwice(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	w.enrol(h, 1)
	calls := 0
	w.vault.Before = func(method string) error {
		if method == "Open" {
			if calls++; calls == 1 {
				return fault.New(fault.Integrity, "head", "behind")
			}
		}
		return nil
	}
	if _, err := w.svc.Household(ctx, h); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	w.vault.Before = func(method string) error {
		if method == "Open" {
			return fault.New(fault.Integrity, "head", "behind")
		}
		return nil
	}
	if _, err := w.svc.Household(ctx, h); kind(err) != "integrity" {
		t.Error(err)
	}
}

func TestOpenings(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	for _, c := range []struct {
		before int64
		limit  int
		want   string
	}{{0, 0, "0/1"}, {7, 20, "7/20"}, {0, 5000, "0/200"}} {
		if o, err := w.svc.Openings(ctx, h, c.before, c.limit); err != nil || o.ViewRef != c.want {
			t.Errorf("%+v: %v %v", c, o.ViewRef, err)
		}
	}
	if _, err := w.svc.Openings(ctx, h, -1, 1); kind(err) != "invalid" {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	for _, key := range []string{"", string(make([]byte, 201))} {
		if _, err := w.svc.Enrol(ctx, h, key, identity(1), vault.Consent{}); kind(err) != "invalid" {
			t.Errorf("%d bytes: %v", len(key), err)
		}
	}
}

func TestRelayDefersAndGoesOn(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ha, hb := w.vault.SignIn("a"), w.vault.SignIn("b")
	w.vault.Before = func(method string) error {
		if method == "Committed" {
			return fault.New(fault.Unavailable, "vault", "down")
		}
		return nil
	}
	w.enrol(ha, 1)
	w.enrol(hb, 2)
	w.clock.Add(time.Minute)
	if n, err := w.relay.Relay(ctx); n != 0 || kind(err) != "unavailable" {
		t.Errorf("%d %v", n, err)
	}
	w.vault.Before = nil
	if n, err := w.relay.Relay(ctx); n != 0 || err != nil {
		t.Errorf("deferred notes were taken at once: %d %v", n, err)
	}
	w.clock.Add(time.Minute)
	if n, err := w.relay.Relay(ctx); n != 2 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	w.clean()
}

// TestSeeded stores a person sealed without a holder's request.
func TestSeeded(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	e, err := w.vault.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "seed", Identity: identity(1)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.svc.StoreEnrolled(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if hh, err := w.svc.Household(ctx, h); err != nil || len(hh.People) != 1 || hh.People[0].Reference != e.Reference {
		t.Errorf("%+v %v", hh, err)
	}
	w.clean()
}

// TestRemovalOfNobody settles the removal of a person that was never stored.
func TestRemovalOfNobody(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	e, err := w.vault.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "k", Identity: identity(1)})
	if err != nil {
		t.Fatal(err)
	}
	if hh, err := w.svc.Household(ctx, h); err != nil || len(hh.People) != 0 {
		t.Errorf("a pending member without rows: %+v %v", hh, err)
	}
	if _, err := w.vault.Remove(ctx, vault.RemoveRequest{Holder: h, Record: vault.Record{Person: e.Seal.Person}}); err != nil {
		t.Fatal(err)
	}
	w.work()
	w.clean()
}

// TestSameKey repeats an enrolment after its end, and while the relay ends it.
func TestSameKey(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	asked := 0
	w.vault.Before = func(method string) error {
		if method == "Enrol" {
			asked++
		}
		return nil
	}
	first := w.enrol(h, 1)
	if w.enrol(h, 1) != first || asked != 2 { // the vault alone can tell the same request
		t.Errorf("the vault was asked %d times", asked)
	}
	w.svc.SetStep(func(point string) error {
		if point == "enrol:after-person" {
			return registry.ErrStop
		}
		return nil
	})
	if _, err := w.svc.Enrol(ctx, h, "key-2", identity(2), vault.Consent{Version: "1"}); err == nil {
		t.Fatal("not stopped")
	}
	w.svc.SetStep(none)
	w.vault.Before = func(method string) error {
		if method == "Enrol" {
			w.work()
		}
		return nil
	}
	second := w.enrol(h, 2) // the vault knows the end of it meanwhile
	if hh, err := w.svc.Household(ctx, h); err != nil || len(hh.People) != 2 || hh.People[1].Reference != second {
		t.Errorf("%+v %v", hh, err)
	}
	w.clean()
}

// TestKeyStandsForOneRequest sends one enrolment key with other requests, and
// after what it enrolled was deleted.
func TestKeyStandsForOneRequest(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	enrol := func(key string, n int) (id.Reference, error) {
		return w.svc.Enrol(ctx, h, key, identity(n), vault.Consent{Version: "1"})
	}
	ref, err := enrol("same", 1)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := enrol("same", 1); err != nil || again != ref {
		t.Errorf("repeated: %s %v", again, err)
	}
	if got, err := enrol("same", 2); fault.CodeOf(err) != "key" || got != "" {
		t.Errorf("another person under the key: %q %v", got, err)
	}
	if _, err := w.svc.Enrol(ctx, h, "same", identity(1), vault.Consent{Version: "2"}); fault.CodeOf(err) != "key" {
		t.Errorf("another consent under the key: %v", err)
	}
	second, err := enrol("second", 2)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(25 * time.Hour) // the vault has forgotten the keys
	for n := 1; n <= 2; n++ {
		if got, err := enrol("same", n); fault.CodeOf(err) != "id-in-use" || got != "" {
			t.Errorf("a day later, person %d: %q %v", n, got, err)
		}
	}
	third, err := enrol("third", 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []id.Reference{ref, third} {
		if err := w.svc.Remove(ctx, h, r); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := enrol("third", 3); kind(err) != "conflict" || fault.CodeOf(err) != "key" || got != "" {
		t.Errorf("the key of a deleted registration: %q %v", got, err)
	}
	if got, err := enrol("same", 1); err != nil || got == ref || got == second {
		t.Errorf("a forgotten key of a deleted registration: %q %v", got, err)
	}
	w.clean()
}

// TestMalformedNote leaves a note that cannot be read in front of another one.
func TestMalformedNote(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h := w.vault.SignIn("a")
	for n := range 2 {
		step, _ := stopAt(2) // after the person's rows
		w.svc.SetStep(step)
		if _, err := w.svc.Enrol(ctx, h, fmt.Sprint(n), identity(n), vault.Consent{}); !errors.Is(err, registry.ErrStop) {
			t.Fatal(err)
		}
		w.svc.SetStep(none)
		w.clock.Add(time.Second)
	}
	registrytest.SpoilNote(t, w.db)
	w.clock.Add(time.Minute)
	if n, err := w.relay.Relay(ctx); n != 1 || kind(err) != "integrity" {
		t.Errorf("%d notes carried out, %v", n, err)
	}
	if n := registrytest.Count(t, w.db, `SELECT COUNT(*) FROM outbox WHERE attempts = 1`); n != 1 {
		t.Errorf("%d deferred notes, want the malformed one", n)
	}
}
