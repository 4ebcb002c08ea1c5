package portal

import (
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry/rules"
)

// leap is a year that has every day of the calendar.
const leap = 2000

// dayWrong says what is wrong with a day, as the id of a message; "" when nothing is. Day, month and
// year are as they were read, 0 for what is no number. A day that no year has is said to be
// none even where the year is not known yet.
func dayWrong(day, month, year int, today civil.Date) string {
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

// yearOf reads a year of birth; wrong is the id of the message that says why it is none.
func yearOf(typed string, today civil.Date) (year int, wrong string) {
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

// birthDay reads day and month of a birth, both or neither, and says beside the field what is
// wrong. year is 0 when it is wrong itself.
func birthDay(x *view.AddPage, year int, today civil.Date) civil.Date {
	day, month := strings.TrimSpace(x.Day.Value), strings.TrimSpace(x.Month.Value)
	switch {
	case day == "" && month == "":
		return civil.Date{}
	case day == "":
		x.Day.Wrong = "account.day_wrong"
		return civil.Date{}
	case month == "":
		x.Month.Wrong = "account.day_wrong"
		return civil.Date{}
	}
	d, _ := catalogue.Count(day, 99)
	m, _ := catalogue.Count(month, 99)
	if x.Day.Wrong = dayWrong(d, m, year, today); x.Day.Wrong != "" {
		return civil.Date{}
	}
	return civil.Date{Year: year, Month: time.Month(m), Day: d}
}

// typedDay reads a day as people type it, with the digits of their script: 03-01-2026,
// 3/1/2026, 3.1.2026. wrong is the id of the message that says why it is none.
func typedDay(typed string, today civil.Date) (day, wrong string) {
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
	if wrong = dayWrong(n[0], n[1], n[2], today); wrong != "" {
		return "", wrong
	}
	return civil.Date{Year: n[2], Month: time.Month(n[1]), Day: n[0]}.Indian(), ""
}
