package redteam

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestM1CodeTwice: whoever can end the link to a gateway right after it took a
// code waits for the same code to come again, over the other gateway or this one.
func TestM1CodeTwice(t *testing.T) {
	t.Parallel()
	first, second := harness.NewSMSC(t), harness.NewSMSC(t)
	cut := func(string, int) harness.Verdict { return harness.Verdict{Cut: true} }
	first.Rule(cut)
	path := harness.RoutesFile(t, t.TempDir(), nil, first, second)
	run(t, "M1", trial{own: true, base: harness.Options{Args: []string{"--routes", path}}, try: func(_ *testing.T, s *harness.Server) (bool, string) {
		most := 0
		for range 5 {
			mobile := s.Mobile()
			_, _ = s.Client().AskCode(mobile)
			most = max(most, first.Submits(mobile)+second.Submits(mobile))
		}
		return most > 1, fmt.Sprintf("five codes, the link cut after each: one code went out at most %d times", most)
	}})
}

// TestM2Mailbox: somebody with a few mobiles has codes sent to a stranger's e-mail
// address until the mailbox is full.
func TestM2Mailbox(t *testing.T) {
	t.Parallel()
	run(t, "M2", trial{try: func(_ *testing.T, s *harness.Server) (bool, string) {
		victim, sent := "victim"+s.Mobile()+"@mail.example", 0
		for range 3 {
			c, _ := s.Holder()
			for range 4 {
				if a := c.Must("POST", "/v3/email", map[string]any{"email": victim}); a.OK() {
					sent++
				}
			}
		}
		got := len(s.To(victim))
		return got > 5, fmt.Sprintf("three mobiles asked twelve times: %d answered, %d mails to one address", sent, got)
	}})
}

// TestM3MessageFlood: somebody who can read a household's code books and cancels
// without end, so that its phone rings without end.
func TestM3MessageFlood(t *testing.T) {
	t.Parallel()
	run(t, "M3", trial{own: true, base: harness.Options{Args: []string{"--no-booking-bounds", "--no-limits"}}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		ref, day := c.Enrol("Asha Test"), s.Later()[0]
		booked := func() (n int) {
			for _, m := range s.To(mobile) {
				if strings.Contains(m.Text, "Show the booking code") {
					n++
				}
			}
			return n
		}
		for i := range 23 {
			appointment, a := c.Book(day, 1, ref)
			if !a.OK() {
				t.Fatal(a.Text())
			}
			for end := time.Now().Add(2 * time.Second); booked() <= i && time.Now().Before(end) && i < 20; {
				time.Sleep(10 * time.Millisecond)
			}
			if i >= 20 {
				time.Sleep(300 * time.Millisecond)
			}
			if a := c.Cancel(appointment, ref); !a.OK() {
				t.Fatal(a.Text())
			}
		}
		got := booked()
		return got > 20, fmt.Sprintf("23 bookings, each cancelled: %d messages about bookings", got)
	}})
}
