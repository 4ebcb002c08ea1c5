package ops

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// soon is how long a request may take to be refused while the vault does nothing.
// The tests share the machine with others: what is measured is printed.
const soon = 2500 * time.Millisecond

// goesOn asks for what needs no person.
func goesOn(t *testing.T, s *harness.Server, paths ...string) {
	t.Helper()
	for _, path := range append(paths, "/v2/appointment/sessions/public/findByPin?pincode=110001&date="+s.Indian(), "/v2/admin/location/states", "/v1/reports/v2/getPublicReports?date=2026-11-25") {
		if a := s.Client().Must("GET", path, nil); !a.OK() || a.Took > soon {
			t.Errorf("%s while the vault does nothing: %s after %v", path, a.Text(), a.Took)
		}
	}
}

// refused asks for what needs the vault, at once and in both languages, and prints
// how long the slowest took.
func refused(t *testing.T, s *harness.Server, c *harness.Client, english, hindi string) (slowest time.Duration) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for what, ask := range map[string]func() harness.Answer{
		"a code":  func() harness.Answer { _, a := s.Client().AskCode(s.Mobile()); return a },
		"a view":  func() harness.Answer { _, a := c.TryBeneficiaries(); return a },
		"the log": func() harness.Answer { return c.Must("GET", "/v3/openings?limit=5", nil) },
		"in Hindi": func() harness.Answer {
			return s.Client().Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": s.Mobile()}, "Accept-Language", "hi")
		},
	} {
		if c == nil && (what == "a view" || what == "the log") {
			continue
		}
		wg.Go(func() {
			a := ask()
			text := english
			if what == "in Hindi" {
				text = hindi
			}
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Text(), "UNAVAILABLE") || !strings.Contains(string(a.Body), text) || a.Took > soon {
				t.Errorf("%s while the vault does nothing: %s %v after %v", what, a.Text(), a.Header, a.Took)
			}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, a.Took)
		})
	}
	wg.Wait()
	return slowest
}

// back measures how long a household waits for its records.
func back(t *testing.T, c *harness.Client) time.Duration {
	t.Helper()
	begin := time.Now()
	waitFor(t, "the records", func() bool { _, a := c.TryBeneficiaries(); return a.OK() })
	return time.Since(begin)
}

// TestVaultHangs: a vault that hangs is noticed within two seconds, without a pause
// in what needs no person; doses are kept for it; and when it goes on, so does all.
func TestVaultHangs(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	day := s.Today()
	if a := s.Client().OpenSession(s.StaffKey("manager"), day); !a.OK() {
		t.Fatal(a.Text())
	}
	pid := s.Role(harness.RoleVault)
	harness.Freeze(t, pid)
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }() // the server is killed otherwise
	const english, hindi = "cannot be reached", "संपर्क नहीं"
	t.Logf("the first requests of a vault that hangs are refused after %v", refused(t, s, c, english, hindi))
	t.Logf("and those after them after %v", refused(t, s, c, english, hindi))
	begin := time.Now()
	if _, a := c.TryEnrol(harness.Person{Name: "Bala Test"}); a.Status != 503 || time.Since(begin) > soon {
		t.Errorf("an act: %s after %v", a.Text(), time.Since(begin))
	}
	goesOn(t, s, "/v3/keys")
	if a := s.WriteDose(day, ref); a.Status != http.StatusNoContent || a.Took > soon {
		t.Errorf("a dose without evidence: %s after %v", a.Text(), a.Took)
	}
	begin = time.Now()
	if status, body := get(t, s.Ops+"/readyz/web"); status != 503 || !strings.Contains(string(body), `"vault"`) || time.Since(begin) > soon {
		t.Errorf("readiness of the web role: %d %s after %v", status, body, time.Since(begin))
	}
	all, _ := families(t, s)
	if value(all, "tikakosh_vault_silent", "role", "web") != 1 {
		t.Error("the figure says that the vault answers")
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	t.Logf("records open %v after it goes on", back(t, c))
	c.AwaitDose(ref, "unconfirmed")
	if people := c.Beneficiaries(); len(people) != 1 {
		t.Errorf("afterwards: %+v", people)
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: %s", out)
	}
}

