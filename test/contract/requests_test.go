package contract

import (
	"testing"

	"tikakosh/test/harness"
)

// requests walks what people ask about their own records.
func (r *tour) requests() {
	r.Helper()
	w := shared.staff()
	s, _ := w.shift(r.T, r.lang)
	officer := s.Admin.Invite(w.desk(r.T, w.b), "Pia Test", "privacy@national")
	officer.Language = r.lang
	c, _ := s.A.Holder()
	ref, other := c.Enrol("Asha Test"), c.Enrol("Uma Test")
	asked := r.good(c, "POST", harness.RequestsPath, c.LooksWrong(ref, "", "holder"))
	number := map[string]any{"tracking_number": asked.Field("tracking_number")}
	r.toldAt("GET", harness.StaffRequestsPath, nil, officer.At("GET", harness.StaffRequestsPath, nil))
	read := r.toldAt("POST", harness.StaffRequestsPath+"/read", number, officer.At("POST", harness.StaffRequestsPath+"/read", number))
	r.private(read, read.Field("view_ref"))
	answer := map[string]any{"tracking_number": asked.Field("tracking_number"), "outcome": "refused", "reason": "It was you."}
	r.toldAt("POST", harness.StaffRequestsPath+"/decide", answer, officer.At("POST", harness.StaffRequestsPath+"/decide", answer))
	list := r.good(c, "GET", harness.RequestsPath, nil)
	r.private(list, list.Field("view_ref"))
	file := r.good(c, "GET", "/v3/export", nil)
	r.private(file, file.Field("view_ref"))
	apart := r.good(c, "POST", harness.RequestsPath, map[string]any{"kind": "member", "beneficiary_reference_id": other, "text": "I do not know her.", "request_key": "k"})
	r.good(c, "POST", harness.RequestsPath+"/withdraw", map[string]any{"tracking_number": apart.Field("tracking_number")})
}

// requestForms are the good requests about what people ask.
func requestForms(t *testing.T, add func(path string, send func(*testing.T, []byte) harness.Answer, body map[string]any)) {
	t.Helper()
	w := shared.staff()
	s, _ := w.shift(t, "")
	officer := s.Admin.Invite(w.desk(t, w.b), "Pia Test", "privacy@national")
	c, _ := s.A.Holder()
	ref := c.Enrol("Asha Test")
	form := c.LooksWrong(ref, "", "holder")
	asked := want(t, ask(t, c, "POST", harness.RequestsPath, form), 200).Field("tracking_number")
	mine := func(path string) func(*testing.T, []byte) harness.Answer {
		return func(t *testing.T, raw []byte) harness.Answer { t.Helper(); return ask(t, c, "POST", path, raw) }
	}
	at := func(path string) func(*testing.T, []byte) harness.Answer {
		return func(t *testing.T, raw []byte) harness.Answer {
			t.Helper()
			return officer.At("POST", path, raw)
		}
	}
	add(harness.RequestsPath, mine(harness.RequestsPath), map[string]any{"kind": "details", "beneficiary_reference_id": ref, "center_id": 1, "text": "My name is spelled wrongly.", "name": "Asha Tester",
		"birth_year": 1980, "birth_date": "01-02-1980", "gender_id": 2, "request_key": "forms"})
	add(harness.StaffRequestsPath+"/read", at(harness.StaffRequestsPath+"/read"), map[string]any{"tracking_number": asked})
	add(harness.StaffRequestsPath+"/decide", at(harness.StaffRequestsPath+"/decide"), map[string]any{"tracking_number": asked, "outcome": "refused", "reason": "It was you."})
	other := want(t, ask(t, c, "POST", harness.RequestsPath, map[string]any{"kind": "details", "beneficiary_reference_id": ref, "center_id": 1, "text": "Wrong.", "gender_id": 1}), 200).Field("tracking_number")
	add(harness.RequestsPath+"/withdraw", mine(harness.RequestsPath+"/withdraw"), map[string]any{"tracking_number": other})
}
