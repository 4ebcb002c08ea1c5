package redteam

import (
	"encoding/json"
	"fmt"
	"testing"

	"tikakosh/test/harness"
)

// glassScene is a shift at the demo centre and the reference number of somebody who is not
// there.
func glassScene(t *testing.T, s *harness.Server) (w harness.Shift, victim string) {
	t.Helper()
	a, b, _ := s.Administrators()
	w = s.Shift(a, b)
	c, _ := s.Holder()
	return w, c.Enrol("Asha Test")
}

// broken reports whether a request is seen through.
func broken(d *harness.Desk, asked harness.Answer) bool {
	return asked.OK() && d.GlassOpen(asked.Field("request_id")).OK()
}

const approvePath = harness.GlassPath + "/approve"

// TestG1GlassAlone: one member of staff alone, and one human who is two members.
func TestG1GlassAlone(t *testing.T) {
	t.Parallel()
	run(t, "G1", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, victim := glassScene(t, s)
		second := w.Second
		q := w.A.Must(w.A.GlassAsk(victim, "asleep"))
		alone := w.A.TouchedBy(approvePath, harness.GlassApproval(q), w.A)
		opened := broken(w.A, q)
		grant := fmt.Sprintf("vaccinator@centre/1/1/%d", w.Day.Centre)
		twin := w.Admin.Invite(second, "Vani Test", grant) // the same human as A
		w.Admin.Must(w.Admin.Ask("POST", "roster", map[string]any{"member_id": twin.Member, "center_id": w.Day.Centre, "date": w.Day.Date, "on": true}))
		twin.Must(twin.SignIn(""))
		q = w.A.Must(w.A.GlassAsk(victim, "asleep"))
		twice := twin.TouchedBy(approvePath, harness.GlassApproval(q), twin)
		return opened || broken(w.A, q), fmt.Sprintf("approved by who asked: status %d; by the same human's other account: %d", alone.Status, twice.Status)
	}})
}

// TestG2GlassOldAssertion: at an unlocked desk, with what a second person's passkey
// signed an hour ago.
func TestG2GlassOldAssertion(t *testing.T) {
	t.Parallel()
	run(t, "G2", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, victim := glassScene(t, s)
		q := w.A.Must(w.A.GlassAsk(victim, "asleep"))
		n := w.A.Must(w.A.Ask("POST", "nonce", map[string]any{}))
		body := harness.GlassApproval(q)
		body["nonce"] = n.Field("nonce")
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		old := w.A.AssertionAt(n.Part("options"), approvePath, raw, w.B) // at A's screen
		w.A.Must(w.A.At("POST", approvePath, raw, "X-Assertion", old))
		next := w.A.Must(w.A.GlassAsk(victim, "asleep"))
		replay := func(nonce string) harness.Answer {
			body := harness.GlassApproval(next)
			body["nonce"] = nonce
			return w.A.At("POST", approvePath, body, "X-Assertion", old)
		}
		again := replay(n.Field("nonce"))
		fresh := replay(w.A.Must(w.A.Ask("POST", "nonce", map[string]any{})).Field("nonce"))
		return broken(w.A, next), fmt.Sprintf("a second request with the assertion of the first, old nonce: status %d, new nonce: %d", again.Status, fresh.Status)
	}})
}

// TestG3GlassThird: two members of staff who agree, as often as they like.
func TestG3GlassThird(t *testing.T) {
	t.Parallel()
	run(t, "G3", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, victim := glassScene(t, s)
		opened := 0
		var asked []harness.Answer
		for range 3 { // all asked for and approved before the first is opened
			q := w.A.Must(w.A.GlassAsk(victim, "asleep"))
			w.B.Must(w.B.TouchedBy(approvePath, harness.GlassApproval(q), w.B))
			asked = append(asked, q)
		}
		for _, q := range asked {
			if broken(w.A, q) {
				opened++
			}
		}
		after := w.A.GlassAsk(victim, "asleep")
		return opened > 2, fmt.Sprintf("%d of 3 opened; a further request: status %d", opened, after.Status)
	}})
}

// TestG4GlassBait: the second person is shown one request and their approval is sent for
// another one.
func TestG4GlassBait(t *testing.T) {
	t.Parallel()
	run(t, "G4", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		w, victim := glassScene(t, s)
		c, _ := s.Holder()
		shown := w.A.Must(w.A.GlassAsk(c.Enrol("Ravi Test"), "lies here"))
		meant := w.A.Must(w.A.GlassAsk(victim, "asleep"))
		body := harness.GlassApproval(shown)
		body["request_id"] = meant.Field("request_id")
		a := w.B.TouchedBy(approvePath, body, w.B)
		return broken(w.A, meant), fmt.Sprintf("an approval of what was shown, for another request: status %d", a.Status)
	}})
}
