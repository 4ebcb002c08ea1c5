package crash

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tikakosh/test/harness"
)

// settle lets the time pass after which the worker takes over what requests
// have left, and waits until nothing is left.
func (l *lane) settle(what string) {
	l.t.Helper()
	l.clock += 2*time.Minute + l.linger
	l.s.SetClock(l.clock)
	left := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		notes := l.s.Cell(harness.RegistryDB, "SELECT count(*) FROM outbox")
		holds := l.s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE state = 1")
		// A seal without rows waits for a repetition; it grants nothing.
		tasks := l.s.Cell(harness.VaultDB, "SELECT count(*) FROM task WHERE kind <> 'seal'")
		if left = notes + " notes, " + holds + " holds, " + tasks + " tasks"; left == "0 notes, 0 holds, 0 tasks" {
			return
		}
	}
	l.t.Fatalf("%s: the worker does not finish it: %s\n%s", what, left, l.s.LogAround(""))
}

// halves are queries for what only a half-done act leaves in the registry.
func halves() map[string]string {
	return map[string]string{
		"people without place or reference number": `SELECT person FROM person p WHERE state = 1 AND NOT (
			EXISTS (SELECT 1 FROM member m WHERE m.person = p.person AND m.state = 1) AND EXISTS (SELECT 1 FROM reference r WHERE r.person = p.person))`,
		"members who are nobody":          `SELECT person FROM member m WHERE state = 1 AND NOT EXISTS (SELECT 1 FROM person p WHERE p.person = m.person AND p.state = 1)`,
		"places without an appointment":   `SELECT hold FROM hold_place h WHERE state = 1 AND NOT EXISTS (SELECT 1 FROM appointment a WHERE a.hold = h.hold AND a.person = h.person AND a.state IN (1, 2))`,
		"appointments without a place":    `SELECT hold FROM appointment a WHERE state IN (1, 2) AND NOT EXISTS (SELECT 1 FROM hold_place h JOIN hold USING (hold) WHERE h.hold = a.hold AND h.person = a.person AND h.state = 1 AND hold.state = 2)`,
		"sessions that count wrong":       `SELECT session FROM session s WHERE taken1 <> (SELECT count(*) FROM hold_place p JOIN hold h USING (hold) WHERE h.session = s.session AND h.dose = 1 AND p.state = 1)`,
		"people with two appointments":    `SELECT person FROM appointment WHERE state = 1 GROUP BY person HAVING count(*) > 1`,
		"households with too many people": `SELECT household FROM member WHERE state = 1 GROUP BY household HAVING count(*) > 2`,
	}
}

// whole checks that nothing is half done, in either database or between them,
// and that the ledger agrees.
func (l *lane) whole(what string) {
	l.t.Helper()
	for name, q := range halves() {
		if got := l.s.Column(harness.RegistryDB, q); len(got) > 0 {
			l.t.Fatalf("%s: %s: %d", what, name, len(got))
		}
	}
	if fault := l.agree(); fault != "" {
		l.t.Fatalf("%s: %s", what, fault)
	}
	if out, exit := l.s.Command("ledger", "audit", "--data", l.s.Data); exit != 0 {
		l.t.Fatalf("%s: audit: exit %d\n%s", what, exit, out)
	}
}

// agree compares the people of the vault with those of the registry: how many
// parts are stored, which bookings live or were spent.
func (l *lane) agree() string {
	parts, bookings := map[string]string{}, map[string][]string{}
	for _, row := range l.s.Column(harness.RegistryDB, "SELECT person || ' ' || count(*) FROM sealed GROUP BY person") {
		f := strings.Fields(row)
		parts[f[0]] = f[1]
	}
	for _, row := range l.s.Column(harness.RegistryDB, "SELECT person || ' ' || hold || CASE state WHEN 1 THEN ' live' ELSE ' spent' END FROM appointment WHERE state IN (1, 2)") {
		f := strings.SplitN(row, " ", 2)
		bookings[f[0]] = append(bookings[f[0]], f[1])
	}
	people := 0
	for _, row := range l.s.Column(harness.VaultDB, "SELECT key || ' ' || "+l.s.Text("content")+" FROM person") {
		f := strings.SplitN(row, " ", 2)
		var p struct {
			State    string
			Seq      int
			Bookings []struct{ Hold, State string }
		}
		if err := json.Unmarshal([]byte(f[1]), &p); err != nil {
			return "a person of the vault: " + err.Error()
		}
		people++
		if have := parts[f[0]]; have != fmt.Sprint(p.Seq) && (have != "" || p.State != "pending") {
			return fmt.Sprintf("the registry has %q parts of a person whose head is at %d", have, p.Seq)
		}
		var want []string
		for _, b := range p.Bookings {
			if b.State == "live" || b.State == "spent" {
				want = append(want, b.Hold+" "+b.State)
			}
		}
		slices.Sort(want)
		slices.Sort(bookings[f[0]])
		if !slices.Equal(want, bookings[f[0]]) {
			return fmt.Sprintf("the vault has bookings %q, the registry %q", want, bookings[f[0]])
		}
	}
	if people < len(parts) {
		return fmt.Sprintf("the registry knows %d people, the vault %d", len(parts), people)
	}
	return ""
}

// quiet waits until what the scene left to be done in the background is done:
// its commits are not the act's.
func (l *lane) quiet() {
	l.t.Helper()
	for range 300 {
		notes := l.s.Cell(harness.RegistryDB, "SELECT count(*) FROM outbox")
		holds := l.s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE state = 1")
		tasks := l.s.Cell(harness.VaultDB, "SELECT count(*) FROM task WHERE kind <> 'seal'")
		if notes == "0" && holds == "0" && tasks == "0" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // a message that was sent is then deleted
}
