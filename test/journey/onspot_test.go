package journey

import (
	"fmt"
	"testing"

	"tikakosh/test/harness"
)

// TestOnspotWithoutEvidence: while a walk-in's booking is still being finished,
// the same request without what the person showed hears of no booking.
func TestOnspotWithoutEvidence(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	day, vaccinator, staff := s.OpenToday(), s.StaffKey("vaccinator"), s.Client()
	for i := range 8 {
		card := s.WalkIn(harness.Person{Name: fmt.Sprintf("Asha Test %c", 'A'+i)})
		form := harness.OnspotForm(day, card, 1)
		if a := staff.Signed(vaccinator, harness.OnspotPath, form); !a.OK() {
			t.Fatalf("V4: %s", a.Text())
		}
		delete(form, "card")
		if a := staff.Signed(vaccinator, harness.OnspotPath, form); a.Status != 404 {
			t.Errorf("without evidence: %s", a.Text())
		}
		for _, o := range s.Client().ByCard(card).Openings() {
			if o.Kind == "booking" && o.Role != "vaccinator" {
				t.Errorf("the booking is said to be by %q", o.Role)
			}
		}
	}
}
