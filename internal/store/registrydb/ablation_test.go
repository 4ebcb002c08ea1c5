//go:build ablation

package registrydb_test

import (
	"context"
	"sync"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
)

// meeting lets two updates wait for each other, once.
type meeting struct {
	sqldb.DB
	wg *sync.WaitGroup
}

func (m meeting) Update(ctx context.Context, fn func(sqldb.Tx) error) error {
	m.wg.Done()
	m.wg.Wait()
	return m.DB.Update(ctx, fn)
}

// TestCapacityMatters oversells a session when its control is off.
func TestCapacityMatters(t *testing.T) {
	for env, want := range map[string]int{"": 1, "capacity": 2} {
		t.Setenv("TIKAKOSH_ABLATE", env)
		db := registrytest.Open(t)
		b := opened(t, db, 1, 0)
		var both, done sync.WaitGroup
		both.Add(2)
		racing := registrydb.NewBookings(meeting{db, &both})
		for _, h := range []id.Hold{"a", "b"} {
			done.Go(func() { _, _ = racing.Hold(t.Context(), held(h, 1, id.Person(h))) })
		}
		done.Wait()
		if s, err := b.Session(t.Context(), "s"); err != nil || s.Taken1 != want {
			t.Errorf("%q: %d places of 1 taken, %v", env, s.Taken1, err)
		}
	}
}

// TestOneLiveBookingMatters binds two live appointments when its control is off.
func TestOneLiveBookingMatters(t *testing.T) {
	for env, want := range map[string]scheduling.State{"": scheduling.None, "one-live-booking": scheduling.Live} {
		t.Setenv("TIKAKOSH_ABLATE", env)
		db := registrytest.Open(t)
		b, p := registrydb.NewBookings(db), enrolled(t, registrydb.NewPeople(db))
		var st scheduling.State
		for _, h := range []id.Hold{"a", "b"} {
			var err error
			st, err = b.Bind(t.Context(), scheduling.Appointment{Person: p, Hold: h, Programme: "P", Dose: 1})
			if err != nil {
				t.Fatal(err)
			}
		}
		if st != want {
			t.Errorf("%q: the second is %v", env, st)
		}
	}
}
