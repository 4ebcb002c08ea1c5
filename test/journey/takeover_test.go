package journey

import (
	"bytes"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// TestPostgresVaultTakesOver: two machines of one installation share the
// databases and the keys; the vault of one serves, the other waits. The first
// is killed, and the second serves: the same people, the same ledger, no gap.
// When the first comes back it waits.
func TestPostgresVaultTakesOver(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	one := harness.Start(t, &b, harness.Options{Engine: pgtest.Shared(t)})
	c, mobile := one.Holder()
	ref := c.Enrol("Asha Test")
	one.Vaccinate(c, mobile, ref)

	spentTxn, spentCode := one.Client().Code(mobile)
	if bearer, a := one.Client().Confirm(spentTxn, spentCode); bearer == "" {
		t.Fatal(a.Text())
	}
	ready := waiting(t, &b, one)
	if got := c.Beneficiaries(); len(got) != 1 || got[0].Status == "Not Vaccinated" {
		t.Fatalf("beside a waiting vault: %+v", got)
	}

	begin := time.Now()
	one.Kill()
	var two *harness.Server
	select {
	case two = <-ready:
	case <-time.After(60 * time.Second):
		t.Fatal("nobody took over in a minute")
	}
	took := time.Since(begin)
	t.Logf("the second machine serves %v after the first was killed", took.Round(100*time.Millisecond))
	if took > 30*time.Second {
		t.Errorf("that is more than 30 s")
	}
	again := two.Client().With(c.Bearer)
	if got := again.Beneficiaries(); len(got) != 1 || got[0].Reference != ref || got[0].Status == "Not Vaccinated" {
		t.Errorf("through the second: %+v", got)
	}
	if bearer, a := two.Client().Confirm(spentTxn, spentCode); bearer != "" { // R31
		t.Errorf("a code that was used on one machine was taken by the other: %s", a.Text())
	}
	if again.Enrol("Ravi Test"); len(again.Beneficiaries()) != 2 {
		t.Error("the second does not enrol")
	}
	sameTree(t, one, two)
	if out, exit := two.Command("ledger", "audit", "--data", two.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
	if n := two.Cell(harness.VaultDB, "SELECT CASE WHEN count(*) = max(entry_index) + 1 AND count(*) = count(DISTINCT entry_index) THEN 1 ELSE 0 END FROM ledger_entry"); n != "1" {
		t.Error("the ledger has a gap")
	}

	// The first comes back, finds the lease taken and waits; the second ends
	// gently, and the first follows at once.
	one.Up()
	time.Sleep(6 * time.Second)
	if status := readyz(t, one); status != http.StatusServiceUnavailable {
		t.Fatalf("two vaults serve one database: %d", status)
	}
	if got := again.Beneficiaries(); len(got) != 2 {
		t.Errorf("beside the one that came back: %+v", got)
	}
	begin = time.Now()
	two.Stop()
	for readyz(t, one) != http.StatusOK {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("the first did not follow\n%s", one.LogAround(""))
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the first serves %v after the second was told to end", time.Since(begin).Round(100*time.Millisecond))
	if got := one.Client().With(c.Bearer).Beneficiaries(); len(got) != 2 {
		t.Errorf("through the first again: %+v", got)
	}
	sameTree(t, two, one)
}

// readyz is the status of a machine's readiness.
func readyz(t *testing.T, s *harness.Server) int {
	t.Helper()
	res, err := http.Get(s.Ops + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// waiting starts a second machine beside one and returns when its vault waits
// for the lease; what is ready comes when it serves.
func waiting(t *testing.T, b *harness.Builder, one *harness.Server) <-chan *harness.Server {
	t.Helper()
	data, err := os.MkdirTemp("", "tikakosh-data-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	// Its keys are the only thing the second machine is given.
	if out, err := exec.Command("sh", "-c", `mkdir -m 700 "$2/vault" && cp -a "$1/vault/keys" "$2/vault/keys"`, "sh", one.Data, data).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ready := make(chan *harness.Server, 1)
	go func() { ready <- harness.Start(t, b, harness.Options{Beside: one, Data: data, Run: true}) }()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(data, "vault", "holder")); err == nil {
			break
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatal("the second vault does not come to the lease")
		}
	}
	time.Sleep(3 * time.Second) // it looks at the lease, and waits
	select {
	case <-ready:
		t.Fatal("two vaults serve one database")
	default:
	}
	return ready
}

// TestPostgresVaultsSplit (R93): the serving vault hangs, as one cut off does, so
// long that the other takes over, and then goes on as if nothing had happened:
// it opens nothing and counts nothing, and ends. What it had counted counts.
func TestPostgresVaultsSplit(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	one := harness.Start(t, &b, harness.Options{Engine: pgtest.Shared(t)})
	c, _ := one.Holder()
	ref := c.Enrol("Asha Test")
	ask := func(s *harness.Server, mobile string) harness.Answer {
		t.Helper()
		a, err := s.ClientFrom(netip.AddrFrom4([4]byte{127, 9, 9, 9})).Do("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const mobile = "0123456789"
	for range 3 {
		if a := ask(one, mobile); !a.OK() {
			t.Fatal(a.Text())
		}
	}
	ready := waiting(t, &b, one)
	hung := one.Role(harness.RoleVault)
	harness.Freeze(t, hung)
	var two *harness.Server
	select {
	case two = <-ready:
	case <-time.After(60 * time.Second):
		t.Fatal("nobody took over in a minute")
	}
	entries := func() string { return two.Cell(harness.VaultDB, "SELECT count(*) FROM ledger_entry") }
	before := entries()
	answers := make(chan harness.Answer, 2)
	view := func() {
		a, _ := c.Do("GET", "/v2/appointment/beneficiaries", nil)
		answers <- a
	}
	go view() // is with the hung vault when it goes on
	time.Sleep(200 * time.Millisecond)
	if err := syscall.Kill(hung, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	go view()
	for range cap(answers) {
		if a := <-answers; a.OK() || bytes.Contains(a.Body, []byte("Asha")) {
			t.Errorf("the vault that lost the lease opened a record: %s", a.Text())
		}
	}
	if after := entries(); after != before {
		t.Errorf("%s entries of the ledger, then %s: somebody opened something", before, after)
	}
	if one.Role(harness.RoleVault) == hung {
		t.Error("the vault that lost the lease still runs")
	}
	for i, want := range []bool{true, true, false} { // five codes for a number and origin, over both
		if a := ask(two, mobile); a.OK() != want {
			t.Errorf("code %d: %s", 4+i, a.Text())
		}
	}
	if got := two.Client().With(c.Bearer).Beneficiaries(); len(got) != 1 || got[0].Reference != ref {
		t.Errorf("through the second: %+v", got)
	}
	if out, exit := two.Command("ledger", "audit", "--data", two.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}

// sameTree verifies both machines' ledger files and compares the leaves: what the
// one had published is the beginning of what the other has.
func sameTree(t *testing.T, older, newer *harness.Server) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) { // until the newer has published
		out, exit := newer.Command("ledger", "verify", filepath.Join(newer.Data, "ledger"))
		if exit == 0 {
			break
		}
		if time.Since(begin) > 15*time.Second {
			t.Fatalf("verify: exit %d\n%s", exit, out)
		}
	}
	if out, exit := older.Command("ledger", "verify", filepath.Join(older.Data, "ledger")); exit != 0 {
		t.Fatalf("verify: exit %d\n%s", exit, out)
	}
	a, b := leaves(t, older), leaves(t, newer)
	if len(a) == 0 || !bytes.HasPrefix(b, a) {
		t.Errorf("%d bytes of the older files' leaf hashes are not the beginning of the newer's %d", len(a), len(b))
	}
}

// leaves are the leaf hashes of the ledger's files: the first tile of level 0.
func leaves(t *testing.T, s *harness.Server) []byte {
	t.Helper()
	var longest []byte
	for _, pattern := range []string{"tile/0/000", "tile/0/000.p/*"} {
		found, err := filepath.Glob(filepath.Join(s.Data, "ledger", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if raw, err := os.ReadFile(path); err == nil && len(raw) > len(longest) {
				longest = raw
			}
		}
	}
	return longest
}
