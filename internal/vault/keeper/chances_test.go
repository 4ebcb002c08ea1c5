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

// TestOffersOfNewDevice: a session that sees initials does not learn an age by asking for
// offer after offer, whatever ages they are for; the household's own device may go on asking.
func TestOffersOfNewDevice(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.NoBounds = false })
	const mobile = "0000000209"
	own, thief := device(t), device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	waits := r.on(thief, mobile)
	o := r.offer("COVISHIELD")
	ask := func(h vault.Holder, age int) error {
		o.MinAge, o.MaxAge = age, age
		_, err := r.k.Chances(t.Context(), vault.ChancesRequest{Holder: h, Offer: o, Dose: 1, Records: r.records(e.Seal.Person)})
		return err
	}
	for i := range 30 {
		if err := ask(waits, 18+i); err != nil {
			t.Fatalf("the %dth offer: %v", i+1, err)
		}
	}
	if err := ask(waits, 60); !fault.Is(err, fault.RateLimited) {
		t.Errorf("an offer more: %v", err)
	}
	if err := ask(h, 60); err != nil {
		t.Errorf("the household's own device: %v", err)
	}
}
