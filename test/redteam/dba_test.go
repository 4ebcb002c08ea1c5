package redteam

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// Names that nobody else in these tests has.
const (
	nameA = "Quixolmar Zephyrine"
	nameB = "Brondelvik Ashtamora"
)

// pair is two households that do not know each other.
type pair struct {
	a, b             *harness.Client
	mobileA          string
	personA, personB string
}

func newPair(s *harness.Server) pair {
	a, mobileA := s.Holder()
	b, _ := s.Holder()
	return pair{a: a, b: b, mobileA: mobileA, personA: s.PersonOf(a.Enrol(nameA)), personB: s.PersonOf(b.Enrol(nameB))}
}

// identity of a person: body and hash as the registry stores them.
func identity(s *harness.Server, person string) (body, hash string) {
	q := func(col string) string {
		return s.Cell(harness.RegistryDB, "SELECT "+s.Hex(col)+" FROM sealed WHERE person = $1 AND part = 'identity' ORDER BY version DESC LIMIT 1", person)
	}
	return q("body"), q("hash")
}

func putIdentity(s *harness.Server, person, body, hash string) {
	s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE sealed SET body = %s, hash = %s WHERE person = '%s' AND part = 'identity'", s.Bytes(body), s.Bytes(hash), person))
}

// swap exchanges the ciphertexts of two people, with their hashes.
func swap(s *harness.Server, p pair) {
	s.DropGuards(harness.RegistryDB)
	bodyA, hashA := identity(s, p.personA)
	bodyB, hashB := identity(s, p.personB)
	putIdentity(s, p.personA, bodyB, hashB)
	putIdentity(s, p.personB, bodyA, hashA)
}

// shows says whether c's own view or certificate shows a name.
func shows(c *harness.Client, name string) (bool, harness.Answer) {
	people, a := c.TryBeneficiaries()
	for _, p := range people {
		if p.Name == name {
			return true, a
		}
	}
	return strings.Contains(string(a.Body), name), a
}

// index is the row that leads from a mobile's blind index to a household.
func index(s *harness.Server, person string) (key, household string) {
	household = s.Cell(harness.RegistryDB, "SELECT household FROM person WHERE person = $1", person)
	return s.Cell(harness.VaultDB, "SELECT key FROM mobile_index WHERE "+s.Text("content")+" LIKE '%' || $1 || '%'", household), household
}

// point makes A's number lead to B's household.
func point(s *harness.Server, p pair) {
	keyA, _ := index(s, p.personA)
	keyB, _ := index(s, p.personB)
	s.Exec(harness.VaultDB, fmt.Sprintf("UPDATE mobile_index SET content = (SELECT content FROM mobile_index WHERE key = '%s') WHERE key = '%s'", keyB, keyA))
}

// intruder signs in again with A's number and looks for B.
func intruder(s *harness.Server, p pair) (bool, string) {
	c := s.Client()
	txn, code := c.Code(p.mobileA)
	bearer, a := c.Confirm(txn, code)
	if bearer == "" {
		return false, fmt.Sprintf("sign-in after re-pointing: status %d", a.Status)
	}
	found, v := shows(c.With(bearer), nameB)
	return found, fmt.Sprintf("view after re-pointing: status %d", v.Status)
}

func TestR42Tamper(t *testing.T) {
	t.Parallel()
	run(t, "R42",
		trial{name: "swap while running", own: true, off: []string{"aead-binding", "head-check"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			p := newPair(s)
			swap(s, p)
			found, a := shows(p.a, nameB)
			if !s.Ablated() {
				if shown, _ := shows(p.a, nameA); shown {
					t.Error("a swapped record was shown at all")
				}
				editOneByte(t, s)
			}
			return found, fmt.Sprintf("A's view with B's ciphertext: status %d", a.Status)
		}},
		trial{name: "swap while stopped", own: true, off: []string{"aead-binding", "head-check"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			p := newPair(s)
			s.Stop()
			swap(s, p)
			s.Up()
			found, a := shows(p.a, nameB)
			return found, fmt.Sprintf("A's view with B's ciphertext: status %d", a.Status)
		}},
		trial{name: "B's tag on A while running", own: true, off: []string{"row-mac"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			p := newPair(s)
			point(s, p)
			return intruder(s, p)
		}},
		trial{name: "B's tag on A while stopped", own: true, off: []string{"row-mac", "guard-anchor"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			p := newPair(s)
			s.Stop()
			point(s, p)
			if err := s.TryUp(); err != nil {
				return false, "the vault refused to start"
			}
			return intruder(s, p)
		}})
}

