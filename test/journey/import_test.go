package journey

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

const clinic = 710001

// TestClinicFromFiles sets a clinic up as an operator does, with `run` and two CSV
// files, and takes a person to the certificate there.
func TestClinicFromFiles(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Run: true, Args: []string{"--search-every=1s"}})
	dir := t.TempDir()
	today := s.Now().In(time.FixedZone("IST", 5*3600+1800))
	centres := "\xef\xbb\xbfcenter_id,name,address,state_name,district_name,pincode,lat,long,from,to,fee_type\r\n" +
		fmt.Sprintf("%d,आदर्श प्राथमिक स्वास्थ्य केंद्र,\"1 Sample Road, first floor\",दिल्ली,Central Delhi,110001,28.63,77.22,00:00,24:00,Free\r\n", clinic)
	sessions := func(cap1 int) string {
		return "center_id,date,vaccine,dose1_capacity,dose2_capacity,slots,booking_closes\n" +
			fmt.Sprintf("%d,%s,COVAXIN,%d,5,12:00AM-12:00PM|12:00PM-12:00AM,24:00\n", clinic, today.Format("02-01-2006"), cap1) +
			fmt.Sprintf("%d,%s,COVAXIN,7,7,09:00AM-05:00PM,\n", clinic, today.AddDate(0, 0, 1).Format(time.DateOnly))
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(want int, says string, args ...string) {
		t.Helper()
		out, exit := s.Command(append([]string{"import"}, append(args, "--data", s.Data)...)...)
		if exit != want || !strings.Contains(out, says) {
			t.Fatalf("import %v: exit %d, want %d and %q\n%s", args, exit, want, says, out)
		}
	}
	cfile, sfile := file("centres.csv", centres), file("sessions.csv", sessions(9))
	run(0, "1 new, 0 changed, 0 unchanged, 0 wrong\npreview: nothing was written", "centres", cfile)
	run(1, "import the centres first", "sessions", sfile, "--apply") // the preview wrote nothing
	run(0, "written: 1", "centres", cfile, "--apply")
	run(0, "2 new", "sessions", sfile, "--preview")
	run(1, "nothing was written", "sessions", file("bad.csv", sessions(9)+"5,x\n"), "--apply")
	run(0, "written: 2", "sessions", file("bad.csv", sessions(9)+"5,x\n"), "--apply", "--skip-bad")

	begin := time.Now()
	var d harness.Day
	for d.Session == "" && time.Since(begin) < 20*time.Second {
		d = clinicDay(t, s)
	}
	if took := time.Since(begin); d.Session == "" || took > 3*time.Second {
		t.Fatalf("the search showed %+v %v after the import", d, took)
	}
	run(0, "0 new, 0 changed, 1 unchanged", "centres", cfile, "--apply")
	run(0, "0 new, 0 changed, 2 unchanged", "sessions", sfile, "--apply")

	keys := map[string]harness.StaffKey{}
	for _, role := range []string{"manager", "vaccinator"} {
		path := filepath.Join(dir, role+".json")
		if out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", role, "--centre", fmt.Sprint(clinic), "--name", "Test "+role, "--out", path); exit != 0 {
			t.Fatal(out)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if keys[role], err = harness.ParseStaffKey(raw); err != nil {
			t.Fatal(err)
		}
	}
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	if appointment, a := c.Book(d, 1, ref); appointment == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	run(0, "the capacity stays at what is booked", "sessions", file("less.csv", sessions(0)), "--apply")
	run(0, "0 new, 0 changed, 2 unchanged", "sessions", file("less.csv", sessions(0)))
	staff := s.Client()
	if a := staff.OpenSession(keys["manager"], d); !a.OK() {
		t.Fatalf("the imported session does not open: %s", a.Text())
	}
	if a := staff.Signed(keys["vaccinator"], harness.VaccinatePath, harness.DoseForm(d, ref, s.SecurityCode(mobile, ref), 1)); !a.OK() {
		t.Fatalf("the dose: %s", a.Text())
	}
	if a := c.Certificate(ref); !a.OK() {
		t.Fatalf("certificate: %s", a.Text())
	}
	nobodyListed(t, s, []string{"Asha", mobile, ref}, cfile, sfile)
}

// clinicDay is today's session at the clinic as the search shows it.
func clinicDay(t *testing.T, s *harness.Server) (d harness.Day) {
	t.Helper()
	a := s.Client().Must("GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByDistrict?district_id=116&date=%s", s.Indian()), nil)
	var found struct {
		Centers []struct {
			ID       int64  `json:"center_id"`
			Name     string `json:"name"`
			District string `json:"district_name"`
			State    string `json:"state_name"`
			Sessions []struct {
				ID      string   `json:"session_id"`
				Date    string   `json:"date"`
				Vaccine string   `json:"vaccine"`
				Slots   []string `json:"slots"`
			} `json:"sessions"`
		} `json:"centers"`
	}
	if err := json.Unmarshal(a.Body, &found); err != nil {
		t.Fatalf("%v: %s", err, a.Text())
	}
	for _, c := range found.Centers {
		for _, v := range c.Sessions {
			if c.ID == clinic && v.Date == s.Indian() {
				return harness.Day{Centre: clinic, Session: v.ID, Slot: v.Slots[len(v.Slots)-1], Date: v.Date, Vaccine: v.Vaccine, CentreName: c.Name, District: c.District, State: c.State}
			}
		}
	}
	return d
}

// nobodyListed runs every command that can read an installation: none says who
// is in it.
func nobodyListed(t *testing.T, s *harness.Server, who []string, cfile, sfile string) {
	t.Helper()
	commands := [][]string{
		{"ledger", "verify", filepath.Join(s.Data, "ledger")}, {"ledger", "audit", "--data", s.Data}, {"ledger", "audit", "--json", "--data", s.Data},
		{"logs", "verify", "--data", s.Data}, {"import", "columns"}, {"import", "centres", cfile, "--data", s.Data}, {"import", "sessions", sfile, "--data", s.Data},
	}
	for _, args := range commands {
		out, exit := s.Command(args...)
		if exit != 0 {
			t.Errorf("%v: %s", args, out)
		}
		for _, w := range who {
			if strings.Contains(out, w) {
				t.Errorf("%v prints %s", args, w)
			}
		}
	}
	help, _ := s.Command("--help")
	help = strings.ReplaceAll(help, "logs export", "") // of the machine's roles: test/ops shows that nobody is in them
	if m := regexp.MustCompile(`(?i)\b(export|dump|people|persons?|beneficiar\w+|search|find)\b`).FindAllString(help, -1); m != nil {
		t.Errorf("there is a command about %v: nothing may list people", m)
	}
}
