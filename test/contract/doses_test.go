package contract

import (
	"fmt"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// unconfirmed is a person with a dose that was recorded without evidence.
func unconfirmed(s *harness.Server, name string) (c *harness.Client, ref, event string) {
	c, _ = s.Holder()
	ref = c.Enrol(name)
	s.WriteDose(s.Today(), ref)
	return c, ref, c.AwaitDose(ref, "unconfirmed").Event
}

func correctionForm(s *harness.Server, kind, ref, event string) map[string]any {
	return map[string]any{"kind": kind, "center_id": s.StaffKey("manager").Centre, "event_id": event, "beneficiary_reference_id": ref, "reason": "written down wrongly"}
}

func abroadForm(s *harness.Server, card harness.Card) map[string]any {
	return map[string]any{"source": "abroad", "country": "SG", "beneficiary_reference_id": card.Reference, "center_id": s.StaffKey("vaccinator").Centre, "vaccine": "COVISHIELD",
		"dose": 1, "dose_date": s.Now().AddDate(0, 0, -90).Format("02-01-2006"), "vaccinator_name": "Demo Vaccinator", "card": card.Text}
}

// doseForms are forms of the routes about dose events.
func doseForms(s *harness.Server, by func(role, path string) func(*testing.T, []byte) harness.Answer, add func(string, func(*testing.T, []byte) harness.Answer, map[string]any)) {
	for path, reason := range map[string]string{harness.ConfirmPath: "", harness.DisputePath: "not mine"} {
		c, ref, event := unconfirmed(s, "Asha Test")
		body := map[string]any{"beneficiary_reference_id": ref, "event_id": event}
		if reason != "" {
			body["reason"] = reason
		}
		add(path, func(t *testing.T, body []byte) harness.Answer { t.Helper(); return ask(t, c, "POST", path, body) }, body)
	}
	add(harness.GivenPath, by("vaccinator", harness.GivenPath), abroadForm(s, s.WalkIn(harness.Person{Name: "Abroad Test"})))
	add(harness.UnmatchedPath, by("manager", harness.UnmatchedPath), map[string]any{"center_id": s.StaffKey("manager").Centre})
	_, ref, event := unconfirmed(s, "Ravi Test")
	add(harness.ProposePath, by("manager", harness.ProposePath), correctionForm(s, "revoke", ref, event))
	form := correctionForm(s, "revoke", ref, event)
	form["correction_id"] = s.Client().Signed(s.StaffKey("manager"), harness.ProposePath, form).Field("correction_id")
	add(harness.ApprovePath, by("vaccinator", harness.ApprovePath), form)
}

// doses walks the routes about dose events, in a centre whose session of today
// is open.
func (r *tour) doses(c *harness.Client) {
	r.Helper()
	ref := c.Enrol("Sita Test")
	form := harness.DoseForm(r.s.Today(), ref, "", 1)
	delete(form, "security_code")
	r.signed(r.s.StaffKey("vaccinator"), harness.VaccinatePath, form)
	d := c.AwaitDose(ref, "unconfirmed")
	list := r.good(c, "GET", harness.DosesPath, nil)
	r.private(list, list.Field("view_ref"))
	r.good(c, "POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": ref, "event_id": d.Event})
	other := c.Enrol("Uma Test")
	form["beneficiary_reference_id"] = other
	r.signed(r.s.StaffKey("vaccinator"), harness.VaccinatePath, form)
	o := c.AwaitDose(other, "unconfirmed")
	r.good(c, "POST", harness.DisputePath, map[string]any{"beneficiary_reference_id": other, "event_id": o.Event, "reason": "not there"})
	k := r.s.StaffKey("vaccinator")
	r.signed(k, harness.GivenPath, abroadForm(r.s, r.s.WalkIn(harness.Person{Name: "Abroad Test"})))
	m := r.s.StaffKey("manager")
	r.signed(m, harness.UnmatchedPath, map[string]any{"center_id": m.Centre})
	change := correctionForm(r.s, "correct", ref, d.Event)
	change["vaccine_batch"] = "TEST-9"
	change["correction_id"] = r.signedFor(m, harness.ProposePath, change).Field("correction_id")
	r.signedGet(m, fmt.Sprintf("%s?center_id=%d", harness.ProposePath, m.Centre))
	one := r.signedGet(m, fmt.Sprintf("%s?center_id=%d&correction_id=%s", harness.ProposePath, m.Centre, change["correction_id"]))
	r.private(one, one.Field("view_ref"))
	r.signed(k, harness.ApprovePath, change)
	r.good(c, "GET", harness.StatusPath, nil)
	r.good(c, "GET", harness.RulesPath, nil)
}

