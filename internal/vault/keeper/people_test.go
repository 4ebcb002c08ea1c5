package keeper_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// TestEnrolChecks refuses one wrong field at a time and changes nothing.
func TestEnrolChecks(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	day := func(s string) civil.Date {
		var d civil.Date
		if err := d.UnmarshalText([]byte(s)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	long := strings.Repeat("x", 500)
	cases := map[string]func(*vault.EnrolRequest){
		"no name":             func(q *vault.EnrolRequest) { q.Identity.Name = " " },
		"a long name":         func(q *vault.EnrolRequest) { q.Identity.Name = long },
		"a long second name":  func(q *vault.EnrolRequest) { q.Identity.NameLocal = long },
		"a turned-round name": func(q *vault.EnrolRequest) { q.Identity.Name = "Asha \u202eTest" },
		"a long guardian":     func(q *vault.EnrolRequest) { q.Identity.Guardian = long },
		"no gender":           func(q *vault.EnrolRequest) { q.Identity.GenderID = 0 },
		"another gender":      func(q *vault.EnrolRequest) { q.Identity.GenderID = 9 },
		"no id type":          func(q *vault.EnrolRequest) { q.Identity.IDType = 0 },
		"a malformed number":  func(q *vault.EnrolRequest) { q.Identity.IDNumber = "123" },
		"no year":             func(q *vault.EnrolRequest) { q.Identity.BirthYear = 0 },
		"next year":           func(q *vault.EnrolRequest) { q.Identity.BirthYear = 2027 },
		"another year's date": func(q *vault.EnrolRequest) { q.Identity.BirthDate = day("1981-05-01") },
		"no consent":          func(q *vault.EnrolRequest) { q.Consent.Version = "" },
		"a long consent":      func(q *vault.EnrolRequest) { q.Consent.Version = long },
	}
	for name, change := range cases {
		q := vault.EnrolRequest{Holder: h, Key: "k-" + name, Identity: asha(1), Consent: consentOne}
		change(&q)
		if _, err := r.k.Enrol(t.Context(), q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, key := range map[string]string{"no key": "", "a long key": long} {
		q := vault.EnrolRequest{Holder: h, Key: key, Identity: asha(1), Consent: consentOne}
		if _, err := r.k.Enrol(t.Context(), q); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.count("person") != 0 || r.count("id_tag") != 0 {
		t.Error("a refused enrolment left a row")
	}
	r.enrol(h, "k", asha(1))
}

// TestMinorWithGuardian keeps a minor's guardian and second-script name on the
// certificate's side of the seal: the booking view does not show them.
func TestMinorWithGuardian(t *testing.T) {
	c := newCentre(t, nil)
	minor := asha(2)
	minor.Name, minor.NameLocal, minor.Guardian, minor.BirthYear = "Kiran Test", "किरण", "Asha Test", 2010
	e := c.enrol(c.holder, "minor", minor)
	c.store(e.Seal, true)
	o := c.rig.offer("COVAXIN")
	o.MinAge = 15
	c.openDay(c.manager, o)
	c.mustBook(c.holder, "minor", 1, o, e.Seal.Person)
	d, err := c.dose(c.vaccinator, e.Seal.Person, doseBody(o, e.Reference, c.slipCode(c.holder, "minor", e.Seal.Person), 1))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	if err := c.book(c.holder, "not covaxin", 1, c.offer, e.Seal.Person); err == nil {
		t.Error("a 16-year-old was booked for COVISHIELD")
	}
	v, err := c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person, e.Seal.Person)})
	if err != nil || len(v.People) != 2 || v.People[1].Name != "Kiran Test" || v.People[1].BirthYear != 2010 {
		t.Fatalf("%+v %v", v.People, err)
	}
	cert, err := c.k.Certificate(t.Context(), vault.CertificateRequest{Holder: c.holder, Record: c.records(e.Seal.Person)[0]})
	if err != nil || !strings.HasPrefix(cert.HC1, "HC1:") {
		t.Fatal(err)
	}
}

// TestSixPeople fills a household from many requests at once: exactly six.
func TestSixPeople(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	var mu sync.Mutex
	slots := map[int]int{}
	full := 0
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			e, err := r.k.Enrol(t.Context(), vault.EnrolRequest{Holder: h, Key: fmt.Sprint("k", i), Identity: asha(i), Consent: consentOne})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				slots[e.Slot]++
			case fault.Is(err, fault.Full):
				full++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(slots) != 6 || full != 6 || slots[1] != 1 || slots[6] != 1 {
		t.Errorf("slots %v, %d refused", slots, full)
	}
}

// TestSameIDInParallel enrols one id document twice at once in one household,
// under two keys and with two names: one gets in.
func TestSameIDInParallel(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		in := asha(1)
		in.Name = "Test " + strings.Repeat("a", i+1)
		wg.Go(func() {
			_, errs[i] = r.k.Enrol(t.Context(), vault.EnrolRequest{Holder: h, Key: fmt.Sprint("k", i), Identity: in, Consent: consentOne})
		})
	}
	wg.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
		} else if fault.CodeOf(err) != "id-in-use" {
			t.Error(err)
		}
	}
	if in != 1 {
		t.Errorf("one id document was registered %d times", in)
	}
}

