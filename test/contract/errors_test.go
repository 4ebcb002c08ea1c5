package contract

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

// refused is one request and the answer it must get. Code "" is an answer
// without an error code.
type refused struct {
	name, method, path string
	body               any
	status             int
	code               string
}

const (
	enrolPath  = "/v2/registration/beneficiary/new"
	removePath = "/v2/registration/beneficiary/delete"
	bookPath   = "/v2/appointment/schedule"
	cancelPath = "/v2/appointment/cancel"
	movePath   = "/v2/appointment/reschedule"
	slipPath   = "/v2/appointment/appointmentslip/download?appointment_id="
	certPath   = "/v2/registration/certificate/public/download?beneficiary_reference_id="
	searchPath = "/v2/appointment/sessions/public/"
	nowhere    = "00000000-0000-4000-8000-000000000000"
)

// TestErrors: the errors a client must tell apart, each in its described form.
func TestErrors(t *testing.T) {
	s := server(t)
	c, _ := s.Holder()
	ref, day := c.Enrol("Asha Test"), s.Later()[0]
	stranger := string(id.NewReference())
	book := func(over map[string]any) map[string]any {
		m := map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}
		for k, v := range over {
			m[k] = v
		}
		return m
	}
	txn, _ := c.AskCode(s.Mobile())
	wrong := map[string]any{"otp": harness.Digest("none"), "txnId": txn}
	six := []string{}
	for range 7 {
		six = append(six, string(id.NewReference()))
	}
	for _, r := range []refused{
		{"no mobile", "POST", "/v2/auth/public/generateOTP", map[string]any{}, 400, "USRRES0001"},
		{"short mobile", "POST", "/v2/auth/generateMobileOTP", map[string]any{"mobile": "5"}, 400, "USRRES0001"},
		{"wrong code", "POST", "/v2/auth/public/confirmOTP", wrong, 400, "USRAUT0014"},
		{"wrong code, portal", "POST", "/v2/auth/validateMobileOtp", wrong, 400, "USRAUT0014"},
		{"code in clear", "POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": "123456", "txnId": txn}, 400, "USRAUT0014"},
		{"upper-case digest", "POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": strings.Repeat("A", 64), "txnId": txn}, 400, "USRAUT0014"},
		{"unknown transaction", "POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": strings.Repeat("0", 64), "txnId": nowhere}, 401, ""},
		{"malformed transaction", "POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": strings.Repeat("0", 64), "txnId": "x"}, 401, ""},
		{"no transaction", "POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": strings.Repeat("0", 64)}, 400, "USRRES0001"},
		{"PIN of five digits", "GET", searchPath + "findByPin?pincode=11000&date=" + day.Date, nil, 400, "APPOIN0018"},
		{"PIN from 0", "GET", searchPath + "calendarByPin?pincode=011000&date=" + day.Date, nil, 400, "APPOIN0018"},
		{"no date", "GET", searchPath + "findByPin?pincode=110001", nil, 400, "USRRES0001"},
		{"30 February", "GET", searchPath + "calendarByPin?pincode=110001&date=30-02-2026", nil, 400, "USRRES0001"},
		{"ISO date", "GET", searchPath + "calendarByPin?pincode=110001&date=2026-02-03", nil, 400, "USRRES0001"},
		{"district by name", "GET", searchPath + "findByDistrict?district_id=x&date=" + day.Date, nil, 400, "USRRES0001"},
		{"negative district", "GET", searchPath + "calendarByDistrict?district_id=-1&date=" + day.Date, nil, 400, "USRRES0001"},
		{"no centre", "GET", searchPath + "calendarByCenter?date=" + day.Date, nil, 400, "USRRES0001"},
		{"latitude of the pole's far side", "GET", "/v2/appointment/centers/public/findByLatLong?lat=91&long=77", nil, 400, "USRRES0001"},
		{"longitude missing", "GET", "/v2/appointment/centers/public/findByLatLong?lat=20", nil, 400, "USRRES0001"},
		{"longitude that is none", "GET", "/v2/appointment/centers/public/findByLatLong?lat=20&long=NaN", nil, 400, "USRRES0001"},
		{"report of a state's name", "GET", "/v1/reports/v2/getPublicReports?state_id=Delhi", nil, 400, "USRRES0001"},
		{"report of a negative district", "GET", "/v1/reports/v2/getVacPublicReports?district_id=-1", nil, 400, "USRRES0001"},
		{"report of today", "GET", "/v1/reports/v2/getPublicReports?date=today", nil, 400, "USRRES0001"},
		{"report of 30 February", "GET", "/v1/reports/v2/getPublicReports?date=2026-02-30", nil, 400, "USRRES0001"},
		{"blocks of a name", "GET", "/v1/admin/location/blocks/x", nil, 400, "USRRES0001"},
		{"localities of five digits", "GET", "/v1/admin/location/getLocalitybyPincode/11000", nil, 400, "APPOIN0018"},
		{"captcha with a list", "POST", "/v2/auth/getRecaptcha", []byte("[]"), 400, "USRRES0001"},
		{"stranger's certificate, protected", "GET", "/v2/registration/certificate/download?beneficiary_reference_id=" + stranger, nil, 404, "NOTFOUND"},
		{"state by name", "GET", "/v2/admin/location/districts/x", nil, 400, "USRRES0001"},
		{"unknown document", "POST", enrolPath, with(harness.Person{Name: "Asha Test", ID: s.PAN()}.Form(), "photo_id_type", 99), 400, "USRRES0001"},
		{"unborn", "POST", enrolPath, with(harness.Person{Name: "Asha Test", ID: s.PAN()}.Form(), "birth_year", "2999"), 400, "USRRES0001"},
		{"comorbidity", "POST", enrolPath, with(harness.Person{Name: "Asha Test", ID: s.PAN()}.Form(), "comorbidity_ind", "maybe"), 400, "USRRES0001"},
		{"a consent that nobody published", "POST", enrolPath, with(harness.Person{Name: "Asha Test", ID: s.PAN()}.Form(), "consent_version", "999"), 400, "consent"},
		{"birth date", "POST", enrolPath, with(harness.Person{Name: "Asha Test", ID: s.PAN()}.Form(), "birth_date", "1980-01-01"), 400, "date"},
		{"session", "POST", bookPath, book(map[string]any{"session_id": nowhere}), 400, "APPOIN0015"},
		{"control character in a session", "POST", bookPath, book(map[string]any{"session_id": "a\x00"}), 400, "USRRES0001"},
		{"slot", "POST", bookPath, book(map[string]any{"slot": "03:00AM-04:00AM"}), 400, "APPOIN0015"},
		{"dose 0", "POST", bookPath, book(map[string]any{"dose": 0}), 400, "USRRES0001"},
		{"nobody", "POST", bookPath, book(map[string]any{"beneficiaries": []string{}}), 400, "USRRES0001"},
		{"seven people", "POST", bookPath, book(map[string]any{"beneficiaries": six}), 400, "USRRES0001"},
		{"twice", "POST", bookPath, book(map[string]any{"beneficiaries": []string{ref, ref}}), 400, "USRRES0002"},
		{"check digit", "POST", bookPath, book(map[string]any{"beneficiaries": []string{"10000000000000"}}), 400, "reference"},
		{"stranger", "POST", bookPath, book(map[string]any{"beneficiaries": []string{stranger}}), 404, "NOTFOUND"},
		{"stranger's appointment", "POST", cancelPath, map[string]any{"appointment_id": nowhere, "beneficiariesToCancel": []string{stranger}}, 404, "NOTFOUND"},
		{"no such appointment to move", "POST", movePath, map[string]any{"appointment_id": nowhere, "session_id": day.Session, "slot": day.Slot}, 404, "NOTFOUND"},
		{"moved to no slot", "POST", movePath, map[string]any{"appointment_id": nowhere, "session_id": day.Session, "slot": "03:00AM-04:00AM"}, 400, "APPOIN0015"},
		{"moved nowhere", "POST", movePath, map[string]any{"appointment_id": nowhere, "slot": day.Slot}, 400, "USRRES0001"},
		{"no such appointment", "POST", cancelPath, map[string]any{"appointment_id": nowhere, "beneficiariesToCancel": []string{ref}}, 404, "NOTFOUND"},
		{"stranger's registration", "POST", removePath, map[string]any{"beneficiary_reference_id": stranger}, 404, "NOTFOUND"},
		{"no slip", "GET", slipPath + nowhere, nil, 404, "NOTFOUND"},
		{"slip of nothing", "GET", slipPath, nil, 400, "USRRES0001"},
		{"slip of a control character", "GET", slipPath + "%00", nil, 400, "USRRES0001"},
		{"stranger's certificate", "GET", certPath + stranger, nil, 404, "NOTFOUND"},
		{"certificate before a dose", "GET", certPath + ref, nil, 404, "NODOSE"},
		{"certificate of nobody", "GET", certPath, nil, 400, "USRRES0001"},
		{"history before 0", "GET", "/v3/openings?before=0", nil, 400, "USRRES0001"},
		{"history of 201", "GET", "/v3/openings?limit=201", nil, 400, "USRRES0001"},
		{"unknown field of our own route", "POST", "/v3/session/end", map[string]any{"all": true}, 400, "USRRES0001"},
		{"body too large", "POST", enrolPath, []byte(`{"name":"` + strings.Repeat("a", 9000) + `"}`), 413, "size"},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) {
				r.checkIn(t, lang, ask(t, c, r.method, r.path, r.body, "Accept-Language", lang))
			})
		}
	}
}

