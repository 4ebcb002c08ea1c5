package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// secrets is everything of a journey that no log, metric or trace may hold.
type secrets struct {
	words map[string]string // what it is → at least eight bytes
	short map[string]string // codes: too short to search for anywhere
}

// journey takes two households through everything, well and badly formed.
func journey(t *testing.T, s *harness.Server) secrets {
	t.Helper()
	sec := secrets{map[string]string{}, map[string]string{}}
	mobile := s.Mobile()
	c := s.Client()
	txn, code := c.Code(mobile)
	c.Confirm(txn, "wrong")
	bearer, a := c.Confirm(txn, code)
	if bearer == "" {
		t.Fatalf("sign-in: %s", a.Text())
	}
	c = c.With(bearer)
	sec.words["mobile"], sec.words["bearer"], sec.words["transaction"], sec.short["one-time code"] = mobile, bearer, txn, code
	var refs []string
	for i, name := range []string{"Quixolmar Zephyrine", "झंकारेश्वरी विद्युल्लता"} {
		p := harness.Person{Name: name, ID: s.PAN()}
		ref, a := c.TryEnrol(p)
		if ref == "" {
			t.Fatalf("registration: %s", a.Text())
		}
		refs = append(refs, ref)
		sec.words[fmt.Sprint("name ", i)], sec.words[fmt.Sprint("id number ", i)], sec.words[fmt.Sprint("reference ", i)] = name, p.ID, ref
		bad := p.Form()
		bad["birth_year"], bad["gender_id"] = name, p.ID
		c.Must("POST", "/v2/registration/beneficiary/new", bad)
		c.Must("POST", "/v2/registration/beneficiary/new", []byte(`{"name":"`+name+`",`))
		c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": name + p.ID})
		c.Must("GET", "/v2/vaccinator/beneficiaries/findByMobile?mobile_number="+mobile+"&name="+strings.ReplaceAll(name, " ", "+"), nil)
		c.Must("GET", "/nowhere/"+mobile, nil, "User-Agent", name, "X-Request-Id", mobile)
	}
	appointment, a := c.Book(s.Later()[0], 1, refs[1])
	if appointment == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	sec.short["security code"] = s.SecurityCode(mobile)
	c.Slip(appointment)
	c.Beneficiaries()
	c.Openings()
	c.Cancel(appointment, refs[1])
	s.Vaccinate(c, mobile, refs[0])
	if a := c.Certificate(refs[0]); !a.OK() {
		t.Fatalf("certificate: %s", a.Text())
	}
	c.Must("GET", "/v2/appointment/sessions/public/findByPin?pincode=110001&date="+s.Indian(), nil)
	c.Must("GET", "/v2/appointment/sessions/public/findByPin?pincode="+mobile+"&date=x", nil)
	s.OpenToday()
	card := s.WalkIn(harness.Person{Name: "Vrondelisk Ampharoth", ID: s.PAN()})
	sec.words["card"], sec.short["PIN"] = card.Text, card.PIN
	s.Client().TryCard(card)
	for what, code := range sec.short {
		if len(code) < 4 {
			t.Fatalf("%s is %q", what, code)
		}
	}
	return sec
}

// within says which secrets a text holds.
func (sec secrets) within(t *testing.T, text []byte) []string {
	t.Helper()
	n := harness.NewNeedles()
	for what, word := range sec.words {
		if err := n.AddForms(what, word); err != nil {
			t.Fatal(err)
		}
	}
	hits := n.Find(text)
	for what, code := range sec.short {
		if regexp.MustCompile(`(^|[^0-9A-Za-z.])` + regexp.QuoteMeta(code) + `([^0-9A-Za-z]|$)`).Match(text) {
			hits = append(hits, what)
		}
	}
	return hits
}

// TestLogs: the logs of a whole journey hold every role's lines and nothing of
// the people; they are sealed on the ledger, an export verifies, and a line or a
// file that is missing is found in both.
func TestLogs(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Args: []string{"--log-seal-first", "300ms", "--log-seal-every", "500ms"}})
	sec := journey(t, s)
	dir := filepath.Join(s.Data, "logs")
	waitFor(t, "a request in the web role's log", func() bool {
		return bytes.Contains(readLogs(t, dir, "web"), []byte(`"route":"/api/v2/registration/certificate/public/download"`))
	})
	for _, role := range []string{"supervisor", "vault", "courier", "web", "worker"} {
		text := readLogs(t, dir, role)
		if !bytes.Contains(text, []byte(`"clock":{"`)) || !bytes.Contains(text, []byte(`"seq":1,`)) {
			t.Errorf("the log of %s has no clock or no numbers:\n%.500s", role, text)
		}
		cleaned := withoutNumbers(t, text)
		if hits := sec.within(t, cleaned); len(hits) > 0 {
			t.Errorf("the log of %s holds %q", role, hits)
		}
	}
	keys := s.API + "/v3/keys"
	archive := filepath.Join(t.TempDir(), "logs.tar.gz")
	day := time.Now().UTC().Format(time.DateOnly)
	if out, exit := s.Command("logs", "export", "--data", s.Data, "--from", day, "--to", time.Now().UTC().Format(time.RFC3339), "--out", archive); exit != 0 {
		t.Fatalf("export: %d\n%s", exit, out)
	}
	verify := func(args ...string) (string, int) {
		return s.Command(append([]string{"logs", "verify", "--keys", keys}, args...)...)
	}
	if out, exit := verify(archive); exit != 0 || !strings.Contains(out, " 0 problems") {
		t.Fatalf("verify the export: %d\n%s", exit, out)
	}
	if out, exit := verify("--data", s.Data); exit != 0 || !strings.Contains(out, " 0 problems") {
		t.Fatalf("verify the folder: %d\n%s", exit, out)
	}
	// A line taken out of a role's log, as by the machine's administrator.
	name := files(t, dir, "web")[0]
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	if err := os.WriteFile(name, bytes.Join(slices.Delete(slices.Clone(lines), 3, 4), nil), 0o640); err != nil {
		t.Fatal(err)
	}
	if out, exit := verify("--data", s.Data); exit == 0 || !strings.Contains(out, "PROBLEM") {
		t.Errorf("with a line deleted: %d\n%s", exit, out)
	}
	waitFor(t, "the alarm", func() bool { return bytes.Contains(readLogs(t, dir, "supervisor"), []byte(`"alarm":"logs"`)) })
	if err := os.WriteFile(name, raw, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "seals")); err != nil {
		t.Fatal(err)
	}
	if out, exit := verify("--data", s.Data); exit == 0 || !strings.Contains(out, "the ledger's newest statement") {
		t.Errorf("with all statements deleted: %d\n%s", exit, out)
	}
	if out, exit := verify(archive); exit != 0 {
		t.Errorf("the export does not stand alone: %d\n%s", exit, out)
	}
}

// withoutNumbers drops what is random or a time from each line, so that a code
// is not found by chance.
func withoutNumbers(t *testing.T, text []byte) []byte {
	t.Helper()
	var out []byte
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		for _, k := range []string{"seq", "time", "ms", "request", "clock", "size", "entries"} {
			delete(v, k)
		}
		kept, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, kept...), '\n')
	}
	return out
}

func files(t *testing.T, dir, role string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, role, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func readLogs(t *testing.T, dir, role string) (text []byte) {
	t.Helper()
	for _, n := range files(t, dir, role) {
		raw, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, raw...)
	}
	return text
}

func waitFor(t *testing.T, what string, have func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !have(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}
