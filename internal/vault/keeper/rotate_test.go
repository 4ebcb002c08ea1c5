package keeper_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// keyRig is a rig whose changes of keys wait a minute of its own clock.
func keyRig(t testing.TB) *rig {
	return rigWith(t, func(r *rig) {
		r.cfg.Custody = "file"
		r.cfg.KeyTimes = keeper.KeyTimes{Announce: time.Minute, Publish: time.Minute, Drain: time.Minute}
	})
}

func (r *rig) rotate(kind string) {
	r.t.Helper()
	if _, err := r.k.RotateKey(r.t.Context(), vault.KeyRotateRequest{Kind: kind}); err != nil {
		r.t.Fatal(err)
	}
}

// keys are the states of a purpose's versions.
func (r *rig) keys(purpose string) string {
	r.t.Helper()
	list, err := r.k.ListKeys(r.t.Context(), vault.Empty{})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, k := range list.Keys {
		if k.Purpose == purpose {
			out = append(out, k.State)
		}
	}
	return strings.Join(out, " ")
}

// until waits until the versions of a key have these states.
func (r *rig) until(purpose, want string) {
	r.t.Helper()
	for range 200 {
		if r.keys(purpose) == want {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	r.t.Fatalf("%s: %s, want %s\n%s", purpose, r.keys(purpose), want, r.log())
}

// entries are the ledger's words about keys.
func (r *rig) keyEntries() (out []string) {
	r.t.Helper()
	rows, err := r.k.Leaves(r.t.Context(), 0, 100000)
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.st.View(r.t.Context(), func(tx state.Tx) error {
		all, err := tx.Entries(r.t.Context(), 0, len(rows))
		for _, row := range all {
			raw, oerr := r.k.OpenEntry(row)
			if oerr != nil {
				return oerr
			}
			var e struct{ Kind, View, Reason string }
			if json.Unmarshal(raw, &e) == nil && e.Kind == "key" {
				out = append(out, e.Reason+" "+e.View)
			}
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) wantEntries(want ...string) {
	r.t.Helper()
	got := strings.Join(r.keyEntries(), "\n")
	for _, w := range want {
		if !strings.Contains(got, w) {
			r.t.Errorf("the ledger says nothing of %q:\n%s", w, got)
		}
	}
}

func (r *rig) member(h vault.Holder) {
	r.t.Helper()
	if _, err := r.k.Membership(r.t.Context(), h); err != nil {
		r.t.Fatal(err)
	}
}

func TestRotateToken(t *testing.T) {
	r := keyRig(t)
	before := r.signIn("0000000801")
	r.rotate(vault.KeyToken)
	r.until("bearer", "current next")
	_, err := r.k.RotateKey(t.Context(), vault.KeyRotateRequest{Kind: vault.KeyToken})
	wantKind(t, err, fault.Conflict)
	r.advance(59 * time.Second)
	time.Sleep(300 * time.Millisecond)
	r.until("bearer", "current next") // announced, not yet used
	last := r.signIn("0000000802")
	r.advance(2 * time.Second)
	r.until("bearer", "verifies current")
	after := r.signIn("0000000803")
	if strings.Split(before.Bearer, ".")[0] != strings.Split(after.Bearer, ".")[0] {
		t.Error("the header tells the keys apart")
	}
	for _, h := range []vault.Holder{before, last, after} {
		r.member(h)
	}
	keys, err := r.k.Keys(t.Context(), vault.Empty{})
	if err != nil || bytes.Count(keys.Bearers, []byte(`"kty"`)) != 2 || bytes.Contains(keys.Bearers, []byte(`"d"`)) {
		t.Errorf("%s %v", keys.Bearers, err)
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	for _, h := range []vault.Holder{before, last, after} {
		r.member(h)
	}
	r.advance(17 * time.Minute)
	r.until("bearer", "destroyed current")
	r.member(r.signIn("0000000801"))
	r.wantEntries("realm-1/bearer/2 made and published", "realm-1/bearer/2 in use", "realm-1/bearer/1 secret half destroyed", "realm-1/bearer/1 destroyed")
	if ring := r.dump("key_ring"); strings.Contains(ring, "realm-1/bearer/1") {
		t.Error("the old key is still in the ring")
	}
	r.audit()
}

func TestRotateCertificate(t *testing.T) {
	c := newCentre(t, func(r *rig) {
		r.cfg.KeyTimes = keeper.KeyTimes{Announce: time.Second, Publish: time.Second, Drain: time.Second}
	})
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	issue := func() string {
		t.Helper()
		cert, err := c.k.Certificate(t.Context(), vault.CertificateRequest{Holder: c.holder, Record: c.records(c.person)[0]})
		if err != nil {
			t.Fatal(err)
		}
		return cert.HC1
	}
	published := func() encode.KeySet {
		t.Helper()
		keys, err := c.k.Keys(t.Context(), vault.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		set, err := encode.ParseKeySet(keys.Certificates)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	first := issue()
	c.rotate(vault.KeyCertificate)
	if n := published().Len(); n != 2 {
		t.Fatalf("%d keys are published while one is announced", n)
	}
	early := published() // what a verifier fetched before the change
	c.advance(2 * time.Second)
	c.until("certificate", "verifies current")
	second := issue()
	if err := c.reopen(); err != nil {
		t.Fatal(err)
	}
	for _, keys := range []encode.KeySet{early, published()} {
		for _, text := range []string{first, second} {
			if _, err := certificate.Verify([]byte(text), keys, c.clock()); err != nil {
				t.Error(err)
			}
		}
	}
	c.rotate(vault.KeyCertificate)
	c.advance(2 * time.Second)
	c.until("certificate", "verifies verifies current")
	if _, err := certificate.Verify([]byte(first), published(), c.clock()); err != nil {
		t.Errorf("after a second change: %v", err)
	}
}

func TestRotateEpoch(t *testing.T) {
	r := keyRig(t)
	var people []patient
	for i := range 70 { // more than a batch
		people = append(people, r.register(fmt.Sprintf("00000008%02d", i), i))
	}
	gone := r.register("0000000890", 90)
	if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: gone.holder, Record: r.records(gone.person)[0]}); err != nil {
		t.Fatal(err)
	}
	opens := func(p patient) {
		t.Helper()
		got, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)})
		if err != nil || len(got.People) != 1 || got.People[0].Name != "Asha Test" {
			t.Fatalf("%+v %v", got, err)
		}
	}
	r.rotate(vault.KeyEpoch)
	if got := r.k.EpochName(); got != "realm-1/epoch/2" {
		t.Fatal(got)
	}
	for _, p := range people {
		opens(p)
	}
	people = append(people, r.register("0000000891", 91))
	time.Sleep(300 * time.Millisecond)
	if got := r.keys("epoch"); got != "old current" {
		t.Fatalf("%s before requests of before the change have ended", got)
	}
	r.advance(2 * time.Minute)
	r.until("epoch", "destroyed current")
	var wrapped []string
	for _, line := range strings.Split(r.dump("person", "key_ring"), "\n") {
		if !strings.Contains(line, `"Wrapped":null`) { // of the removed person
			wrapped = append(wrapped, line)
		}
	}
	if rows := strings.Join(wrapped, "\n"); len(wrapped) < 80 || strings.Contains(rows, "epoch/1") {
		t.Error("something is still under the old epoch key")
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		opens(p)
	}
	r.audit()
	r.wantEntries("realm-1/epoch/2 made and in use", "realm-1/epoch/2 data keys wrapped anew", "realm-1/epoch/1 destroyed")
}

func TestRotateIndex(t *testing.T) {
	r := keyRig(t)
	var people []patient
	for i := range 70 {
		people = append(people, r.register(fmt.Sprintf("00000008%02d", i), i))
	}
	old := r.k.BlindIndex("0000000800")
	iss, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000805", Origin: "192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	r.rotate(vault.KeyIndex)
	if r.k.BlindIndex("0000000800") == old {
		t.Fatal("the index is the same")
	}
	// A code from before the change, and a new one, lead to the same household.
	s, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code("0000000805")), Origin: "192.0.2.0/24"})
	if err != nil || s.NewAccount {
		t.Fatalf("%+v %v", s, err)
	}
	same := func() {
		t.Helper()
		for i, p := range people {
			if i%7 != 0 {
				continue
			}
			m, err := r.k.Membership(t.Context(), r.signIn(fmt.Sprintf("00000008%02d", i)))
			if err != nil || len(m.Members) != 1 || m.Members[0].Person != p.person {
				t.Fatalf("%d: %+v %v", i, m, err)
			}
		}
	}
	same()
	r.register("0000000891", 91) // new during the change
	r.advance(2 * time.Minute)
	r.until("index", "destroyed current")
	if n, h := r.count("mobile_index"), r.count("household"); n != h || h != 71 {
		t.Errorf("%d indexes for %d households", n, h)
	}
	if strings.Contains(r.dump("mobile_index", "key_ring"), old) || strings.Contains(r.dump("key_ring"), "index/1") {
		t.Error("the old name or key is still there")
	}
	r.advance(25 * time.Hour)
	same()
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	r.advance(25 * time.Hour)
	same()
	r.audit()
}