func (r refused) check(t *testing.T, a harness.Answer) {
	t.Helper()
	if a.Status != r.status || a.Field("errorCode") != r.code {
		t.Errorf("got %s, want %d %s", a.Text(), r.status, r.code)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a refusal may be stored: %q", a.Header.Get("Cache-Control"))
	}
	if r.status == 401 && string(a.Body) != "Unauthenticated access!" {
		t.Errorf("401 has the body %q", a.Body)
	}
}

// checkIn is check of an answer in a language.
func (r refused) checkIn(t *testing.T, lang string, a harness.Answer) {
	t.Helper()
	r.check(t, a)
	if a.Field("error") != "" && devanagari(a.Field("error")) != (lang != "") {
		t.Errorf("Accept-Language %q: %s", lang, a.Text())
	}
}

func with(m map[string]any, name string, v any) map[string]any { m[name] = v; return m }

// TestUnauthenticated: every route for a holder or staff refuses a caller
// without proof, with a malformed one, and with one that is over.
func TestUnauthenticated(t *testing.T) {
	s := server(t)
	over, _ := s.Holder()
	want(t, ask(t, over, "POST", "/v3/session/end", map[string]any{}), 204)
	n := 0
	for template, item := range description(t).Paths.Map() {
		for method, op := range item.Operations() {
			x, _ := op.Extensions["x-tikakosh"].(map[string]any)
			path := strings.TrimPrefix(template, "/api")
			for _, c := range []*harness.Client{s.Client(), s.Client().With("x"), over} {
				var body any
				if method == http.MethodPost {
					body = map[string]any{}
				}
				switch {
				case x["audience"] == "public":
					continue
				case x["audience"] == "partner":
					if a := ask(t, c, method, path, body); a.Status != 403 || string(a.Body) != `{"message":"Forbidden"}` {
						t.Errorf("%s %s: %s", method, path, a.Text())
					}
					continue
				case c == over && (body != nil || x["action"] == "search" || x["audience"] == "staff"):
					// Form comes before the vault's answer, ending a session twice is
					// ending it once, and public data needs no live session.
					continue
				}
				query := "?date=01-01-2027&lat=20&long=77&pincode=110001&district_id=1&center_id=1&appointment_id=" + nowhere + "&beneficiary_reference_id=" + string(id.NewReference())
				refused{status: 401}.check(t, ask(t, c, method, path+query, body))
				n++
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d requests were tried", n)
	}
}

// TestConflicts: what is taken, full, or not allowed any more.
func TestConflicts(t *testing.T) {
	s := server(t)
	c, _ := s.Holder()
	pan := s.PAN()
	ref, a := c.TryEnrol(harness.Person{Name: "Asha Test", ID: pan})
	want(t, a, 200)
	for range 5 {
		c.Enrol("Ravi Test")
	}
	other := s.Later()
	day := other[len(other)-1] // the other tests book the first
	body := map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}
	for _, r := range []refused{
		{"a document twice", "POST", enrolPath, harness.Person{Name: "Meera Test", ID: pan}.Form(), 409, "id-in-use"},
		{"a seventh person", "POST", enrolPath, harness.Person{Name: "Meera Test", ID: s.PAN()}.Form(), 409, "household"},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) { r.checkIn(t, lang, ask(t, c, r.method, r.path, r.body, "Accept-Language", lang)) })
		}
	}
	s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET cap1 = taken1 WHERE session = '%s'", day.Session))
	full := ask(t, c, "POST", bookPath, body)
	s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET cap1 = taken1 + 1000 WHERE session = '%s'", day.Session))
	refused{status: 409, code: "APPOIN0040"}.check(t, full)
	if got := full.Field("error"); got != "This vaccination center is completely booked for the selected date. Please try another date or vaccination center." {
		t.Errorf("clients look for CoWIN's text, not %q", got)
	}
	// A sold-out session answers from memory until the change feed shows places
	// that another process gave back.
	a = ask(t, c, "POST", bookPath, body)
	for begin := time.Now(); a.Status == 409 && time.Since(begin) < 2*time.Second; a = ask(t, c, "POST", bookPath, body) {
		time.Sleep(50 * time.Millisecond)
	}
	want(t, a, 200)
	refused{status: 409, code: "APPOIN0022"}.check(t, ask(t, c, "POST", bookPath, body))
	refused{status: 409, code: "booked"}.check(t, ask(t, c, "POST", removePath, map[string]any{"beneficiary_reference_id": ref}))

	// One idempotency key is one booking, and never another request's.
	body["beneficiaries"] = []string{c.Beneficiaries()[1].Reference}
	once := want(t, ask(t, c, "POST", bookPath, body, "Idempotency-Key", "k1"), 200)
	again := want(t, ask(t, c, "POST", bookPath, body, "Idempotency-Key", "k1"), 200)
	if string(once.Body) != string(again.Body) {
		t.Errorf("one key, two numbers: %s, %s", once.Text(), again.Text())
	}
	body["beneficiaries"] = []string{c.Beneficiaries()[2].Reference}
	refused{status: 409, code: "key"}.check(t, ask(t, c, "POST", bookPath, body, "Idempotency-Key", "k1"))
	refused{status: 400, code: "USRRES0001"}.check(t, ask(t, c, "POST", bookPath, body, "Idempotency-Key", strings.Repeat("k", 65)))
}

