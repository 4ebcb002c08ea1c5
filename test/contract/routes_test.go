package contract

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/test/harness"
)

// tour is one pass through every operation of the description.
type tour struct {
	*testing.T
	s    *harness.Server
	lang string          // Accept-Language of every request
	seen map[string]bool // "METHOD template"
}

// languages are those in which every route is held against the description.
var languages = []string{"", "hi_IN"}

// good sends a request that the description allows and that must succeed.
func (r *tour) good(c *harness.Client, method, path string, body any, header ...string) harness.Answer {
	r.Helper()
	template, op := operation(description(r.T), method, "/api"+path)
	if op == nil {
		r.Fatalf("%s %s is not described", method, path)
	}
	r.seen[method+" "+template] = true
	if body != nil {
		raw, ok := body.([]byte)
		if !ok {
			var err error
			if raw, err = json.Marshal(body); err != nil {
				r.Fatal(err)
			}
		}
		if err := jsonMismatch(op.RequestBody.Value.Content["application/json"].Schema.Value, raw, openapi3.VisitAsRequest()); err != nil {
			r.Errorf("%s: the request is not as described: %v", path, err)
		}
	}
	if r.lang != "" && !slices.Contains(header, "Accept-Language") {
		header = append(header, "Accept-Language", r.lang)
	}
	a := ask(r.T, c, method, path, body, header...)
	if !a.OK() {
		r.Fatalf("%s %s: %s", method, path, a.Text())
	}
	return a
}

// signed is good with a staff key's proof.
func (r *tour) signed(k harness.StaffKey, path string, body any) {
	r.Helper()
	r.signedFor(k, path, body)
}

// signedFor is signed with the answer.
func (r *tour) signedFor(k harness.StaffKey, path string, body any) harness.Answer {
	r.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		r.Fatal(err)
	}
	proof, err := k.Sign(harness.Claims("POST", r.s.API+path, raw, r.s.Now()))
	if err != nil {
		r.Fatal(err)
	}
	return r.good(r.s.Client(), "POST", path, raw, "DPoP", proof)
}

// TestEveryRoute takes a household through every operation that the description
// has, in each language, and holds each answer against it. It fails when an
// operation was not called in every language; that the route table and the
// description name the same operations is a test of internal/edge.
func TestEveryRoute(t *testing.T) {
	for _, lang := range languages {
		t.Run("language "+lang, func(t *testing.T) { everyRoute(t, lang) })
	}
}

func everyRoute(t *testing.T, lang string) {
	s := server(t)
	r := &tour{T: t, s: s, lang: lang, seen: map[string]bool{}}
	day := s.Later()[0]
	c, mobile := r.signIn("/v2/auth/public/generateOTP", "/v2/auth/public/confirmOTP", false)
	r.signIn("/v2/auth/generateMobileOTP", "/v2/auth/validateMobileOtp", true)
	r.meta()
	r.places(c)
	r.search(c, day)
	r.published()
	asha := r.good(c, "POST", "/v2/registration/beneficiary/new", harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()).Field("beneficiary_reference_id")
	ravi := r.good(c, "POST", "/v2/registration/beneficiary/new", harness.Person{Name: "Ravi Test", ID: s.PAN()}.Form()).Field("beneficiary_reference_id")
	r.booking(c, day, ravi)
	r.draw(c, ravi)
	r.good(c, "POST", "/v2/registration/beneficiary/delete", map[string]any{"beneficiary_reference_id": ravi})
	r.dose(c, mobile, asha)
	r.shown(c, asha)
	r.partners(mobile, asha, 1)
	r.cards(c, asha)
	r.roster()
	r.doses(c)
	r.email(c)
	r.devices()
	r.shares()
	wish := r.good(c, "POST", "/v3/alerts", map[string]any{"pincode": "110001", "dose": 1, "vaccine": "COVAXIN", "until": later30(s)}).Field("alert_id")
	r.good(c, "GET", "/v3/alerts", nil)
	r.good(c, "POST", "/v3/alerts/delete", map[string]any{"alert_id": wish})
	left := r.good(c, "POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": asha})
	r.good(c, "POST", "/v3/registration/leave/status", map[string]any{"tracking_number": left.Field("tracking_number")})
	r.good(c, "POST", "/v3/registration/leave/undo", map[string]any{"beneficiary_reference_id": asha})
	r.good(c, "POST", "/v3/session/end", map[string]any{})
	if a := ask(t, c, "GET", "/v2/appointment/beneficiaries", nil); a.Status != 401 {
		t.Errorf("after the session's end: %s", a.Text())
	}
	r.files()
	r.identities()
	r.glass()
	r.requests()
	r.relink()
	for template, item := range description(t).Paths.Map() {
		for method := range item.Operations() {
			if !r.seen[method+" "+template] {
				t.Errorf("%s %s is described and was not called", method, template)
			}
		}
	}
}

