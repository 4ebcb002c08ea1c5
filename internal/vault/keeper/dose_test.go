package keeper_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

func TestDoseToCertificate(t *testing.T) {
	c := newCentre(t, nil)
	ctx := t.Context()
	ask := func() (vault.Certificate, error) {
		return c.k.Certificate(ctx, vault.CertificateRequest{Holder: c.holder, Record: c.records(c.person)[0], Language: "en"})
	}
	_, err := ask()
	wantKind(t, err, fault.NotFound) // no dose yet
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil || d.Hold != c.hold || d.Dose != 1 || len(d.Seal.Parts) != 1 || d.Seal.Receipt == "" {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = ask()
	wantKind(t, err, fault.NotFound) // sealed, not stored
	c.store(d.Seal, true)
	cert, err := ask()
	if err != nil || len(cert.Receipts) != 1 || len(cert.ViewRef) != 13 {
		t.Fatalf("%+v %v", cert.Receipts, err)
	}
	keys, err := c.k.Keys(ctx, vault.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := encode.ParseKeySet(keys.Certificates)
	if err != nil {
		t.Fatal(err)
	}
	for name, input := range map[string][]byte{"text": []byte(cert.HC1), "page": cert.PDF} {
		res, err := certificate.Verify(input, set, c.clock())
		if err != nil || !strings.Contains(strings.Join(res.Lines(), "\n"), "Asha Test") {
			t.Errorf("%s: %v %v", name, err, res.Lines())
		}
	}
	o, err := c.k.Open(ctx, vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)})
	if err != nil || o.People[0].Status != "Partially Vaccinated" || o.People[0].Product != "COVISHIELD" || o.People[0].Dose1 != c.today() {
		t.Fatalf("%+v %v", o.People, err)
	}
	want := []string{"sealed: registration", "committed: stored", "opening: eligibility", "booking: booked", "opening: appointment slip",
		"opening: certificate", "opening: dose history at the centre", "sealed: dose recorded", "opening: certificate", "committed: stored",
		"opening: certificate", "opening: booking view"}
	if got := c.history(c.holder, c.person); !slices.Equal(got, want) {
		t.Errorf("history\n%q, want\n%q", got, want)
	}
	_, err = c.k.Remove(ctx, vault.RemoveRequest{Holder: c.holder, Record: c.records(c.person)[0]})
	wantKind(t, err, fault.Conflict) // vaccinated
	other := c.signIn("0000000051")
	_, err = c.k.Certificate(ctx, vault.CertificateRequest{Holder: other, Record: c.records(c.person)[0]})
	wantKind(t, err, fault.NotFound)
	c.audit()
}

// TestDoseEvidence refuses a dose for every single thing that is wrong; the
// right one is taken at the end of every case that spends nothing.
func TestDoseEvidence(t *testing.T) {
	c := newCentre(t, nil)
	stranger := c.register("0000000052", 52)
	elsewhere := c.staff("vaccinator", 8)
	unknown, err := harness.NewStaffKey("vaccinator", 7)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		key     harness.StaffKey
		person  id.Person
		changes map[string]any
		want    fault.Kind
		code    string
	}{
		{"a manager's key", c.manager, c.person, nil, fault.Forbidden, "role"},
		{"another centre's vaccinator", elsewhere, c.person, nil, fault.Forbidden, "role"},
		{"another centre in the body", c.vaccinator, c.person, map[string]any{"center_id": 8}, fault.Forbidden, "role"},
		{"a key nobody enrolled", unknown, c.person, nil, fault.Unauthorized, "proof"},
		{"another vaccine without the code", c.vaccinator, c.person, map[string]any{"vaccine": "COVAXIN", "security_code": wrong(c.code)}, fault.Invalid, "APPOIN0045"},
		{"another vaccine, nobody booked", c.vaccinator, stranger.person, map[string]any{"vaccine": "COVAXIN", "beneficiary_reference_id": stranger.ref}, fault.Invalid, "APPOIN0045"},
		{"another vaccine", c.vaccinator, c.person, map[string]any{"vaccine": "COVAXIN"}, fault.Invalid, "session"},
		{"yesterday", c.vaccinator, c.person, map[string]any{"dose_date": c.today().AddDays(-1).Indian()}, fault.Invalid, "session"},
		{"the second dose", c.vaccinator, c.person, map[string]any{"dose": 2}, fault.Invalid, "wrong_dose"},
		{"another person's row", c.vaccinator, stranger.person, nil, fault.Invalid, "APPOIN0045"},
		{"a person without a booking", c.vaccinator, stranger.person, map[string]any{"beneficiary_reference_id": stranger.ref}, fault.Invalid, "APPOIN0045"},
		{"nobody", c.vaccinator, "", nil, fault.Invalid, "APPOIN0045"},
		{"a wrong code", c.vaccinator, c.person, map[string]any{"security_code": wrong(c.code)}, fault.Invalid, "APPOIN0045"},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			before := c.k.LastNext()
			_, err := c.dose(x.key, x.person, c.body(x.changes))
			if !fault.Is(err, x.want) || fault.CodeOf(err) != x.code {
				t.Errorf("got %v, want %s %s", err, x.want, x.code)
			}
			row, err := c.k.Person(t.Context(), c.person)
			if err != nil || len(row.Pending) != 0 || row.Bookings[0].State != "live" {
				t.Errorf("the person changed: %+v %v", row, err)
			}
			if x.want == fault.Forbidden && c.k.LastNext() != before {
				t.Error("an entry without an opening")
			}
		})
	}
	if _, err := c.dose(c.vaccinator, c.person, c.body(nil)); err != nil {
		t.Errorf("the right dose: %v", err)
	}
}

