package crash

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

var builder harness.Builder

func TestMain(m *testing.M) {
	flag.Parse()
	// The lanes mostly wait for roles to come back, so more of them than there
	// are processors run at once.
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(harness.Main(m, &builder))
}

// roleOf is the role that a point stops.
func roleOf(point string) string {
	switch strings.Split(point, ":")[0] {
	case "vault", "open", "notice":
		return harness.RoleVault
	}
	if point == "write:after-vault" || point == "write:after-seal" {
		return harness.RoleWorker
	}
	return harness.RoleWeb
}

// TestCrash stops each act at each of its points, once with a client that
// repeats its request and once (TIKAKOSH_BOTH=1) with one that never comes back.
func TestCrash(t *testing.T) {
	for _, a := range acts() {
		for _, repeats := range []bool{true, false} {
			if !repeats && os.Getenv("TIKAKOSH_BOTH") != "1" && os.Getenv("TIKAKOSH_FULL") != "1" {
				continue
			}
			t.Run(fmt.Sprintf("%s/repeated=%v", a.name, repeats), func(t *testing.T) {
				t.Parallel()
				l := newLane(t, a.off)
				l.linger = a.linger
				begin, n := time.Now(), 0
				for _, p := range a.points {
					l.try(a, p, 1, repeats, true)
					n++
				}
				for role, commits := range a.commits {
					if a.extra && os.Getenv("TIKAKOSH_FULL") != "1" {
						continue // its named points will do
					}
					for i := range commits {
						l.try(a, role+":before-commit", i+1, repeats, true)
						l.try(a, role+":after-commit", i+1, repeats, true)
						n += 2
					}
					l.try(a, role+":before-commit", commits+1, repeats, false)
				}
				t.Logf("%d crashes in %.1f s", n, time.Since(begin).Seconds())
			})
		}
	}
}

// TestTwoCrashes stops a booking, then the cancellation of what the holder sees
// of it, before the worker takes over either.
func TestTwoCrashes(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	for _, pair := range [][2]string{{"book:after-bind", "cancel:after-vault"}, {"book:after-bind", "cancel:after-person"}} {
		what := fmt.Sprintf("a booking stopped at %s, its cancellation at %s", pair[0], pair[1])
		l.serial++
		w := l.person()
		w.key = fmt.Sprintf("key-%d", l.serial)
		l.stopped(w, pair[0], what, func(c *harness.Client) (harness.Answer, error) { return book(l, c, w) })
		p, fault := look(w, 1, 1)
		if fault != "" {
			t.Fatalf("%s: %s", what, fault)
		}
		w.appointment = p.Appointments[0].ID
		l.stopped(w, pair[1], what, func(c *harness.Client) (harness.Answer, error) { return cancel(l, c, w) })
		l.settle(what)
		l.whole(what)
		if fault := cancelled(l, w); fault != "" {
			t.Fatalf("%s: %s", what, fault)
		}
		if appointment, a := w.c.Book(l.day, 1, w.ref); appointment == "" {
			t.Fatalf("%s: booking again: %s", what, a.Text())
		}
		l.settle(what)
		l.whole(what + ", booked again")
	}
}

// stopped sends a request during which a role is to end.
func (l *lane) stopped(w *who, point, what string, send func(c *harness.Client) (harness.Answer, error)) {
	l.t.Helper()
	before := l.s.Role(roleOf(point))
	if err := os.WriteFile(l.arm, fmt.Appendf(nil, "%s 1", point), 0o644); err != nil {
		l.t.Fatal(err)
	}
	answer, err := send(l.s.Client().With(w.c.Bearer)) // a connection of its own, as in try
	if os.Remove(l.arm) == nil {
		l.t.Fatalf("%s: not stopped at %s (%v %s)", what, point, err, answer.Text())
	}
	l.s.AwaitRole(roleOf(point), before)
	l.s.Alive()
}

