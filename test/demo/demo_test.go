package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// hours are wall-clock times in India at which the job must work: just after
// and before midnight, and around the end of online booking.
var hours = [...]string{"00:05", "14:59", "15:01", "23:55"}

// TestMainJobAtAnyHour takes a new household from the first code to a verified
// certificate at each hour.
func TestMainJobAtAnyHour(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	t.Run("hours", func(t *testing.T) { // ends when all of them have
		for _, clock := range hours {
			t.Run(clock, func(t *testing.T) {
				t.Parallel()
				s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, clock)})
				mainJob(t, s)
				if got := s.Now().In(time.FixedZone("IST", 5*3600+1800)).Format("15:04"); got < clock {
					t.Errorf("the job began at %s and ended at %s: midnight passed, nothing was shown", clock, got)
				}
			})
		}
	})
}

func mainJob(t *testing.T, s *harness.Server) {
	t.Helper()
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	day := openNow(t, s)
	appointment, a := c.Book(day, 1, ref)
	if appointment == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	code := s.SecurityCode(mobile, day.Date)
	staff := s.Client()
	if a := staff.OpenSession(s.StaffKey("manager"), day); !a.OK() {
		t.Fatalf("the session: %s", a.Text())
	}
	if a := staff.Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, harness.DoseForm(day, ref, code, 1)); !a.OK() {
		t.Fatalf("the dose: %s", a.Text())
	}
	if p := c.Beneficiaries(); len(p) != 1 || p[0].Status != "Partially Vaccinated" {
		t.Fatalf("after the dose: %+v", p)
	}
	a = c.Certificate(ref)
	file := filepath.Join(t.TempDir(), "certificate.pdf")
	if err := os.WriteFile(file, a.Body, 0o600); err != nil || !a.OK() {
		t.Fatalf("certificate: %v %s", err, a.Text())
	}
	given, err := time.Parse("02-01-2006", day.Date)
	if err != nil {
		t.Fatal(err)
	}
	out, exit := s.Command("certificate", "verify", file, "--keys", s.API+"/v3/keys")
	if exit != 0 || !strings.Contains(out, "Asha Test") || !strings.Contains(out, given.Format(time.DateOnly)) {
		t.Errorf("verify: exit %d\n%s", exit, out)
	}
}

// openNow finds a session with a place today and takes the slot that the clock
// stands in, as somebody would who is at the door.
func openNow(t *testing.T, s *harness.Server) harness.Day {
	t.Helper()
	d := s.Today()
	a := s.Client().Must("GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", d.Centre, s.Indian()), nil)
	var found struct {
		Centers struct {
			Sessions []struct {
				ID    string   `json:"session_id"`
				Slots []string `json:"slots"`
			} `json:"sessions"`
		} `json:"centers"`
	}
	if err := json.Unmarshal(a.Body, &found); err != nil {
		t.Fatalf("%v: %s", err, a.Text())
	}
	now := s.Now().In(time.FixedZone("IST", 5*3600+1800))
	for _, x := range found.Centers.Sessions {
		for _, slot := range x.Slots {
			if x.ID == d.Session && covers(t, slot, now) {
				d.Slot = slot
				return d
			}
		}
	}
	t.Fatalf("no session is open at %s: %s", now.Format("15:04"), a.Body)
	return d
}

// covers reports whether a slot ("06:00PM-12:00AM") holds a time of day.
func covers(t *testing.T, slot string, now time.Time) bool {
	t.Helper()
	text := strings.Split(slot, "-")
	if len(text) != 2 {
		t.Fatalf("slot %q", slot)
	}
	var minutes [2]int
	for i := range minutes {
		at, err := time.Parse("03:04PM", text[i])
		if err != nil {
			t.Fatal(err)
		}
		minutes[i] = at.Hour()*60 + at.Minute()
	}
	if minutes[1] == 0 {
		minutes[1] = 24 * 60
	}
	at := now.Hour()*60 + now.Minute()
	return minutes[0] <= at && at < minutes[1]
}

// TestScript runs the README's script against a demo of full size that has only
// just printed its addresses, at each hour. It needs bash, curl and the usual
// tools, so it runs where TIKAKOSH_SCRIPT=1 says that they are there.
func TestScript(t *testing.T) {
	if os.Getenv("TIKAKOSH_SCRIPT") != "1" {
		t.Skip("set TIKAKOSH_SCRIPT=1 where bash, curl and the usual tools are installed")
	}
	for _, tool := range []string{"bash", "curl", "sha256sum", "od", "awk", "grep", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("TIKAKOSH_SCRIPT=1, but %v", err)
		}
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, clock := range hours {
		t.Run(clock, func(t *testing.T) {
			s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, clock), People: 100_000, Unseeded: true, Args: []string{"--centres=2000"}})
			begin := time.Now()
			cmd := exec.Command(filepath.Join(root, "examples", "walk.sh"), strings.TrimSuffix(s.API, "/api"), s.Outbox, s.Staff, s.Binary)
			cmd.Env = append(os.Environ(), "TIKAKOSH_CLOCK="+s.ClockFile())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			accepted, refused := bytes.Count(out, []byte("GENUINE: ")), bytes.Count(out, []byte("NOT A CERTIFICATE: "))
			if accepted != 2 || refused != 1 || !bytes.HasSuffix(bytes.TrimSpace(out), []byte("== done")) {
				t.Fatalf("%d certificates accepted and %d refused, want 2 and 1\n%s", accepted, refused, out)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("the walk took %v, promised is a minute", took)
			}
		})
	}
}
