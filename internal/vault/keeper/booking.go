package keeper

import (
	"cmp"
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

const bookingTries = 3 // security codes tried per booking

// securityCode is the booking's 4-digit code: derived under the booking key, so
// that the slip can show it again and nothing of it is stored.
func (k *Keeper) securityCode(person id.Person, b state.Booking) string {
	sum := k.keys.MAC(keyring.PurposeBooking, k.keys.RealmBytes(), []byte(person), []byte(b.Hold), []byte(b.Nonce))
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(sum)%10_000)
}

// Book implements the vault's word. It first opens the people's dose history as
// a ledgered eligibility view, then, if every rule agrees, makes the presence
// rows of all of them in one transaction.
func (k *Keeper) Book(ctx context.Context, r vault.BookRequest) (vault.Booked, error) {
	programme, err := bookingForm(r)
	if err != nil {
		return vault.Booked{}, err
	}
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error { t.Quiet = !r.Receipts; return t.openForBooking(o, r) })
	if err != nil {
		return vault.Booked{}, err
	}
	for _, p := range o.People {
		if err := k.eligible(p, r.Dose, r.Offer); err != nil {
			return vault.Booked{}, err
		}
	}
	receipts, err := k.update(ctx, func(t *txn) error { t.Quiet = !r.Receipts; return t.bookAll(o.People, r, programme) })
	if err != nil {
		return vault.Booked{}, err
	}
	return vault.Booked{Receipts: append(o.Receipts, receipts...)}, nil
}

func (k *Keeper) eligible(p release.Person, dose int, offer vault.Offer) error {
	doc, err := p.Identity(k.keys)
	if err != nil {
		return err
	}
	doses, err := p.Doses(k.keys)
	if err != nil {
		return err
	}
	d := rules.Evaluate(release.Given(doses), doc.Birth(), rules.Want{Product: offer.Product, Dose: dose, Day: offer.Day, MinAge: offer.MinAge, MaxAge: offer.MaxAge})
	if !d.OK {
		return ineligible(d)
	}
	return nil
}

// ineligible says in words why a dose may not be given.
func ineligible(d rules.Decision) error {
	text := map[string]string{
		rules.CodeComplete:       "all doses of this vaccine are recorded",
		rules.CodeWrongDose:      "this is not the next dose",
		rules.CodeTooYoung:       "the person is too young for this session or vaccine",
		rules.CodeTooOld:         "the person is too old for this session or vaccine",
		rules.CodeOtherProduct:   "the earlier dose was of another vaccine",
		rules.CodeUnknownProduct: "the session offers no known vaccine",
		rules.CodeTooEarly:       "this dose cannot be booked before " + d.Earliest.Indian(),
	}
	return fault.New(fault.Invalid, d.Code, text[d.Code])
}

// unchanged refuses to act on an opened record that has grown since: what the
// rules decided may no longer hold.
func (t *txn) unchanged(o release.Person) error {
	p, err := t.Person(o.ID)
	if err == nil {
		err = o.Grown(p)
	}
	return err
}

// bookOne makes the presence row of a person who may take the hold. by says
// who booked it, and where: the person sees it.
func (t *txn) bookOne(person id.Person, p state.Person, r vault.BookRequest, programme string, by engine.Entry) error {
	if busy, err := t.Merging(p); err != nil || busy {
		return cmp.Or(err, release.ErrMerging())
	}
	now, how := t.k.now().UnixMilli(), "booked"
	if r.Old != "" {
		how = "moved"
		p.Bookings[bookingOf(p, r.Old)].State = state.Moved
	}
	became := state.Live
	if r.DrawAt > 0 {
		how, became = "entered in a draw", state.Entered
	}
	p.Bookings = keptBookings(append(p.Bookings, state.Booking{Hold: r.Hold, From: r.Old, Offer: r.Offer, Programme: programme, Dose: r.Dose,
		State: became, Nonce: id.Secret(10), At: now, DrawAt: r.DrawAt}))
	by.Kind, by.Person, by.House, by.View, by.Evidence = "booking", person, p.Household, how, string(r.Hold)
	t.Append(by)
	if became == state.Live { // an entry is the draw's to end
		task := state.Task{ID: taskID("book", r.Hold, person), Kind: "book", Person: person, Ref: string(r.Hold), Since: now}
		if err := t.Tx.AddTask(t.Ctx, task); err != nil {
			return err
		}
	}
	return engine.Put(t, state.Persons, string(person), p, 0)
}

