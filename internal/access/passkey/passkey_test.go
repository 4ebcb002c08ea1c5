package passkey

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/access/passkey/passkeytest"
	"tikakosh/internal/fault"
)

func site(t testing.TB) Site {
	t.Helper()
	s, err := NewSite("Tikakosh", "https://staff.example.org", "https://a.staff.example.org:8443")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSites(t *testing.T) {
	for _, o := range []string{"https://staff.example.org", "http://localhost:8443", "https://localhost", "http://a.localhost:80"} {
		if s, err := NewSite("x", o); err != nil || s.ID == "" || strings.ContainsAny(s.ID, ":/") {
			t.Errorf("%s: %+v, %v", o, s, err)
		}
	}
	for _, o := range [][]string{{}, {""}, {"staff.example.org"}, {"http://staff.example.org"}, {"https://staff.example.org/"}, {"https://staff.example.org/x"},
		{"https://Staff.example.org"}, {"https://u@staff.example.org"}, {"https://127.0.0.1"}, {"http://127.0.0.1:8080"}, {"https://[::1]"}, {"https://a.org", "https://b.org"},
		{"https://a.org", "https://evila.org"}, {"ftp://a.org"}, {"https://a.org?x"}, {"https://a.org#x"}} {
		if s, err := NewSite("x", o...); err == nil {
			t.Errorf("%q taken: %+v", o, s)
		}
	}
	if _, err := NewSite("", "https://a.org"); err == nil {
		t.Error("a site without a name")
	}
}

func TestOptions(t *testing.T) {
	s := site(t)
	ch := NewChallenge()
	var o struct {
		RP, User         map[string]string
		Challenge        string
		Attestation      string
		PubKeyCredParams []struct{ Alg int }
		Selection        struct {
			ResidentKey      string
			UserVerification string
		} `json:"authenticatorSelection"`
		Exclude []struct{ ID string } `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(s.Creation(User{[]byte("handle"), "Asha"}, ch, [][]byte{{1}}, 120_000), &o); err != nil {
		t.Fatal(err)
	}
	if o.RP["id"] != "staff.example.org" || o.User["id"] != b64([]byte("handle")) || o.Challenge != b64(ch) || len(ch) != 32 || o.Attestation != "none" ||
		o.Selection.ResidentKey != "required" || o.Selection.UserVerification != "required" || len(o.Exclude) != 1 || o.PubKeyCredParams[0].Alg != -7 {
		t.Errorf("%+v", o)
	}
	if r := string(s.Request(nil, nil, 1)); strings.Contains(r, "challenge") || !strings.Contains(r, `"userVerification":"required"`) || !strings.Contains(r, `"allowCredentials":[]`) {
		t.Error(r)
	}
}

// enrolled makes a passkey and its row.
func enrolled(t testing.TB, s Site, a *passkeytest.Authenticator) Credential {
	t.Helper()
	ch := NewChallenge()
	answer, err := a.Create(s.Creation(User{[]byte("0123456789abcdef"), "Asha"}, ch, nil, 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Registered(answer, ch)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRoundTrip(t *testing.T) {
	for _, alg := range []int{passkeytest.ES256, passkeytest.EdDSA, passkeytest.RS256} {
		for _, copyable := range []bool{false, true} {
			s, a := site(t), &passkeytest.Authenticator{Origin: "https://staff.example.org", Alg: alg, Copyable: copyable, NoCount: copyable}
			c := enrolled(t, s, a)
			if c.Copyable != copyable || c.Copied != copyable {
				t.Errorf("flags: %+v", c)
			}
			a.Origin = "https://a.staff.example.org:8443" // the other origin of the site
			for range 3 {
				ch := NewChallenge()
				answer, err := a.Get(s.Request(ch, nil, 1), nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := ParseAssertion(answer)
				if err != nil || string(got.Handle) != "0123456789abcdef" || !slices.Equal(got.Credential, c.ID) {
					t.Fatalf("%+v, %v", got, err)
				}
				if c, err = s.Verify(got, ch, c); err != nil {
					t.Fatalf("alg %d: %v", alg, err)
				}
				if _, err := s.Verify(got, NewChallenge(), c); err == nil {
					t.Fatal("another challenge was answered by this")
				}
			}
			if want := uint32(3); !copyable && c.Count != want {
				t.Errorf("count %d", c.Count)
			}
		}
	}
}

func TestCreationRefused(t *testing.T) {
	s := site(t)
	honest := passkeytest.Authenticator{Origin: "https://staff.example.org"}
	for name, bend := range map[string]func(*passkeytest.Authenticator){
		"another origin":         func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example.org" },
		"the API's origin":       func(a *passkeytest.Authenticator) { a.Origin = "https://example.org" },
		"plain http":             func(a *passkeytest.Authenticator) { a.Origin = "http://staff.example.org" },
		"another port":           func(a *passkeytest.Authenticator) { a.Origin = "https://staff.example.org:8443" },
		"another site":           func(a *passkeytest.Authenticator) { a.RPID = "example.org" },
		"user not verified":      func(a *passkeytest.Authenticator) { a.NoUser = true },
		"user absent":            func(a *passkeytest.Authenticator) { a.Absent = true },
		"frame of another site":  func(a *passkeytest.Authenticator) { a.CrossOrigin = true },
		"an assertion's kind":    func(a *passkeytest.Authenticator) { a.Kind = "webauthn.get" },
		"attested":               func(a *passkeytest.Authenticator) { a.Format = "packed" },
		"attested by a TPM":      func(a *passkeytest.Authenticator) { a.Format = "tpm" },
		"attested by an unknown": func(a *passkeytest.Authenticator) { a.Format = "x" },
	} {
		a := honest
		bend(&a)
		ch := NewChallenge()
		answer, err := a.Create(s.Creation(User{[]byte("h"), "x"}, ch, nil, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Registered(answer, ch); !fault.Is(err, fault.Unauthorized) && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	self := honest
	self.Format = "self"
	ch := NewChallenge()
	answer, err := self.Create(s.Creation(User{[]byte("h"), "x"}, ch, nil, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Registered(answer, ch); err != nil {
		t.Errorf("signed by the new key itself: %v", err)
	}
	if _, err := s.Registered(answer, NewChallenge()); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("another challenge: %v", err)
	}
	if _, err := s.Registered(append(answer, make([]byte, MaxAnswer)...), ch); !fault.Is(err, fault.Invalid) {
		t.Errorf("too long: %v", err)
	}
}

func TestAssertionRefused(t *testing.T) {
	s := site(t)
	for name, bend := range map[string]func(*passkeytest.Authenticator){
		"another origin":         func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example.org" },
		"another site":           func(a *passkeytest.Authenticator) { a.RPID = "example.org" },
		"user not verified":      func(a *passkeytest.Authenticator) { a.NoUser = true },
		"user absent":            func(a *passkeytest.Authenticator) { a.Absent = true },
		"frame of another site":  func(a *passkeytest.Authenticator) { a.CrossOrigin = true },
		"a creation's kind":      func(a *passkeytest.Authenticator) { a.Kind = "webauthn.create" },
		"now it can be copied":   func(a *passkeytest.Authenticator) { a.Copyable = true },
		"another one's passkey":  func(a *passkeytest.Authenticator) { enrolled(t, s, a) },
		"count does not grow":    func(a *passkeytest.Authenticator) { a.NoCount = true },
		"count starts over":      func(a *passkeytest.Authenticator) { a.Passkeys[0].Count = 0 },
		"count from the past by": func(a *passkeytest.Authenticator) { a.Passkeys[0].Count = 1 },
	} {
		a := &passkeytest.Authenticator{Origin: "https://staff.example.org"}
		c := enrolled(t, s, a)
		c.Count, a.Passkeys[0].Count = 5, 5
		bend(a)
		ch := NewChallenge()
		answer, err := a.Get(s.Request(ch, nil, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseAssertion(answer)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := s.Verify(got, ch, c)
		if !fault.Is(err, fault.Unauthorized) || kept.Count != 5 {
			t.Errorf("%s: %v, %+v", name, err, kept)
		}
		if copied := fault.CodeOf(err) == CodeCopied; copied != strings.HasPrefix(name, "count") {
			t.Errorf("%s: code %s", name, fault.CodeOf(err))
		}
	}
	if _, err := s.Verify(Assertion{}, NewChallenge(), Credential{}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("nothing: %v", err)
	}
	for _, text := range []string{"", "{}", "null", "[]", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat(" ", MaxAnswer+1)} {
		if _, err := ParseAssertion([]byte(text)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// TestChangedBytes flips every byte of the parts of an honest answer in turn: none
// that is signed or compared may be changed.
func TestChangedBytes(t *testing.T) {
	s, a := site(t), &passkeytest.Authenticator{Origin: "https://staff.example.org"}
	c := enrolled(t, s, a)
	ch := NewChallenge()
	answer, err := a.Get(s.Request(ch, nil, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	var parts struct {
		Response map[string]string `json:"response"`
	}
	if err := json.Unmarshal(answer, &parts); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"clientDataJSON", "authenticatorData", "signature"} {
		raw := parts.Response[name]
		for i := range raw[:len(raw)-1] { // the last character may hold bits that stand for nothing
			flipped := byte('A')
			if raw[i] == 'A' {
				flipped = 'B'
			}
			bent := strings.Replace(string(answer), raw, raw[:i]+string(flipped)+raw[i+1:], 1)
			got, err := ParseAssertion([]byte(bent))
			if err != nil {
				continue
			}
			if _, err := s.Verify(got, ch, c); err == nil {
				t.Fatalf("%s was taken with byte %d changed", name, i)
			}
		}
	}
}

// FuzzAnswers: whatever a browser sends is refused or read, and only the one honest
// answer is taken.
func FuzzAnswers(f *testing.F) {
	s, a := site(f), &passkeytest.Authenticator{Origin: "https://staff.example.org"}
	ch := make([]byte, ChallengeBytes)
	created, err := a.Create(s.Creation(User{[]byte("handle"), "x"}, ch, nil, 1))
	if err != nil {
		f.Fatal(err)
	}
	c, err := s.Registered(created, ch)
	if err != nil {
		f.Fatal(err)
	}
	got, err := a.Get(s.Request(ch, nil, 1), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(created)
	f.Add(got)
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if made, err := s.Registered(raw, ch); err == nil && (len(made.ID) < 16 || !goodKey(made.Key)) {
			t.Fatalf("taken: %+v", made)
		}
		p, err := ParseAssertion(raw)
		if err != nil {
			return
		}
		if len(p.Credential) == 0 {
			t.Fatal("an answer of no credential")
		}
		other := c
		other.Key = []byte{0xa0}
		if _, err := s.Verify(p, ch, other); err == nil {
			t.Fatal("taken under a key that is none")
		}
		_, _ = s.Verify(p, ch, c)
	})
}
