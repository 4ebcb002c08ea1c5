package redteam

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

const base45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

func fromBase45(text string) (out []byte) {
	for len(text) >= 2 {
		n := min(3, len(text))
		v := 0
		for i := n - 1; i >= 0; i-- {
			v = v*45 + strings.IndexByte(base45, text[i])
		}
		if n == 3 {
			out = append(out, byte(v>>8))
		}
		out, text = append(out, byte(v)), text[n:]
	}
	return out
}

func toBase45(raw []byte) string {
	var b strings.Builder
	for ; len(raw) > 1; raw = raw[2:] {
		v := int(raw[0])<<8 | int(raw[1])
		b.WriteString(string([]byte{base45[v%45], base45[v/45%45], base45[v/2025]}))
	}
	if len(raw) == 1 {
		b.WriteString(string([]byte{base45[int(raw[0])%45], base45[raw[0]/45]}))
	}
	return b.String()
}

// rewrite changes the content of a signed certificate text.
func rewrite(t *testing.T, hc1, from, to string) string {
	t.Helper()
	z, err := zlib.NewReader(bytes.NewReader(fromBase45(strings.TrimPrefix(hc1, "HC1:"))))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || !bytes.Contains(raw, []byte(from)) {
		t.Fatalf("no %q in the certificate: %v", from, err)
	}
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(bytes.ReplaceAll(raw, []byte(from), []byte(to)))
	_ = w.Close()
	return "HC1:" + toBase45(b.Bytes())
}

// textOf is the text of the code on a certificate's page.
func textOf(t *testing.T, pdf []byte) string {
	t.Helper()
	_, text, ok := strings.Cut(string(pdf), "HC1:")
	if !ok {
		t.Fatal("no code in the certificate")
	}
	if end := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(base45, r) }); end > 0 {
		text = text[:end]
	}
	return "HC1:" + text
}

// TestR80OldKeysAndLists: what the command does with certificates and lists that are not
// to be relied on: a key that is no longer the issuer's, a signature taken off, a list
// of more than a week ago, of another issuer, or none at all.
func TestR80OldKeysAndLists(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &shared.builder, harness.Options{Clock: -8*24*time.Hour - time.Hour})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	good, dir := textOf(t, c.Certificate(ref).Body), t.TempDir()
	file := func(name string, body []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys := c.Must("GET", "/v3/keys", nil).Body
	var set struct {
		Certificates struct {
			Version int                        `json:"version"`
			Keys    map[string]json.RawMessage `json:"keys"`
		} `json:"certificates"`
	}
	if err := json.Unmarshal(keys, &set); err != nil || len(set.Certificates.Keys) == 0 {
		t.Fatalf("%v %s", err, keys)
	}
	own := file("keys", keys)
	clear(set.Certificates.Keys)
	without, err := json.Marshal(set.Certificates)
	if err != nil {
		t.Fatal(err)
	}
	old := file("old", c.Must("GET", "/v3/revocations", nil).Body)
	s.SetClock(0)
	var fresh string
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) { // the web role asks for it every 15 s
		fresh = file("fresh", c.Must("GET", "/v3/revocations", nil).Body)
		if out, exit := s.Command("certificate", "verify", "--keys", own, "--revocations", fresh, good); exit == 0 {
			if !strings.Contains(out, "less than a minute old") {
				t.Errorf("the list's age is not told: %s", out)
			}
			break
		} else if time.Since(begin) > 40*time.Second {
			t.Fatalf("a good certificate with a fresh list: %s", out)
		}
	}
	for name, args := range map[string][]string{
		"a revoked key":        {"--keys", file("without", without), "--revocations", fresh, good},
		"no signature":         {"--keys", own, "--revocations", fresh, unsigned(t, good)},
		"no signature, no key": {"--keys", file("without", without), unsigned(t, good)},
		"a list of last week":  {"--keys", own, "--revocations", old, good},
		"an empty list":        {"--keys", own, "--revocations", file("empty", nil), good},
		"no list at all":       {"--keys", own, "--revocations", filepath.Join(dir, "none"), good},
	} {
		out, exit := s.Command(append([]string{"certificate", "verify"}, args...)...)
		if exit == 0 || strings.TrimSpace(out) == "" {
			t.Errorf("%s: exit %d, %s", name, exit, out)
		}
		if name == "a list of last week" && !strings.Contains(out, "8 days") {
			t.Errorf("the age of an old list is not told: %s", out)
		}
	}
}

