package redteam

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestR24NoPassword: there is nothing to sign in to with a password, and knowing all
// that is public of a passkey is no passkey.
func TestR24NoPassword(t *testing.T) {
	t.Parallel()
	run(t, "R24", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		in := ""
		tried := 0
		for _, path := range []string{"/v2/auth/login", "/v2/auth/staff/login", "/v3/staff/login", "/v3/staff/identity/login", "/v3/staff/identity/password", "/v2/admin/login", "/v3/login", "/v2/auth/admin/generateOTP"} {
			for _, body := range []map[string]any{{"username": "nita", "password": "password"}, {"member_id": admin.Member, "password": ""}} {
				tried++
				if a := s.Client().Must("POST", path, body); a.OK() {
					in = path
				}
			}
		}
		basic := s.Desk()
		for _, act := range []string{"me", "proposals", "members"} {
			tried++
			if a := basic.Raw(http.MethodGet, act, nil, "Authorization", "Basic bml0YTpwYXNzd29yZA=="); a.OK() {
				in = act + " with a password"
			}
		}
		thief := s.Desk()
		if err := thief.Passkeys.Forge(admin.Passkeys.Passkeys[0]); err != nil {
			t.Fatal(err)
		}
		tried++
		if a := thief.SignIn(""); a.OK() {
			in = "the public parts of a passkey alone"
		}
		if in != "" {
			return true, "signed in with " + in
		}
		return false, fmt.Sprintf("%d ways in without a passkey: none", tried)
	}})
}

// TestR26OtherKey: somebody has everything that a web role sees of a live session,
// and a key of their own.
func TestR26OtherKey(t *testing.T) {
	t.Parallel()
	run(t, "R26", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		thief, err := harness.NewStaffKey("", 0)
		if err != nil {
			t.Fatal(err)
		}
		url := s.API + harness.IdentityPath + "me"
		got, tried := 0, 0
		try := func(header map[string]any, by harness.StaffKey) {
			proof, err := by.SignAs(header, harness.Claims("GET", url, nil, s.Now()))
			if err != nil {
				t.Fatal(err)
			}
			tried++
			if a := admin.Raw("GET", "me", nil, "DPoP", proof); a.OK() {
				got++
			}
		}
		session := admin.Session()
		try(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": thief.JWK()}, thief)
		try(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": admin.Key.JWK()}, thief)
		try(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": thief.JWK(), "kid": session}, thief)
		try(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "kid": session}, thief)
		if a := admin.Ask("GET", "me", nil); !a.OK() {
			t.Fatalf("the session itself: %s", a.Text())
		}
		return got > 0, fmt.Sprintf("%d of %d requests in the name of a live session by another key were answered", got, tried)
	}})
}

// TestR27SecondDevice: somebody at an unlocked desk makes a link for a second device
// and enrols their own.
func TestR27SecondDevice(t *testing.T) {
	t.Parallel()
	run(t, "R27", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		link := admin.Must(admin.Fresh("devices/link", map[string]any{}))
		thief := s.Desk()
		made := thief.Must(thief.Enrol(link.Field("link"), ""))
		a := thief.SignIn("")
		if again := admin.Fresh("approve", admin.Approval(link.Field("proposal_id"))); again.OK() {
			t.Errorf("approved by who proposed it: %s", again.Text())
		}
		return a.OK(), fmt.Sprintf("a second device nobody approved: %s; signing in with it: status %d", made.Field("state"), a.Status)
	}})
}

