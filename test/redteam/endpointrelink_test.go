package redteam

import "tikakosh/test/harness"

// relinkForms are those of lost phones and changed numbers. The stage's members touch no
// passkey for these requests, so that none is taken from any; what waits, and who may stop it
// or take it over, K1 to K8 and internal/vault/keeper look at.
func (w *stage) relinkForms(out map[string]form) {
	const none = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
	staff := func(path string, body map[string]any) {
		out["POST /api"+path] = form{make: func() asked {
			q, ref := w.home("Asha Endpoint")
			q.path, q.body = path, body
			if path == harness.RelinkPath {
				q.body["beneficiary_reference_id"] = ref
			}
			return q
		}}
	}
	staff(harness.RelinkPath, map[string]any{"nonce": none, "photo_id_type": 6, "photo_id_number": "ABCDE1234F", "mobile_number": "5000000291", "reason": "phone lost"})
	staff(harness.RelinkPath+"/approve", map[string]any{"nonce": none, "request_id": none, "about": "reference 12345678901234", "reason": "phone lost"})
	staff(harness.RelinkPath+"/stop", map[string]any{"request_id": none, "reason": "the holder rang"})
	mine(out, "GET", harness.MovesPath, households(), func() asked { q, _ := w.home("Asha Endpoint"); return q })
	mine(out, "POST", harness.MovesPath+"/stop", nil, func() asked {
		q, _ := w.home("Asha Endpoint")
		q.body = map[string]any{"request_id": none}
		return q
	})
	mine(out, "POST", harness.MovesPath+"/finish", nil, func() asked {
		q, ref := w.home("Asha Endpoint")
		q.body = map[string]any{"beneficiary_reference_id": ref}
		return q
	})
}
