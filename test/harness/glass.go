package harness

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// GlassPath is where break-glass begins, after /api.
const GlassPath = "/v3/staff/break-glass"

// At sends a request to any route of staff, signed with the desk's key. body is
// marshalled unless it is bytes.
func (d *Desk) At(method, path string, body any, header ...string) Answer {
	d.tb.Helper()
	var raw []byte
	var send any
	if b, ok := body.([]byte); ok {
		raw = b
	} else if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			d.tb.Fatal(err)
		}
	}
	if body != nil {
		send = raw
	}
	proof, err := d.Key.Sign(Claims(method, d.API+path, raw, d.Now()))
	if err != nil {
		d.tb.Fatal(err)
	}
	if d.Language != "" {
		header = append(header, "Accept-Language", d.Language)
	}
	return d.Client().Must(method, path, send, append(header, "DPoP", proof)...)
}

// nonceMark stands in a body for the nonce that is put there when it is sent.
const nonceMark = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a12"

// TouchedBy is At by POST with the assertion of a passkey over the request: the desk's own,
// or that of whoever stands at the same screen.
func (d *Desk) TouchedBy(path string, body map[string]any, passkey *Desk) Answer {
	d.tb.Helper()
	body["nonce"] = nonceMark
	raw, err := json.Marshal(body)
	if err != nil {
		d.tb.Fatal(err)
	}
	return d.FreshRaw(path, raw, nonceMark, passkey)
}

// FreshRaw is TouchedBy of bytes in which mark stands for the nonce.
func (d *Desk) FreshRaw(path string, raw []byte, mark string, passkey *Desk) Answer {
	d.tb.Helper()
	n := d.Ask("POST", "nonce", map[string]any{})
	if !n.OK() {
		return n
	}
	raw = bytes.ReplaceAll(raw, []byte(mark), []byte(n.Field("nonce")))
	return d.At("POST", path, raw, "X-Assertion", d.AssertionAt(n.Part("options"), path, raw, passkey))
}

// AssertionAt is the header by which a passkey signs one POST. One that is not the desk's
// own is asked as a browser does for whoever is there: with no list of credentials.
func (d *Desk) AssertionAt(options []byte, path string, raw []byte, passkey *Desk) string {
	d.tb.Helper()
	if passkey.Passkeys != d.Passkeys {
		var o map[string]any
		if err := json.Unmarshal(options, &o); err != nil {
			d.tb.Fatal(err)
		}
		delete(o, "allowCredentials")
		var err error
		if options, err = json.Marshal(o); err != nil {
			d.tb.Fatal(err)
		}
	}
	sum := sha256.Sum256([]byte("POST\n" + d.API + path + "\n" + string(raw)))
	answer, err := passkey.Passkeys.Get(options, sum[:])
	if err != nil {
		d.tb.Fatal(err)
	}
	return b64(answer)
}

// Shift is the staff of the demo staff's centre on a day: two vaccinators who are
// rostered, signed in, and the session that is open.
type Shift struct {
	A, B   *Desk
	Admin  *Desk
	Second *Desk // another administrator
	Day    Day
}

// Shift invites two vaccinators; admin and second are administrators.
func (s *Server) Shift(admin, second *Desk) Shift {
	s.tb.Helper()
	grant := fmt.Sprintf("vaccinator@centre/1/1/%d", s.StaffKey("vaccinator").Centre)
	w := Shift{Admin: admin, Second: second, A: admin.Invite(second, "Vani Test", grant), B: admin.Invite(second, "Viru Test", grant)}
	admin.Must(admin.SignIn(""))
	w.Begin()
	return w
}

// Begin opens today's session and puts both on its roster.
func (w *Shift) Begin() {
	w.Admin.tb.Helper()
	w.Day = w.Admin.OpenToday()
	for _, d := range []*Desk{w.A, w.B} {
		w.Admin.Must(w.Admin.Ask("POST", "roster", map[string]any{"member_id": d.Member, "center_id": w.Day.Centre, "date": w.Day.Date, "on": true}))
		d.Must(d.SignIn(""))
	}
}

// GlassAsk asks to break the glass for a reference number.
func (d *Desk) GlassAsk(ref, reason string) Answer {
	return d.TouchedBy(GlassPath, map[string]any{"beneficiary_reference_id": ref, "reason": reason}, d)
}

// GlassApproval is the body that approves what asked answers with.
func GlassApproval(asked Answer) map[string]any {
	return map[string]any{"request_id": asked.Field("request_id"), "about": asked.Field("about"), "reason": asked.Field("reason")}
}

// GlassOpen sees a request through.
func (d *Desk) GlassOpen(request string) Answer {
	return d.At("POST", GlassPath+"/open", map[string]any{"request_id": request})
}
