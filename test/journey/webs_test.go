package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
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
	await := func(what string, want int) {
		t.Helper()
		begin := time.Now()
		for _, api := range []string{s.API, second} {
			for search(api) != want {
				if time.Since(begin) > time.Second {
					t.Fatalf("%s: a second later %s shows %d free, want %d", what, api, search(api), want)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		t.Logf("%s: both show it after %v", what, time.Since(begin).Round(time.Millisecond))
	}
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
