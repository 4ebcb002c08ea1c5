package edge

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/api"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

const txn = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"

// bodies are good bodies of the POST routes.
func bodies() map[string]string {
	ref, digest := id.NewReference(), strings.Repeat("0", 64)
	return map[string]string{
		"/api/v2/auth/public/generateOTP":            `{"mobile":"5000000001"}`,
		"/api/v2/auth/generateMobileOTP":             `{"mobile":5000000001}`,
		"/api/v2/auth/public/confirmOTP":             `{"otp":"` + digest + `","txnId":"` + txn + `"}`,
		"/api/v2/auth/validateMobileOtp":             `{"otp":"` + digest + `","txnId":"` + txn + `"}`,
		"/api/v2/registration/beneficiary/new":       `{"name":"Asha Test","birth_year":"1980","gender_id":2,"photo_id_type":6,"photo_id_number":"AAAPA0000A","consent_version":"1"}`,
		"/api/v2/registration/beneficiary/delete":    fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v2/appointment/schedule":               fmt.Sprintf(`{"dose":1,"session_id":"%s","slot":"a","beneficiaries":[%s]}`, txn, ref),
		"/api/v2/appointment/reschedule":             fmt.Sprintf(`{"appointment_id":"%s","session_id":"%s","slot":"a"}`, txn, txn),
		"/api/v2/appointment/cancel":                 fmt.Sprintf(`{"appointment_id":"%s","beneficiariesToCancel":["%s"]}`, txn, ref),
		"/api/v2/vaccinator/beneficiaries/vaccinate": fmt.Sprintf(`{"beneficiary_reference_id":"%s","security_code":"0042","center_id":7,"vaccine":"COVISHIELD","vaccine_batch":"B-1","dose":1,"dose1_date":"24-11-2026","vaccinator_name":"Staff Test","more":[1]}`, ref),
		"/api/v3/staff/sessions":                     `{"center_id":1,"session_id":"s","date":"24-11-2026","zone":"Asia/Kolkata","name":"Test PHC","district_name":"D","state_name":"S","vaccine":"COVAXIN"}`,
		"/api/v3/session/end":                        `{}`,
		"/api/v2/vaccinator/beneficiaries/new":       `{"name":"Asha Test","mobile_number":"5000000001","consent_version":1}`,
		"/api/v3/doses/confirm":                      fmt.Sprintf(`{"beneficiary_reference_id":"%s","event_id":"%s"}`, ref, txn),
		"/api/v3/doses/dispute":                      fmt.Sprintf(`{"beneficiary_reference_id":"%s","event_id":"%s","reason":"not me"}`, ref, txn),
		"/api/v3/staff/doses":                        fmt.Sprintf(`{"beneficiary_reference_id":"%s","source":"abroad","country":"SG"}`, ref),
		"/api/v3/staff/doses/unmatched":              `{"center_id":1}`,
		"/api/v3/staff/corrections":                  fmt.Sprintf(`{"kind":"revoke","center_id":1,"event_id":"%s","beneficiary_reference_id":"%s","reason":"x"}`, txn, ref),
		"/api/v3/staff/corrections/approve":          fmt.Sprintf(`{"correction_id":"%s","kind":"revoke","center_id":1,"event_id":"%s","beneficiary_reference_id":"%s","reason":"x"}`, txn, txn, ref),
		"/api/v2/vaccinator/onspots/schedule":        fmt.Sprintf(`{"dose":1,"session_id":"%s","slot":"a","beneficiaries":[%s]}`, txn, ref),
		"/api/v3/staff/code":                         fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/staff/day-list":                     `{"center_id":1,"session_id":"s"}`,
		"/api/v3/staff/day-list/open":                `{"row_id":"AAAA","nonce":"n"}`,
		"/api/v3/staff/tripped/seen":                 `{"alert_id":"a","note":"x"}`,
		"/api/v3/requests":                           fmt.Sprintf(`{"kind":"member","beneficiary_reference_id":"%s","text":"x"}`, ref),
		"/api/v3/requests/withdraw":                  `{"tracking_number":"1234-5678-9010"}`,
		"/api/v3/staff/requests/read":                `{"tracking_number":"1234-5678-9010"}`,
		"/api/v3/staff/requests/decide":              `{"tracking_number":"1234-5678-9010","outcome":"refused","reason":"x"}`,
		"/api/v3/staff/break-glass":                  `{"nonce":"n","card":"TK1:A","reason":"x"}`,
		"/api/v3/staff/break-glass/approve":          `{"nonce":"n","request_id":"r","about":"card 1234","reason":"x"}`,
		"/api/v3/staff/break-glass/open":             `{"request_id":"r"}`,
		"/api/v3/staff/relink":                       `{"nonce":"n","card":"TK1:A","photo_id_type":6,"photo_id_number":"ABCDE1234F","mobile_number":"0000000291","reason":"x"}`,
		"/api/v3/staff/relink/approve":               `{"nonce":"n","request_id":"r","about":"card ending 1234","reason":"x"}`,
		"/api/v3/staff/relink/stop":                  `{"request_id":"r","reason":"x"}`,
		"/api/v3/relink/stop":                        `{"request_id":"r"}`,
		"/api/v3/relink/finish":                      fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/staff/visits/close":                 `{"row_id":"AAAA","reason":"left"}`,
		"/api/v3/card/session":                       `{"card":"TK1:","pin":"123456"}`,
		"/api/v3/people/unlock":                      `{"card":"TK1:","pin":"123456"}`,
		"/api/v3/people/card":                        fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/registration/leave":                 fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/registration/leave/undo":            fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/registration/leave/status":          `{"tracking_number":"TLAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"/api/v3/alerts":                             `{"district_id":1,"dose":1,"until":"24-12-2026"}`,
		"/api/v3/email":                              `{"email":"asha@mail.example"}`,
		"/api/v3/email/confirm":                      `{"otp":"` + digest + `","txnId":"` + txn + `"}`,
		"/api/v3/email/delete":                       `{}`,
		"/api/v3/devices/end":                        `{"id":"x"}`,
		"/api/v3/devices/code":                       `{}`,
		"/api/v3/shares":                             fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/shares/list":                        fmt.Sprintf(`{"beneficiary_reference_id":"%s"}`, ref),
		"/api/v3/shares/end":                         fmt.Sprintf(`{"beneficiary_reference_id":"%s","id":"%s"}`, ref, txn),
		"/api/v3/shares/open":                        `{"token":"AAAAAAAAAAAAAAAAAAAAAA"}`,
		"/api/v3/devices/confirm":                    `{"otp":"` + digest + `","txnId":"` + txn + `"}`,
		"/api/v3/pin":                                `{"pin":"482913"}`,
		"/api/v3/pin/give":                           `{"pin":"482913"}`,
		"/api/v3/pin/delete":                         `{}`,
		"/api/v3/alerts/delete":                      fmt.Sprintf(`{"alert_id":"%s"}`, txn),
		"/api/v3/people/link":                        `{"card":"TK1:","pin":"123456"}`,
		"/api/v3/staff/identity/enrol/begin":         `{"link":"x"}`,
		"/api/v3/staff/identity/enrol/finish":        `{"ceremony":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","credential":{}}`,
		"/api/v3/staff/identity/sign-in/begin":       `{}`,
		"/api/v3/staff/identity/sign-in/finish":      `{"ceremony":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","credential":{}}`,
		"/api/v3/staff/identity/department/begin":    `{"department":"health"}`,
		"/api/v3/staff/identity/department/finish":   `{"ceremony":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","department":"health","code":"x","verifier":"y"}`,
		"/api/v3/staff/identity/sign-out":            `{}`,
		"/api/v3/staff/identity/session/grant":       `{"grant":"auditor@national"}`,
		"/api/v3/staff/identity/sessions/end":        `{"member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"}`,
		"/api/v3/staff/identity/nonce":               `{}`,
		"/api/v3/staff/identity/devices/link":        `{"nonce":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"}`,
		"/api/v3/staff/identity/devices/end":         `{"member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","device_id":"d","reason":"x"}`,
		"/api/v3/staff/identity/invitations":         `{"nonce":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","name":"Omar Test","grant":"auditor@national"}`,
		"/api/v3/staff/identity/grants":              `{"nonce":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","grant":"auditor@national"}`,
		"/api/v3/staff/identity/grants/end":          `{"member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","grant":"auditor@national","reason":"x"}`,
		"/api/v3/staff/identity/recovery":            `{"nonce":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"}`,
		"/api/v3/staff/identity/approve":             `{"nonce":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","proposal_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","text_sha256":"e3b0c442"}`,
		"/api/v3/staff/identity/withdraw":            `{"proposal_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"}`,
		"/api/v3/staff/identity/members/disable":     `{"member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","reason":"x"}`,
		"/api/v3/staff/identity/changes":             `{"nonce":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","kind":"roster-mode","center_id":1,"on":true}`,
		"/api/v3/staff/identity/roster":              `{"member_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","center_id":1,"date":"24-11-2026","on":true}`,
		"/api/v3/people/merge":                       fmt.Sprintf(`{"keep":"%s","merge":"%s"}`, ref, id.NewReference()),
		"/api/v2/auth/getRecaptcha":                  `{}`,
		"/api/v2/auth/generateOTP":                   `{"mobile":"5000000001"}`,
		"/api/v2/auth/confirmOTP":                    `{"otp":"` + digest + `","txnId":"` + txn + `"}`,
		"/api/v3/vaccination/generateOTP":            `{"mobile_number":"5000000001","full_name":"Asha Test","email_id":""}`,
		"/api/v3/vaccination/confirmOTP":             `{"otp":"` + digest + `","txnId":"` + txn + `"}`,
	}
}

