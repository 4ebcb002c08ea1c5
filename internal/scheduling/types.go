package scheduling

import (
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// DefaultProgramme is the programme of a session that names none.
const DefaultProgramme = "COVID-19"

// DefaultBookingCloses is when online booking for a day ends at the centre, in
// minutes after its local midnight: a centre's slots for a day close at 15:00
// that day (Business Today, 28 February 2021).
const DefaultBookingCloses = 15 * 60

// AllDay is the BookingCloses of a centre that works around the clock.
const AllDay = 24 * 60

// HoldTime is how long a place is held for a booking under way.
const HoldTime = 30 * time.Second

// MaxParty is how many people one booking may take: a household's members.
const MaxParty = 6

// CalendarDays is how many days a calendar shows, from the day asked.
const CalendarDays = 7

// CodeFull and CodeSlot are CoWIN's codes for "completely booked" and
// "Invalid Slot Id".
const (
	CodeFull = "APPOIN0040"
	CodeSlot = "APPOIN0015"
)

// Centre is a vaccination centre. Opens and Closes are minutes after local
// midnight; Zone is its IANA time zone; Lat and Long are degrees.
type Centre struct {
	ID            id.Centre
	Name          string
	Address       string
	State         string
	District      string
	Block         string
	StateID       int
	DistrictID    int
	PIN           string
	Lat, Long     float64
	Zone          string
	Opens, Closes int
	Paid          bool
}

// Session is one day, product and age band at a centre. Cap and Taken count
// the places of pool 1 (first doses) and pool 2 (further doses). MaxAge 0 is
// no limit; Fee is in whole rupees; BookingCloses is in minutes after local
// midnight of Day, 0 meaning DefaultBookingCloses.
type Session struct {
	ID             id.Session
	Centre         id.Centre
	Day            civil.Date
	Zone           string
	Programme      string
	Product        string
	MinAge, MaxAge int
	Cap1, Cap2     int
	Taken1, Taken2 int
	Slots          []string
	Fee            int
	BookingCloses  int
	DrawAt         int64 // Unix milliseconds: until then requests are entries of a draw; 0: order of arrival
}

// Pool returns the pool of places a dose takes from: 1 or 2.
func Pool(dose int) int { return pool(dose) }

func pool(dose int) int {
	if dose <= 1 {
		return 1
	}
	return 2
}

// free returns the places left in a dose's pool.
func (s Session) free(dose int) int {
	if pool(dose) == 1 {
		return s.Cap1 - s.Taken1
	}
	return s.Cap2 - s.Taken2
}

// closes returns the instant at which online booking for the session ends.
func (s Session) closes(loc *time.Location) time.Time {
	m := s.BookingCloses
	if m == 0 {
		m = DefaultBookingCloses
	}
	return time.Date(s.Day.Year, s.Day.Month, s.Day.Day, 0, m, 0, 0, loc)
}

// offer is the session's place as the vault judges it.
func (s Session) offer(slot string) vault.Offer {
	return vault.Offer{Centre: s.Centre, Session: s.ID, Day: s.Day, Zone: s.Zone, Slot: slot,
		Product: s.Product, MinAge: s.MinAge, MaxAge: s.MaxAge}
}

// Listed is a session as a search shows it. Available1 and Available2 are the
// free places of its pools, 0 once booking has closed.
type Listed struct {
	Session
	Available1, Available2 int
}

// Available is the number of free places of both pools.
func (l Listed) Available() int { return l.Available1 + l.Available2 }

// CentreDay is a centre with the sessions a search found there, in order of
// day, product, lowest age and id.
type CentreDay struct {
	Centre   Centre
	Sessions []Listed
}

// BookInput asks for one place each for some people of a household. Key is the
// mutation's idempotency key. Fresh says that the key was made for this request
// alone, so that no earlier one can have come with it: then nothing is stored
// under it and a sold-out session may be answered from memory.
type BookInput struct {
	Dose       int
	Session    id.Session
	Slot       string
	References []id.Reference
	Key        string
	Fresh      bool
}

// State is the state of an appointment.
type State int

// The states of an appointment. A fence is no appointment: it stands where one
// can no longer come to be.
const (
	None      State = 0
	Live      State = 1
	Given     State = 2
	Cancelled State = 3
	Fenced    State = 9
)

// Appointment is one person's booking. Hold is the appointment number.
// Created is in Unix milliseconds. Place is filled in by the service.
type Appointment struct {
	Person    id.Person
	Hold      id.Hold
	Centre    id.Centre
	Session   id.Session
	Day       civil.Date
	Slot      string
	Product   string
	Programme string
	Dose      int
	State     State
	Created   int64
	Place     Centre
}

// SlipView is an appointment slip with the centre it is for.
type SlipView struct {
	vault.Slip
	Centre Centre
}
