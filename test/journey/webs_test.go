package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestTwoWebProcesses: two web processes serve one database; what is booked,
// cancelled or left behind through one shows in the other's search within a
// second.
func TestTwoWebProcesses(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Args: []string{"--also-listen", "127.0.0.1:0"}})
	second := s.Further()[0]
	day := s.Later()[0]
	search := func(api string) int {
		t.Helper()
		res, err := http.Get(fmt.Sprintf("%s/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", api, day.Centre, day.Date))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out struct {
			Centers struct {
				Sessions []struct {
					ID    string `json:"session_id"`
					Dose1 int    `json:"available_capacity_dose1"`
				} `json:"sessions"`
			} `json:"centers"`
		}
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		for _, x := range out.Centers.Sessions {
			if x.ID == day.Session {
				return x.Dose1
			}
		}
		return -1
	}
	within := func(what string, want int, limit time.Duration) {
		t.Helper()
		begin := time.Now()
		for _, api := range []string{s.API, second} {
			for search(api) != want {
				if time.Since(begin) > limit {
					t.Fatalf("%s: %v later %s shows %d free, want %d", what, limit, api, search(api), want)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		t.Logf("%s: both show it after %v", what, time.Since(begin).Round(time.Millisecond))
	}
	await := func(what string, want int) { t.Helper(); within(what, want, time.Second) }
	free := search(s.API)
	for end := time.Now().Add(20 * time.Second); search(second) != free && time.Now().Before(end); free = search(s.API) {
		time.Sleep(50 * time.Millisecond) // the second process may still be starting, and the demo's sessions coming in
	}
	if free < 3 || search(second) != free {
		t.Fatalf("%d free through the first, %d through the second", free, search(second))
	}
	c, _ := s.Holder()
	one, two := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
	number, a := c.Book(day, 1, one, two)
	if !a.OK() {
		t.Fatal(a.Text())
	}
	await("two booked", free-2)
	if a := c.Cancel(number, one); !a.OK() {
		t.Fatal(a.Text())
	}
	await("one cancelled", free-1)

	// A booking that broke off after its hold: the worker's sweep ends it, and the place
	// is free again through both.
	loseHold(s, day, two)
	await("held", free-2)
	within("swept", free-1, 6*time.Second) // the hold's rest, the sweep's second, the search's

	// A session that the operator adds shows through both within a second.
	was := day
	day = addSession(t, s, day)
	await("a new session", 7)
	day = was
	if os.Getenv("TIKAKOSH_FULL") == "" {
		return
	}
	for i := range 20 {
		c, _ := s.Holder()
		if _, a := c.Book(day, 1, c.Enrol("Meera Test")); !a.OK() {
			t.Fatal(a.Text())
		}
		await("booked", free-2-i)
	}
}

// loseHold leaves what a booking leaves that broke off after its hold.
func loseHold(s *harness.Server, day harness.Day, reference string) {
	now := s.Now().UnixMilli()
	s.Exec(harness.RegistryDB,
		fmt.Sprintf("INSERT INTO hold (hold, centre, session, dose, state, created, expires, bucket) SELECT 'lost', centre, session, 1, 1, %d, %d, bucket FROM session WHERE session = '%s'", now, now+1500, day.Session),
		fmt.Sprintf("INSERT INTO hold_place (hold, person, state, bucket) SELECT 'lost', person, 1, (SELECT bucket FROM session WHERE session = '%s') FROM reference WHERE reference = '%s'", day.Session, reference),
		fmt.Sprintf("UPDATE session SET taken1 = taken1 + 1 WHERE session = '%s'", day.Session))
}

// addSession has the operator add a session of seven places at a day's centre.
func addSession(t *testing.T, s *harness.Server, day harness.Day) harness.Day {
	t.Helper()
	row := fmt.Sprintf("center_id,date,vaccine,dose1_capacity,dose2_capacity,slots,booking_closes\n%d,%s,SPUTNIK V,7,7,09:00AM-05:00PM,\n",
		day.Centre, s.Now().AddDate(0, 0, 9).Format(time.DateOnly))
	path := filepath.Join(t.TempDir(), "sessions.csv")
	if err := os.WriteFile(path, []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, exit := s.Command("import", "sessions", path, "--apply", "--data", s.Data); exit != 0 || !strings.Contains(out, "written: 1") {
		t.Fatalf("import: %s", out)
	}
	added := s.Column(harness.RegistryDB, fmt.Sprintf("SELECT session FROM session WHERE centre = %d AND product = 'SPUTNIK V' AND cap1 = 7", day.Centre))
	if len(added) != 1 {
		t.Fatalf("added %q", added)
	}
	day.Session, day.Date = added[0], s.Now().AddDate(0, 0, 9).Format("02-01-2006")
	return day
}