// target is an address of a route that its handler takes.
func target(r Route) string {
	p := strings.NewReplacer("{state_id}", "1", "{session_id}", "s", "{district_id}", "1", "{pin}", "110001", "{path...}", "checkpoint", "{$}", "", "{file}", "slots-27.ndjson").Replace(r.Path)
	return p + fmt.Sprintf("?date=24-11-2026&pincode=110001&district_id=1&center_id=1&lat=20&long=77&member_id=0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11&proposal_id=0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11&appointment_id=%s&beneficiary_reference_id=%s", txn, id.NewReference())
}

// proven sends a route's good request with the proof it wants.
func (r *rig) proven(t *testing.T, route Route) (int, http.Header, string) {
	t.Helper()
	body := bodies()[route.Path]
	if route.Method == "GET" {
		body = "" // of the POST at the same address
	}
	if (route.Method == "POST") != (body != "") {
		t.Fatalf("%s has no good body here", route.Path)
	}
	return r.provenWith(t, route, body)
}

// provenWith is proven with another body.
func (r *rig) provenWith(t *testing.T, route Route, body string) (int, http.Header, string) {
	t.Helper()
	var header []string
	to := target(route)
	switch route.Audience {
	case Holder:
		header = []string{"Authorization", "Bearer " + r.bearerText(t)}
	case Staff, Newcomer:
		header = []string{"DPoP", staffProof(t, r.key, map[string]any{"htm": route.Method, "htu": signedURL(route.Method, to)}, body)}
	case Partner:
		header = []string{"DPoP", "proof", "X-Api-Key", "key", "Authorization", "Bearer " + r.bearerText(t)}
	}
	w := r.send(route.Method, to, body, header...)
	return w.Code, w.Header(), w.Body.String()
}

