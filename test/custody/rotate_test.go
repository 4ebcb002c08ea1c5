package custody

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/test/harness"
)

var builder harness.Builder

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &builder)) }

// quick are the waits of a change of keys as these tests have time for.
var quick = [...]string{"--key-announce=2500ms", "--key-publish=2500ms", "--key-drain=2s"}

// load is requests that run while keys change. Each must be answered as if no
// key changed.
type load struct {
	t      *testing.T
	s      *harness.Server
	stop   atomic.Bool
	done   atomic.Int64
	failed atomic.Int64
	mu     sync.Mutex
	first  string
	wg     sync.WaitGroup
}

func (l *load) bad(what string, a harness.Answer) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = fmt.Sprintf("%s: %s", what, a.Text())
	}
}

// ok counts an answer.
func (l *load) ok(what string, a harness.Answer) bool {
	l.done.Add(1)
	if !a.OK() {
		l.bad(what, a)
	}
	return a.OK()
}

// keep runs one kind of request again and again.
func (l *load) keep(fn func(round int)) {
	l.wg.Go(func() {
		for i := 0; !l.stop.Load(); i++ {
			fn(i)
		}
	})
}

func (l *load) end() {
	l.t.Helper()
	l.stop.Store(true)
	l.wg.Wait()
	if l.failed.Load() > 0 || l.done.Load() < 50 {
		l.t.Errorf("%d of %d requests failed; the first: %s\n%s", l.failed.Load(), l.done.Load(), l.first, l.s.LogAround(""))
	}
	l.t.Logf("%d requests, %d failed", l.done.Load(), l.failed.Load())
}

// signIn is a whole sign-in: code, message, answer.
func (l *load) signIn(mobile string) (*harness.Client, bool) {
	c := l.s.Client()
	have := len(l.s.To(mobile))
	txn, a := c.AskCode(mobile)
	if !l.ok("code", a) {
		return nil, false
	}
	got := l.s.AwaitMessages(mobile, have, 10*time.Second)
	if len(got) <= have {
		l.bad("message", a)
		return nil, false
	}
	bearer, a := c.Confirm(txn, got[0].Code())
	return c.With(bearer), l.ok("confirm", a)
}

// holder is somebody registered before, with an answer that must stay the same.
type holder struct {
	c           *harness.Client
	mobile, ref string
	cert        string // file
}

// household begins a load: old sessions read, sign in again, get certificates;
// new numbers register and come back.
func (l *load) begin(people []holder, vaccinated holder) {
	sees := func(c *harness.Client, ref string) {
		got, a := c.TryBeneficiaries()
		if l.ok("beneficiaries", a) && (len(got) != 1 || got[0].Reference != ref || got[0].Name == "") {
			l.bad(fmt.Sprintf("beneficiaries: %d people", len(got)), a)
		}
	}
	l.keep(func(i int) { p := people[i%len(people)]; sees(p.c, p.ref) })
	l.keep(func(i int) {
		p := people[i%len(people)]
		if c, ok := l.signIn(p.mobile); ok {
			sees(c, p.ref)
		}
		time.Sleep(300 * time.Millisecond) // twenty codes a day for each number
	})
	l.keep(func(int) {
		mobile := l.s.Mobile()
		c, ok := l.signIn(mobile)
		if !ok {
			return
		}
		ref, a := c.TryEnrol(harness.Person{Name: "Bala Test"})
		if !l.ok("enrol", a) {
			return
		}
		sees(c, ref)
		if again, ok := l.signIn(mobile); ok {
			sees(again, ref)
		}
	})
	l.keep(func(int) {
		l.ok("certificate", vaccinated.c.Certificate(vaccinated.ref))
		time.Sleep(time.Second) // sixty a day for each household
	})
}

type keyRow struct{ Purpose, Key, State string }

func keyList(t *testing.T, s *harness.Server) []keyRow {
	t.Helper()
	out, exit := s.Command("keys", "list", "--json", "--data", s.Data)
	var list struct{ Keys []keyRow }
	if err := json.Unmarshal([]byte(out), &list); exit != 0 || err != nil {
		t.Fatalf("keys list: %d %v\n%s", exit, err, out)
	}
	return list.Keys
}

func versions(t *testing.T, s *harness.Server, purpose string) string {
	t.Helper()
	var out []string
	for _, k := range keyList(t, s) {
		if k.Purpose == purpose {
			out = append(out, k.State)
		}
	}
	return strings.Join(out, " ")
}