// signedGet is good with a staff key's proof over the address with its query.
func (r *tour) signedGet(k harness.StaffKey, path string) harness.Answer {
	r.Helper()
	proof, err := k.Sign(harness.Claims("GET", r.s.API+path, nil, r.s.Now()))
	if err != nil {
		r.Fatal(err)
	}
	return r.good(r.s.Client(), "GET", path, nil, "DPoP", proof)
}

// TestWaitingRefusals: the list of what waits for a second person is its centre's
// managers', and a malformed request is refused in the contract's shape.
func TestWaitingRefusals(t *testing.T) {
	s := server(t)
	m, v := s.StaffKey("manager"), s.StaffKey("vaccinator")
	c := s.Client()
	list := fmt.Sprintf("%s?center_id=%d", harness.ProposePath, m.Centre)
	for name, x := range map[string]struct {
		a      harness.Answer
		status int
	}{
		"no centre": {c.SignedGet(m, harness.ProposePath), 400}, "a centre that is no number": {c.SignedGet(m, harness.ProposePath+"?center_id=x"), 400},
		"an id that is none": {c.SignedGet(m, list+"&correction_id=x"), 400}, "nobody's proposal": {c.SignedGet(m, list+"&correction_id="+nowhere), 404},
		"a vaccinator": {c.SignedGet(v, list), 403}, "another centre": {c.SignedGet(m, fmt.Sprintf("%s?center_id=%d", harness.ProposePath, m.Centre+1)), 403},
		"no proof": {c.Must("GET", list, nil), 401}, "a bad page": {c.Must("GET", harness.StatusPath+"?after=x", nil), 400},
	} {
		if x.a.Status != x.status {
			t.Errorf("%s: %s", name, x.a.Text())
		}
	}
}

// TestClearTexts: a refusal says what is wrong with what was sent, in both languages.
func TestClearTexts(t *testing.T) {
	s := server(t)
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	born := harness.Person{Name: "Ravi Test", ID: s.PAN()}.Form()
	born["birth_year"], born["birth_date"] = "1980", "01-02-1981"
	m := s.StaffKey("manager")
	form := correctionForm(s, "revoke", ref, "x")
	for name, x := range map[string]struct {
		a      harness.Answer
		status int
		text   string
	}{
		"birth":                {c.Must("POST", enrolPath, born), 400, "contradict"},
		"birth, Hindi":         {c.Must("POST", enrolPath, born, "Accept-Language", "hi_IN"), 400, "मेल नहीं खाते"},
		"a bogus event":        {c.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": ref, "event_id": "x"}), 400, "event_id is not an id"},
		"no event":             {c.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": ref}), 400, "missing: event_id"},
		"a bogus event, staff": {s.Client().Signed(m, harness.ProposePath, form), 400, "event_id is not an id"},
		"no dose":              {c.Certificate(ref), 404, "No dose of this person counts"},
		"a stranger's":         {c.Certificate("10000000000009"), 404, "Not found"},
	} {
		if x.a.Status != x.status || !strings.Contains(x.a.Field("error"), x.text) {
			t.Errorf("%s: %s", name, x.a.Text())
		}
	}
}
