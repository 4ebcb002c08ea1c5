package contract

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/test/harness"
)

// shift is the staff of a centre on the world's server, and a household there.
func (w *staffWorld) shift(t *testing.T, lang string) (harness.Shift, string) {
	t.Helper()
	a, b := w.desk(t, w.a), w.desk(t, w.b)
	s := a.Shift(a, b)
	for _, d := range []*harness.Desk{s.A, s.B, s.Admin} {
		d.Language = lang
	}
	c, _ := a.Holder()
	return s, c.Enrol("Asha Test")
}

// toldAt holds an answer and the request against the description.
func (r *tour) toldAt(method, path string, body any, a harness.Answer) harness.Answer {
	r.Helper()
	doc := description(r.T)
	template, op := operation(doc, method, "/api"+path)
	if op == nil {
		r.Fatalf("%s %s is not described", method, path)
	}
	r.seen[method+" "+template] = true
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			r.Fatal(err)
		}
		if err := jsonMismatch(op.RequestBody.Value.Content["application/json"].Schema.Value, raw, openapi3.VisitAsRequest()); err != nil {
			r.Errorf("%s: the request is not as described: %v", path, err)
		}
	}
	if err := mismatch(doc, method, "/api"+path, a); err != nil {
		r.Errorf("%s %s: %v", method, path, err)
	}
	if !a.OK() {
		r.Fatalf("%s %s: %s", method, path, a.Text())
	}
	return a
}

// glass walks break-glass.
func (r *tour) glass() {
	r.Helper()
	w := shared.staff()
	s, ref := w.shift(r.T, r.lang)
	officer := s.Admin.Invite(w.desk(r.T, w.b), "Pia Test", "privacy@national")
	officer.Language = r.lang
	ask := map[string]any{"beneficiary_reference_id": ref, "reason": "unconscious"}
	asked := r.toldAt("POST", harness.GlassPath, ask, s.A.TouchedBy(harness.GlassPath, ask, s.A))
	r.toldAt("GET", harness.GlassPath+"/waiting", nil, s.B.At("GET", harness.GlassPath+"/waiting", nil))
	approval := harness.GlassApproval(asked)
	r.toldAt("POST", harness.GlassPath+"/approve", approval, s.B.TouchedBy(harness.GlassPath+"/approve", approval, s.B))
	open := map[string]any{"request_id": asked.Field("request_id")}
	view := r.toldAt("POST", harness.GlassPath+"/open", open, s.A.At("POST", harness.GlassPath+"/open", open))
	r.private(view, view.Field("view_ref"))
	r.toldAt("GET", harness.GlassPath, nil, officer.At("GET", harness.GlassPath, nil))
	seen := map[string]any{"alert_id": alertOf(r.T, r.toldAt("GET", trippedPath, nil, officer.At("GET", trippedPath, nil))), "note": "called the centre"}
	r.toldAt("POST", trippedPath+"/seen", seen, officer.At("POST", trippedPath+"/seen", seen))
}

// alertOf is the newest thing that tripped.
func alertOf(t *testing.T, a harness.Answer) string {
	t.Helper()
	var list struct {
		Tripped []struct {
			ID string `json:"alert_id"`
		}
	}
	if err := json.Unmarshal(a.Body, &list); err != nil || len(list.Tripped) == 0 {
		t.Fatalf("%v: %s", err, a.Text())
	}
	return list.Tripped[0].ID
}

// glassForms are the good requests of break-glass. What they are about is asked for, and
// approved, when it is first needed, and again before its five minutes are over.
func glassForms(t *testing.T, add func(path string, send func(*testing.T, []byte) harness.Answer, body map[string]any)) {
	t.Helper()
	w := shared.staff()
	s, ref := w.shift(t, "")
	asks := func(approved bool) func(t *testing.T) harness.Answer {
		var got harness.Answer
		var at time.Time
		return func(t *testing.T) harness.Answer {
			t.Helper()
			if time.Since(at) < 4*time.Minute {
				return got
			}
			at, got = time.Now(), s.A.Must(s.A.GlassAsk(ref, "unconscious"))
			if approved {
				s.B.Must(s.B.TouchedBy(harness.GlassPath+"/approve", harness.GlassApproval(got), s.B))
			}
			return got
		}
	}
	waiting, approved := asks(false), asks(true)
	officer := s.Admin.Invite(w.desk(t, w.b), "Pia Test", "privacy@national")
	s.B.Must(s.B.SignIn(""))
	first := s.B.Must(s.B.GlassAsk(ref, "unconscious"))
	s.A.Must(s.A.TouchedBy(harness.GlassPath+"/approve", harness.GlassApproval(first), s.A))
	s.B.Must(s.B.GlassOpen(first.Field("request_id")))
	alert := alertOf(t, officer.Must(officer.At("GET", trippedPath, nil)))
	add(trippedPath+"/seen", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return officer.At("POST", trippedPath+"/seen", raw)
	}, map[string]any{"alert_id": alert, "note": "called the centre"})
	add(harness.GlassPath, func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return s.A.FreshRaw(harness.GlassPath, raw, placeholder, s.A)
	}, map[string]any{"nonce": placeholder, "beneficiary_reference_id": ref, "reason": "unconscious"})
	add(harness.GlassPath+"/approve", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		raw = bytes.ReplaceAll(raw, []byte(nowhere), []byte(waiting(t).Field("request_id")))
		return s.B.FreshRaw(harness.GlassPath+"/approve", raw, placeholder, s.B)
	}, map[string]any{"nonce": placeholder, "request_id": nowhere, "about": "reference " + ref, "reason": "unconscious"})
	add(harness.GlassPath+"/open", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return s.A.At("POST", harness.GlassPath+"/open", bytes.ReplaceAll(raw, []byte(nowhere), []byte(approved(t).Field("request_id"))))
	}, map[string]any{"request_id": nowhere})
}