// later30 is the day in thirty days.
func later30(s *harness.Server) string { return s.Now().AddDate(0, 0, 30).Format("02-01-2006") }

// signIn asks for a code, reads it and confirms it.
func (r *tour) signIn(ask, confirm string, account bool) (*harness.Client, string) {
	r.Helper()
	c, mobile := r.s.Client(), r.s.Mobile()
	txn := r.good(c, "POST", ask, map[string]any{"mobile": mobile}).Field("txnId")
	got := r.s.AwaitMessages(mobile, 0, 10e9)
	if len(got) != 1 {
		r.Fatalf("%d messages with a code", len(got))
	}
	a := r.good(c, "POST", confirm, map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": txn})
	if (a.Field("isNewAccount") == "Y") != account {
		r.Errorf("%s: %q for a new number", confirm, a.Field("isNewAccount"))
	}
	return c.With(a.Field("token")), mobile
}

func (r *tour) meta() {
	r.Helper()
	c := r.s.Client()
	for _, lang := range []string{"", "hi_IN"} {
		for _, path := range []string{"/v2/admin/location/states", "/v2/admin/location/districts/1", "/v2/registration/beneficiary/idTypes", "/v2/registration/beneficiary/genders"} {
			a := r.good(c, "GET", path, nil, "Accept-Language", lang)
			hindi := strings.ContainsFunc(string(a.Body), func(x rune) bool { return x >= 'ऀ' && x <= 'ॿ' })
			if hindi != (lang != "") {
				r.Errorf("%s with Accept-Language %q: Hindi %v", path, lang, hindi)
			}
			if a.Header.Get("Vary") != "Accept-Language" {
				r.Errorf("%s depends on Accept-Language and does not tell caches", path)
			}
		}
	}
	r.good(c, "GET", "/v3/keys", nil)
	r.good(c, "GET", "/v3/revocations", nil)
	r.reports(c)
}

// places asks for what is near, and for the lists that only the first version
// of CoWIN's API has.
func (r *tour) places(c *harness.Client) {
	r.Helper()
	pin, district := centreOf(r.s, r.s.Later()[0].Centre)
	for _, path := range []string{"/v1/admin/location/blocks/" + district, "/v1/admin/location/getLocalitybyPincode/" + pin} {
		if a := r.good(r.s.Client(), "GET", path, nil); !strings.HasPrefix(string(a.Body), `[{"`) {
			r.Errorf("%s: %s", path, a.Text())
		}
	}
	for _, path := range []string{"/v1/admin/location/blocks/99999", "/v1/admin/location/getLocalitybyPincode/999999"} {
		if a := r.good(r.s.Client(), "GET", path, nil); string(a.Body) != "[]" {
			r.Errorf("%s: %s", path, a.Text())
		}
	}
	if a := r.good(r.s.Client(), "GET", "/v3/consents", nil); devanagari(string(a.Body)) != (r.lang != "") {
		r.Errorf("consents: %s", a.Text())
	}
	for _, path := range []string{"public/findByLatLong", "findByLatLong"} {
		var near struct {
			Centres []struct{ Name, PIN, Lat, Long string } `json:"centers"`
			TTL     int                                     `json:"ttl"`
		}
		a := r.good(c, "GET", "/v2/appointment/centers/"+path+"?lat=20&long=77", nil)
		if err := json.Unmarshal(a.Body, &near); err != nil || len(near.Centres) == 0 || near.TTL == 0 {
			r.Errorf("%s: %v, %s", path, err, a.Text())
		}
		r.local(a)
	}
	r.good(c, "POST", "/v2/auth/getRecaptcha", map[string]any{})
	if a := r.good(c, "POST", "/v2/auth/getRecaptcha", nil); !strings.HasPrefix(a.Field("captcha"), "<svg ") {
		r.Errorf("captcha: %s", a.Text())
	}
}

// local checks that an answer with a centre in it has CoWIN's further fields
// exactly when the caller asked for another language.
func (r *tour) local(a harness.Answer) {
	r.Helper()
	for _, name := range []string{"name_l", "address_l", "state_name_l", "district_name_l", "block_name_l"} {
		if strings.Contains(string(a.Body), `"`+name+`":"`) != (r.lang != "") {
			r.Errorf("Accept-Language %q and %s: %s", r.lang, name, a.Text())
		}
	}
	if !strings.Contains(a.Header.Get("Vary"), "Accept-Language") {
		r.Errorf("an answer depends on Accept-Language and does not tell caches: Vary %q", a.Header.Get("Vary"))
	}
}

// centreOf is the row of the registry that a search must show.
func centreOf(s *harness.Server, centre int64) (pin, district string) {
	return s.Cell(harness.RegistryDB, "SELECT pin FROM centre WHERE centre = $1", centre), s.Cell(harness.RegistryDB, "SELECT district_id FROM centre WHERE centre = $1", centre)
}

func (r *tour) search(c *harness.Client, day harness.Day) {
	r.Helper()
	pin, district := centreOf(r.s, day.Centre)
	for path, query := range map[string]string{"findByPin": "pincode=" + pin, "findByDistrict": "district_id=" + district, "calendarByPin": "pincode=" + pin,
		"calendarByDistrict": "district_id=" + district, "calendarByCenter": fmt.Sprintf("center_id=%d", day.Centre)} {
		query += "&date=" + day.Date
		public := func() harness.Answer { return r.good(r.s.Client(), "GET", searchPath+path+"?"+query, nil) }
		holder := func() harness.Answer {
			a := r.good(c, "GET", "/v2/appointment/sessions/"+path+"?"+query, nil)
			if !strings.HasPrefix(a.Header.Get("Cache-Control"), "private") {
				r.Errorf("%s with a bearer: Cache-Control %q", path, a.Header.Get("Cache-Control"))
			}
			return a
		}
		if a := alike(r.T, path, public, holder); !strings.Contains(string(a.Body), day.Session) {
			r.Errorf("%s: the session is missing: %s", path, a.Text())
		} else {
			r.local(a)
		}
		only := r.good(c, "GET", "/v2/appointment/sessions/"+path+"?"+query+"&vaccine=NONE", nil)
		if strings.Contains(string(only.Body), day.Session) {
			r.Errorf("%s: a session of another vaccine than asked", path)
		}
	}
	// No hits: an empty list, 200 (contract.md 1.4).
	for _, q := range []string{"findByPin?pincode=999999", "calendarByPin?pincode=999999", "findByDistrict?district_id=99999", "calendarByDistrict?district_id=99999", "calendarByCenter?center_id=1"} {
		a := r.good(c, "GET", "/v2/appointment/sessions/public/"+q+"&date="+day.Date, nil)
		if got := string(a.Body); got != `{"sessions":[]}` && got != `{"centers":[]}` && got != `{"centers":{}}` {
			r.Errorf("%s: %s", q, a.Text())
		}
	}
	if a := r.good(c, "GET", "/v2/admin/location/districts/99999", nil); !strings.Contains(string(a.Body), `"districts":[]`) {
		r.Errorf("an unknown state: %s", a.Text())
	}
}

// booking books, downloads the slip and cancels.
func (r *tour) booking(c *harness.Client, day harness.Day, ref string) {
	r.Helper()
	number := r.good(c, "POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}).Field("appointment_confirmation_no")
	a := r.good(c, "GET", "/v2/appointment/appointmentslip/download?appointment_id="+number, nil)
	r.private(a, a.Header.Get("X-View-Reference"))
	if !strings.HasPrefix(string(a.Body), "%PDF-") {
		r.Errorf("slip: %s", a.Text())
	}
	for _, later := range r.s.Later() {
		if later.Session != day.Session {
			number = r.good(c, "POST", "/v2/appointment/reschedule", map[string]any{"appointment_id": number, "session_id": later.Session, "slot": later.Slot}).Field("appointment_confirmation_no")
			break
		}
	}
	r.good(c, "POST", "/v2/appointment/cancel", map[string]any{"appointment_id": number, "beneficiariesToCancel": []string{ref}})
}

func (r *tour) dose(c *harness.Client, mobile, ref string) {
	r.Helper()
	today := r.s.Today()
	r.good(c, "POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": today.Session, "slot": today.Slot, "beneficiaries": []string{ref}})
	r.signed(r.s.StaffKey("manager"), "/v3/staff/sessions", sessionForm(today))
	r.signed(r.s.StaffKey("vaccinator"), harness.VaccinatePath, harness.DoseForm(today, ref, r.s.SecurityCode(mobile, ref, today.Date), 1))
}

func sessionForm(d harness.Day) map[string]any {
	return map[string]any{"center_id": d.Centre, "session_id": d.Session, "date": d.Date, "zone": "Asia/Kolkata",
		"name": d.CentreName, "district_name": d.District, "state_name": d.State, "vaccine": d.Vaccine}
}

// private checks an answer that shows a person: not to be stored by anybody,
// and with the reference under which the person finds the opening.
func (r *tour) private(a harness.Answer, ref string) {
	r.Helper()
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-View-Reference") != ref || len(ref) != 13 {
		r.Errorf("Cache-Control %q, X-View-Reference %q, view_ref %q", a.Header.Get("Cache-Control"), a.Header.Get("X-View-Reference"), ref)
	}
	if a.Header.Get("Access-Control-Allow-Origin") != "" {
		r.Error("pages of other origins may read an answer that shows a person")
	}
}