// TestNothingWithoutTheCode: whether a person is booked here today is told to
// nobody without the code; each try is counted and in the person's history.
func TestNothingWithoutTheCode(t *testing.T) {
	c := newCentre(t, func(r *rig) { r.cfg.Limits.WrongStaffCodes = 7 })
	stranger := c.register("0000000052", 52)
	for name, change := range map[string]map[string]any{
		"another vaccine": {"vaccine": "COVAXIN"}, "yesterday": {"dose_date": c.today().AddDays(-1).Indian()}, "everything right": {},
	} {
		change["security_code"] = wrong(c.code)
		before := c.k.LastNext()
		_, booked := c.dose(c.vaccinator, c.person, c.body(change))
		if c.k.LastNext() != before+1 {
			t.Errorf("%s: %d entries about a wrong code", name, c.k.LastNext()-before)
		}
		change["beneficiary_reference_id"] = stranger.ref
		_, other := c.dose(c.vaccinator, stranger.person, c.body(change))
		if fault.CodeOf(booked) != "APPOIN0045" || other == nil || booked.Error() != other.Error() {
			t.Errorf("%s: booked %v, not booked %v", name, booked, other)
		}
	}
	// A proof that was used answers the same for both, too.
	bad := c.body(map[string]any{"security_code": wrong(c.code)})
	req := vault.DoseRequest{Signed: c.sign(c.vaccinator, doseURL, bad), Person: c.person, Record: c.records(c.person)[0]}
	_, err := c.k.RecordDose(t.Context(), req)
	wantKind(t, err, fault.Invalid) // the seventh
	_, err = c.dose(c.vaccinator, c.person, c.body(nil))
	wantKind(t, err, fault.RateLimited)
	second := c.staff("vaccinator", testCentre)
	var replies []string
	for _, p := range []patient{c.patient, stranger} {
		req := vault.DoseRequest{Signed: c.sign(second, doseURL, c.body(map[string]any{"beneficiary_reference_id": p.ref, "security_code": wrong(c.code)})), Person: p.person, Record: c.records(p.person)[0]}
		for range 2 {
			_, err = c.k.RecordDose(t.Context(), req)
		}
		if err == nil {
			t.Fatal("taken")
		}
		replies = append(replies, err.Error())
	}
	if replies[0] != replies[1] {
		t.Errorf("a used proof: booked %q, not booked %q", replies[0], replies[1])
	}
}

// midway lets a test act after a dose's history was opened and before its dose
// is sealed.
type midway struct {
	state.Store
	commits int // until act; 0: never
	act     func()
}

// Update implements state.Store.
func (b *midway) Update(ctx context.Context, fn func(state.Tx) error) error {
	act := b.commits == 1
	b.commits = max(0, b.commits-1)
	if act {
		b.act()
	}
	return b.Store.Update(ctx, fn)
}