// TestTooMany: codes for one number run out; the answer says when to come back.
func TestTooMany(t *testing.T) {
	s := server(t)
	c, mobile := s.Client(), s.Mobile()
	for i := range 20 {
		a := ask(t, c, "POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile})
		if a.OK() {
			continue
		}
		refused{status: 429, code: "USRAUT0018"}.check(t, a)
		if a.Header.Get("Retry-After") == "" || i < 5 {
			t.Errorf("after %d codes: %s, Retry-After %q", i, a.Text(), a.Header.Get("Retry-After"))
		}
		return
	}
	t.Error("twenty codes for one number and no refusal")
}

// TestStaffErrors: a staff request with a good signature and a wrong content.
func TestStaffErrors(t *testing.T) {
	s := server(t)
	day := s.Today()
	manager, vaccinator := s.StaffKey("manager"), s.StaffKey("vaccinator")
	want(t, signed(t, s, manager, "/v3/staff/sessions", sessionForm(day)), 204)
	other, err := harness.NewStaffKey("manager", manager.Centre)
	if err != nil {
		t.Fatal(err)
	}
	dose := func() map[string]any { return harness.DoseForm(day, string(id.NewReference()), "0000", 1) }
	for _, r := range []struct {
		refused
		key harness.StaffKey
	}{
		{refused{"vaccinator opens", "", "/v3/staff/sessions", sessionForm(day), 403, "role"}, vaccinator},
		{refused{"another centre", "", "/v3/staff/sessions", with(sessionForm(day), "center_id", day.Centre+1), 400, "session"}, manager},
		{refused{"another day", "", "/v3/staff/sessions", with(sessionForm(day), "date", "01-01-2020"), 400, "session"}, manager},
		{refused{"another zone", "", "/v3/staff/sessions", with(sessionForm(day), "zone", "Moon/Base"), 400, "session"}, manager},
		{refused{"another name", "", "/v3/staff/sessions", with(sessionForm(day), "name", "A Wrong Name"), 400, "session"}, manager},
		{refused{"nobody's session", "", "/v3/staff/sessions", with(sessionForm(day), "session_id", id.New()), 400, "session"}, manager},
		{refused{"unknown field", "", "/v3/staff/sessions", with(sessionForm(day), "more", 1), 400, "USRRES0001"}, manager},
		{refused{"nobody's key", "", "/v3/staff/sessions", sessionForm(day), 401, ""}, other},
		{refused{"manager records", "", harness.VaccinatePath, dose(), 403, "role"}, manager},
		{refused{"nobody's dose", "", harness.VaccinatePath, dose(), 400, "APPOIN0045"}, vaccinator},
		{refused{"unknown vaccine", "", harness.VaccinatePath, with(dose(), "vaccine", "NONE"), 400, "unknown_product"}, vaccinator},
		{refused{"short code", "", harness.VaccinatePath, with(dose(), "security_code", "12"), 400, "USRRES0001"}, vaccinator},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) { r.checkIn(t, lang, signed(t, s, r.key, r.path, r.body, "Accept-Language", lang)) })
		}
	}
}

