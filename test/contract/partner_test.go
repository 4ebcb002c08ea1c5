package contract

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// by is good as a partner.
func (r *tour) by(c *harness.Client, p harness.PartnerKey, method, path string, body any) harness.Answer {
	r.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			r.Fatal(err)
		}
		body = raw
	}
	return r.good(c, method, path, body, p.Headers(c, method, path, raw)...)
}

// consent asks for a partner's code, reads it and confirms it.
func (r *tour) consent(p harness.PartnerKey, base, mobile string, body map[string]any) harness.Answer {
	r.Helper()
	c := r.s.Client()
	before := len(r.s.To(mobile))
	txn := r.by(c, p, "POST", base+"/generateOTP", body).Field("txnId")
	got := r.s.AwaitMessages(mobile, before, 10e9)
	if len(got) == before || !strings.Contains(got[0].Text, "Test Clinic") {
		r.Fatalf("no message that names the partner: %d", len(got)-before)
	}
	return r.by(c, p, "POST", base+"/confirmOTP", map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": txn})
}

// partners takes a vaccinated household's consent to two things.
func (r *tour) partners(mobile, ref string, refs int) {
	r.Helper()
	p := r.s.EnrolPartner("Test Clinic", "auth,status,certificate")
	login := r.consent(p, "/v2/auth", mobile, map[string]any{"mobile": mobile, "secret": "x"})
	if login.Field("isNewAccount") != "N" {
		r.Errorf("a partner's sign-in: %s", login.Text())
	}
	c := r.s.Client().With(login.Field("token"))
	a := r.by(c, p, "GET", "/v2/appointment/beneficiaries", nil)
	var masked struct {
		People []struct {
			Reference    string `json:"beneficiary_reference_id"`
			Name         string `json:"name"`
			Status       string `json:"vaccination_status"`
			BirthYear    string `json:"birth_year"`
			Appointments []any  `json:"appointments"`
		} `json:"beneficiaries"`
	}
	if err := json.Unmarshal(a.Body, &masked); err != nil || len(masked.People) != refs {
		r.Fatalf("%v: %s", err, a.Text())
	}
	who := masked.People[0]
	if who.Reference != "**********"+ref[10:] || who.Name != "A. T." || who.Status != "Partially Vaccinated" || who.BirthYear != "" || len(who.Appointments) != 0 {
		r.Errorf("the masked view: %+v", who)
	}
	r.private(a, a.Field("view_ref"))
	r.by(c, p, "GET", "/v2/registration/certificate/download?beneficiary_reference_id="+ref, nil)

	for name, status := range map[string]float64{"asha  TEST": 1, "Nobody Test": 0} {
		told := r.consent(p, "/v3/vaccination", mobile, map[string]any{"mobile_number": mobile, "full_name": name, "email_id": "a@example.test"})
		c := r.s.Client().With(told.Field("token"))
		a := r.by(c, p, "GET", "/v3/vaccination/status", nil)
		r.private(a, a.Field("view_ref"))
		facts := r.verified(a.Field("signed_status"))
		if facts["vaccination_status"] != status || facts["aud"] != p.Partner || facts["jti"] != a.Field("view_ref") || len(facts) != 5 {
			r.Errorf("%s: %s, signed %v", name, a.Text(), facts)
		}
		path := "/v3/vaccination/status"
		if again := ask(r.T, c, "GET", path, nil, p.Headers(c, "GET", path, nil)...); again.Status != 401 {
			r.Errorf("a status was told twice: %s", again.Text())
		}
	}
	if a := r.good(r.s.Client(), "GET", "/v3/vaccination/status/knowYourStatus", nil); devanagari(string(a.Body)) != (r.lang != "") {
		r.Errorf("knowYourStatus: %s", a.Text())
	}
}

// verified checks a signed status by RFC 7515 with the published keys alone.
func (r *tour) verified(text string) map[string]any {
	r.Helper()
	parts := strings.Split(text, ".")
	decode := func(s string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			r.Fatal(err)
		}
		return raw
	}
	var head struct{ Alg, Typ, Kid string }
	if len(parts) != 3 || json.Unmarshal(decode(parts[0]), &head) != nil || head.Alg != "ES256" || head.Typ != "tikakosh-status+jwt" {
		r.Fatalf("no signed status: %s", text)
	}
	sum, sig := sha256.Sum256([]byte(parts[0]+"."+parts[1])), decode(parts[2])
	if !ecdsa.Verify(certificateKey(r.T, r.s, head.Kid), sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		r.Error("the signature of a status does not verify")
	}
	out := map[string]any{}
	if err := json.Unmarshal(decode(parts[1]), &out); err != nil {
		r.Fatal(err)
	}
	return out
}

