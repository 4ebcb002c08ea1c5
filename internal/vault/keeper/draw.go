package keeper

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// drawTopic finds the ledger entry of a session's draw.
func drawTopic(s id.Session) id.Person { return id.Person("draw/" + string(s)) }

// CloseDraw implements the vault's word. The entry is about no person.
func (k *Keeper) CloseDraw(ctx context.Context, r vault.CloseDrawRequest) (vault.DrawCommitted, error) {
	if raw, err := hex.DecodeString(r.Digest); err != nil || len(raw) != 32 || r.Session == "" || len(r.Session) > 64 || r.Entries < 0 {
		return vault.DrawCommitted{}, fault.New(fault.Invalid, "draw", "a draw has a session and a digest")
	}
	var out vault.DrawCommitted
	var made *engine.Entry
	receipts, err := k.update(ctx, func(t *txn) error {
		made = nil
		last, err := t.Tx.ByPerson(ctx, k.keys.PersonTag(drawTopic(r.Session)), 0, 1)
		if err != nil {
			return err
		}
		if len(last) == 1 {
			e, err := k.eng.OpenEntry(last[0])
			if err != nil {
				return err
			}
			if e.Evidence != r.Digest {
				return fault.New(fault.Conflict, "draw", "this draw was closed with other entries")
			}
			out = vault.DrawCommitted{Receipt: k.eng.ReceiptOf(e), Index: e.Index}
			return nil
		}
		made = t.Append(engine.Entry{Kind: "draw", View: "draw closed", Role: "system", Evidence: r.Digest,
			Reason: fmt.Sprintf("session %s, %d entries", r.Session, r.Entries), Topic: drawTopic(r.Session)})
		return nil
	})
	if err == nil && made != nil {
		out = vault.DrawCommitted{Receipt: receipts[0], Index: made.Index}
	}
	return out, err
}

// Drawn implements the vault's word. Evidence is the entry that the holder made
// with a live bearer and that the vault has kept.
func (k *Keeper) Drawn(ctx context.Context, r vault.DrawnRequest) (vault.Booked, error) {
	if r.Hold == "" || len(r.Persons) == 0 || len(r.Persons) > signin.MaxMembers {
		return vault.Booked{}, fault.New(fault.Invalid, "USRRES0001", "a booking names a hold and at least one person")
	}
	if !r.Won {
		receipts, err := k.update(ctx, func(t *txn) error { return t.notDrawn(r, vault.DrawNoPlace) })
		return vault.Booked{Receipts: receipts}, err
	}
	b, err := k.drawn(ctx, r)
	if !vault.DrawRefused(err) { // done, or to be asked again: a record that changed meanwhile ends nobody
		return b, err
	}
	// Refused for good: nobody waits any longer.
	_, ended := k.update(ctx, func(t *txn) error { return t.notDrawn(r, vault.DrawDenied) })
	if ended != nil {
		return vault.Booked{}, ended
	}
	return vault.Booked{}, err
}

func (k *Keeper) drawn(ctx context.Context, r vault.DrawnRequest) (vault.Booked, error) {
	records := map[id.Person]vault.Record{}
	for _, rec := range r.Records {
		records[rec.Person] = rec
	}
	repeated := false
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		live := 0
		for _, person := range r.Persons {
			b, err := t.entered(person, r.Hold)
			if err != nil {
				return err
			}
			if b.State == state.Live {
				live++
			}
		}
		if repeated = live == len(r.Persons); repeated {
			return nil
		}
		return t.Release(o, r.Persons, records, release.Claim{View: viewEligibility, Role: "system", Reason: "draw"})
	})
	if err != nil || repeated {
		return vault.Booked{}, err
	}
	if len(o.People) != len(r.Persons) { // somebody's registration ended in another one since they entered
		return vault.Booked{}, holdEnded()
	}
	for _, p := range o.People {
		b := p.Row.Bookings[bookingOf(p.Row, r.Hold)]
		if err := k.eligible(p, b.Dose, b.Offer); err != nil {
			return vault.Booked{}, err
		}
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		for _, p := range o.People {
			if err := t.unchanged(p); err != nil {
				return err
			}
			if err := t.drawOne(p.ID, r.Hold); err != nil {
				return err
			}
		}
		if len(o.People) == 0 {
			return nil
		}
		first := o.People[0].Row
		return t.bookingNotices(first.Household, r.Hold, "", first.Bookings[bookingOf(first, r.Hold)].Offer, r.Persons)
	})
	if err != nil {
		return vault.Booked{}, err
	}
	return vault.Booked{Receipts: append(o.Receipts, receipts...)}, nil
}

