package scheduling_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
)

// memory is a listing in memory that pages as a store does.
type memory struct {
	centres  []scheduling.Centre
	sessions []scheduling.Session
	down     atomic.Bool
	reads    atomic.Int64
}

func (m *memory) Centres(_ context.Context, after id.Centre, limit int) ([]scheduling.Centre, error) {
	m.reads.Add(1)
	if m.down.Load() {
		return nil, fault.New(fault.Unavailable, "test", "down")
	}
	var out []scheduling.Centre
	for _, c := range m.centres {
		if c.ID > after && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, nil
}

func (m *memory) Sessions(_ context.Context, from, until civil.Date, cursor scheduling.Session, limit int) ([]scheduling.Session, error) {
	var out []scheduling.Session
	for _, s := range m.sessions {
		past := s.Day.Compare(cursor.Day) > 0 || (s.Day == cursor.Day && s.ID > cursor.ID)
		if (cursor.Day.IsZero() || past) && !s.Day.Before(from) && !s.Day.After(until) && len(out) < limit {
			out = append(out, s)
		}
	}
	return out, nil
}

func names(list []scheduling.CentreDay) (out []string) {
	for _, c := range list {
		for _, s := range c.Sessions {
			out = append(out, fmt.Sprintf("%d %s %s %d+%d", c.Centre.ID-900000, s.Day.Indian(), s.Product, s.Available1, s.Available2))
		}
	}
	return out
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	mk := func(c int, d int, product string, cap1, cap2 int) scheduling.Session {
		s := session(centre(c), day(d), cap1, cap2)
		s.Product = product
		return s
	}
	w.add(centre(11), mk(11, 5, "COVAXIN", 1, 1), mk(11, 5, "COVISHIELD", 0, 0))
	w.add(centre(1), mk(1, 12, "COVISHIELD", 1, 0), mk(1, 11, "COVISHIELD", 2, 0), mk(1, 5, "COVISHIELD", 0, 3), mk(1, 5, "COVAXIN", 4, 0), mk(1, 4, "COVAXIN", 9, 9))
	w.add(centre(2), mk(2, 5, "COVAXIN", 7, 0))
	for _, c := range []struct {
		name string
		got  []scheduling.CentreDay
		want []string
	}{
		{"pin, all products", w.svc.FindByPIN("999001", day(5), ""), []string{"1 05-02-2026 COVAXIN 4+0", "1 05-02-2026 COVISHIELD 0+3", "11 05-02-2026 COVAXIN 1+1"}},
		{"pin, one product", w.svc.FindByPIN("999001", day(5), "COVISHIELD"), []string{"1 05-02-2026 COVISHIELD 0+3"}},
		{"pin, nothing", w.svc.FindByPIN("999009", day(5), ""), nil},
		{"district", w.svc.FindByDistrict(9000, day(5), ""), []string{"2 05-02-2026 COVAXIN 7+0"}},
		{"calendar by pin", w.svc.CalendarByPIN("999001", day(5), ""), []string{"1 05-02-2026 COVAXIN 4+0", "1 05-02-2026 COVISHIELD 0+3",
			"1 11-02-2026 COVISHIELD 2+0", "11 05-02-2026 COVAXIN 1+1", "11 05-02-2026 COVISHIELD 0+0"}},
		{"calendar by district", w.svc.CalendarByDistrict(9001, day(12), ""), []string{"1 12-02-2026 COVISHIELD 1+0"}},
		{"calendar by centre", w.svc.CalendarByCentre(900011, day(1), "COVISHIELD"), []string{"11 05-02-2026 COVISHIELD 0+0"}},
		{"calendar of no centre", w.svc.CalendarByCentre(1, day(1), ""), nil},
	} {
		if got := names(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
		if c.got == nil {
			t.Errorf("%s: nil instead of an empty list", c.name)
		}
	}
	near := w.svc.Nearest(3, 77, 2)
	if len(near) != 2 || near[0].ID != 900001 || near[1].ID != 900002 {
		t.Errorf("nearest %+v", near)
	}
	if c, err := w.svc.Centre(t.Context(), 900002); err != nil || c.Lat != 22 || c.Long != 77.123456 || c.Zone != ist {
		t.Errorf("centre %+v %v", c, err)
	}
	if _, err := w.svc.Centre(t.Context(), 5); kind(err) != "not_found" {
		t.Error(err)
	}
}

func TestNearestIsByDistance(t *testing.T) {
	m := &memory{}
	for n, lat := range []float64{40, 10, -30, 11} {
		c := centre(n)
		c.Lat, c.Long = lat, 179
		m.centres = append(m.centres, c)
	}
	a := scheduling.NewAvailability(m, 7, func() time.Time { return start }, slog.New(slog.DiscardHandler))
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []id.Centre
	for _, c := range a.Nearest(12, -179, 10) { // across the date line
		got = append(got, c.ID-900000)
	}
	if !slices.Equal(got, []id.Centre{3, 1, 0, 2}) {
		t.Errorf("%v", got)
	}
}

// TestBookingCloses walks the instants around midnight and the close.
func TestBookingCloses(t *testing.T) {
	utc := func(mo time.Month, d, h, m, s int) time.Time { return time.Date(2026, mo, d, h, m, s, 0, time.UTC) }
	for _, c := range []struct {
		name   string
		zone   string
		day    civil.Date
		closes int
		now    time.Time
		open   bool
	}{
		{"evening before", ist, day(5), 0, utc(2, 4, 18, 29, 59), true},
		{"midnight", ist, day(5), 0, utc(2, 4, 18, 30, 0), true},
		{"last second", ist, day(5), 0, utc(2, 5, 9, 29, 59), true},
		{"15:00", ist, day(5), 0, utc(2, 5, 9, 30, 0), false},
		{"day after", ist, day(5), 0, utc(2, 5, 18, 30, 0), false},
		{"around the clock, 23:59:59", ist, day(5), scheduling.AllDay, utc(2, 5, 18, 29, 59), true},
		{"around the clock, midnight", ist, day(5), scheduling.AllDay, utc(2, 5, 18, 30, 0), false},
		{"10:00, before", ist, day(5), 600, utc(2, 5, 4, 29, 59), true},
		{"10:00", ist, day(5), 600, utc(2, 5, 4, 30, 0), false},
		{"summer time begins, before", "America/New_York", civil.Date{Year: 2026, Month: 3, Day: 8}, 0, utc(3, 8, 18, 59, 59), true},
		{"summer time begins, 15:00", "America/New_York", civil.Date{Year: 2026, Month: 3, Day: 8}, 0, utc(3, 8, 19, 0, 0), false},
		{"far west, UTC's next day", "Pacific/Pago_Pago", day(5), 0, utc(2, 6, 1, 59, 59), true},
		{"far west, 15:00", "Pacific/Pago_Pago", day(5), 0, utc(2, 6, 2, 0, 0), false},
		{"far east, 15:00", "Pacific/Kiritimati", day(5), 0, utc(2, 5, 1, 0, 0), false},
	} {
		w := newWorld(t)
		w.clock.Add(c.now.Sub(start))
		ctr := centre(1)
		ctr.Zone = c.zone
		s := session(ctr, c.day, 1, 0)
		s.BookingCloses, s.Slots = c.closes, []string{"12:00AM-12:00AM"} // over when the day is
		w.add(ctr, s)
		found := w.svc.FindByPIN("999001", c.day, "")
		if (len(found) == 1) != c.open {
			t.Errorf("%s: found %v", c.name, names(found))
		}
		all := w.svc.CalendarByPIN("999001", c.day, "")
		if len(all) != 1 || (all[0].Sessions[0].Available() == 1) != c.open {
			t.Errorf("%s: calendar %v", c.name, names(all))
		}
		h, refs := w.household(1)
		in := input(s, "k", refs...)
		in.Slot = s.Slots[0]
		_, err := w.svc.Book(t.Context(), h, in)
		if (err == nil) != c.open || (!c.open && fault.CodeOf(err) != "APPOIN0040") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSlotOverIsRefused: the session still takes bookings, the slot is over.
func TestSlotOverIsRefused(t *testing.T) {
	w := newWorld(t)
	s := w.open(5, 0)
	h, refs := w.household(1)
	w.clock.Add(time.Date(2026, 2, 5, 5, 30, 0, 0, time.UTC).Sub(start)) // 11:00 IST
	if _, err := w.svc.Book(t.Context(), h, input(s, "k", refs...)); fault.CodeOf(err) != scheduling.CodeSlot {
		t.Errorf("a slot that is over: %v", err)
	}
	later := input(s, "k2", refs...)
	later.Slot = s.Slots[1]
	if _, err := w.svc.Book(t.Context(), h, later); err != nil {
		t.Errorf("the next slot: %v", err)
	}
}

// TestClosedStillAnswers repeats a booking after its day has closed.
func TestClosedStillAnswers(t *testing.T) {
	w := newWorld(t)
	s := w.open(1, 0)
	h, refs := w.household(1)
	hold, err := w.svc.Book(t.Context(), h, input(s, "k", refs...))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(10 * 24 * time.Hour)
	if again, err := w.svc.Book(t.Context(), h, input(s, "k", refs...)); err != nil || again != hold {
		t.Errorf("%v %v", again, err)
	}
}

func TestPictureIsPagedAndKept(t *testing.T) {
	m := &memory{}
	for n := range 1500 {
		m.centres = append(m.centres, centre(n))
		s := session(centre(n), day(2+n%20), 1, 1)
		s.Zone = ist
		m.sessions = append(m.sessions, s)
	}
	slices.SortFunc(m.sessions, func(a, b scheduling.Session) int {
		if c := a.Day.Compare(b.Day); c != 0 {
			return c
		}
		return map[bool]int{true: -1, false: 1}[a.ID < b.ID]
	})
	a := scheduling.NewAvailability(m, 10, func() time.Time { return start }, slog.New(slog.DiscardHandler))
	if !a.LoadedAt().IsZero() || len(a.FindByDistrict(9000, day(3), "")) != 0 {
		t.Error("an empty picture")
	}
	load := func(want string) {
		if err := a.Load(t.Context()); kind(err) != want {
			t.Error(err)
		}
	}
	count := func() (n int) {
		for d := 1; d <= 28; d++ {
			n += len(a.FindByDistrict(9000, day(d), "")) + len(a.FindByDistrict(9001, day(d), ""))
		}
		return n
	}
	load("")
	if n := count(); n != 1500/20*11 { // 2 to 12 February
		t.Errorf("%d sessions", n)
	}
	m.down.Store(true)
	load("unavailable")
	if n := count(); n != 1500/20*11 || !a.LoadedAt().Equal(start) {
		t.Errorf("%d sessions after a failed load", n)
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		a := scheduling.NewAvailability(m, 7, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx, 5*time.Second); close(done) }()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := m.reads.Load(); n != 3 {
			t.Errorf("%d reads in 11 s", n)
		}
		m.down.Store(true)
		time.Sleep(5 * time.Second)
		cancel()
		<-done
	})
}

// TestVaultDown searches while the vault is down, and books in vain.
func TestVaultDown(t *testing.T) {
	w := newWorld(t)
	s := w.open(1, 0)
	h, refs := w.household(1)
	w.vault.Before = func(string) error { return fault.New(fault.Unavailable, "vault", "down") }
	if len(w.svc.FindByPIN("999001", day(5), "")) != 1 {
		t.Error("search needs the vault")
	}
	if _, err := w.svc.Book(t.Context(), h, input(s, "k", refs...)); kind(err) != "unavailable" || w.taken(s) != 0 {
		t.Error(err)
	}
	w.vault.Before = nil
	// The first update of a booking is the claim on its key.
	w.db.FailAt(1, registrytest.Failed)
	if _, err := w.svc.Book(t.Context(), h, input(s, "k", refs...)); kind(err) != "unavailable" {
		t.Error(err)
	}
}

func TestAddRefuses(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for name, change := range map[string]func(*scheduling.Centre){
		"no number":    func(c *scheduling.Centre) { c.ID = 0 },
		"no name":      func(c *scheduling.Centre) { c.Name = "" },
		"control":      func(c *scheduling.Centre) { c.Address = "a\x00b" },
		"pin":          func(c *scheduling.Centre) { c.PIN = "012345" },
		"short pin":    func(c *scheduling.Centre) { c.PIN = "12345" },
		"pin letters":  func(c *scheduling.Centre) { c.PIN = "12345a" },
		"zone":         func(c *scheduling.Centre) { c.Zone = "Asia/Nowhere" },
		"local zone":   func(c *scheduling.Centre) { c.Zone = "Local" },
		"hours":        func(c *scheduling.Centre) { c.Opens = 1080 },
		"not a number": func(c *scheduling.Centre) { c.Lat = nan() },
		"off globe":    func(c *scheduling.Centre) { c.Long = 181 },
	} {
		c := centre(1)
		change(&c)
		if err := w.svc.AddCentres(ctx, []scheduling.Centre{c}); kind(err) != "invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.open(1, 1)
	for name, change := range map[string]func(*scheduling.Session){
		"no id":      func(s *scheduling.Session) { s.ID = "" },
		"no day":     func(s *scheduling.Session) { s.Day = civil.Date{} },
		"zone":       func(s *scheduling.Session) { s.Zone = "Mars" },
		"no product": func(s *scheduling.Session) { s.Product = "" },
		"no slots":   func(s *scheduling.Session) { s.Slots = nil },
		"slot lines": func(s *scheduling.Session) { s.Slots = []string{"a\nb"} },
		"negative":   func(s *scheduling.Session) { s.Cap1 = -1 },
		"ages":       func(s *scheduling.Session) { s.MinAge, s.MaxAge = 18, 15 },
		"closes":     func(s *scheduling.Session) { s.BookingCloses = 1441 },
	} {
		s := session(centre(1), day(5), 1, 1)
		change(&s)
		if err := w.svc.AddSessions(ctx, []scheduling.Session{s}); kind(err) != "invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.svc.AddSessions(ctx, []scheduling.Session{session(centre(7), day(5), 1, 1)}); kind(err) != "not_found" {
		t.Errorf("a session of no centre: %v", err)
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

// TestTermsChange lowers a session's capacity below what is taken.
func TestTermsChange(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(3, 0)
	h, refs := w.household(3)
	if _, err := w.svc.Book(ctx, h, input(s, "k", refs[:2]...)); err != nil {
		t.Fatal(err)
	}
	s.Cap1 = 1
	w.add(centre(1), s)
	if l := w.svc.CalendarByPIN("999001", day(5), "")[0].Sessions[0]; l.Available() != 0 || w.taken(s) != 2 {
		t.Errorf("%+v", l)
	}
	if _, err := w.svc.Book(ctx, h, input(s, "k2", refs[2])); kind(err) != "full" {
		t.Error(err)
	}
}
