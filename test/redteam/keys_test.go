package redteam

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestR92KeyChange: the attacker waits for a change of keys. A registered number
// signs in while the index key changes, to get a second household under it; and
// a certificate of before the change of its key is shown as forged.
func TestR92KeyChange(t *testing.T) {
	base := harness.Options{Args: []string{"--key-announce=2s", "--key-publish=2s", "--key-drain=2s"}}
	rotate := func(t *testing.T, s *harness.Server, kind string) {
		t.Helper()
		if out, exit := s.Command("keys", "rotate", kind, "--wait", "--data", s.Data); exit != 0 {
			t.Fatalf("rotate %s: %d %s", kind, exit, out)
		}
	}
	run(t, "R92",
		trial{name: "second household", own: true, base: base, try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, mobile := s.Holder()
			c.Enrol("Asha Test")
			if out, exit := s.Command("keys", "rotate", "index", "--data", s.Data); exit != 0 {
				t.Fatalf("rotate: %d %s", exit, out)
			}
			during := len(s.Client().SignIn(mobile).Beneficiaries())
			time.Sleep(3 * time.Second)
			after := len(s.Client().SignIn(mobile).Beneficiaries())
			return during == 0 || after == 0, fmt.Sprintf("the number shows %d people during the change, %d after it", during, after)
		}},
		trial{name: "old certificate", own: true, base: base, try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, mobile := s.Holder()
			ref := c.Enrol("Asha Test")
			s.Vaccinate(c, mobile, ref)
			a := c.Certificate(ref)
			if !a.OK() {
				t.Fatal(a.Text())
			}
			file := filepath.Join(t.TempDir(), "certificate.pdf")
			if err := os.WriteFile(file, a.Body, 0o600); err != nil {
				t.Fatal(err)
			}
			verify := func() bool {
				_, exit := s.Command("certificate", "verify", file, "--keys", s.API+"/v3/keys")
				return exit == 0
			}
			if !verify() {
				t.Fatal("the certificate does not verify before the change")
			}
			rotate(t, s, "certificate")
			time.Sleep(1500 * time.Millisecond) // the web role asks each second
			good := verify()
			return !good, strings.TrimSpace(fmt.Sprintf("the certificate of before verifies after the change: %v", good))
		}})
}
