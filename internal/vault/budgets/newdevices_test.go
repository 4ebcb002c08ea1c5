package budgets_test

import (
	"testing"

	"tikakosh/internal/vault/budgets"
)

// TestNewDevices: a district and the system have so many in an hour, each hour anew; after
// four weeks the limit follows what was usual at this hour.
func TestNewDevices(t *testing.T) {
	const hour = int64(3_600_000)
	rows := newTable()
	n := budgets.NewDevices{Percent: 300, Weeks: 4, DistrictFloor: 2, DistrictStart: 3, SystemFloor: 4, SystemStart: 5}
	spend := func(district string, now int64) string {
		t.Helper()
		rows.read = map[string]bool{}
		over, last, err := n.Spend(rows, district, now)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case over:
			return "over"
		case last:
			return "last"
		}
		return "ok"
	}
	for i, want := range []string{"ok", "ok", "last", "over"} {
		if got := spend("Bihar/Patna", start); got != want {
			t.Errorf("district, %d: %s", i, got)
		}
	}
	for i, want := range []string{"ok", "last", "over"} { // the fourth and fifth of the system
		if got := spend("", start); got != want {
			t.Errorf("system, %d: %s", i, got)
		}
	}
	if got := spend("Bihar/Patna", start+hour); got != "ok" {
		t.Errorf("the next hour: %s", got)
	}
	if got := spend("Bihar/Patna", start-hour); got == "over" {
		t.Errorf("a clock that went back: %s", got) // goes on in the hour that it is in
	}
	const week = 7 * 24 * hour
	for w := range int64(5) {
		for range 3 {
			spend("Bihar/Gaya", start+(w+1)*week)
		}
	}
	got := 0
	for spend("", start+7*week) != "over" {
		if got++; got > 50 {
			t.Fatal("no end")
		}
	}
	if got != 9 { // three times the three of each week
		t.Errorf("after weeks of three the system has %d in an hour", got)
	}
	for _, key := range []string{"hour/new-device/system", "past/new-device/system", "hour/new-device/district/X"} {
		bad := newTable()
		bad.fail = key
		if _, _, err := n.Spend(bad, "X", start); err == nil {
			t.Errorf("%s cannot be read: taken", key)
		}
	}
}