// TestDuplicateElsewhere: an id number in two households is accepted with the
// same answer and flagged inside; a deletion takes the mark away.
func TestDuplicateElsewhere(t *testing.T) {
	r := newRig(t)
	a, b := r.register("0000000301", 7), r.register("0000000302", 8)
	flags := func(p id.Person) []string {
		row, err := r.k.Person(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return row.Flags
	}
	dup := r.enrol(b.holder, "dup", asha(7))
	r.store(dup.Seal, true)
	if len(flags(a.person)) != 0 || !slices.Equal(flags(dup.Seal.Person), []string{"id-elsewhere"}) {
		t.Errorf("flags %v and %v", flags(a.person), flags(dup.Seal.Person))
	}
	if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: a.holder, Record: r.records(a.person)[0]}); err != nil {
		t.Fatal(err)
	}
	c := r.register("0000000303", 9)
	if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: b.holder, Record: r.records(dup.Seal.Person)[0]}); err != nil {
		t.Fatal(err)
	}
	free := r.enrol(c.holder, "free", asha(7))
	if got := flags(free.Seal.Person); len(got) != 0 {
		t.Errorf("after both were deleted the id is flagged: %v", got)
	}
}

// TestIDTags: the tag depends on realm, type and number, and its store holds
// no number.
func TestIDTags(t *testing.T) {
	r := newRig(t)
	tag := func(kind int, number string) string {
		t.Helper()
		got, err := r.k.IDTag(kind, number)
		if err != nil || !strings.HasPrefix(got, "01") || len(got) != 66 {
			t.Fatalf("tag %q %v", got, err)
		}
		return got
	}
	one := tag(6, "ABCDE0001F")
	if one != tag(6, "ABCDE0001F") || one == tag(6, "ABCDE0002F") || one == tag(8, "ABCDE0001F") {
		t.Error("tags do not tell numbers apart")
	}
	r.register("0000000301", 1)
	dump := r.dump("id_tag", "household", "person", "idempotency")
	if !strings.Contains(dump, one) || strings.Contains(dump, "ABCDE0001F") || strings.Contains(dump, "Asha") {
		t.Error("the vault's rows hold an id number or a name, or not the tag")
	}
}

// TestRemoval destroys the data key: the parts are there and never open again.
func TestRemoval(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000301", 1)
	pending := r.enrol(p.holder, "second", asha(2)) // sealed, never stored
	r.mustBook(p.holder, "h1", 1, r.offer("COVISHIELD"), p.person)
	remove := func(q id.Person) error {
		_, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: p.holder, Record: r.records(q)[0]})
		return err
	}
	wantKind(t, remove(p.person), fault.Conflict) // booked
	if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: p.holder, Hold: "h1", Persons: []id.Person{p.person}}); err != nil {
		t.Fatal(err)
	}
	before, err := r.k.Person(t.Context(), p.person)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []id.Person{p.person, pending.Seal.Person} {
		if err := remove(q); err != nil {
			t.Fatal(err)
		}
		row, err := r.k.Person(t.Context(), q)
		if err != nil || len(row.Wrapped) != 0 || row.State != "removed" || len(row.Pending) != 0 {
			t.Errorf("after removal: %+v %v", row, err)
		}
		wantKind(t, remove(q), fault.NotFound)
	}
	for table, dump := range map[string]string{"person": r.dump("person"), "household": r.dump("household")} {
		if strings.Contains(dump, base64Text(before.Wrapped)) {
			t.Errorf("the wrapped data key is still in %s", table)
		}
	}
	m, err := r.k.Membership(t.Context(), p.holder)
	if err != nil || len(m.Members) != 0 {
		t.Errorf("%+v %v", m, err)
	}
	for name, act := range map[string]func() error{
		"certificate": func() error {
			_, err := r.k.Certificate(t.Context(), vault.CertificateRequest{Holder: p.holder, Record: r.records(p.person)[0]})
			return err
		},
		"book": func() error { return r.book(p.holder, "h2", 1, r.offer("COVISHIELD"), p.person) },
		"openings": func() error {
			_, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: p.holder, Person: p.person})
			return err
		},
	} {
		if err := act(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s after removal: %v", name, err)
		}
	}
	// A late report of the seal that was given up changes nothing.
	got, err := r.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{pending.Seal.ID}})
	if err != nil || got.Advanced != 0 {
		t.Errorf("%+v %v", got, err)
	}
	r.audit()
}

