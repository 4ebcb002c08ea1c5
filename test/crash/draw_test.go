package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// drawPoints are the points of the worker's draw.
func drawPoints() []string { return []string{"draw:after-hold", "draw:after-entry"} }

// TestDrawCrash stops the worker within a draw of one place among three
// households: it goes on after the restart, and one of them has the place.
func TestDrawCrash(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	days := l.s.Later()
	for i, point := range append(drawPoints(), "worker:before-commit", "worker:after-commit") {
		day := days[i%len(days)]
		if i >= len(days) {
			break // no session is left that was not drawn
		}
		at := l.s.Now().Add(4 * time.Second)
		l.s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET draw_at = %d, cap1 = taken1 + 1 WHERE session = '%s'", at.UnixMilli(), day.Session))
		var all []*who
		for range 3 {
			w := l.person()
			for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) { // until the web role knows of the draw
				a := w.c.Must("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{w.ref}})
				if a.Status == 202 && a.Field("draw_at") != "" {
					break
				}
				if time.Since(begin) > 3*time.Second {
					t.Fatalf("%s: not entered: %s", point, a.Text())
				}
			}
			all = append(all, w)
		}
		time.Sleep(time.Until(at) - 200*time.Millisecond - time.Until(l.s.Now()))
		if err := os.WriteFile(l.arm, fmt.Appendf(nil, "%s 1", point), 0o644); err != nil {
			t.Fatal(err)
		}
		var d struct {
			State string `json:"state"`
			Won   []int  `json:"won"`
		}
		for begin := time.Now(); d.State != "drawn"; time.Sleep(200 * time.Millisecond) {
			a := l.s.Client().Must("GET", "/v3/draws/"+day.Session, nil)
			if err := json.Unmarshal(a.Body, &d); err != nil {
				t.Fatal(a.Text())
			}
			if time.Since(begin) > 25*time.Second {
				t.Fatalf("%s: the draw does not end: %s", point, a.Text())
			}
		}
		if !l.fired(false) {
			t.Errorf("not stopped at %s", point)
		}
		l.settle("draw stopped at " + point)
		l.whole("draw stopped at " + point)
		booked := 0
		for _, w := range all {
			booked += len(w.c.Beneficiaries()[0].Appointments)
		}
		if booked != 1 || len(d.Won) != 1 {
			t.Errorf("%s: %d of one place are booked, %v won", point, booked, d.Won)
		}
	}
}
