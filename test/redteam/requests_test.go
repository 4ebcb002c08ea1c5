package redteam

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/internal/id"

	"tikakosh/test/harness"
)

// TestQ1OwnComplaint: a person says that an opening looks wrong; one human, who opened
// them and is a privacy officer too, reads and answers it.
func TestQ1OwnComplaint(t *testing.T) {
	t.Parallel()
	run(t, "Q1", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		a, b, _ := s.Administrators()
		w := s.Shift(a, b)
		c, _ := s.Holder()
		victim := c.Enrol("Asha Test")
		q := w.A.Must(w.A.GlassAsk(victim, "asleep"))
		w.B.Must(w.B.TouchedBy(approvePath, harness.GlassApproval(q), w.B))
		if !broken(w.A, q) {
			t.Fatal("the opening that looks wrong was not made")
		}
		twin := w.Admin.Invite(w.Second, "Vani Test", "privacy@national") // the same human as A
		form := c.LooksWrong(victim, "break-glass", "vaccinator")
		number := map[string]any{"tracking_number": c.Must("POST", harness.RequestsPath, form).Field("tracking_number")}
		read := twin.At("POST", harness.StaffRequestsPath+"/read", number)
		number["outcome"], number["reason"] = "refused", "All was in order."
		decided := twin.At("POST", harness.StaffRequestsPath+"/decide", number)
		return read.OK() || decided.OK(), fmt.Sprintf("who opened the person reads the complaint: status %d, answers it: %d", read.Status, decided.Status)
	}})
}

// TestQ2OffTheList: whoever holds the household's mobile takes an adult who has a card off
// its list.
func TestQ2OffTheList(t *testing.T) {
	t.Parallel()
	run(t, "Q2", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		s.OpenToday()
		home, mobile := s.Holder()
		home.Enrol("Asha Test")
		card := s.WalkIn(harness.Person{Name: "Ravi Test"})
		if a := home.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}); !a.OK() {
			t.Fatalf("link: %s", a.Text())
		}
		phone := s.Client().SignIn(mobile)
		a := phone.Must("POST", harness.RequestsPath, map[string]any{"kind": "member", "beneficiary_reference_id": card.Reference, "text": "I do not know him."})
		return a.OK(), fmt.Sprintf("status %d", a.Status)
	}})
}

// TestQ3TrackGuesses: somebody tries tracking numbers on the public page until one is somebody's.
func TestQ3TrackGuesses(t *testing.T) {
	t.Parallel()
	run(t, "Q3", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		var judged atomic.Int64
		var guessing sync.WaitGroup
		p := s.Portal()
		p.Get("/track")
		for who := range 8 { // an answer takes its time: many ask at once
			guessing.Go(func() {
				for n := range 6 {
					digits := fmt.Sprintf("%015d", who*100+n)
					if a := p.Post("/track", map[string][]string{"number": {digits + string('0'+id.VerhoeffDigit(digits))}}); a.Status != 429 {
						judged.Add(1)
					}
				}
			})
		}
		guessing.Wait()
		return judged.Load() > 30, fmt.Sprintf("%d guesses were judged in an hour", judged.Load())
	}})
}

// TestQ4Withdraw: whom a complaint is about has one code of the household and takes it back, on
// a device of their own, before anybody has read it.
func TestQ4Withdraw(t *testing.T) {
	t.Parallel()
	run(t, "Q4", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		home, mobile := s.Holder()
		ref := home.Enrol("Asha Test")
		number := map[string]any{"tracking_number": home.Must("POST", harness.RequestsPath, home.LooksWrong(ref, "", "")).Field("tracking_number")}
		thief := s.Client().SignInOn(s.DeviceKey(), mobile)
		a := thief.Must("POST", harness.RequestsPath+"/withdraw", number)
		if !a.OK() {
			if a.Status != 403 || a.Field("errorCode") != "FIRSTDAY" {
				t.Errorf("the refusal: %s", a.Text())
			}
			if own := home.Must("POST", harness.RequestsPath+"/withdraw", number); !own.OK() {
				t.Errorf("the household cannot take it back itself: %s", own.Text())
			}
		}
		return a.OK(), fmt.Sprintf("status %d", a.Status)
	}})
}

// TestQ5Renamed: two members of staff give somebody whose reference number they know, and who
// never came to their centre, another name. Who has an appointment there is corrected.
func TestQ5Renamed(t *testing.T) {
	t.Parallel()
	run(t, "Q5", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, _ := s.Holder()
		victim, guest := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
		rename := func(ref string) (harness.Answer, bool) {
			a := s.Correct(s.StaffKey("vaccinator"), "details", "", ref, map[string]any{"name": "Mallory Test", "person_seen": true})
			for _, b := range c.Beneficiaries() {
				if b.Reference == ref {
					return a, b.Name == "Mallory Test"
				}
			}
			t.Fatal("the person is gone")
			return a, false
		}
		a, renamed := rename(victim)
		if renamed {
			return true, fmt.Sprintf("status %d, and the name is another one", a.Status)
		}
		if _, a := c.Book(s.Later()[0], 1, guest); !a.OK() {
			t.Fatalf("a place: %s", a.Text())
		}
		if a, ok := rename(guest); !ok {
			t.Errorf("somebody with an appointment there is not corrected: %s", a.Text())
		}
		return false, fmt.Sprintf("status %d", a.Status)
	}})
}
