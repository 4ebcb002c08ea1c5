package keeper_test

import (
	"strconv"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestOtherAdult: what an adult's card guards in a household, from whom, and until
// when.
func TestOtherAdult(t *testing.T) {
	r := newRig(t)
	s := r.site("COVISHIELD")
	ctx := t.Context()
	const mobile = "0000000931"
	h := r.signIn(mobile)
	w := r.walkIn(s.vaccinator, 2)
	adult := w.Enrolled.Seal.Person
	if _, err := r.k.Link(ctx, vault.LinkRequest{Holder: h, Card: w.Card, PIN: w.PIN}); err != nil {
		t.Fatal(err)
	}
	history := func(h vault.Holder, p id.Person) error {
		_, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: h, Person: p})
		return err
	}
	phone := r.signIn(mobile)
	if err := history(phone, adult); err != nil {
		t.Errorf("the only adult a household ever had: %v", err)
	}
	first := r.enrol(h, "first", asha(1))
	r.store(first.Seal, true)
	child := asha(3)
	child.Name, child.BirthYear, child.Guardian = "Child Test", r.today().Year-10, "Asha Test"
	c := r.enrol(h, "child", child)
	r.store(c.Seal, true)

	show := func(h vault.Holder, card, pin string) error {
		_, err := r.k.ShowCard(ctx, vault.ShowCardRequest{Holder: h, Card: card, PIN: pin})
		return err
	}
	guarded := func(what string, h vault.Holder, p id.Person, want bool) {
		t.Helper()
		recs := r.records(first.Seal.Person, p)
		one := []error{history(h, p)}
		_, err := r.k.AnswerDose(ctx, vault.AnswerDoseRequest{Holder: h, Record: recs[1], Event: id.Event(id.New()), Confirm: true})
		one = append(one, err)
		_, err = r.k.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: recs[1]})
		one = append(one, err)
		if p != first.Seal.Person {
			_, err = r.k.Merge(ctx, vault.MergeRequest{Holder: h, Keep: recs[0], Merge: recs[1]})
			one = append(one, err)
		}
		for i, err := range one {
			if (fault.CodeOf(err) == "CARDFIRST") != want {
				t.Errorf("%s, act %d: %v", what, i, err)
			}
		}
		all, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: h, Limit: 200})
		doses, err2 := r.k.Doses(ctx, vault.DosesRequest{Holder: h, Records: r.records(first.Seal.Person, adult, c.Seal.Person)})
		if err != nil || err2 != nil || (len(all.Withheld) == 1) != want || (len(doses.Withheld) == 1) != want {
			t.Errorf("%s: the lists leave %v and %v out: %v %v", what, all.Withheld, doses.Withheld, err, err2)
		}
		for _, o := range all.Entries {
			if want && o.Person == p {
				t.Errorf("%s: the list has %+v", what, o)
			}
		}
	}
	guarded("by the mobile alone", phone, adult, true)
	guarded("in the session that linked", h, adult, false)
	guarded("by the card", r.byCard(w), first.Seal.Person, false)
	for name, err := range map[string]error{
		"a new card": second(r.k.NewCard(ctx, vault.NewCardRequest{Holder: phone, Person: adult})),
		"deleting":   second(r.k.Remove(ctx, vault.RemoveRequest{Holder: phone, Record: r.records(adult)[0]})),
	} {
		if fault.CodeOf(err) != "CARDFIRST" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A child's card guards nothing from who cares for it.
	if _, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: phone, Person: c.Seal.Person}); err != nil {
		t.Fatal(err)
	}
	if err := history(r.signIn(mobile), c.Seal.Person); err != nil {
		t.Errorf("a child: %v", err)
	}
	// Nor does it help to leave: the household had another adult.
	if _, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: phone, Record: r.records(first.Seal.Person)[0]}); err != nil {
		t.Fatal(err)
	}
	if err := history(phone, adult); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("after the other adult left: %v", err)
	}
	stranger := r.walkIn(s.vaccinator, 4)
	for name, err := range map[string]error{"a wrong PIN": show(phone, w.Card, wrongPIN(w.PIN)), "somebody else's card": show(phone, stranger.Card, stranger.PIN)} {
		if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "CARD" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := show(phone, w.Card, w.PIN); err != nil {
		t.Fatal(err)
	}
	if err := history(phone, adult); err != nil {
		t.Errorf("after card and PIN: %v", err)
	}
	if err := history(r.signIn(mobile), adult); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("another session: %v", err)
	}
	fresh, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: r.byCard(w), Person: adult})
	if err != nil || fresh.Card == "" {
		t.Fatal(err)
	}
	if err := history(phone, adult); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("after the card was replaced: %v", err)
	}
	r.audit()
}

// TestGrownUp: with the year alone who turns 18 in a year counts as an adult from
// its first day, with a date from that day on, as for the vaccines.
func TestGrownUp(t *testing.T) {
	r := newRig(t)
	today := r.today()
	tomorrow := today.AddDays(1)
	for i, c := range []struct {
		name string
		year int
		date civil.Date
		open bool // to the rest of the household
	}{
		{"18 this year", today.Year - 18, civil.Date{}, false}, {"17 this year", today.Year - 17, civil.Date{}, true},
		{"18 today", today.Year - 18, civil.Date{Year: today.Year - 18, Month: today.Month, Day: today.Day}, false},
		{"18 tomorrow", tomorrow.Year - 18, civil.Date{Year: tomorrow.Year - 18, Month: tomorrow.Month, Day: tomorrow.Day}, true},
	} {
		mobile := "000000094" + strconv.Itoa(i)
		h, name := r.signIn(mobile), c.name
		who := asha(1)
		who.BirthYear, who.BirthDate, who.Guardian = c.year, c.date, "Uma Test"
		first := asha(2)
		r.store(r.enrol(h, "adult "+name, first).Seal, true)
		e := r.enrol(h, "one "+name, who)
		r.store(e.Seal, true)
		if _, err := r.k.NewCard(t.Context(), vault.NewCardRequest{Holder: h, Person: e.Seal.Person}); err != nil {
			t.Fatal(err)
		}
		_, err := r.k.Openings(t.Context(), vault.OpeningsRequest{Holder: r.signIn(mobile), Person: e.Seal.Person})
		if (err == nil) != c.open {
			t.Errorf("%s: %v", name, err)
		}
	}
}
