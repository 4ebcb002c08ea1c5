package journey

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// TestPostgresReadReplica: slot search and statistics read from a streaming standby.
// While its replay stands still the search of a process that was not asked shows the
// old figure, and bookings are right; when it is gone the primary is read; when it is
// back, it is read again. No role is started anew, no request fails.
func TestPostgresReadReplica(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	primary, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Stop)
	replica := primary.Standby(t)
	primary.Exec(t, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()") // it may lag and go
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Engine: primary, Replica: replica, Args: []string{"--also-listen", "127.0.0.1:0"}})
	second, day := s.Further()[0], s.Later()[0]
	c, _ := s.Holder()
	free := func(api string) int { t.Helper(); return freeAt(t, s, api, day) }
	shows := func(what string, want int, limit time.Duration) {
		t.Helper()
		begin := time.Now()
		for got := free(second); got != want; got = free(second) {
			if time.Since(begin) > limit {
				t.Fatalf("%s: the other process shows %d free after %v, want %d", what, got, limit, want)
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Logf("%s: the other process shows it after %v", what, time.Since(begin).Round(time.Millisecond))
	}
	booked := 0
	book := func(name string) {
		t.Helper()
		if _, a := c.Book(day, 1, c.Enrol(name)); !a.OK() {
			t.Fatal(a.Text())
		}
		booked++
		appointments := 0
		for _, p := range c.Beneficiaries() {
			appointments += len(p.Appointments)
		}
		if appointments != booked {
			t.Errorf("%d appointments, want %d", appointments, booked)
		}
	}
	statistics := func(server *pgtest.Server) int { // how often the published figures were read there
		t.Helper()
		return server.Number(t, s.DatabaseURL(harness.RegistryDB), "SELECT COALESCE(SUM(seq_scan + idx_scan), 0)::BIGINT FROM pg_stat_user_tables WHERE relname = 'report'")
	}
	all := free(s.API)
	shows("the start", all, 20*time.Second)
	web := s.Role(harness.RoleWeb)

	book("Asha Test")
	shows("a booking", all-1, 2*time.Second)

	there, here := statistics(replica), statistics(primary)
	for begin := time.Now(); statistics(replica) <= there; time.Sleep(200 * time.Millisecond) {
		if a := s.Client().Must("GET", "/v1/reports/v2/getPublicReports", nil); a.Status != 200 {
			t.Fatal(a.Text())
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("statistics were asked for and not read from the replica")
		}
	}
	t.Logf("the published figures were read %d times from the replica, %d times from the primary (by the worker)", statistics(replica)-there, statistics(primary)-here)

	// The replica stands still.
	replica.Exec(t, "SELECT pg_wal_replay_pause()")
	book("Ravi Test")
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got := free(second); got != all-1 {
			t.Fatalf("%d free: not read from the replica, which still has %d", got, all-1)
		}
	}
	replica.Exec(t, "SELECT pg_wal_replay_resume()")
	shows("the replica goes on", all-2, 5*time.Second)

	// The replica is gone: the primary is read.
	replica.Down(t)
	book("Meera Test")
	shows("without the replica", all-3, 5*time.Second)
	if a := s.Client().Must("GET", "/v1/reports/v2/getPublicReports", nil); a.Status != 200 {
		t.Errorf("statistics without the replica: %s", a.Text())
	}

	replica.Up(t)
	readAgain(t, s, replica)
	shows("after its return", all-3, 5*time.Second)
	replica.Exec(t, "SELECT pg_wal_replay_pause()")
	book("Anil Test")
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got := free(second); got != all-3 {
			t.Fatalf("%d free: the replica is not read again", got)
		}
	}
	replica.Exec(t, "SELECT pg_wal_replay_resume()")
	shows("at the end", all-4, 5*time.Second)
	if s.Role(harness.RoleWeb) != web {
		t.Error("the web role was started again")
	}
}

// freeAt is what the search of one process shows for a session.
func freeAt(t *testing.T, s *harness.Server, api string, day harness.Day) int {
	t.Helper()
	a, err := s.Client().DoURL("GET", fmt.Sprintf("%s/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", api, day.Centre, day.Date), nil)
	if err != nil || a.Status != 200 {
		t.Fatalf("search: %v, %s", err, a.Text())
	}
	var out struct {
		Centers struct {
			Sessions []struct {
				ID    string `json:"session_id"`
				Dose1 int    `json:"available_capacity_dose1"`
			} `json:"sessions"`
		} `json:"centers"`
	}
	if err := json.Unmarshal(a.Body, &out); err != nil {
		t.Fatal(err)
	}
	for _, x := range out.Centers.Sessions {
		if x.ID == day.Session {
			return x.Dose1
		}
	}
	return -1
}

// readAgain waits until a replica that has come back is read, without help.
func readAgain(t *testing.T, s *harness.Server, replica *pgtest.Server) {
	t.Helper()
	begin := time.Now()
	for replica.Number(t, s.DatabaseURL(harness.RegistryDB), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tikakosh/web/read'") == 0 {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("the replica is back for 20 s and nobody reads from it")
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("read again %v after it came back", time.Since(begin).Round(time.Millisecond))
}
