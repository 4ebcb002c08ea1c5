package journey

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestPlaceOpenedNearMe: who asked is told, in the language of the sign-in, when
// the last place of a full session is given back.
func TestPlaceOpenedNearMe(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Args: []string{"--watch-every=200ms"}})
	d := s.Later()[0]
	c, mobile := s.Holder()
	until := s.Now().AddDate(0, 0, 20).Format("02-01-2006")
	district, err := strconv.Atoi(s.Cell(harness.RegistryDB, "SELECT district_id FROM centre WHERE centre = $1", d.Centre))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Must("POST", "/v3/alerts", map[string]any{"district_id": district, "dose": 1, "vaccine": d.Vaccine, "until": until})
	if !a.OK() {
		t.Fatal(a.Text())
	}
	time.Sleep(time.Second) // the watcher has seen what is free
	s.Exec(harness.RegistryDB, "UPDATE session SET taken1 = cap1 WHERE session = '"+d.Session+"'")
	time.Sleep(time.Second)
	s.Exec(harness.RegistryDB, "UPDATE session SET taken1 = cap1 - 1 WHERE session = '"+d.Session+"'")
	for range 200 {
		for _, m := range s.To(mobile) {
			if strings.Contains(m.Text, "Places have become free") && strings.Contains(m.Text, d.Date) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("nobody was told: %+v", s.To(mobile))
}
