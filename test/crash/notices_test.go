package crash

import (
	"os"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestNoticeNotLost ends the vault between the commit of a booking and the
// sending of its message, and after the sending: the message comes once, since
// the courier, which lives on, knows its id.
func TestNoticeNotLost(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	for _, point := range noticePoints() {
		l.serial++
		w := l.person()
		w.key = "notice-" + strings.ReplaceAll(point, ":", "-")
		before := l.s.Role(harness.RoleVault)
		if err := os.WriteFile(l.arm, []byte(point+" 1"), 0o644); err != nil {
			t.Fatal(err)
		}
		if answer, err := book(l, w.c, w); err == nil && !answer.OK() && answer.Status != 503 {
			t.Fatalf("%s: %s", point, answer.Text())
		}
		if !l.fired(true) {
			t.Fatalf("not stopped at %s", point)
		}
		l.s.AwaitRole(harness.RoleVault, before)
		l.s.Alive()
		if answer, err := book(l, w.c, w); err != nil || !answer.OK() { // repeated, as a client does that got no answer
			t.Fatalf("%s: repeated: %v %s", point, err, answer.Text())
		}
		if got := l.bookingMessages(w, 1); got != 1 {
			t.Errorf("%s: %d messages", point, got)
		}
		l.settle(point)
		l.whole(point)
	}
}

// TestToldNotLost: the same for what the household is told of its own registrations: that one was
// hidden, deleted, or got a new card.
func TestToldNotLost(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	for _, c := range []struct {
		name, says string
		scene      func(*lane) *who
		do         func(*lane, *harness.Client, *who) (harness.Answer, error)
	}{
		{"leave", "was hidden", (*lane).unconfirmed, leave},
		{"remove", "was deleted", (*lane).person, remove},
		{"new card", "A new card was made", (*lane).person, newCard},
	} {
		l.serial++
		w := c.scene(l)
		w.key = "told-" + strings.ReplaceAll(c.name, " ", "-")
		before := l.s.Role(harness.RoleVault)
		if err := os.WriteFile(l.arm, []byte("notice:composed 1"), 0o644); err != nil {
			t.Fatal(err)
		}
		if answer, err := c.do(l, w.c, w); err == nil && !answer.OK() && answer.Status != 503 {
			t.Fatalf("%s: %s", c.name, answer.Text())
		}
		if !l.fired(true) {
			t.Fatalf("%s: no message was on its way", c.name)
		}
		l.s.AwaitRole(harness.RoleVault, before)
		l.s.Alive()
		if got := l.toldOf(w, c.says); got != 1 {
			t.Errorf("%s: %d messages", c.name, got)
		}
		l.settle(c.name)
		l.whole(c.name)
	}
}

// toldOf waits for a message that says something, and counts.
func (l *lane) toldOf(w *who, says string) (got int) {
	for end := time.Now().Add(10 * time.Second); got == 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, m := range l.s.To(w.mobile) {
			if strings.Contains(m.Text, says) {
				got++
			}
		}
	}
	return got
}

// bookingMessages waits for n messages with a security code, and a while for
// one too many.
func (l *lane) bookingMessages(w *who, n int) (got int) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		was := got
		got = 0
		for _, m := range l.s.To(w.mobile) {
			if m.SecurityCode() != "" {
				got++
			}
		}
		if got >= n && was < n {
			end = time.Now().Add(6 * time.Second) // the sweep has come by
		}
	}
	return got
}

// noticePoints are where TestNoticeNotLost stops the vault.
func noticePoints() []string { return []string{"notice:composed", "notice:sent"} }
