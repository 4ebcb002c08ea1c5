package contract

import (
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestDeviceErrors: what a new device may not do, and PINs and devices that are none, are
// refused in so many words, in each language.
func TestDeviceErrors(t *testing.T) {
	s := server(t)
	mobile := s.Mobile()
	own := s.Client().SignInOn(s.DeviceKey(), mobile)
	ref := own.Enrol("Asha Test")
	waits := s.Client().SignInOn(s.DeviceKey(), mobile)
	s.OpenToday()
	card := own.ByCard(s.WalkIn(harness.Person{Name: "Asha Test", ID: s.PAN()}))
	for _, r := range []struct {
		refused
		by *harness.Client
	}{
		{refused{"certificate on a new device", "GET", "/v2/registration/certificate/download?beneficiary_reference_id=" + ref, nil, 403, "NEWDEVICE"}, waits},
		{refused{"access history on a new device", "GET", "/v3/openings", nil, 403, "NEWDEVICE"}, waits},
		{refused{"a new device ends others", "POST", "/v3/devices/end", map[string]any{"id": "0000000000000000"}, 403, "NEWDEVICE"}, waits},
		{refused{"a new device sets a PIN", "POST", "/v3/pin", map[string]any{"pin": "482913"}, 403, "NEWDEVICE"}, waits},
		{refused{"no other channel", "POST", "/v3/devices/code", map[string]any{}, 409, "other-channel"}, waits},
		{refused{"no PIN", "POST", "/v3/pin/give", map[string]any{"pin": "482913"}, 400, "PIN"}, waits},
		{refused{"nothing to confirm", "POST", "/v3/devices/code", map[string]any{}, 409, "device"}, own},
		{refused{"a wrong code", "POST", "/v3/devices/confirm", map[string]any{"otp": harness.Digest("none"), "txnId": nowhere}, 400, "USRAUT0014"}, waits},
		{refused{"no such device", "POST", "/v3/devices/end", map[string]any{"id": "0000000000000000"}, 404, "NOTFOUND"}, own},
		{refused{"a short PIN", "POST", "/v3/pin", map[string]any{"pin": "4829"}, 400, "pin"}, own},
		{refused{"an easy PIN", "POST", "/v3/pin", map[string]any{"pin": "123456"}, 400, "pin"}, own},
		{refused{"devices by card", "GET", "/v3/devices", nil, 403, "card"}, card},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) {
				r.checkIn(t, lang, ask(t, r.by, r.method, r.path, r.body, "Accept-Language", lang))
			})
		}
	}
	bad := s.Client().Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}, "DPoP", "x.y.z")
	if bad.Status != 401 {
		t.Errorf("a code asked for with a proof that is none: %s", bad.Text())
	}
}

// devices takes a household through its devices and its PIN.
func (r *tour) devices() {
	r.Helper()
	s, mobile := r.s, r.s.Mobile()
	own := s.Client().SignInOn(s.DeviceKey(), mobile)
	own.Enrol("Asha Test")
	address := own.OtherChannel()
	waits := s.Client().SignInOn(s.DeviceKey(), mobile)
	if a := r.good(waits, "GET", "/v2/appointment/beneficiaries", nil); !strings.Contains(string(a.Body), `"new_device":true`) || !strings.Contains(string(a.Body), `"A. T."`) {
		r.Errorf("on a new device: %s", a.Text())
	}
	r.good(waits, "GET", "/v3/devices", nil)
	have := len(s.To(address))
	txn := r.good(waits, "POST", "/v3/devices/code", map[string]any{}).Field("txnId")
	var code string
	for _, m := range s.AwaitMessages(address, have, 10*time.Second) {
		if code = m.Code(); code != "" {
			if devanagari(m.Text) != strings.HasPrefix(r.lang, "hi") {
				r.Errorf("language of %q", m.Text)
			}
			break
		}
	}
	r.good(waits, "POST", "/v3/devices/confirm", map[string]any{"otp": harness.Digest(code), "txnId": txn})
	if a := r.good(waits, "GET", "/v2/appointment/beneficiaries", nil); strings.Contains(string(a.Body), "new_device") {
		r.Errorf("confirmed: %s", a.Text())
	}
	r.good(own, "POST", "/v3/pin", map[string]any{"pin": "482913"})
	r.good(own, "POST", "/v3/pin/give", map[string]any{"pin": "482913"})
	r.good(own, "POST", "/v3/pin/delete", map[string]any{})
	r.good(own, "GET", "/v3/devices", nil)
	for _, d := range own.Devices().Devices {
		if !d.This {
			r.good(own, "POST", "/v3/devices/end", map[string]any{"id": d.ID})
		}
	}
}

// deviceForms: a household with a device of its own, three that wait, and another channel.
func deviceForms(s *harness.Server, add func(string, func(*testing.T, []byte) harness.Answer, map[string]any)) {
	mobile := s.Mobile()
	own := s.Client().SignInOn(s.DeviceKey(), mobile)
	own.Enrol("Asha Test")
	address := own.OtherChannel()
	as := func(c *harness.Client, path string, body map[string]any) {
		add(path, func(t *testing.T, raw []byte) harness.Answer { t.Helper(); return ask(t, c, "POST", path, raw) }, body)
	}
	have := len(s.To(mobile))
	first, second := s.Client().SignInOn(s.DeviceKey(), mobile), s.Client().SignInOn(s.DeviceKey(), mobile)
	txn, code := first.OtherCode(address)
	s.AwaitMessages(mobile, have+3, 10*time.Second) // two codes, and two notices beside them
	s.AwaitMessages(address, 4, 10*time.Second)
	as(first, "/v3/devices/confirm", map[string]any{"otp": harness.Digest(code), "txnId": txn})
	as(second, "/v3/devices/code", map[string]any{})
	for _, d := range own.Devices().Devices {
		if !d.This {
			as(own, "/v3/devices/end", map[string]any{"id": d.ID})
			break
		}
	}
	as(own, "/v3/pin", map[string]any{"pin": "482913", "old_pin": "592031"})
	as(own, "/v3/pin/give", map[string]any{"pin": "482913"})
	as(own, "/v3/pin/delete", map[string]any{"pin": "482913"})
}
