package scheduling_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"
	_ "time/tzdata"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

const (
	slot = "09:00AM-11:00AM"
	ist  = "Asia/Kolkata"
)

// start is 11:30 on 2 February 2026 in India.
var start = time.Date(2026, 2, 2, 6, 0, 0, 0, time.UTC)

type world struct {
	t       testing.TB
	clock   *registrytest.Clock
	db      *registrytest.Faulty
	vault   *registrytest.Vault
	people  *registry.Service
	store   *registrydb.Bookings
	avail   *scheduling.Availability
	svc     *scheduling.Service
	sweeper *scheduling.Sweeper
	scatter *registrydb.Scatter
	n       int
	linger  time.Duration // how long a sweep waits besides
}

func newWorld(t testing.TB) *world { return worldOn(t, registrytest.Open(t)) }

// openWorld is a world on a database file that other worlds may share.
func openWorld(t testing.TB, path string) *world { return worldOn(t, registrytest.OpenFile(t, path)) }

func worldOn(t testing.TB, db sqldb.DB) *world {
	w := &world{t: t, clock: registrytest.NewClock(start), db: &registrytest.Faulty{DB: db}}
	log := slog.New(slog.DiscardHandler)
	scatter := registrydb.NewScatter(w.db)
	w.vault = registrytest.NewVault(w.clock.Now)
	w.people = registry.New(registrydb.NewPeople(w.db), w.vault, w.clock.Now, log)
	w.store = registrydb.NewBookings(w.db)
	w.avail = scheduling.NewAvailability(scatter, 30, w.clock.Now, log)
	w.svc = scheduling.New(w.store, w.vault, w.people, w.avail, w.clock.Now, log)
	w.scatter = scatter
	w.sweeper = scheduling.NewSweeper(w.svc, scatter)
	return w
}

func centre(n int) scheduling.Centre {
	return scheduling.Centre{ID: id.Centre(900000 + n), Name: fmt.Sprintf("Test PHC %d", n), Address: "1 Sample Road", State: "Sample State",
		District: "Sample District", Block: "Block A", StateID: 90, DistrictID: 9000 + n%2, PIN: fmt.Sprintf("99900%d", n%10),
		Lat: 20 + float64(n), Long: 77.123456, Zone: ist, Opens: 9 * 60, Closes: 17 * 60}
}

func session(c scheduling.Centre, day civil.Date, cap1, cap2 int) scheduling.Session {
	return scheduling.Session{ID: id.Session(id.New()), Centre: c.ID, Day: day, Product: "COVISHIELD", MinAge: 18,
		Cap1: cap1, Cap2: cap2, Slots: []string{slot, "11:00AM-01:00PM"}}
}

func day(d int) civil.Date { return civil.Date{Year: 2026, Month: 2, Day: d} }

// add stores one centre with sessions and loads the picture.
func (w *world) add(c scheduling.Centre, sessions ...scheduling.Session) {
	w.t.Helper()
	if err := w.svc.AddCentres(w.t.Context(), []scheduling.Centre{c}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.svc.AddSessions(w.t.Context(), sessions); err != nil {
		w.t.Fatal(err)
	}
	if err := w.avail.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// open adds a centre with one session on 5 February.
func (w *world) open(cap1, cap2 int) scheduling.Session {
	s := session(centre(1), day(5), cap1, cap2)
	w.add(centre(1), s)
	return s
}

// household makes a household of n people.
func (w *world) household(n int) (vault.Holder, []id.Reference) {
	w.t.Helper()
	w.n++
	h := w.vault.SignIn(fmt.Sprintf("bearer-%d", w.n))
	var refs []id.Reference
	for i := range n {
		ref, err := w.people.Enrol(w.t.Context(), h, fmt.Sprint(i), vault.Identity{Name: "Test", BirthYear: 1980, IDNumber: fmt.Sprint(i)}, vault.Consent{})
		if err != nil {
			w.t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	return h, refs
}

func input(s scheduling.Session, key string, refs ...id.Reference) scheduling.BookInput {
	return scheduling.BookInput{Dose: 1, Session: s.ID, Slot: slot, References: refs, Key: key}
}

func (w *world) person(h vault.Holder, ref id.Reference) id.Person {
	w.t.Helper()
	recs, err := w.people.Persons(w.t.Context(), h, []id.Reference{ref})
	if err != nil {
		w.t.Fatal(err)
	}
	return recs[0].Person
}

// sweep runs the worker often and late enough to end everything.
func (w *world) sweep() {
	w.t.Helper()
	w.clock.Add(w.linger)
	for range 4 {
		w.clock.Add(scheduling.HoldTime + time.Second)
		if _, err := w.sweeper.Sweep(w.t.Context(), w.clock.Now()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) count(query string, args ...any) int {
	return registrytest.Count(w.t, w.db, query, args...)
}

func (w *world) taken(s scheduling.Session) int {
	w.t.Helper()
	v, err := w.store.Session(w.t.Context(), s.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Taken1 + v.Taken2
}

// consistent checks, after a sweep, that places, holds, appointments and the
// vault's presence tell the same.
func (w *world) consistent() {
	w.t.Helper()
	zero := map[string]string{
		"holds left":   `SELECT COUNT(*) FROM hold WHERE state = 1`,
		"notes left":   `SELECT COUNT(*) FROM outbox WHERE kind = 'cancelled'`,
		"oversold":     `SELECT COUNT(*) FROM session WHERE taken1 > cap1 OR taken2 > cap2`,
		"pool 1 drift": `SELECT COUNT(*) FROM session s WHERE taken1 <> (SELECT COUNT(*) FROM hold_place p JOIN hold h ON h.hold = p.hold WHERE h.session = s.session AND p.state = 1 AND h.dose = 1)`,
		"pool 2 drift": `SELECT COUNT(*) FROM session s WHERE taken2 <> (SELECT COUNT(*) FROM hold_place p JOIN hold h ON h.hold = p.hold WHERE h.session = s.session AND p.state = 1 AND h.dose > 1)`,
		"place without appointment": `SELECT COUNT(*) FROM hold_place p WHERE p.state = 1 AND NOT EXISTS
			(SELECT 1 FROM appointment a WHERE a.hold = p.hold AND a.person = p.person AND a.state IN (1, 2))`,
		"appointment without place": `SELECT COUNT(*) FROM appointment a WHERE a.state IN (1, 2) AND NOT EXISTS
			(SELECT 1 FROM hold_place p JOIN hold h ON h.hold = p.hold WHERE p.hold = a.hold AND p.person = a.person AND p.state = 1 AND h.state = 2)`,
		"double bookings": `SELECT COUNT(*) FROM (SELECT person FROM appointment WHERE state = 1 GROUP BY person HAVING COUNT(*) > 1) AS double`,
	}
	for what, query := range zero {
		if n := w.count(query); n != 0 {
			w.t.Errorf("%s: %d", what, n)
		}
	}
	live, unsettled := w.vault.Live()
	if n := w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`); n != len(live) {
		w.t.Errorf("%d live appointments, %d in the vault", n, len(live))
	}
	for p, hold := range live {
		if w.count(`SELECT COUNT(*) FROM appointment WHERE person = $1 AND hold = $2 AND state = 1`, string(p), string(hold)) != 1 {
			w.t.Errorf("the vault has a booking the registry has not")
		}
	}
	if unsettled != 0 {
		w.t.Errorf("%d acts the vault has not seen settled", unsettled)
	}
}

func kind(err error) string { return string(fault.KindOf(err)) }

func none(string) error { return nil }
