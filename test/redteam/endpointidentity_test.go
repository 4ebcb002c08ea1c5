package redteam

import (
	"strings"

	"tikakosh/test/harness"
)

// identityForms are those of the routes of staff who sign in. Everybody of this stage
// is a machine or no member of staff, so that nobody may send them; what members may of
// each other is tested with them. Who begins a sign-in is nobody yet.
func (w *stage) identityForms(out map[string]form) {
	const none = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
	credential := map[string]any{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": map[string]any{}}
	post := func(act string, may []string, body map[string]any) {
		out["POST /api"+harness.IdentityPath+act] = form{may: may, each: len(may) > 1, make: func() asked {
			q := w.nobody()
			q.path, q.body = harness.IdentityPath+act, body
			return q
		}}
	}
	post("enrol/begin", nil, map[string]any{"link": none + ".aaaaaaaaaaaaaaaaaaaaaaaaaa"})
	post("enrol/finish", nil, map[string]any{"ceremony": none, "credential": credential})
	post("sign-in/begin", []string{byPartner, byStranger, byBoth}, map[string]any{})
	post("sign-in/finish", nil, map[string]any{"ceremony": none, "credential": credential})
	post("sign-out", nil, map[string]any{})
	post("nonce", nil, map[string]any{})
	post("session/grant", nil, map[string]any{"grant": harness.National})
	post("sessions/end", nil, map[string]any{"member_id": none})
	post("devices/link", nil, map[string]any{"nonce": none})
	post("devices/end", nil, map[string]any{"member_id": none, "device_id": "x", "reason": "lost"})
	post("invitations", nil, map[string]any{"nonce": none, "name": "Omar Test", "grant": harness.National})
	post("grants", nil, map[string]any{"nonce": none, "member_id": none, "grant": harness.National})
	post("grants/end", nil, map[string]any{"member_id": none, "grant": harness.National, "reason": "x"})
	post("recovery", nil, map[string]any{"nonce": none, "member_id": none})
	post("approve", nil, map[string]any{"nonce": none, "proposal_id": none})
	post("withdraw", nil, map[string]any{"proposal_id": none})
	post("members/disable", nil, map[string]any{"member_id": none, "reason": "x"})
	post("changes", nil, map[string]any{"nonce": none, "kind": "roster-mode", "center_id": w.today.Centre, "on": true})
	post("roster", nil, map[string]any{"member_id": none, "center_id": w.today.Centre, "date": w.s.Indian(), "on": true})
	for _, path := range []string{"me", "proposals", "members", "members/one?member_id=" + none, "changes/one?proposal_id=" + none, "roster?center_id=1&date=" + w.s.Indian()} {
		name, _, _ := strings.Cut(path, "?")
		out["GET /api"+harness.IdentityPath+name] = form{make: func() asked {
			q := w.nobody()
			q.path = harness.IdentityPath + path
			return q
		}}
	}
}