// lane is one server on which acts are stopped, one after the other.
type lane struct {
	t          *testing.T
	s          *harness.Server
	arm        string // file that names the point of the next crash
	clock      time.Duration
	linger     time.Duration // of the act
	day        harness.Day
	vaccinator harness.StaffKey
	crashes    int // since the supervisor was started
	serial     int
	shift      *harness.Shift // of acts that two members of staff stand behind
}

func newLane(t *testing.T, off []string, more ...string) *lane {
	t.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-arm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // the roles' own users take the file away
		t.Fatal(err)
	}
	l := &lane{t: t, arm: filepath.Join(dir, "arm"), clock: morning(time.Now())}
	// The logs are not sealed meanwhile: that is a commit of the vault that no act made.
	l.s = harness.Start(t, &builder, harness.Options{Tags: harness.Ablation, Ablate: off, Clock: l.clock, People: 2,
		Args: append([]string{"--worker-every=100ms", "--log-seal-first=1h"}, more...), Env: []string{"TIKAKOSH_CRASH_ARM=" + l.arm}})
	l.day = l.s.Today()
	l.vaccinator = l.s.StaffKey("vaccinator")
	if a := l.s.Client().OpenSession(l.s.StaffKey("manager"), l.day); !a.OK() {
		t.Fatalf("open the session: %s", a.Text())
	}
	return l
}

// morning is what makes it early in the morning in India: each case moves the
// clock on, and the day must not end.
func morning(now time.Time) time.Duration {
	local := now.In(time.FixedZone("IST", 5*3600+1800))
	return time.Date(local.Year(), local.Month(), local.Day(), 6, 0, 0, 0, local.Location()).Sub(local)
}

// try sets a scene, stops the act at the n-th passage of a point, and looks at
// what is left. Without fires the act must not come by the point so often.
func (l *lane) try(a act, point string, n int, repeats, fires bool) {
	l.t.Helper()
	// Writes that wait at the same time share a commit (the writer takes all that
	// queued meanwhile), so an act may have one commit less than it has writes:
	// then it is done again with somebody else.
	for range 8 {
		if l.once(a, point, n, repeats, fires) {
			return
		}
	}
	if role, _, _ := strings.Cut(point, ":"); n <= a.commits[role]-a.shared[role] {
		l.t.Fatalf("%s, stopped at %s %d: never stopped", a.name, point, n)
	}
	l.t.Logf("%s: %s %d was never passed alone: its rows shared a commit each time", a.name, point, n)
}

// once is one attempt of try; it tells whether the act was stopped as asked.
func (l *lane) once(a act, point string, n int, repeats, fires bool) bool {
	l.t.Helper()
	what := fmt.Sprintf("%s, stopped at %s %d", a.name, point, n)
	l.serial++
	w := a.scene(l)
	l.quiet()
	w.key = fmt.Sprintf("key-%d", l.serial)
	before := l.s.Role(roleOf(point))
	if err := os.WriteFile(l.arm, fmt.Appendf(nil, "%s %d", point, n), 0o644); err != nil {
		l.t.Fatal(err)
	}
	// A connection of its own: on a used one Go's client repeats by itself.
	answer, err := a.do(l, l.s.Client().With(w.c.Bearer), w)
	fired := l.fired(fires)
	asked := fires
	if fires && !fired && n > 1 && strings.HasSuffix(point, "-commit") {
		fires = false // one commit carried two
	}
	if fired != fires {
		l.t.Fatalf("%s: stopped %v, want %v (%v %s)", what, fired, fires, err, answer.Text())
	}
	if fired {
		l.s.AwaitRole(roleOf(point), before)
		l.s.Alive()
	}
	told := err == nil && answer.OK()
	if told {
		l.told(a, w, what, answer)
	}
	if repeats || !fires {
		l.again(a, w, what, told)
	}
	if !repeats && fires && !strings.HasSuffix(point, "-commit") {
		l.stopWorker()
	}
	l.settle(what)
	l.whole(what)
	_ = os.Remove(l.arm)
	if !repeats && fires {
		if told {
			l.told(a, w, what+", later", answer)
		}
		l.again(a, w, what+", repeated late", told)
		l.settle(what)
		l.whole(what + ", repeated late")
	}
	if fired {
		l.renew()
	}
	return fired == asked
}

