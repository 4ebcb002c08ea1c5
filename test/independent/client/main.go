// Command client is a citizen's program for a CoWIN server, written from the
// public contract alone: it imports nothing of this repository and uses no
// address or field of the server's own. It searches, signs in, registers three
// people, books them together, moves and cancels the booking, downloads slip
// and certificate, and ends with 1 at the first answer the contract does not
// allow.
//
//	client -api http://HOST/api -center ID -mobile NUMBER
//
// What only people can do is asked on standard output and answered on standard
// input: "code?" wants the digits that came to the phone, "dose ID SESSION?"
// wants a line when the vaccination has been recorded.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type client struct {
	api, bearer string
	in          *bufio.Reader
}

// session has the fields of contract 1.4 that a booking needs.
type session struct {
	ID       string   `json:"session_id"`
	Date     string   `json:"date"`
	Capacity int      `json:"available_capacity"`
	Dose1    *int     `json:"available_capacity_dose1"`
	Dose2    *int     `json:"available_capacity_dose2"`
	MinAge   int      `json:"min_age_limit"`
	Vaccine  string   `json:"vaccine"`
	Slots    []string `json:"slots"`
}

type centre struct {
	ID       int64     `json:"center_id"`
	Name     string    `json:"name"`
	State    string    `json:"state_name"`
	District string    `json:"district_name"`
	PIN      int       `json:"pincode"`
	Sessions []session `json:"sessions"`
}

type appointment struct {
	ID      string `json:"appointment_id"`
	Centre  int64  `json:"center_id"`
	Session string `json:"session_id"`
	Date    string `json:"date"`
	Slot    string `json:"slot"`
	Dose    int    `json:"dose"`
}

type beneficiary struct {
	ID           string        `json:"beneficiary_reference_id"`
	Name         string        `json:"name"`
	Born         string        `json:"birth_year"`
	Gender       string        `json:"gender"`
	Mobile       string        `json:"mobile_number"`
	IDNumber     string        `json:"photo_id_number"`
	Status       string        `json:"vaccination_status"`
	Vaccine      *string       `json:"vaccine"`
	Dose1        *string       `json:"dose1_date"`
	Dose2        *string       `json:"dose2_date"`
	Appointments []appointment `json:"appointments"`
}

func main() {
	api := flag.String("api", "", "address of the API, ending in /api")
	center := flag.Int64("center", 0, "the centre to go to")
	mobile := flag.String("mobile", "", "mobile number to sign in with")
	flag.Parse()
	c := &client{api: strings.TrimSuffix(*api, "/"), in: bufio.NewReader(os.Stdin)}
	c.run(*center, *mobile)
	fmt.Println("done")
}

func fail(format string, args ...any) {
	fmt.Printf("FAIL "+format+"\n", args...)
	os.Exit(1)
}

func step(text string) { fmt.Println("ok", text) }

// ask puts a question to the person and returns the line they type.
func (c *client) ask(question string) string {
	fmt.Println(question + "?")
	line, err := c.in.ReadString('\n')
	if err != nil {
		fail("no answer to %s: %v", question, err)
	}
	return strings.TrimSpace(line)
}

