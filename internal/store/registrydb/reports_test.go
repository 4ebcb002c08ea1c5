package registrydb_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/statistics"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/vault"
)

// counting is a vault that answers a growing number of doses, or fails.
type counting struct {
	asked int
	day   civil.Date
	err   error
}

func (c *counting) Statistics(context.Context) (vault.Statistics, error) {
	c.asked++
	return vault.Statistics{Published: reportOf(c.day, int64(10*c.asked))}, c.err
}

func reportOf(day civil.Date, n int64) statistics.Published {
	return statistics.Published{Day: day, Cells: []statistics.Cell{{State: "Delhi", Product: "COVAXIN", Dose: 1, Gender: 1, N: n}}}
}

// TestReports: a day's figures replace those that are there; the vault is asked once
// for a day, and again only when it did not answer.
func TestReports(t *testing.T) {
	store := registrydb.NewReports(registrytest.Open(t))
	want := func(until civil.Date, last, before statistics.Published) {
		t.Helper()
		l, b, err := store.Reports(t.Context(), until)
		if err != nil || !reflect.DeepEqual(l, last) || !reflect.DeepEqual(b, before) {
			t.Errorf("until %s: %+v %+v %v", until, l, b, err)
		}
	}
	none := statistics.Published{}
	now := time.Date(2026, 11, 24, 19, 0, 0, 0, time.UTC) // 00:30 on the 25th in India
	day := civil.Date{Year: 2026, Month: 11, Day: 24}
	want(day, none, none)
	v := &counting{day: day, err: fault.New(fault.Unavailable, "vault", "down")}
	p := registry.NewPublisher(v, store, time.Minute)
	run := func(at time.Time, stored, asked int) {
		t.Helper()
		if n, _ := p.Publish(t.Context(), at); n != stored || v.asked != asked {
			t.Errorf("stored %d, asked %d; want %d, %d", n, v.asked, stored, asked)
		}
	}
	run(now, 0, 1)
	run(now.Add(time.Second), 0, 1)
	v.err = nil
	run(now.Add(time.Minute), 1, 2)
	run(now.Add(time.Hour), 0, 2)
	want(day, reportOf(day, 20), none)
	if n, err := registry.NewPublisher(v, store, time.Minute).Publish(t.Context(), now); n != 1 || err != nil { // after a restart
		t.Error(n, err)
	}
	want(day, reportOf(day, 30), none)
	v.day = day.AddDays(1)
	run(now.Add(24*time.Hour), 1, 4)
	want(day.AddDays(9), reportOf(day.AddDays(1), 40), reportOf(day, 30))
	want(day, reportOf(day, 30), none)
	want(day.AddDays(-1), none, none)
}