// certificateKey is a published certificate key.
func certificateKey(t *testing.T, s *harness.Server, kid string) *ecdsa.PublicKey {
	t.Helper()
	var keys struct {
		Certificates struct {
			Keys map[string]string `json:"keys"`
		} `json:"certificates"`
	}
	if err := json.Unmarshal(s.Client().Must("GET", "/v3/keys", nil).Body, &keys); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(keys.Certificates.Keys[kid]))
	if block == nil {
		t.Fatalf("no published key %q", kid)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

// TestPartnerErrors: what a partner is told when it is none, signs wrongly, or
// asks for more than it was given.
func TestPartnerErrors(t *testing.T) {
	s := server(t)
	mobile := s.Mobile()
	holder := s.Client().SignIn(mobile)
	ref := holder.Enrol("Asha Test")
	full, limited := s.EnrolPartner("Test Clinic", "auth,status,certificate"), s.EnrolPartner("Test Shop", "auth")
	other := full
	other.APIKey = limited.APIKey
	ended := s.EnrolPartner("Test Ended", "auth")
	if out, exit := s.Command("partner", "disable", "--data", s.Data, "--partner="+ended.Partner); exit != 0 {
		t.Fatal(out)
	}
	if out, exit := s.Command("partner", "list", "--data", s.Data); exit != 0 || !strings.Contains(out, ended.Partner+"\tended\tauth\tTest Ended") || !strings.Contains(out, limited.Partner+"\tactive") {
		t.Errorf("partner list: %d %s", exit, out)
	}
	code := map[string]any{"mobile": s.Mobile()}
	status := map[string]any{"mobile_number": s.Mobile(), "full_name": "Asha Test"}
	answer := map[string]any{"otp": strings.Repeat("0", 64), "txnId": nowhere}
	token := s.Client().With(s.Client().PartnerToken(full, mobile, ""))
	lesser := s.Client().With(s.Client().PartnerToken(limited, mobile, ""))
	told := s.Client().With(s.Client().PartnerToken(full, mobile, "Asha Test"))
	type step struct {
		refused
		c *harness.Client
		p harness.PartnerKey
	}
	none := s.Client()
	day := s.Later()[0]
	for _, lang := range languages {
		for _, r := range []step{
			{refused{"another's key", "POST", "/v2/auth/generateOTP", code, 403, ""}, none, other},
			{refused{"ended", "POST", "/v2/auth/generateOTP", code, 403, ""}, none, ended},
			{refused{"no mobile", "POST", "/v2/auth/generateOTP", map[string]any{}, 400, "USRRES0001"}, none, full},
			{refused{"no name", "POST", "/v3/vaccination/generateOTP", map[string]any{"mobile_number": "5000000001"}, 400, "USRRES0001"}, none, full},
			{refused{"no number", "POST", "/v3/vaccination/generateOTP", map[string]any{"full_name": "Asha Test"}, 400, "USRRES0001"}, none, full},
			{refused{"a name that is none", "POST", "/v3/vaccination/generateOTP", map[string]any{"mobile_number": "5000000001", "full_name": "=1"}, 400, "name"}, none, full},
			{refused{"status without the scope", "POST", "/v3/vaccination/generateOTP", status, 403, "scope"}, none, limited},
			{refused{"unknown transaction", "POST", "/v2/auth/confirmOTP", answer, 401, ""}, none, full},
			{refused{"unknown transaction of a status", "POST", "/v3/vaccination/confirmOTP", answer, 401, ""}, none, full},
			{refused{"code in clear", "POST", "/v2/auth/confirmOTP", map[string]any{"otp": "123456", "txnId": nowhere}, 400, "USRAUT0014"}, none, full},
			{refused{"certificate without the scope", "GET", "/v2/registration/certificate/download?beneficiary_reference_id=" + ref, nil, 403, "scope"}, lesser, limited},
			{refused{"certificate before a dose", "GET", "/v2/registration/certificate/download?beneficiary_reference_id=" + ref, nil, 404, "NODOSE"}, token, full},
			{refused{"another partner's token", "GET", "/v2/appointment/beneficiaries", nil, 403, ""}, token, limited},
			{refused{"a sign-in's token for a status", "GET", "/v3/vaccination/status", nil, 403, "scope"}, token, full},
			{refused{"a status's token for a sign-in", "GET", "/v2/appointment/beneficiaries", nil, 403, "scope"}, told, full},
			{refused{"a holder's token for a status", "GET", "/v3/vaccination/status", nil, 403, "scope"}, holder, full},
			{refused{"no token", "GET", "/v3/vaccination/status", nil, 401, ""}, none, full},
			{refused{"history", "GET", "/v3/openings", nil, 403, "scope"}, token, full},
			{refused{"registration", "POST", enrolPath, harness.Person{Name: "Ravi Test", ID: s.PAN()}.Form(), 403, "scope"}, token, full},
			{refused{"deletion", "POST", removePath, map[string]any{"beneficiary_reference_id": ref}, 403, "scope"}, token, full},
			{refused{"booking", "POST", bookPath, map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}, 403, "scope"}, token, full},
		} {
			t.Run(r.name+" "+lang, func(t *testing.T) {
				var raw []byte
				var body any
				if r.body != nil {
					var err error
					if raw, err = json.Marshal(r.body); err != nil {
						t.Fatal(err)
					}
					body = raw
				}
				a := ask(t, r.c, r.method, r.path, body, append(r.p.Headers(r.c, r.method, r.path, raw), "Accept-Language", lang)...)
				r.checkIn(t, lang, a)
			})
		}
		// A key or a proof alone, and a proof for something else.
		proof := full.Headers(none, "POST", "/v2/auth/generateOTP", []byte(`{}`))
		for name, header := range map[string][]string{"no key": proof[2:], "no proof": proof[:2], "proof of another body": proof} {
			a := ask(t, none, "POST", "/v2/auth/generateOTP", code, append(header, "Accept-Language", lang)...)
			if a.Status != 403 || (name == "no key") != (string(a.Body) == `{"message":"Forbidden"}`) {
				t.Errorf("%s: %s", name, a.Text())
			}
		}
		// A holder's client that sends a portal's old key along is a holder's client.
		want(t, ask(t, holder, "GET", "/v2/appointment/beneficiaries", nil, "X-Api-Key", "3sjOr2rmM52GzhpMHjDEE1kpQeRxwFDr4YcBEimi"), 200)
		// A token without the partner's signature, and with one for no token.
		for name, header := range map[string][]string{"bearer alone": nil, "signed without it": full.Headers(none, "GET", "/v2/appointment/beneficiaries", nil)} {
			if a := ask(t, token, "GET", "/v2/appointment/beneficiaries", nil, append(header, "Accept-Language", lang)...); a.Status != 403 {
				t.Errorf("%s: %s", name, a.Text())
			}
		}
	}
}

