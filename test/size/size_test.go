package size

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

const (
	perRound   = 200 // requests of each kind in a round; searches are more
	searches   = 20  // for each other request
	clients    = 4
	seedTime   = 40 * time.Minute
	boundReady = 5 * time.Second        // from a start until people are served, at any size
	settle     = 700 * time.Millisecond // the ledger's files follow the database within this time
)

// kinds are the measured requests in the order they are made.
var kinds = [...]string{"sign-up: code asked", "sign-up: code confirmed", "sign-up: person registered", "own record with receipt", "book", "record a dose", "search a district"}

// installation is a demo of one size.
type installation struct {
	*harness.Server
	people  int
	callers []*harness.Client
	cpu     map[string][]time.Duration // by kind: processor time of one request, one value a round
	roles   map[string]map[string]time.Duration
	wall    map[string][]time.Duration // by kind: of every request
	start   time.Duration              // from a start to the first answer
}

// TestSize needs minutes to generate its people, so it runs only when
// TIKAKOSH_SIZE names sizes, as in "10000,100000". With TIKAKOSH_SIZE_DATA the
// folders are kept there and used again. It fails when a request costs more than
// TIKAKOSH_SIZE_LIMIT times (1.3) as much at one size as at another.
func TestSize(t *testing.T) {
	sizes := strings.FieldsFunc(os.Getenv("TIKAKOSH_SIZE"), func(r rune) bool { return r == ',' })
	if os.Getenv("TIKAKOSH_SIZE") == "" {
		t.Skip("set TIKAKOSH_SIZE=10000,100000 to generate and measure so many people")
	}
	limit, err := strconv.ParseFloat(cmp.Or(os.Getenv("TIKAKOSH_SIZE_LIMIT"), "1.3"), 64)
	if err != nil {
		t.Fatal(err)
	}
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("TIKAKOSH_SIZE_ROUNDS"), "5"))
	if err != nil || rounds < 1 {
		t.Fatal("TIKAKOSH_SIZE_ROUNDS is a number from 1")
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	var all []*installation
	for _, text := range sizes {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			t.Fatalf("TIKAKOSH_SIZE: %q is no number of people from 1000", text)
		}
		all = append(all, open(t, &b, n))
	}
	// In turn, so that what else the machine does meets every size alike.
	for round := range rounds {
		for i := range all {
			all[(i+round)%len(all)].round(t)
		}
	}
	report(t, all)
	for _, s := range all {
		s.within(t)
	}
	for _, kind := range kinds {
		var cost []time.Duration
		for _, s := range all {
			cost = append(cost, median(s.cpu[kind]))
		}
		if ratio := float64(slices.Max(cost)) / float64(max(slices.Min(cost), 1)); ratio > limit {
			t.Errorf("%s: costs %v at the sizes %v: %.2f times as much", kind, cost, sizes, ratio)
		}
	}
}

