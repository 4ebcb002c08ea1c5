package chromium

import (
	"testing"

	"tikakosh/test/harness"
)

// TestChromiumStaffRequests: a privacy officer reads in their browser what somebody asked,
// and answers it; the person reads the answer.
func TestChromiumStaffRequests(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	admin, second, _ := s.Administrators()
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	tracking := c.Must("POST", harness.RequestsPath, c.LooksWrong(ref, "", "holder")).Field("tracking_number")
	officer := newDesk(t, newBrowser(t), s, "Pia Test")
	officer.enrol(admin.Invited(second, "Pia Test", "privacy@national"), "")
	officer.small()
	officer.signIn()
	const title = "What people ask about their records"
	officer.open("requests", title)
	officer.sees("An opening looks wrong")
	officer.sees("Tracking number " + tracking)
	if officer.eval("document.body.innerText.includes('I was not there')") == "true" {
		t.Error("the list says what was asked before anybody read it")
	}
	officer.press("Read it")
	officer.at("An opening looks wrong")
	officer.sees("I was not there.")
	if officer.eval("document.body.innerText.includes('"+ref+"')") == "true" {
		t.Error("whom a complaint about an opening is about is shown")
	}
	officer.choose("outcome", "refused")
	officer.eval(`document.querySelector("[name=answer]").value = "It was you, with your own code."`)
	officer.press("Send the answer")
	officer.at(title)
	officer.sees("Nothing waits.")
	if a := c.Must("GET", harness.RequestsPath, nil); !a.OK() || a.Part("requests") == nil {
		t.Fatalf("the person's list: %s", a.Text())
	}
}
