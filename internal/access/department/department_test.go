package department_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/access"
	"tikakosh/internal/access/department"
	"tikakosh/internal/access/department/departmenttest"
	"tikakosh/internal/fault"
)

const nonce = "the-question-of-this-session-key"

// noon is the tests' time.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

func provider(t testing.TB) *departmenttest.Provider {
	t.Helper()
	p, err := departmenttest.Start(noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func parsed(t testing.TB, raw []byte) department.Config {
	t.Helper()
	c, err := department.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asked() department.Asked {
	return department.Asked{Nonce: nonce, Begun: noon().Unix() - 30, Now: noon().Unix()}
}

func grants(t *testing.T, texts ...string) []access.Grant {
	t.Helper()
	var out []access.Grant
	for _, text := range texts {
		g, err := access.ParseGrant(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	return out
}

// TestToken: a good one, and each way in which one is not.
func TestToken(t *testing.T) {
	p := provider(t)
	c := parsed(t, p.Config(map[string]any{"number_claim": "employee"}))
	p.Login(map[string]any{"roles": []string{"jab-7", "other"}, "grants": "district@district/21/395", "employee": "E-7", "name": "Vani Test"})
	told, err := c.Verify(t.Context(), p.Sign(p.Claims(nonce)), asked())
	if err != nil {
		t.Fatal(err, fault.CodeOf(err))
	}
	if told.Subject != "sub-1" || told.Name != "Vani Test" || told.Number != "E-7" || told.Left || !slices.Equal(told.Grants, grants(t, "district@district/21/395", "vaccinator@centre/21/395/7")) {
		t.Fatalf("%+v", told)
	}
	now := noon().Unix()
	for name, one := range map[string]struct {
		change map[string]any
		code   string
	}{
		"issuer":               {map[string]any{"iss": "https://other.example"}, "issuer"},
		"no issuer":            {map[string]any{"iss": ""}, "issuer"},
		"audience":             {map[string]any{"aud": "another-client"}, "audience"},
		"two audiences":        {map[string]any{"aud": []string{departmenttest.Client, "another-client"}}, "audience"},
		"party":                {map[string]any{"azp": "another-client"}, "audience"},
		"nonce":                {map[string]any{"nonce": "another"}, "nonce"},
		"no nonce":             {map[string]any{"nonce": nil}, "nonce"},
		"over":                 {map[string]any{"exp": now - 61}, "time"},
		"no end":               {map[string]any{"exp": nil}, "time"},
		"end before beginning": {map[string]any{"iat": now, "exp": now - 1}, "time"},
		"from before":          {map[string]any{"iat": now - 91}, "time"},
		"from later":           {map[string]any{"iat": now + 61, "exp": now + 300}, "time"},
		"not yet":              {map[string]any{"nbf": now + 61}, "time"},
		"no time of asking":    {map[string]any{"auth_time": nil}, "factor"},
		"asked long ago":       {map[string]any{"auth_time": now - 961}, "factor"},
		"asked later":          {map[string]any{"auth_time": now + 61}, "factor"},
		"a password":           {map[string]any{"acr": "1", "amr": []string{"pwd", "otp", "mfa"}}, "factor"},
		"a key, nobody there":  {map[string]any{"acr": nil, "amr": []string{"hwk"}}, "factor"},
		"no factor":            {map[string]any{"acr": nil, "amr": nil}, "factor"},
		"above the place":      {map[string]any{"grants": []string{"manager@centre/7/77/8"}}, "ceiling"},
		"above the roles":      {map[string]any{"grants": []string{"state@state/21"}}, "ceiling"},
		"national":             {map[string]any{"grants": []string{"national@national"}}, "ceiling"},
		"auditor":              {map[string]any{"grants": []string{"auditor@state/21"}}, "ceiling"},
		"no grant":             {map[string]any{"grants": []string{"admin"}}, "grants"},
		"grants of numbers":    {map[string]any{"grants": []any{1}}, "grants"},
		"roles of an object":   {map[string]any{"roles": map[string]any{}}, "roles"},
		"no number":            {map[string]any{"employee": nil}, "number"},
		"nobody":               {map[string]any{"sub": ""}, "form"},
		"a second spelling":    {map[string]any{"Nonce": nonce}, "form"},
		"a list as acr":        {map[string]any{"acr": []string{"phr"}}, "form"},
	} {
		claims := p.Claims(nonce)
		maps.Copy(claims, one.change)
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
		if told, err := c.Verify(t.Context(), p.Sign(claims), asked()); !fault.Is(err, fault.Unauthorized) || fault.CodeOf(err) != one.code {
			t.Errorf("%s: %+v, %v (%s), want %s", name, told, err, fault.CodeOf(err), one.code)
		}
	}
	for name, change := range map[string]map[string]any{"amr alone": {"acr": nil}, "acr alone": {"amr": nil}, "party": {"azp": departmenttest.Client}, "a list of one": {"aud": []string{departmenttest.Client}},
		"at the edge": {"exp": now - 59, "iat": now - 89}, "fractions": {"auth_time": float64(now) - 0.5}} {
		claims := p.Claims(nonce)
		maps.Copy(claims, change)
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
		if _, err := c.Verify(t.Context(), p.Sign(claims), asked()); err != nil {
			t.Errorf("%s: %v (%s)", name, err, fault.CodeOf(err))
		}
	}
	left := p.Claims(nonce)
	left["active"] = false
	if told, err := c.Verify(t.Context(), p.Sign(left), asked()); err != nil || !told.Left {
		t.Errorf("an account that is not active: %+v, %v", told, err)
	}
}

// TestSignature: whatever is not signed by the provider's key with its own algorithm.
func TestSignature(t *testing.T) {
	p := provider(t)
	c := parsed(t, p.Config(nil))
	claims := p.Claims(nonce)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(p.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(p.JWK())
	if err != nil {
		t.Fatal(err)
	}
	good := p.Sign(claims)
	part := strings.Split(good, ".")
	full, err := jose.ParseSignedCompact(good, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"none":                departmenttest.Unsigned(claims),
		"no signature":        part[0] + "." + part[1] + ".",
		"another key":         departmenttest.Sign(jose.ES256, other, claims),
		"HS256, PEM":          departmenttest.Sign(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), claims),
		"HS256, DER":          departmenttest.Sign(jose.HS256, spki, claims),
		"HS256, JWK":          departmenttest.Sign(jose.HS256, jwk, claims),
		"another payload":     part[0] + "." + strings.Split(departmenttest.Unsigned(map[string]any{"iss": p.Issuer}), ".")[1] + "." + part[2],
		"JSON, not compact":   full.FullSerialize(),
		"two signatures":      good + "." + part[2],
		"longer than allowed": part[0] + "." + part[1] + strings.Repeat("A", department.MaxToken) + "." + part[2],
		"nothing":             "",
	} {
		if _, err := c.Verify(t.Context(), token, asked()); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c = parsed(t, p.Config(map[string]any{"keys": []any{jose.JSONWebKey{Key: small.Public()}, jose.JSONWebKey{Key: edwards.Public(), Use: "sig"}, p.JWK()}}))
	for alg, key := range map[jose.SignatureAlgorithm]any{jose.RS256: small, jose.EdDSA: edwards, jose.ES256: p.Key} {
		if _, err := c.Verify(t.Context(), departmenttest.Sign(alg, key, claims), asked()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.PS256, jose.RS512} {
		if _, err := c.Verify(t.Context(), departmenttest.Sign(alg, small, claims), asked()); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// TestConfig: what a file may not say.
func TestConfig(t *testing.T) {
	p := provider(t)
	raw := p.Config(nil)
	c := parsed(t, raw)
	again := parsed(t, c.Bytes())
	if again.Digest() != c.Digest() || len(c.Digest()) != 64 {
		t.Error("the one form is not one")
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // that it is too short is the point
	if err != nil {
		t.Fatal(err)
	}
	roles := func(list ...string) map[string]any { return map[string]any{"scope": "state/21", "roles": list} }
	for name, change := range map[string]map[string]any{
		"an unknown field":         {"maxage": 5},
		"no id":                    {"id": nil},
		"one language":             {"names": map[string]string{"en": "Health"}},
		"plain HTTP":               {"issuer": "http://id.example.org"},
		"plain HTTP for the token": {"token_endpoint": "http://id.example.org/token"},
		"script":                   {"authorization_endpoint": "javascript:alert(1)"},
		"a user in the address":    {"token_endpoint": "https://a:b@id.example.org/token"},
		"no keys":                  {"keys": []any{}},
		"a private key":            {"keys": []any{jose.JSONWebKey{Key: p.Key}}},
		"a secret as key":          {"keys": []any{jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef")}}},
		"a weak key":               {"keys": []any{jose.JSONWebKey{Key: weak.Public()}}},
		"a key for sealing":        {"keys": []any{jose.JSONWebKey{Key: p.Key.Public(), Use: "enc"}}},
		"no factor":                {"factor": map[string]any{}},
		"a password as factor":     {"factor": map[string]any{"amr": [][]string{{"pwd"}}}},
		"a code as factor":         {"factor": map[string]any{"amr": [][]string{{"otp", "mfa"}}}},
		"a key, nobody there":      {"factor": map[string]any{"amr": [][]string{{"hwk"}}}},
		"acr 0":                    {"factor": map[string]any{"acr": []string{"0"}}},
		"no max_age":               {"max_age": nil},
		"a day":                    {"max_age": 86400},
		"no claim of roles":        {"roles_claim": nil, "mapping": nil, "grants_claim": nil},
		"roles without mapping":    {"mapping": nil},
		"a mapping without roles":  {"roles_claim": nil},
		"no ceiling":               {"ceiling": nil},
		"a ceiling without roles":  {"ceiling": roles()},
		"a role there is not":      {"ceiling": roles("manager", "vaccinator", "doctor")},
		"above the roles":          {"ceiling": roles("vaccinator")},
		"above the place":          {"mapping": map[string][]string{"x": {"vaccinator@centre/7/77/8"}}},
		"national":                 {"mapping": map[string][]string{"x": {"national@national"}}},
		"no grant":                 {"mapping": map[string][]string{"x": {"everything"}}},
		"offline":                  {"scopes": []string{"offline_access"}},
		"a scope of two":           {"scopes": []string{"a b"}},
		"another mode":             {"response_mode": "form_post"},
	} {
		if c, err := department.Parse(p.Config(change)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := department.Parse(append(bytes.Clone(raw), "{}"...)); !fault.Is(err, fault.Invalid) {
		t.Error("two objects")
	}
	national := map[string]any{"mapping": map[string][]string{"x": {"national@national"}}, "ceiling": map[string]any{"scope": "national", "roles": []string{"national"}}}
	parsed(t, p.Config(national)) // where the file says so
}

// TestDocumented: the example of docs/OPERATIONS.md is a file that is taken once the
// keys are there.
func TestDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "### Departments with their own sign-in")
	_, text, _ = strings.Cut(text, "```json\n")
	text, _, _ = strings.Cut(text, "```")
	var example map[string]any
	if err := json.Unmarshal([]byte(text), &example); err != nil {
		t.Fatal(err)
	}
	p := provider(t)
	example["keys"], example["authorization_endpoint"], example["token_endpoint"] = []any{p.JWK()}, p.Issuer+"/authorize", p.Issuer+"/token"
	if raw, err = json.Marshal(example); err != nil {
		t.Fatal(err)
	}
	parsed(t, raw)
}

// TestWithin: what is taken away is gone at once, what is added is not there.
func TestWithin(t *testing.T) {
	p, q := provider(t), provider(t)
	in := parsed(t, p.Config(nil))
	for name, one := range map[string]struct {
		next map[string]any
		want map[string]any // in effect; nil: nothing
	}{
		"the same":          {map[string]any{}, map[string]any{}},
		"a key comes":       {map[string]any{"keys": []any{p.JWK(), q.JWK()}}, map[string]any{}},
		"a key goes":        {map[string]any{"keys": []any{q.JWK()}}, nil},
		"another issuer":    {map[string]any{"issuer": q.Issuer}, nil},
		"another client":    {map[string]any{"client_id": "another"}, nil},
		"another number":    {map[string]any{"number_claim": "employee"}, nil},
		"a shorter age":     {map[string]any{"max_age": 60}, map[string]any{"max_age": 60}},
		"a longer age":      {map[string]any{"max_age": 3600}, map[string]any{}},
		"a factor goes":     {map[string]any{"factor": map[string]any{"acr": []string{"phrh"}}}, map[string]any{"factor": map[string]any{"acr": []string{"phrh"}}}},
		"a factor comes":    {map[string]any{"factor": map[string]any{"acr": []string{"phr", "phrh", "gold"}, "amr": [][]string{{"hwk", "user"}, {"fido"}}}}, map[string]any{}},
		"a line goes":       {map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}}}, map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}}}},
		"a line comes":      {map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7", "manager@centre/21/395/7"}, "lead-7": {"manager@centre/21/395/7", "vaccinator@centre/21/395/7"}, "x": {"district@district/21/395"}}}, map[string]any{}},
		"a lower ceiling":   {map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}}, "ceiling": map[string]any{"scope": "district/21/395", "roles": []string{"vaccinator"}}}, map[string]any{"mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}}, "ceiling": map[string]any{"scope": "district/21/395", "roles": []string{"vaccinator"}}}},
		"a higher ceiling":  {map[string]any{"ceiling": map[string]any{"scope": "national", "roles": []string{"national", "district", "manager", "vaccinator", "verifier"}}}, map[string]any{}},
		"the claim goes":    {map[string]any{"grants_claim": nil}, map[string]any{"grants_claim": nil}},
		"another claim":     {map[string]any{"grants_claim": "groups"}, map[string]any{"grants_claim": nil}},
		"another state":     {map[string]any{"roles_claim": nil, "mapping": nil, "ceiling": map[string]any{"scope": "state/7", "roles": []string{"manager"}}}, nil},
		"where browsers go": {map[string]any{"authorization_endpoint": p.Issuer + "/elsewhere"}, map[string]any{"authorization_endpoint": p.Issuer + "/elsewhere"}},
	} {
		got, ok := in.Within(parsed(t, p.Config(one.next)))
		if ok != (one.want != nil) {
			t.Errorf("%s: %v", name, ok)
			continue
		}
		if want := parsed(t, p.Config(one.want)); ok && got.Digest() != want.Digest() {
			t.Errorf("%s:\n%s\nwant\n%s", name, got.Bytes(), want.Bytes())
		}
	}
}

// FuzzConfig: whatever a file holds is refused, or is a configuration that gives nothing
// above its ceiling, asks for a factor, and has one form.
func FuzzConfig(f *testing.F) {
	p := provider(f)
	f.Add(p.Config(nil), p.Config(map[string]any{"max_age": 60}))
	f.Add([]byte(`{"id":"x"}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		c, err := department.Parse(a)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		again, err := department.Parse(c.Bytes())
		if err != nil || again.Digest() != c.Digest() {
			t.Fatalf("%v: %s", err, c.Bytes())
		}
		holds(t, c)
		if same, ok := c.Within(c); !ok || same.Digest() != c.Digest() {
			t.Fatalf("within itself: %v %s", ok, same.Bytes())
		}
		next, err := department.Parse(b)
		if err != nil {
			return
		}
		if in, ok := c.Within(next); ok {
			holds(t, in)
			if len(in.Keys) > len(c.Keys) || in.MaxAge > c.MaxAge || len(in.Mapping) > len(c.Mapping) {
				t.Fatalf("something came: %s", in.Bytes())
			}
		}
	})
}

func holds(t *testing.T, c department.Config) {
	t.Helper()
	if len(c.Keys) == 0 || c.MaxAge <= 0 || len(c.Factor.ACR)+len(c.Factor.AMR) == 0 {
		t.Fatalf("%s", c.Bytes())
	}
	for _, list := range c.Mapping {
		for _, text := range list {
			if g, err := access.ParseGrant(text); err != nil || !c.Ceiling.Covers(g) {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
}

// FuzzToken: no text that the provider did not sign is taken, and what it signed gives
// nothing above the ceiling.
func FuzzToken(f *testing.F) {
	p := provider(f)
	c := parsed(f, p.Config(nil))
	f.Add(p.Sign(p.Claims(nonce)), []byte(`{"grants":["manager@centre/21/395/7"]}`))
	f.Add(departmenttest.Unsigned(p.Claims(nonce)), []byte(`{"amr":["pwd"],"exp":1e300,"auth_time":-1,"aud":[],"roles":["jab-7"],"acr":"phr"}`))
	f.Add("..", []byte(`{"iss":1}`))
	f.Fuzz(func(t *testing.T, token string, extra []byte) {
		if told, err := c.Verify(t.Context(), token, asked()); err == nil && !strings.HasPrefix(token, "eyJ") {
			t.Fatalf("%q: %+v", token, told)
		} else if err != nil && !fault.Is(err, fault.Unauthorized) {
			t.Fatal(err)
		}
		claims := p.Claims(nonce)
		var more map[string]any
		if json.Unmarshal(extra, &more) != nil {
			return
		}
		maps.Copy(claims, more)
		told, err := c.Verify(t.Context(), p.Sign(claims), asked())
		if err != nil {
			if !fault.Is(err, fault.Unauthorized) {
				t.Fatal(err)
			}
			return
		}
		if told.Subject == "" || claims["nonce"] != nonce || slices.ContainsFunc(told.Grants, func(g access.Grant) bool { return !c.Ceiling.Covers(g) }) {
			t.Fatalf("%+v of %v", told, claims)
		}
	})
}