// TestDoseOnAnotherBooking: a dose is sealed on the booking it was decided on,
// not on one made meanwhile.
func TestDoseOnAnotherBooking(t *testing.T) {
	var b *midway
	c := newCentre(t, func(r *rig) {
		r.wrap = func(st state.Store) state.Store { b = &midway{Store: st}; return b }
	})
	req := vault.DoseRequest{Signed: c.sign(c.vaccinator, doseURL, c.body(nil)), Person: c.person, Record: c.records(c.person)[0]}
	b.act = func() {
		if _, err := c.k.Cancel(t.Context(), vault.CancelRequest{Holder: c.holder, Hold: c.hold, Persons: []id.Person{c.person}}); err != nil {
			t.Error(err)
		}
		c.mustBook(c.holder, "rebooked", 1, c.offer, c.person)
	}
	b.commits = 2 // the opening, then the seal
	_, err := c.k.RecordDose(t.Context(), req)
	if !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "booking" {
		t.Errorf("got %v", err)
	}
	row, err := c.k.Person(t.Context(), c.person)
	if err != nil || len(row.Pending) != 0 {
		t.Errorf("%+v %v", row, err)
	}
}

// TestCancelDuringDose: while its dose is sealed and not stored, a booking is
// not cancelled; a seal that never arrives does not hold it for ever.
func TestCancelDuringDose(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	cancel := func() error {
		_, err := c.k.Cancel(t.Context(), vault.CancelRequest{Holder: c.holder, Hold: c.hold, Persons: []id.Person{c.person}})
		return err
	}
	wantKind(t, cancel(), fault.Conflict)
	if _, err = c.k.Release(t.Context(), vault.ReleaseRequest{Hold: c.hold, Persons: []id.Person{c.person}}); err != nil {
		t.Fatal(err)
	}
	if row, err := c.k.Person(t.Context(), c.person); err != nil || row.Bookings[0].State != state.Live || len(c.unfinished(c.clock())) != 1 {
		t.Errorf("released during its dose: %+v %v, unfinished %v", row.Bookings, err, c.unfinished(c.clock()))
	}
	c.store(d.Seal, true)
	wantKind(t, cancel(), fault.Conflict)
	row, err := c.k.Person(t.Context(), c.person)
	if err != nil || row.Bookings[0].State != state.Spent {
		t.Errorf("%+v %v", row.Bookings, err)
	}
	lost := newCentre(t, nil)
	if _, err := lost.dose(lost.vaccinator, lost.person, lost.body(nil)); err != nil {
		t.Fatal(err)
	}
	lost.advance(25 * time.Hour)
	lost.holder = lost.signIn("0000000050")
	if _, err := lost.k.Cancel(t.Context(), vault.CancelRequest{Holder: lost.holder, Hold: lost.hold, Persons: []id.Person{lost.person}}); err != nil {
		t.Errorf("a day after a seal that was never stored: %v", err)
	}
}