// keptBookings keeps the last twenty; older ended ones say nothing any more.
func keptBookings(all []state.Booking) []state.Booking {
	for len(all) > 20 {
		i := slices.IndexFunc(all, func(b state.Booking) bool {
			return !pendingDraw(b) && !(b.State == state.Moved && replaced(all, b.Hold))
		})
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

// Cancel implements the vault's word.
func (k *Keeper) Cancel(ctx context.Context, r vault.CancelRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		house, _, err := t.Early(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		counted := false
		var ended []id.Person
		for _, person := range r.Persons {
			p, err := t.member(h, person)
			if err != nil {
				return err
			}
			if i := bookingOf(p, r.Hold); i >= 0 && p.Bookings[i].State == state.Live {
				ended = append(ended, person)
				if !counted {
					counted = true
					if err := t.within(boundCancels, house); err != nil {
						return err
					}
				}
			}
			if err := t.endBooking(person, p, r.Hold, state.Cancelled); err != nil {
				return err
			}
		}
		return t.cancelNotice(house, r.Hold, ended)
	})
	return done(receipts), err
}

var errDosePending = fault.New(fault.Conflict, "booking", "the dose of this appointment is being recorded")

// endBooking ends a live booking; ending one that ended the same way is no
// error, so that a broken-off cancellation can be repeated. While its dose is
// sealed and waits to be stored, a booking does not end; a seal that was never
// stored is waited for a day.
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
	case state.Cancelled, state.Released, state.Moved, state.Missed:
		return fault.New(fault.NotFound, "booking", "no such appointment")
	}
	if slices.ContainsFunc(release.UnderWay(p, t.k.now()), func(s state.Seal) bool { return s.Hold == hold }) {
		return errDosePending
	}
	b.State, b.Settled = how, false
	if from := bookingOf(p, b.From); how == state.Released && from >= 0 && p.Bookings[from].State == state.Moved {
		p.Bookings[from].State = state.Live // the move came to nothing
	}
	role := "holder"
	if how == state.Released {
		role = "system"
	}
	t.Append(engine.Entry{Kind: "booking", Person: person, House: p.Household, View: how, Role: role, Evidence: string(hold)})
	if err := t.Tx.EndTask(t.Ctx, taskID("book", hold, person)); err != nil {
		return err
	}
	if how == state.Cancelled {
		task := state.Task{ID: taskID("cancel", hold, person), Kind: "cancel", Person: person, Ref: string(hold), Since: t.k.now().UnixMilli()}
		if err := t.Tx.AddTask(t.Ctx, task); err != nil {
			return err
		}
	}
	return engine.Put(t, state.Persons, string(person), p, 0)
}

