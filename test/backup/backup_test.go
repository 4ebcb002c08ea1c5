package backup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	set "tikakosh/internal/backup"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

var builder harness.Builder

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &builder)) }

// place is a temporary folder that other users can reach.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-backup-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// ageKey makes a recipient and the file of its identity.
func ageKey(t *testing.T, dir string) (recipient, file string) {
	t.Helper()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "identity")
	if err := os.WriteFile(file, []byte(k.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return k.Recipient().String(), file
}

func must(t *testing.T, s *harness.Server, args ...string) string {
	t.Helper()
	out, exit := s.Command(args...)
	if exit != 0 {
		t.Fatalf("%v: exit %d\n%s", args, exit, out)
	}
	return out
}

// refused runs a command that has to fail with a text.
func refused(t *testing.T, s *harness.Server, text string, args ...string) {
	t.Helper()
	out, exit := s.Command(args...)
	if exit == 0 || !strings.Contains(out, text) {
		t.Errorf("%v: exit %d, want a refusal with %q:\n%s", args, exit, text, out)
	}
}

// setOf is the path that `backup` printed.
func setOf(t *testing.T, out string) string {
	t.Helper()
	path, ok := strings.CutPrefix(strings.SplitN(out, "\n", 2)[0], "backup ")
	if !ok {
		t.Fatalf("no path in %q", out)
	}
	return path
}

// plaintext decrypts both parts of a set.
func plaintext(t *testing.T, path, identity string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body, _, err := set.Inspect(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, p := range body.Parts {
		raw, err := os.Open(identity)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := set.Identities(raw)
		if err != nil {
			t.Fatal(err)
		}
		raw.Close()
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		part, err := set.OpenPart(f, p)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := set.Decrypt(part, ids)
		if err != nil {
			t.Fatal(err)
		}
		if out[p.Name], err = io.ReadAll(plain); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// rawKeys are all secret keys of an installation in the clear: the key files', and
// what they unwrap.
func rawKeys(t *testing.T, s *harness.Server) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	dir := filepath.Join(s.Data, "vault", "keys")
	for _, name := range []string{"root-1.key", "idtag-1.key"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = hex.DecodeString(strings.TrimSpace(string(raw))); err != nil {
			t.Fatal(err)
		}
	}
	p, err := custody.OpenFile(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	names := s.Column(harness.VaultDB, "SELECT key FROM key_ring ORDER BY key")
	rows := s.Column(harness.VaultDB, "SELECT content FROM key_ring ORDER BY key")
	for i, content := range rows {
		var row state.Key
		if err := json.Unmarshal([]byte(content), &row); err != nil {
			t.Fatal(err)
		}
		key, err := p.Unwrap(names[i], row.Wrapped)
		if err != nil {
			t.Fatal(err)
		}
		out[names[i]] = key
	}
	return out
}

// life is somebody's way through the API, over and over, until stop is closed.
type life struct {
	done, failed atomic.Int64
	slowest      atomic.Int64
	first        atomic.Value
}

func (l *life) live(s *harness.Server, stop <-chan struct{}, wg *sync.WaitGroup) {
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	days := s.Later()
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			begin := time.Now()
			var a harness.Answer
			switch n % 4 {
			case 0:
				_, a = c.TryBeneficiaries()
			case 1:
				var no string
				if no, a = c.Book(days[n/4%len(days)], 1, ref); no != "" {
					a = c.Cancel(no, ref)
				}
			case 2:
				c.Openings()
				a.Status = 200
			case 3:
				_, a = c.TryBeneficiaries()
			}
			l.slowest.Store(max(l.slowest.Load(), int64(time.Since(begin))))
			l.done.Add(1)
			if !a.OK() && a.Status != 429 { // a household's own bounds are no failure
				l.failed.Add(1)
				l.first.CompareAndSwap(nil, a.Text())
			}
		}
	})
}

// TestBackupUnderLoad: no request fails while sets are made, no set holds a key in
// the clear, and each of them passes the drill.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{Args: []string{"--no-booking-bounds", "--no-limits"}})
	dir := place(t)
	to, identity := ageKey(t, dir)
	var l life
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		l.live(s, stop, &wg)
	}
	var sets []string
	for len(sets) < 5 || (l.done.Load() < 200 && len(sets) < 30) {
		sets = append(sets, setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to)))
	}
	close(stop)
	wg.Wait()
	if l.failed.Load() > 0 || l.done.Load() < 150 {
		t.Errorf("%d of %d requests failed while backups were made, the first with %v", l.failed.Load(), l.done.Load(), l.first.Load())
	}
	t.Logf("%d requests, the slowest %v", l.done.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond))
	keys := filepath.Join(s.Data, "vault", "keys")
	for _, path := range sets[len(sets)-5:] {
		out := must(t, s, "restore", "--verify", "--from", path, "--identity", identity, "--key-files", keys, "--ledger", filepath.Join(s.Data, "ledger"))
		if !strings.Contains(out, "verdict: this set can be restored") || !strings.Contains(out, " 0 findings") {
			t.Errorf("drill: %s", out)
		}
	}
	whole, err := os.ReadFile(sets[0])
	if err != nil {
		t.Fatal(err)
	}
	texts := plaintext(t, sets[0], identity)
	texts["set"] = whole
	if len(texts["vault"]) < 1000 || len(texts["registry"]) < 1000 || !bytes.Contains(texts["registry"], []byte("identity")) {
		t.Fatal("the parts are not there")
	}
	for name, key := range rawKeys(t, s) {
		for part, text := range texts {
			if bytes.Contains(text, key) || bytes.Contains(text, []byte(hex.EncodeToString(key))) {
				t.Errorf("key %s is in the %s", name, part)
			}
		}
	}
}

