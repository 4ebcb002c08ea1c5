package portal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"golang.org/x/sys/unix"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/keeperdb"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
)

// cpuOf is the processor time of this thread (unix.CLOCK_THREAD_CPUTIME_ID) or of the whole
// process (unix.CLOCK_PROCESS_CPUTIME_ID).
func cpuOf(tb testing.TB, clock int32) time.Duration {
	tb.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// meter adds up what a request's reading costs: the time of the thread, which the page's own work
// does not have, and the time of the process, in which the vault is, too.
type meter struct {
	tb              testing.TB
	thread, process time.Duration
}

// read notes the cost of what follows, until what it returns is called.
func (m *meter) read() func() {
	thread, process := cpuOf(m.tb, unix.CLOCK_THREAD_CPUTIME_ID), cpuOf(m.tb, unix.CLOCK_PROCESS_CPUTIME_ID)
	return func() {
		m.thread += cpuOf(m.tb, unix.CLOCK_THREAD_CPUTIME_ID) - thread
		m.process += cpuOf(m.tb, unix.CLOCK_PROCESS_CPUTIME_ID) - process
	}
}

// The services that a page reads from, each call on the meter.
type (
	readPeople struct {
		People
		m *meter
	}
	readBookings struct {
		Bookings
		m *meter
	}
	readRelinks struct {
		Relinks
		m *meter
	}
	readSearch struct {
		Search
		m *meter
	}
)

func (r readPeople) Household(ctx context.Context, h vault.Holder) (registry.Household, error) {
	defer r.m.read()()
	return r.People.Household(ctx, h)
}

func (r readBookings) Appointments(ctx context.Context, people []id.Person) (map[id.Person][]scheduling.Appointment, error) {
	defer r.m.read()()
	return r.Bookings.Appointments(ctx, people)
}

func (r readBookings) Chances(ctx context.Context, h vault.Holder, s id.Session, old id.Hold, refs []id.Reference) (map[id.Person]vault.Chance, error) {
	defer r.m.read()()
	return r.Bookings.Chances(ctx, h, s, old, refs)
}

func (r readRelinks) RelinkList(ctx context.Context, h vault.Holder) (vault.RelinkList, error) {
	defer r.m.read()()
	return r.Relinks.RelinkList(ctx, h)
}

func (r readSearch) Ask(q scheduling.Question) scheduling.Found {
	defer r.m.read()()
	return r.Search.Ask(q)
}

// postbox is the courier: it keeps what the vault sends.
type postbox chan keeper.Notice

func (o postbox) Send(_ context.Context, n keeper.Notice) error {
	select {
	case o <- n:
	default: // nobody reads messages after the code
	}
	return nil
}

// benchClock is a morning in India: booking is open.
func benchClock() time.Time { return time.Date(2026, 11, 24, 4, 30, 0, 0, time.UTC) }

// realVault is the real vault on a real database in this process, its client over HTTP as the web
// role has it.
func realVault(tb testing.TB) (*vault.Client, postbox) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dir := tb.TempDir()
	db, err := sqlite.Open(ctx, filepath.Join(dir, "vault.db"), sqlite.Options{})
	if err == nil {
		err = sqlite.Migrate(ctx, db, vaultmigrations.FS)
	}
	if err != nil {
		tb.Fatal(err)
	}
	p, err := custody.OpenFile(filepath.Join(dir, "keys"), true)
	if err != nil {
		tb.Fatal(err)
	}
	box := make(postbox, 16)
	k, err := keeper.Open(ctx, keeper.Config{Realm: 1, Origin: "test.example/ledger", Issuer: "Test", Demo: true, DemoNumbers: true}, keeperdb.New(db, 1), p, box, benchClock, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	srv := httptest.NewServer(k.Handler(keeper.CallerWeb))
	tb.Cleanup(func() { srv.Close(); cancel(); <-done; _ = db.Close() })
	return vault.NewClient(srv.Client(), srv.URL), box
}

// realPages are the portal over the real vault, registry and scheduling: a household of four, two
// of whom are booked, and 50 centres of one PIN code with a session on each of 14 days.
func realPages(tb testing.TB) (pages *Server, m *meter, header []string) {
	tb.Helper()
	ctx, log := tb.Context(), slog.New(slog.DiscardHandler)
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	v, box := realVault(tb)
	issued, err := v.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000001", Origin: "192.0.2.0/24"})
	check(err)
	code := sha256.Sum256([]byte((<-box).Params["code"]))
	session, err := v.ConfirmCode(ctx, vault.CodeAnswer{Txn: issued.Txn, Digest: hex.EncodeToString(code[:]), Origin: "192.0.2.0/24"})
	check(err)
	db := registrytest.Open(tb)
	scatter := registrydb.NewScatter(db)
	people := registry.New(registrydb.NewPeople(db), v, benchClock, log)
	found := scheduling.NewAvailability(scatter, 30, benchClock, log)
	bookings := scheduling.New(registrydb.NewBookings(db), v, people, found, benchClock, log)
	today := civil.Of(benchClock())
	var centres []scheduling.Centre
	var sessions []scheduling.Session
	for n := range 50 {
		c := scheduling.Centre{ID: id.Centre(900001 + n), Name: fmt.Sprintf("Sample Primary Health Centre %d", n+1), Address: "1 Sample Road, Block A", State: "Sample State", District: "Sample District", StateID: 90, DistrictID: 9001, PIN: "999001", Lat: 20, Long: 77, Zone: "Asia/Kolkata", Opens: 540, Closes: 1020, Paid: n%5 == 0}
		centres = append(centres, c)
		for day := range 14 {
			sessions = append(sessions, scheduling.Session{ID: id.Session(id.New()), Centre: c.ID, Day: today.AddDays(day), Product: "COVISHIELD", MinAge: 18, Cap1: 60, Cap2: 40, Slots: []string{"09:00AM-11:00AM", "11:00AM-01:00PM", "01:00PM-03:00PM", "03:00PM-05:00PM"}})
		}
	}
	check(bookings.AddCentres(ctx, centres))
	check(bookings.AddSessions(ctx, sessions))
	check(found.Load(ctx))
	h := vault.Holder{Bearer: session.Bearer, Origin: "192.0.2.0/24"}
	var refs []id.Reference
	for n, name := range []string{"Asha Test", "Ravi Test", "Meera Test", "Arjun Test"} {
		ref, err := people.Enrol(ctx, h, fmt.Sprint(n), vault.Identity{Name: name, BirthYear: 1960 + 10*n, GenderID: 1 + n%2, IDType: 6, IDNumber: fmt.Sprintf("ABCDE%04dF", n)}, vault.Consent{Version: "1", Language: "en", Purpose: "registration"})
		check(err)
		refs = append(refs, ref)
	}
	_, err = bookings.Book(ctx, h, scheduling.BookInput{Dose: 1, Session: sessions[3].ID, Slot: "11:00AM-01:00PM", References: refs[:2], Key: "k"})
	check(err)
	m = &meter{tb: tb}
	pages, _ = newServer(tb, func(c *Config) {
		c.Now, c.Search = benchClock, readSearch{found, m}
		c.Live = func(string) (time.Time, error) { return benchClock().Add(15 * time.Minute), nil }
		c.Holding = Holding{People: readPeople{people, m}, Bookings: readBookings{bookings, m}, Moves: bookings, Past: bookings}
		c.Relinks = readRelinks{registry.NewRelinks(people, v), m}
	})
	return pages, m, []string{"Cookie", sessionCookie + "=" + session.Bearer + "; " + seatCookie + "=" + seat, "Accept-Encoding", "gzip"}
}

// costs are the middles of n requests: what rendering took of this thread, everything of the
// handler but the services, and what reading took of the process, the vault's part with it.
func costs(tb testing.TB, h http.Handler, m *meter, path, want string, n int, header ...string) (render, reading time.Duration) {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var renders, readings []time.Duration
	for range n {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		m.thread, m.process = 0, 0
		from := cpuOf(tb, unix.CLOCK_THREAD_CPUTIME_ID)
		h.ServeHTTP(w, r)
		renders = append(renders, cpuOf(tb, unix.CLOCK_THREAD_CPUTIME_ID)-from-m.thread)
		readings = append(readings, m.process)
		if w.Code != http.StatusOK || w.Header().Get("Content-Encoding") == "" && !strings.Contains(w.Body.String(), want) {
			tb.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	slices.Sort(renders)
	slices.Sort(readings)
	return renders[n/2], readings[n/2]
}
