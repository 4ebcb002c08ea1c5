package custody

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tikakosh/internal/vault/custody/custodytest"
	"tikakosh/test/harness"
)

// vaultUser is the vault's when the tests run as root.
const vaultUser = 64301

// TestTransit runs an installation whose keys are in a transit service (a stub
// written from its public description): start, register, seal the service and
// open it again, change keys, start again.
func TestTransit(t *testing.T) {
	t.Parallel()
	kms := custodytest.NewTransit()
	t.Cleanup(kms.Close)
	dir, err := os.MkdirTemp("", "tikakosh-transit-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(path, vaultUser, vaultUser); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	keys := "transit:" + kms.URL + "/transit?role-id-file=" + put("role", kms.RoleID) + "&secret-id-file=" + put("secret", kms.SecretID) +
		"&ca-file=" + put("ca.pem", string(kms.CA()))
	s := harness.Start(t, &builder, harness.Options{People: 3, Args: append([]string{"--keys", keys}, quick[:]...)})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	kms.Down(503)
	if _, a := c.TryEnrol(harness.Person{Name: "Bala Test"}); a.Status != 503 {
		t.Errorf("with the service sealed: %s", a.Text())
	}
	if got := c.Beneficiaries(); len(got) != 1 {
		t.Errorf("with the service sealed the household shows %d people", len(got))
	}
	old := s.KillRole(harness.RoleVault) // which then waits
	s.AwaitRole(harness.RoleVault, old)
	time.Sleep(500 * time.Millisecond)
	if _, a := c.TryBeneficiaries(); a.Status != 503 {
		t.Errorf("a vault that starts meanwhile: %s", a.Text())
	}
	kms.Down(0)
	s.Alive()
	kms.Revoke() // its token has expired
	c = s.Client().SignIn(mobile)
	c.Enrol("Bala Test")
	for _, kind := range []string{"epoch", "id-tag"} {
		if out, exit := s.Command("keys", "rotate", kind, "--data", s.Data, "--wait"); exit != 0 {
			t.Fatalf("rotate %s: %d\n%s", kind, exit, out)
		}
	}
	if got := c.Beneficiaries(); len(got) != 2 || got[0].Reference != ref {
		t.Errorf("%+v", got)
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data, "--keys", keys); exit != 0 {
		t.Errorf("audit: %d\n%s", exit, out)
	}
	n := harness.NewNeedles()
	for name, secret := range kms.Secrets() {
		for form, text := range map[string][]byte{"raw": secret, "hex": []byte(hex.EncodeToString(secret))} {
			if err := n.Add(name+" "+form, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if hits, err := n.FindInFiles(s.Files(".")); err != nil || len(hits) > 0 {
		t.Errorf("in the data folder: %q %v", hits, err)
	}
}