// TestNoSuchAddress: whatever is no route is 404 in the contract's shape, not a
// redirect and not a page of the HTTP library.
func TestNoSuchAddress(t *testing.T) {
	s := server(t)
	c := s.Client()
	shape := description(t).Components.Schemas["Error"].Value
	for _, r := range [][2]string{{"GET", "/api"}, {"GET", "/api/"}, {"GET", "/api/v2/none"}, {"DELETE", "/api/v2/none"}, {"GET", "/api//v2/admin/location/states"}, {"GET", "/api/v2/../v2/admin/location/states"}, {"GET", "/api/v2/admin/location/states/"},
		{"GET", "/ledger/"}, {"GET", "/ledger/../registry/registry.db"}, {"GET", "/ledger/%2e%2e/vault/vault.db"}, {"GET", "/ledger/.state/treeState"},
		{"GET", "/debug/pprof/"}} {
		a, err := c.DoURL(r[0], s.Root+r[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != 404 || jsonMismatch(shape, a.Body, jsonAnswer) != nil {
			t.Errorf("%s %s: %s", r[0], r[1], a.Text())
		}
	}
}

// TestWrongMethod: an address that is there and does not take a method says
// which ones it takes, in the contract's shape.
func TestWrongMethod(t *testing.T) {
	s := server(t)
	shape := description(t).Components.Schemas["Error"].Value
	for template, item := range description(t).Paths.Map() {
		path := strings.NewReplacer("{state_id}", "1", "{district_id}", "1", "{pin}", "110001", "{path}", "checkpoint").Replace(template)
		var allow []string
		for method := range item.Operations() {
			allow = append(allow, method)
			if method == http.MethodGet {
				allow = append(allow, http.MethodHead)
			}
		}
		slices.Sort(allow)
		for _, lang := range languages {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
				if slices.Contains(allow, method) {
					continue
				}
				a, err := s.Client().DoURL(method, s.Root+path, nil, "Accept-Language", lang)
				if err != nil {
					t.Fatal(err)
				}
				if a.Status != 405 || a.Header.Get("Allow") != strings.Join(allow, ", ") || jsonMismatch(shape, a.Body, jsonAnswer) != nil || devanagari(a.Field("error")) != (lang != "") {
					t.Errorf("%s %s: %s, Allow %q", method, path, a.Text(), a.Header.Get("Allow"))
				}
			}
		}
		if slices.Contains(allow, http.MethodHead) && item.Get.Security == nil {
			if a, err := s.Client().DoURL("HEAD", s.Root+path, nil); err != nil || a.Status == 405 || len(a.Body) > 0 {
				t.Errorf("HEAD %s: %v, %s", path, err, a.Text())
			}
		}
	}
}