// fired tells whether the armed point was passed, and disarms it. What follows
// an answer, as the confirmation of a bound booking does, is waited for.
func (l *lane) fired(wait bool) bool {
	l.t.Helper()
	for range 100 {
		if _, err := os.Stat(l.arm); !wait || err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return os.Remove(l.arm) != nil
}

// stopWorker has the worker, too, end at its first commit, if it has any.
func (l *lane) stopWorker() {
	l.t.Helper()
	side := [...]string{"before", "after"}[l.serial%2]
	if err := os.WriteFile(l.arm, fmt.Appendf(nil, "worker:%s-commit 1", side), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// told checks what an answer promised.
func (l *lane) told(a act, w *who, what string, answer harness.Answer) {
	l.t.Helper()
	switch got := answer.Field(a.result); a.result {
	case "beneficiary_reference_id":
		w.ref = got
	case "appointment_confirmation_no":
		w.appointment = got
	}
	fault := a.done(l, w)
	for begin := time.Now(); fault != "" && a.waits && time.Since(begin) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		fault = a.done(l, w)
	}
	if fault != "" {
		l.t.Fatalf("%s: acknowledged, but %s\n%s", what, fault, l.s.LogAround(""))
	}
}

// again repeats the act; it must give the one result, whatever became of the
// first attempt.
func (l *lane) again(a act, w *who, what string, told bool) {
	l.t.Helper()
	ref, appointment := w.ref, w.appointment
	answer, err := a.do(l, w.c, w)
	if err == nil && answer.Status == 404 && a.gone && a.done(l, w) == "" {
		return
	}
	if err == nil && a.refused != 0 && answer.Status == a.refused && a.done(l, w) == "" {
		return
	}
	if err != nil || !answer.OK() {
		l.t.Fatalf("%s: the repetition failed: %v %s\n%s", what, err, answer.Text(), l.s.LogAround(""))
	}
	l.told(a, w, what+", repeated", answer)
	if told && (w.ref != ref || w.appointment != appointment) {
		l.t.Fatalf("%s: the repetition has another result", what)
	}
}

// renew starts everything anew after a few crashes, because a supervisor waits
// longer before each restart. The kill of all roles at once is a case too.
func (l *lane) renew() {
	l.t.Helper()
	if l.crashes++; l.crashes < 6 || l.shift != nil { // passkeys are for an address, which is another one then
		return
	}
	l.crashes = 0
	l.s.Kill()
	l.s.Up()
	l.s.Alive()
}

// household signs a new number in.
func (l *lane) household() *who {
	l.t.Helper()
	c, mobile := l.s.Holder()
	return &who{c: c, mobile: mobile, id: l.s.PAN()}
}

// person is a household of one.
func (l *lane) person() *who {
	l.t.Helper()
	w := l.household()
	w.ref = w.c.Enrol("Asha Test")
	return w
}

// booked is a household of one with an appointment today.
func (l *lane) booked() *who {
	l.t.Helper()
	w := l.person()
	var a harness.Answer
	if w.appointment, a = w.c.Book(l.day, 1, w.ref); w.appointment == "" {
		l.t.Fatalf("booking: %s", a.Text())
	}
	return w
}

// bookedLater is a household of one with an appointment on a later day.
func (l *lane) bookedLater() *who {
	l.t.Helper()
	w := l.person()
	var a harness.Answer
	if w.old, a = w.c.Book(l.s.Later()[0], 1, w.ref); w.old == "" {
		l.t.Fatalf("booking: %s", a.Text())
	}
	return w
}

// atTheDoor also knows the appointment's code.
func (l *lane) atTheDoor() *who {
	l.t.Helper()
	w := l.booked()
	w.code = l.s.SecurityCode(w.mobile, l.day.Date)
	return w
}