// Release implements the vault's word. Only the worker and the web role's own
// refused bookings use it; it can end presence, never make it.
func (k *Keeper) Release(ctx context.Context, r vault.ReleaseRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		for _, person := range r.Persons {
			p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
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
			if errors.Is(err, errDosePending) {
				continue // asked again until the dose is stored or given up
			}
			if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) { // over, or spent by a dose
				err = t.Tx.EndTask(ctx, taskID("book", r.Hold, person))
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
	if err := t.Tx.EndTask(t.Ctx, taskID("cancel", hold, person)); err != nil {
		return false, err
	}
	_, open, err := t.Tx.GetTask(t.Ctx, taskID("book", hold, person))
	return open, err
}

// Settled implements the vault's word. It ends work of the kind reported and no
// other: a booking whose end comes in late may have been cancelled since.
func (k *Keeper) Settled(ctx context.Context, r vault.SettledRequest) error {
	if err := settledKind(r.Kind); err != nil {
		return err
	}
	return k.store.Update(ctx, func(tx state.Tx) error { return endTasks(ctx, tx, r) })
}

// Unfinished implements the vault's word.
func (k *Keeper) Unfinished(ctx context.Context, r vault.UnfinishedRequest) (vault.Unfinished, error) {
	if r.Limit < 1 || r.Limit > 500 {
		r.Limit = 100
	}
	out := vault.Unfinished{Work: []vault.Work{}}
	err := k.view(ctx, func(t *txn) error {
		out.Work = out.Work[:0]
		tasks, err := t.Tx.ListTasks(ctx, state.TaskPage{Kind: r.Kind, Before: r.Before, Since: r.After.Since, ID: r.After.Task, Limit: r.Limit})
		if err != nil {
			return err
		}
		for _, task := range tasks {
			w, err := t.work(task)
			if fault.Is(err, fault.Integrity) { // one bad row must not hide the others
				k.log.Error("unfinished work is left out: its person's row cannot be trusted", "task", task.Kind, "hold", task.Ref)
				continue
			}
			if err != nil {
				return err
			}
			out.Work = append(out.Work, w)
		}
		out.Next = vault.WorkMark{}
		if n := len(tasks); n == r.Limit {
			out.Next = vault.WorkMark{Since: tasks[n-1].Since, Task: tasks[n-1].ID}
		}
		return nil
	})
	return out, err
}

// work is a task as the worker sees it.
func (t *txn) work(task state.Task) (vault.Work, error) {
	w := vault.Work{Kind: task.Kind, Person: task.Person, Since: task.Since}
	if task.Kind == vault.WorkRemove || task.Kind == vault.WorkLink || task.Kind == vault.WorkMerge {
		return w, t.peopleWork(task, &w)
	}
	if task.Kind != vault.WorkBook && task.Kind != vault.WorkCancel {
		return w, nil
	}
	w.Hold = id.Hold(task.Ref)
	p, err := t.Person(task.Person)
	if err != nil {
		return w, err
	}
	if i := slices.IndexFunc(p.Bookings, func(b state.Booking) bool { return b.Hold == w.Hold }); i >= 0 {
		w.Centre, w.Session = p.Bookings[i].Offer.Centre, p.Bookings[i].Offer.Session
	}
	return w, nil
}

// Slip implements the vault's word.
func (k *Keeper) Slip(ctx context.Context, r vault.SlipRequest) (vault.Slip, error) {
	var out vault.Slip
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		out = vault.Slip{}
		house, _, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		people, records, err := signin.MembersOf(h, r.Records, false)
		if err != nil {
			return err
		}
		if err := t.Release(o, people, records, release.Claim{View: viewSlip, Role: "holder"}); err != nil {
			return err
		}
		o.People = slices.DeleteFunc(o.People, func(p release.Person) bool {
			i := slices.IndexFunc(p.Row.Bookings, func(b state.Booking) bool {
				return b.Hold == r.Hold && (b.State == state.Live || b.State == state.Spent)
			})
			if i >= 0 {
				out.Offer = p.Row.Bookings[i].Offer
			}
			return i < 0
		})
		if len(o.People) == 0 {
			return fault.New(fault.NotFound, "booking", "no such appointment")
		}
		return nil
	})
	if err != nil {
		return vault.Slip{}, err
	}
	out.ViewRef, out.Receipts = k.release.ViewRef(o.ViewID), o.Receipts
	for _, p := range o.People {
		doc, err := p.Identity(k.keys)
		if err != nil {
			return vault.Slip{}, err
		}
		i := slices.IndexFunc(p.Row.Bookings, func(b state.Booking) bool { return b.Hold == r.Hold })
		b := p.Row.Bookings[i]
		out.People = append(out.People, vault.SlipPerson{Person: p.ID, Reference: doc.Reference, Name: doc.Name, BirthYear: doc.BirthYear,
			IDType: doc.IDType, IDLast4: doc.IDLast4, Dose: b.Dose, Code: k.securityCode(p.ID, b)})
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
