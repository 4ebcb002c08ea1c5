package staffing

import (
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestPlaces: which rows of places a place is in, from the largest on.
func TestPlaces(t *testing.T) {
	for place, want := range map[string]string{
		"national":           "national",
		"state/21":           "national state/21",
		"district/21/395":    "national state/21 district/395",
		"centre/21/395/1001": "national state/21 district/395 centre/1001",
		"centre/0/0/1001":    "national centre/1001",
	} {
		s, err := access.ParseScope(place)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range around(s) {
			got = append(got, areaKey(x))
			if !x.Covers(s) {
				t.Errorf("%s does not cover %s", x, s)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", place, got, want)
		}
	}
}

// TestActs: the act is what the signed address says, with the method, and nothing else.
func TestActs(t *testing.T) {
	for url, want := range map[string]string{
		"https://api.example/api/v3/staff/identity/sign-out":              "POST sign-out",
		"https://api.example/below/api/v3/staff/identity/members/one?x=1": "POST members/one",
		"https://api.example/api/v3/staff/identity/":                      "POST ",
		"https://api.example/api/v3/staff/sessions":                       "",
		"https://api.example/?/api/v3/staff/identity/sign-out":            "",
		"https://api.example/api/v3/staff/identity/approve/../../../v2/x": "POST approve/../../../v2/x", // no act
		"https://api.example/x#/api/v3/staff/identity/sign-out":           "",
		"https://api.example/api/v3/staff/identityx/sign-out":             "",
		"://": "",
		"https://api.example/api/v3/staff/identity%2Fsign-out":               "POST sign-out",
		"https://api.example/api/v3/staff/identity/api/v3/staff/identity/me": "POST api/v3/staff/identity/me", // no act
	} {
		got, _, err := actOf(vault.Signed{Method: "POST", URL: url})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
}

// FuzzRequest: whatever a link, a body or an address holds, it is refused or is what it
// says, in its one form.
func FuzzRequest(f *testing.F) {
	good := id.New() + "." + id.Secret(16)
	f.Add("https://staff.example/enrol#"+good, "https://api.example"+vault.RouteIdentity+"/approve", `{"nonce":"x","proposal_id":"y"}`)
	f.Add(good, "/api/v3/staff/identity/roster?center_id=1", `{"nonce":1}`)
	f.Add("#.", "?", `{"a":1}{}`)
	f.Fuzz(func(t *testing.T, link, url, body string) {
		if proposal, secret, ok := parseLink(link); ok && (!id.Valid(proposal) || len(secret) != 26 || !strings.Contains(link, proposal+"."+secret)) {
			t.Fatalf("%q: %q %q", link, proposal, secret)
		}
		if act, _, err := actOf(vault.Signed{Method: "GET", URL: url}); err == nil && !strings.HasPrefix(act, "GET ") {
			t.Fatalf("%q: %q", url, act)
		}
		var b signedBody
		if err := staffBody([]byte(body), &b); err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if b.only() == nil && slices.ContainsFunc([]string{b.Name, b.Grant, b.Number, b.Member, b.Proposal}, func(s string) bool { return s != "" }) {
			t.Fatal("a field that an act does not have was passed over")
		}
		if name, err := staffName(b.Name); err == nil && (name == "" || name != strings.TrimSpace(name)) {
			t.Fatalf("%q", name)
		}
	})
}
