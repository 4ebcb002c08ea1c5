package budgets_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/state"
)

// table keeps rows as the database would, and notes what is written.
type table struct {
	rows    map[string][]byte
	read    map[string]bool
	written []string
	fail    string
}

var errDown = errors.New("down")

func (t *table) Get(key string) (row state.Budget, ok bool, err error) {
	if key == t.fail {
		return row, false, errDown
	}
	t.read[key] = true
	raw, ok := t.rows[key]
	if ok {
		err = json.Unmarshal(raw, &row)
	}
	return row, ok, err
}

func (t *table) Put(key string, row state.Budget) error {
	if !t.read[key] {
		return fmt.Errorf("%s is written and was not read", key)
	}
	raw, err := json.Marshal(row)
	t.rows[key] = raw
	t.written = append(t.written, key)
	return err
}

func newTable() *table { return &table{rows: map[string][]byte{}, read: map[string]bool{}} }

const start = int64(1_790_000_000_000)

func at(staff string, ms int64) budgets.Place {
	return budgets.Place{Staff: id.Staff(staff), Centre: 7, District: "Bihar/Patna", Day: civil.Date{Year: 2026, Month: 9, Day: 21}, Now: ms}
}

func apply(t *testing.T, rows *table, p budgets.Place, k budget.Kind, n byte) budget.Verdict {
	t.Helper()
	rows.read = map[string]bool{} // each event has a transaction of its own
	v, err := budgets.Apply(rows, p, k, budget.Tag{n})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestApply: what is decided is stored, for member, centre, district and system; an
// opening by code and a dose of nobody's opening write nothing.
func TestApply(t *testing.T) {
	rows := newTable()
	apply(t, rows, at("a", start), budget.OpenShown, 1)
	apply(t, rows, at("a", start), budget.GaveDose, 1)
	apply(t, rows, at("a", start), budget.Confirm, 1)
	if len(rows.rows) != 0 {
		t.Fatalf("written without a codeless opening: %v", rows.written)
	}
	for n := range byte(30) {
		if v := apply(t, rows, at("a", start), budget.OpenBare, n); v.Outcome != budget.Allow {
			t.Fatalf("opening %d: %+v", n, v)
		}
		apply(t, rows, at("a", start), budget.GaveDose, n)
	}
	if v := apply(t, rows, at("a", start), budget.OpenBare, 30); v.Reason != budget.ReasonAllowance {
		t.Fatalf("the 31st: %+v", v)
	}
	if v := apply(t, rows, at("b", start), budget.OpenBare, 30); v.Outcome != budget.Allow {
		t.Fatalf("somebody else's first: %+v", v)
	}
	for n := range byte(5) {
		apply(t, rows, at("a", start), budget.Confirm, n)
	}
	for n := range byte(6) {
		if v := apply(t, rows, at("a", start), budget.OpenBare, 40+n); v.Outcome != budget.Allow {
			t.Fatalf("opening %d after five confirmed: %+v", n, v)
		}
	}
	var hour, centre state.Budget
	for key, into := range map[string]*state.Budget{"hour/system": &hour, "centre/7": &centre} {
		if err := json.Unmarshal(rows.rows[key], into); err != nil {
			t.Fatal(key, err)
		}
	}
	if hour.N != 37 || centre.Codeless != 37 || centre.Confirmed != 5 {
		t.Fatalf("hour %+v, centre %+v", hour, centre)
	}
	if raw := rows.rows["hour/district/Bihar/Patna"]; raw == nil {
		t.Fatal("the district is not counted")
	}
	rows.written = nil
	apply(t, rows, at("b", start), budget.OpenBare, 31)
	for _, key := range rows.written {
		if key == "past/system" {
			t.Fatal("the history is written within an hour")
		}
	}
	apply(t, rows, at("b", start+3_600_000), budget.OpenBare, 32)
	if err := json.Unmarshal(rows.rows["hour/system"], &hour); err != nil || hour.N != 1 {
		t.Fatalf("the next hour: %+v %v", hour, err)
	}
}

// TestFailsClosed: a row that cannot be read or is malformed allows nothing.
func TestFailsClosed(t *testing.T) {
	for _, key := range []string{"member/a", "settings", "centre/7", "hour/system", "past/system", "hour/district/Bihar/Patna"} {
		rows := newTable()
		rows.fail = key
		if v, err := budgets.Apply(rows, at("a", start), budget.OpenBare, budget.Tag{1}); err == nil || v.Outcome == budget.Allow {
			t.Errorf("%s is gone: %+v, %v", key, v, err)
		}
	}
	for key, row := range map[string]string{"member/a": `{"State":"AAAA"}`, "settings": `{"State":"e30="}`, "past/system": `{"State":"AAAA"}`} {
		rows := newTable()
		rows.rows[key] = []byte(row)
		if v, err := budgets.Apply(rows, at("a", start), budget.OpenBare, budget.Tag{1}); err == nil || v.Outcome == budget.Allow {
			t.Errorf("%s is malformed: %+v, %v", key, v, err)
		}
	}
}

// TestSettingsAndRoster: figures and lists are off or default until set, and bad figures
// are not taken.
func TestSettingsAndRoster(t *testing.T) {
	rows := newTable()
	s, err := budgets.Settings(rows)
	if err != nil || s != budget.DefaultSettings() {
		t.Fatal(s, err)
	}
	s.Base = 3
	if err := budgets.SetSettings(rows, s, "x", "y", start); err != nil {
		t.Fatal(err)
	}
	if got, err := budgets.Settings(rows); err != nil || got != s {
		t.Fatal(got, err)
	}
	s.Base = -1
	if err := budgets.SetSettings(rows, s, "x", "y", start); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	for n := range byte(4) {
		if v := apply(t, rows, at("a", start), budget.OpenBare, n); (v.Outcome == budget.Allow) != (n < 3) {
			t.Fatalf("opening %d under a base of 3: %+v", n, v)
		}
	}
	for _, on := range []bool{false, true, false} {
		if on {
			err = budgets.SetRoster(rows, 7, on, "x", "y", start)
		} else if got, err := budgets.Roster(rows, 7); err != nil || got {
			t.Fatal(got, err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := budgets.Roster(rows, 7); got != on {
			t.Fatalf("roster %v, want %v", got, on)
		}
		if other, _ := budgets.Roster(rows, 8); other {
			t.Fatal("another centre's is on")
		}
		if err := budgets.SetRoster(rows, 7, false, "x", "y", start); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTripped: what trips is on the centre's list and on the whole one, counted by hour.
func TestTripped(t *testing.T) {
	rows := newTable()
	apply(t, rows, at("a", start), budget.Phantom, 1)
	for range 3 {
		rows.read = map[string]bool{}
		if err := budgets.Note(rows, at("b", start), "no evidence"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []id.Centre{0, 7} {
		got, err := budgets.Tripped(rows, c)
		if err != nil || len(got) != 2 || got[0].Why != "no evidence" || got[0].N != 3 || got[1].Why != string(budget.WhyPhantom) || got[1].Staff != "a" {
			t.Fatalf("list of %d: %+v %v", c, got, err)
		}
	}
	if got, _ := budgets.Tripped(rows, 8); len(got) != 0 {
		t.Fatalf("another centre's list: %+v", got)
	}
	for n := range 400 {
		rows.read = map[string]bool{}
		if err := budgets.Note(rows, at(fmt.Sprint(n), start), "x"); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := budgets.Tripped(rows, 0)
	here, _ := budgets.Tripped(rows, 7)
	if len(all) != 300 || len(here) != 100 || all[0].Staff != "399" || here[99].Staff != "300" {
		t.Fatalf("%d and %d are kept", len(all), len(here))
	}
}
