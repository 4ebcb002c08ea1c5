package sheet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
)

// maxAhead is how many days ahead a session may be: more is a slip of the year.
const maxAhead = 400

// SessionColumns lists the columns of a file of sessions.
func SessionColumns() []Column {
	return []Column{
		{Name: "center_id", Wants: "the number of a centre that the registry has"},
		{Name: "date", Wants: "a day as 2026-02-28 or 28-02-2026, at most 400 days ahead"},
		{Name: "vaccine", Wants: "one of " + strings.Join(products(), ", ")},
		{Name: "dose1_capacity", Wants: "places for first doses, 0 to 1000000; 0 takes the session out of the search"},
		{Name: "dose2_capacity", Wants: "places for further doses, 0 to 1000000"},
		{Name: "min_age_limit", Optional: true, Wants: "lowest age in years, not below the vaccine's; empty: the vaccine's"},
		{Name: "max_age_limit", Optional: true, Wants: "highest age in years, not below the lowest; empty or 0: none"},
		{Name: "slots", Wants: "times of the day as 09:00AM-11:00AM, divided by | and in order"},
		{Name: "fee", Optional: true, Wants: "whole rupees, 0 to 100000; empty: 0, which a free centre must have"},
		{Name: "booking_closes", Optional: true, Wants: "when booking for the day ends, as 15:00; empty: 15:00"},
		{Name: "draw_at", Optional: true, Wants: "when the places are drawn among all who asked until then, as 2026-02-04 18:00 at the centre, before the session's day; empty: no draw, in order of arrival"},
		{Name: "session_id", Optional: true, Wants: "the session's UUID; empty: the one that follows from centre, date, vaccine and ages"},
	}
}

func products() []string {
	var out []string
	for _, p := range rules.Products() {
		out = append(out, p.Code)
	}
	return out
}

// SessionRow is one good row. Own says that the file named the session's id.
type SessionRow struct {
	Line    int
	Own     bool
	Session scheduling.Session
}

// Sessions is what a file holds.
type Sessions struct {
	Total    int // rows, good and wrong
	Rows     []SessionRow
	Problems []Problem
}

// ReadSessions reads a file of sessions. centre returns the centres that the
// registry has. fault.Invalid: the file as a whole cannot be read; wrong rows
// are Problems.
func ReadSessions(raw []byte, today civil.Date, centre func(id.Centre) (scheduling.Centre, bool)) (Sessions, error) {
	var out Sessions
	lines := map[id.Session]int{}
	err := each(raw, SessionColumns(), &out.Problems, func(r *row) {
		s, own := r.session(today, centre)
		if first, twice := lines[s.ID]; twice && s.ID != "" {
			r.whole("the same session stands in line %d too (same centre, date, vaccine and ages, or same session_id)", first)
		}
		lines[s.ID] = r.line
		if !r.wrong {
			out.Rows = append(out.Rows, SessionRow{r.line, own, s})
		}
	})
	out.Total = len(out.Rows) + wrongLines(out.Problems)
	return out, err
}

func (r *row) session(today civil.Date, centre func(id.Centre) (scheduling.Centre, bool)) (s scheduling.Session, own bool) {
	s.Centre = r.centreID()
	c, there := centre(s.Centre)
	if s.Centre > 0 && !there {
		r.bad("center_id", "the number of a centre that the registry has (import the centres first)")
	}
	s.Zone = c.Zone
	s.Day = r.day(today)
	p, known := rules.LookupProduct(strings.ToUpper(r.text("vaccine")))
	if !known {
		p, known = rules.LookupProduct(r.text("vaccine"))
	}
	if !known {
		r.bad("vaccine", "")
	}
	s.Product, s.Programme = p.Code, p.Programme
	s.Cap1, _ = r.number("dose1_capacity", 0, scheduling.MaxCapacity)
	s.Cap2, _ = r.number("dose2_capacity", 0, scheduling.MaxCapacity)
	s.MinAge = r.optional("min_age_limit", p.MinAge, p.MinAge, 150)
	s.MaxAge = r.optional("max_age_limit", 0, 0, 150)
	if s.MaxAge > 0 && s.MaxAge < s.MinAge {
		r.bad("max_age_limit", "")
	}
	s.Slots = r.slots()
	s.Fee = r.optional("fee", 0, 0, 100_000)
	if s.Fee > 0 && there && !c.Paid {
		r.bad("fee", "0, because the centre is free")
	}
	s.BookingCloses = scheduling.DefaultBookingCloses
	if r.text("booking_closes") != "" {
		if s.BookingCloses = r.clock("booking_closes"); s.BookingCloses == 0 {
			r.bad("booking_closes", "") // the registry reads 0 as the default
		}
	}
	s.DrawAt = r.draw(s)
	s.ID = SessionID(s)
	if text := r.text("session_id"); text != "" {
		u, err := uuid.Parse(text)
		if err != nil || len(text) != 36 {
			r.bad("session_id", "")
		}
		s.ID, own = id.Session(u.String()), true
	}
	return s, own
}

