package redteam

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

// guarded is a household with a device of its own, another channel, and somebody with a dose.
func guarded(t *testing.T, s *harness.Server) (own harness.StaffKey, c *harness.Client, mobile, ref, address string) {
	t.Helper()
	own, mobile = s.DeviceKey(), s.Mobile()
	c = s.Client().SignInOn(own, mobile)
	ref = c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	return own, c, mobile, ref, c.OtherChannel()
}

// open says what a session shows of Asha Test: her name, or a certificate.
func open(c *harness.Client, ref string) bool {
	people, _ := c.TryBeneficiaries()
	for _, p := range people {
		if p.Name == "Asha Test" || p.Born != "" {
			return true
		}
	}
	return c.Certificate(ref).OK()
}

// told counts the messages of new devices, once there are as many as wanted.
func told(s *harness.Server, to string, want int) (n int) {
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		n = 0
		for _, m := range s.To(to) {
			if strings.Contains(m.Text, "new to your household") {
				n++
			}
		}
		if n >= want {
			break
		}
	}
	return n
}

// TestR57NewDevice: the thief of a SIM, or who reads the network's messages, has the right
// code: on a device of their own, with a client without a key, and through a partner's
// application.
func TestR57NewDevice(t *testing.T) {
	t.Parallel()
	run(t, "R57",
		trial{name: "own device and client", off: []string{"new-device"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			own, c, mobile, ref, address := guarded(t, s)
			thief := s.Client().SignInOn(s.DeviceKey(), mobile)
			client := s.Client().SignIn(mobile)
			if open(thief, ref) || open(client, ref) {
				return true, "name, year of birth and certificate for the right code"
			}
			for what, a := range map[string]harness.Answer{
				"access history": client.Must("GET", "/v3/openings", nil),
				"a new card":     client.Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": ref}),
				"other channel":  thief.Must("POST", "/v3/email", map[string]any{"email": "x" + s.Mobile() + "@mail.example"}),
				"end of devices": thief.Must("POST", "/v3/devices/end", map[string]any{"id": c.Devices().Devices[0].ID}),
				"a PIN":          thief.Must("POST", "/v3/pin", map[string]any{"pin": "482913"}),
			} {
				if a.Status != http.StatusForbidden || a.Field("errorCode") != "NEWDEVICE" {
					t.Errorf("%s: %s", what, a.Text())
				}
			}
			for _, to := range []string{mobile, address} {
				if n := told(s, to, 2); n != 2 {
					t.Errorf("%d messages of two new devices", n)
				}
			}
			if !open(s.Client().SignInOn(own, mobile), ref) {
				t.Error("the household's own device is locked out")
			}
			booked, a := client.Book(s.Later()[0], 2, client.Beneficiaries()[0].Reference)
			if booked == "" && a.Field("errorCode") == "NEWDEVICE" {
				t.Errorf("booking is refused: %s", a.Text())
			}
			ended := false
			for _, d := range c.Devices().Devices {
				if d.State == "waiting" {
					ended = c.Must("POST", "/v3/devices/end", map[string]any{"id": d.ID}).OK() || ended
				}
			}
			if _, a := thief.TryBeneficiaries(); !ended || a.Status != http.StatusUnauthorized {
				t.Errorf("the device was ended, its session goes on: %s", a.Text())
			}
			return false, "initials and status; the number and the other channel are told; ended by the household"
		}},
		trial{name: "lock out", off: []string{"first-day"}, own: true, try: lockOut},
		trial{name: "partner", off: []string{"new-device"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			_, _, mobile, ref, _ := guarded(t, s)
			p := s.EnrolPartner("Test Clinic", "auth,certificate")
			c := s.Client()
			c = c.With(c.PartnerToken(p, mobile, ""))
			a := c.By(p, "GET", "/v2/registration/certificate/download?beneficiary_reference_id="+ref, nil)
			return a.OK(), fmt.Sprintf("the certificate through a partner's application: %d", a.Status)
		}})
}