// scene is an installation with people from before the first change.
type scene struct {
	s          *harness.Server
	people     []holder
	vaccinated holder
	vkey       string // of before
}

func newScene(t *testing.T, o harness.Options) *scene {
	t.Helper()
	o.Args = append(o.Args, quick[:]...)
	sc := &scene{s: harness.Start(t, &builder, o)}
	s := sc.s
	for range 4 {
		c, mobile := s.Holder()
		sc.people = append(sc.people, holder{c: c, mobile: mobile, ref: c.Enrol("Asha Test")})
	}
	c, mobile := s.Holder()
	sc.vaccinated = holder{c: c, mobile: mobile, ref: c.Enrol("Asha Test"), cert: filepath.Join(t.TempDir(), "before.pdf")}
	s.Vaccinate(c, mobile, sc.vaccinated.ref)
	a := c.Certificate(sc.vaccinated.ref)
	if !a.OK() {
		t.Fatal(a.Text())
	}
	if err := os.WriteFile(sc.vaccinated.cert, a.Body, 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(s.Data, "ledger", "vkey"))
	if err != nil {
		t.Fatal(err)
	}
	sc.vkey = strings.TrimSpace(string(raw))
	return sc
}

// whole checks what must hold after any change: each number has one household,
// the certificate of before verifies, ledger and rows are in order.
func (sc *scene) whole(t *testing.T, what string) {
	t.Helper()
	s := sc.s
	numbers := s.Cell(harness.VaultDB, "SELECT count(*) FROM household WHERE "+s.Text("content")+` NOT LIKE '%"Mobile":null%'`)
	if indexes := s.Cell(harness.VaultDB, "SELECT count(*) FROM mobile_index"); indexes != numbers {
		t.Errorf("%s: %s names for %s households with a number", what, indexes, numbers)
	}
	if out, exit := s.Command("certificate", "verify", sc.vaccinated.cert, "--keys", s.API+"/v3/keys"); exit != 0 {
		t.Errorf("%s: the certificate of before: %d\n%s", what, exit, out)
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("%s: audit: %d\n%s", what, exit, out)
	}
	time.Sleep(1200 * time.Millisecond) // the next checkpoint
	for _, args := range [][]string{{}, {"--key", sc.vkey}} {
		if out, exit := s.Command(append([]string{"ledger", "verify", filepath.Join(s.Data, "ledger")}, args...)...); exit != 0 {
			t.Errorf("%s: verify %v: %d\n%s", what, args, exit, out)
		}
	}
}

// kinds are the keys that change, with the states of the two versions when the
// change is at its end, and how many commits make it, with a row or two to move.
var kinds = [...]struct {
	kind, purpose, end string
	commits            string
}{
	{"token", "bearer", "verifies current", "2"},
	{"certificate", "certificate", "verifies current", "2"},
	{"epoch", "epoch", "destroyed current", "3"},
	{"ledger", "checkpoint", "verifies current", "2"},
	{"index", "index", "destroyed current", "3"},
	{"id-tag", "id-tag", "old current", "1"},
}

// rotate changes a key and waits for the end.
func (sc *scene) rotate(t *testing.T, kind string) {
	if out, exit := sc.s.Command("keys", "rotate", kind, "--data", sc.s.Data, "--wait"); exit != 0 {
		t.Errorf("rotate %s: %d\n%s", kind, exit, out)
	}
}

// TestRotateUnderLoad changes every key while requests run through the binary as
// released: all at once, and with TIKAKOSH_FULL=1 each by itself too.
func TestRotateUnderLoad(t *testing.T) {
	t.Parallel()
	sc := newScene(t, harness.Options{People: 150})
	under := func(t *testing.T, change func()) {
		t.Helper()
		l := &load{t: t, s: sc.s.For(t)}
		l.begin(sc.people, sc.vaccinated)
		time.Sleep(500 * time.Millisecond)
		change()
		time.Sleep(500 * time.Millisecond)
		l.end()
	}
	under(t, func() {
		var all sync.WaitGroup
		for _, k := range kinds {
			all.Go(func() { sc.rotate(t, k.kind) })
		}
		all.Wait()
	})
	for _, k := range kinds {
		if got := versions(t, sc.s, k.purpose); got != k.end {
			t.Errorf("the versions of %s are %s, want %s", k.kind, got, k.end)
		}
	}
	sc.whole(t, "all at once")
	if os.Getenv("TIKAKOSH_FULL") == "1" {
		for _, k := range kinds {
			t.Run(k.kind, func(t *testing.T) {
				under(t, func() { sc.rotate(t, k.kind) })
				sc.whole(t, k.kind)
			})
		}
	}
	sc.s.Stop()
	sc.s.Up()
	sc.opens(t, "after a restart")
	sc.whole(t, "after a restart")
}

