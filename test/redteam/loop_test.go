package redteam

import (
	"fmt"
	"testing"

	"tikakosh/test/harness"
)

// TestR21Loop books and cancels one place over and over, then registers and
// deletes a person over and over.
func TestR21Loop(t *testing.T) {
	run(t, "R21",
		trial{name: "book and cancel", try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, _ := s.Holder()
			ref := c.Enrol("Asha Test")
			day := s.Later()[0]
			for n := range 12 {
				number, a := c.Book(day, 1, ref)
				if number == "" {
					wants429(t, a)
					return false, fmt.Sprintf("refused after %d rounds: %d, Retry-After %s", n, a.Status, a.Header.Get("Retry-After"))
				}
				if a := c.Cancel(number, ref); !a.OK() {
					wants429(t, a)
					return false, fmt.Sprintf("the cancellation was refused after %d rounds: %d", n, a.Status)
				}
			}
			return true, "twelve rounds of booking and cancelling one session"
		}},
		trial{name: "many sessions", try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, _ := s.Holder()
			ref := c.Enrol("Asha Test")
			days := s.Later()
			for n := range 14 {
				number, a := c.Book(days[n%len(days)], 1, ref)
				if number == "" {
					wants429(t, a)
					return false, fmt.Sprintf("refused after %d bookings", n)
				}
				if a := c.Cancel(number, ref); !a.OK() {
					wants429(t, a)
					return false, fmt.Sprintf("refused after %d cancellations", n)
				}
			}
			return true, "fourteen cancellations in a day, session after session"
		}},
		trial{name: "register and delete", try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, _ := s.Holder()
			for n := range 15 {
				a := c.Must("POST", "/v2/registration/beneficiary/new", harness.Person{Name: "Asha Test", ID: s.PAN()}.Form())
				ref := a.Field("beneficiary_reference_id")
				if ref == "" {
					wants429(t, a)
					return false, fmt.Sprintf("refused after %d registrations", n)
				}
				if a := c.Remove(ref); !a.OK() {
					t.Fatalf("delete: %s", a.Text())
				}
			}
			return true, "fifteen registrations in a day under one mobile"
		}})
}

// wants429 checks that a refusal says when to come back.
func wants429(t *testing.T, a harness.Answer) {
	t.Helper()
	if a.Status != 429 || a.Header.Get("Retry-After") == "" || a.Field("error") == "" {
		t.Errorf("not refused as too many: %s, Retry-After %q", a.Text(), a.Header.Get("Retry-After"))
	}
}

// TestR22Transfer edits ids in the requests of a booking: the seller's booking
// must not become the buyer's, and nobody books, moves or cancels for others.
func TestR22Transfer(t *testing.T) {
	run(t, "R22",
		trial{name: "another's beneficiary id", try: func(t *testing.T, s *harness.Server) (bool, string) {
			seller, _ := s.Holder()
			buyer, _ := s.Holder()
			seller.Enrol("Asha Test")
			ref := buyer.Enrol("Ravi Test")
			day := s.Later()[0]
			_, a := seller.Book(day, 1, ref)
			mine := len(buyer.Beneficiaries()[0].Appointments)
			if mine == 0 && (a.Status != 404 || a.OK()) {
				t.Errorf("not refused as unknown: %s", a.Text())
			}
			return mine > 0, fmt.Sprintf("booking with another household's beneficiary id: %d; the other one has %d appointments", a.Status, mine)
		}},
		trial{name: "another's appointment", try: func(t *testing.T, s *harness.Server) (bool, string) {
			owner, _ := s.Holder()
			thief, _ := s.Holder()
			ref, own := owner.Enrol("Asha Test"), thief.Enrol("Ravi Test")
			days := s.Later()
			number, a := owner.Book(days[0], 1, ref)
			if number == "" {
				t.Fatal(a.Text())
			}
			// In a build without the control the beneficiary's id alone is believed.
			got := thief.Cancel(number, ref).Status
			left := owner.Beneficiaries()[0].Appointments
			for what, a := range map[string]harness.Answer{
				"cancel it for oneself": thief.Cancel(number, own),
				"move it":               thief.Must("POST", "/v2/appointment/reschedule", map[string]any{"appointment_id": number, "session_id": days[1].Session, "slot": days[1].Slot}),
				"its slip":              thief.Slip(number),
			} {
				if a.Status != 404 {
					t.Errorf("%s: %s", what, a.Text())
				}
			}
			taken := len(left) != 1 || left[0].ID != number
			return taken, fmt.Sprintf("cancelling another household's appointment: %d; moved, its slip, as one's own: 404", got)
		}})
}
