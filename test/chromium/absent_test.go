package chromium

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"tikakosh/test/harness"
)

// memberNamed is a member of staff's id.
func memberNamed(t *testing.T, admin *harness.Desk, name string) string {
	t.Helper()
	var list struct {
		Members []struct {
			ID   string `json:"member_id"`
			Name string `json:"name"`
		} `json:"members"`
	}
	if err := json.Unmarshal(admin.Must(admin.Ask("GET", "members", nil)).Body, &list); err != nil {
		t.Fatal(err)
	}
	for _, m := range list.Members {
		if m.Name == name {
			return m.ID
		}
	}
	t.Fatalf("nobody is called %s", name)
	return ""
}

// TestChromiumAbsent: two members of staff, each in a browser and with a passkey of their
// own, open somebody who can show nothing, and move somebody whose phone is lost; the
// privacy officer stops the move.
func TestChromiumAbsent(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	admin, second, _ := s.Administrators()
	day := admin.OpenToday()
	browser := newBrowser(t)
	var all []*desk
	join := func(name, grant string) *desk {
		d := newDesk(t, browser, s, name)
		d.enrol(admin.Invited(second, name, grant), "")
		all = append(all, d)
		return d
	}
	grant := fmt.Sprintf("vaccinator@centre/1/1/%d", day.Centre)
	one, two := join("Vani Test", grant), join("Viru Test", grant)
	for _, d := range all {
		admin.Must(admin.Ask("POST", "roster", map[string]any{"member_id": memberNamed(t, admin, d.name), "center_id": day.Centre, "date": day.Date, "on": true}))
		d.small()
		d.signIn()
	}
	officer := join("Pia Test", "privacy@national")
	officer.signIn()
	lost := s.Lost(1)

	const title, approve = "Somebody who can show nothing", "I see the person: approve, with my passkey"
	one.open("absent", title)
	one.sees("You have 2 of these left today")
	one.fill("glass-whom", lost.Reference)
	one.fill("glass-reason", "cannot speak")
	one.press("Ask to open, with my passkey")
	one.sees("Asked. Now somebody else approves it")
	two.open("absent", title)
	two.sees("reference " + lost.Reference)
	two.sees("Reason: cannot speak")
	two.press(approve)
	two.sees("Approved. Who asked sees the record now, once.")
	one.open("absent", title)
	one.press("Show the record, once")
	one.at("The record")
	one.sees("Asha Test")
	one.press("I have read it: close")
	one.sees("You have 1 of these left today")

	one.fill("relink-whom", lost.Reference)
	one.choose("document", "6")
	one.fill("number", lost.Document)
	one.fill("mobile", lost.New)
	one.fill("relink-reason", "phone lost")
	one.press("Ask to move, with my passkey")
	one.sees("Asked. Now somebody else approves it")
	two.open("absent", title)
	two.sees("mobile " + lost.New)
	two.press(approve)
	two.sees("Until then the old number can stop it.")
	two.sees("You have 0 of these left today")
	one.press("हिन्दी")
	one.at("जो कुछ दिखा न सके")
	one.press("English")

	officer.open("watched", "Opened or moved by two")
	officer.sees("in its three days")
	officer.sees("Reason: cannot speak")
	if officer.eval("document.body.innerText.includes('"+lost.Reference+"')") == "true" {
		t.Error("the privacy officer reads who was opened")
	}
	officer.fill("reason", "rang the holder")
	officer.press("Stop it")
	officer.sees("Stopped. The old number is told.")
	var kinds []string
	for _, o := range lost.Holder.Openings() {
		kinds = append(kinds, o.Kind+": "+o.View)
	}
	for _, want := range []string{"break-glass: dose history at the centre", "re-link: asked for", "re-link: stopped by staff"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("the person's history lacks %q: %q", want, kinds)
		}
	}
	for _, d := range all {
		d.quiet()
	}
}