// shown asks for every view of a vaccinated person and finds each of them in
// the person's own access history.
func (r *tour) shown(c *harness.Client, ref string) {
	r.Helper()
	var refs []string
	note := func(a harness.Answer, ref string) { r.private(a, ref); refs = append(refs, ref) }
	people := r.good(c, "GET", "/v2/appointment/beneficiaries", nil)
	note(people, people.Field("view_ref"))
	certificate := r.good(c, "GET", "/v2/registration/certificate/public/download?beneficiary_reference_id="+ref, nil)
	note(certificate, certificate.Header.Get("X-View-Reference"))
	if !strings.HasPrefix(string(certificate.Body), "%PDF-") {
		r.Errorf("certificate: %s", certificate.Text())
	}
	again := r.good(c, "GET", "/v2/registration/certificate/download?beneficiary_reference_id="+ref, nil)
	note(again, again.Header.Get("X-View-Reference"))
	r.local(people)
	first := r.good(c, "GET", "/v3/openings", nil)
	note(first, first.Field("view_ref"))
	last := r.good(c, "GET", "/v3/openings?limit=200", nil)
	r.private(last, last.Field("view_ref"))
	var history struct {
		Openings []harness.Opening `json:"openings"`
	}
	if err := json.Unmarshal(last.Body, &history); err != nil {
		r.Fatal(err)
	}
	for _, o := range history.Openings {
		if o.Reference != ref || !strings.HasSuffix(o.Local, "+05:30") {
			r.Errorf("an entry of the history names %q at %q", o.Reference, o.Local)
		}
	}
	for _, ref := range refs {
		if !slices.ContainsFunc(history.Openings, func(o harness.Opening) bool { return o.ViewRef == ref }) {
			r.Errorf("view %s is not in the person's own history", ref)
		}
	}
	page := r.good(c, "GET", fmt.Sprintf("/v3/openings?limit=1&before=%d", history.Openings[1].Index), nil)
	if err := json.Unmarshal(page.Body, &history); err != nil || len(history.Openings) != 1 {
		r.Errorf("one entry of the history: %s", page.Text())
	}
}