// TestRotatePostgres does it with both databases on PostgreSQL.
func TestRotatePostgres(t *testing.T) { harness.Again(t, "^TestRotateUnderLoad$") }

// opens signs everybody of before in and looks at what they see.
func (sc *scene) opens(t *testing.T, what string) {
	t.Helper()
	for _, p := range sc.people {
		if got := sc.s.Client().SignIn(p.mobile).Beneficiaries(); len(got) != 1 || got[0].Reference != p.ref || got[0].Name != "Asha Test" {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// TestRotateCrash ends the vault on either side of the commits of a change of
// each key: the change begins again or goes on, and ends; nothing is lost. With
// TIKAKOSH_FULL=1 at the first three commits of each.
func TestRotateCrash(t *testing.T) {
	for lane := range 2 {
		t.Run(fmt.Sprint("lane", lane), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			arm := filepath.Join(dir, "arm")
			for _, d := range []string{dir, filepath.Dir(dir)} { // the role's own user takes the file away
				if err := os.Chmod(d, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			// A seal of the logs is a commit of the vault's too.
			sc := newScene(t, harness.Options{Tags: harness.Ablation, People: 2, Args: []string{"--log-seal-first=1h"}, Env: []string{"TIKAKOSH_CRASH_ARM=" + arm}})
			for i, k := range kinds {
				if i%2 != lane {
					continue
				}
				points := [...]string{"vault:after-commit 1", "vault:before-commit 2", "vault:before-commit 1", "vault:after-commit 2", "vault:before-commit 3", "vault:after-commit 3"}
				tries := points[i%3 : i%3+1]
				if os.Getenv("TIKAKOSH_FULL") == "1" {
					tries = points[:]
				}
				for _, point := range tries {
					sc.crash(t, arm, k.kind, k.purpose, point, point[len(point)-1:] <= k.commits)
				}
			}
			sc.opens(t, "at the end")
			sc.whole(t, "at the end")
		})
	}
}

// crash stops one change at a point; a change without that many commits is made and
// not stopped.
func (sc *scene) crash(t *testing.T, arm, kind, purpose, point string, stops bool) {
	t.Helper()
	what := kind + " stopped at " + point
	s := sc.s
	before := len(strings.Fields(versions(t, s, purpose)))
	vault := s.Role(harness.RoleVault)
	if err := os.WriteFile(arm, []byte(point), 0o644); err != nil {
		t.Fatal(err)
	}
	out, exit := s.Command("keys", "rotate", kind, "--data", s.Data)
	for range 200 { // a later commit follows by itself
		if _, err := os.Stat(arm); os.IsNotExist(err) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if stopped := os.Remove(arm) != nil; stopped != stops || !stopped && exit != 0 {
		t.Fatalf("%s: stopped %v, want %v (%d %s)", what, stopped, stops, exit, out)
	}
	if stops {
		s.AwaitRole(harness.RoleVault, vault)
		s.Alive()
	}
	t.Logf("%s: %v", what, stops)
	states := strings.Fields(versions(t, s, purpose))
	if len(states) == before { // it had not begun
		if exit == 0 {
			t.Fatalf("%s: it was said to have begun and did not", what)
		}
		sc.rotate(t, kind)
	}
	for range 400 {
		states = strings.Fields(versions(t, s, purpose))
		last := states[len(states)-1]
		if last == "current" && (kind == "id-tag" || states[len(states)-2] != "old") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(states) != before+1 || states[before] != "current" || kind != "id-tag" && states[before-1] == "old" {
		t.Fatalf("%s: the change does not end: %v", what, states)
	}
	if got := sc.people[0].c.Beneficiaries(); len(got) != 1 {
		t.Errorf("%s: an old session sees %d people", what, len(got))
	}
}