// TestQuotaOverRotation: a number gets no further codes by a change of its name.
func TestQuotaOverRotation(t *testing.T) {
	r := keyRig(t)
	ask := func() error {
		_, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000801", Origin: "192.0.2.0/24"})
		return err
	}
	for range 5 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, ask(), fault.RateLimited)
	r.rotate(vault.KeyIndex)
	wantKind(t, ask(), fault.RateLimited)
}

func TestRotateLedger(t *testing.T) {
	r := keyRig(t)
	before := r.k.CheckpointVKey()
	r.rotate(vault.KeyLedger)
	if got := r.k.CheckpointVKey(); got != before {
		t.Fatal("used before it was published")
	}
	r.advance(2 * time.Minute)
	r.until("checkpoint", "verifies current")
	after := r.k.CheckpointVKey()
	keys, err := r.k.Keys(t.Context(), vault.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ledger.ParseKeychain(keys.LedgerKeys)
	if err != nil || len(chain) != 1 || chain[0].Old != before || chain[0].New != after || chain[0].Size == 0 {
		t.Fatalf("%+v %v", chain, err)
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	if got := r.k.CheckpointVKey(); got != after {
		t.Error("another key after a start")
	}
	if strings.Contains(r.dump("key_ring"), "checkpoint/1") {
		t.Error("the old secret is still there")
	}
	r.audit()
}

func TestRotateIDTag(t *testing.T) {
	r := keyRig(t)
	h := r.signIn("0000000801")
	r.store(r.enrol(h, "one", asha(1)).Seal, true)
	one, err := r.k.IDTag(6, "ABCDE0001F")
	if err != nil {
		t.Fatal(err)
	}
	retry := vault.EnrolRequest{Holder: h, Key: "two", Identity: asha(2), Consent: consentOne}
	if _, err := r.k.Enrol(t.Context(), retry); err != nil {
		t.Fatal(err)
	}
	r.rotate(vault.KeyIDTag)
	if tag, err := r.k.IDTag(6, "ABCDE0001F"); err != nil || tag == one || !strings.HasPrefix(tag, "02") {
		t.Fatalf("%s %v", tag, err)
	}
	twice := func() error {
		_, err := r.k.Enrol(t.Context(), vault.EnrolRequest{Holder: h, Key: "again", Identity: asha(1), Consent: consentOne})
		return err
	}
	wantKind(t, twice(), fault.Conflict) // tagged by the old version, found all the same
	if _, err := r.k.Enrol(t.Context(), retry); err != nil {
		t.Errorf("the same request sent again after the change: %v", err)
	}
	other := r.signIn("0000000802")
	e := r.enrol(other, "elsewhere", asha(1))
	if p, err := r.k.Person(t.Context(), e.Seal.Person); err != nil || len(p.Flags) != 1 {
		t.Errorf("in use elsewhere under the old version: %+v %v", p.Flags, err)
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.RotateKey(t.Context(), vault.KeyRotateRequest{Kind: vault.KeyIDTag, Compromised: true}); err != nil {
		t.Fatal(err)
	}
	r.advance(2 * time.Minute)
	r.until("id-tag", "destroyed destroyed current")
	if strings.Contains(r.dump("id_tag"), one) || r.count("id_tag") != 0 {
		t.Errorf("%d tags of compromised keys are left", r.count("id_tag"))
	}
	h = r.signIn("0000000801")
	if err := twice(); err != nil { // its tag was removed; it is made anew
		t.Fatal(err)
	}
	if r.count("id_tag") != 1 {
		t.Error("the number was not tagged anew")
	}
	if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: h, Record: r.records(e.Seal.Person)[0]}); err == nil {
		t.Error("another household's person was removed")
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	r.audit()
	_, err = r.k.RotateKey(t.Context(), vault.KeyRotateRequest{Kind: vault.KeyToken, Compromised: true})
	wantKind(t, err, fault.Invalid)
	_, err = r.k.RotateKey(t.Context(), vault.KeyRotateRequest{Kind: "row"})
	wantKind(t, err, fault.Invalid)
}

// TestKeyStateIsAnchored: an old version cannot be called back by putting older
// rows into the database.
func TestKeyStateIsAnchored(t *testing.T) {
	r := keyRig(t)
	h := r.signIn("0000000801")
	ring := r.rowOf("key_ring", "realm-1/bearer/1")
	r.rotate(vault.KeyToken)
	announced := r.rowOf("key_state", "bearer")
	r.advance(2 * time.Minute)
	r.until("bearer", "verifies current")
	r.member(h)
	r.close()
	good := readFile(t, r.path())
	for name, change := range map[string]func(){
		"rolled back": func() { r.setRow("key_state", "bearer", announced) },
		"edited": func() {
			r.exec("UPDATE key_state SET content = CAST(replace(CAST(content AS TEXT), 'verifies', 'old') AS BLOB)")
		},
		"removed": func() { r.exec("DELETE FROM key_state") },
	} {
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		r.exec("INSERT INTO key_ring (key, version, content, mac, expires, bucket) SELECT 'realm-1/bearer/1', 1, $1, x'', 0, $2", ring.content, id.Bucket("realm-1/bearer/1"))
		change()
		if err := r.reopen(); !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: %v", name, err)
		}
		r.close()
		for _, side := range []string{"-wal", "-shm"} {
			_ = os.Remove(r.path() + side)
		}
		if err := os.WriteFile(r.path(), good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRotateOverShelves: after rows have gone with a change of keys the anchor file
// still leads to the ledger's end, so that a start serves before it has read all.
func TestRotateOverShelves(t *testing.T) {
	f, s := &shelfFile{}, &slow{go1: make(chan struct{})}
	r := rigWith(t, func(r *rig) {
		r.cfg.KeyTimes = keeper.KeyTimes{Announce: time.Second, Publish: time.Second, Drain: time.Second}
		r.cfg.Anchors = f
		r.wrap = func(st state.Store) state.Store { s.Store = st; return s }
	})
	for i := range 6 {
		r.register(fmt.Sprintf("000000080%d", i), i+1)
	}
	r.rotate(vault.KeyIndex)
	if _, err := r.k.RotateKey(t.Context(), vault.KeyRotateRequest{Kind: vault.KeyIDTag, Compromised: true}); err != nil {
		t.Fatal(err)
	}
	r.rotate(vault.KeyEpoch)
	for range 3 {
		r.advance(2 * time.Second)
		time.Sleep(250 * time.Millisecond)
	}
	r.until("index", "destroyed current")
	r.until("id-tag", "destroyed current")
	r.until("epoch", "destroyed current")
	r.close()
	s.on = true // a reading of all households waits
	r.openStore()
	k, end := r.compares()
	select {
	case err := <-end:
		t.Fatalf("all rows were read before anybody was let in: %v", err)
	default:
	}
	if st, err := k.Status(t.Context(), vault.Empty{}); err != nil || !st.Ready {
		t.Errorf("%+v %v", st, err)
	}
	close(s.go1)
	if err := <-end; err != nil {
		t.Errorf("the comparison of what a change of keys left: %v", err)
	}
}
