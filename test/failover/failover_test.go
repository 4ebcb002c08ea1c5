package failover

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// TestFailoverLeaderKilled: people are registered, booked and vaccinated through
// the binary by ten callers; the leader's PostgreSQL and its Patroni are killed.
// Afterwards every acknowledged write is there, none twice, the ledger is whole,
// and no role had to be started again.
func TestFailoverLeaderKilled(t *testing.T) {
	if !on() {
		return
	}
	c := startCluster(t)
	engine, err := pgtest.At(c.url())
	if err != nil {
		t.Fatalf("%v\n%s", err, c.logs())
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Engine: engine, Args: []string{"--no-limits", "--no-booking-bounds"}})
	w := newWorld(t, s)
	before := map[string]int{}
	for _, r := range s.Roles() {
		before[r.Name] = r.PID
	}

	stop := make(chan struct{})
	done := w.run(s, stop)
	time.Sleep(10 * time.Second)
	down := c.leader()
	killed := time.Now()
	c.kill(down)
	c.await("another leads", 2*time.Minute, func(r map[string]string) bool {
		return count(r, "leader") == 1 && r[down.name] != "leader" && count(r, "sync_standby") == 1
	})
	back := w.outage(t, killed, 2*time.Minute)
	time.Sleep(10 * time.Second)
	close(stop)
	done()

	for _, y := range w.tallies() {
		if len(y.odd) > 0 || y.withoutWait > 0 {
			t.Errorf("%d answers that a client cannot act on, such as %q; %d of 503 without Retry-After", len(y.odd), y.odd[:min(3, len(y.odd))], y.withoutWait)
		}
	}
	var untold atomic.Int64
	for _, h := range w.all() {
		h.told(t, &untold)
	}
	vague := w.enrolled.vague.Load() + w.booked.vague.Load() + w.dosed.vague.Load()
	t.Logf("failover: no acknowledgement for %.1f s after the kill; registrations: %s; bookings: %s; doses: %s; stored and not acknowledged: %d of %d",
		back.Seconds(), &w.enrolled, &w.booked, &w.dosed, untold.Load(), vague)
	for _, r := range s.Roles() {
		if before[r.Name] != r.PID {
			t.Errorf("the role %s was started again", r.Name)
		}
	}
	w.consistent(t, s)
	if again := s.Client().SignIn(w.today[0].mobile); len(again.Beneficiaries()) != 6 {
		t.Error("a new sign-in sees other people")
	}
}

// world is what the callers of one run share.
type world struct {
	enrolled, booked, dosed tally
	growing                 [][]*house // one list for each caller that registers
	moving                  []*house   // book and cancel
	today                   []*house   // wait for their dose
	day, later              harness.Day
}

func (w *world) tallies() []*tally { return []*tally{&w.enrolled, &w.booked, &w.dosed} }

func (w *world) all() []*house {
	out := append(append([]*house(nil), w.moving...), w.today...)
	for _, list := range w.growing {
		out = append(out, list...)
	}
	return out
}

// newWorld prepares households while nothing is amiss.
func newWorld(t *testing.T, s *harness.Server) *world {
	t.Helper()
	s.Exec(harness.RegistryDB, "UPDATE session SET cap1 = taken1 + 1000")
	w := &world{day: s.OpenToday(), later: s.Later()[0]}
	for range 4 {
		w.moving = append(w.moving, newHouse(s, 2))
		var list []*house
		for range 20 {
			list = append(list, newHouse(s, 0))
		}
		w.growing = append(w.growing, list)
	}
	for range 16 {
		h := newHouse(s, 6)
		comeToday(t, s, h, w.day)
		w.today = append(w.today, h)
	}
	return w
}

// run lets everybody write until stop; the result waits for their end.
func (w *world) run(s *harness.Server, stop <-chan struct{}) (wait func()) {
	var all sync.WaitGroup
	for i, list := range w.growing {
		all.Go(func() { enrols(s, &w.enrolled, stop, list) })
		all.Go(func() { books(&w.booked, stop, w.moving[i], w.later) })
	}
	half := len(w.today) / 2
	for _, list := range [][]*house{w.today[:half], w.today[half:]} {
		all.Go(func() { doses(s, &w.dosed, stop, list, w.day) })
	}
	return all.Wait
}

// outage waits until writes of every kind are acknowledged again and says how
// long after the kill the last kind was.
func (w *world) outage(t *testing.T, killed time.Time, wait time.Duration) time.Duration {
	t.Helper()
	var longest time.Duration
	for _, y := range w.tallies() {
		for {
			y.mu.Lock()
			failed, since := y.first, y.last
			y.mu.Unlock()
			if !failed.IsZero() && since.After(failed) {
				longest = max(longest, since.Sub(killed))
				break
			}
			if time.Since(killed) > wait {
				t.Fatalf("no service %v after the kill", wait)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return longest
}

// consistent waits until what was begun is settled, and looks at the counters
// and the ledger.
func (w *world) consistent(t *testing.T, s *harness.Server) {
	t.Helper()
	for begin := time.Now(); s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE state = 1") != "0"; time.Sleep(200 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Error("bound bookings are not confirmed")
			break
		}
	}
	if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM (SELECT person FROM appointment WHERE state = 1 GROUP BY person HAVING count(*) > 1) AS twice"); n != "0" {
		t.Errorf("%s people have two appointments", n)
	}
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) { // holds that were left are swept
		wrong := s.Column(harness.RegistryDB, `SELECT s.session || ': ' || s.taken1 FROM session s WHERE s.taken1 <>
			(SELECT count(*) FROM appointment a WHERE a.session = s.session AND a.dose = 1 AND a.state IN (1, 2))`)
		if len(wrong) == 0 {
			break
		}
		if time.Since(begin) > 30*time.Second {
			t.Errorf("places taken and appointments differ: %v", wrong)
			break
		}
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
	var out string
	for begin, exit := time.Now(), 1; exit != 0; time.Sleep(200 * time.Millisecond) {
		if out, exit = s.Command("ledger", "verify", filepath.Join(s.Data, "ledger")); exit != 0 && time.Since(begin) > 15*time.Second {
			t.Fatalf("verify: exit %d\n%s", exit, out)
		}
	}
	if n := s.Cell(harness.VaultDB, "SELECT CASE WHEN count(*) = max(entry_index) + 1 AND count(*) = count(DISTINCT entry_index) THEN 1 ELSE 0 END FROM ledger_entry"); n != "1" {
		t.Error("the ledger has a gap")
	}
	t.Logf("%d households compared", len(w.all()))
}
