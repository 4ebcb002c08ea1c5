package portal

import (
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/portal/dates"
	"tikakosh/internal/portal/view"
)

// TestDates: every wrong day says what is wrong with it, beside the field where it is.
func TestDates(t *testing.T) {
	today := civil.Date{Year: 2026, Month: 2, Day: 2}
	for _, c := range []struct{ year, day, month, wrongYear, wrongDay, wrongMonth string }{
		{"1984", "29", "2", "", "", ""},
		{"1985", "29", "2", "", "date.no_such", ""},
		{"1984", "31", "2", "", "date.no_such", ""},
		{"84", "31", "2", "date.year", "date.no_such", ""},
		{"84", "29", "2", "date.year", "", ""},
		{"1984", "31", "4", "", "date.no_such", ""},
		{"1984", "0", "4", "", "date.number", ""},
		{"1984", "32", "4", "", "date.number", ""},
		{"1984", "the first", "4", "", "date.number", ""},
		{"1984", "", "4", "", "account.day_wrong", ""},
		{"1984", "3", "", "", "", "account.day_wrong"},
		{"1984", "3", "13", "", "date.month", ""},
		{"2026", "2", "2", "", "", ""},
		{"2026", "3", "2", "", "date.future", ""},
		{"2027", "", "", "date.year_future", "", ""},
		{"1890", "", "", "date.year_past", "", ""},
		{"", "", "", "date.year", "", ""},
		{"१९८४", "३१", "1", "", "", ""},
	} {
		x := view.AddPage{Day: view.Field{Value: c.day}, Month: view.Field{Value: c.month}}
		year, wrong := dates.Year(c.year, today)
		birthDay(&x, year, today)
		if wrong != c.wrongYear || x.Day.Wrong != c.wrongDay || x.Month.Wrong != c.wrongMonth {
			t.Errorf("%+v: %q %q %q", c, wrong, x.Day.Wrong, x.Month.Wrong)
		}
	}
	for typed, want := range map[string]string{"31-02-2026": "date.no_such", "1/1/2026": "", "01.01.26": "date.year", "2026-01-01": "date.year", "03-02-2026": "date.future", "1-13-2025": "date.month",
		"40-1-2025": "date.number", "yesterday": "ask.date_wrong", "1-1": "ask.date_wrong", "१-१-२०२६": ""} {
		if _, got := dates.Typed(typed, today); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}
