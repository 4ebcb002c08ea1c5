package redteam

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

// inner are signs of a program's inside in an answer.
var inner = regexp.MustCompile(`(?i)goroutine |\.go:\d|panic|sqlite|no such table|SQL logic|/root/|internal/(edge|vault|store)|stack|0x[0-9a-f]{8}`)

func TestR61Debug(t *testing.T) {
	t.Parallel()
	routes := trial{name: "routes", off: []string{"debug-routes"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c := s.Client()
		paths := []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/debug/vars", "/debug/requests", "/metrics",
			"/expvar", "/actuator", "/server-status", "/.env", "/api/debug/pprof/", "/api/debug/vars", "/api/metrics"}
		for _, base := range []string{s.Root, s.Outbox} {
			for _, p := range paths {
				a, err := c.DoURL("GET", base+p, nil)
				if err != nil {
					t.Fatal(err)
				}
				if a.OK() || inner.Match(a.Body) {
					return true, fmt.Sprintf("GET %s: status %d", p, a.Status)
				}
			}
		}
		return false, fmt.Sprintf("%d paths on both listeners: none there", len(paths))
	}}
	errors := trial{name: "error text", own: true, off: []string{"error-text"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, _ := s.Holder()
		c.Enrol("Asha Test")
		var answers []harness.Answer
		for _, body := range []string{"{", `{"mobile":{}}`, `{"mobile":1e999}`, strings.Repeat("[", 100_000), "\x00\xff", `{"mobile":"` + strings.Repeat("9", 100_000) + `"}`} {
			for _, path := range []string{"/v2/auth/public/generateOTP", "/v2/registration/beneficiary/new", "/v2/appointment/schedule", "/v2/appointment/cancel"} {
				answers = append(answers, c.Must("POST", path, []byte(body)))
			}
		}
		for _, path := range []string{"/v2/admin/location/districts/9223372036854775808", "/v2/appointment/sessions/public/calendarByCenter?center_id=x%00&date='",
			"/v2/appointment/appointmentslip/download?appointment_id='%22%3B--", "/%2e%2e/%2e%2e/etc/passwd", "/v2/appointment/sessions/public/findByPin?pincode=%F0%28&date=99-99-9999"} {
			answers = append(answers, c.Must("GET", path, nil))
		}
		// A fault inside: the table of sealed parts is gone.
		s.Exec(harness.RegistryDB, "ALTER TABLE sealed RENAME TO sealed_away")
		answers = append(answers, c.Must("GET", "/v2/appointment/beneficiaries", nil))
		s.Exec(harness.RegistryDB, "ALTER TABLE sealed_away RENAME TO sealed")
		failed := answers[len(answers)-1]
		if failed.Status < 500 {
			t.Errorf("with a table gone: %s", failed.Text())
		}
		for _, a := range answers {
			if inner.Match(a.Body) {
				return true, fmt.Sprintf("status %d shows %q", a.Status, inner.Find(a.Body))
			}
			if a.OK() {
				t.Errorf("a malformed request was taken: %s", a.Text())
			}
		}
		return false, fmt.Sprintf("%d malformed requests and one inner fault: nothing of the inside", len(answers))
	}}
	run(t, "R61", routes, errors)
}

// TestR62ReleaseTag: a release that names the ablation tag does not compile,
// and the plain binary holds no switch.
func TestR62ReleaseTag(t *testing.T) {
	t.Parallel()
	if r := shared.rows["R62"]; r.Test != t.Name() {
		t.Fatalf("docs/redteam.json says test %q", r.Test)
	}
	start := time.Now()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-tags", "ablation release", "-o", os.DevNull, "./internal/ablate")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("a release with the ablation tag was built")
	}
	if !strings.Contains(string(out), "never be in a release") {
		t.Fatalf("the build failed for another reason:\n%s", out)
	}
	holds := func(tags string) (bool, string) {
		path, err := shared.builder.Path(tags)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command(path, "version").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(raw), "TIKAKOSH_ABLATE"), string(text)
	}
	if with, version := holds(harness.Plain); with || strings.Contains(version, "TEST BUILD") {
		t.Error("the plain binary can switch controls off")
	}
	without, version := holds(harness.Ablation)
	if !without || !strings.Contains(version, "TEST BUILD") {
		t.Error("the test build cannot switch controls off, or does not say so: the check proves nothing")
	}
	seconds := time.Since(start).Seconds()
	shared.note(outcome{ID: "R62", Evidence: "go build -tags 'ablation release' fails; no switch in the plain binary", Seconds: seconds})
	shared.note(outcome{ID: "R62", Off: []string{"release-tag"}, Succeeded: without, Evidence: "the test build holds the switch and says TEST BUILD", Seconds: seconds})
}