// TestRestore: a set becomes an installation again, everything is there, and the
// ledger says so first.
func TestRestore(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{})
	dir := place(t)
	to, identity := ageKey(t, dir)
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	before := c.Beneficiaries()
	time.Sleep(1500 * time.Millisecond) // the worker settles what requests left
	out := must(t, s, "backup", "--data", s.Data, "--to", filepath.Join(dir, "one.tikakosh"), "--recipient", to)
	path := setOf(t, out)
	refused(t, s, "is there already", "backup", "--data", s.Data, "--to", path, "--recipient", to)
	refused(t, s, "age public key", "backup", "--data", s.Data, "--to", dir, "--recipient", "age1nonsense")
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	with := []string{"restore", "--from", path, "--data", s.Data, "--key-files", filepath.Join(old, "vault", "keys")}
	published := filepath.Join(old, "ledger")
	refused(t, s, "--only-copy", append(with, "--identity", identity)...)
	_, other := ageKey(t, place(t))
	refused(t, s, "another recipient", append(with, "--identity", other, "--ledger", published)...)
	must(t, s, append(with, "--identity", identity, "--ledger", published)...)
	refused(t, s, "is not empty", append(with, "--identity", identity, "--ledger", published)...)
	borrow(t, old, s.Data)
	s.Up()
	if a := c.Must("GET", "/v2/appointment/beneficiaries", nil); a.Status != 401 {
		t.Errorf("a session of before the restore: %d", a.Status)
	}
	c = s.Client().SignIn(mobile)
	after := c.Beneficiaries()
	if len(after) != 1 || after[0].Name != before[0].Name || after[0].Status != before[0].Status || after[0].Status != "Partially Vaccinated" {
		t.Errorf("%+v, want %+v", after, before)
	}
	if a := c.Certificate(ref); !a.OK() {
		t.Errorf("certificate: %s", a.Text())
	}
	goesOn(t, s, old)
}

// goesOn checks that the ledger is one log over a restore, and the audit clean.
func goesOn(t *testing.T, s *harness.Server, old string) {
	t.Helper()
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: %s", out)
	}
	s.Stop()
	must(t, s, "ledger", "verify", filepath.Join(s.Data, "ledger"))
	if _, err := os.Stat(filepath.Join(s.Data, "vault", "restore.json")); !os.IsNotExist(err) {
		t.Errorf("the restore order is still there: %v", err)
	}
	for _, f := range []string{"000", "001", "002"} { // full bundles never change
		a, err := os.ReadFile(filepath.Join(old, "ledger", "tile", "entries", f))
		if err != nil {
			break
		}
		b, err := os.ReadFile(filepath.Join(s.Data, "ledger", "tile", "entries", f))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("bundle %s is another one after the restore (%v)", f, err)
		}
	}
}
