package contract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// raw sends a request byte by byte and parses the answer.
func raw(t *testing.T, s *harness.Server, request string) harness.Answer {
	t.Helper()
	reply := s.Client().Raw(request)
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	if err != nil {
		t.Fatalf("%v in %.200q", err, reply)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Answer{Status: res.StatusCode, Header: res.Header, Body: body}
}

// alike sends several requests that must have one answer. It tries again
// because free places in the search follow the database a little later, also
// between two requests.
func alike(t *testing.T, what string, requests ...func() harness.Answer) harness.Answer {
	t.Helper()
	for try := 1; ; try++ {
		first := requests[0]()
		differs := slices.IndexFunc(requests[1:], func(send func() harness.Answer) bool {
			a := send()
			return a.Status != first.Status || !bytes.Equal(a.Body, first.Body)
		})
		if differs < 0 {
			return first
		}
		if try == 3 {
			t.Errorf("%s: request %d has another answer than the first: %s", what, differs+1, first.Text())
			return first
		}
	}
}

// TestBareClients: what small clients send (contract.md 1.11 items 1 to 3 and
// 7): no content type, an absolute target, no or an odd User-Agent, fields of
// an older portal.
func TestBareClients(t *testing.T) {
	s := server(t)
	u, err := url.Parse(s.API)
	if err != nil {
		t.Fatal(err)
	}
	day := s.Later()[0]
	search := fmt.Sprintf("/api/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", day.Centre, day.Date)
	for name, request := range map[string]string{
		"absolute target":      "GET http://" + u.Host + search + " HTTP/1.1\r\nHost: " + u.Host + "\r\n",
		"absolute, other host": "GET http://cdn-api.example" + search + " HTTP/1.1\r\nHost: cdn-api.example\r\n",
		"HTTP/1.0":             "GET " + search + " HTTP/1.0\r\n",
		"empty User-Agent":     "GET " + search + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent:\r\n",
		"odd User-Agent":       "GET " + search + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: ();'\"<>\t{}\r\n",
		"portal's headers": "GET " + search + " HTTP/1.1\r\nHost: " + u.Host + "\r\nauthority: cdn-api.example\r\norigin: https://selfregistration.example\r\n" +
			"referer: https://selfregistration.example/\r\nsec-fetch-site: cross-site\r\nsec-ch-ua: \"x\"\r\n",
	} {
		alike(t, name, func() harness.Answer {
			return raw(t, s, "GET "+search+" HTTP/1.1\r\nHost: "+u.Host+"\r\nConnection: close\r\n\r\n")
		}, func() harness.Answer {
			a := raw(t, s, request+"Connection: close\r\n\r\n")
			hold(t, "GET", search, a)
			return a
		})
	}
	for name, header := range map[string]string{"no content type": "", "form": "Content-Type: application/x-www-form-urlencoded\r\n", "text": "Content-Type: text/plain;charset=UTF-8\r\n"} {
		body := fmt.Sprintf(`{"mobile":"%s","secret":"U2FsdGVkX1=","captcha":"x","center_id":{"any":[1]}}`, s.Mobile())
		for _, path := range []string{"/api/v2/auth/public/generateOTP", "/api/v2/auth/generateMobileOTP"} {
			a := raw(t, s, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, u.Host, header, len(body), body))
			hold(t, "POST", path, a)
			if a.Status != 200 {
				t.Errorf("%s, %s: %s", path, name, a.Text())
			}
		}
	}
}

// TestDateForms: the three forms of contract.md 1.1 are the same day.
func TestDateForms(t *testing.T) {
	s := server(t)
	c, day := s.Client(), s.Later()[0]
	on, err := time.Parse("02-01-2006", day.Date)
	if err != nil {
		t.Fatal(err)
	}
	pin, district := centreOf(s, day.Centre)
	for _, path := range []string{"findByPin?pincode=" + pin, "calendarByPin?pincode=" + pin, "findByDistrict?district_id=" + district,
		"calendarByDistrict?district_id=" + district, fmt.Sprintf("calendarByCenter?center_id=%d", day.Centre)} {
		get := func(form string) func() harness.Answer {
			return func() harness.Answer {
				return want(t, ask(t, c, "GET", searchPath+path+"&date="+on.Format(form), nil), 200)
			}
		}
		a := alike(t, path, get("02-01-2006"), get("2-1-2006"), get("02-01-06"))
		if !bytes.Contains(a.Body, []byte(day.Session)) {
			t.Errorf("%s lacks the session: %s", path, a.Text())
		}
	}
}

