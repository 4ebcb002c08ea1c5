package keeper

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

const (
	bookingTries = 3 // security codes tried per booking
	noticeLife   = 24 * time.Hour
)

// securityCode is the booking's 4-digit code: derived under the booking key, so
// that the slip can show it again and nothing of it is stored.
func (k *Keeper) securityCode(person id.Person, b state.Booking) string {
	sum := mac(k.keys.sym[purposeBooking], k.keys.realmBytes(), []byte(person), []byte(b.Hold), []byte(b.Nonce))
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(sum)%10_000)
}

// Book implements the vault's word. It first opens the people's dose history as
// a ledgered eligibility view, then, if every rule agrees, makes the presence
// rows of all of them in one transaction.
func (k *Keeper) Book(ctx context.Context, r vault.BookRequest) (vault.Booked, error) {
	if r.Hold == "" || len(r.Records) == 0 {
		return vault.Booked{}, fault.New(fault.Invalid, "USRRES0001", "a booking names a hold and at least one person")
	}
	product, ok := rules.LookupProduct(r.Offer.Product)
	if !ok {
		return vault.Booked{}, fault.New(fault.Invalid, "unknown_product", "the session offers no known vaccine")
	}
	o, err := k.open(ctx, func(t *txn, o *opening) error {
		house, _, err := t.live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.household(house)
		if err != nil {
			return err
		}
		people, records, err := membersOf(h, r.Records, false)
		if err != nil {
			return err
		}
		return t.released(o, people, records, claim{view: viewEligibility, role: "holder", reason: "booking"})
	})
	if err != nil {
		return vault.Booked{}, err
	}
	for _, p := range o.people {
		if err := k.eligible(p, r.Dose, r.Offer); err != nil {
			return vault.Booked{}, err
		}
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		if _, _, err := t.live(r.Holder); err != nil {
			return err
		}
		for _, p := range o.people {
			if err := t.unchanged(p); err != nil {
				return err
			}
			if err := t.bookOne(p.id, r, product.Programme); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return vault.Booked{}, err
	}
	k.bookingNotices(ctx, r.Hold, o.people)
	return vault.Booked{Receipts: append(o.receipts, receipts...)}, nil
}

func (k *Keeper) eligible(p openPerson, dose int, offer vault.Offer) error {
	doc, err := p.identity(k)
	if err != nil {
		return err
	}
	doses, err := p.doses(k)
	if err != nil {
		return err
	}
	d := rules.Evaluate(given(doses), doc.birth(), rules.Want{Product: offer.Product, Dose: dose, Day: offer.Day, MinAge: offer.MinAge, MaxAge: offer.MaxAge})
	if !d.OK {
		f := fault.Newf(fault.Invalid, d.Code, "this dose cannot be booked: %s", d.Code)
		if d.Code == "too_early" {
			f.Text = "this dose cannot be booked before " + d.Earliest.Indian()
		}
		return f
	}
	return nil
}

// unchanged refuses to act on an opened record that has grown since: what the
// rules decided may no longer hold.
func (t *txn) unchanged(o openPerson) error {
	p, err := t.person(o.id)
	if err == nil && p.Seq != o.row.Seq {
		err = fault.New(fault.Conflict, "record", "the record changed meanwhile; try again")
	}
	return err
}

func (t *txn) bookOne(person id.Person, r vault.BookRequest, programme string) error {
	p, err := t.person(person)
	if err != nil {
		return err
	}
	for _, b := range p.Bookings {
		if b.Hold == r.Hold {
			if b.State != state.Live {
				return fault.New(fault.Conflict, "hold", "this hold has ended")
			}
			return nil // repeated
		}
		if b.State == state.Live && b.Programme == programme && !ablate.Off(ablate.OneLiveBooking) {
			return fault.New(fault.Conflict, "APPOIN0022", "somebody already has an appointment; cancel or reschedule it first")
		}
	}
	now := t.k.now().UnixMilli()
	p.Bookings = append(keptBookings(p.Bookings), state.Booking{Hold: r.Hold, Offer: r.Offer, Programme: programme, Dose: r.Dose,
		State: state.Live, Nonce: id.Secret(10), At: now})
	t.append(entry{Kind: "booking", Person: person, House: p.Household, View: "booked", Role: "holder", Evidence: string(r.Hold)})
	if err := t.tx.AddTask(t.ctx, state.Task{ID: taskID("book", r.Hold, person), Kind: "book", Person: person, Ref: string(r.Hold), Since: now}); err != nil {
		return err
	}
	return put(t, state.Persons, string(person), p, 0)
}

// keptBookings keeps the last twenty; older ended ones say nothing any more.
func keptBookings(all []state.Booking) []state.Booking {
	for len(all) >= 20 {
		i := slices.IndexFunc(all, func(b state.Booking) bool { return b.State != state.Live })
		if i < 0 {
			break
		}
		all = slices.Delete(all, i, i+1)
	}
	return all
}

func taskID(kind string, h id.Hold, p id.Person) string {
	return kind + "/" + string(h) + "/" + string(p)
}

// bookingNotices tells the household's mobile: place, day and code. Failing to
// tell does not undo the booking; the slip has the same facts.
func (k *Keeper) bookingNotices(ctx context.Context, hold id.Hold, people []openPerson) {
	for _, op := range people {
		err := k.view(ctx, func(t *txn) error {
			p, err := t.person(op.id)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(p.Bookings, func(b state.Booking) bool { return b.Hold == hold })
			if i < 0 {
				return nil
			}
			b := p.Bookings[i]
			return t.tell(p.Household, Notice{ID: taskID("book", hold, op.id), Template: "booking", Params: map[string]string{
				"date": b.Offer.Day.Indian(), "slot": b.Offer.Slot, "code": k.securityCode(op.id, b)}})
		})
		if err != nil {
			k.log.Warn("booking message not sent", "kind", fault.KindOf(err))
		}
	}
}

// tell opens the household's number for one message.
func (t *txn) tell(house id.Household, n Notice) error {
	h, err := t.household(house)
	if err != nil {
		return err
	}
	mobile, err := t.k.keys.contact.Open(nil, nil, h.Mobile, t.k.contactAAD("mobile", string(house)))
	if err != nil {
		return integrity(state.Households, "a number does not open")
	}
	n.Mobile, n.Language, n.Deadline = string(mobile), "en", t.k.now().Add(noticeLife).UnixMilli()
	t.k.notify(n)
	return nil
}

// Cancel implements the vault's word.
func (k *Keeper) Cancel(ctx context.Context, r vault.CancelRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		house, _, err := t.live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.household(house)
		if err != nil {
			return err
		}
		for _, person := range r.Persons {
			p, err := t.member(h, person)
			if err != nil {
				return err
			}
			if err := t.endBooking(person, p, r.Hold, state.Cancelled); err != nil {
				return err
			}
		}
		return nil
	})
	return done(receipts), err
}

