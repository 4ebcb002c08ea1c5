package keeper_test

import (
	"fmt"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestBookMany grants and refuses bookings of one call each by itself, as Book
// does, and the openings of all are in each one's own receipts.
func TestBookMany(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 3)
	stranger := r.register("0000000202", 90)
	o := r.offer("COVISHIELD")
	old := o
	old.MinAge = 60
	ask := func(who vault.Holder, hold string, dose int, of vault.Offer, people ...id.Person) vault.BookRequest {
		return vault.BookRequest{Holder: who, Hold: id.Hold(hold), Dose: dose, Offer: of, Records: r.records(people...)}
	}
	items := []vault.BookRequest{
		ask(h, "h1", 1, o, people[0], people[1]),
		ask(h, "h2", 1, o, people[1]),                         // has one by then
		ask(h, "h3", 1, o, stranger.person),                   // not a member
		ask(h, "h4", 2, o, people[2]),                         // not the next dose
		ask(h, "h5", 1, old, people[2]),                       // too young
		ask(vault.Holder{Bearer: "x"}, "h6", 1, o, people[2]), // nobody
		ask(h, "", 1, o, people[2]),                           // malformed
		ask(stranger.holder, "h7", 1, o, stranger.person),     // another household
		ask(h, "h1", 1, o, people[0], people[1]),              // repeated in the same call
		ask(h, "h8", 1, o, people[2], stranger.person),        // one of two not a member
		ask(h, "h9", 1, r.offer("STAMARIL"), people[0]),       // another programme
		ask(stranger.holder, "h10", 1, o, people[2]),          // the other way round
		ask(h, "h11", 1, r.offer("COVISHIELD"), people[2]),    // fine
		ask(h, "h12", 1, r.offer("COVISHIELD"), people[2]),    // and once more: no
	}
	want := []string{"", "APPOIN0022", "person", "wrong_dose", "too_young", "bearer", "USRRES0001", "", "", "person", "", "person", "", "APPOIN0022"}
	got, err := r.k.BookMany(t.Context(), vault.BookManyRequest{Items: items, Receipts: true})
	if err != nil || len(got.Items) != len(items) {
		t.Fatal(err, len(got.Items))
	}
	seen := map[string]bool{}
	for i, one := range got.Items {
		if code := fault.CodeOf(one.Err()); code != want[i] {
			t.Errorf("%s: %v, want %q", items[i].Hold, one.Err(), want[i])
		}
		for _, receipt := range one.Receipts {
			if seen[receipt] {
				t.Errorf("%s: a receipt is somebody else's too", items[i].Hold)
			}
			seen[receipt] = true
		}
		if want[i] == "" && i != 8 && len(one.Receipts) < 2*len(items[i].Records) {
			t.Errorf("%s: %d receipts", items[i].Hold, len(one.Receipts))
		}
	}
	for i, n := range []int{2, 1, 1} {
		if row, err := r.k.Person(t.Context(), people[i]); err != nil || len(row.Bookings) != n {
			t.Errorf("person %d has %+v (%v)", i, row.Bookings, err)
		}
	}
	var report vault.SettledManyRequest
	for i, it := range items {
		if want[i] == "" {
			var who []id.Person
			for _, rec := range it.Records {
				who = append(who, rec.Person)
			}
			report.Items = append(report.Items, vault.SettledRequest{Kind: vault.WorkBook, Hold: it.Hold, Persons: who})
		}
	}
	for range 2 {
		if err := r.k.SettledMany(t.Context(), report); err != nil {
			t.Fatal(err)
		}
	}
	if left := r.unfinished(r.clock()); len(left) != 0 {
		t.Errorf("%q is not settled", left)
	}
	report.Items[0].Kind = "x"
	if err := r.k.SettledMany(t.Context(), report); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	for _, n := range []int{0, vault.MaxBookings + 1} {
		if _, err := r.k.BookMany(t.Context(), vault.BookManyRequest{Items: make([]vault.BookRequest, n)}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d bookings at once: %v", n, err)
		}
	}
}

// TestBookManyAltered puts a record that does not match its head among others:
// it alone is refused.
func TestBookManyAltered(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 3)
	o := r.offer("COVISHIELD")
	var items []vault.BookRequest
	for i, p := range people {
		items = append(items, vault.BookRequest{Holder: h, Hold: id.Hold(fmt.Sprint("h", i)), Dose: 1, Offer: o, Records: r.records(p)})
	}
	items[1].Records[0].Parts[0].Body[5] ^= 1
	got, err := r.k.BookMany(t.Context(), vault.BookManyRequest{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range got.Items {
		if bad := one.Err() != nil; bad != (i == 1) || (bad && !fault.Is(one.Err(), fault.Integrity)) {
			t.Errorf("%d: %v", i, one.Err())
		}
	}
}