// SessionID is the id of a session whose row names none: always the same for one
// centre, day, vaccine and band of ages (UUID version 5, RFC 9562).
func SessionID(s scheduling.Session) id.Session {
	space := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://tikakosh.invalid/session/v1"))
	return id.Session(uuid.NewSHA1(space, fmt.Appendf(nil, "%d/%s/%s/%d-%d", s.Centre, s.Day, s.Product, s.MinAge, s.MaxAge)).String())
}

// optional reads a number that may be missing.
func (r *row) optional(name string, empty, least, most int) int {
	if r.text(name) == "" {
		return empty
	}
	n, _ := r.number(name, least, most)
	return n
}

// day reads 2026-02-28 or 28-02-2026. A year of two digits could be a day.
func (r *row) day(today civil.Date) civil.Date {
	text := r.text("date")
	d, err := civil.ParseISO(text)
	if err != nil {
		d, err = civil.ParseIndian(text)
		if len(text)-1-strings.LastIndexByte(text, '-') != 4 {
			d = civil.Date{}
		}
	}
	if err != nil || d.Year < 2000 || d.After(today.AddDays(maxAhead)) {
		r.bad("date", "")
		return civil.Date{}
	}
	return d
}

// slots reads times of the day that follow each other.
func (r *row) slots() []string {
	var out []string
	last := 0
	for text := range strings.SplitSeq(r.text("slots"), "|") {
		text = strings.ToUpper(strings.TrimSpace(text))
		from, to, ok := span(text)
		if !ok || from < last || len(out) == scheduling.MaxSlots {
			r.bad("slots", "")
			return nil
		}
		last = to
		out = append(out, text)
	}
	return out
}

// span reads 09:00AM-11:00AM as minutes after midnight; 12:00AM at the end is
// the end of the day.
func span(text string) (from, to int, ok bool) {
	a, b, ok := strings.Cut(text, "-")
	start, err1 := time.Parse("03:04PM", a)
	end, err2 := time.Parse("03:04PM", b)
	from, to = start.Hour()*60+start.Minute(), end.Hour()*60+end.Minute()
	if to == 0 {
		to = scheduling.AllDay
	}
	return from, to, ok && err1 == nil && err2 == nil && len(a) == 7 && len(b) == 7 && from < to
}

// Check compares a row with the session that the registry has under its id. It
// returns the columns that differ, or why the row cannot be taken.
func (s SessionRow) Check(old scheduling.Session) (changes []string, refused string) {
	n := s.Session
	taken := old.Taken1 + old.Taken2
	switch {
	case n.Centre != old.Centre:
		return nil, fmt.Sprintf("this session_id belongs to centre %d", old.Centre)
	case taken > 0 && (n.Day != old.Day || n.Product != old.Product):
		return nil, fmt.Sprintf("%d people have booked this session for %s and %s: day and vaccine cannot change", taken, old.Day, old.Product)
	}
	return differing([]difference{{"date", n.Day != old.Day}, {"vaccine", n.Product != old.Product || n.Programme != old.Programme}, {"dose1_capacity", s.capped(1, old) != old.Cap1},
		{"dose2_capacity", s.capped(2, old) != old.Cap2}, {"min_age_limit", n.MinAge != old.MinAge}, {"max_age_limit", n.MaxAge != old.MaxAge},
		{"slots", !slices.Equal(n.Slots, old.Slots)}, {"fee", n.Fee != old.Fee}, {"booking_closes", n.BookingCloses != old.BookingCloses},
		{"draw_at", n.DrawAt != old.DrawAt}}), ""
}

// draw reads when a session's places are drawn, or 0.
func (r *row) draw(s scheduling.Session) int64 {
	text := r.text("draw_at")
	if text == "" {
		return 0
	}
	loc, err := time.LoadLocation(s.Zone)
	if err != nil || s.Zone == "" {
		return 0 // the centre is not known, which is told
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, loc)
	if err != nil || !civil.Of(at).Before(s.Day) {
		r.bad("draw_at", "")
	}
	return at.UnixMilli()
}

// capped is the capacity that the registry keeps of a pool: never less than is
// taken.
func (s SessionRow) capped(pool int, old scheduling.Session) int {
	if pool == 1 {
		return max(s.Session.Cap1, old.Taken1)
	}
	return max(s.Session.Cap2, old.Taken2)
}

// BelowTaken says, or "", that the row has fewer places than are booked.
func (s SessionRow) BelowTaken(old scheduling.Session) string {
	if s.Session.Cap1 >= old.Taken1 && s.Session.Cap2 >= old.Taken2 {
		return ""
	}
	return fmt.Sprintf("%d first and %d further places are booked already, more than the row has: the capacity stays at what is booked", old.Taken1, old.Taken2)
}

// Over is the registry's session with what the row says; what no column holds
// stays as it is.
func (s SessionRow) Over(old scheduling.Session) scheduling.Session {
	n := s.Session
	old.ID, old.Centre, old.Day, old.Zone, old.Programme, old.Product = n.ID, n.Centre, n.Day, n.Zone, n.Programme, n.Product
	old.MinAge, old.MaxAge, old.Cap1, old.Cap2 = n.MinAge, n.MaxAge, s.capped(1, old), s.capped(2, old)
	old.Slots, old.Fee, old.BookingCloses, old.DrawAt = n.Slots, n.Fee, n.BookingCloses, n.DrawAt
	return old
}