// TestPlaceOfALostEnrolment: an enrolment that was never stored gives its place
// and id back after a day, not before.
func TestPlaceOfALostEnrolment(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	r.enrol(h, "lost", asha(1))
	changed := asha(1)
	changed.Name = "Asha Test Two"
	_, err := r.k.Enrol(t.Context(), vault.EnrolRequest{Holder: h, Key: "other", Identity: changed, Consent: consentOne})
	wantKind(t, err, fault.Conflict)
	again := r.enrol(h, "third", asha(1)) // the same request under another key
	if again.Slot != 1 || len(again.Seal.Parts) != 2 {
		t.Errorf("%+v", again)
	}
	r.advance(24*time.Hour + time.Minute)
	r.k.Expire(t.Context())
	h = r.signIn("0000000301")
	e := r.enrol(h, "other", changed)
	if e.Slot != 1 {
		t.Errorf("slot %d", e.Slot)
	}
	r.store(e.Seal, true)
	r.audit()
}

// TestDigestNeedsAKey searches the rows for the digest of an enrolment whose
// every field is known or taken from the rows themselves: without a key it must
// confirm nobody's name.
func TestDigestNeedsAKey(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	e := r.enrol(h, "k", asha(1))
	row, err := r.k.Person(t.Context(), e.Seal.Person)
	if err != nil {
		t.Fatal(err)
	}
	dump := r.dump("idempotency", "person", "household", "id_tag")
	var kept state.Idempotency
	_, content, _ := strings.Cut(r.dump("idempotency"), "{")
	if err := json.Unmarshal([]byte("{"+strings.TrimSpace(content)), &kept); err != nil {
		t.Fatal(err)
	}
	tag, err := r.k.IDTag(6, "ABCDE0001F")
	if err != nil || !strings.Contains(dump, tag) || kept.Digest != row.Pending[0].Made || kept.Digest == (vault.Hash{}) {
		t.Fatalf("%v, %x and %x", err, kept.Digest, row.Pending[0].Made)
	}
	for _, number := range []string{tag, "ABCDE0001F", ""} {
		in := asha(1)
		in.IDNumber = number
		raw := []byte(jsonOf(t, struct {
			I vault.Identity
			C vault.Consent
		}{in, consentOne}))
		for name, sum := range map[string]vault.Hash{"SHA-256": sha256.Sum256(raw), "SHA-512/256": sha512.Sum512_256(raw)} {
			if sum == kept.Digest {
				t.Errorf("the digest is the plain %s of the request: a dump confirms a name", name)
			}
		}
	}
	// Another vault, another key: the same request has another digest.
	other := newRig(t)
	o := other.enrol(other.signIn("0000000301"), "k", asha(1))
	row, err = other.k.Person(t.Context(), o.Seal.Person)
	if err != nil || row.Pending[0].Made == kept.Digest {
		t.Errorf("two vaults have the same digest (%v)", err)
	}
	if again := r.enrol(h, "k", asha(1)); again.Seal.ID != e.Seal.ID {
		t.Error("a repeated enrolment is not known again")
	}
}

