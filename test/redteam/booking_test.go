package redteam

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/test/harness"
)

func TestR19TwoBookings(t *testing.T) {
	t.Parallel()
	run(t, "R19", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		days := s.Later()
		most := 0
		for range 3 {
			c, _ := s.Holder()
			ref := c.Enrol("Asha Test")
			warm(c, 10)
			var mu sync.Mutex
			numbers := map[string]bool{}
			together(10, func(i int) {
				a, err := c.Do("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": days[i%2].Session, "slot": days[i%2].Slot, "beneficiaries": []string{ref}})
				if n := a.Field("appointment_confirmation_no"); err == nil && n != "" {
					mu.Lock()
					numbers[n] = true
					mu.Unlock()
				}
			})
			live := 0
			for _, b := range c.Beneficiaries() {
				live += len(b.Appointments)
			}
			if live == 0 {
				t.Error("nobody got a booking")
			}
			most = max(most, live, len(numbers))
			if most > 1 {
				break
			}
		}
		return most > 1, fmt.Sprintf("ten parallel bookings of one person over two sessions: at most %d live", most)
	}})
}

// TestR20Oversell lets 64 people ask for five places at one moment.
func TestR20Oversell(t *testing.T) {
	// The same households book and cancel in every round.
	run(t, "R20", trial{own: true, base: harness.Options{Args: []string{"--no-booking-bounds"}}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		rounds := 40
		switch {
		case s.Ablated():
			rounds = 20 // a race: it may take a few rushes to lose
		case full():
			rounds = 400
		}
		people := crowd(s)
		for round := range rounds {
			got, refused := rush(t, s, people)
			if got > places {
				return true, fmt.Sprintf("%d bookings for %d places", got, places)
			}
			if got < places && !s.Ablated() {
				t.Fatalf("round %d: %d of %d places taken, %d refused as full", round, got, places, refused)
			}
		}
		return false, fmt.Sprintf("%d people for %d places, %d times: exactly %d bookings each", len(people), places, rounds, places)
	}})
}

const (
	places  = 5
	callers = 64
)

// member is one person with the household's bearer.
type member struct {
	c         *harness.Client
	reference string
	booked    string
}

func crowd(s *harness.Server) []*member {
	var out []*member
	for len(out) < callers {
		c, _ := s.Holder()
		for range min(6, callers-len(out)) {
			out = append(out, &member{c: c, reference: c.Enrol("Asha Test")})
		}
	}
	return out
}

// rush leaves five places in a session, lets everybody book at once, checks
// the count against the database, and gives the places back.
func rush(t *testing.T, s *harness.Server, people []*member) (got, full int) {
	t.Helper()
	day := s.Later()[0]
	together(len(people), func(i int) { _, _ = people[i].c.Do("GET", "/v2/admin/location/states", nil) }) // warm connections
	s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET cap1 = taken1 + %d WHERE session = '%s'", places, day.Session))
	defer s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET cap1 = taken1 + 100 WHERE session = '%s'", day.Session))
	var taken, refused atomic.Int64
	together(len(people), func(i int) {
		p := people[i]
		a, err := p.c.Do("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{p.reference}})
		p.booked = a.Field("appointment_confirmation_no")
		switch {
		case err == nil && p.booked != "":
			taken.Add(1)
		case err == nil && a.Status == 409 && a.Field("errorCode") == "APPOIN0040":
			refused.Add(1)
		default:
			t.Errorf("neither booked nor full: %v %s\n%s", err, a.Text(), s.LogAround(a.Field("request_id")))
		}
	})
	row := s.Cell(harness.RegistryDB, "SELECT cap1 - taken1 FROM session WHERE session = $1", day.Session)
	if free, err := strconv.Atoi(row); err != nil || free != places-int(taken.Load()) {
		t.Errorf("the session row says %s free after %d of %d were taken", row, taken.Load(), places)
	}
	for _, p := range people {
		if p.booked != "" {
			if a := p.c.Cancel(p.booked, p.reference); !a.OK() {
				t.Errorf("cancel: %s", a.Text())
			}
		}
	}
	return int(taken.Load()), int(refused.Load())
}
