package journey

import (
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestLostPhone: somebody whose phone is lost goes to a centre with their document; whoever
// has the old number says no to it once, and lets it be the second time; three days later
// the new number takes the one person over, in a browser without scripts.
func TestLostPhone(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	admin, second, _ := s.Administrators()
	w := s.Shift(admin, second)
	lost := s.Lost(2)
	old := &booker{Portal: s.Portal(), t: t, mobile: lost.Old}
	old.SignIn(lost.Old)
	old.Get("/account/relink")
	old.says(200, "Nobody under this mobile is to be moved")
	have := len(s.To(lost.Old))
	w.Relink(lost)
	told := s.AwaitMessages(lost.Old, have, 10*time.Second)
	if !strings.Contains(told[0].Text, "move a registration from this number to another one") {
		t.Errorf("the old number was told: %+v", told)
	}
	old.Get("/account")
	old.says(200, "Somebody is to be moved to another mobile")
	old.Get("/account/relink")
	old.says(200, "Two members of staff at", "Stop it", "Asha Test")
	old.Submit("/account/relink/stop")
	old.says(200, "It was stopped")
	told = s.AwaitMessages(lost.Old, len(told), 10*time.Second)
	if !strings.Contains(told[0].Text, "was stopped") {
		t.Errorf("the old number was told that it was stopped: %+v", told)
	}
	old.Get("/account/relink")
	old.says(200, "Nobody under this mobile is to be moved")

	w.Relink(lost) // the person comes again, and nobody minds
	fresh := &booker{Portal: s.Portal(), t: t, mobile: lost.New}
	fresh.SignIn(lost.New)
	fresh.Get("/account/relink")
	fresh.Submit("/account/relink", "reference", "12")
	fresh.says(422, "14 digits")
	fresh.Submit("/account/relink", "reference", lost.Reference)
	fresh.says(422, "The three days are not over")
	s.Forward(72*time.Hour + time.Second)
	other := &booker{Portal: s.Portal(), t: t}
	other.SignIn(s.Mobile())
	other.Get("/account/relink")
	other.Submit("/account/relink", "reference", lost.Reference)
	other.says(422, "Nothing waits for this mobile")
	fresh.SignIn(lost.New)
	fresh.Get("/account/relink")
	fresh.Submit("/account/relink", "reference", lost.Reference[:4]+" "+lost.Reference[4:])
	fresh.says(200, "The person is under this mobile now")
	fresh.Get("/account")
	fresh.says(200, "Asha Test")
	if n := len(s.Client().SignIn(lost.Old).Beneficiaries()); n != 1 {
		t.Errorf("%d people are left under the old number", n)
	}
	c := s.Client().SignIn(lost.New)
	got := c.Beneficiaries()
	if len(got) != 1 || got[0].Reference != lost.Reference {
		t.Errorf("under the new number: %+v", got)
	}
	if n := len(s.To(lost.Old)); n < len(told)+2 { // asked again, moved
		t.Errorf("the old number has %d messages", n)
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: %d %s", exit, out)
	}
}
