package keeper_test

import (
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// TestDrawInVault: what was entered with a live bearer can be drawn, once and by
// its hold; nothing else can be made live without a bearer.
func TestDrawInVault(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 3)
	a, b, c := people[0], people[1], people[2]
	o := r.offer("COVISHIELD")
	enter := func(hold id.Hold, who ...id.Person) error {
		_, err := r.k.Book(t.Context(), vault.BookRequest{Holder: h, Hold: hold, DrawAt: 1, Dose: 1, Offer: o, Records: r.records(who...)})
		return err
	}
	drawn := func(hold id.Hold, won bool, who ...id.Person) error {
		_, err := r.k.Drawn(t.Context(), vault.DrawnRequest{Hold: hold, Won: won, Persons: who, Records: r.records(who...)})
		return err
	}
	want := func(what string, p id.Person, states ...string) {
		t.Helper()
		row, err := r.k.Person(t.Context(), p)
		if err != nil || len(row.Bookings) != len(states) {
			t.Fatalf("%s: %+v %v", what, row.Bookings, err)
		}
		for i, s := range states {
			if row.Bookings[i].State != s {
				t.Errorf("%s: %q, want %q", what, row.Bookings[i].State, s)
			}
		}
	}
	if err := drawn("h0", true, a); !fault.Is(err, fault.Conflict) {
		t.Errorf("drawn without an entry: %v", err)
	}
	for range 2 {
		if err := enter("h1", a, b); err != nil {
			t.Fatal(err)
		}
	}
	want("entered", a, state.Entered)
	if left := r.unfinished(r.clock()); len(left) != 0 {
		t.Errorf("an entry is work for the sweep: %q", left)
	}
	if err := r.book(h, "x", 1, o, a); fault.CodeOf(err) != "APPOIN0022" {
		t.Errorf("booked beside an entry: %v", err)
	}
	if err := drawn("h1", true, a, b, c); !fault.Is(err, fault.Conflict) {
		t.Errorf("drawn with somebody who did not enter: %v", err)
	}
	want("ended with a stranger", a, state.Released)
	if err := enter("h2", a, b); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := drawn("h2", true, a, b); err != nil {
			t.Fatal(err)
		}
	}
	want("drawn", a, state.Released, state.Live)
	if err := drawn("h2", false, a, b); err != nil {
		t.Fatal(err)
	}
	want("told late that it lost", a, state.Released, state.Live)
	if left := r.unfinished(r.clock()); len(left) != 2 {
		t.Errorf("%q", left)
	}
	// One that lost, and one that withdrew.
	if err := enter("h3", c); err != nil {
		t.Fatal(err)
	}
	if err := drawn("h3", false, c); err != nil {
		t.Fatal(err)
	}
	if err := enter("h4", c); err != nil {
		t.Fatal(err)
	}
	if err := r.cancelHold(h, "h4", c); err != nil {
		t.Fatal(err)
	}
	if err := drawn("h4", true, c); !fault.Is(err, fault.Conflict) {
		t.Errorf("drawn after withdrawing: %v", err)
	}
	want("lost, withdrew", c, state.Released, state.Cancelled)
}

// TestDrawRules: the rules decide again at the draw.
func TestDrawRules(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000201", 1)
	o := r.offer("COVISHIELD")
	_, err := r.k.Book(t.Context(), vault.BookRequest{Holder: p.holder, Hold: "h", DrawAt: 1, Dose: 2, Offer: o, Records: r.records(p.person)})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("entered for the second dose before the first: %v", err)
	}
	if row, err := r.k.Person(t.Context(), p.person); err != nil || len(row.Bookings) != 0 {
		t.Errorf("%+v %v", row.Bookings, err)
	}
}

