package journey

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestRush lets 500 people ask for the last place at once, and then the same 500
// send 5,000 requests for 100 places: exactly so many are booked, through the
// binary, as its own databases and audit say.
func TestRush(t *testing.T) { rush(t, harness.Options{}) }

// rush is TestRush on a server with further options; with further web processes
// the requests go to all of them in turn.
func rush(t *testing.T, o harness.Options) {
	t.Helper()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	o.Args = append(o.Args, "--no-limits", "--no-booking-bounds")
	s := harness.Start(t, &b, o)
	apis := append([]string{s.API}, s.Further()...)
	type member struct {
		c    *harness.Client
		ref  string
		held string
	}
	const people = 500
	all := make([]member, 0, people)
	var houses []*harness.Client
	for len(houses) < (people+5)/6 {
		c, _ := s.Holder()
		houses = append(houses, c)
	}
	refs := make([][]string, len(houses))
	together(len(houses), 16, func(i int) {
		for range 6 {
			refs[i] = append(refs[i], houses[i].Enrol("Asha Test"))
		}
	})
	for j := range 6 { // neighbours in the queue are of different households
		for i, c := range houses {
			if len(all) < people {
				all = append(all, member{c: c, ref: refs[i][j]})
			}
		}
	}
	day := s.Later()[0]
	places := func(n int) {
		s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET cap1 = taken1 + %d WHERE session = '%s'", n, day.Session))
		time.Sleep(500 * time.Millisecond) // the change feed tells the web role
	}
	var mu sync.Mutex
	ask := func(requests int) (booked, full, mine, other int) {
		begin := time.Now()
		together(requests, 200, func(i int) {
			m := &all[i%people]
			a, err := m.c.DoURL("POST", apis[i/7%len(apis)]+"/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{m.ref}})
			mu.Lock()
			defer mu.Unlock()
			switch code := a.Field("errorCode"); {
			case err == nil && a.Status == 200:
				booked++
				m.held = a.Field("appointment_confirmation_no")
			case err == nil && a.Status == 409 && code == "APPOIN0040":
				full++
			case err == nil && a.Status == 409 && code == "APPOIN0022":
				mine++
			default:
				if other++; other < 4 {
					t.Errorf("%v %s", err, a.Text())
				}
			}
		})
		t.Logf("%d requests decided in %v: %d booked, %d full, %d had one", requests, time.Since(begin), booked, full, mine)
		return booked, full, mine, other
	}
	taken := func() string {
		return s.Cell(harness.RegistryDB, "SELECT cap1 - taken1 FROM session WHERE session = $1", day.Session)
	}
	places(1)
	if booked, full, mine, other := ask(people); booked != 1 || full != people-1 || mine+other != 0 || taken() != "0" {
		t.Fatalf("the last place: %d booked, %d full, %d, %d; %s left", booked, full, mine, other, taken())
	}
	for _, m := range all {
		if m.held != "" {
			if a := m.c.Cancel(m.held, m.ref); !a.OK() {
				t.Fatal(a.Text())
			}
		}
	}
	places(100)
	booked, _, _, other := ask(10 * people)
	if booked != 100 || other != 0 || taken() != "0" {
		t.Errorf("100 places: %d booked, %d other; %s left", booked, other, taken())
	}
	live := s.Cell(harness.RegistryDB, "SELECT count(*) FROM appointment WHERE session = $1 AND state = 1", day.Session)
	twice := s.Cell(harness.RegistryDB, "SELECT count(*) FROM (SELECT person FROM appointment WHERE state = 1 GROUP BY person HAVING count(*) > 1) AS twice")
	if live != "100" || twice != "0" {
		t.Errorf("%s live appointments, %s people with two", live, twice)
	}
	for begin := time.Now(); s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE state = 1") != "0"; time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("bound bookings are not confirmed")
		}
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}

// together does n things over so many workers.
func together(n, workers int, do func(i int)) {
	var wg sync.WaitGroup
	for g := range workers {
		wg.Go(func() {
			for i := g; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}