// entered is a person's booking that waits for a draw, or was drawn before.
func (t *txn) entered(person id.Person, hold id.Hold) (state.Booking, error) {
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	if err != nil {
		return state.Booking{}, err
	}
	i := bookingOf(p, hold)
	if !ok || p.State == state.Removed || p.State == state.Left || i < 0 || (p.Bookings[i].State != state.Entered && p.Bookings[i].State != state.Live) {
		return state.Booking{}, holdEnded()
	}
	return p.Bookings[i], nil
}

// drawOne makes an entered booking live.
func (t *txn) drawOne(person id.Person, hold id.Hold) error {
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	i := bookingOf(p, hold)
	if i < 0 || (p.Bookings[i].State != state.Entered && p.Bookings[i].State != state.Live) {
		return holdEnded()
	}
	if p.Bookings[i].State == state.Live {
		return nil
	}
	now := t.k.now().UnixMilli()
	p.Bookings = slices.Clone(p.Bookings)
	p.Bookings[i].State, p.Bookings[i].At, p.Bookings[i].Drawn = state.Live, now, vault.DrawWon
	t.Append(engine.Entry{Kind: "booking", Person: person, House: p.Household, View: "drawn", Role: "system", Evidence: string(hold)})
	if err := t.Tx.AddTask(t.Ctx, state.Task{ID: taskID("book", hold, person), Kind: "book", Person: person, Ref: string(hold), Since: now}); err != nil {
		return err
	}
	return engine.Put(t, state.Persons, string(person), p, 0)
}

func holdEnded() error { return fault.New(fault.Conflict, vault.CodeHoldEnded, "this hold has ended") }

// notDrawn ends bookings that wait for a draw; others stay as they are. The
// people's household is told.
func (t *txn) notDrawn(r vault.DrawnRequest, how string) error {
	var house id.Household
	var centre id.Centre
	var ended []id.Person
	for _, person := range r.Persons {
		p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
		if err != nil {
			return err
		}
		i := bookingOf(p, r.Hold)
		if !ok || i < 0 || p.Bookings[i].State != state.Entered {
			continue
		}
		p.Bookings = slices.Clone(p.Bookings)
		p.Bookings[i].State, p.Bookings[i].Drawn = state.Released, how
		if house == "" {
			house, centre = p.Household, p.Bookings[i].Offer.Centre
		}
		ended = append(ended, person)
		t.Append(engine.Entry{Kind: "booking", Person: person, House: p.Household, View: drawnView(how), Role: "system", Evidence: string(r.Hold)})
		if err := engine.Put(t, state.Persons, string(person), p, 0); err != nil {
			return err
		}
	}
	if len(ended) == 0 {
		return nil
	}
	n := state.Notice{ID: "undrawn/" + string(r.Hold), Household: house, Kind: noticeUndrawn, Hold: r.Hold, Persons: ended, Centre: centre}
	_, err := t.notice(n, 0, noticeLife)
	return err
}

// drawnView is how an ended entry is called on the ledger.
func drawnView(how string) string {
	if how == vault.DrawNoPlace {
		return "not drawn"
	}
	return "refused"
}

// drawsOf are a person's entries in draws, the oldest first.
func drawsOf(p state.Person) []vault.DrawEntry {
	var out []vault.DrawEntry
	for _, b := range p.Bookings {
		if b.DrawAt == 0 {
			continue
		}
		e := vault.DrawEntry{Hold: b.Hold, Offer: b.Offer, Dose: b.Dose, DrawAt: b.DrawAt, Result: b.Drawn}
		switch {
		case e.Result == vault.DrawWon && b.State == state.Released: // the registry could not take it
			e.Result = vault.DrawDenied
		case e.Result != "":
		case b.State == state.Entered:
			e.Result = vault.DrawWaiting
		default:
			e.Result = vault.DrawWithdrawn
		}
		out = append(out, e)
	}
	return out
}

// pendingDraw says whether a booking keeps its person from another one of the
// programme: it is live, or waits for a draw.
func pendingDraw(b state.Booking) bool { return b.State == state.Live || b.State == state.Entered }
