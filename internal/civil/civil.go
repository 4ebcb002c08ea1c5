// Package civil holds calendar dates without time or zone: birthdays, session
// days, dose days. Instants are Unix milliseconds in UTC elsewhere.
package civil

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/fault"
)

// Date is a day of the proleptic Gregorian calendar. The zero Date means
// "none". It compares with ==.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Of returns the day of t in its own location.
func Of(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// In returns midnight at the start of d in loc.
func (d Date) In(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// IsZero reports whether d is the zero Date.
func (d Date) IsZero() bool { return d == Date{} }

// Valid reports whether d names a real day.
func (d Date) Valid() bool { return d.Year >= 1 && d.Year <= 9999 && Of(d.In(time.UTC)) == d }

// AddDays returns d moved by n days.
func (d Date) AddDays(n int) Date { return Of(d.In(time.UTC).AddDate(0, 0, n)) }

// DaysSince returns the number of days from other to d. Seconds, because a
// time.Duration ends at 292 years.
func (d Date) DaysSince(other Date) int {
	return int((d.In(time.UTC).Unix() - other.In(time.UTC).Unix()) / (24 * 60 * 60))
}

// Compare returns -1, 0 or +1.
func (d Date) Compare(o Date) int { return d.In(time.UTC).Compare(o.In(time.UTC)) }

// Before reports whether d is earlier than o.
func (d Date) Before(o Date) bool { return d.Compare(o) < 0 }

// After reports whether d is later than o.
func (d Date) After(o Date) bool { return d.Compare(o) > 0 }

// String returns ISO 8601, yyyy-mm-dd, or "" for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Indian returns dd-mm-yyyy, CoWIN's form, or "" for the zero Date.
func (d Date) Indian() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%02d-%02d-%04d", d.Day, d.Month, d.Year)
}

// MarshalText writes the ISO form.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the ISO form; empty text is the zero Date.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	v, err := ParseISO(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// ParseISO reads yyyy-mm-dd. It returns a fault.Invalid otherwise.
func ParseISO(s string) (Date, error) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return Date{}, bad()
	}
	return build(s[0:4], s[5:7], s[8:10])
}

// ParseIndian reads the three forms CoWIN's clients send: dd-mm-yyyy,
// d-m-yyyy and dd-mm-yy (20yy). It returns a fault.Invalid otherwise.
func ParseIndian(s string) (Date, error) {
	if len(s) > 10 {
		return Date{}, bad()
	}
	p := strings.Split(s, "-")
	if len(p) != 3 || len(p[0]) > 2 || len(p[1]) > 2 {
		return Date{}, bad()
	}
	switch len(p[2]) {
	case 4:
	case 2:
		p[2] = "20" + p[2]
	default:
		return Date{}, bad()
	}
	return build(p[2], p[1], p[0])
}

func build(ys, ms, ds string) (Date, error) {
	y, e1 := digits(ys)
	m, e2 := digits(ms)
	d, e3 := digits(ds)
	v := Date{y, time.Month(m), d}
	if e1 != nil || e2 != nil || e3 != nil || !v.Valid() {
		return Date{}, bad()
	}
	return v, nil
}

func digits(s string) (int, error) {
	if s == "" {
		return 0, bad()
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, bad()
		}
	}
	return strconv.Atoi(s)
}

func bad() error { return fault.New(fault.Invalid, "date", "a date is wanted as dd-mm-yyyy") }
