// Package dates reads the dates that people type and says of a wrong one what is wrong with it, as
// the id of a message of the portal's catalogue.
package dates

import (
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/registry/rules"
)

// leap is a year that has every day of the calendar.
const leap = 2000

// Wrong says what is wrong with a day, as the id of a message; "" when nothing is. Day, month and
// year are as they were read, 0 for what is no number. A day that no year has is said to be
// none even where the year is not known yet.
func Wrong(day, month, year int, today civil.Date) string {
	d := civil.Date{Year: leap, Month: time.Month(month), Day: day}
	if year != 0 {
		d.Year = year
	}
	switch {
	case day < 1 || day > 31:
		return "date.number"
	case month < 1 || month > 12:
		return "date.month"
	case !d.Valid():
		return "date.no_such"
	case year != 0 && d.After(today):
		return "date.future"
	}
	return ""
}

// Year reads a year of birth; wrong is the id of the message that says why it is none.
func Year(typed string, today civil.Date) (year int, wrong string) {
	n, ok := catalogue.Count(typed, 9999)
	switch {
	case !ok || n < 1000:
		return 0, "date.year"
	case n > today.Year:
		return 0, "date.year_future"
	case n < today.Year-rules.MaxAge:
		return 0, "date.year_past"
	}
	return n, ""
}

// Typed reads a day as people type it, with the digits of their script: 03-01-2026,
// 3/1/2026, 3.1.2026. wrong is the id of the message that says why it is none.
func Typed(typed string, today civil.Date) (day, wrong string) {
	parts := strings.FieldsFunc(typed, func(r rune) bool { return r == '-' || r == '/' || r == '.' || r == ' ' })
	if len(parts) != 3 {
		return "", "ask.date_wrong"
	}
	var n [3]int
	for i, p := range parts {
		var ok bool
		if n[i], ok = catalogue.Count(p, 9999); !ok {
			return "", "ask.date_wrong"
		}
	}
	if n[2] < 1900 { // 03-01-26 could be of two centuries
		return "", "date.year"
	}
	if wrong = Wrong(n[0], n[1], n[2], today); wrong != "" {
		return "", wrong
	}
	return civil.Date{Year: n[2], Month: time.Month(n[1]), Day: n[0]}.Indian(), ""
}