// open starts a demo, waits until its people are there, and starts it again.
func open(t *testing.T, b *harness.Builder, people int) *installation {
	t.Helper()
	data := os.Getenv("TIKAKOSH_SIZE_DATA")
	if data != "" {
		data = filepath.Join(data, fmt.Sprint("people-", people))
		if err := os.MkdirAll(data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	s := harness.Start(t, b, harness.Options{Data: data, People: people, Unseeded: true,
		Args: []string{"--clock-file=", "--centres=2000", "--no-limits", "--search-every=250ms", "--checkpoint-every=60s"}})
	for !strings.Contains(s.Log(), "demo data ready") {
		if time.Since(begin) > seedTime || strings.Contains(s.Log(), "seeding stopped") {
			t.Fatalf("no %d people after %v:\n%s", people, time.Since(begin), s.Log())
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("%d people are there after %.0f s", people, time.Since(begin).Seconds())
	s.Stop()
	begin = time.Now()
	s.Up()
	announced := time.Since(begin)
	t.Logf("%d people: announced %.2f s after a start", people, announced.Seconds())
	in := &installation{Server: s, people: people, start: announced, cpu: map[string][]time.Duration{}, roles: map[string]map[string]time.Duration{}, wall: map[string][]time.Duration{}}
	for range clients {
		in.callers = append(in.callers, s.Client())
	}
	for ready := false; !ready; time.Sleep(100 * time.Millisecond) { // the rows are compared
		_, a := in.callers[0].AskCode(s.Mobile())
		ready = a.OK()
		if time.Since(begin) > 5*time.Minute {
			t.Fatalf("never ready: %s", a.Text())
		}
	}
	ready := time.Since(begin)
	t.Logf("%d people: codes asked for %.2f s after a start", people, ready.Seconds())
	if ready > boundReady {
		t.Errorf("%d people are served %v after a start, want %v", people, ready, boundReady)
	}
	return in
}

// spent is the processor time of each role since its start.
func (s *installation) spent(t *testing.T) map[string]time.Duration {
	t.Helper()
	out := map[string]time.Duration{}
	for _, role := range []string{harness.RoleWeb, harness.RoleVault, harness.RoleCourier, harness.RoleWorker} {
		// By thread, in nanoseconds; /proc/PID/stat has them in hundredths of a second only.
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.Role(role)))
		if err != nil || len(threads) == 0 {
			t.Fatalf("the threads of %s cannot be read: %v", role, err)
		}
		for _, path := range threads {
			raw, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended
			}
			n, err := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			out[role] += time.Duration(n)
		}
	}
	return out
}

// measure makes n requests of a kind and notes what each cost.
func (s *installation) measure(t *testing.T, kind string, n int, do func(c *harness.Client, i int) harness.Answer) {
	t.Helper()
	time.Sleep(settle)
	before := s.spent(t)
	took := make([]time.Duration, n)
	bad := make([]string, n)
	var wg sync.WaitGroup
	for g, c := range s.callers {
		wg.Go(func() {
			for i := g; i < n; i += len(s.callers) {
				a := do(c, i)
				took[i] = a.Took
				if !a.OK() {
					bad[i] = a.Text()
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(settle)
	for _, b := range bad {
		if b != "" {
			t.Fatalf("%s with %d people: %s", kind, s.people, b)
		}
	}
	var sum time.Duration
	if s.roles[kind] == nil {
		s.roles[kind] = map[string]time.Duration{}
	}
	for role, now := range s.spent(t) {
		sum += now - before[role]
		s.roles[kind][role] += (now - before[role]) / time.Duration(n)
	}
	s.cpu[kind] = append(s.cpu[kind], sum/time.Duration(n))
	s.wall[kind] = append(s.wall[kind], took...)
}

// signed is who has asked for a code, and then holds a bearer.
type signed struct{ mobile, txn, bearer, ref string }

func (s *installation) round(t *testing.T) {
	t.Helper()
	fresh := make([]signed, perRound)
	for i := range fresh {
		fresh[i].mobile = s.Mobile()
	}
	ask := func(list []signed) func(c *harness.Client, i int) harness.Answer {
		return func(c *harness.Client, i int) (a harness.Answer) {
			list[i].txn, a = c.AskCode(list[i].mobile)
			return a
		}
	}
	confirm := func(list []signed, codes map[string]string) func(c *harness.Client, i int) harness.Answer {
		return func(c *harness.Client, i int) (a harness.Answer) {
			list[i].bearer, a = c.Confirm(list[i].txn, codes[list[i].mobile])
			return a
		}
	}
	s.measure(t, kinds[0], perRound, ask(fresh))
	s.measure(t, kinds[1], perRound, confirm(fresh, s.codes(t, fresh, harness.Message.Code)))
	s.measure(t, kinds[2], perRound, func(c *harness.Client, i int) (a harness.Answer) {
		fresh[i].ref, a = c.With(fresh[i].bearer).TryEnrol(harness.Person{Name: "Size Test"})
		return a
	})
	seeded := make([]signed, perRound) // anybody among all
	for i := range seeded {
		seeded[i].mobile = harness.DemoMobile(40*rand.IntN(s.people/160) + rand.IntN(39)) // every fortieth household has none
	}
	seeded = slices.CompactFunc(slices.SortedFunc(slices.Values(seeded), func(a, b signed) int { return cmp.Compare(a.mobile, b.mobile) }),
		func(a, b signed) bool { return a.mobile == b.mobile })
	for i := range seeded {
		ask(seeded)(s.callers[0], i)
	}
	codes := s.codes(t, seeded, harness.Message.Code)
	for i := range seeded {
		confirm(seeded, codes)(s.callers[0], i)
	}
	s.measure(t, kinds[3], 3*len(seeded), func(c *harness.Client, i int) harness.Answer {
		return c.With(seeded[i%len(seeded)].bearer).Must("GET", "/v2/appointment/beneficiaries", nil)
	})
	d := s.Today()
	s.measure(t, kinds[4], perRound, func(c *harness.Client, i int) (a harness.Answer) {
		_, a = c.With(fresh[i].bearer).Book(d, 1, fresh[i].ref)
		return a
	})
	secret := s.codes(t, fresh, func(m harness.Message) string { return m.SecurityCode() })
	if a := s.callers[0].OpenSession(s.StaffKey("manager"), d); !a.OK() {
		t.Fatal(a.Text())
	}
	vaccinator := s.StaffKey("vaccinator")
	s.measure(t, kinds[5], perRound, func(c *harness.Client, i int) harness.Answer {
		return c.Signed(vaccinator, harness.VaccinatePath, harness.DoseForm(d, fresh[i].ref, secret[fresh[i].mobile], 1))
	})
	s.measure(t, kinds[6], searches*perRound, func(c *harness.Client, i int) harness.Answer {
		return c.Must("GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByDistrict?district_id=%d&date=%s", 1+i%600, s.Indian()), nil)
	})
}

// codes waits until the outbox has a code for everybody.
func (s *installation) codes(t *testing.T, list []signed, code func(harness.Message) string) map[string]string {
	t.Helper()
	for range 200 {
		out := map[string]string{}
		for _, m := range s.Messages() { // newest first
			if c := code(m); c != "" && out[m.To] == "" {
				out[m.To] = c
			}
		}
		if !slices.ContainsFunc(list, func(p signed) bool { return out[p.mobile] == "" }) {
			return out
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("codes never came to the outbox")
	return nil
}

func median(v []time.Duration) time.Duration {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// report prints the tables of docs/PERFORMANCE.md, also into
// TIKAKOSH_SIZE_OUT.
func report(t *testing.T, all []*installation) {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| µs of processor time for one request (web + vault + others; p50 ms) |")
	for _, s := range all {
		fmt.Fprintf(&b, " %d people |", s.people)
	}
	b.WriteString(" most to least |\n|---|" + strings.Repeat("---|", len(all)+1) + "\n")
	for _, kind := range kinds {
		fmt.Fprintf(&b, "| %s |", kind)
		var cost []float64
		for _, s := range all {
			rounds := time.Duration(len(s.cpu[kind]))
			web, vault := s.roles[kind][harness.RoleWeb]/rounds, s.roles[kind][harness.RoleVault]/rounds
			rest := (s.roles[kind][harness.RoleCourier] + s.roles[kind][harness.RoleWorker]) / rounds
			c := median(s.cpu[kind])
			cost = append(cost, float64(max(c, 1)))
			fmt.Fprintf(&b, " %d (%d + %d + %d; %.2f) |", c.Microseconds(), web.Microseconds(), vault.Microseconds(), rest.Microseconds(), median(s.wall[kind]).Seconds()*1000)
		}
		fmt.Fprintf(&b, " %.2f |\n", slices.Max(cost)/slices.Min(cost))
	}
	b.WriteString("\n| Resident memory, MiB (highest so far) |")
	for _, s := range all {
		fmt.Fprintf(&b, " %d people |", s.people)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	sums := make([]int, len(all))
	tops := make([]int, len(all))
	for _, role := range []string{harness.RoleWeb, harness.RoleVault, harness.RoleCourier, harness.RoleWorker} {
		fmt.Fprintf(&b, "| %s |", role)
		for i, s := range all {
			now, top := resident(t, s.Role(role))
			sums[i], tops[i] = sums[i]+now, tops[i]+top
			fmt.Fprintf(&b, " %d (%d) |", now, top)
		}
		b.WriteString("\n")
	}
	b.WriteString("| together |")
	for i := range all {
		fmt.Fprintf(&b, " %d (%d) |", sums[i], tops[i])
	}
	b.WriteString("\n")
	t.Log(b.String())
	if out := os.Getenv("TIKAKOSH_SIZE_OUT"); out != "" {
		if err := os.WriteFile(out, []byte(b.String()), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// resident is a process's resident memory and the most it ever was, in MiB.
func resident(t *testing.T, pid int) (now, top int) {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		n, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "VmRSS:":
			now = n / 1024
		case "VmHWM:":
			top = n / 1024
		}
	}
	return now, top
}

// What an installation of up to a hundred thousand people may need.
const (
	boundPeople = 100_000
	boundStart  = 2 * time.Second
	boundMemory = 500 // MiB, of all roles, at their most
	boundLedger = time.Minute
)

// within holds an installation against those bounds; of a larger one the
// figures are only logged.
func (s *installation) within(t *testing.T) {
	t.Helper()
	top := 0
	for _, role := range []string{harness.RoleWeb, harness.RoleVault, harness.RoleCourier, harness.RoleWorker} {
		_, most := resident(t, s.Role(role))
		top += most
	}
	took := map[string]time.Duration{}
	for name, args := range map[string][]string{"verify": {"ledger", "verify", filepath.Join(s.Data, "ledger")}, "audit": {"ledger", "audit", "--data", s.Data}} {
		begin := time.Now()
		if out, exit := s.Command(args...); exit != 0 {
			t.Errorf("%d people: ledger %s: exit %d\n%s", s.people, name, exit, out)
		}
		took[name] = time.Since(begin)
	}
	t.Logf("%d people: first answer after %.2f s, %d MiB, ledger verify %.1f s, audit %.1f s", s.people, s.start.Seconds(), top, took["verify"].Seconds(), took["audit"].Seconds())
	if s.people > boundPeople {
		return
	}
	if s.start > boundStart || top > boundMemory || took["verify"] > boundLedger || took["audit"] > boundLedger {
		t.Errorf("%d people need more than %v, %d MiB and %v", s.people, boundStart, boundMemory, boundLedger)
	}
}
