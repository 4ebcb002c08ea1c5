package redteam

import "tikakosh/test/harness"

// requestForms are those of what people ask about their own records. An opening by the
// household itself is answered by the nation's privacy officer.
func (w *stage) requestForms(out map[string]form) {
	wrong := func() asked {
		q, ref := w.home("Asha Endpoint")
		q.body = q.own.LooksWrong(ref, "", "holder")
		return q
	}
	asks := func() asked {
		q := wrong()
		a := q.own.Must("POST", harness.RequestsPath, q.body)
		if !a.OK() {
			w.t.Fatalf("a request: %s", a.Text())
		}
		q.body = map[string]any{"tracking_number": a.Field("tracking_number")}
		return q
	}
	mine(out, "POST", harness.RequestsPath, []string{byOwn}, wrong)
	mine(out, "GET", harness.RequestsPath, households(), func() asked { q := asks(); q.body = nil; return q })
	mine(out, "GET", "/v3/export", households(), func() asked { q, _ := w.home("Asha Endpoint"); return q })
	mine(out, "POST", harness.RequestsPath+"/withdraw", []string{byOwn}, asks)
	staff := func(method, path string, may []string, make func() asked) {
		out[method+" /api"+path] = form{may: may, each: true, make: func() asked { q := make(); q.path = path; return q }}
	}
	staff("GET", harness.StaffRequestsPath, []string{byManager, byManager2, byMManager, byMDistrict, byMPrivacy}, func() asked { return w.nobody() })
	staff("POST", harness.StaffRequestsPath+"/read", []string{byMPrivacy}, asks)
	staff("POST", harness.StaffRequestsPath+"/decide", []string{byMPrivacy}, func() asked {
		q := asks()
		q.body["outcome"], q.body["reason"] = "refused", "It was you."
		return q
	})
}