// endBooking ends a live booking; ending one that ended the same way is no
// error, so that a broken-off cancellation can be repeated.
func (t *txn) endBooking(person id.Person, p state.Person, hold id.Hold, how string) error {
	i := slices.IndexFunc(p.Bookings, func(b state.Booking) bool { return b.Hold == hold })
	if i < 0 {
		return fault.New(fault.NotFound, "booking", "no such appointment")
	}
	b := &p.Bookings[i]
	switch b.State {
	case how:
		return nil
	case state.Spent:
		return fault.New(fault.Conflict, "booking", "the dose of this appointment has been recorded")
	case state.Cancelled, state.Released:
		return fault.New(fault.NotFound, "booking", "no such appointment")
	}
	b.State, b.Settled = how, false
	role := "holder"
	if how == state.Released {
		role = "system"
	}
	t.append(entry{Kind: "booking", Person: person, House: p.Household, View: how, Role: role, Evidence: string(hold)})
	if err := t.tx.EndTask(t.ctx, taskID("book", hold, person)); err != nil {
		return err
	}
	if how == state.Cancelled {
		task := state.Task{ID: taskID("cancel", hold, person), Kind: "cancel", Person: person, Ref: string(hold), Since: t.k.now().UnixMilli()}
		if err := t.tx.AddTask(t.ctx, task); err != nil {
			return err
		}
	}
	return put(t, state.Persons, string(person), p, 0)
}