// TestCloseDraw puts a draw's digest on the ledger once.
func TestCloseDraw(t *testing.T) {
	r := newRig(t)
	digest := "00000000000000000000000000000000000000000000000000000000000000aa"
	one, err := r.k.CloseDraw(t.Context(), vault.CloseDrawRequest{Session: "s", Entries: 3, Digest: digest})
	if err != nil || one.Receipt == "" {
		t.Fatal(one, err)
	}
	again, err := r.k.CloseDraw(t.Context(), vault.CloseDrawRequest{Session: "s", Entries: 3, Digest: digest})
	if err != nil || again != one {
		t.Errorf("%+v, then %+v %v", one, again, err)
	}
	other, err := r.k.CloseDraw(t.Context(), vault.CloseDrawRequest{Session: "s2", Digest: digest})
	if err != nil || other.Index == one.Index {
		t.Errorf("%+v %v", other, err)
	}
	if _, err := r.k.CloseDraw(t.Context(), vault.CloseDrawRequest{Session: "s", Digest: "bb" + digest[2:]}); !fault.Is(err, fault.Conflict) {
		t.Errorf("other entries: %v", err)
	}
	for _, bad := range []vault.CloseDrawRequest{{Session: "s", Digest: "x"}, {Digest: digest}, {Session: "s", Digest: digest, Entries: -1}} {
		if _, err := r.k.CloseDraw(t.Context(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestDrawnTogether: a captured web role gives two households' entries one hold,
// so that the message to one would hold the other's security code.
func TestDrawnTogether(t *testing.T) {
	r := newRig(t)
	mine, victim := r.register("0000000203", 1), r.register("0000000204", 2)
	o := r.offer("COVISHIELD")
	for _, p := range []patient{mine, victim} {
		_, err := r.k.Book(t.Context(), vault.BookRequest{Holder: p.holder, Hold: "h", DrawAt: 1, Dose: 1, Offer: o, Records: r.records(p.person)})
		if err != nil {
			t.Fatal(err)
		}
	}
	both := []id.Person{mine.person, victim.person}
	if _, err := r.k.Drawn(t.Context(), vault.DrawnRequest{Hold: "h", Won: true, Persons: both, Records: r.records(both...)}); err != nil {
		t.Fatal(err)
	}
	code := r.slipCode(victim.holder, "h", victim.person)
	for _, n := range r.messages("booking", 1) {
		if n.Mobile != "0000000203" || strings.Contains(n.Params["people"], ":"+code) || strings.Contains(n.Params["people"], ",") {
			t.Errorf("%s is told %q", n.Mobile, n.Params["people"])
		}
	}
}

// TestDrawChangesMeanwhile: a winner's record that grows between the two steps of
// the draw is brought again; nobody loses the place for it. The rules' refusal of
// the record as it now is does end the entry, and the household is told.
func TestDrawChangesMeanwhile(t *testing.T) {
	var b *midway
	c := newCentre(t, func(r *rig) {
		r.wrap = func(st state.Store) state.Store { b = &midway{Store: st}; return b }
	})
	p := c.register("0000000205", 3)
	o := c.rig.offer("COVISHIELD")
	enter := func(hold id.Hold, p patient) {
		t.Helper()
		_, err := c.k.Book(t.Context(), vault.BookRequest{Holder: p.holder, Hold: hold, DrawAt: 99, Dose: 1, Offer: o, Records: c.records(p.person)})
		if err != nil {
			t.Fatal(err)
		}
	}
	drawn := func(hold id.Hold, p patient) error {
		_, err := c.k.Drawn(t.Context(), vault.DrawnRequest{Hold: hold, Won: true, Persons: []id.Person{p.person}, Records: c.records(p.person)})
		return err
	}
	result := func(p patient, want ...string) {
		t.Helper()
		got, err := c.k.Open(t.Context(), vault.OpenRequest{Holder: p.holder, Records: c.records(p.person)})
		if err != nil || len(got.People[0].Draws) != len(want) {
			t.Fatalf("%+v %v", got, err)
		}
		for i, d := range got.People[0].Draws {
			if d.Result != want[i] || d.DrawAt != 99 || d.Offer.Session != o.Session {
				t.Errorf("%+v, want %q", d, want[i])
			}
		}
	}
	enter("d1", p)
	result(p, vault.DrawWaiting)
	b.act = func() { // a dose of no evidence is sealed and stored
		a, err := c.handOver(c.write(c.vaccinator, map[string]any{"beneficiary_reference_id": p.ref, "center_id": testCentre, "vaccine": "COVISHIELD",
			"vaccine_batch": "L1", "dose": 1, "dose1_date": o.Day.Indian(), "vaccinator_name": "V"}), p.person)
		if err != nil || a.Seal.ID == "" {
			t.Fatalf("%+v %v", a, err)
		}
		c.store(a.Seal, true)
	}
	b.commits = 2 // the opening, then the booking
	err := drawn("d1", p)
	if !fault.Is(err, fault.Conflict) || vault.DrawRefused(err) {
		t.Fatalf("a record that changed meanwhile: %v", err)
	}
	result(p, vault.DrawWaiting)
	if err := drawn("d1", p); err != nil { // with the record as it now is
		t.Fatal(err)
	}
	result(p, vault.DrawWon)
	if n := len(c.messages("undrawn", 0)); n != 0 {
		t.Errorf("a winner got %d messages of having lost", n)
	}

	// One for whom no place was left, and one who withdrew.
	q := c.register("0000000206", 4)
	enter("d2", q)
	if _, err := c.k.Drawn(t.Context(), vault.DrawnRequest{Hold: "d2", Persons: []id.Person{q.person}}); err != nil {
		t.Fatal(err)
	}
	enter("d3", q)
	if err := c.cancelHold(q.holder, "d3", q.person); err != nil {
		t.Fatal(err)
	}
	result(q, vault.DrawNoPlace, vault.DrawWithdrawn)
	told := c.messages("undrawn", 1)
	if len(told) != 1 || told[0].Mobile != "0000000206" || told[0].Params["people"] != string(q.ref)[10:] || told[0].Params["date"] != o.Day.Indian() {
		t.Errorf("told %+v", told)
	}
}
