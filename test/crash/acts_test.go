package crash

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tikakosh/test/harness"
)

// who is one household on which an act is tried.
type who struct {
	c           *harness.Client
	mobile      string
	key         string // idempotency key of the act
	id          string // number of the id document
	ref         string
	appointment string
	old         string // the appointment to be moved
	code        string
	card        harness.Card
	other       string // the registration that is to be joined
	people      string // how many the vault had before
	lost        harness.Lost
	request     harness.Answer // of the first member of staff
}

// act is one mutation. Commits says how many transactions each role needs for
// it; a crash on either side of each is tried, and that there are not more.
type act struct {
	name    string
	points  []string       // named points that it passes
	commits map[string]int // role → transactions
	shared  map[string]int // role → transactions of these that others may take into their commit
	scene   func(l *lane) *who
	do      func(l *lane, c *harness.Client, w *who) (harness.Answer, error)
	result  string // field of the answer that names the result
	done    func(l *lane, w *who) string
	refused int           // status of the refusal that is the act's end
	gone    bool          // a repetition of what is complete answers "no such"
	extra   bool          // every commit only with TIKAKOSH_FULL=1
	linger  time.Duration // how much longer than others it may stay half done
	waits   bool          // while the vault is away the act waits, and is done later
	off     []string      // controls that its lane goes without, so that no days have to pass
}

func acts() []act {
	return append(slices.Concat(cardActs(), doseActs(), relinkActs(), shareActs()), []act{
		{name: "enrol", points: []string{"enrol:after-vault", "enrol:after-person", "enrol:after-member"}, commits: map[string]int{"web": 4, "vault": 2},
			shared: map[string]int{"web": 1}, // the household's row and the reference's are written at the same time
			scene:  (*lane).household, do: enrol, result: "beneficiary_reference_id", done: enrolled},
		{name: "book", points: []string{"book:after-hold", "book:after-vault", "book:after-bind", "book:after-confirm", "open:after-receipt"},
			commits: map[string]int{"web": 4, "vault": 3}, scene: (*lane).person, do: book, result: "appointment_confirmation_no", done: booked},
		{name: "refused", points: []string{"end:after-fences", "end:after-undo", "end:after-release"},
			scene: (*lane).person, do: tooEarly, done: cancelled, refused: 400},
		{name: "move", points: []string{"book:after-hold", "book:after-vault", "move:after-person", "book:after-bind", "book:after-confirm", "open:after-receipt"},
			commits: map[string]int{"web": 6, "vault": 4}, scene: (*lane).bookedLater, do: move, result: "appointment_confirmation_no", done: moved, extra: true},
		{name: "hold and confirm", points: []string{"reserve:after-hold", "book:after-vault", "book:after-bind"}, scene: (*lane).person, do: holdAndConfirm, done: booked, linger: 5 * time.Minute},
		{name: "dose", points: []string{"dose:after-vault", "dose:after-store", "open:after-receipt"}, commits: map[string]int{"web": 2, "vault": 3},
			scene: (*lane).atTheDoor, do: dose, done: vaccinated, waits: true},
		{name: "cancel", points: []string{"cancel:after-vault", "cancel:after-person"}, commits: map[string]int{"web": 3, "vault": 2},
			scene: (*lane).booked, do: cancel, done: cancelled, gone: true, extra: true},
		{name: "remove", points: []string{"remove:after-vault", "remove:after-person"}, commits: map[string]int{"web": 3, "vault": 2},
			scene: (*lane).person, do: remove, done: removed, gone: true, extra: true},
		{name: "leave", commits: map[string]int{"vault": 1}, scene: (*lane).unconfirmed, do: leave, done: removed, gone: true},
	}...)
}

func enrol(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", "/v2/registration/beneficiary/new", harness.Person{Name: "Asha Test", ID: w.id}.Form(), "Idempotency-Key", w.key)
}

func book(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	body := map[string]any{"dose": 1, "session_id": l.day.Session, "slot": l.day.Slot, "beneficiaries": []string{w.ref}}
	return c.Do("POST", "/v2/appointment/schedule", body, "Idempotency-Key", w.key)
}

