package rules

import (
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
)

// Birth is a birth year, with the day where it is known.
type Birth struct {
	Year int
	Date civil.Date
}

// MaxAge is the highest age, in years, that a registration may state.
const MaxAge = 130

// adult is the age of majority (Majority Act 1875, section 3).
const adult = 18

// Check says whether the birth is plausible on a day: not in the future, not
// more than MaxAge years ago, year and date agreeing. It returns fault.Invalid
// otherwise.
func (b Birth) Check(today civil.Date) error {
	bad := fault.New(fault.Invalid, "USRRES0001", "birth_year is not plausible")
	if b.Year < today.Year-MaxAge || b.Year > today.Year {
		return bad
	}
	if b.Date.IsZero() {
		return nil
	}
	if !b.Date.Valid() || b.Date.After(today) {
		return fault.New(fault.Invalid, "USRRES0001", "birth_date is not a day up to today")
	}
	if b.Date.Year != b.Year {
		return fault.New(fault.Invalid, "USRRES0001", "birth_year and birth_date contradict each other: birth_date lies in another year")
	}
	return nil
}

// AgeOn is the age in whole years on a day. With only the year known it is the
// difference of years, as CoWIN counted: whoever turns 18 in a year counts as
// 18 from its first day. Use AtLeastOn where nobody may be taken for older.
func (b Birth) AgeOn(day civil.Date) int {
	age := day.Year - b.Year
	if !b.Date.IsZero() && (day.Month < b.Date.Month || day.Month == b.Date.Month && day.Day < b.Date.Day) {
		age--
	}
	return age
}

// AtLeastOn is the age in whole years that the person has certainly reached on
// a day: with only the year known, that of somebody born on its last day.
func (b Birth) AtLeastOn(day civil.Date) int {
	_, youngest := b.days()
	return Birth{Year: b.Year, Date: youngest}.AgeOn(day)
}

// Minor reports whether the person is under 18 on a day, by AgeOn, so that the
// same people count as adults here and for the vaccines.
func (b Birth) Minor(day civil.Date) bool { return b.AgeOn(day) < adult }

// days returns the first and the last day the person can have been born on.
func (b Birth) days() (first, last civil.Date) {
	if !b.Date.IsZero() {
		return b.Date, b.Date
	}
	return civil.Date{Year: b.Year, Month: time.January, Day: 1}, civil.Date{Year: b.Year, Month: time.December, Day: 31}
}