// TestR46OldRequest: a captured web role keeps signed requests and sends them to the
// vault again, or for the first time later.
func TestR46OldRequest(t *testing.T) {
	t.Parallel()
	run(t, "R46",
		trial{name: "again", off: []string{"proof-replay"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			admin := s.FirstAdministrator("Nita Test")
			raw := []byte(`{"grant":"` + harness.National + `"}`)
			proof, err := admin.Key.Sign(harness.Claims("POST", s.API+harness.IdentityPath+"session/grant", raw, s.Now()))
			if err != nil {
				t.Fatal(err)
			}
			admin.Must(admin.Raw("POST", "session/grant", raw, "DPoP", proof))
			again := admin.Raw("POST", "session/grant", raw, "DPoP", proof)
			return again.OK(), fmt.Sprintf("a session's request again: status %d", again.Status)
		}},
		trial{name: "held back", off: []string{"proof-time"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			d, k := s.Today(), s.StaffKey("manager")
			body, path := sessionBody(t, d), "/v3/staff/sessions"
			proof, err := k.Sign(harness.Claims("POST", s.API+path, body, s.Now()))
			if err != nil {
				t.Fatal(err)
			}
			s.SetClock(10 * time.Minute)
			late := s.Client().Must("POST", path, body, "DPoP", proof)
			return late.OK(), fmt.Sprintf("a request ten minutes after it was signed: status %d", late.Status)
		}})
}

// TestS1LeftOpen: a browser that was left signed in.
func TestS1LeftOpen(t *testing.T) {
	t.Parallel()
	run(t, "S1", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		s.SetClock(16 * time.Minute)
		idle := admin.Ask("GET", "me", nil)
		s.SetClock(9 * time.Hour)
		old := admin.Ask("GET", "me", nil)
		return idle.OK() || old.OK(), fmt.Sprintf("after 16 idle minutes: status %d, after nine hours: %d", idle.Status, old.Status)
	}})
}

// TestS2NoTouch: what runs in an administrator's browser signs whatever the session
// can sign, without the administrator's finger on the passkey.
func TestS2NoTouch(t *testing.T) {
	t.Parallel()
	run(t, "S2", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		nonce := admin.Must(admin.Ask("POST", "nonce", map[string]any{}))
		raw, err := json.Marshal(map[string]any{"nonce": nonce.Field("nonce"), "name": "Evil Test", "grant": harness.National})
		if err != nil {
			t.Fatal(err)
		}
		a := admin.Ask("POST", "invitations", raw)
		return a.OK(), fmt.Sprintf("an invitation that no passkey signed: status %d", a.Status)
	}})
}

// TestS31SessionSurvives: who has stolen a live session has it while its member gets a new
// passkey after a loss, loses one of two devices, or gets a further role.
func TestS31SessionSurvives(t *testing.T) {
	t.Parallel()
	run(t, "S31", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		a, b, _ := s.Administrators()
		survived := []string{}
		member := func(name string) *harness.Desk { return a.Invite(b, name, "vaccinator@centre/1/1/7") }
		after := func(what string, stolen *harness.Desk) {
			if stolen.Ask("GET", "me", nil).OK() {
				survived = append(survived, what)
			}
		}
		lost := member("Vani Test")
		rec := a.Must(a.Fresh("recovery", map[string]any{"member_id": lost.Member}))
		b.Must(b.Fresh("approve", b.Approval(rec.Field("proposal_id"))))
		if a := lost.Ask("GET", "me", nil); !a.OK() {
			t.Fatalf("the session ended before the link was used: %s", a.Text())
		}
		anew := s.Desk()
		anew.Must(anew.Enrol(rec.Field("link"), ""))
		after("a new passkey", lost)

		two := member("Viru Test")
		link := two.Must(two.Fresh("devices/link", map[string]any{}))
		other := s.Desk()
		other.Must(other.Enrol(link.Field("link"), ""))
		b.Must(b.Fresh("approve", b.Approval(link.Field("proposal_id"))))
		after("a second device", two)

		more := member("Veda Test")
		g := a.Must(a.Fresh("grants", map[string]any{"member_id": more.Member, "grant": "verifier@centre/1/1/7"}))
		b.Must(b.Fresh("approve", b.Approval(g.Field("proposal_id"))))
		after("a further role", more)
		return len(survived) > 0, fmt.Sprintf("the stolen session lives after: %q", survived)
	}})
}