// TestVaultWaits: a vault that waits for the shares of its key lets the others start
// and says so, at the first start and at a later one.
func TestVaultWaits(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	binary, err := b.Path(harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.MkdirTemp("", "tikakosh-waits-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "keys", "split", "--need", "2", "--shares", "2", "--data", data).CombinedOutput()
	shares := regexp.MustCompile(`[A-Z2-7]{5}(-[A-Z2-7]{1,5}){10,}`).FindAllString(string(out), -1)
	if err != nil || len(shares) != 2 {
		t.Fatalf("%d shares, %v\n%s", len(shares), err, out)
	}
	give := func() {
		t.Helper()
		for _, share := range shares {
			cmd := exec.Command(binary, "keys", "offer", "--data", data)
			cmd.Stdin = strings.NewReader(share + "\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		}
	}
	const english, hindi = "people who hold its key", "चाबी रखने वालों"
	begin := time.Now()
	s := harness.Start(t, &b, harness.Options{Data: data, Unseeded: true, People: 1, Args: []string{"--keys=shares"}})
	t.Logf("a first start serves after %v", time.Since(begin))
	t.Logf("it refuses after %v", refused(t, s, nil, english, hindi))
	goesOn(t, s)
	if a := s.Client().Must("GET", "/v3/keys", nil); a.Status != 503 {
		t.Errorf("keys that nobody knows yet: %s", a.Text())
	}
	says := func() {
		t.Helper()
		if status, body := get(t, s.Ops+"/readyz/vault"); status != 503 || !strings.Contains(string(body), "shares of the key") {
			t.Errorf("readiness: %d %s", status, body)
		}
		if out, exit := s.Command("health", "--ops-addr", strings.TrimPrefix(s.Ops, "http://")); exit != 1 || !strings.Contains(out, "shares of the key") {
			t.Errorf("health: %d %s", exit, out)
		}
	}
	says()
	give()
	s.Alive()
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	waitFor(t, "the keys", func() bool { return s.Client().Must("GET", "/v3/keys", nil).OK() })
	waitFor(t, "the demo's staff", func() bool { _, err := os.Stat(filepath.Join(s.Staff, "second-manager.json")); return err == nil })
	day := s.Today()
	if a := s.Client().OpenSession(s.StaffKey("manager"), day); !a.OK() {
		t.Fatal(a.Text())
	}

	// A later start, as after a power cut: the keys are known, doses are kept.
	s.Kill()
	begin = time.Now()
	s.Up()
	t.Logf("a later start serves after %v", time.Since(begin))
	t.Logf("it refuses after %v", refused(t, s, c, english, hindi))
	goesOn(t, s, "/v3/keys")
	if a := s.WriteDose(day, ref); a.Status != http.StatusNoContent || a.Took > soon {
		t.Errorf("a dose without evidence: %s after %v", a.Text(), a.Took)
	}
	says()
	give()
	t.Logf("records open %v after the last share", back(t, c))
	c.AwaitDose(ref, "unconfirmed")
}

// TestPostgresVaultStandsBy: a machine whose vault waits for the lease answers, says
// which one serves is another, and takes over.
func TestPostgresVaultStandsBy(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	one := harness.Start(t, &b, harness.Options{Engine: pgtest.Shared(t), People: 3})
	c, _ := one.Holder()
	c.Enrol("Asha Test")
	data, err := os.MkdirTemp("", "tikakosh-waits-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", `mkdir -m 700 "$2/vault" && cp -a "$1/vault/keys" "$2/vault/keys"`, "sh", one.Data, data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	begin := time.Now()
	two := harness.Start(t, &b, harness.Options{Beside: one, Standby: true, Data: data, Run: true, Args: []string{"--log-seal-first", "300ms", "--log-seal-every", "1s"}})
	t.Logf("a machine that stands by serves after %v", time.Since(begin))
	there := two.Client()
	t.Logf("it refuses after %v", refused(t, two, nil, "stands by", "तैयार खड़ा"))
	goesOn(t, two)
	if status, body := get(t, two.Ops+"/readyz/vault"); status != 503 || !strings.Contains(string(body), "lease") {
		t.Errorf("readiness: %d %s", status, body)
	}
	waitFor(t, "the logs' waiting to be said", func() bool {
		all, _ := families(t, two)
		return value(all, "tikakosh_standby") == 1 && strings.Contains(two.Log(), "its log files are sealed when its vault serves")
	})
	time.Sleep(2 * time.Second)
	if n := strings.Count(two.Log(), "job failed"); n > 0 {
		t.Errorf("a worker with nothing to do complained %d times", n)
	}
	begin = time.Now()
	one.Stop()
	waitFor(t, "the other to serve", func() bool { status, _ := get(t, two.Ops+"/readyz"); return status == 200 })
	t.Logf("it serves %v after the other was told to end", time.Since(begin))
	waitFor(t, "its logs to be sealed", func() bool { all, _ := families(t, two); return value(all, "tikakosh_standby") == 0 })
	if got := there.With(c.Bearer).Beneficiaries(); len(got) != 1 {
		t.Errorf("through the second: %+v", got)
	}
}