// call sends a request and returns status, content type and body.
func (c *client) call(method, path string, body any) (int, string, []byte) {
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			fail("%v", err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, c.api+path, r)
	if err != nil {
		fail("%v", err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fail("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		fail("%s %s: %v", method, path, err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), raw
}

// get reads a JSON answer of status 200 into v.
func (c *client) get(path string, v any) {
	status, kind, raw := c.call("GET", path, nil)
	if status != 200 || !strings.HasPrefix(kind, "application/json") || json.Unmarshal(raw, v) != nil {
		fail("GET %s: %d %s %.200s", path, status, kind, raw)
	}
}

// post demands one of the allowed statuses and reads a JSON answer into v.
func (c *client) post(path string, body, v any, allowed ...int) {
	status, _, raw := c.call("POST", path, body)
	for _, a := range allowed {
		if status == a {
			if v != nil && status == 200 && json.Unmarshal(raw, v) != nil {
				fail("POST %s: %d %.200s", path, status, raw)
			}
			return
		}
	}
	fail("POST %s: %d %.200s", path, status, raw)
}

func (c *client) run(center int64, mobile string) {
	at := c.search(center)
	c.refusals()
	c.signIn(mobile)
	ids := c.register()
	first, second, now := choose(at)

	number := c.book(first, ids)
	c.expect(ids, first)
	c.pdf("/v2/appointment/appointmentslip/download?appointment_id=" + number)
	step("three booked together")

	c.post("/v2/appointment/reschedule", map[string]any{"appointment_id": number, "session_id": second.ID, "slot": second.Slots[0]}, nil, 200, 204)
	number = c.expect(ids, second)
	c.pdf("/v2/appointment/appointmentslip/download?appointment_id=" + number)
	if status, _, _ := c.call("POST", "/v2/appointment/reschedule", map[string]any{"appointment_id": number, "session_id": second.ID, "slot": second.Slots[0]}); status < 400 || status >= 500 {
		fail("a move to the same place and slot: %d", status)
	}
	step("moved to another day")

	c.post("/v2/appointment/cancel", map[string]any{"appointment_id": number, "beneficiariesToCancel": ids[2:]}, nil, 204)
	c.expect(ids[:2], second)
	c.expect(ids[2:], session{})
	c.post("/v2/appointment/cancel", map[string]any{"appointment_id": number, "beneficiariesToCancel": ids[:2]}, nil, 204)
	c.expect(ids, session{})
	step("cancelled, one first and then the others")

	c.book(now, ids[:1])
	c.ask("dose " + ids[0] + " " + now.ID)
	c.vaccinated(ids[0], now)
	c.pdf("/v2/registration/certificate/public/download?beneficiary_reference_id=" + ids[0])
	c.pdf("/v2/registration/certificate/download?beneficiary_reference_id=" + ids[0])
	step("certificate")
}

// search finds the centre in all five ways of contract 1.4.
func (c *client) search(center int64) centre {
	day := time.Now().In(time.FixedZone("IST", 19800)).Format("02-01-2006")
	var one struct {
		Centers centre `json:"centers"`
	}
	c.get(fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", center, day), &one)
	at := one.Centers
	if at.ID != center || at.PIN == 0 || len(at.Sessions) == 0 {
		fail("calendarByCenter: %+v", at)
	}
	for _, s := range at.Sessions {
		if s.Dose1 == nil || s.Dose2 == nil || *s.Dose1+*s.Dose2 != s.Capacity || len(s.Slots) == 0 {
			fail("a session without all capacities or slots: %+v", s)
		}
	}
	district := c.district(at)
	for _, q := range []string{"calendarByPin?pincode=" + strconv.Itoa(at.PIN), "calendarByDistrict?district_id=" + strconv.Itoa(district)} {
		var list struct {
			Centers []centre `json:"centers"`
		}
		c.get("/v2/appointment/sessions/public/"+q+"&date="+day, &list)
		found := false
		for _, x := range list.Centers {
			found = found || x.ID == center && len(x.Sessions) == len(at.Sessions)
		}
		if !found {
			fail("%s does not have the centre", q)
		}
	}
	for _, q := range []string{"findByPin?pincode=" + strconv.Itoa(at.PIN), "findByDistrict?district_id=" + strconv.Itoa(district)} {
		var list struct {
			Sessions []struct {
				Centre int64  `json:"center_id"`
				Fee    string `json:"fee"`
				session
			} `json:"sessions"`
		}
		c.get("/v2/appointment/sessions/public/"+q+"&date="+at.Sessions[len(at.Sessions)-1].Date, &list)
		found := false
		for _, x := range list.Sessions {
			found = found || x.Centre == center
			if x.Capacity < 1 || x.Fee == "" {
				fail("%s lists %+v", q, x)
			}
		}
		if !found {
			fail("%s does not have the centre", q)
		}
	}
	step("search")
	return at
}

// district is the number of the centre's district, by name as a person finds it.
func (c *client) district(at centre) int {
	var states struct {
		States []struct {
			ID   int    `json:"state_id"`
			Name string `json:"state_name"`
		} `json:"states"`
		TTL int `json:"ttl"`
	}
	c.get("/v2/admin/location/states", &states)
	for _, s := range states.States {
		if s.Name != at.State {
			continue
		}
		var districts struct {
			Districts []struct {
				ID   int    `json:"district_id"`
				Name string `json:"district_name"`
			} `json:"districts"`
		}
		c.get(fmt.Sprintf("/v2/admin/location/districts/%d", s.ID), &districts)
		for _, d := range districts.Districts {
			if d.Name == at.District {
				return d.ID
			}
		}
	}
	fail("no district %s in %s", at.District, at.State)
	return 0
}

// refusals are the errors a client tells apart (contract 1.9, 1.11).
func (c *client) refusals() {
	status, kind, raw := c.call("GET", "/v2/appointment/beneficiaries", nil)
	if status != 401 || !strings.HasPrefix(kind, "text/plain") || strings.TrimSpace(string(raw)) != "Unauthenticated access!" {
		fail("without a bearer: %d %s %.100s", status, kind, raw)
	}
	status, _, raw = c.call("GET", "/v2/appointment/sessions/public/findByPin?pincode=12&date=01-01-2026", nil)
	var e struct {
		Code  string `json:"errorCode"`
		Error string `json:"error"`
	}
	if status != 400 || json.Unmarshal(raw, &e) != nil || e.Code != "APPOIN0018" || e.Error == "" {
		fail("a PIN of two digits: %d %.100s", status, raw)
	}
	step("refusals")
}

func (c *client) signIn(mobile string) {
	var txn struct {
		ID string `json:"txnId"`
	}
	c.post("/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}, &txn, 200)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`).MatchString(txn.ID) {
		fail("txnId %q is no UUID", txn.ID)
	}
	code := c.ask("code")
	digest := func(code string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(code))) }
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	if status, _, raw := c.call("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": digest(wrong), "txnId": txn.ID}); status != 400 || !strings.Contains(string(raw), "USRAUT0014") {
		fail("a wrong code: %d %.100s", status, raw)
	}
	var token struct {
		Token string `json:"token"`
	}
	c.post("/v2/auth/public/confirmOTP", map[string]any{"otp": digest(code), "txnId": txn.ID}, &token, 200)
	part := strings.Split(token.Token, ".")
	if len(part) != 3 {
		fail("the token is no JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(part[1])
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.Exp == 0 {
		fail("the token has no exp")
	}
	if left := time.Until(time.Unix(claims.Exp, 0)); left < 14*time.Minute || left > 16*time.Minute {
		fail("the token lives for %v", left)
	}
	c.bearer = token.Token
	step("signed in")
}

// register adds three people of three genders and id types.
func (c *client) register() []string {
	var genders struct {
		Genders []struct {
			Name string `json:"gender"`
			ID   int    `json:"id"`
		} `json:"genders"`
	}
	c.get("/v2/registration/beneficiary/genders", &genders)
	var types struct {
		Types []struct {
			Name string `json:"type"`
			ID   int    `json:"id"`
		} `json:"types"`
	}
	c.get("/v2/registration/beneficiary/idTypes", &types)
	if len(genders.Genders) != 3 || len(types.Types) == 0 {
		fail("genders %v, id types %v", genders, types)
	}
	pan := 0
	for _, t := range types.Types {
		if strings.HasPrefix(t.Name, "PAN") {
			pan = t.ID
		}
	}
	var ids []string
	for i, g := range genders.Genders {
		stamp := time.Now().UnixNano() / 1000
		var made struct {
			ID string `json:"beneficiary_reference_id"`
		}
		c.post("/v2/registration/beneficiary/new", map[string]any{"name": fmt.Sprintf("Client Test %c", 'A'+i), "birth_year": strconv.Itoa(1970 + i),
			"gender_id": g.ID, "photo_id_type": pan, "photo_id_number": fmt.Sprintf("ABCXE%04d%c", stamp%10000, 'A'+i), "comorbidity_ind": "N", "consent_version": "1"}, &made, 200)
		if len(made.ID) != 14 {
			fail("reference id %q", made.ID)
		}
		ids = append(ids, made.ID)
	}
	list := c.household()
	for i, id := range ids {
		b, ok := list[id]
		if !ok || b.Status != "Not Vaccinated" || b.Appointments == nil || b.Vaccine == nil || b.Dose1 == nil || b.Dose2 == nil || b.Gender != genders.Genders[i].Name ||
			b.Born != strconv.Itoa(1970+i) || strings.Contains(b.IDNumber, "ABCXE") {
			fail("a new beneficiary: %+v", b)
		}
	}
	step("three registered")
	return ids
}

func (c *client) household() map[string]beneficiary {
	var list struct {
		Beneficiaries []beneficiary `json:"beneficiaries"`
	}
	c.get("/v2/appointment/beneficiaries", &list)
	out := map[string]beneficiary{}
	for _, b := range list.Beneficiaries {
		out[b.ID] = b
	}
	return out
}

// choose picks two coming days of one vaccine with room for three, and today.
func choose(at centre) (first, second, now session) {
	today := time.Now().In(time.FixedZone("IST", 19800)).Format("02-01-2006")
	for _, s := range at.Sessions {
		switch {
		case s.MinAge > 45 || *s.Dose1 < 3:
		case s.Date == today:
			now = s
		case first.ID == "":
			first = s
		case second.ID == "" && s.Date != first.Date && s.Vaccine == first.Vaccine:
			second = s
		}
	}
	if first.ID == "" || second.ID == "" || now.ID == "" {
		fail("the calendar has no three days: %+v", at.Sessions)
	}
	return first, second, now
}

func (c *client) book(s session, ids []string) string {
	var made struct {
		Number string `json:"appointment_confirmation_no"`
	}
	c.post("/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": s.ID, "slot": s.Slots[len(s.Slots)-1], "beneficiaries": ids}, &made, 200)
	if made.Number == "" {
		fail("no appointment number")
	}
	return made.Number
}

// expect demands that each of ids has exactly the appointment in s (or none for
// the zero session) and returns its number.
func (c *client) expect(ids []string, s session) string {
	number := ""
	list := c.household()
	for _, id := range ids {
		a := list[id].Appointments
		if s.ID == "" {
			if len(a) != 0 {
				fail("%s still has %+v", id, a)
			}
			continue
		}
		if len(a) != 1 || a[0].Session != s.ID || a[0].Date != s.Date || a[0].Dose != 1 || a[0].ID == "" || (number != "" && a[0].ID != number) {
			fail("%s has %+v instead of one in %s", id, a, s.ID)
		}
		number = a[0].ID
	}
	return number
}

func (c *client) vaccinated(id string, s session) {
	b := c.household()[id]
	if b.Status != "Partially Vaccinated" || *b.Vaccine != s.Vaccine || *b.Dose1 != s.Date || *b.Dose2 != "" || len(b.Appointments) != 1 {
		fail("after the dose: %+v", b)
	}
	step("vaccinated")
}

func (c *client) pdf(path string) {
	u, err := url.Parse(path)
	if err != nil {
		fail("%v", err)
	}
	status, kind, raw := c.call("GET", path, nil)
	if status != 200 || !strings.HasPrefix(kind, "application/pdf") || !bytes.HasPrefix(raw, []byte("%PDF-")) {
		fail("%s: %d %s %.100s", u.Path, status, kind, raw)
	}
}