// TestTypes: a client in a typed language reads numbers as integers
// (contract.md 1.11 item 5); Go refuses 24.0 and "24" for them.
func TestTypes(t *testing.T) {
	s := server(t)
	c, day := s.Client(), s.Later()[0]
	pin, district := centreOf(s, day.Centre)
	type session struct {
		ID        string    `json:"session_id"`
		Date      string    `json:"date"`
		Available *int      `json:"available_capacity"`
		Dose1     *int      `json:"available_capacity_dose1"`
		Dose2     *int      `json:"available_capacity_dose2"`
		MinAge    *int      `json:"min_age_limit"`
		Vaccine   string    `json:"vaccine"`
		Slots     []string  `json:"slots"`
		Centre    *int      `json:"center_id"`
		PIN       *int      `json:"pincode"`
		Fee       *string   `json:"fee"`
		Sessions  []session `json:"sessions"`
		Fees      []struct {
			Fee string `json:"fee"`
		} `json:"vaccine_fees"`
		FeeType string `json:"fee_type"`
	}
	complete := func(path string, x session) {
		t.Helper()
		if x.ID == "" || x.Available == nil || x.Dose1 == nil || x.Dose2 == nil || x.MinAge == nil || len(x.Slots) == 0 || slices.Contains(x.Slots, "") {
			t.Fatalf("%s: a session without all of its fields: %+v", path, x)
		}
		if *x.Available != *x.Dose1+*x.Dose2 || *x.Dose1 < 0 || *x.Dose2 < 0 {
			t.Errorf("%s: %d + %d places are not %d", path, *x.Dose1, *x.Dose2, *x.Available)
		}
	}
	n, paid := 0, 0
	for i := range 7 {
		date := s.Now().AddDate(0, 0, i).Format("02-01-2006")
		for _, path := range []string{"findByPin?pincode=" + pin, "findByDistrict?district_id=" + district} {
			var found struct {
				Sessions []session `json:"sessions"`
			}
			a := ask(t, c, "GET", searchPath+path+"&date="+date, nil)
			if err := json.Unmarshal(a.Body, &found); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			for _, x := range found.Sessions {
				complete(path, x)
				if x.Centre == nil || x.PIN == nil || x.Fee == nil || *x.Available < 1 {
					t.Errorf("%s lists %+v", path, x)
				}
				n++
			}
		}
	}
	for _, row := range s.Column(harness.RegistryDB, "SELECT centre FROM centre") {
		a := ask(t, c, "GET", searchPath+"calendarByCenter?center_id="+row+"&date="+s.Indian(), nil)
		var found struct {
			Centre session `json:"centers"` // one object
		}
		if err := json.Unmarshal(a.Body, &found); err != nil {
			t.Fatal(err)
		}
		for _, x := range found.Centre.Sessions {
			complete(row, x)
			n++
		}
		if found.Centre.FeeType == "Paid" {
			paid++
			if len(found.Centre.Fees) == 0 || found.Centre.Fees[0].Fee == "" {
				t.Errorf("a paid centre without vaccine_fees: %s", a.Text())
			}
		}
	}
	if n < 20 || paid == 0 {
		t.Errorf("%d sessions and %d paid centres were seen", n, paid)
	}
	type row struct {
		State    int `json:"state_id"`
		District int `json:"district_id"`
		ID       int `json:"id"`
	}
	for path, name := range map[string]string{"/v2/admin/location/states": "states", "/v2/admin/location/districts/1": "districts",
		"/v2/registration/beneficiary/idTypes": "types", "/v2/registration/beneficiary/genders": "genders"} {
		var list map[string]json.RawMessage
		var rows []row
		a := ask(t, c, "GET", path, nil)
		if err := json.Unmarshal(a.Body, &list); err != nil || string(list["ttl"]) != "24" {
			t.Errorf("%s: ttl %s, %v", path, list["ttl"], err)
		}
		if err := json.Unmarshal(list[name], &rows); err != nil || len(rows) == 0 || rows[0] == (row{}) {
			t.Errorf("%s: %v in %s", path, err, a.Text())
		}
	}
}

// TestLooseTypes: numbers as text and text as numbers, where clients differ
// (contract.md 1.11 item 6), from the code to the dose.
func TestLooseTypes(t *testing.T) {
	s := server(t)
	manager, vaccinator := s.StaffKey("manager"), s.StaffKey("vaccinator")
	day := s.Today()
	want(t, signed(t, s, manager, "/v3/staff/sessions", sessionForm(day)), 204)
	for _, number := range []func(string) any{func(x string) any { return x }, func(x string) any { return json.Number(x) }} {
		c, mobile := s.Client(), s.Mobile()
		a := want(t, ask(t, c, "POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": number(mobile)}), 200)
		got := s.AwaitMessages(mobile, 0, 10*time.Second)
		if len(got) != 1 {
			t.Fatal("no code came to the number")
		}
		a = want(t, ask(t, c, "POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": a.Field("txnId")}), 200)
		c = c.With(a.Field("token"))
		form := map[string]any{"name": "Asha Test", "birth_year": number("1980"), "gender_id": number("2"), "photo_id_type": number("6"), "photo_id_number": s.PAN(),
			"comorbidity_ind": "N", "consent_version": number("1"), "captcha": "x"}
		ref := want(t, ask(t, c, "POST", enrolPath, form), 200).Field("beneficiary_reference_id")
		book := func(d harness.Day) string {
			t.Helper()
			body := map[string]any{"dose": number("1"), "session_id": d.Session, "slot": d.Slot, "beneficiaries": []any{number(ref)}, "center_id": number(fmt.Sprint(d.Centre)), "captcha": "x"}
			return want(t, ask(t, c, "POST", bookPath, body), 200).Field("appointment_confirmation_no")
		}
		later := s.Later()[0]
		appointment := book(later)
		want(t, ask(t, c, "POST", cancelPath, map[string]any{"appointment_id": appointment, "beneficiariesToCancel": []any{number(ref)}}), 204)
		want(t, ask(t, c, "POST", removePath, map[string]any{"beneficiary_reference_id": number(c.Enrol("Ravi Test"))}), 204)
		book(day)
		code := s.SecurityCode(mobile, day.Date)
		dose := map[string]any{"beneficiary_reference_id": number(ref), "center_id": number(fmt.Sprint(day.Centre)), "vaccine": day.Vaccine, "vaccine_batch": "TEST-1",
			"dose": number("1"), "dose1_date": day.Date, "vaccinator_name": "Demo Vaccinator", "security_code": code, "extra": []any{}}
		want(t, signed(t, s, vaccinator, harness.VaccinatePath, dose), 204)
		want(t, c.Certificate(ref), 200)
	}
}

