package keeper_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

func TestEnrolStaff(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	k, err := harness.NewStaffKey("vaccinator", 7)
	if err != nil {
		t.Fatal(err)
	}
	pub := jwk(t, k)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jose.JSONWebKey{Key: &p384.PublicKey}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	private, err := jose.JSONWebKey{Key: k.Key}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]vault.StaffEnrolRequest{
		"no role":        {Name: "Staff Test", Centre: 7, PublicJWK: pub},
		"another role":   {Name: "Staff Test", Role: "admin", Centre: 7, PublicJWK: pub},
		"no centre":      {Name: "Staff Test", Role: "manager", PublicJWK: pub},
		"no name":        {Role: "manager", Centre: 7, PublicJWK: pub},
		"a long name":    {Name: strings.Repeat("x", 201), Role: "manager", Centre: 7, PublicJWK: pub},
		"no key":         {Name: "Staff Test", Role: "manager", Centre: 7},
		"another curve":  {Name: "Staff Test", Role: "manager", Centre: 7, PublicJWK: other},
		"a private key":  {Name: "Staff Test", Role: "manager", Centre: 7, PublicJWK: private},
		"a shared key":   {Name: "Staff Test", Role: "manager", Centre: 7, PublicJWK: []byte(`{"kty":"oct","k":"AAAA"}`)},
		"a long key":     {Name: "Staff Test", Role: "manager", Centre: 7, PublicJWK: append(pub, []byte(strings.Repeat(" ", 2100))...)},
		"not on a curve": {Name: "Staff Test", Role: "manager", Centre: 7, PublicJWK: []byte(`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`)},
	} {
		if _, err := r.k.EnrolStaff(ctx, bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := vault.StaffEnrolRequest{Name: "Staff Test", Role: "vaccinator", Centre: 7, PublicJWK: pub}
	got, err := r.k.EnrolStaff(ctx, good)
	if err != nil || len(got.Staff) != 43 || got.Receipt == "" {
		t.Fatalf("%+v %v", got, err)
	}
	if dump := r.dump("staff"); strings.Contains(dump, "Staff Test") {
		t.Error("a staff name stands in the clear")
	}
	good.Role = "manager" // no promotion by enrolling again
	_, err = r.k.EnrolStaff(ctx, good)
	wantKind(t, err, fault.Conflict)
	_, err = r.k.DisableStaff(ctx, vault.StaffDisableRequest{Staff: "nobody"})
	wantKind(t, err, fault.NotFound)
	k.Staff = string(got.Staff)
	if _, err := r.k.Proof(ctx, r.sign(k, doseURL, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.DisableStaff(ctx, vault.StaffDisableRequest{Staff: got.Staff}); err != nil {
		t.Fatal(err)
	}
	_, err = r.k.Proof(ctx, r.sign(k, doseURL, 1))
	wantKind(t, err, fault.Unauthorized)
}

// TestProofRules changes one thing of a good proof at a time.
func TestProofRules(t *testing.T) {
	r := newRig(t)
	k := r.staff("vaccinator", testCentre)
	stranger, err := harness.NewStaffKey("vaccinator", 7)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"a":1}`)
	type change struct {
		header map[string]any // replaces fields; nil removes one
		claims map[string]any
		signer *harness.StaffKey
		edit   func(*vault.Signed)
	}
	now := r.clock().Unix()
	cases := map[string]change{
		"another type":        {header: map[string]any{"typ": "JWT"}},
		"no type":             {header: map[string]any{"typ": nil}},
		"alg none":            {header: map[string]any{"alg": "none"}},
		"alg HS256":           {header: map[string]any{"alg": "HS256"}},
		"alg ES384":           {header: map[string]any{"alg": "ES384"}},
		"no key":              {header: map[string]any{"jwk": nil}},
		"unknown crit":        {header: map[string]any{"crit": []string{"x"}, "x": 1}},
		"a stranger's key":    {header: map[string]any{"jwk": stranger.JWK()}, signer: &stranger},
		"signed by another":   {signer: &stranger},
		"another method":      {claims: map[string]any{"htm": "GET"}},
		"lower-case method":   {claims: map[string]any{"htm": "post"}},
		"another address":     {claims: map[string]any{"htu": sessionsURL}},
		"address with query":  {claims: map[string]any{"htu": doseURL + "?x=1"}},
		"another body":        {edit: func(s *vault.Signed) { s.Body = []byte(`{"a":2}`) }},
		"no body digest":      {claims: map[string]any{"bh": nil}},
		"61 s old":            {claims: map[string]any{"iat": now - 61}},
		"61 s ahead":          {claims: map[string]any{"iat": now + 61}},
		"no time":             {claims: map[string]any{"iat": nil}},
		"time as text":        {claims: map[string]any{"iat": "now"}},
		"a huge time":         {claims: map[string]any{"iat": int64(1) << 62}},
		"a lowest time":       {claims: map[string]any{"iat": int64(-1) << 63}},
		"no id":               {claims: map[string]any{"jti": nil}},
		"a short id":          {claims: map[string]any{"jti": "123456789012345"}},
		"a long id":           {claims: map[string]any{"jti": strings.Repeat("x", 129)}},
		"an unknown claim":    {claims: map[string]any{"role": "manager"}},
		"a changed signature": {edit: func(s *vault.Signed) { s.Proof = s.Proof[:len(s.Proof)-4] + "AAAA" }},
		"no signature":        {edit: func(s *vault.Signed) { s.Proof = s.Proof[:strings.LastIndex(s.Proof, ".")+1] }},
		"four parts":          {edit: func(s *vault.Signed) { s.Proof += ".x" }},
		"too long":            {edit: func(s *vault.Signed) { s.Proof += strings.Repeat("A", 4096) }},
		"nothing":             {edit: func(s *vault.Signed) { s.Proof = "" }},
	}
	make := func(c change) vault.Signed {
		t.Helper()
		header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.JWK()}
		claims := harness.Claims("POST", doseURL, body, r.clock())
		for into, from := range map[*map[string]any]map[string]any{&header: c.header, &claims: c.claims} {
			for name, v := range from {
				(*into)[name] = v
				if v == nil {
					delete(*into, name)
				}
			}
		}
		signer := k
		if c.signer != nil {
			signer = *c.signer
		}
		proof, err := signer.SignAs(header, claims)
		if err != nil {
			t.Fatal(err)
		}
		s := vault.Signed{Method: "POST", URL: doseURL, Body: body, Proof: proof}
		if c.edit != nil {
			c.edit(&s)
		}
		return s
	}
	for name, c := range cases {
		if staff, err := r.k.Proof(t.Context(), make(c)); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: %v (%s)", name, err, staff)
		}
	}
	for name, c := range map[string]change{"as it should be": {}, "59 s old": {claims: map[string]any{"iat": now - 59}}, "59 s ahead": {claims: map[string]any{"iat": now + 59}}} {
		s := make(c)
		if staff, err := r.k.Proof(t.Context(), s); err != nil || string(staff) != k.Staff {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.k.Proof(t.Context(), s); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s, replayed: %v", name, err)
		}
	}
}

// TestProofOnceInParallel replays one proof many times at once.
func TestProofOnceInParallel(t *testing.T) {
	r := newRig(t)
	s := r.sign(r.staff("manager", testCentre), sessionsURL, 1)
	var ok atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := r.k.Proof(t.Context(), s); err == nil {
				ok.Add(1)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 {
		t.Errorf("one proof was taken %d times", ok.Load())
	}
}

// TestProofNotRevivedByHousekeeping drops expired rows while a proof could
// still be inside its window.
func TestProofNotRevivedByHousekeeping(t *testing.T) {
	r := newRig(t)
	s := r.sign(r.staff("manager", testCentre), sessionsURL, 1)
	if _, err := r.k.Proof(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for range 13 {
		r.advance(55 * time.Second)
		r.k.Expire(t.Context())
		_, err := r.k.Proof(t.Context(), s)
		wantKind(t, err, fault.Unauthorized)
	}
	if r.count("replay") != 0 {
		t.Error("a proof is remembered for ever")
	}
}

func TestOpenSessionRules(t *testing.T) {
	r := newRig(t)
	manager, vaccinator, elsewhere := r.staff("manager", testCentre), r.staff("vaccinator", testCentre), r.staff("manager", 8)
	o := r.offer("COVISHIELD")
	with := func(changes map[string]any) any {
		b := sessionBody(o)
		for k, v := range changes {
			b[k] = v
		}
		return b
	}
	for name, c := range map[string]struct {
		key  harness.StaffKey
		body any
		want fault.Kind
	}{
		"a vaccinator":            {vaccinator, with(nil), fault.Forbidden},
		"another centre":          {elsewhere, with(nil), fault.Forbidden},
		"not JSON":                {manager, json.RawMessage(`[]`), fault.Invalid},
		"an unknown field":        {manager, with(map[string]any{"capacity": 100}), fault.Invalid},
		"tomorrow":                {manager, with(map[string]any{"date": o.Day.AddDays(1).Indian()}), fault.Invalid},
		"yesterday":               {manager, with(map[string]any{"date": o.Day.AddDays(-1).Indian()}), fault.Invalid},
		"a malformed day":         {manager, with(map[string]any{"date": "2026-11-24"}), fault.Invalid},
		"an unknown zone":         {manager, with(map[string]any{"zone": "Nowhere/Else"}), fault.Invalid},
		"no zone":                 {manager, with(map[string]any{"zone": ""}), fault.Invalid},
		"no session":              {manager, with(map[string]any{"session_id": ""}), fault.Invalid},
		"an invisible character":  {manager, with(map[string]any{"name": "PHC\u202e One"}), fault.Invalid},
		"a line in a name":        {manager, with(map[string]any{"district_name": "a\nb"}), fault.Invalid},
		"no listed vaccine":       {manager, with(map[string]any{"vaccine": "TONIC"}), fault.Invalid},
		"no name":                 {manager, with(map[string]any{"name": ""}), fault.Invalid},
		"too long":                {manager, with(map[string]any{"name": strings.Repeat("x", 4096)}), fault.Invalid},
		"a zone with another day": {manager, with(map[string]any{"zone": "Pacific/Kiritimati", "date": o.Day.AddDays(1).Indian()}), fault.Invalid},
	} {
		_, err := r.k.OpenSession(t.Context(), vault.OpenSessionRequest{Signed: r.sign(c.key, sessionsURL, c.body)})
		if !fault.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.count("open_session") != 0 {
		t.Fatal("a refused session is open")
	}
	signed := r.sign(manager, sessionsURL, with(nil))
	d, err := r.k.OpenSession(t.Context(), vault.OpenSessionRequest{Signed: signed})
	if err != nil || d.Receipt == "" {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = r.k.OpenSession(t.Context(), vault.OpenSessionRequest{Signed: signed})
	wantKind(t, err, fault.Unauthorized) // the proof is spent
	again, err := r.k.OpenSession(t.Context(), vault.OpenSessionRequest{Signed: r.sign(manager, sessionsURL, with(nil))})
	if err != nil || again.Receipt != "" || r.count("open_session") != 1 {
		t.Errorf("opening twice: %+v %v", again, err)
	}
}

// TestSessionEndsWithItsDay: yesterday's open session takes no dose, even with
// the right code.
func TestSessionEndsWithItsDay(t *testing.T) {
	c := newCentre(t, nil)
	c.advance(13 * time.Hour) // half past midnight in India
	_, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if fault.CodeOf(err) != "APPOIN0045" {
		t.Errorf("yesterday's booking: %v", err)
	}
	_, err = c.dose(c.vaccinator, c.person, c.body(map[string]any{"dose_date": c.today().Indian()}))
	if fault.CodeOf(err) != "APPOIN0045" {
		t.Errorf("yesterday's booking, dated today: %v", err)
	}
}