func TestR72Bearer(t *testing.T) {
	t.Parallel()
	run(t, "R72", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, _ := s.Holder()
		c.Enrol(nameA)
		public := s.Client().Must("GET", "/v3/keys", nil)
		own, err := harness.NewStaffKey("", 0)
		if err != nil {
			t.Fatal(err)
		}
		forged := forgeries(t, c.Bearer, string(public.Body), own)
		for name, token := range forged {
			if found, a := shows(c.With(token), nameA); found || a.OK() {
				return true, name + " was taken"
			} else if a.Status != 401 {
				t.Errorf("%s: status %d, want 401", name, a.Status)
			}
		}
		if found, a := shows(c, nameA); !found {
			t.Errorf("the genuine bearer: %s", a.Text())
		}
		return false, fmt.Sprintf("%d forgeries: all refused", len(forged))
	}})
}

// forgeries of a bearer whose payload the attacker has seen, but not its
// signature's key.
func forgeries(t *testing.T, bearer, public string, own harness.StaffKey) map[string]string {
	t.Helper()
	payload := harness.Payload(bearer)
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatalf("the bearer's payload: %v", err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	unsigned := func(header string) string { return b64([]byte(header)) + "." + b64(payload) + "." }
	hs := func(header string, key []byte) string {
		text := b64([]byte(header)) + "." + b64(payload)
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return text + "." + b64(m.Sum(nil))
	}
	es := func(header map[string]any, change func(map[string]any)) string {
		changed := map[string]any{}
		for k, v := range claims {
			changed[k] = v
		}
		change(changed)
		header["alg"] = "ES256"
		token, err := own.SignAs(header, changed)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	same := func(map[string]any) {}
	set := func(name string, v any) func(map[string]any) { return func(m map[string]any) { m[name] = v } }
	typ := "tikakosh+jwt"
	part := strings.Split(bearer, ".")
	out := map[string]string{
		"alg none":                   unsigned(`{"alg":"none","typ":"tikakosh+jwt"}`),
		"alg None":                   unsigned(`{"alg":"None","typ":"tikakosh+jwt"}`),
		"alg missing":                unsigned(`{"typ":"tikakosh+jwt"}`),
		"alg none, old signature":    harness.Forge(bearer, []byte(`{"alg":"none"}`), nil),
		"HS256, empty key":           hs(`{"alg":"HS256","typ":"tikakosh+jwt"}`, nil),
		"HS256, public keys as key":  hs(`{"alg":"HS256","typ":"tikakosh+jwt"}`, []byte(public)),
		"HS256, kid path":            hs(`{"alg":"HS256","typ":"tikakosh+jwt","kid":"../../../../dev/null"}`, nil),
		"HS256, kid SQL":             hs(`{"alg":"HS256","typ":"tikakosh+jwt","kid":"x' UNION SELECT 'k"}`, []byte("k")),
		"HS256, kid URL":             hs(`{"alg":"HS256","typ":"tikakosh+jwt","kid":"http://127.0.0.1/key"}`, []byte("k")),
		"own key":                    es(map[string]any{"typ": typ}, same),
		"own key as jwk":             es(map[string]any{"typ": typ, "jwk": own.JWK()}, same),
		"own key by jku":             es(map[string]any{"typ": typ, "jku": "http://127.0.0.1:9/keys"}, same),
		"own key by x5u":             es(map[string]any{"typ": typ, "x5u": "http://127.0.0.1:9/cert"}, same),
		"own key by kid":             es(map[string]any{"typ": typ, "kid": "../keys/bearer"}, same),
		"crit":                       es(map[string]any{"typ": typ, "crit": []string{"b64"}, "b64": false}, same),
		"typ":                        es(map[string]any{"typ": "dpop+jwt"}, same),
		"aud":                        es(map[string]any{"typ": typ}, set("aud", "other")),
		"iss":                        es(map[string]any{"typ": typ}, set("iss", "other")),
		"exp as text":                es(map[string]any{"typ": typ}, set("exp", "9999999999")),
		"exp far away":               es(map[string]any{"typ": typ}, set("exp", int64(99999999999))),
		"longer life, old signature": harness.Forge(bearer, nil, []byte(strings.Replace(string(payload), `"exp":`, `"exp":9`, 1))),
		"claims twice":               harness.Forge(bearer, nil, []byte(strings.Replace(string(payload), "{", `{"scope":"admin",`, 1))),
		"no signature":               part[0] + "." + part[1] + ".",
		"zero signature":             part[0] + "." + part[1] + "." + b64(make([]byte, 64)),
		"four parts":                 bearer + ".x",
		"two parts":                  part[0] + "." + part[1],
		"empty":                      "..",
	}
	return out
}

func TestR79Certificate(t *testing.T) {
	t.Parallel()
	run(t, "R79", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		victim, mobile := s.Holder()
		ref := victim.Enrol(nameB)
		s.Vaccinate(victim, mobile, ref)
		if a := victim.Certificate(ref); !a.OK() {
			t.Fatalf("the person's own certificate: %s", a.Text())
		}
		me, _ := s.Holder()
		me.Enrol(nameA)
		theirs := me.Certificate(ref)
		if theirs.OK() {
			return true, fmt.Sprintf("a stranger's certificate: status %d, %d bytes", theirs.Status, len(theirs.Body))
		}
		want := shape(theirs)
		tried := 1
		ask := func(what, ref string, c *harness.Client) {
			tried++
			a := c.Certificate(ref)
			if a.OK() {
				t.Errorf("%s: a certificate came", what)
			}
			if c == me && shape(a) != want {
				t.Errorf("%s: another answer than a stranger's: %s", what, a.Text())
			}
		}
		for _, n := range neighbours(ref) {
			ask("neighbouring id", n, me)
		}
		for range 20 {
			ask("guessed id", string(id.NewReference()), me)
		}
		for _, c := range []*harness.Client{s.Client(), s.Client().With("x"), s.Client().With(ref)} {
			ask("no session", ref, c)
		}
		// An old link: the session that could is over.
		s.SetClock(16 * time.Minute)
		ask("expired session", ref, victim)
		return false, fmt.Sprintf("%d downloads by stranger's, neighbouring and guessed ids and without a session: one uniform refusal (status %d)", tried, theirs.Status)
	}})
}