// TestBearer: a JWT whose exp clients read, without personal data.
func TestBearer(t *testing.T) {
	s := server(t)
	before := s.Now()
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	var claims map[string]any
	if err := json.Unmarshal(harness.Payload(c.Bearer), &claims); err != nil {
		t.Fatal(err)
	}
	exp, ok := claims["exp"].(float64)
	if life := time.Unix(int64(exp), 0).Sub(before); !ok || life < 14*time.Minute || life > 16*time.Minute {
		t.Errorf("exp %v: the bearer lives for %v, clients expect 15 minutes", claims["exp"], life)
	}
	for name := range claims {
		if !slices.Contains([]string{"jti", "iss", "aud", "sub", "scope", "exp", "iat"}, name) {
			t.Errorf("claim %q", name)
		}
	}
	text := string(harness.Payload(c.Bearer))
	for _, secret := range []string{mobile, mobile[6:], ref, s.PersonOf(ref)} {
		if strings.Contains(text, secret) {
			t.Errorf("the bearer holds %s", secret)
		}
	}
	again := s.Client().SignIn(mobile)
	if bytes.Contains(harness.Payload(again.Bearer), []byte(claims["jti"].(string))) {
		t.Error("two bearers have one jti")
	}
}

// TestPeople: every person has every field, possibly "", and a past dose's
// appointment stays (contract.md 1.5, 1.11 item 9).
func TestPeople(t *testing.T) {
	s := server(t)
	c, mobile := s.Holder()
	type person struct {
		Mobile       *string           `json:"mobile_number"`
		Document     *string           `json:"photo_id_number"`
		Vaccine      *string           `json:"vaccine"`
		Dose1        *string           `json:"dose1_date"`
		Dose2        *string           `json:"dose2_date"`
		Status       string            `json:"vaccination_status"`
		Appointments []json.RawMessage `json:"appointments"`
	}
	people := func() []person {
		t.Helper()
		var out struct {
			People []person `json:"beneficiaries"`
		}
		a := want(t, ask(t, c, "GET", "/v2/appointment/beneficiaries", nil), 200)
		if err := json.Unmarshal(a.Body, &out); err != nil {
			t.Fatal(err)
		}
		for _, p := range out.People {
			if p.Vaccine == nil || p.Dose1 == nil || p.Dose2 == nil || p.Appointments == nil || *p.Mobile != mobile[6:] || len(*p.Document) != 10 {
				t.Fatalf("not all of B1: %s", a.Text())
			}
		}
		return out.People
	}
	if got := people(); len(got) != 0 {
		t.Errorf("a new number has %d people", len(got))
	}
	ref := c.Enrol("Asha Test")
	if got := people(); len(got) != 1 || got[0].Status != "Not Vaccinated" || *got[0].Dose1 != "" || len(got[0].Appointments) != 0 {
		t.Errorf("after registration: %+v", got)
	}
	day := s.Vaccinate(c, mobile, ref)
	if got := people(); len(got) != 1 || got[0].Status != "Partially Vaccinated" || *got[0].Dose1 != day.Date || *got[0].Vaccine != day.Vaccine || len(got[0].Appointments) != 1 {
		t.Errorf("after the dose: %+v", got)
	}
}

// TestBurst: twelve calendar calls at once, again and again up to CoWIN's 100 in
// five minutes, with the limits on (contract.md 1.11 item 11).
func TestBurst(t *testing.T) {
	s := server(t)
	c, day := s.Client(), s.Later()[0]
	_, district := centreOf(s, day.Centre)
	paths := []string{searchPath + "calendarByDistrict?district_id=" + district + "&date=" + day.Date, fmt.Sprintf("%scalendarByCenter?center_id=%d&date=%s", searchPath, day.Centre, day.Date)}
	for _, path := range slices.Repeat(paths, 4) {
		answers := make([]harness.Answer, 12)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i], _ = c.Do("GET", path, nil) })
		}
		wg.Wait()
		for _, a := range answers {
			want(t, a, 200)
			hold(t, "GET", "/api"+path, a)
		}
	}
}
