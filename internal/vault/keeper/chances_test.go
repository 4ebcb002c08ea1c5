package keeper_test

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestChances: what comes next for each, and whether they may be booked at an offer; each
// question is an opening that the person sees; nothing is made.
func TestChances(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000203", 2)
	stranger := r.register("0000000204", 90)
	child := asha(91)
	child.BirthYear = 2014
	e := r.enrol(h, "child", child)
	r.store(e.Seal, true)
	o := r.offer("COVISHIELD")
	r.mustBook(h, "h1", 1, o, people[1])
	ask := func(offer vault.Offer, dose int, hold id.Hold, who ...id.Person) map[id.Person]vault.Chance {
		t.Helper()
		got, err := r.k.Chances(t.Context(), vault.ChancesRequest{Holder: h, Offer: offer, Dose: dose, Hold: hold, Records: r.records(who...)})
		if err != nil || len(got.Receipts) != len(who) || got.ViewRef == "" {
			t.Fatalf("%+v %v", got, err)
		}
		out := map[id.Person]vault.Chance{}
		for _, c := range got.People {
			out[c.Person] = c
		}
		return out
	}
	for name, x := range map[string]struct {
		c    vault.Chance
		ok   bool
		code string
	}{
		"may":             {ask(o, 0, "", people[0])[people[0]], true, ""},
		"booked":          {ask(o, 0, "", people[1])[people[1]], false, "APPOIN0022"},
		"booked with it":  {ask(o, 0, "h1", people[1])[people[1]], true, ""},
		"a second dose":   {ask(o, 2, "", people[0])[people[0]], false, "wrong_dose"},
		"a child":         {ask(o, 1, "", e.Seal.Person)[e.Seal.Person], false, "too_young"},
		"another's vault": {ask(r.offer("STAMARIL"), 0, "", people[1])[people[1]], true, ""},
	} {
		if x.c.OK != x.ok || x.c.Code != x.code {
			t.Errorf("%s: %+v", name, x.c)
		}
	}
	all := ask(vault.Offer{}, 0, "", people...)
	if c := all[people[0]]; c.Due.State != "due" || c.Due.Dose != 1 || c.OK || c.Code != "" {
		t.Errorf("what comes next: %+v", c)
	}
	if _, err := r.k.Chances(t.Context(), vault.ChancesRequest{Holder: h, Offer: o, Records: r.records(stranger.person)}); !fault.Is(err, fault.NotFound) {
		t.Errorf("somebody else: %v", err)
	}
	if _, err := r.k.Chances(t.Context(), vault.ChancesRequest{Holder: vault.Holder{Bearer: "x"}, Offer: o}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("without a session: %v", err)
	}
	water := o
	water.Product = "WATER"
	if _, err := r.k.Chances(t.Context(), vault.ChancesRequest{Holder: h, Offer: water}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no such vaccine: %v", err)
	}
	if row, err := r.k.Person(t.Context(), people[0]); err != nil || len(row.Bookings) != 0 {
		t.Errorf("a question made %+v (%v)", row.Bookings, err)
	}
}
