package redteam

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// custodians enrols a key of the role custodian for each human named.
func (x sets) custodians(t *testing.T, s *harness.Server, names ...string) (keys []string) {
	t.Helper()
	for i, name := range names {
		key := filepath.Join(x.dir, string(rune('a'+i)))
		if out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", key); exit != 0 {
			t.Fatal(out)
		}
		keys = append(keys, key)
	}
	return keys
}

// behind puts an older set in the place of a stopped server's data, with the
// custodians' approval, and starts the server on it. The old data folder is
// returned.
func (x sets) behind(t *testing.T, s *harness.Server, older string, custodians []string) (old string, err error) {
	t.Helper()
	s.Stop()
	old = filepath.Join(x.dir, "data")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(old, "ledger")
	args := []string{"restore", "--identity", x.identity, "--from", older, "--data", s.Data, "--ledger", published, "--key-files", filepath.Join(old, "vault", "keys")}
	for _, key := range custodians {
		if out, exit := s.Command("restore-approve", "--key", key, "--from", older, "--ledger", published, "--out", key+".approval"); exit != 0 {
			t.Fatal(out)
		}
		args = append(args, "--gap-approval", key+".approval")
	}
	if out, exit := s.Command(args...); exit != 0 {
		t.Fatal(out)
	}
	for _, file := range []string{"registry/demo.json", "staff/manager.json", "staff/vaccinator.json"} { // a demo's own, no part of a set
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.Data, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(old, file), filepath.Join(s.Data, file)); err != nil {
			t.Fatal(err)
		}
	}
	return old, s.TryUp()
}

func TestB4OneHumanTwice(t *testing.T) {
	t.Parallel()
	run(t, "B4", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		keys := x.custodians(t, s, "Custodian Test", " custodian  TEST")
		older := x.take(t, s, "older")
		c, mobile := s.Holder()
		c.Enrol(nameA)
		if _, err := x.behind(t, s, older, keys); err != nil {
			return false, "the vault does not start on an older copy that one human approved with two keys"
		}
		people := s.Client().SignIn(mobile).Beneficiaries()
		return len(people) == 0, "the vault runs on the older copy that one human approved with two keys"
	}})
}

// TestB5EndedBack: what was ended after a copy, by whoever had the right to, is of
// no use to its holder once the copy is live; nor is anything that was not ended,
// until somebody confirms it.
func TestB5EndedBack(t *testing.T) {
	t.Parallel()
	run(t, "B5", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		keys := x.custodians(t, s, "Custodian One", "Custodian Two")
		manager := s.StaffKey("manager")
		stolen := filepath.Join(x.dir, "stolen")
		if out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", "manager", "--centre", strconv.FormatInt(manager.Centre, 10), "--name", "Another Manager", "--out", stolen); exit != 0 {
			t.Fatal(out)
		}
		raw, err := os.ReadFile(stolen)
		if err != nil {
			t.Fatal(err)
		}
		thief, err := harness.ParseStaffKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		day := s.OpenToday()
		card := s.WalkIn(harness.Person{Name: nameB})
		c, mobile := s.Holder()
		ref := c.Enrol(nameA)
		s.Vaccinate(c, mobile, ref)
		certificate := textOf(t, c.Certificate(ref).Body)
		sharer, linked, token, link := linked(t, s)
		older := x.take(t, s, "older")
		if a := sharer.Must("POST", "/v3/shares/end", map[string]any{"beneficiary_reference_id": linked, "id": link}); a.Status != 204 {
			t.Fatal(a.Text())
		}
		if out, exit := s.Command("staff", "disable", "--data", s.Data, "--staff="+thief.Staff); exit != 0 {
			t.Fatal(out)
		}
		if fresh := harness.CardOf(s.Client().ByCard(card).Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": card.Reference})); fresh.Text == "" {
			t.Fatal("no new card")
		}
		if a := s.Correct(s.StaffKey("vaccinator"), "revoke", c.AwaitDose(ref, "confirmed").Event, ref, nil); a.Status != 204 {
			t.Fatal(a.Text())
		}
		if _, err := x.behind(t, s, older, keys); err != nil {
			t.Fatal(err)
		}
		var back []string
		if a := s.Client().OpenSession(thief, day); a.OK() {
			back = append(back, "the staff key")
		}
		if bearer, _ := s.Client().TryCard(card); bearer != "" {
			back = append(back, "the card")
		}
		list := filepath.Join(x.dir, "list")
		if err := os.WriteFile(list, s.Client().Must("GET", "/v3/revocations", nil).Body, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, exit := s.Command("certificate", "verify", "--keys", s.API+"/v3/keys", "--revocations", list, certificate); exit == 0 {
			back = append(back, "the certificate")
		}
		if certified(byLink(s, token)) {
			back = append(back, "the link")
		}
		if n := len(back); n > 0 && n < 4 {
			t.Errorf("only %v came back", back)
		}
		return len(back) > 0, "after an approved restore of a copy of before they ended, these were tried: staff key, card, certificate, link to a certificate; good again: " + strings.Join(back, ", ")
	}})
}

