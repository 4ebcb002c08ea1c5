//go:build cgo

package custody

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"tikakosh/internal/vault/custody"
	"tikakosh/test/harness"
)

// TIKAKOSH_HSM=1 runs these tests; they then fail where SoftHSM2 is missing.
const hsmFlag = "TIKAKOSH_HSM"

const (
	module   = "/usr/lib/softhsm/libsofthsm2.so"
	tokenPIN = "48151623"
	hsmUser  = 64306 // of the role, when the tests run as root
)

// hsm is a SoftHSM2 token in a folder of its own, and the program that uses it.
type hsm struct {
	t             *testing.T
	dir, conf     string
	program, keys string
}

func newHSM(t *testing.T) *hsm {
	t.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-hsm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &hsm{t: t, dir: dir, conf: filepath.Join(dir, "softhsm2.conf"), program: filepath.Join(dir, "tikakosh-hsm")}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.tokens(), 0o700); err != nil {
		t.Fatal(err)
	}
	h.write(h.conf, "directories.tokendir = "+h.tokens()+"\nobjectstore.backend = file\nlog.level = ERROR\n", 0o644)
	pin := filepath.Join(dir, "pin")
	h.write(pin, tokenPIN+"\n", 0o600)
	h.keys = "pkcs11:token=tikakosh;object=vault?module-path=" + module + "&pin-source=file:" + pin
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", h.program, "./cmd/tikakosh-hsm")
	build.Dir = root
	h.run(build)
	init := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "tikakosh", "--so-pin", "1234567890", "--pin", tokenPIN)
	init.Env = append(os.Environ(), "SOFTHSM2_CONF="+h.conf)
	h.run(init)
	h.own()
	return h
}

func (h *hsm) tokens() string { return filepath.Join(h.dir, "tokens") }

func (h *hsm) write(path, text string, mode fs.FileMode) {
	h.t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hsm) run(c *exec.Cmd) {
	h.t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v\n%s", c.Path, err, out)
	}
}

// own gives the token's files to the role's user.
func (h *hsm) own() {
	h.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := filepath.WalkDir(h.tokens(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, hsmUser, hsmUser)
	}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hsm) args() []string { return []string{"--keys", h.keys, "--hsm-program", h.program} }

func (h *hsm) start(b *harness.Builder, o harness.Options) *harness.Server {
	o.Args = append(o.Args, h.args()...)
	o.Env = append(o.Env, "SOFTHSM2_CONF="+h.conf)
	return harness.Start(h.t, b, o)
}

// command runs a subcommand that opens custody itself.
func (h *hsm) command(s *harness.Server, args ...string) (string, int) {
	h.t.Helper()
	cmd := exec.Command(s.Binary, append(args, h.args()...)...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+h.conf)
	out, _ := cmd.CombinedOutput()
	h.own() // run as root, it may have left files of root
	return string(out), cmd.ProcessState.ExitCode()
}

// realmKeys unwraps every key of the realm as only the token can.
func (h *hsm) realmKeys(s *harness.Server) map[string][]byte {
	h.t.Helper()
	h.t.Setenv("SOFTHSM2_CONF", h.conf)
	lib := pkcs11.New(module)
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	must(lib.Initialize())
	defer func() { _ = lib.Finalize(); lib.Destroy() }()
	slots, err := lib.GetSlotList(true)
	must(err)
	session, err := lib.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION)
	must(err)
	must(lib.Login(session, pkcs11.CKU_USER, tokenPIN))
	must(lib.FindObjectsInit(session, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, "vault-root-1")}))
	found, _, err := lib.FindObjects(session, 2)
	must(err)
	must(lib.FindObjectsFinal(session))
	if len(found) != 1 {
		h.t.Fatalf("%d wrapping keys in the token", len(found))
	}
	if _, err := lib.GetAttributeValue(session, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)}); err == nil {
		h.t.Fatal("the token gives the wrapping key away")
	}
	out := map[string][]byte{}
	for _, row := range s.Column(harness.VaultDB, "SELECT key || ' ' || CAST(content AS TEXT) FROM key_ring") {
		f := strings.SplitN(row, " ", 2)
		var k struct{ Wrapped []byte }
		must(json.Unmarshal([]byte(f[1]), &k))
		if len(k.Wrapped) < 28 {
			continue // destroyed
		}
		p := pkcs11.NewGCMParams(k.Wrapped[:12], custody.AAD(f[0]), 128)
		must(lib.DecryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, p)}, found[0]))
		raw, err := lib.Decrypt(session, k.Wrapped[12:])
		must(err)
		out[f[0]] = raw
	}
	h.own()
	return out
}

