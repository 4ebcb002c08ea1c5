package keeper_test

import (
	"strconv"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// family is a household of a first adult, an adult with a card and a child, and the
// session that linked the card.
type family struct {
	*rig
	s                   site
	mobile              string
	h                   vault.Holder
	w                   vault.WalkedIn
	first, adult, child id.Person
}

func newFamily(t *testing.T) *family {
	t.Helper()
	r := newRig(t)
	f := &family{rig: r, s: r.site("COVISHIELD"), mobile: "0000000931"}
	f.h, f.w = r.signIn(f.mobile), r.walkIn(f.s.vaccinator, 2)
	f.adult = f.w.Enrolled.Seal.Person
	if _, err := r.k.Link(t.Context(), vault.LinkRequest{Holder: f.h, Card: f.w.Card, PIN: f.w.PIN}); err != nil {
		t.Fatal(err)
	}
	if err := f.history(r.signIn(f.mobile), f.adult); err != nil {
		t.Errorf("the only adult a household ever had: %v", err)
	}
	child := asha(3)
	child.Name, child.BirthYear, child.Guardian = "Child Test", r.today().Year-10, "Asha Test"
	for key, who := range map[string]vault.Identity{"first": asha(1), "child": child} {
		e := r.enrol(f.h, key, who)
		r.store(e.Seal, true)
		if key == "first" {
			f.first = e.Seal.Person
		} else {
			f.child = e.Seal.Person
		}
	}
	return f
}

func (f *family) history(h vault.Holder, p id.Person) error {
	_, err := f.k.Openings(f.t.Context(), vault.OpeningsRequest{Holder: h, Person: p})
	return err
}

func (f *family) show(h vault.Holder, card, pin string) error {
	_, err := f.k.ShowCard(f.t.Context(), vault.ShowCardRequest{Holder: h, Card: card, PIN: pin})
	return err
}

// guarded holds every act about a person against whether their card guards them.
func (f *family) guarded(what string, h vault.Holder, p id.Person, want bool) {
	f.t.Helper()
	ctx := f.t.Context()
	recs := f.records(f.first, p)
	one := []error{f.history(h, p)}
	_, err := f.k.AnswerDose(ctx, vault.AnswerDoseRequest{Holder: h, Record: recs[1], Event: id.Event(id.New()), Confirm: true})
	one = append(one, err)
	_, err = f.k.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: recs[1]})
	one = append(one, err)
	if p != f.first {
		_, err = f.k.Merge(ctx, vault.MergeRequest{Holder: h, Keep: recs[0], Merge: recs[1]})
		one = append(one, err)
	}
	for i, err := range one {
		if (fault.CodeOf(err) == "CARDFIRST") != want {
			f.t.Errorf("%s, act %d: %v", what, i, err)
		}
	}
	all, err := f.k.Openings(ctx, vault.OpeningsRequest{Holder: h, Limit: 200})
	doses, err2 := f.k.Doses(ctx, vault.DosesRequest{Holder: h, Records: f.records(f.first, f.adult, f.child)})
	if err != nil || err2 != nil || (len(all.Withheld) == 1) != want || (len(doses.Withheld) == 1) != want {
		f.t.Errorf("%s: the lists leave %v and %v out: %v %v", what, all.Withheld, doses.Withheld, err, err2)
	}
	for _, o := range all.Entries {
		if want && o.Person == p {
			f.t.Errorf("%s: the list has %+v", what, o)
		}
	}
}

// TestOtherAdult: what an adult's card guards in a household, and from whom.
func TestOtherAdult(t *testing.T) {
	r := newFamily(t)
	ctx, phone := t.Context(), r.signIn("0000000931")
	r.guarded("by the mobile alone", phone, r.adult, true)
	r.guarded("in the session that linked", r.h, r.adult, false)
	r.guarded("by the card", r.byCard(r.w), r.first, false)
	for name, err := range map[string]error{
		"a new card": second(r.k.NewCard(ctx, vault.NewCardRequest{Holder: phone, Person: r.adult})),
		"deleting":   second(r.k.Remove(ctx, vault.RemoveRequest{Holder: phone, Record: r.records(r.adult)[0]})),
	} {
		if fault.CodeOf(err) != "CARDFIRST" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A child's card guards nothing from who cares for it.
	if _, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: phone, Person: r.child}); err != nil {
		t.Fatal(err)
	}
	if err := r.history(r.signIn(r.mobile), r.child); err != nil {
		t.Errorf("a child: %v", err)
	}
	// Nor does it help to leave: the household had another adult.
	if _, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: phone, Record: r.records(r.first)[0]}); err != nil {
		t.Fatal(err)
	}
	if err := r.history(phone, r.adult); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("after the other adult left: %v", err)
	}
	r.audit()
}

// TestShowCard: card and PIN let one session through, until the card ends.
func TestShowCard(t *testing.T) {
	r := newFamily(t)
	phone := r.signIn(r.mobile)
	stranger := r.walkIn(r.s.vaccinator, 4)
	for name, err := range map[string]error{"a wrong PIN": r.show(phone, r.w.Card, wrongPIN(r.w.PIN)), "somebody else's card": r.show(phone, stranger.Card, stranger.PIN),
		"no card": r.show(phone, "TK1:", r.w.PIN)} {
		if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "CARD" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.history(phone, r.adult); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("after wrong ones: %v", err)
	}
	if err := r.show(phone, r.w.Card, r.w.PIN); err != nil {
		t.Fatal(err)
	}
	if err := r.history(phone, r.adult); err != nil {
		t.Errorf("after card and PIN: %v", err)
	}
	if err := r.history(r.signIn(r.mobile), r.adult); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("another session: %v", err)
	}
	fresh, err := r.k.NewCard(t.Context(), vault.NewCardRequest{Holder: r.byCard(r.w), Person: r.adult})
	if err != nil || fresh.Card == "" {
		t.Fatal(err)
	}
	if err := r.history(phone, r.adult); fault.CodeOf(err) != "CARDFIRST" {
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