// TestPartnerCommands: a request signed by the command is taken; a partner with a
// key of its own gives the public half only; staff are listed without names.
func TestPartnerCommands(t *testing.T) {
	s := server(t)
	p := s.EnrolPartner("Test Clinic", "auth")
	dir := t.TempDir()
	body := filepath.Join(dir, "body.json")
	text := fmt.Sprintf(`{"mobile":"%s"}`, s.Mobile())
	if err := os.WriteFile(body, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	proof, exit := s.Command("partner", "sign", "--key", p.File, "--url", s.API+"/v2/auth/generateOTP", "--body", body, "--clock-file", s.ClockFile())
	if exit != 0 {
		t.Fatal(proof)
	}
	want(t, ask(t, s.Client(), "POST", "/v2/auth/generateOTP", []byte(text), "X-Api-Key", p.APIKey, "DPoP", strings.TrimSpace(proof)), 200)

	own, err := harness.NewStaffKey("", 0)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(own.JWK())
	if err != nil {
		t.Fatal(err)
	}
	file, out := filepath.Join(dir, "public.jwk"), filepath.Join(dir, "own.json")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, exit := s.Command("partner", "enrol", "--data", s.Data, "--name", "Test Own", "--scope", "auth", "--public-key", file, "--out", out); exit != 0 {
		t.Fatal(text)
	}
	raw, err := os.ReadFile(out)
	var f map[string]any
	if err != nil || json.Unmarshal(raw, &f) != nil || f["key"] != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	mine := harness.PartnerKey{APIKey: f["x_api_key"].(string), StaffKey: own}
	want(t, s.Client().By(mine, "POST", "/v2/auth/generateOTP", map[string]any{"mobile": s.Mobile()}), 200)

	for _, bad := range [][]string{{"--scope", "list", "--name", "Test"}, {"--scope", "certificate", "--name", "Test"}, {"--scope", "auth", "--name", "evil.example"}} {
		args := append([]string{"partner", "enrol", "--data", s.Data, "--out", filepath.Join(dir, strings.Join(bad, ""))}, bad...)
		if text, exit := s.Command(args...); exit == 0 {
			t.Errorf("%v: %s", bad, text)
		}
	}
	if text, exit := s.Command("staff", "list", "--data", s.Data); exit != 0 || !strings.Contains(text, "\tactive\tmanager\tcentre 900001\t") || strings.Count(text, "\n") < 2 {
		t.Errorf("staff list: %d %s", exit, text)
	}
}