// TestLateReport: a registration that was stored, and whose report is late by
// more than a day, keeps its place while there is another.
func TestLateReport(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	late := r.enrol(h, "late", asha(1))
	r.store(late.Seal, false)
	r.advance(25 * time.Hour)
	h = r.signIn("0000000301")
	second := r.enrol(h, "second", asha(2))
	r.store(second.Seal, true)
	if second.Slot != 2 {
		t.Errorf("slot %d", second.Slot)
	}
	got, err := r.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{late.Seal.ID}})
	if err != nil || got.Advanced != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	m, err := r.k.Membership(t.Context(), h)
	if err != nil || len(m.Members) != 2 || m.Members[0].Pending {
		t.Errorf("%+v %v", m, err)
	}
	v, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(late.Seal.Person, second.Seal.Person)})
	if err != nil || len(v.People) != 2 {
		t.Errorf("%+v %v", v, err)
	}
	r.audit()
}

// TestEvicted: a full household's oldest lost enrolment gives its place up, and
// leaves nothing behind: no tag, no key, no seal.
func TestEvicted(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000301")
	var lost []vault.Enrolled
	for i := range 2 {
		lost = append(lost, r.enrol(h, fmt.Sprint("lost", i), asha(i)))
	}
	r.advance(25 * time.Hour)
	h = r.signIn("0000000301")
	for i := range 5 {
		e := r.enrol(h, fmt.Sprint("k", i), asha(10+i))
		r.store(e.Seal, true)
		if want := []int{3, 4, 5, 6, 1}[i]; e.Slot != want {
			t.Errorf("slot %d, want %d", e.Slot, want)
		}
	}
	for i, state := range []string{"removed", "pending"} {
		row, err := r.k.Person(t.Context(), lost[i].Seal.Person)
		if err != nil || row.State != state || (len(row.Wrapped) == 0) != (i == 0) || (len(row.Pending) == 0) != (i == 0) {
			t.Errorf("lost %d: %+v %v", i, row, err)
		}
	}
	got, err := r.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{lost[0].Seal.ID}})
	if err != nil || got.Advanced != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if left := r.unfinished(r.clock()); !slices.Contains(left, "remove ") {
		t.Errorf("the registry is not told: %q", left)
	}
	// The id of the evicted is free everywhere, the other's is not.
	other := r.signIn("0000000302")
	for i, flags := range []int{0, 1} {
		e := r.enrol(other, fmt.Sprint("k", i), asha(i))
		row, err := r.k.Person(t.Context(), e.Seal.Person)
		if err != nil || len(row.Flags) != flags {
			t.Errorf("id %d elsewhere: flags %v (%v)", i, row.Flags, err)
		}
	}
	r.audit()
}

// TestOpeningsPages walks the history backwards, page by page.
func TestOpeningsPages(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000301", 2)
	whole, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: h, Limit: 200})
	if err != nil || len(whole.Entries) < 4 || len(whole.Receipts) != 2 || len(whole.ViewRef) != 13 {
		t.Fatalf("%+v %v", whole, err)
	}
	var walked []vault.Opening
	for before := whole.Entries[0].Index + 1; ; {
		page, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: h, Before: before, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) == 0 {
			break
		}
		walked = append(walked, page.Entries...)
		before = page.Entries[len(page.Entries)-1].Index
	}
	if a, b := jsonOf(t, whole.Entries), jsonOf(t, walked); a != b {
		t.Errorf("in pages\n%s\nwhole\n%s", b, a)
	}
	for _, e := range whole.Entries {
		if !slices.Contains(people, e.Person) || e.Role == "" || e.At != r.clock().UnixMilli() {
			t.Errorf("%+v", e)
		}
	}
	for _, limit := range []int{0, -1, 201} {
		if p, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: h, Limit: limit}); err != nil || len(p.Entries) > 50 {
			t.Errorf("limit %d gives %d (%v)", limit, len(p.Entries), err)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestSnapshotsWhileWriting reads memberships while the same rows change: what
// is older than the newest commit is no tampering.
func TestSnapshotsWhileWriting(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000301", 3)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if m, err := r.k.Membership(t.Context(), h); err != nil || len(m.Members) != 3 {
					t.Errorf("%+v %v", m, err)
					return
				}
			}
		})
	}
	o := r.offer("COVISHIELD")
	for i := range 12 {
		hold := id.Hold(fmt.Sprint("h", i))
		r.mustBook(h, hold, 1, o, people...)
		if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: hold, Persons: people}); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