func TestDoseNeedsOpenSession(t *testing.T) {
	r := newRig(t)
	v, m := r.staff("vaccinator", testCentre), r.staff("manager", testCentre)
	p := r.register("0000000053", 53)
	o := r.offer("COVISHIELD")
	hold := id.Hold(id.New())
	r.mustBook(p.holder, hold, 1, o, p.person)
	code := r.slipCode(p.holder, hold, p.person)
	_, err := r.dose(v, p.person, doseBody(o, p.ref, code, 1))
	if fault.CodeOf(err) != "APPOIN0045" {
		t.Fatalf("before the session is open: %v", err)
	}
	r.openDay(m, o)
	r.openDay(m, o) // twice is once
	if _, err := r.dose(v, p.person, doseBody(o, p.ref, code, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestDoseRepeated(t *testing.T) {
	c := newCentre(t, nil)
	signed := c.sign(c.vaccinator, doseURL, c.body(nil))
	req := vault.DoseRequest{Signed: signed, Person: c.person, Record: c.records(c.person)[0]}
	first, err := c.k.RecordDose(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	// The very same request, and one with a new proof: the same seal.
	again, err := c.k.RecordDose(t.Context(), req)
	if err != nil || again.Seal.ID != first.Seal.ID || len(again.Seal.Parts) != 1 {
		t.Fatalf("%+v %v", again, err)
	}
	if again, err = c.dose(c.vaccinator, c.person, c.body(nil)); err != nil || again.Seal.ID != first.Seal.ID {
		t.Fatalf("%+v %v", again, err)
	}
	// With a wrong code nothing is answered, though the dose is sealed.
	_, err = c.dose(c.vaccinator, c.person, c.body(map[string]any{"security_code": wrong(c.code)}))
	wantKind(t, err, fault.Invalid)
	c.store(first.Seal, true)
	if again, err = c.dose(c.vaccinator, c.person, c.body(nil)); err != nil || len(again.Seal.Parts) != 0 || again.Hold != c.hold {
		t.Fatalf("after the commit: %+v %v", again, err)
	}
	// What was used for nothing cannot be used for something else.
	_, err = c.k.OpenSession(t.Context(), vault.OpenSessionRequest{Signed: signed})
	if err == nil {
		t.Error("a dose's proof opened a session")
	}
	c.audit()
}

func TestSecurityCodeTries(t *testing.T) {
	t.Run("three per booking", func(t *testing.T) {
		c := newCentre(t, nil)
		bad := c.body(map[string]any{"security_code": wrong(c.code)})
		for range 3 {
			_, err := c.dose(c.vaccinator, c.person, bad)
			wantKind(t, err, fault.Invalid)
		}
		_, err := c.dose(c.vaccinator, c.person, c.body(nil))
		if fault.CodeOf(err) != "APPOIN0045" {
			t.Errorf("the right code after three wrong ones: %v", err)
		}
		second := c.staff("vaccinator", testCentre)
		if _, err = c.dose(second, c.person, c.body(nil)); fault.CodeOf(err) != "APPOIN0045" {
			t.Errorf("another vaccinator: %v", err)
		}
		refusals := 0
		for _, e := range c.history(c.holder, c.person) {
			if e == "refusal: dose history at the centre" {
				refusals++
			}
		}
		if refusals != 5 {
			t.Errorf("the person sees %d refusals of 5", refusals)
		}
	})
	t.Run("another content is no correction", func(t *testing.T) {
		c := newCentre(t, nil)
		d, err := c.dose(c.vaccinator, c.person, c.body(nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range []bool{false, true} { // while the seal is pending, and after
			if stored {
				c.store(d.Seal, true)
			}
			if _, err := c.dose(c.vaccinator, c.person, c.body(nil)); err != nil {
				t.Errorf("stored %v: the same again: %v", stored, err)
			}
			_, err := c.dose(c.vaccinator, c.person, c.body(map[string]any{"vaccine_batch": "OTHER-9"}))
			if !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "recorded" {
				t.Errorf("stored %v: another batch: %v", stored, err)
			}
		}
	})
	t.Run("ten per staff member", func(t *testing.T) {
		c := newCentre(t, nil)
		var people []patient
		for i := range 4 {
			p := c.register(fmt.Sprintf("00000006%02d", i), 60+i)
			c.mustBook(p.holder, id.Hold(id.New()), 1, c.offer, p.person)
			people = append(people, p)
		}
		for i := range 10 {
			p := people[i/3]
			_, err := c.dose(c.vaccinator, p.person, doseBody(c.offer, p.ref, "no-4", 1))
			wantKind(t, err, fault.Invalid)
		}
		_, err := c.dose(c.vaccinator, c.person, c.body(nil))
		wantKind(t, err, fault.RateLimited)
		if fault.RetryAfter(err) <= 0 {
			t.Error("no time to wait")
		}
		c.advance(2 * time.Hour)
		_, err = c.dose(c.vaccinator, c.person, c.body(nil))
		wantKind(t, err, fault.RateLimited)
		colleague := c.staff("vaccinator", testCentre)
		if _, err := c.dose(colleague, c.person, c.body(nil)); err != nil {
			t.Errorf("a colleague is blocked too: %v", err)
		}
	})
	t.Run("parallel guesses", func(t *testing.T) {
		c := newCentre(t, func(r *rig) { r.cfg.Limits.WrongStaffCodes = 1000 })
		var wg sync.WaitGroup
		bad := c.body(map[string]any{"security_code": wrong(c.code)})
		for range 30 {
			req := vault.DoseRequest{Signed: c.sign(c.vaccinator, doseURL, bad), Person: c.person, Record: c.records(c.person)[0]}
			wg.Go(func() { _, _ = c.k.RecordDose(t.Context(), req) })
		}
		wg.Wait()
		row, err := c.k.Person(t.Context(), c.person)
		if err != nil || row.Bookings[0].Tries != 3 {
			t.Errorf("%d tries counted, want 3 (%v)", row.Bookings[0].Tries, err)
		}
	})
}

// TestDoseParallel records one dose from many requests at once: one seal.
func TestDoseParallel(t *testing.T) {
	c := newCentre(t, nil)
	var mu sync.Mutex
	seals := map[string]bool{}
	var wg sync.WaitGroup
	for range 16 {
		req := vault.DoseRequest{Signed: c.sign(c.vaccinator, doseURL, c.body(nil)), Person: c.person, Record: c.records(c.person)[0]}
		wg.Go(func() {
			d, err := c.k.RecordDose(t.Context(), req)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seals[d.Seal.ID] = true
		})
	}
	wg.Wait()
	row, err := c.k.Person(t.Context(), c.person)
	if err != nil || len(seals) != 1 || len(row.Pending) != 1 {
		t.Fatalf("%d seals answered, %d pending (%v)", len(seals), len(row.Pending), err)
	}
}

func TestSecondDose(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	c.advance(83 * 24 * time.Hour)
	c.holder = c.signIn("0000000050")
	early := c.rig.offer("COVISHIELD")
	err = c.book(c.holder, "early", 2, early, c.person)
	if fault.CodeOf(err) != "too_early" || !strings.Contains(err.Error(), c.today().AddDays(1).Indian()) {
		t.Fatalf("on day 83: %v", err)
	}
	c.advance(24 * time.Hour)
	c.holder = c.signIn("0000000050")
	o := c.rig.offer("COVISHIELD")
	if err := c.book(c.holder, "other", 2, c.rig.offer("COVAXIN"), c.person); fault.CodeOf(err) != "other_product" {
		t.Fatalf("another product: %v", err)
	}
	c.openDay(c.manager, o)
	c.mustBook(c.holder, "second", 2, o, c.person)
	d, err = c.dose(c.vaccinator, c.person, doseBody(o, c.ref, c.slipCode(c.holder, "second", c.person), 2))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, false)
	v, err := c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)})
	if err != nil || v.People[0].Status != "Vaccinated" || v.People[0].Dose2 != c.today() {
		t.Fatalf("%+v %v", v.People, err)
	}
	c.audit()
}

func TestParseDose(t *testing.T) {
	ref := id.NewReference()
	good := fmt.Sprintf(`{"beneficiary_reference_id":"%s","center_id":7,"vaccine":"COVISHIELD","vaccine_batch":"b-1","dose":1,"dose1_date":"24-11-2026","vaccinator_name":"Staff Test","security_code":"0042"}`, ref)
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the table names %q, which is not there", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, body := range map[string]string{
		"as it is":         good,
		"numbers as text":  swap(`"center_id":7`, `"center_id":"7"`),
		"text as numbers":  swap(`"`+string(ref)+`"`, string(ref)),
		"dose as text":     swap(`"dose":1`, `"dose":"1"`),
		"an unknown field": swap(`{`, `{"more":true,`),
		"dose_date":        swap(`dose1_date`, `dose_date`),
		"only dose2_date":  swap(`dose1_date`, `dose2_date`),
	} {
		got, centre, lot, code, dose, err := keeper.ParseDose([]byte(body))
		if err != nil || got != ref || centre != 7 || lot == "" || code != "0042" || dose != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, body := range map[string]string{
		"not JSON":          "{",
		"an array":          "[]",
		"a check digit":     swap(string(ref), string(ref[:13])+string('0'+(ref[13]-'0'+1)%10)),
		"a negative centre": swap(`"center_id":7`, `"center_id":-7`),
		"centre zero":       swap(`"center_id":7`, `"center_id":0`),
		"centre null":       swap(`"center_id":7`, `"center_id":null`),
		"a fraction":        swap(`"dose":1`, `"dose":1.5`),
		"dose zero":         swap(`"dose":1`, `"dose":0`),
		"dose ten":          swap(`"dose":1`, `"dose":10`),
		"unknown vaccine":   swap(`COVISHIELD`, `Covishield`),
		"no batch":          swap(`b-1`, ``),
		"a wrong date":      swap(`24-11-2026`, `31-02-2026`),
		"another form":      swap(`24-11-2026`, `2026-11-24`),
		"nobody":            swap(`Staff Test`, ` `),
		"three digits":      swap(`0042`, `042`),
		"five digits":       swap(`0042`, `00042`),
		"too long":          swap(`b-1`, strings.Repeat("x", 9000)),
	} {
		if _, _, _, _, _, err := keeper.ParseDose([]byte(body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