// lockOut: one code on a household that uses clients without a key, and then a device, a PIN
// and an address of the thief's.
func lockOut(t *testing.T, s *harness.Server) (bool, string) {
	home, mobile := s.Holder()
	ref := home.Enrol("Asha Test")
	thief := s.Client().SignInOn(s.DeviceKey(), mobile)
	pin := thief.Must("POST", "/v3/pin", map[string]any{"pin": "482913"})
	thief.OtherChannel()
	home = s.Client().SignIn(mobile)
	people, _ := home.TryBeneficiaries()
	out := len(people) != 1 || people[0].Reference != ref || people[0].Born == ""
	if !out {
		for _, d := range home.Devices().Devices {
			if a := home.Must("POST", "/v3/devices/end", map[string]any{"id": d.ID}); !a.OK() {
				t.Errorf("the household cannot end the device: %s", a.Text())
			}
		}
		home.Must("POST", "/v3/pin/delete", map[string]any{})
		if got := home.Devices(); got.PIN != "none" || len(got.Devices) != 0 {
			t.Errorf("after the household ended it: %+v", got)
		}
	}
	return out, fmt.Sprintf("a device, a PIN (%d) and an address by one code: the household's client is locked out: %v", pin.Status, out)
}

// TestR58PIN: the thief waits the day out, or guesses, or takes the PIN away on a device that
// was left open.
func TestR58PIN(t *testing.T) {
	t.Parallel()
	const pin = "482913"
	scene := func(t *testing.T, s *harness.Server) (c *harness.Client, mobile, ref string) {
		t.Helper()
		_, c, mobile, ref, _ = guarded(t, s)
		if a := c.Must("POST", "/v3/pin", map[string]any{"pin": pin}); !a.OK() {
			t.Fatalf("a PIN: %s", a.Text())
		}
		return c, mobile, ref
	}
	run(t, "R58",
		trial{name: "guess", off: []string{"pin-tries"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			_, mobile, ref := scene(t, s)
			key := s.DeviceKey()
			s.Client().SignInOn(key, mobile)
			s.SetClock(25 * time.Hour)
			thief := s.Client().SignInOn(key, mobile)
			if open(thief, ref) {
				t.Error("a day of waiting takes the place of the PIN")
			}
			for n := range 40 {
				guess := fmt.Sprintf("48%04d", n)
				if n == 39 {
					guess = pin
				}
				if a := thief.Must("POST", "/v3/pin/give", map[string]any{"pin": guess}); a.OK() {
					return open(thief, ref), fmt.Sprintf("the PIN at guess %d", n+1)
				}
			}
			return false, "forty PINs, the last one right: still a new device"
		}},
		trial{name: "take away", off: []string{"pin-removal"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, mobile, ref := scene(t, s)
			have := len(s.To(mobile))
			// The card that the open device can have made is no short cut.
			card := harness.CardOf(c.Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": ref}))
			c.Must("POST", harness.UnlockPath, map[string]any{"card": card.Text, "pin": card.PIN})
			a := c.Must("POST", "/v3/pin/delete", map[string]any{})
			state := c.Devices().PIN
			if state == "ending" {
				told := false
				for _, m := range s.AwaitMessages(mobile, have, 10*time.Second) {
					told = told || strings.Contains(m.Text, "remove the PIN")
				}
				if !told {
					t.Error("the household was not told")
				}
				if a := c.Must("POST", "/v3/pin/give", map[string]any{"pin": pin}); !a.OK() || c.Devices().PIN != "set" {
					t.Errorf("who gives the PIN cannot keep it: %s", a.Text())
				}
			}
			return state == "none", fmt.Sprintf("removal without the PIN: %d, the PIN is then: %s", a.Status, state)
		}})
}

// TestR59Recycled: the number was given to somebody else after half a year.
func TestR59Recycled(t *testing.T) {
	t.Parallel()
	opt := harness.Options{People: 4 * knownPeople, Args: []string{"--no-limits"}}
	run(t, "R59", trial{own: true, base: opt, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		ref := c.Enrol("Asha Test")
		s.Vaccinate(c, mobile, ref)
		card := harness.CardOf(c.Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": ref}))
		s.SetClock(189 * 24 * time.Hour)
		stranger := s.Client()
		confirm := func(number string) harness.Answer {
			txn, code := stranger.Code(number)
			return stranger.Must("POST", "/v2/auth/validateMobileOtp", map[string]any{"otp": harness.Digest(code), "txnId": txn})
		}
		a, b := confirm(mobile), confirm(s.Mobile())
		mine, nobodys := stranger.With(a.Field("token")), stranger.With(b.Field("token"))
		if open(mine, ref) {
			return true, "a code to a number that was not used for 189 days opened what was under it"
		}
		wrong := map[string]any{"pin": "592031"}
		for what, pair := range map[string][2]harness.Answer{
			"sign-in": {a, b}, "people": {mine.Must("GET", "/v2/appointment/beneficiaries", nil), nobodys.Must("GET", "/v2/appointment/beneficiaries", nil)},
			"history":     {mine.Must("GET", "/v3/openings", nil), nobodys.Must("GET", "/v3/openings", nil)},
			"devices":     {mine.Must("GET", "/v3/devices", nil), nobodys.Must("GET", "/v3/devices", nil)},
			"PIN":         {mine.Must("POST", "/v3/pin/give", wrong), nobodys.Must("POST", "/v3/pin/give", wrong)},
			"certificate": {mine.Certificate(ref), nobodys.Certificate(string(id.NewReference()))},
		} {
			if x, y := noToken(shape(pair[0])), noToken(shape(pair[1])); x != y {
				t.Errorf("%s tells that the number was somebody's:\n%s\n%s", what, x, y)
			}
		}
		own := s.Client().ByCard(card)
		if got := own.Beneficiaries(); len(got) != 1 || got[0].Name != "Asha Test" {
			t.Errorf("by her card she sees %+v", got)
		}
		evidence := sameSignIn(t, s)
		return false, "nothing, in the same answers as a new number; her card opens her record; " + evidence
	}})
}

// noToken takes the bearer out of a shape.
func noToken(s string) string {
	before, rest, ok := strings.Cut(s, `"token":"`)
	if !ok {
		return s
	}
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

// sameSignIn compares how long the right code takes of recycled and of unknown numbers.
func sameSignIn(t *testing.T, s *harness.Server) string {
	t.Helper()
	evidence := ""
	for round := range 2 {
		var recycled, unknown []time.Duration
		c := s.Client()
		confirm := func(mobile string) time.Duration {
			txn, code := c.Code(mobile)
			return c.Must("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": harness.Digest(code), "txnId": txn}).Took
		}
		for n := round * 19; n < round*19+19; n++ {
			recycled = append(recycled, confirm(harness.DemoMobile(n)))
			unknown = append(unknown, confirm(s.Mobile()))
		}
		p, gap := mannWhitney(recycled, unknown), median(recycled)-median(unknown)
		evidence = fmt.Sprintf("medians of the sign-in differ by %v, p = %.3f", gap.Round(time.Microsecond), p)
		if p >= 0.001 || gap.Abs() <= time.Millisecond {
			return evidence
		}
	}
	t.Errorf("the time of a sign-in tells that the number was somebody's: %s", evidence)
	return evidence
}

// TestD1Gateway: who reads the messages of a whole network opens household after household,
// each with its own right code.
func TestD1Gateway(t *testing.T) {
	t.Parallel()
	const most, tried = 12, 30
	opt := harness.Options{People: 4 * knownPeople, Args: []string{"--no-limits", fmt.Sprint("--new-devices=", most)}}
	run(t, "D1", trial{own: true, base: opt, try: func(t *testing.T, s *harness.Server) (bool, string) {
		thief, opened, held := s.Client(), 0, harness.Client{}
		for n := range tried {
			c := thief.SignIn(harness.DemoMobile(n))
			full := false
			for _, p := range c.Beneficiaries() {
				full = full || p.Born != ""
			}
			if full {
				opened++
			} else {
				held = *c
			}
		}
		if opened <= most {
			if !strings.Contains(s.Log(), `"alarm":"new-devices"`) && !strings.Contains(s.Log(), "alarm=new-devices") {
				t.Error("no alarm")
			}
			ref := held.Beneficiaries()[0].Reference
			if number, a := held.Book(s.Later()[0], 1, ref); number == "" && a.Field("errorCode") == "NEWDEVICE" {
				t.Errorf("booking is refused: %s", a.Text())
			}
			home, mobile := s.Holder() // who registers now is not held up
			home.Enrol("Asha Test")
			if got := home.Beneficiaries(); got[0].Born == "" {
				t.Error("a first registration waits")
			}
			s.Forward(time.Hour)
			if got := s.Client().SignIn(mobile).Beneficiaries(); got[0].Born == "" {
				t.Error("an hour later it still waits")
			}
		}
		return opened > most, fmt.Sprintf("%d of %d households opened with an hour's limit of %d", opened, tried, most)
	}})
}

// TestD2OneNumber completes code after code on keys made anew, for one household of the
// attacker's own, so that the hour of its district is used up and strangers wait.
func TestD2OneNumber(t *testing.T) {
	t.Parallel()
	const most = 12
	opt := harness.Options{People: 2 * knownPeople, Args: []string{"--no-limits", fmt.Sprint("--new-devices=", most)}}
	run(t, "D2", trial{own: true, base: opt, try: func(t *testing.T, s *harness.Server) (bool, string) {
		full := func(c *harness.Client) bool {
			people := c.Beneficiaries()
			return len(people) > 0 && people[0].Born != ""
		}
		if !full(s.Client().SignInOn(s.DeviceKey(), harness.DemoMobile(1))) {
			t.Fatal("the first household waits before anything was done")
		}
		for range most + 3 {
			s.Client().SignInOn(s.DeviceKey(), harness.DemoMobile(2))
		}
		waits := !full(s.Client().SignInOn(s.DeviceKey(), harness.DemoMobile(3)))
		return waits, fmt.Sprintf("after %d codes of one number in an hour of %d households, a stranger's new device waits: %v", most+3, most, waits)
	}})
}

// TestD3CodesUsedUp asks for codes for somebody's number until it gets none any more that
// day, so that its holder cannot sign in on the device that is theirs.
func TestD3CodesUsedUp(t *testing.T) {
	t.Parallel()
	run(t, "D3", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		key := s.DeviceKey()
		mobile := s.Mobile()
		s.Client().SignInOn(key, mobile).Enrol("Asha Test")
		ask := func(k harness.StaffKey, number string) harness.Answer {
			return s.Client().Signed(k, "/v2/auth/public/generateOTP", map[string]any{"mobile": number})
		}
		stranger, nobody := s.DeviceKey(), s.Mobile()
		asked := 0
		for _, number := range []string{mobile, nobody} {
			for asked = 0; asked < 30 && ask(stranger, number).OK(); asked++ {
			}
		}
		known, unknown := ask(stranger, mobile), ask(stranger, nobody)
		if known.Status != 429 || known.Status != unknown.Status || known.Field("errorCode") != unknown.Field("errorCode") || known.Field("error") != unknown.Field("error") {
			t.Errorf("of a number that is registered: %s; of one that is not: %s", known.Text(), unknown.Text())
		}
		own := ask(key, mobile)
		return !own.OK(), fmt.Sprintf("after %d codes for strangers the holder's own device is answered %d", asked, own.Status)
	}})
}

// TestD5WithoutEnd: whoever has a device of a household's has codes sent to its number, one
// after the other.
func TestD5WithoutEnd(t *testing.T) {
	t.Parallel()
	const allowed = 5 + 20 // from one network, and a firm device's own
	run(t, "D5", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		key, mobile := s.DeviceKey(), s.Mobile()
		s.Client().SignInOn(key, mobile).Enrol("Asha Test")
		c, sent := s.Client(), 0
		for ; sent < allowed+10; sent++ {
			if a := c.Signed(key, "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}); !a.OK() {
				break
			}
		}
		if sent < allowed {
			t.Fatalf("only %d codes were sent", sent)
		}
		return sent > allowed, fmt.Sprintf("%d codes were sent to one number in a moment", sent)
	}})
}