// TestSeed adds demo people like any others, once, also after their keys are
// forgotten.
func TestSeed(t *testing.T) {
	r := newRig(t)
	req := vault.SeedRequest{Households: []vault.SeedHousehold{{Mobile: "0000000301", Members: []vault.SeedMember{{Identity: asha(1), Consent: consentOne, Doses: []vault.SeedDose{
		{Product: "COVISHIELD", Lot: "DEMO-1", Sequence: 1, Given: r.today().AddDays(-100), Centre: 7, CentreName: "Test Centre", Vaccinator: "Staff Test"},
		{Product: "COVISHIELD", Lot: "DEMO-2", Sequence: 2, Given: r.today().AddDays(-10), Centre: 7, CentreName: "Test Centre", Vaccinator: "Staff Test"}}},
		{Identity: asha(2), Consent: consentOne}}}, {Mobile: "0000000302", Members: []vault.SeedMember{{Identity: asha(4), Consent: consentOne}}}}}
	first, err := r.k.Seed(t.Context(), req)
	if err != nil || len(first.People) != 3 || len(first.People[0].Seal.Parts) != 4 || len(first.People[1].Seal.Parts) != 2 {
		t.Fatalf("%+v %v", first, err)
	}
	again, err := r.k.Seed(t.Context(), req) // not stored yet: the same seals
	if err != nil || len(again.People) != 3 || again.People[0].Seal.ID != first.People[0].Seal.ID {
		t.Fatalf("%+v %v", again, err)
	}
	for _, e := range first.People {
		r.store(e.Seal, true)
	}
	for _, wait := range []time.Duration{0, 49 * time.Hour} {
		r.advance(wait)
		r.k.Expire(t.Context())
		if again, err = r.k.Seed(t.Context(), req); err != nil || len(again.People) != 0 {
			t.Fatalf("after %v: %+v %v", wait, again, err)
		}
	}
	h := r.signIn("0000000301")
	v, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: h, Records: r.records(first.People[0].Seal.Person, first.People[1].Seal.Person)})
	if err != nil || len(v.People) != 2 || v.People[0].Status != "Vaccinated" || v.People[0].Dose2 != civil.Of(r.clock().Add(-49*time.Hour).In(ist)).AddDays(-10) {
		t.Fatalf("%+v %v", v.People, err)
	}
	r.audit()
	bad := vault.SeedRequest{Households: []vault.SeedHousehold{{Mobile: "0000000303", Members: []vault.SeedMember{{Identity: asha(3), Consent: consentOne,
		Doses: []vault.SeedDose{{Product: "WATER", Sequence: 1, Given: r.today()}}}}}}}
	_, err = r.k.Seed(t.Context(), bad)
	wantKind(t, err, fault.Invalid)
	// Somebody without a mobile: a household and a card, once.
	alone := vault.SeedRequest{Households: []vault.SeedHousehold{{Members: []vault.SeedMember{{Identity: asha(8), Consent: consentOne}}}}}
	one, err := r.k.Seed(t.Context(), alone)
	if err != nil || len(one.People) != 1 || r.count("card") != 1 {
		t.Fatalf("%+v %v", one, err)
	}
	if twice, err := r.k.Seed(t.Context(), alone); err != nil || len(twice.People) != 1 || twice.People[0].Seal.ID != one.People[0].Seal.ID {
		t.Fatalf("%+v %v", twice, err)
	}
	r.store(one.People[0].Seal, true)
	if twice, err := r.k.Seed(t.Context(), alone); err != nil || len(twice.People) != 0 || r.count("card") != 1 {
		t.Fatalf("%+v %v", twice, err)
	}
	r.audit()
	// A household with other people stays as it is.
	other := vault.SeedRequest{Households: []vault.SeedHousehold{{Mobile: "0000000301", Members: []vault.SeedMember{{Identity: asha(9), Consent: consentOne}}}}}
	size := r.k.LastNext()
	if got, err := r.k.Seed(t.Context(), other); err != nil || len(got.People) != 0 || r.k.LastNext() != size {
		t.Fatalf("%+v %v", got, err)
	}
	real := rigWith(t, func(r *rig) { r.cfg.Demo = false })
	_, err = real.k.Seed(t.Context(), req)
	wantKind(t, err, fault.Forbidden)
}