// Release implements the vault's word. Only the worker and the web role's own
// refused bookings use it; it can end presence, never make it.
func (k *Keeper) Release(ctx context.Context, r vault.ReleaseRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		for _, person := range r.Persons {
			p, ok, err := get[state.Person](t, state.Persons, string(person))
			if err != nil {
				return err
			}
			open, err := t.unsettled(r.Hold, person)
			if err != nil {
				return err
			}
			if !ok || !open {
				continue
			}
			err = t.endBooking(person, p, r.Hold, state.Released)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return done(receipts), err
}

// unsettled reports whether the vault still waits for the registry to finish a
// booking, and ends the wait for a cancellation.
func (t *txn) unsettled(hold id.Hold, person id.Person) (bool, error) {
	if err := t.tx.EndTask(t.ctx, taskID("cancel", hold, person)); err != nil {
		return false, err
	}
	_, open, err := t.tx.GetTask(t.ctx, taskID("book", hold, person))
	return open, err
}

// Settled implements the vault's word.
func (k *Keeper) Settled(ctx context.Context, r vault.SettledRequest) error {
	return k.store.Update(ctx, func(tx state.Tx) error {
		for _, person := range r.Persons {
			ids := []string{taskID("book", r.Hold, person), taskID("cancel", r.Hold, person)}
			if r.Hold == "" {
				ids = []string{removeTask(person)}
			}
			for _, task := range ids {
				if err := tx.EndTask(ctx, task); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Unfinished implements the vault's word.
func (k *Keeper) Unfinished(ctx context.Context, r vault.UnfinishedRequest) (vault.Unfinished, error) {
	if r.Limit < 1 || r.Limit > 500 {
		r.Limit = 100
	}
	out := vault.Unfinished{Work: []vault.Work{}}
	err := k.view(ctx, func(t *txn) error {
		out.Work = out.Work[:0]
		tasks, err := t.tx.ListTasks(ctx, r.Before, r.Limit)
		if err != nil {
			return err
		}
		for _, task := range tasks {
			w := vault.Work{Kind: task.Kind, Person: task.Person, Since: task.Since}
			switch task.Kind {
			case "book", "cancel":
				w.Hold = id.Hold(task.Ref)
				p, err := t.person(task.Person)
				if err != nil {
					return err
				}
				if i := slices.IndexFunc(p.Bookings, func(b state.Booking) bool { return b.Hold == w.Hold }); i >= 0 {
					w.Centre, w.Session = p.Bookings[i].Offer.Centre, p.Bookings[i].Offer.Session
				}
			}
			out.Work = append(out.Work, w)
		}
		return nil
	})
	return out, err
}

// Slip implements the vault's word.
func (k *Keeper) Slip(ctx context.Context, r vault.SlipRequest) (vault.Slip, error) {
	var out vault.Slip
	o, err := k.open(ctx, func(t *txn, o *opening) error {
		out = vault.Slip{}
		house, _, err := t.live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.household(house)
		if err != nil {
			return err
		}
		people, records, err := membersOf(h, r.Records, false)
		if err != nil {
			return err
		}
		if err := t.released(o, people, records, claim{view: viewSlip, role: "holder"}); err != nil {
			return err
		}
		o.people = slices.DeleteFunc(o.people, func(p openPerson) bool {
			i := slices.IndexFunc(p.row.Bookings, func(b state.Booking) bool {
				return b.Hold == r.Hold && (b.State == state.Live || b.State == state.Spent)
			})
			if i >= 0 {
				out.Offer = p.row.Bookings[i].Offer
			}
			return i < 0
		})
		if len(o.people) == 0 {
			return fault.New(fault.NotFound, "booking", "no such appointment")
		}
		return nil
	})
	if err != nil {
		return vault.Slip{}, err
	}
	out.ViewRef, out.Receipts = k.viewRef(o.viewID), o.receipts
	for _, p := range o.people {
		doc, err := p.identity(k)
		if err != nil {
			return vault.Slip{}, err
		}
		i := slices.IndexFunc(p.row.Bookings, func(b state.Booking) bool { return b.Hold == r.Hold })
		b := p.row.Bookings[i]
		out.People = append(out.People, vault.SlipPerson{Person: p.id, Reference: doc.Reference, Name: doc.Name, BirthYear: doc.BirthYear,
			IDType: doc.IDType, IDLast4: doc.IDLast4, Dose: b.Dose, Code: k.securityCode(p.id, b)})
	}
	return out, nil
}

// rightCodeFor finds the live booking of a person in an open session and checks
// its code; the try is counted whether or not it is right.
func (t *txn) rightCodeFor(person id.Person, p *state.Person, s state.OpenSession, code string) (int, bool) {
	i := slices.IndexFunc(p.Bookings, func(b state.Booking) bool {
		return b.State == state.Live && b.Offer.Centre == s.Centre && b.Offer.Session == s.Session && b.Offer.Day == s.Day
	})
	if i < 0 {
		return -1, false
	}
	b := &p.Bookings[i]
	if b.Tries >= bookingTries {
		return i, false
	}
	if !hmac.Equal([]byte(code), []byte(t.k.securityCode(person, *b))) {
		b.Tries++
		return i, false
	}
	return i, true
}