// unsigned is a certificate whose signature was taken off.
func unsigned(t *testing.T, hc1 string) string {
	t.Helper()
	z, err := zlib.NewReader(bytes.NewReader(fromBase45(strings.TrimPrefix(hc1, "HC1:"))))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if n := len(raw) - 66; err != nil || n < 0 || raw[n] != 0x58 || raw[n+1] != 64 { // a CBOR byte string of 64
		t.Fatalf("no signature at the end of the certificate: %v", err)
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(append(raw[:len(raw)-66], 0x40)) // of none
	_ = w.Close()
	return "HC1:" + toBase45(b.Bytes())
}

// TestR80Certificate: altered, signed by others, or taken back.
func TestR80Certificate(t *testing.T) {
	t.Parallel()
	check := func(s *harness.Server, off, keys string, args ...string) (string, bool) {
		cmd := exec.Command(s.Binary, append([]string{"certificate", "verify", "--keys", keys}, args...)...)
		cmd.Env = append(os.Environ(), "TIKAKOSH_ABLATE="+off)
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	run(t, "R80", trial{name: "altered", off: []string{"cert-signature"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		ref := c.Enrol("Asha Test")
		s.Vaccinate(c, mobile, ref)
		good := textOf(t, c.Certificate(ref).Body)
		keys := s.API + "/v3/keys"
		if out, ok := check(s, "", keys, good); !ok {
			t.Fatalf("the certificate as issued: %s", out)
		}
		named, ok1 := check(s, "cert-signature", keys, rewrite(t, good, "Asha Test", "Usha Test"))
		day := s.Now().UTC().Format("2006")
		dated, ok2 := check(s, "cert-signature", keys, rewrite(t, good, day+"-", "2020-"))
		other := harness.Start(t, &shared.builder, harness.Options{})
		if out, ok := check(other, "", other.API+"/v3/keys", good); ok {
			t.Errorf("under another issuer's keys: %s", out)
		}
		return ok1 && ok2 && strings.Contains(named, "Usha Test"), "name and day changed under the old signature: " + named + dated
	}}, trial{name: "taken back", off: []string{"revocation"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		ref := c.Enrol("Asha Test")
		s.Vaccinate(c, mobile, ref)
		old := textOf(t, c.Certificate(ref).Body)
		d := c.AwaitDose(ref, "confirmed")
		if a := s.Correct(s.StaffKey("vaccinator"), "revoke", d.Event, ref, nil); a.Status != 204 {
			t.Fatalf("revoke: %s", a.Text())
		}
		list := c.Must("GET", "/v3/revocations", nil)
		file := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(file, list.Body, 0o600); err != nil {
			t.Fatal(err)
		}
		keys := s.API + "/v3/keys"
		out, ok := check(s, "revocation", keys, old, "--revocations", file)
		forged := bytes.Clone(list.Body)
		forged[len(forged)/2] ^= 1
		if err := os.WriteFile(file, forged, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, ok := check(s, "", keys, old, "--revocations", file); ok {
			t.Errorf("a forged list: %s", out)
		}
		if !ok && !strings.Contains(out, "REVOKED") {
			t.Errorf("refused without saying why: %s", out)
		}
		return ok, "a certificate of a revoked dose, with the issuer's list"
	}})
}

// TestI9WriteOnly: a vaccinator writes doses to numbers with a right check digit and
// looks whether the answer tells those of somebody from those of nobody.
func TestI9WriteOnly(t *testing.T) {
	t.Parallel()
	run(t, "I9", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		day := s.OpenToday()
		c, _ := s.Holder()
		answer := func(ref string) string {
			a := s.WriteDose(day, ref)
			return fmt.Sprintf("%d %s", a.Status, a.Body)
		}
		known := answer(c.Enrol("Asha Test"))
		if known != "204 " {
			t.Fatalf("a dose without evidence: %s", known)
		}
		for range 3 {
			if nobody := answer(string(id.NewReference())); nobody != known {
				return true, "somebody's number: " + known + "; nobody's: " + nobody
			}
		}
		c.AwaitDose(c.Beneficiaries()[0].Reference, "unconfirmed") // and it is not lost
		return false, "the same answer to every number, and the dose is in the record, unconfirmed"
	}})
}

// TestC5SecondPerson: one manager makes a dose count, alone.
func TestC5SecondPerson(t *testing.T) {
	t.Parallel()
	run(t, "C5", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		day := s.OpenToday()
		c, _ := s.Holder()
		ref := c.Enrol("Asha Test")
		if a := s.WriteDose(day, ref); a.Status != 204 {
			t.Fatalf("dose: %s", a.Text())
		}
		d := c.AwaitDose(ref, "unconfirmed")
		a := s.Correct(s.StaffKey("manager"), "confirm", d.Event, ref, map[string]any{"person_seen": true})
		return a.OK() && c.Certificate(ref).OK(), "a manager approves what he proposed: " + a.Text()
	}})
}
