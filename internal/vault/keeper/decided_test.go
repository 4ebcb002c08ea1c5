package keeper_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestDecidedBy: an opening by staff, a refusal of somebody named, and a visit that ended
// bear on the ledger which policies decided, and the audit counts them.
func TestDecidedBy(t *testing.T) {
	l := newListed(t, 8)
	k := l.site.vaccinator
	rep := func() map[string]int64 {
		t.Helper()
		got, err := l.k.Audit(t.Context(), l.all())
		if err != nil {
			t.Fatal(err)
		}
		return got.Decided
	}
	before := rep()
	rows, order, _ := l.rows(k)
	var opened []string
	for _, row := range order {
		if p := rows[row]; p != "" && len(opened) < 2 {
			if _, err := l.openRow(k, row, p); err != nil {
				t.Fatal(err)
			}
			opened = append(opened, row)
		}
	}
	if err := l.closeRow(k, opened[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := l.openRow(k, "AAAA", ""); !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	p := l.people[7]
	if _, err := l.staffView(k, p, l.refs[p], vault.Evidence{Code: "0000"}); !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	if _, err := l.dose(k, p, doseBody(l.site.offer, l.refs[p], "0000", 1)); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	var got []string
	for what, n := range rep() {
		if n > before[what] && (strings.HasPrefix(what, "refusal") || strings.HasPrefix(what, "visit") || strings.HasPrefix(what, "opening")) {
			got = append(got, what)
		}
	}
	slices.Sort(got)
	want := []string{"opening\tvaccinator-opens-on-evidence", "opening\tvaccinator-sees-the-day-list", "refusal\trail-roster-mode",
		"refusal\tvaccinator-at-work rail-evidence", "refusal\tvaccinator-records-doses rail-evidence", "visit\tvaccinator-at-work"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q; all: %v", got, want, slices.Collect(maps.Keys(rep())))
	}
}
