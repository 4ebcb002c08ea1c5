package encode

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOtherAuthorReadsIt hands certificates to decoders that others wrote
// (testdata/otherauthor). It needs node, npm and the npm registry, so it runs
// where TIKAKOSH_NODE=1 says they are there, and then fails without them.
// Expired certificates are refused by those decoders by the wall clock, so the
// validity here is long.
func TestOtherAuthorReadsIt(t *testing.T) {
	if os.Getenv("TIKAKOSH_NODE") != "1" {
		t.Skip("set TIKAKOSH_NODE=1 where node and npm are installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "check.mjs"} {
		b, err := os.ReadFile(filepath.Join("testdata", "otherauthor", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	s := testSigner(t, 7)
	point, err := s.Key.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	check := func(text, claim string) (map[string]any, error) {
		in, err := json.Marshal(map[string]string{"hc1": text, "claim": claim, "kid": b64(s.KID[:]), "x": b64(point[1:33]), "y": b64(point[33:]), "country": "IN"})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("node", "check.mjs")
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
		out, err := cmd.Output()
		var got map[string]any
		if err == nil {
			err = json.Unmarshal(out, &got)
		}
		return got, err
	}
	for _, c := range []struct{ product, claim, name, vaccine string }{{"COVISHIELD", CarrierDCC, "fn", "Covishield"}, {"STAMARIL", CarrierICVP, "n", ProductOf("STAMARIL").ICVP}} {
		f := testFacts(t, c.product, "रमेश", "Ramesh Sharma")
		f.ExpiresAt = testTime.AddDate(50, 0, 0)
		text := mustEncode(t, f, s)
		got, err := check(text, c.claim)
		if err != nil {
			t.Fatalf("%s is refused: %v", c.claim, err)
		}
		body, _ := got["claim"].(map[string]any)
		if c.claim == CarrierDCC {
			nam, _ := body["nam"].(map[string]any)
			v, _ := body["v"].([]any)
			if len(v) != 1 || nam["fn"] != "रमेश" || nam["fnt"] != "RAMESH<SHARMA" || v[0].(map[string]any)["mp"] != c.vaccine || v[0].(map[string]any)["dn"] != 2.0 {
				t.Errorf("%v", got)
			}
		} else if v, _ := body["v"].(map[string]any); body["n"] != "Ramesh Sharma" || v["vp"] != c.vaccine || v["dt"] != "2026-10-02" {
			t.Errorf("%v", got)
		}
		forged := mustEncode(t, f, Signer{Key: testSigner(t, 8).Key, KID: s.KID})
		if _, err := check(forged, c.claim); err == nil {
			t.Errorf("%s: the other reader accepts a wrong signature, so this test proves nothing", c.claim)
		}
	}
}
