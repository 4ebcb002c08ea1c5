package edge

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/scheduling"
)

// TestSmartDraw: a free slot whose places are drawn says when, and no other does.
func TestSmartDraw(t *testing.T) {
	at := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	c := scheduling.Centre{ID: 7, Zone: "UTC", Opens: 540, Closes: 1020}
	s := scheduling.Listed{Session: scheduling.Session{ID: "s", Day: civil.Date{Year: 2026, Month: 11, Day: 26}, Zone: "UTC", Product: "COVISHIELD",
		Cap1: 3, Taken1: 1, Slots: []string{"09:00AM-11:00AM"}}, Available1: 2}
	for draw, want := range map[int64]string{0: "", at.Add(time.Hour).UnixMilli(): `{"url":"https://x.test/fhir/StructureDefinition/draw-at","valueInstant":"2026-11-24T07:00:00Z"}`} {
		s.DrawAt = draw
		w := newSmartWriter("https://x.test", at)
		if err := w.slots(c, []scheduling.Listed{s}); err != nil {
			t.Fatal(err)
		}
		zip, _, err := w.end()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(unzip(zip))) {
			free := strings.Contains(line, `"status":"free"`)
			if strings.Contains(line, "draw-at") != (free && want != "") || (free && !strings.Contains(line, want)) {
				t.Errorf("%d: %s", draw, line)
			}
		}
		if got := sessionOf(s).DrawAt; (got == "") != (draw == 0) {
			t.Errorf("search: %q", got)
		}
	}
}