// neighbours of a reference id that have a right check digit.
func neighbours(ref string) []string {
	var out []string
	stem := ref[:12]
	for d := byte('0'); d <= '9'; d++ {
		if s := stem + string(d); s != ref[:13] {
			out = append(out, s+string('0'+id.VerhoeffDigit(s)))
		}
	}
	return out
}

func TestR83Log(t *testing.T) {
	t.Parallel()
	run(t, "R83", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		const mark = "injected-4711"
		line := `{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"` + mark + `"}`
		esc := "\x1b[2J" + mark
		c := s.Client()
		escaped := strings.NewReplacer("\n", "%0a", "\r", "%0d", "\x1b", "%1b", `"`, "%22", " ", "%20", "{", "%7b", "}", "%7d", "[", "%5b").Replace
		for _, bad := range []string{"\n" + line + "\n", "\r\n" + line, esc, `","msg":"` + mark + `","x":"`, mark + strings.Repeat("A", 60_000)} {
			c.Must("GET", "/v2/"+escaped(bad)[:min(len(escaped(bad)), 7000)], nil)
			c.Must("GET", "/v2/appointment/sessions/public/findByPin?pincode="+escaped(bad)[:min(len(escaped(bad)), 7000)]+"&date=x", nil)
			for _, path := range []string{"/v2/auth/public/generateOTP", "/v2/auth/public/confirmOTP", "/v2/registration/beneficiary/new"} {
				c.Must("POST", path, map[string]any{"mobile": bad, "otp": bad, "txnId": bad, "name": bad})
			}
			flat := strings.NewReplacer("\n", "", "\r", "", "\x1b", "").Replace(bad)
			c.Must("GET", "/v2/"+mark, nil, "User-Agent", flat, "X-Request-Id", flat, "X-Forwarded-For", flat, "Referer", flat)
		}
		for _, head := range []string{"X-Request-Id: a\nfake: " + mark, "User-Agent: \x1b]0;" + mark + "\x07"} {
			c.Raw("GET /api/v2/" + mark + " HTTP/1.1\r\nHost: {HOST}\r\n" + head + "\r\nConnection: close\r\n\r\n")
		}
		c.Raw("GET /api/" + mark + "\x1b[2J HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
		people := plant(t, s)
		time.Sleep(300 * time.Millisecond)
		log := s.Log()
		if forged := forgedLine(log, mark); forged != "" {
			return true, "a log line of the attacker's making: " + forged
		}
		if hits := people.needles(t).Find([]byte(log)); len(hits) > 0 {
			return true, fmt.Sprintf("personal data in the log: %q", hits[:min(len(hits), 5)])
		}
		return false, fmt.Sprintf("%d log lines: no forged line, no escape sequence, no personal data", strings.Count(log, "\n"))
	}})
}