// editOneByte changes one byte of a ciphertext, and then its hash with it.
func editOneByte(t *testing.T, s *harness.Server) {
	t.Helper()
	c, _ := s.Holder()
	person := s.PersonOf(c.Enrol(nameA))
	body, hash := identity(s, person)
	raw, err := hex.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	edited := hex.EncodeToString(raw)
	for _, h := range []string{hash, harness.Digest(string(raw))} {
		putIdentity(s, person, edited, h)
		if found, a := shows(c, nameA); found || a.OK() {
			t.Errorf("an edited record was shown: status %d", a.Status)
		}
	}
	putIdentity(s, person, body, hash)
	if found, a := shows(c, nameA); !found {
		t.Errorf("the mended record is not shown: %s", a.Text())
	}
}

// vaultRow is one row of the vault's person table.
type vaultRow struct {
	version, expires string
	content, mac     string
}

func readVaultRow(s *harness.Server, person string) vaultRow {
	q := func(col string) string {
		return s.Cell(harness.VaultDB, "SELECT "+col+" FROM person WHERE key = $1", person)
	}
	return vaultRow{q("version"), q("expires"), q(s.Hex("content")), q(s.Hex("mac"))}
}

func writeVaultRow(s *harness.Server, person string, r vaultRow) {
	s.Exec(harness.VaultDB, fmt.Sprintf("UPDATE person SET version = %s, expires = %s, content = %s, mac = %s WHERE key = '%s'",
		r.version, r.expires, s.Bytes(r.content), s.Bytes(r.mac), person))
}

// rollback takes a vaccinated person back to before the dose.
type rollback struct {
	c      *harness.Client
	person string
	before vaultRow
	parts  int
}

func vaccinated(t *testing.T, s *harness.Server) rollback {
	t.Helper()
	c, mobile := s.Holder()
	ref := c.Enrol(nameA)
	r := rollback{c: c, person: s.PersonOf(ref)}
	parts := func() int {
		n, err := strconv.Atoi(s.Cell(harness.RegistryDB, "SELECT count(*) FROM sealed WHERE person = $1", r.person))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	c.Beneficiaries() // the enrolment is committed
	r.before, r.parts = readVaultRow(s, r.person), parts()
	s.Vaccinate(c, mobile, ref)
	if people := c.Beneficiaries(); len(people) != 1 || people[0].Status == "Not Vaccinated" || parts() != r.parts+1 {
		t.Fatalf("the dose is not there: %+v, %d parts", people, parts())
	}
	return r
}

func (r rollback) registry(s *harness.Server) {
	s.DropGuards(harness.RegistryDB)
	s.Exec(harness.RegistryDB, fmt.Sprintf("DELETE FROM sealed WHERE person = '%s' AND seq > %d", r.person, r.parts))
}

func (r rollback) succeeded() (bool, string) {
	people, a := r.c.TryBeneficiaries()
	return len(people) == 1 && people[0].Status == "Not Vaccinated", fmt.Sprintf("view after the rollback: status %d", a.Status)
}

func TestR43Rollback(t *testing.T) {
	t.Parallel()
	run(t, "R43",
		trial{name: "registry", own: true, off: []string{"head-check"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			r := vaccinated(t, s)
			r.registry(s)
			return r.succeeded()
		}},
		trial{name: "both while running", own: true, off: []string{"guard-anchor"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			r := vaccinated(t, s)
			r.registry(s)
			writeVaultRow(s, r.person, r.before)
			return r.succeeded()
		}},
		trial{name: "both while stopped", own: true, off: []string{"guard-anchor"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
			r := vaccinated(t, s)
			s.Stop()
			r.registry(s)
			writeVaultRow(s, r.person, r.before)
			if err := s.TryUp(); err != nil {
				return false, "the vault refused to start"
			}
			return r.succeeded()
		}})
}

// TestR47LedgerDown: a trigger makes every append to the ledger fail.
func TestR47LedgerDown(t *testing.T) {
	t.Parallel()
	run(t, "R47", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, _ := s.Holder()
		c.Enrol(nameA)
		if found, a := shows(c, nameA); !found {
			t.Fatalf("own view: %s", a.Text())
		}
		s.Refuse(harness.VaultDB, "ledger_entry", "ledger_is_down")
		found, a := shows(c, nameA)
		evidence := fmt.Sprintf("view while the ledger takes nothing: status %d", a.Status)
		if found || s.Ablated() {
			return found, evidence
		}
		if a.OK() {
			t.Errorf("an opening without a receipt was answered: %s", a.Text())
		}
		if len(s.Later()) == 0 { // slot search needs no vault
			t.Error("slot search stopped with the ledger")
		}
		s.Exec(harness.VaultDB, "DROP TRIGGER ledger_is_down"+map[bool]string{true: " ON ledger_entry"}[s.Postgres() != nil])
		if found, a := shows(c, nameA); !found {
			t.Errorf("after the ledger came back: %s", a.Text())
		}
		if got := s.Cell(harness.VaultDB, "SELECT CASE WHEN count(*) = max(entry_index) + 1 AND count(*) = count(DISTINCT entry_index) THEN 1 ELSE 0 END FROM ledger_entry"); got != "1" {
			t.Error("the ledger's indexes are not dense and single")
		}
		return false, evidence + ", afterwards normal; indexes dense"
	}})
}

