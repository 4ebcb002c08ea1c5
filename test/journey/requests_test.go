package journey

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// sees fails when a page lacks some words.
func sees(t *testing.T, a harness.Answer, words ...string) harness.Answer {
	t.Helper()
	text := html.UnescapeString(string(a.Body))
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Fatalf("%d: no %q in\n%s", a.Status, w, text)
		}
	}
	return a
}

var trackingNumber = regexp.MustCompile(`[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}`)

// TestDisputedOpening: somebody finds in a browser without scripts that their record was
// opened, says that it looks wrong, and reads the privacy officer's answer. Nothing personal
// is in an address.
func TestDisputedOpening(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	admin, second, _ := s.Administrators()
	w := s.Shift(admin, second)
	officer := admin.Invite(second, "Pia Test", "privacy@national")
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	q := w.A.Must(w.A.GlassAsk(ref, "asleep"))
	w.B.Must(w.B.TouchedBy(harness.GlassPath+"/approve", harness.GlassApproval(q), w.B))
	w.A.Must(w.A.GlassOpen(q.Field("request_id")))

	p := s.Portal()
	p.SignIn(mobile)
	me := p.About(ref)
	page := sees(t, p.Get(me+"/seen"), "Asha Test", "Two members of staff", "asleep", "A vaccinator", "This looks wrong")
	link := regexp.MustCompile(`href="(/p/[^"]*what=opening[^"]*)"`).FindStringSubmatch(string(page.Body))
	if link == nil {
		t.Fatalf("no way to say that it looks wrong: %s", page.Body)
	}
	sees(t, p.Get(html.UnescapeString(link[1])), "asleep", "privacy officer")
	if a := p.Submit(me+"/ask", "text", ""); a.Status != 422 {
		t.Errorf("without a word: %d", a.Status)
	}
	taken := sees(t, p.Submit(me+"/ask", "text", "I was at home. Nobody asked me."), "Your request was received", "Answer by")
	tracking := trackingNumber.FindString(string(taken.Body))
	number := map[string]any{"tracking_number": tracking}
	if a := w.A.At("POST", harness.StaffRequestsPath+"/read", number); a.Status != 403 {
		t.Errorf("who opened the record reads the complaint: %s", a.Text())
	}
	if a := officer.At("GET", harness.StaffRequestsPath, nil); !strings.Contains(string(a.Body), tracking) {
		t.Fatalf("the privacy officer's list: %s", a.Text())
	}
	read := officer.Must(officer.At("POST", harness.StaffRequestsPath+"/read", number))
	if !strings.Contains(string(read.Body), "Nobody asked me") || strings.Contains(string(read.Body), ref) || strings.Contains(string(read.Body), "Asha") {
		t.Errorf("what the officer reads: %s", read.Text())
	}
	sees(t, p.Get("/requests"), "In hand", tracking, "Asha Test")
	number["outcome"], number["reason"] = "granted", "It was not needed. Both were told, and their manager."
	officer.Must(officer.At("POST", harness.StaffRequestsPath+"/decide", number))
	sees(t, p.Get("/requests"), "Agreed", "It was not needed.")
	sees(t, p.Get(me+"/seen"), "A request of yours was read, to answer it", "The privacy officer")
	stranger := s.Portal()
	stranger.Get("/track")
	if a := sees(t, stranger.Submit("/track", "number", tracking), "Answered."); strings.Contains(string(a.Body), "Asha") || strings.Contains(string(a.Body), "not needed") || strings.Contains(string(a.Body), ref) {
		t.Errorf("a number alone tells more: %s", a.Body)
	}
	told(t, s, mobile, tracking)
}

