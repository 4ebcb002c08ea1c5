package redteam

import "tikakosh/test/harness"

// withoutStaffKeys are those whose request carries no proof by a key of staff, and none for
// a bearer: neither makes a device of a household.
func withoutStaffKeys() []string {
	return []string{byNone, byOther, byPartner, byStranger, byBoth, byOwn, byMInvited}
}

// deviced is a household with a device of its own.
func (w *stage) deviced() (q asked) {
	w.t.Helper()
	q.mobile = w.s.Mobile()
	q.own = w.s.Client().SignInOn(w.s.DeviceKey(), q.mobile)
	q.secrets = []string{q.own.Enrol("Asha Endpoint"), q.mobile[6:]}
	return q
}

// waits is such a household on a device that is new to it, with another channel.
func (w *stage) waits() (q asked, address string) {
	w.t.Helper()
	q = w.deviced()
	address = q.own.OtherChannel()
	q.own = w.s.Client().SignInOn(w.s.DeviceKey(), q.mobile)
	q.secrets = append(q.secrets, address)
	return q, address
}

// deviceForms are about how a household signs in.
func (w *stage) deviceForms(out map[string]form) {
	mine := func(method, path string, may []string, make func() asked) { mine(out, method, path, may, make) }
	const pin = "482913"
	mine("GET", "/v3/devices", households(), func() asked { return w.deviced() })
	mine("POST", "/v3/devices/end", []string{byOwn}, func() asked {
		q := w.deviced()
		w.s.Client().SignInOn(w.s.DeviceKey(), q.mobile)
		for _, d := range q.own.Devices().Devices {
			if !d.This {
				q.body = map[string]any{"id": d.ID}
				q.secrets = append(q.secrets, d.ID)
			}
		}
		return q
	})
	mine("POST", "/v3/devices/code", []string{byOwn}, func() asked { q, _ := w.waits(); q.body = map[string]any{}; return q })
	mine("POST", "/v3/devices/confirm", []string{byOwn}, func() asked {
		q, address := w.waits()
		txn, code := q.own.OtherCode(address)
		q.body = map[string]any{"otp": harness.Digest(code), "txnId": txn}
		return q
	})
	mine("POST", "/v3/pin", households(), func() asked { q := w.deviced(); q.body = map[string]any{"pin": pin, "old_pin": pin}; return q })
	mine("POST", "/v3/pin/give", []string{byOwn}, func() asked {
		q := w.deviced()
		if a := q.own.Must("POST", "/v3/pin", map[string]any{"pin": "592031"}); !a.OK() {
			w.t.Fatalf("a PIN: %s", a.Text())
		}
		q.body = map[string]any{"pin": "592031"}
		return q
	})
	mine("POST", "/v3/pin/delete", households(), func() asked { q := w.deviced(); q.body = map[string]any{"pin": pin}; return q })
}