// holdAndConfirm books in the portal: its first form holds the place, its second books it.
func holdAndConfirm(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	const seat = "AAAAAAAAAAAAAAAAAAAAAA"
	sum := sha256.Sum256([]byte(seat + w.ref))
	form := url.Values{"key": {fmt.Sprintf("00000000-0000-4000-8000-%012s", strings.TrimPrefix(w.key, "key-"))}, "slot": {l.day.Slot}, "dose": {"1"},
		"p1": {base64.RawURLEncoding.EncodeToString(sum[:])[:11]}}
	send := func(path string) (harness.Answer, error) {
		return c.DoURL("POST", l.s.Root+path, []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin",
			"Cookie", "__Host-session="+c.Bearer+"; __Host-seat="+seat)
	}
	a, err := send("/book/" + l.day.Session)
	if err == nil && a.OK() {
		a, err = send("/book/" + l.day.Session + "/confirm")
	}
	if a.Status == http.StatusSeeOther { // to the slip
		a.Status = http.StatusOK
	}
	return a, err
}

// tooEarly books a second dose before the first: the vault refuses, and the
// place goes back.
func tooEarly(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	body := map[string]any{"dose": 2, "session_id": l.day.Session, "slot": l.day.Slot, "beneficiaries": []string{w.ref}}
	return c.Do("POST", "/v2/appointment/schedule", body, "Idempotency-Key", w.key)
}

func move(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	to := l.s.Later()[1]
	return c.Do("POST", "/v2/appointment/reschedule", map[string]any{"appointment_id": w.old, "session_id": to.Session, "slot": to.Slot}, "Idempotency-Key", w.key)
}

// moved: exactly one appointment, and it is the new one.
func moved(l *lane, w *who) string {
	p, fault := look(w, 1, 1)
	if fault == "" && (p.Appointments[0].ID == w.old || p.Appointments[0].Session != l.s.Later()[1].Session) {
		fault = "the appointment is the old one"
	}
	return fault
}

// dose needs no key: one booking is spent once. The proof is new each time, as a
// device makes one for each request.
func dose(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	raw, err := json.Marshal(harness.DoseForm(l.day, w.ref, w.code, 1))
	if err != nil {
		return harness.Answer{}, err
	}
	proof, err := l.vaccinator.Sign(harness.Claims("POST", l.s.API+harness.VaccinatePath, raw, l.s.Now()))
	if err != nil {
		return harness.Answer{}, err
	}
	return c.Do("POST", harness.VaccinatePath, raw, "DPoP", proof)
}

func cancel(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", "/v2/appointment/cancel", map[string]any{"appointment_id": w.appointment, "beneficiariesToCancel": []string{w.ref}})
}

func remove(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", "/v2/registration/beneficiary/delete", map[string]any{"beneficiary_reference_id": w.ref})
}

func leave(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": w.ref})
}

// look is the household as its holder sees it: one person and so many
// appointments, or what differs.
func look(w *who, people, appointments int) (harness.Beneficiary, string) {
	got, a := w.c.TryBeneficiaries()
	if !a.OK() || len(got) != people {
		return harness.Beneficiary{}, fmt.Sprintf("%d people are to be seen, want %d: %s", len(got), people, a.Text())
	}
	if people == 0 {
		return harness.Beneficiary{}, ""
	}
	if len(got[0].Appointments) != appointments {
		return got[0], fmt.Sprintf("%d appointments, want %d", len(got[0].Appointments), appointments)
	}
	return got[0], ""
}

func enrolled(_ *lane, w *who) string {
	p, fault := look(w, 1, 0)
	if fault == "" && w.ref != "" && p.Reference != w.ref {
		fault = "the person has another reference number than was answered"
	}
	return fault
}

func booked(_ *lane, w *who) string {
	p, fault := look(w, 1, 1)
	if fault == "" && w.appointment != "" && p.Appointments[0].ID != w.appointment {
		fault = "the appointment has another number than was answered"
	}
	return fault
}

func vaccinated(l *lane, w *who) string {
	p, fault := look(w, 1, 1)
	if fault == "" && p.Status != "Partially Vaccinated" {
		fault = "status " + p.Status
	}
	doses := l.s.Cell(harness.RegistryDB, "SELECT count(*) FROM sealed WHERE part LIKE 'dose%' AND person = (SELECT person FROM reference WHERE reference = $1)", w.ref)
	if fault == "" && doses != "1" {
		fault = doses + " doses are stored"
	}
	return fault
}

func cancelled(_ *lane, w *who) string { _, fault := look(w, 1, 0); return fault }

func removed(_ *lane, w *who) string { _, fault := look(w, 0, 0); return fault }
