package ops

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tikakosh/test/harness"
)

// TestVaultAway: while the vault does not answer, what needs no person goes on,
// and the rest is refused clearly; when it is back, so is everything.
func TestVaultAway(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	a := c.Certificate(ref)
	if !a.OK() {
		t.Fatalf("certificate: %s", a.Text())
	}
	dir := t.TempDir()
	pdf, keys := filepath.Join(dir, "certificate.pdf"), filepath.Join(dir, "keys.json")
	for path, raw := range map[string][]byte{pdf: a.Body, keys: s.Client().Must("GET", "/v3/keys", nil).Body} {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pid := s.Role(harness.RoleVault)
	harness.Freeze(t, pid)
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }() // the server is killed otherwise
	waitFor(t, "the stop to be seen", func() bool { status, _ := get(t, s.Ops+"/readyz"); return status == 503 })
	for _, path := range []string{"/v2/appointment/sessions/public/findByPin?pincode=110001&date=" + s.Indian(), "/v3/keys", "/v2/admin/location/states", "/v1/reports/v2/getPublicReports?date=2026-11-25"} {
		if a := s.Client().Must("GET", path, nil); !a.OK() {
			t.Errorf("%s while the vault is away: %s", path, a.Text())
		}
	}
	if status, _ := get(t, s.Root+"/ledger/checkpoint"); status != http.StatusOK {
		t.Errorf("the ledger's checkpoint: %d", status)
	}
	if out, exit := s.Command("certificate", "verify", pdf, "--keys", keys); exit != 0 {
		t.Errorf("verify: %d %s", exit, out)
	}
	// These wait for the vault as long as the web role does, together.
	var wg sync.WaitGroup
	for _, ask := range []func() harness.Answer{
		func() harness.Answer { _, a := s.Client().AskCode(s.Mobile()); return a },
	} {
		wg.Go(func() {
			a := ask()
			t.Logf("answered after %v", a.Took)
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Text(), "UNAVAILABLE") {
				t.Errorf("while the vault is away: %s %v", a.Text(), a.Header)
			}
		})
	}
	wg.Wait()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "readiness", func() bool { status, _ := get(t, s.Ops+"/readyz"); return status == 200 })
	if people := c.Beneficiaries(); len(people) != 1 {
		t.Errorf("afterwards: %+v", people)
	}
}