// forgedLine finds a line that an attacker shaped: a raw control character, a
// record whose message is the mark, or a line with the mark that is no record.
func forgedLine(log, mark string) string {
	for _, line := range strings.Split(log, "\n") {
		if strings.ContainsAny(line, "\x1b\x07") || (strings.Contains(line, "\r") && strings.Contains(line, mark)) {
			return "a raw control character"
		}
		if !strings.Contains(line, mark) {
			continue
		}
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) != nil {
			return "no record"
		}
		if record["msg"] == mark {
			return "a forged record"
		}
		if len(line) > 16<<10 {
			return "a huge record"
		}
	}
	return ""
}

func TestR83ForgedLineIsFound(t *testing.T) {
	for name, log := range map[string]string{
		"record": `{"msg":"x"}` + "\n" + `{"msg":"mark"}`, "no record": "GET /mark", "escape": "x\x1b[2J", "huge": `{"path":"mark` + strings.Repeat("A", 20<<10) + `"}`} {
		if forgedLine(log, "mark") == "" {
			t.Errorf("%s was not found", name)
		}
	}
	if got := forgedLine(`{"msg":"request","path":"/mark\n{\"msg\":\"mark\"}"}`, "mark"); got != "" {
		t.Errorf("an escaped line was reported: %s", got)
	}
}

// TestR25Replay sends a manager's signed request twice.
func TestR25Replay(t *testing.T) {
	t.Parallel()
	run(t, "R25", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		d, c, k := s.Today(), s.Client(), s.StaffKey("manager")
		body, path := sessionBody(t, d), "/v3/staff/sessions"
		proof, err := k.Sign(harness.Claims("POST", s.API+path, body, s.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if a := c.Must("POST", path, body, "DPoP", proof); !a.OK() {
			t.Fatalf("first use: %s", a.Text())
		}
		again := c.Must("POST", path, body, "DPoP", proof)
		return again.OK(), fmt.Sprintf("the same signed request again: status %d", again.Status)
	}})
}

func sessionBody(t *testing.T, d harness.Day) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"center_id": d.Centre, "session_id": d.Session, "date": d.Date, "zone": "Asia/Kolkata",
		"name": d.CentreName, "district_name": d.District, "state_name": d.State, "vaccine": d.Vaccine})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestR45ForgedStaff: what the web role passes on as a staff request is judged
// by the vault itself.
func TestR45ForgedStaff(t *testing.T) {
	t.Parallel()
	run(t, "R45", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		d, c, k := s.Today(), s.Client(), s.StaffKey("manager")
		body, path := sessionBody(t, d), "/v3/staff/sessions"
		own, err := harness.NewStaffKey("manager", k.Centre)
		if err != nil {
			t.Fatal(err)
		}
		proofs := map[string]string{}
		claims := harness.Claims("POST", s.API+path, body, s.Now())
		if proofs["the manager's public key, signed by another"], err = own.SignAs(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.JWK()}, claims); err != nil {
			t.Fatal(err)
		}
		if proofs["a key that nobody enrolled"], err = own.Sign(claims); err != nil {
			t.Fatal(err)
		}
		for what, change := range map[string]map[string]any{"another method": {"htm": "GET"}, "another address": {"htu": s.API + "/v3/other"}, "another body": {"bh": "x"},
			"an old time": {"iat": s.Now().Add(-10 * time.Minute).Unix()}, "a later time": {"iat": s.Now().Add(10 * time.Minute).Unix()}, "no id": {"jti": ""}} {
			changed := harness.Claims("POST", s.API+path, body, s.Now())
			for n, v := range change {
				changed[n] = v
			}
			if proofs[what], err = k.Sign(changed); err != nil {
				t.Fatal(err)
			}
		}
		proofs["no proof"] = ""
		for what, proof := range proofs {
			if a := c.Must("POST", path, body, "DPoP", proof); a.OK() {
				return true, what + " was taken"
			}
		}
		if a := c.OpenSession(k, d); !a.OK() {
			t.Errorf("the genuine request: %s", a.Text())
		}
		return false, fmt.Sprintf("%d forged requests: all refused", len(proofs))
	}})
}
