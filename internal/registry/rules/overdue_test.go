package rules

import "testing"

// TestOverdue: a second dose years after its recommended days is late and still
// given, without an error (DC#261).
func TestOverdue(t *testing.T) {
	for product, latest := range map[string]string{"COVISHIELD": "2021-06-01", "COVAXIN": "2021-04-01", "SPUTNIK V": "2021-04-01"} {
		history := []Given{{Product: product, Dose: 1, Day: day(latest), Status: StatusConfirmed}}
		d := Evaluate(history, Birth{Year: 1980}, Want{Product: product, Dose: 2, Day: day("2026-11-26"), MinAge: 18})
		if !d.OK || d.Code != "" {
			t.Errorf("%s: %+v", product, d)
		}
	}
}