// TestB6ErasedInOldSet: whoever kept an old set, and has the key files as they are
// now, opens nobody with them who was erased since.
func TestB6ErasedInOldSet(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	quick := harness.Options{Args: []string{"--house-every", "100ms", "--key-drain", "1s", "--erase-final", "24h"}}
	run(t, "B6", trial{own: true, base: quick, try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		c, mobile := s.Holder()
		ref := c.Enrol(nameA)
		c.Enrol(nameB)
		older := x.take(t, s, "older")
		if a := c.Remove(ref); !a.OK() {
			t.Fatal(a.Text())
		}
		half := filepath.Join(s.Data, "vault", "keys", "idtag-1001.key")
		gone := func() bool { _, err := os.Stat(half); return err != nil }
		if gone() {
			t.Fatal("custody has no half of the epoch key")
		}
		s.SetClock(6 * day) // not yet: changes are batched
		time.Sleep(500 * time.Millisecond)
		if out, _ := s.Command("keys", "list", "--data", s.Data); strings.Contains(out, "realm-1/epoch/2") {
			t.Errorf("the epoch key changed at once: %s", out)
		}
		s.SetClock(8 * day)
		for n := 0; n < 600 && !s.Ablated(); n++ { // changed, everybody wrapped anew, and the old one destroyed in the database
			if out, _ := s.Command("keys", "list", "--data", s.Data); strings.Contains(out, "destroyed") {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if gone() {
			t.Error("sets of before were of no use before their time")
		}
		s.SetClock(10 * day)
		for n := 0; n < 300 && !s.Ablated() && !gone(); n++ {
			time.Sleep(100 * time.Millisecond)
		}
		if back, a := shows(c.SignIn(mobile), nameB); !back {
			t.Errorf("who stays does not open: %s", a.Text())
		}
		s.Stop()
		old := filepath.Join(x.dir, "data")
		if err := os.Rename(s.Data, old); err != nil {
			t.Fatal(err)
		}
		if out, exit := s.Command("restore", "--identity", x.identity, "--from", older, "--data", s.Data, "--only-copy", "--key-files", filepath.Join(old, "vault", "keys")); exit != 0 {
			t.Fatal(out)
		}
		if err := os.Rename(filepath.Join(old, "registry", "demo.json"), filepath.Join(s.Data, "registry", "demo.json")); err != nil {
			t.Fatal(err)
		}
		if err := s.TryUp(); err != nil {
			if !strings.Contains(s.Log(), "custody does not hold its half") {
				t.Errorf("for another reason: %s", s.Log())
			}
			return false, "an old set opens nothing with the key files of after an erasure"
		}
		seen, _ := shows(s.Client().SignIn(mobile), nameA)
		return seen, "an old set and the key files of after an erasure open the erased person"
	}})
}