// files calls what lies outside /api.
func (r *tour) files() {
	r.Helper()
	c := r.s.Client()
	for _, path := range []string{"/", "/healthz", "/ledger/checkpoint", "/ledger/tile/0/none"} {
		template, _ := operation(description(r.T), "GET", path)
		a, err := c.DoURL("GET", r.s.Root+path, nil)
		if err != nil {
			r.Fatal(err)
		}
		hold(r.T, "GET", path, a)
		if strings.HasSuffix(path, "none") != (a.Status == 404) {
			r.Errorf("GET %s: %s", path, a.Text())
		}
		r.seen["GET "+template] = true
	}
}

// draw enters a draw that is held much later, looks at it and withdraws.
func (r *tour) draw(c *harness.Client, ref string) {
	r.Helper()
	later := r.s.Later()
	day := later[len(later)-1]
	set := func(at int64) {
		r.s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET draw_at = %d WHERE session = '%s'", at, day.Session))
	}
	set(r.s.Now().Add(time.Hour).UnixMilli())
	defer set(0)
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) { // terms in memory are two seconds old at the most
		a := r.good(c, "POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}})
		number := a.Field("appointment_confirmation_no")
		r.good(c, "POST", "/v2/appointment/cancel", map[string]any{"appointment_id": number, "beneficiariesToCancel": []string{ref}})
		if a.Status == 202 {
			break
		}
		if time.Since(begin) > 3*time.Second {
			r.Fatalf("not entered: %s", a.Text())
		}
		time.Sleep(2 * time.Second)
	}
	if a := r.good(c, "GET", "/v3/draws/"+day.Session, nil); a.Field("state") != "open" {
		r.Errorf("draw: %s", a.Text())
	}
	if a := r.good(c, "GET", "/v2/appointment/beneficiaries", nil); !strings.Contains(string(a.Body), `"result":"withdrawn"`) {
		r.Errorf("the own record tells nothing of the draw: %s", a.Text())
	}
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) { // the search follows within a second
		a := r.good(c, "GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", day.Centre, day.Date), nil)
		if _, rest, ok := strings.Cut(string(a.Body), day.Session); ok && strings.Contains(strings.SplitN(rest, "}", 2)[0], `"draw_at":"`) {
			break
		}
		if time.Since(begin) > 5*time.Second {
			r.Fatalf("the search tells nothing of the draw: %s", a.Text())
		}
	}
}
