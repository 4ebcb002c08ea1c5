package keeper_test

import (
	"fmt"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// BenchmarkBookMany is the vault's work for bookings in numbers, per booking.
func BenchmarkBookMany(b *testing.B) {
	const houses = 32
	r := newRig(b)
	var holders []vault.Holder
	var people []id.Person
	for i := range houses {
		p := r.register(fmt.Sprintf("00000005%02d", i), 100+i)
		holders, people = append(holders, p.holder), append(people, p.person)
	}
	o := r.offer("COVISHIELD")
	b.ResetTimer()
	for n := 0; n < b.N; n += houses {
		var req vault.BookManyRequest
		for i := range houses {
			req.Items = append(req.Items, vault.BookRequest{Holder: holders[i], Hold: id.Hold(fmt.Sprint("h", n, "-", i)), Dose: 1, Offer: o, Records: r.records(people[i])})
		}
		got, err := r.k.BookMany(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for i, one := range got.Items {
			if one.Err() != nil {
				b.Fatal(one.Err())
			}
			if _, err := r.k.Cancel(b.Context(), vault.CancelRequest{Holder: holders[i], Hold: req.Items[i].Hold, Persons: []id.Person{people[i]}}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