// refOf is the view reference of an answer, or "".
func refOf(a harness.Answer) string { return a.Field("view_ref") }

var entryIndex = regexp.MustCompile(`"index":(\d+)`)

// history is the household's whole access history as text.
func history(c *harness.Client) string {
	var b strings.Builder
	before := ""
	for range 200 {
		a := c.Must("GET", "/v3/openings?limit=200"+before, nil)
		b.Write(a.Body)
		lowest := int64(-1)
		for _, m := range entryIndex.FindAllSubmatch(a.Body, -1) {
			if n, err := strconv.ParseInt(string(m[1]), 10, 64); err == nil && (lowest < 0 || n < lowest) {
				lowest = n
			}
		}
		if lowest <= 0 {
			break
		}
		before = fmt.Sprintf("&before=%d", lowest)
	}
	return b.String()
}

// TestR48Kill kills the vault at the point between receipt and answer. The
// build that can do so is the test build, with every control on in the first run.
func TestR48Kill(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tikakosh-arm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // the vault's own user takes the file away
		t.Fatal(err)
	}
	arm := filepath.Join(dir, "arm")
	kills := 30
	if full() {
		kills = 1000
	}
	opt := harness.Options{Tags: harness.Ablation, Env: []string{"TIKAKOSH_CRASH=open:after-receipt", "TIKAKOSH_CRASH_ARM=" + arm}}
	run(t, "R48", trial{own: true, base: opt, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, _ := s.Holder()
		c.Enrol(nameA)
		n := kills
		if s.Ablated() {
			n = 2
		}
		var refs []string
		for range n {
			before := s.Role(harness.RoleVault)
			if err := os.WriteFile(arm, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			people, a := c.TryBeneficiaries()
			if len(people) > 0 {
				refs = append(refs, refOf(a))
			}
			s.AwaitRole(harness.RoleVault, before)
			s.Alive()
			people, a = c.TryBeneficiaries()
			if len(people) != 1 {
				t.Fatalf("after the vault came back: %s", a.Text())
			}
			refs = append(refs, refOf(a))
		}
		return unrecorded(t, c, refs, fmt.Sprintf("%d kills between receipt and answer", n))
	}})
}

// unrecorded says whether some view that was shown has no entry.
func unrecorded(t *testing.T, c *harness.Client, refs []string, what string) (bool, string) {
	t.Helper()
	all, missing := history(c), 0
	for _, ref := range refs {
		if ref == "" {
			t.Fatal("an answer has no view reference")
		}
		if !strings.Contains(all, ref) {
			missing++
		}
	}
	return missing > 0, fmt.Sprintf("%s: %d views shown, %d of them without an entry", what, len(refs), missing)
}

// TestR48RandomKill kills the vault of the binary as released at moments of its
// own choosing, while views are being read.
func TestR48RandomKill(t *testing.T) {
	s := harness.Start(t, &shared.builder, harness.Options{})
	c, _ := s.Holder()
	c.Enrol(nameA)
	var stop atomic.Bool
	var mu sync.Mutex
	var refs []string
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				a, err := c.Do("GET", "/v2/appointment/beneficiaries", nil)
				if err != nil || !a.OK() {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				mu.Lock()
				refs = append(refs, refOf(a))
				mu.Unlock()
			}
		})
	}
	for range 5 {
		time.Sleep(200 * time.Millisecond)
		s.AwaitRole(harness.RoleVault, s.KillRole(harness.RoleVault))
		s.Alive()
	}
	stop.Store(true)
	wg.Wait()
	if len(refs) < 20 {
		t.Fatalf("only %d views were read", len(refs))
	}
	if bad, evidence := unrecorded(t, c, refs, "5 kills at any moment"); bad {
		t.Fatal(evidence)
	} else {
		t.Log(evidence)
	}
}
