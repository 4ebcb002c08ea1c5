package rules

import (
	"slices"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// The statuses and sources of a dose event.
const (
	StatusConfirmed    = "confirmed"
	StatusUnconfirmed  = "unconfirmed"
	StatusRevoked      = "revoked"
	StatusNotCounted   = "not_counted" // given, but the rules do not count it
	SourceAdministered = "administered"
	SourceHistorical   = "historical"
	SourceAbroad       = "abroad"
)

// How exactly the moment of a dose is known.
const (
	PrecisionMinute = "minute"
	PrecisionDay    = "day"
)

// maxSequence bounds a dose number, clockSkew how far ahead of the recorder's
// clock a recording device's may be.
const (
	maxSequence = 20
	clockSkew   = 10 * time.Minute
)

// DoseEvent is the full shape of a dose (design.md 4). Times are Unix
// milliseconds; GivenDay is the civil day at the place, so that it never shifts
// with a reader's zone. Precision says how exactly GivenAt is known.
type DoseEvent struct {
	Event      id.Event
	Programme  string
	Product    string
	Antigens   []string
	Lot        string
	Sequence   int
	Route      string
	BodySite   string
	Quantity   string
	GivenAt    int64
	GivenDay   civil.Date
	Precision  string // PrecisionMinute or PrecisionDay
	RecordedAt int64
	Source     string
	Status     string
	Author     string
}

// NewDoseEvent makes the confirmed event of a dose given at an instant in a
// zone; an unknown zone counts as UTC.
func NewDoseEvent(event id.Event, p Product, lot string, sequence int, at int64, zone, source, author string) DoseEvent {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return NewDoseEventIn(loc, event, p, lot, sequence, at, source, author)
}

// NewDoseEventIn is NewDoseEvent for a time zone at hand.
func NewDoseEventIn(loc *time.Location, event id.Event, p Product, lot string, sequence int, at int64, source, author string) DoseEvent {
	precision := PrecisionMinute
	if source != SourceAdministered {
		precision = PrecisionDay
	}
	return DoseEvent{Event: event, Programme: p.Programme, Product: p.Code, Antigens: p.Antigens, Lot: lot, Sequence: sequence,
		Route: p.Route, BodySite: p.BodySite, Quantity: p.Quantity, GivenAt: at, GivenDay: civil.Of(time.UnixMilli(at).In(loc)),
		Precision: precision, RecordedAt: at, Source: source, Status: StatusConfirmed, Author: author}
}

// Day is the civil day of the dose.
func (d DoseEvent) Day() civil.Date { return d.GivenDay }

// Validate checks the event as a whole. It returns fault.Invalid, its Code the
// field that is wrong. A dose that was administered needs its lot; one from a
// paper record or from abroad may lack it, and its product may be unknown here.
func (d DoseEvent) Validate() error {
	bad := func(field string) error {
		return fault.New(fault.Invalid, field, "the dose event is malformed: "+field)
	}
	product, known := LookupProduct(d.Product)
	administered := d.Source == SourceAdministered
	lot, err := ParseLot(d.Lot)
	switch {
	case !id.Valid(string(d.Event)):
		return bad("event")
	case !slices.Contains([]string{SourceAdministered, SourceHistorical, SourceAbroad}, d.Source):
		return bad("source")
	case d.Product == "" || len(d.Product) > 80 || !known && administered:
		return bad("product")
	case d.Programme == "" || known && d.Programme != product.Programme:
		return bad("programme")
	case len(d.Antigens) == 0 || known && !slices.Equal(d.Antigens, product.Antigens):
		return bad("antigens")
	case (d.Lot != "" || administered) && (err != nil || lot != d.Lot):
		return bad("lot")
	case d.Sequence < 1 || d.Sequence > maxSequence:
		return bad("sequence")
	case !slices.Contains([]string{StatusConfirmed, StatusUnconfirmed, StatusRevoked, StatusNotCounted}, d.Status):
		return bad("status")
	case administered && (d.Route == "" || d.Quantity == ""):
		return bad("route")
	case d.Author == "":
		return bad("author")
	}
	return d.validTimes(bad)
}

// validTimes checks what the event says of time: the day is that of the moment
// somewhere on Earth, and nothing is recorded before it is given.
func (d DoseEvent) validTimes(bad func(string) error) error {
	utc := civil.Of(time.UnixMilli(d.GivenAt).UTC())
	switch {
	case d.Precision != PrecisionMinute && d.Precision != PrecisionDay:
		return bad("precision")
	case d.GivenAt <= 0 || !d.GivenDay.Valid():
		return bad("given_at")
	case d.GivenDay.DaysSince(utc) < -1 || d.GivenDay.DaysSince(utc) > 1:
		return bad("given_day")
	case d.RecordedAt < d.GivenAt-clockSkew.Milliseconds():
		return bad("recorded_at")
	}
	return nil
}