// signedURL is the address that a staff device signs: with its query of a GET.
func signedURL(method, target string) string {
	if method != "GET" {
		target, _, _ = strings.Cut(target, "?")
	}
	return "https://api.example" + target
}

// pure routes answer from what the process holds.
func pure(r Route) bool {
	return slices.Contains([]string{"meta", "search", "publish", "keys", "home", "captcha"}, r.Action)
}

func TestEveryRouteAnswers(t *testing.T) {
	r := newRig(t)
	if r.back.calls != 0 {
		t.Errorf("%d calls reached the vault or the registry while the server was made", r.back.calls)
	}
	if err := os.WriteFile(filepath.Join(r.cfg.LedgerDir, "checkpoint"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, route := range r.routes() {
		calls := r.back.calls
		status, header, body := r.proven(t, route)
		if status != 200 && status != 204 {
			t.Errorf("%s %s: %d %s", route.Method, route.Path, status, body)
		}
		if status == 200 && route.Action != "ledger" && header.Get("Content-Type") != route.ContentType {
			t.Errorf("%s: content type %q, the table says %q", route.Path, header.Get("Content-Type"), route.ContentType)
		}
		asked := r.back.calls > calls
		if asked == (pure(route) || route.Action == "ledger") {
			t.Errorf("%s: calls reached vault or registry: %v", route.Path, asked)
		}
		if cache := header.Get("Cache-Control"); asked && cache != "no-store" && route.Action != "revocations" && route.Action != "report" && !strings.HasPrefix(route.Action, "status.") {
			t.Errorf("%s: Cache-Control %q", route.Path, cache)
		}
		if route.Audience == Holder && !pure(route) && (r.back.holder.Bearer == "" || r.back.holder.Origin != "192.0.2.0/24") {
			t.Errorf("%s passed on %+v", route.Path, r.back.holder)
		}
		path, query, _ := strings.Cut(r.back.signed.URL, "?") // what a GET asks for is signed with its address
		if s := r.back.signed; route.Audience == Staff && (path != "https://api.example"+route.Path || strings.Contains(query, "beneficiary_reference_id=") != (route.Method == "GET") || s.Method != route.Method || (len(s.Body) == 0) != (route.Method == "GET") || s.Proof == "") {
			t.Errorf("%s passed on %+v", route.Path, s)
		}
	}
}

// TestUnauthenticated walks the table without proof and with proofs of the
// wrong kind. Nothing reaches vault or registry.
func TestUnauthenticated(t *testing.T) {
	r := newRig(t)
	good := r.bearerText(t)
	for _, route := range r.routes() {
		for name, header := range map[string][]string{
			"nothing": nil, "garbage": {"Authorization", "Bearer x"}, "basic": {"Authorization", "Basic " + good}, "no scheme": {"Authorization", good},
			"two": {"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, "cookie": {"Cookie", "token=" + good},
			"staff's proof": {"DPoP", "x"}, "two proofs": {"DPoP", "x", "DPoP", "x"}, "long proof": {"DPoP", strings.Repeat("x", 4097)}, "holder's bearer": {"Authorization", "Bearer " + good},
		} {
			if route.Audience == Partner || (route.Audience == Holder && name == "holder's bearer") || route.Audience == Public {
				continue
			}
			w := r.send(route.Method, target(route)+"&token="+good, bodies()[route.Path], header...)
			if w.Code != 401 || w.Body.String() != "Unauthenticated access!" || w.Header().Get("Content-Type") != typeText {
				t.Errorf("%s %s with %s: %d %q", route.Method, route.Path, name, w.Code, w.Body)
			}
		}
	}
	for _, route := range r.routes() {
		for name, header := range map[string][]string{
			"nothing": nil, "bearer": {"Authorization", "Bearer " + good}, "proof": {"DPoP", "x"}, "empty key": {"X-Api-Key", "", "DPoP", "x"},
			"two keys": {"X-Api-Key", "a", "X-Api-Key", "b", "DPoP", "x"}, "long key": {"X-Api-Key", strings.Repeat("x", 201), "DPoP", "x"},
			"key alone": {"X-Api-Key", "x"}, "two proofs": {"X-Api-Key", "x", "DPoP", "x", "DPoP", "y"},
		} {
			if route.Audience != Partner {
				continue
			}
			w := r.send(route.Method, target(route), bodies()[route.Path], header...)
			plain := name != "key alone" && name != "two proofs"
			if w.Code != 403 || (w.Body.String() == `{"message":"Forbidden"}`) != plain {
				t.Errorf("%s %s with %s: %d %q", route.Method, route.Path, name, w.Code, w.Body)
			}
		}
	}
	if r.back.calls != 0 {
		t.Errorf("%d calls without proof reached the vault or the registry", r.back.calls)
	}
}

// TestFailing walks the table while vault and registry fail: the error shape,
// and nothing of the inside in answers or logs.
func TestFailing(t *testing.T) {
	const inner = "inner-quux SELECT mobile"
	notADir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notADir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"foreign":     {errors.New(inner), 500},
		"internal":    {fault.New(fault.Internal, "x", inner), 500},
		"integrity":   {fault.New(fault.Integrity, "x", inner), 500},
		"unavailable": {fault.Wrap(fault.Unavailable, errors.New(inner), inner), 503},
		"unknown":     {fault.New(fault.Unknown, "x", inner), 503},
		"new kind":    {fault.New(fault.Kind("new"), "x", inner), 500},
		"panic":       {nil, 500},
	} {
		r := newRig(t, func(c *Config) { c.LedgerDir = notADir })
		r.back.err, r.back.panics = c.err, name == "panic"
		for _, route := range r.routes() {
			status, header, body := r.proven(t, route)
			if pure(route) {
				if status != 200 {
					t.Errorf("%s, %s: %d, though it needs nothing that fails", name, route.Path, status)
				}
				continue
			}
			wants := c.status
			if route.Action == "ledger" {
				wants = 503
			}
			if status != wants || !strings.Contains(body, `"request_id":"`) || strings.Contains(body, "quux") || strings.Contains(body, "inner") {
				t.Errorf("%s, %s: %d %s", name, route.Path, status, body)
			}
			if (status == 503) != (header.Get("Retry-After") != "") || header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != typeJSON {
				t.Errorf("%s, %s: %v", name, route.Path, header)
			}
		}
		if log := r.logs.String(); strings.Contains(log, "quux") || strings.Contains(log, "inner text") {
			t.Errorf("%s: the log holds the inner text", name)
		}
	}
}

func TestIncompleteRoutes(t *testing.T) {
	r := newRig(t)
	ok := Route{Method: "POST", Path: "/x", Audience: Staff, Action: "a", BodyLimit: 1, ContentType: typeJSON, Rate: RateSelf, Handler: home}
	if err := ok.check(); err != nil {
		t.Fatalf("a complete route: %v", err)
	}
	for name, change := range map[string]func(*Route){
		"method": func(r *Route) { r.Method = "" }, "unknown method": func(r *Route) { r.Method = "PUT" }, "path": func(r *Route) { r.Path = "" },
		"audience": func(r *Route) { r.Audience = "" }, "unknown audience": func(r *Route) { r.Audience = "admin" }, "action": func(r *Route) { r.Action = "" },
		"body limit": func(r *Route) { r.BodyLimit = 0 }, "body of a GET": func(r *Route) { r.Method = "GET" }, "content type": func(r *Route) { r.ContentType = "" },
		"rate": func(r *Route) { r.Rate = "" }, "unknown rate": func(r *Route) { r.Rate = "slow" }, "handler": func(r *Route) { r.Handler = nil },
	} {
		bad := ok
		change(&bad)
		if err := r.mount([]Route{ok, bad}); err == nil {
			t.Errorf("a route with a wrong %s was mounted", name)
		}
	}
	if w := r.send("POST", "/x", "{}", "DPoP", "x"); w.Code != 404 {
		t.Errorf("a refused table serves: %d", w.Code)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a server without the vault's key was made")
	}
}

// TestTableIsTheDescription compares the table with api/openapi.yaml both ways.
func TestTableIsTheDescription(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described[method+" "+path] = op
		}
	}
	for _, r := range newRig(t).routes() {
		name := r.Method + " " + strings.NewReplacer("{path...}", "{path}", "{$}", "").Replace(r.Path)
		op := described[name]
		delete(described, name)
		if op == nil {
			t.Errorf("%s is not described", name)
			continue
		}
		x, _ := op.Extensions["x-tikakosh"].(map[string]any)
		if got, want := fmt.Sprint(x["audience"], x["action"], x["bodyLimit"], x["rate"]), fmt.Sprint(r.Audience, r.Action, r.BodyLimit, r.Rate); got != want {
			t.Errorf("%s: described as %s, the table says %s", name, got, want)
		}
		for _, problem := range differences(r, op) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	for name := range described {
		t.Errorf("%s is described and not in the table", name)
	}
}

func differences(r Route, op *openapi3.Operation) []string {
	var out []string
	say := func(bad bool, text string) {
		if bad {
			out = append(out, text)
		}
	}
	status := func(code string) bool { return op.Responses.Value(code) != nil }
	say((r.Audience == Holder) != (op.Security != nil) && r.Audience != Partner, "security")
	say((r.Audience == Partner) != (op.Parameters.GetByInAndName("header", "X-Api-Key") != nil) && r.Audience != Holder, "X-Api-Key header")
	say((r.Audience == Partner) && !status("403"), "403 is not described")
	proof := op.Parameters.GetByInAndName("header", "DPoP") // a device may prove itself; others must
	say((r.Audience == Staff || r.Audience == Newcomer || r.Audience == Partner) != (proof != nil && proof.Required) && r.Audience != Holder, "DPoP header")
	say((r.Audience == Holder || r.Audience == Staff || r.Audience == Newcomer) && !status("401"), "401 is not described")
	say(!status("429") || !status("500"), "429 or 500 is not described")
	say((r.Method == "POST") != (op.RequestBody != nil) || (r.Method == "POST") != status("413"), "body or 413")
	if r.Method == "POST" && op.RequestBody != nil {
		more := op.RequestBody.Value.Content["application/json"].Schema.Value.AdditionalProperties.Has
		say(r.Own != (more != nil && !*more), "whether unknown fields are refused")
	}
	kind, _, err := mime.ParseMediaType(r.ContentType)
	ok := op.Responses.Value("200")
	say(err != nil || (ok == nil) != status("204"), "one of 200 and 204 is described")
	say(ok != nil && ok.Value.Content[kind] == nil, "content type "+kind)
	return out
}

// TestStrangers: on every route that takes a body, fields that it does not declare
// change nothing on CoWIN's and are refused on our own (R40).
func TestStrangers(t *testing.T) {
	r := newRig(t)
	for _, route := range r.routes() {
		body := bodies()[route.Path]
		if body == "" || route.Method == "GET" {
			continue
		}
		want, _, plain := r.proven(t, route)
		for _, more := range []string{`"role":"manager"`, `"facility_id":1`, `"dose_status":"confirmed"`, `"owner":"x"`, `"verified":true`, `"is_canary":true`} {
			comma := ","
			if body == "{}" {
				comma = ""
			}
			status, _, got := r.provenWith(t, route, strings.TrimSuffix(body, "}")+comma+more+"}")
			if route.Own && status != 400 {
				t.Errorf("%s takes %s: %d %s", route.Path, more, status, got)
			}
			if !route.Own && status != want {
				t.Errorf("%s with %s: %d %s, without %d %s", route.Path, more, status, got, want, plain)
			}
		}
	}
}
