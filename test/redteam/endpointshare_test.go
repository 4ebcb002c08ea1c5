package redteam

// shareForms are those of the routes about links that open a certificate.
func (w *stage) shareForms(out map[string]form) {
	mine := func(path string, more map[string]any) {
		mine(out, "POST", path, []string{byOwn}, func() asked {
			q, ref := w.vaccinated()
			q.body = map[string]any{"beneficiary_reference_id": ref}
			if path != "/v3/shares" {
				a := q.own.Must("POST", "/v3/shares", q.body)
				q.secrets = append(q.secrets, a.Field("id"), a.Field("token"))
				if more != nil {
					q.body = map[string]any{"beneficiary_reference_id": ref, "id": a.Field("id")}
				}
			}
			return q
		})
	}
	mine("/v3/shares", nil)
	mine("/v3/shares/list", nil)
	mine("/v3/shares/end", map[string]any{})
	// What opens a certificate is the secret, whoever brings it.
	token := ""
	out["POST /api/v3/shares/open"] = form{may: everybody(), make: func() asked {
		q := w.nobody()
		if q.path = "/v3/shares/open"; token == "" {
			v, ref := w.vaccinated()
			token = v.own.Must("POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref}).Field("token")
		}
		q.body = map[string]any{"token": token}
		return q
	}}
}
