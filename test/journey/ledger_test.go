package journey

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestPublicLedger: somebody reads the number of an opening of their record, finds that entry on
// the public page, copies the ledger with the program and verifies the copy; a copy in which one
// letter was changed is found.
func TestPublicLedger(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	p := s.Portal()
	p.SignIn(mobile)
	number := regexp.MustCompile(`Number on the public ledger</dt><dd>\s*<bdi[^>]*>([0-9,]+)<`).FindStringSubmatch(string(p.Get(p.About(ref) + "/seen?own=1").Body))
	if number == nil {
		t.Fatalf("no number: %s", p.Last.Body)
	}
	stranger := s.Portal()
	listed := false
	for end := time.Now().Add(10 * time.Second); !listed && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		body := string(stranger.Get("/ledger").Body)
		listed = strings.Contains(body, "Entry "+number[1]+"<")
		if strings.Contains(body, "Asha") || strings.Contains(body, ref) {
			t.Fatal("the public ledger tells of a person")
		}
	}
	if !listed {
		t.Errorf("entry %s is not on the public page: %s", number[1], stranger.Last.Body)
	}
	key := s.Client().Must("GET", "/v3/keys", nil).Field("ledger_vkey")
	dir := filepath.Join(t.TempDir(), "copy")
	if out, exit := s.Command("ledger", "fetch", s.Root+"/ledger", dir); exit != 0 || !strings.Contains(out, "entries in") {
		t.Fatalf("fetch: %d %s", exit, out)
	}
	if out, exit := s.Command("ledger", "verify", dir, "--key", key); exit != 0 || !strings.HasPrefix(out, "ok: ") {
		t.Fatalf("verify: %d %s", exit, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "tile", "entries", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no entries: %v", err)
	}
	file := files[0]
	if info, err := os.Stat(file); err == nil && info.IsDir() { // 000.p/17
		inside, _ := filepath.Glob(filepath.Join(file, "*"))
		file = inside[0]
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[20] ^= 1
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, exit := s.Command("ledger", "verify", dir, "--key", key); exit == 0 || !strings.Contains(out, "does not have the hash") {
		t.Errorf("a changed copy: %d %s", exit, out)
	}
}
