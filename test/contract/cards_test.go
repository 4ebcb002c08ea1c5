package contract

import (
	"encoding/base64"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// cardForms are the forms of the routes about cards and people at a centre.
func cardForms(s *harness.Server, asha string, public func(string, map[string]any),
	by func(role, path string) func(*testing.T, []byte) harness.Answer, add func(string, func(*testing.T, []byte) harness.Answer, map[string]any)) {
	staff := func(path string, body map[string]any) { add(path, by("vaccinator", path), body) }
	walkIn := harness.Person{Name: "Walk In", ID: s.PAN()}.Form()
	walkIn["mobile_number"] = s.Mobile()
	staff(harness.WalkInPath, walkIn)
	there, linked := s.WalkIn(harness.Person{Name: "Walk In"}), s.WalkIn(harness.Person{Name: "Linked Test"})
	staff(harness.OnspotPath, harness.OnspotForm(s.Today(), there, 1))
	staff(harness.StaffCodePath, map[string]any{"beneficiary_reference_id": asha})
	public(harness.CardSessionPath, map[string]any{"card": there.Text, "pin": there.PIN})
	home, _ := s.Holder()
	first, twin := home.Enrol("Asha Test"), home.Enrol("Asha Test")
	mine := func(path string, body map[string]any) {
		add(path, func(t *testing.T, body []byte) harness.Answer { t.Helper(); return ask(t, home, "POST", path, body) }, body)
	}
	mine(harness.LinkPath, map[string]any{"card": linked.Text, "pin": linked.PIN, "to_merge": "N"})
	mine(harness.UnlockPath, map[string]any{"card": linked.Text, "pin": linked.PIN})
	mine(harness.NewCardPath, map[string]any{"beneficiary_reference_id": first})
	mine(harness.MergePath, map[string]any{"keep": first, "merge": twin})
}

// staffGet is good with a staff key's proof and what a person showed.
func (r *tour) staffGet(k harness.StaffKey, path, reference, evidence string) harness.Answer {
	r.Helper()
	path += "?beneficiary_reference_id=" + reference
	proof, err := k.Sign(harness.Claims("GET", r.s.API+path, []byte(evidence), r.s.Now()))
	if err != nil {
		r.Fatal(err)
	}
	return r.good(r.s.Client(), "GET", path, nil, "DPoP", proof, "X-Evidence", evidence)
}

// cards walks the routes about cards and people at a centre, whose session of
// today is open.
func (r *tour) cards(c *harness.Client, asha string) {
	r.Helper()
	k := r.s.StaffKey("vaccinator")
	walkIn := func(name string) harness.Card {
		return harness.CardOf(r.signedFor(k, harness.WalkInPath, harness.Person{Name: name, ID: r.s.PAN()}.Form()))
	}
	card := walkIn("Ravi Test")
	r.signed(k, harness.OnspotPath, harness.OnspotForm(r.s.Today(), card, 1))
	form := harness.DoseForm(r.s.Today(), card.Reference, "", 1)
	delete(form, "security_code")
	form["card"] = card.Text
	r.signed(k, harness.VaccinatePath, form)
	view := r.staffGet(k, harness.StaffViewPath, card.Reference, "card "+card.Text)
	r.private(view, view.Field("view_ref"))
	pdf := r.staffGet(k, harness.StaffCertPath, card.Reference, "card "+card.Text)
	r.private(pdf, pdf.Header.Get("X-View-Reference"))
	r.signed(k, harness.StaffCodePath, map[string]any{"beneficiary_reference_id": asha})
	byCard := r.s.Client().With(r.good(r.s.Client(), "POST", harness.CardSessionPath, map[string]any{"card": card.Text, "pin": card.PIN}).Field("token"))
	r.good(byCard, "GET", "/v2/appointment/beneficiaries", nil)
	r.good(c, "POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN})
	r.good(c, "POST", harness.UnlockPath, map[string]any{"card": card.Text, "pin": card.PIN})
	fresh := r.good(c, "POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": card.Reference})
	if raw, err := base64.StdEncoding.DecodeString(fresh.Field("card_pdf")); err != nil || !strings.HasPrefix(string(raw), "%PDF-") {
		r.Errorf("card: %v", err)
	}
	twin := walkIn("Asha Test")
	r.good(c, "POST", harness.LinkPath, map[string]any{"card": twin.Text, "pin": twin.PIN, "to_merge": "Y"})
	r.good(c, "POST", harness.MergePath, map[string]any{"keep": asha, "merge": twin.Reference})
}

// TestStaffRefusals: a wrong or missing evidence, an unknown number and a number
// of somebody else are the same bytes; V3 does not exist.
func TestStaffRefusals(t *testing.T) {
	s := server(t)
	s.OpenToday()
	k, staff := s.StaffKey("vaccinator"), s.Client()
	card, other := s.WalkIn(harness.Person{Name: "Asha Test"}), s.WalkIn(harness.Person{Name: "Ravi Test"})
	unknown := "10000000000001"
	for n := 0; ; n++ {
		if a := staff.Shown(k, harness.StaffViewPath, unknown, ""); a.Status != 400 {
			break
		}
		unknown = unknown[:13] + string(rune('0'+n%10))
	}
	first := staff.Shown(k, harness.StaffViewPath, unknown, "card "+card.Text)
	if first.Status != 404 {
		t.Fatalf("an unknown number: %s", first.Text())
	}
	for name, a := range map[string]harness.Answer{
		"nothing": staff.Shown(k, harness.StaffViewPath, card.Reference, ""), "another's card": staff.Shown(k, harness.StaffViewPath, card.Reference, "card "+other.Text),
		"no code": staff.Shown(k, harness.StaffViewPath, card.Reference, "code 1234"), "certificate": staff.Shown(k, harness.StaffCertPath, card.Reference, ""),
	} {
		if a.Status != 404 || string(a.Body) != string(first.Body) {
			t.Errorf("%s: %s", name, a.Text())
		}
	}
	if a := staff.Shown(k, harness.StaffViewPath, card.Reference, "mobile 5000000001"); a.Status != 400 {
		t.Errorf("no evidence at all: %s", a.Text())
	}
	if a := staff.Must("GET", "/v2/vaccinator/beneficiaries/findByMobile?mobile_number=5000000001", nil); a.Status != 404 {
		t.Errorf("V3: %s", a.Text())
	}
	if _, a := staff.TryCard(harness.Card{Text: card.Text, PIN: "x"}); a.Status != 400 || a.Field("errorCode") != "CARD" {
		t.Errorf("a wrong PIN: %s", a.Text())
	}
}
