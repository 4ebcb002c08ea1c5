package chromium

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tikakosh/test/harness"
)

// TestChromiumDepartment: an administrator reads and approves a department's
// configuration; its staff sign in over its provider and back, and are out when they
// leave.
func TestChromiumDepartment(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Args: harness.DepartmentArgs(t)})
	browser := newBrowser(t)
	link, exit := s.Command("staff", "setup-link", "--data", s.Data)
	if exit != 0 {
		t.Fatal(link)
	}
	link, _, _ = strings.Cut(link, "\n")
	admin := newDesk(t, browser, s, "Nita Test")
	admin.small()
	admin.enrol(link, "Nita Test")
	if strings.Contains(admin.text(), "Sign in with Health") {
		t.Error("a department has a button before it is let in")
	}
	admin.signIn()
	p := s.Provider()
	waits := s.SetDepartment(p, nil)
	later(s, 24*time.Hour+time.Minute)
	admin.again()
	admin.open("proposals", "To approve")
	admin.sees("Let the staff of Health Department sign in through their department")
	digest := strings.Split(strings.Split(waits, "\t")[1], "\n")[0]
	admin.sees(digest)
	admin.sees(`"issuer": "` + p.Issuer + `"`)
	admin.decent()
	admin.press("Approve, with my passkey")
	admin.sees("Approved.")

	p.Login(map[string]any{"sub": "vani", "roles": []string{"jab-7"}, "name": "Vani Test"})
	vani := newDesk(t, browser, s, "Vani Test")
	vani.small()
	time.Sleep(time.Second) // the web role's list of departments is half a second old at most
	vani.do(chromedp.Navigate(s.StaffClient + "/"))
	vani.at("Sign in")
	vani.press("Sign in with Health Department")
	vani.at("My sessions and devices")
	vani.sees("You are signed in.")
	vani.sees("Signed in: Vani Test")
	vani.sees("Vaccinator, centre 7 in district 395, state 21")
	if at := vani.eval("location.href"); at != s.StaffClient+"/#me" {
		t.Errorf("the address after signing in: %s", at)
	}
	if n := vani.eval(keptKeys); n != "1" {
		t.Errorf("%s entries are kept in the browser, 1 is the session's key", n)
	}
	vani.keyStays()
	vani.inHindi()
	vani.press("Add a device")
	vani.sees("two administrators give you a link")
	vani.do(chromedp.Reload())
	vani.at("My sessions and devices")

	// An answer that this browser did not ask for: nothing is sent, nobody is signed in.
	victim := newDesk(t, browser, s, "victim")
	victim.do(chromedp.Navigate(s.StaffClient + "/department#code=stolen&state=guessed"))
	victim.at("Sign in")
	victim.sees("The sign-in was refused.")
	if len(victim.signed) > 0 {
		t.Errorf("%d signed requests were sent", len(victim.signed))
	}
	victim.press("हिन्दी")
	victim.sees("स्वास्थ्य विभाग से साइन इन करें")
	export := filepath.Join(t.TempDir(), "staff.csv")
	if err := os.WriteFile(export, []byte("sub,active\nvani,false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, exit := s.Command("staff", "sync", "--data", s.Data, "--department", "health", export); exit != 0 {
		t.Fatal(out)
	}
	vani.do(chromedp.Reload())
	vani.at("Sign in")
	vani.press("Sign in with Health Department")
	vani.sees("The sign-in was refused.")
	for _, d := range []*desk{admin, vani, victim} {
		d.quiet()
	}
}
