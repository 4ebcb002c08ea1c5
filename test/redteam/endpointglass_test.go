package redteam

import "tikakosh/test/harness"

// glassForms are those of break-glass, and of who has seen to what tripped. The stage's
// members touch no passkey for these requests, so that none of them is taken from any.
func (w *stage) glassForms(out map[string]form) {
	const none = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
	post := func(path string, body map[string]any) {
		out["POST /api"+path] = form{make: func() asked {
			q, ref := w.home("Asha Endpoint")
			q.path, q.body = path, body
			if path == harness.GlassPath {
				q.body["beneficiary_reference_id"] = ref
			}
			return q
		}}
	}
	post(harness.GlassPath, map[string]any{"nonce": none, "reason": "unconscious"})
	post(harness.GlassPath+"/approve", map[string]any{"nonce": none, "request_id": none, "about": "reference 12345678901234", "reason": "unconscious"})
	post(harness.GlassPath+"/open", map[string]any{"request_id": none})
	post("/v3/staff/tripped/seen", map[string]any{"alert_id": none, "note": "called the centre"})
	get := func(path string, may ...string) {
		out["GET /api"+path] = form{may: may, each: true, make: func() asked { q := w.nobody(); q.path = path; return q }}
	}
	get(harness.GlassPath+"/waiting", byVacc, byVacc2, byManager, byManager2, byMManager, byMVacc, byMVerifier, byMOffDuty) // each of what waits at their own centre
	get(harness.GlassPath, byManager, byManager2, byMManager, byMPrivacy)
}
