package edge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// staffProof signs a request as a staff device does.
func staffProof(t *testing.T, key *ecdsa.PrivateKey, change map[string]any, body string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	claims := map[string]any{"jti": id.New(), "htm": "POST", "htu": "https://api.example/api/v2/vaccinator/beneficiaries/vaccinate", "iat": fixedNow.Unix(),
		"bh": base64.RawURLEncoding.EncodeToString(sum[:])}
	for k, v := range change {
		claims[k] = v
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestWriteOnly: a dose without evidence is taken on an enrolled key's signature,
// with the vault down too; garbage and strangers' keys are refused, and one key
// writes so much and no more.
func TestWriteOnly(t *testing.T) {
	secret, err := vault.InboxKeyPair(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	thumb, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/api/v2/vaccinator/beneficiaries/vaccinate"
	body := fmt.Sprintf(`{"beneficiary_reference_id":"%s","center_id":7,"vaccine":"COVISHIELD","vaccine_batch":"b-1","dose":1,"dose1_date":"24-11-2026","vaccinator_name":"Staff Test"}`, id.NewReference())
	r := newRig(t, func(c *Config) { c.Keys.Inbox, c.Keys.Realm = secret.PublicKey().Bytes(), 1 })
	r.back.staff = []id.Staff{id.Staff(base64.RawURLEncoding.EncodeToString(thumb))}
	if w := r.send("POST", path, body, "DPoP", staffProof(t, key, nil, body)); w.Code != 204 || w.Body.Len() != 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, proof := range map[string]string{
		"no proof": "x", "a stranger's key": staffProof(t, stranger, nil, body), "another body": staffProof(t, key, nil, body+" "),
		"another address": staffProof(t, key, map[string]any{"htu": "https://api.example/api/v3/staff/doses"}, body),
		"another method":  staffProof(t, key, map[string]any{"htm": "GET"}, body), "an old proof": staffProof(t, key, map[string]any{"iat": fixedNow.Unix() - 61}, body),
		"a short name": staffProof(t, key, map[string]any{"jti": "x"}, body),
	} {
		if w := r.send("POST", path, body, "DPoP", proof); w.Code != 401 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// Whoever signed in a moment ago is not among the names yet; the vault knows them.
	moment, err := (&jose.JSONWebKey{Key: &stranger.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	r.back.fresh = base64.RawURLEncoding.EncodeToString(moment)
	if w := r.send("POST", path, body, "DPoP", staffProof(t, stranger, nil, body)); w.Code != 204 {
		t.Errorf("a key of a moment ago: %d %s", w.Code, w.Body)
	}
	many := 0
	for range 250 {
		if w := r.send("POST", path, body, "DPoP", staffProof(t, key, nil, body)); w.Code == 429 {
			many++
		}
	}
	if many == 0 || many > 60 {
		t.Errorf("%d of 250 at once were too many", many)
	}
	now := vault.Signed{Method: "POST", URL: "https://api.example" + path, Body: []byte(body), Proof: staffProof(t, stranger, nil, body)}
	if r.back.fresh, err = checkProof(now, fixedNow); err != nil {
		t.Fatal(err)
	}
	if w := r.send("POST", path, body, "DPoP", now.Proof); w.Code != 204 {
		t.Errorf("a key that signed in a moment ago: %d %s", w.Code, w.Body)
	}
	// The vault is not there, and nobody has said whose keys are enrolled.
	var names staffNames
	r.back.err = fault.New(fault.Unavailable, "vault", "down")
	if ok, known := names.has(t.Context(), r.back, "x", fixedNow); ok || known {
		t.Error("a name known from nowhere")
	}
	if ok, known := r.Server.staff.has(t.Context(), r.back, string(r.back.staff[0]), fixedNow.Add(namesLife*2)); !ok || !known {
		t.Error("what was known is forgotten when the vault is down")
	}
}

// TestStaffFirst walks every staff route with proofs that are not a staff
// member's for this request: nothing is read for them, and all are answered with
// the same bytes. A key enrolled a moment ago works at once.
func TestStaffFirst(t *testing.T) {
	r := newRig(t)
	routes := 0
	for _, route := range r.routes() {
		if route.Audience != Staff {
			continue
		}
		stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		routes++
		body, to := bodies()[route.Path], target(route)
		if route.Method == "GET" {
			body = ""
		}
		sign := func(key *ecdsa.PrivateKey, change map[string]any, body string) string {
			claims := map[string]any{"htm": route.Method, "htu": signedURL(route.Method, to)}
			for k, v := range change {
				claims[k] = v
			}
			return staffProof(t, key, claims, body)
		}
		good := sign(r.key, nil, body)
		for what, proof := range map[string]string{
			"garbage": "x", "a stranger's key": sign(stranger, nil, body), "another body": sign(r.key, nil, body+" "), "an old proof": sign(r.key, map[string]any{"iat": fixedNow.Unix() - 61}, body),
			"another address": sign(r.key, map[string]any{"htu": signedURL(route.Method, to) + "/x"}, body), "an altered signature": good[:len(good)-8] + "AAAAAAAA",
		} {
			calls := r.back.calls
			if w := r.send(route.Method, to, body, "DPoP", proof); w.Code != 401 || w.Body.String() != "Unauthenticated access!" || r.back.calls != calls {
				t.Errorf("%s %s with %s: %d %s, %d calls", route.Method, route.Path, what, w.Code, w.Body, r.back.calls-calls)
			}
		}
		if r.back.fresh, err = checkProof(vault.Signed{Method: route.Method, URL: signedURL(route.Method, to), Body: []byte(body), Proof: sign(stranger, nil, body)}, fixedNow); err != nil {
			t.Fatal(err)
		}
		calls := r.back.calls
		if w := r.send(route.Method, to, body, "DPoP", sign(stranger, nil, body)); w.Code > 299 || r.back.calls == calls {
			t.Errorf("%s with a key enrolled a moment ago: %d %s", route.Path, w.Code, w.Body)
		}
		r.back.fresh = ""
	}
	if routes < 10 {
		t.Errorf("%d staff routes", routes)
	}
}

func FuzzCheckProof(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0In0.e30.AA")
	f.Fuzz(func(t *testing.T, proof string) {
		if name, err := checkProof(vault.Signed{Method: "POST", URL: "https://x", Proof: proof}, time.Unix(1_790_000_000, 0)); err == nil {
			t.Errorf("%q is taken from %q", proof, name)
		}
	})
}