// TestHSMKeys starts an installation whose keys are in a token, registers and
// opens, restarts, takes the token away and puts it back, and looks for the keys
// everywhere outside the token.
func TestHSMKeys(t *testing.T) {
	if os.Getenv(hsmFlag) != "1" {
		return
	}
	h := newHSM(t)
	s := h.start(&builder, harness.Options{Tags: harness.Ablation, People: 3, Args: quick[:]})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	sees := func(c *harness.Client) {
		t.Helper()
		if got := c.Beneficiaries(); len(got) != 1 || got[0].Reference != ref || got[0].Name != "Asha Test" {
			t.Fatalf("the person opens to %+v", got)
		}
	}
	sees(c)
	if out, exit := h.command(s, "ledger", "audit", "--data", s.Data); exit != 0 {
		t.Fatalf("audit: %d\n%s", exit, out)
	}
	searchKeys(t, s, h.realmKeys(s))
	for _, kind := range []string{"epoch", "token", "id-tag"} {
		args := []string{"keys", "rotate", kind, "--data", s.Data, "--wait"}
		if kind == "id-tag" {
			args = append(args, "--compromised")
		}
		if out, exit := s.Command(args...); exit != 0 {
			t.Fatalf("rotate %s: %d\n%s", kind, exit, out)
		}
	}
	if got := versions(t, s, "id-tag"); got != "destroyed current" {
		t.Errorf("the id-tag key is %s", got)
	}
	sees(c)
	searchKeys(t, s, h.realmKeys(s))

	s.Stop()
	s.Up()
	c = s.Client().SignIn(mobile)
	sees(c)

	// The key process is killed: the supervisor starts it again.
	s.AwaitRole(h.keys, s.KillRole(h.keys))
	c.Enrol("Bala Test")

	t.Run("token away", func(t *testing.T) { tokenAway(t, h, s, c) })
	s.Stop()
	pin := filepath.Join(h.dir, "pin")
	h.write(pin, "11111111\n", 0o600)
	begin := time.Now()
	if err := s.TryUp(); err == nil || !strings.Contains(err.Error(), "refuses the PIN") || time.Since(begin) > 10*time.Second {
		t.Errorf("a wrong PIN: %v after %v", err, time.Since(begin))
	}
	h.write(pin, tokenPIN+"\n", 0o600)
	if out, exit := h.command(s, "ledger", "audit", "--data", s.Data); exit != 0 {
		t.Fatalf("audit at the end: %d\n%s", exit, out)
	}
}

// searchKeys looks for the PIN and for every key of the realm in the data
// folder, in what /proc shows of every role, and in the memory of all roles but
// the vault, which works with the realm's keys.
func searchKeys(t *testing.T, s *harness.Server, keys map[string][]byte) {
	t.Helper()
	if len(keys) < 14 {
		t.Fatalf("only %d keys", len(keys))
	}
	outside := harness.NewNeedles()
	for name, raw := range keys {
		secret := raw[max(0, len(raw)-138):] // of a PKCS #8 key the part with the number
		if len(raw) > 64 {
			secret = raw[36:68] // RFC 5915: the private number of a P-256 key inside PKCS #8
		}
		for form, text := range map[string][]byte{"raw": secret, "hex": []byte(hex.EncodeToString(secret))} {
			if err := outside.Add(name+" "+form, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := outside.Add("PIN", []byte(tokenPIN)); err != nil {
		t.Fatal(err)
	}
	files := s.Files(".")
	hits, err := outside.FindInFiles(files)
	if err != nil || len(hits) > 0 || len(files) < 5 {
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
			if got := outside.Find(raw); len(got) > 0 {
				t.Errorf("%s of %s: %q", what, role.Name, got)
			}
		}
		if role.Name == harness.RoleVault || strings.HasPrefix(role.Name, "pkcs11:") {
			continue
		}
		hits, size, err := outside.FindInMemory(role.PID)
		if err != nil || len(hits) > 0 || size < 1<<20 {
			t.Errorf("memory of %s (%d bytes): %q %v", role.Name, size, hits, err)
		}
	}
	// The search finds a key where there is one.
	hits, _, err = outside.FindInMemory(s.Role(harness.RoleVault))
	if err != nil || len(hits) == 0 {
		t.Errorf("the search does not find the keys in the vault's own memory: %v", err)
	}
}

// tokenAway: without the token what needs it is refused clearly, the rest goes
// on, and when it is back everything returns by itself, also after a restart.
func tokenAway(t *testing.T, h *hsm, s *harness.Server, c *harness.Client) {
	away := h.tokens() + ".away"
	if err := os.Rename(h.tokens(), away); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(s.Role(h.keys), syscall.SIGKILL) // a token that is pulled ends its sessions
	_, a := c.TryEnrol(harness.Person{Name: "Chitra Test", ID: s.PAN()})
	if a.Status != 503 {
		t.Fatalf("without the token an enrolment is answered %s", a.Text())
	}
	if got := c.Beneficiaries(); len(got) != 2 {
		t.Fatalf("without the token the household shows %d people", len(got))
	}
	old := s.KillRole(harness.RoleVault)
	time.Sleep(time.Second)
	if _, a := c.TryBeneficiaries(); a.Status != 503 {
		t.Fatalf("without the token a vault that starts answers %s", a.Text())
	}
	if err := os.Rename(away, h.tokens()); err != nil {
		t.Fatal(err)
	}
	s.AwaitRole(harness.RoleVault, old)
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, a = c.TryBeneficiaries(); a.OK() {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the service does not return by itself: %s\n%s", a.Text(), s.LogAround(""))
		}
	}
	c.Enrol("Chitra Test")
}