// told waits for a message that says something.
func told(t *testing.T, s *harness.Server, mobile, words string) {
	t.Helper()
	for range 200 {
		for _, m := range s.To(mobile) {
			if strings.Contains(m.Text, words) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("no message says %q", words)
}

// TestFalseDose: a dose that was not given is revoked on the person's word by two members
// of staff, and the certificate that has it reads as revoked.
func TestFalseDose(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	file := saved(t, c, ref)
	verify(t, s, file, 0, "GENUINE")
	event := c.AwaitDose(ref, "confirmed").Event

	p := s.Portal()
	p.SignIn(mobile)
	me := p.About(ref)
	sees(t, p.Get(me+"/ask?what=revoke"), "A dose was not given", "Demo")
	taken := sees(t, p.Submit(me+"/ask", "event", event, "text", "I never had this dose."), "Your request was received")
	tracking := trackingNumber.FindString(string(taken.Body))
	manager, vaccinator := s.StaffKey("manager"), s.StaffKey("vaccinator")
	read := s.Client().Signed(manager, harness.StaffRequestsPath+"/read", map[string]any{"tracking_number": tracking})
	if !strings.Contains(string(read.Body), event) || !strings.Contains(string(read.Body), ref) {
		t.Fatalf("what the manager reads: %s", read.Text())
	}
	form := map[string]any{"kind": "revoke", "center_id": manager.Centre, "event_id": event, "beneficiary_reference_id": ref, "reason": "the lot was another person's"}
	correction := s.Client().Signed(manager, harness.ProposePath, form).Field("correction_id")
	form["correction_id"] = correction
	if a := s.Client().Signed(vaccinator, harness.ApprovePath, form); a.Status != 204 {
		t.Fatalf("the second person: %s", a.Text())
	}
	answer := map[string]any{"tracking_number": tracking, "outcome": "granted", "reason": "The lot was another person's. The dose is revoked.", "correction_id": correction}
	if a := s.Client().Signed(manager, harness.StaffRequestsPath+"/decide", answer); !a.OK() {
		t.Fatalf("the answer: %s", a.Text())
	}
	sees(t, p.Get("/requests"), "Agreed, and put right", "The lot was another person")
	verify(t, s, file, 1, "REVOKED")
}

// TestUnknownMember: a stranger is taken off a mobile's list in the browser, keeps their
// record by their card, and the household can undo it.
func TestUnknownMember(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	c.Enrol("Asha Test")
	ref := c.Enrol("Ravi Test")
	p := s.Portal()
	p.SignIn(mobile)
	me := p.About(ref)
	p.Get(me + "/ask?what=member")
	taken := sees(t, p.Submit(me+"/ask", "text", "I do not know him."), "off this list", "Can be undone until")
	if a := p.Get(me + "/seen"); a.Status != 404 {
		t.Errorf("still on the list: %d", a.Status)
	}
	if a := c.Must("GET", "/v2/appointment/beneficiaries", nil); strings.Contains(string(a.Body), "Ravi") {
		t.Errorf("the household: %s", a.Text())
	}
	sees(t, p.Get("/requests"), trackingNumber.FindString(string(taken.Body)), "Undo this")
	sees(t, p.Follow("/requests/withdraw", p.Last.Hidden("/requests/withdraw")), "taken back")
	sees(t, p.Get(me+"/seen"), "Ravi Test")
}

// TestPortalLeave: a vaccinated person takes along what is held of them, leaves in the
// browser, and comes back.
func TestPortalLeave(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	p := s.Portal()
	p.SignIn(mobile)
	me := p.About(ref)
	sees(t, p.Get(me+"/leave"), "Leave and be erased")
	if a := p.Submit(me + "/leave"); a.Status != 422 {
		t.Errorf("not sure: %d", a.Status)
	}
	p.Get("/export")
	sees(t, p.Submit("/export", "as", "page"), "Asha Test", ref, "Registered on")
	p.Get("/export")
	file := sees(t, p.Submit("/export", "as", "json"), `"name": "Asha Test"`, ref)
	if file.Header.Get("Cache-Control") != "no-store" || !strings.Contains(file.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the file: %v", file.Header)
	}
	p.Get(me + "/leave")
	left := sees(t, p.Submit(me+"/leave", "sure", "yes"), "The record is hidden", "TL")
	tracking := regexp.MustCompile(`TL[A-Z2-7]{32}`).FindString(string(left.Body))
	if a := p.Get(me + "/seen"); a.Status != 404 {
		t.Errorf("the record of who left: %d", a.Status)
	}
	stranger := s.Portal() // nobody is signed in
	stranger.Get("/track")
	sees(t, stranger.Submit("/track", "number", strings.ToLower(tracking)), "Hidden. It can still be undone.")
	p.Get("/leave")
	if a := p.Submit("/leave/undo", "reference", "12345678901234"); a.Status != 422 {
		t.Errorf("somebody else's number: %d", a.Status)
	}
	if a := p.Submit("/leave/undo", "reference", ref); a.Status != 303 {
		t.Fatalf("coming back: %d %s", a.Status, a.Body)
	}
	sees(t, p.Get(me+"/seen?own=1"), "Asha Test", "Leaving, or coming back")
}
