package contract

import (
	"bytes"
	"testing"
	"time"

	"tikakosh/test/harness"
)

const (
	relinkPath = harness.RelinkPath
	movesPath  = harness.MovesPath
)

// TestRelinkErrors: what is refused about a lost phone, in each language.
func TestRelinkErrors(t *testing.T) {
	w := shared.moves()
	s := w.server.For(t)
	shift, _ := w.shift(t, "")
	lost := s.Lost(1)
	asked := shift.A.Must(shift.A.RelinkAsk(lost))
	begun := shift.B.Must(shift.B.RelinkAgree(asked))
	stranger, _ := s.Holder()
	s.OpenToday()
	card := s.Client().ByCard(s.WalkIn(harness.Person{Name: "Asha Test"}))
	for _, r := range []struct {
		refused
		by *harness.Client
	}{
		{refused{"a stranger stops it", "POST", movesPath + "/stop", map[string]any{"request_id": begun.Field("request_id")}, 404, "NOTFOUND"}, stranger},
		{refused{"nothing to stop", "POST", movesPath + "/stop", map[string]any{"request_id": nowhere}, 404, "NOTFOUND"}, lost.Holder},
		{refused{"a stranger takes over", "POST", movesPath + "/finish", map[string]any{"beneficiary_reference_id": lost.Reference}, 404, "NOTFOUND"}, stranger},
		{refused{"the old number takes over", "POST", movesPath + "/finish", map[string]any{"beneficiary_reference_id": lost.Reference}, 404, "NOTFOUND"}, lost.Holder},
		{refused{"a card takes over", "POST", movesPath + "/finish", map[string]any{"beneficiary_reference_id": lost.Reference}, 403, "card"}, card},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) {
				r.checkIn(t, lang, ask(t, r.by, r.method, r.path, r.body, "Accept-Language", lang))
			})
		}
	}
	for _, lang := range languages {
		shift.A.Language, shift.B.Language = lang, lang
		other := s.Lost(1)
		other.Document = s.PAN()
		q := shift.A.Must(shift.A.RelinkAsk(other))
		refused{name: "another document", status: 404, code: "NOTFOUND"}.checkIn(t, lang, shift.B.RelinkAgree(q))
		same := s.Lost(1)
		same.New = same.Old
		q = shift.A.Must(shift.A.RelinkAsk(same))
		refused{name: "the number they have", status: 409, code: "linked"}.checkIn(t, lang, shift.B.RelinkAgree(q))
	}
}

// relink walks a lost phone to its end, and another one to its no.
func (r *tour) relink() {
	r.Helper()
	w := shared.moves()
	s := w.server.For(r.T)
	shift, _ := w.shift(r.T, r.lang)
	begin := func(l harness.Lost) harness.Answer {
		ask := l.RelinkForm()
		asked := r.toldAt("POST", relinkPath, ask, shift.A.TouchedBy(relinkPath, ask, shift.A))
		approval := harness.GlassApproval(asked)
		return r.toldAt("POST", relinkPath+"/approve", approval, shift.B.TouchedBy(relinkPath+"/approve", approval, shift.B))
	}
	lost := s.Lost(2)
	q := begin(lost)
	r.toldAt("GET", movesPath, nil, lost.Holder.Must("GET", movesPath, nil))
	stop := map[string]any{"request_id": q.Field("request_id")}
	r.toldAt("POST", movesPath+"/stop", stop, lost.Holder.Must("POST", movesPath+"/stop", stop))
	staff := map[string]any{"request_id": begin(lost).Field("request_id"), "reason": "the holder rang"}
	r.toldAt("POST", relinkPath+"/stop", staff, shift.A.At("POST", relinkPath+"/stop", staff))
	begin(lost)
	c := s.Client().SignIn(lost.New)
	finish := map[string]any{"beneficiary_reference_id": lost.Reference}
	r.toldAt("POST", movesPath+"/finish", finish, c.Must("POST", movesPath+"/finish", finish))
	if got := c.Beneficiaries(); len(got) != 1 || got[0].Reference != lost.Reference {
		r.Errorf("under the new number: %+v", got)
	}
}

// relinkForms are the good requests of re-linking, each about somebody of its own. What they
// need is made when it is first needed, and again before its five minutes are over.
func relinkForms(t *testing.T, add func(path string, send func(*testing.T, []byte) harness.Answer, body map[string]any)) {
	t.Helper()
	w := shared.moves()
	s := w.server.For(t)
	shift, _ := w.shift(t, "")
	lost := s.Lost(1)
	var asked harness.Answer
	var at time.Time
	waiting := func() harness.Answer {
		if time.Since(at) > 4*time.Minute {
			at, asked = time.Now(), shift.A.Must(shift.A.RelinkAsk(lost))
		}
		return asked
	}
	form := lost.RelinkForm()
	form["nonce"] = placeholder
	add(relinkPath, func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return shift.A.FreshRaw(relinkPath, raw, placeholder, shift.A)
	}, form)
	approval := harness.GlassApproval(waiting())
	approval["nonce"], approval["request_id"] = placeholder, nowhere
	add(relinkPath+"/approve", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return shift.B.FreshRaw(relinkPath+"/approve", bytes.ReplaceAll(raw, []byte(nowhere), []byte(waiting().Field("request_id"))), placeholder, shift.B)
	}, approval)
	one, two, three := s.Lost(1), s.Lost(1), s.Lost(1)
	first, second := shift.Relink(one).Field("request_id"), shift.Relink(two).Field("request_id")
	shift.Relink(three)
	add(relinkPath+"/stop", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return shift.A.At("POST", relinkPath+"/stop", raw)
	}, map[string]any{"request_id": first, "reason": "the holder rang"})
	add(movesPath+"/stop", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return ask(t, two.Holder, "POST", movesPath+"/stop", raw)
	}, map[string]any{"request_id": second})
	c := s.Client().SignIn(three.New)
	add(movesPath+"/finish", func(t *testing.T, raw []byte) harness.Answer {
		t.Helper()
		return ask(t, c, "POST", movesPath+"/finish", raw)
	}, map[string]any{"beneficiary_reference_id": three.Reference})
}
