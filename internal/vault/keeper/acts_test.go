package keeper_test

import (
	"encoding/json"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// What people do at a centre, for tests that need a booked or vaccinated
// person. The staff signer is the harness's own, written from the RFC.

var ist = time.FixedZone("IST", 5*3600+1800)

const (
	sessionsURL = "http://127.0.0.1/api/v3/staff/sessions"
	doseURL     = "http://127.0.0.1/api/v2/vaccinator/beneficiaries/vaccinate"
	testCentre  = id.Centre(7)
)

func (r *rig) today() civil.Date { return civil.Of(r.clock().In(ist)) }

// offer is a place in today's session of a product.
func (r *rig) offer(product string) vault.Offer {
	return vault.Offer{Centre: testCentre, Session: id.Session("session-" + product + "-" + r.today().String()), Day: r.today(), Zone: "Asia/Kolkata",
		Slot: "11:00AM-12:00PM", Product: product, MinAge: 18}
}

// staff enrols a new device key.
func (r *rig) staff(role string, centre id.Centre) harness.StaffKey {
	r.t.Helper()
	k, err := harness.NewStaffKey(role, int64(centre))
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := r.k.EnrolStaff(r.t.Context(), vault.StaffEnrolRequest{Name: "Staff Test", Person: id.New(), Role: role, Centre: centre, PublicJWK: jwk(r.t, k)})
	if err != nil {
		r.t.Fatal(err)
	}
	k.Staff = string(got.Staff)
	return k
}

func jwk(t testing.TB, k harness.StaffKey) []byte {
	t.Helper()
	raw, err := json.Marshal(k.JWK())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sign makes a staff request as it arrives at the vault.
func (r *rig) sign(k harness.StaffKey, url string, body any) vault.Signed {
	r.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	proof, err := k.Sign(harness.Claims("POST", url, raw, r.clock()))
	if err != nil {
		r.t.Fatal(err)
	}
	return vault.Signed{Method: "POST", URL: url, Body: raw, Proof: proof}
}

func sessionBody(o vault.Offer) map[string]any {
	return map[string]any{"center_id": o.Centre, "session_id": o.Session, "date": o.Day.Indian(), "zone": o.Zone, "name": "Test Centre",
		"district_name": "Test District", "state_name": "Test State", "vaccine": o.Product}
}

func doseBody(o vault.Offer, ref id.Reference, code string, dose int) map[string]any {
	return map[string]any{"beneficiary_reference_id": ref, "center_id": o.Centre, "vaccine": o.Product, "vaccine_batch": "TEST-1", "dose": dose,
		"dose_date": o.Day.Indian(), "vaccinator_name": "Staff Test", "security_code": code}
}

// openDay opens the session of an offer.
func (r *rig) openDay(manager harness.StaffKey, o vault.Offer) {
	r.t.Helper()
	if _, err := r.k.OpenSession(r.t.Context(), vault.OpenSessionRequest{Signed: r.sign(manager, sessionsURL, sessionBody(o))}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) book(h vault.Holder, hold id.Hold, dose int, o vault.Offer, people ...id.Person) error {
	_, err := r.k.Book(r.t.Context(), vault.BookRequest{Holder: h, Hold: hold, Dose: dose, Offer: o, Records: r.records(people...)})
	return err
}

func (r *rig) mustBook(h vault.Holder, hold id.Hold, dose int, o vault.Offer, people ...id.Person) {
	r.t.Helper()
	if err := r.book(h, hold, dose, o, people...); err != nil {
		r.t.Fatal(err)
	}
}

// slipCode reads a booking's security code from the slip.
func (r *rig) slipCode(h vault.Holder, hold id.Hold, p id.Person) string {
	r.t.Helper()
	s, err := r.k.Slip(r.t.Context(), vault.SlipRequest{Holder: h, Hold: hold, Records: r.records(p)})
	if err != nil || len(s.People) != 1 || len(s.People[0].Code) != 4 {
		r.t.Fatalf("slip: %+v %v", s, err)
	}
	return s.People[0].Code
}

func (r *rig) dose(k harness.StaffKey, p id.Person, body map[string]any) (vault.DoseSealed, error) {
	return r.k.RecordDose(r.t.Context(), vault.DoseRequest{Signed: r.sign(k, doseURL, body), Person: p, Record: r.records(p)[0], Receipts: true})
}

// patient is a registered person with her household's session.
type patient struct {
	holder vault.Holder
	person id.Person
	ref    id.Reference
}

// register signs a number in and registers one stored person.
func (r *rig) register(mobile string, n int) patient {
	r.t.Helper()
	h := r.signIn(mobile)
	e := r.enrol(h, "first", asha(n))
	r.store(e.Seal, true)
	return patient{h, e.Seal.Person, e.Reference}
}

// centre is a rig with a manager, a vaccinator, an open session of today and a
// person who is booked into it.
type centre struct {
	*rig
	manager, vaccinator harness.StaffKey
	patient
	offer vault.Offer
	hold  id.Hold
	code  string
}

func newCentre(t testing.TB, change func(*rig)) *centre {
	t.Helper()
	c := &centre{rig: rigWith(t, change)}
	c.manager, c.vaccinator = c.staff("manager", testCentre), c.staff("vaccinator", testCentre)
	c.offer = c.rig.offer("COVISHIELD")
	c.openDay(c.manager, c.offer)
	c.patient, c.hold = c.register("0000000050", 50), id.Hold(id.New())
	c.mustBook(c.holder, c.hold, 1, c.offer, c.person)
	c.code = c.slipCode(c.holder, c.hold, c.person)
	return c
}

// body is the right dose; changes replace fields.
func (c *centre) body(changes map[string]any) map[string]any {
	b := doseBody(c.offer, c.ref, c.code, 1)
	for k, v := range changes {
		b[k] = v
	}
	return b
}

// wrong is a security code that is not code.
func wrong(code string) string {
	last := '0' + (code[3]-'0'+1)%10
	return code[:3] + string(last)
}

// history returns the person's entries as "kind: view", oldest first.
func (r *rig) history(h vault.Holder, p id.Person) []string {
	r.t.Helper()
	o, err := r.k.Openings(r.t.Context(), vault.OpeningsRequest{Holder: h, Person: p, Limit: 200})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for i := range o.Entries {
		e := o.Entries[len(o.Entries)-1-i]
		out = append(out, e.Kind+": "+e.View)
	}
	return out
}
