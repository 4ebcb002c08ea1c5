package custody

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// offerShare gives a share on standard input.
func offerShare(binary, data, share string) (string, error) {
	cmd := exec.Command(binary, "keys", "offer", "--data", data)
	cmd.Stdin = strings.NewReader(share + "\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestShares starts an installation by three of five shares, and again with
// others; two are not enough, and no share is on the disk.
func TestShares(t *testing.T) {
	t.Parallel()
	data, err := os.MkdirTemp("", "tikakosh-shares-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	binary, err := builder.Path(harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "keys", "split", "--need", "3", "--shares", "5", "--data", data).CombinedOutput()
	shares := regexp.MustCompile(`[A-Z2-7]{5}(-[A-Z2-7]{1,5}){10,}`).FindAllString(string(out), -1)
	if err != nil || len(shares) != 5 {
		t.Fatalf("%d shares, %v\n%s", len(shares), err, out)
	}
	if out, err := exec.Command(binary, "keys", "split", "--need", "2", "--shares", "2", "--data", data).CombinedOutput(); err == nil {
		t.Errorf("split a second time:\n%s", out)
	}
	socket := filepath.Join(data, "vault", "shares.sock")
	give := func(some ...int) <-chan error { // when the vault waits
		ended := make(chan error, 1)
		go func() {
			for _, i := range some {
				for range 600 {
					if _, err := os.Stat(socket); err == nil {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				if out, err := offerShare(binary, data, shares[i]); err != nil {
					ended <- fmt.Errorf("share %d: %w %s", i, err, out)
					return
				}
			}
			ended <- nil
		}()
		return ended
	}
	given := give(0, 1, 2)
	s := harness.Start(t, &builder, harness.Options{Data: data, People: 3, Args: []string{"--keys=shares"}})
	if err := <-given; err != nil {
		t.Fatal(err)
	}
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	noShareOnDisk(t, s, shares)

	// The vault alone is started again: it waits, and says so.
	old := s.KillRole(harness.RoleVault)
	s.AwaitRole(harness.RoleVault, old)
	if err := <-give(4, 3); err != nil {
		t.Fatal(err)
	}
	if _, a := c.TryBeneficiaries(); a.Status != 503 {
		t.Errorf("with two of three shares: %s", a.Text())
	}
	if out, err := offerShare(binary, data, strings.Replace(shares[1], shares[1][20:22], "AB", 1)); err == nil || !strings.Contains(out, "not a share") {
		t.Errorf("a mistyped share: %v %s", err, out)
	}
	if out, err := offerShare(binary, data, shares[1]); err != nil || !strings.Contains(out, "3 of 3") {
		t.Fatalf("%v %s", err, out)
	}
	s.Alive()
	if got := s.Client().SignIn(mobile).Beneficiaries(); len(got) != 1 || got[0].Reference != ref || got[0].Name != "Asha Test" {
		t.Errorf("%+v", got)
	}
	audit := exec.Command(binary, "ledger", "audit", "--data", data, "--keys", "shares")
	audit.Stdin = strings.NewReader(strings.Join(shares[2:], "\n") + "\n")
	if out, err := audit.CombinedOutput(); err != nil {
		t.Errorf("audit: %v\n%s", err, out)
	}
	if out, err := exec.Command(binary, "ledger", "audit", "--data", data, "--keys", "shares").CombinedOutput(); err == nil {
		t.Errorf("audit without shares:\n%s", out)
	}
	noShareOnDisk(t, s, shares)
}

func noShareOnDisk(t *testing.T, s *harness.Server, shares []string) {
	t.Helper()
	n := harness.NewNeedles()
	for i, share := range shares {
		for form, text := range map[string]string{"as printed": share, "without hyphens": strings.ReplaceAll(share, "-", "")} {
			if err := n.Add(fmt.Sprintf("share %d %s", i+1, form), []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	files := s.Files(".")
	if hits, err := n.FindInFiles(files); err != nil || len(hits) > 0 || len(files) < 5 {
		t.Errorf("in the data folder (%d files): %q %v", len(files), hits, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".key") {
			t.Errorf("a key file: %s", f)
		}
	}
	for _, role := range s.Roles() {
		for _, what := range []string{"cmdline", "environ"} {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", role.PID, what))
			if err != nil {
				t.Fatal(err)
			}
			if got := n.Find(raw); len(got) > 0 {
				t.Errorf("%s of %s: %q", what, role.Name, got)
			}
		}
	}
	if log := s.Log(); len(n.Find([]byte(log))) > 0 {
		t.Error("a share is in the log")
	}
}
