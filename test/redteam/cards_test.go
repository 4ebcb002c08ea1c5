package redteam

import (
	"fmt"
	"testing"

	"tikakosh/test/harness"
)

// TestC1PINGuess: who found a card tries PINs. The right one is put at the
// fortieth place of the list, so that the attack ends in a test's time.
func TestC1PINGuess(t *testing.T) {
	t.Parallel()
	run(t, "C1", trial{own: true, try: func(_ *testing.T, s *harness.Server) (bool, string) {
		s.OpenToday()
		card := s.WalkIn(harness.Person{Name: "Asha Test"})
		c := s.Client()
		for n := range 40 {
			guess := card
			if n < 39 {
				guess.PIN = fmt.Sprintf("%06d", n)
				if guess.PIN == card.PIN {
					guess.PIN = "999999"
				}
			}
			if bearer, _ := c.TryCard(guess); bearer != "" {
				return len(c.With(bearer).Beneficiaries()) == 1, fmt.Sprintf("signed in at guess %d", n+1)
			}
		}
		return false, "forty PINs of a found card, the last one right: no session"
	}})
}

// TestC2CardScope: the card of one of a household is used to see and act for
// the others.
func TestC2CardScope(t *testing.T) {
	t.Parallel()
	run(t, "C2", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		s.OpenToday()
		card := s.WalkIn(harness.Person{Name: "Asha Test"})
		home, _ := s.Holder()
		other := home.Enrol("Ravi Test")
		if a := home.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}); !a.OK() {
			t.Fatalf("link: %s", a.Text())
		}
		c := s.Client().ByCard(card)
		seen := len(c.Beneficiaries())
		booked, _ := c.Book(s.Later()[0], 1, other)
		return seen != 1 || booked != "", fmt.Sprintf("by one card %d people seen, another one booked: %v", seen, booked != "")
	}})
}

// TestC3StaffBrowse: a vaccinator asks for people who are not there, by
// reference number.
func TestC3StaffBrowse(t *testing.T) {
	t.Parallel()
	run(t, "C3", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		day := s.OpenToday()
		c, mobile := s.Holder()
		ref := c.Enrol("Asha Test")
		s.Vaccinate(c, mobile, ref)
		k, staff := s.StaffKey("vaccinator"), s.Client()
		view := staff.Shown(k, harness.StaffViewPath, ref, "")
		unknown := staff.Shown(k, harness.StaffViewPath, "10000000000001", "")
		got := 0
		for _, a := range []harness.Answer{view, staff.Shown(k, harness.StaffCertPath, ref, ""), staff.Shown(k, harness.StaffViewPath, ref, "code 0000"),
			staff.Signed(k, harness.OnspotPath, harness.OnspotForm(day, harness.Card{Reference: ref}, 2))} {
			if a.OK() {
				got++
			}
		}
		if !s.Ablated() && string(view.Body) != string(unknown.Body) && unknown.Status == 404 {
			t.Errorf("known %s, unknown %s", view.Text(), unknown.Text())
		}
		return got > 0, fmt.Sprintf("%d of 4 requests about somebody who showed nothing were answered", got)
	}})
}

// TestC4MergeStranger: who knows a stranger's name, year, gender and reference
// number registers the same and joins the stranger's registration to it.
func TestC4MergeStranger(t *testing.T) {
	t.Parallel()
	run(t, "C4", trial{own: true, try: func(_ *testing.T, s *harness.Server) (bool, string) {
		victim, mobile := s.Holder()
		ref := victim.Enrol("Asha Test")
		s.Vaccinate(victim, mobile, ref)
		thief, _ := s.Holder()
		mine := thief.Enrol("Asha Test")
		a := thief.Must("POST", harness.MergePath, map[string]any{"keep": mine, "merge": ref})
		got := thief.Beneficiaries()[0].Status
		return a.OK() || got != "Not Vaccinated" || len(victim.Beneficiaries()) != 1, fmt.Sprintf("answer %d, the thief's status: %s", a.Status, got)
	}})
}
