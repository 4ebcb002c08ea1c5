package keeper

import (
	"context"
	"errors"
	"log/slog"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// bookItem is one booking of a BookMany.
type bookItem struct {
	req       vault.BookRequest
	programme string
	err       error
	o         release.Opening
	from, to  int // its entries among the transaction's
	receipts  []string
}

// errAlone ends a shared transaction in which one booking failed after it had
// written something: every booking then gets transactions of its own.
var errAlone = errors.New("a booking failed half-way")

// BookMany implements the vault's word. It does for each item what Book does,
// in the same order: the openings of all are durable before anything of
// anybody is decrypted, then the rules decide for each, then the presence rows
// of those who may are made. A refusal concerns its own item only.
func (k *Keeper) BookMany(ctx context.Context, r vault.BookManyRequest) (vault.BookedMany, error) {
	if len(r.Items) == 0 || len(r.Items) > vault.MaxBookings {
		return vault.BookedMany{}, fault.New(fault.Invalid, "items", "one to 64 bookings are wanted")
	}
	items := make([]*bookItem, len(r.Items))
	for i, req := range r.Items {
		items[i] = &bookItem{req: req}
		items[i].programme, items[i].err = bookingForm(req)
	}
	err := errAlone
	if !ablate.Off(ablate.ReceiptFirst) { // its control needs the one way through open
		err = k.bookTogether(ctx, items, r.Receipts)
	}
	if errors.Is(err, errAlone) {
		for _, it := range items {
			var b vault.Booked
			it.req.Receipts = r.Receipts
			b, it.err = k.Book(ctx, it.req)
			it.receipts = b.Receipts
		}
		err = nil
	}
	if err != nil {
		return vault.BookedMany{}, err
	}
	out := vault.BookedMany{Items: make([]vault.BookedOne, len(items))}
	for i, it := range items {
		out.Items[i].Receipts = it.receipts
		if it.err != nil {
			f := failureOf(k.log, vault.MethodBookMany, it.err)
			out.Items[i] = vault.BookedOne{Failed: &f}
		}
	}
	return out, nil
}

func (k *Keeper) bookTogether(ctx context.Context, items []*bookItem, receipts bool) error {
	if err := k.each(ctx, items, receipts, (*txn).openFor); err != nil {
		return err
	}
	ablate.Crash("open:after-receipt")
	for _, it := range items {
		if it.err == nil {
			it.err = k.mayBook(it)
		}
	}
	return k.each(ctx, items, receipts, (*txn).bookFor)
}

// each runs one step of every booking that is still to be granted in one
// transaction and gives each the receipts of its own entries when signed is wanted. A step that
// fails before its first write refuses its booking alone.
func (k *Keeper) each(ctx context.Context, items []*bookItem, signed bool, step func(*txn, *bookItem) error) error {
	refused := make([]error, len(items))
	any := false
	receipts, err := k.update(ctx, func(t *txn) error {
		t.Quiet = !signed
		for i, it := range items {
			if refused[i] = nil; it.err != nil {
				continue
			}
			any = true
			from, before := t.Written()
			err := step(t, it)
			to, after := t.Written()
			it.from, it.to = from, to
			switch {
			case errors.Is(err, engine.ErrAgain):
				return err
			case err != nil && (to > from || after > before):
				return errAlone
			case err != nil:
				refused[i] = err
			}
		}
		return nil
	})
	if err != nil || !any {
		return err
	}
	for i, it := range items {
		if it.err != nil {
			continue
		}
		if it.err = refused[i]; it.err == nil && signed {
			it.receipts = append(it.receipts, receipts[it.from:it.to]...)
		}
	}
	return nil
}

// openFor is the opening of one booking's dose histories.
func (t *txn) openFor(it *bookItem) error {
	it.o = release.Opening{}
	return t.openForBooking(&it.o, it.req)
}

// openForBooking appends the eligibility openings of a booking.
func (t *txn) openForBooking(o *release.Opening, r vault.BookRequest) error {
	house, _, err := t.Early(r.Holder)
	if err != nil {
		return err
	}
	if err := t.within(boundBookings, house); err != nil {
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
	return t.Release(o, people, records, release.Claim{View: viewEligibility, Role: "holder", Reason: "booking"})
}

// bookFor makes the presence rows of one booking.
func (t *txn) bookFor(it *bookItem) error { return t.bookAll(it.o.People, it.req, it.programme) }

// bookAll makes the presence rows of all people of a booking or, with an error
// before the first of them is written, of none. The message to the household is
// part of it.
func (t *txn) bookAll(people []release.Person, r vault.BookRequest, programme string) error {
	house, _, err := t.Early(r.Holder)
	if err != nil {
		return err
	}
	rows := make([]state.Person, len(people))
	repeated := make([]bool, len(people))
	for i, p := range people {
		if rows[i], err = t.Person(p.ID); err != nil {
			return err
		}
		if err := p.Grown(rows[i]); err != nil {
			return err
		}
		rows[i] = t.missed(rows[i])
		if repeated[i], err = bookable(rows[i], r, programme); err != nil {
			return err
		}
		if !repeated[i] {
			if err := t.cooled(rows[i], r.Offer.Session); err != nil {
				return err
			}
		}
	}
	var booked []id.Person
	for i, p := range people {
		if repeated[i] {
			continue // it was told
		}
		if err := t.bookOne(p.ID, rows[i], r, programme, engine.Entry{Role: "holder"}); err != nil {
			return err
		}
		booked = append(booked, p.ID)
	}
	if len(booked) == 0 || r.DrawAt > 0 { // there is nothing to tell before the draw
		return nil
	}
	return t.bookingNotices(house, r.Hold, r.Old, r.Offer, booked)
}

// bookable says whether a person may take a hold, or took it before.
func bookable(p state.Person, r vault.BookRequest, programme string) (repeated bool, err error) {
	if r.Old != "" {
		if err := movable(p, r, programme); err != nil {
			return false, err
		}
	}
	for _, b := range p.Bookings {
		if b.Hold == r.Hold {
			if !pendingDraw(b) {
				return false, holdEnded()
			}
			return true, nil
		}
		if pendingDraw(b) && b.Hold != r.Old && b.Programme == programme && !ablate.Off(ablate.OneLiveBooking) {
			return false, fault.New(fault.Conflict, "APPOIN0022", "this person already has an appointment; cancel it first")
		}
	}
	return false, nil
}

// bookingForm checks what can be checked without looking anything up, and
// returns the programme of the product.
func bookingForm(r vault.BookRequest) (programme string, err error) {
	if r.Hold == "" || len(r.Records) == 0 {
		return "", fault.New(fault.Invalid, "USRRES0001", "a booking names a hold and at least one person")
	}
	product, ok := rules.LookupProduct(r.Offer.Product)
	if !ok {
		return "", fault.New(fault.Invalid, "unknown_product", "the session offers no known vaccine")
	}
	return product.Programme, nil
}

// mayBook opens, after the entries, what the rules judge.
func (k *Keeper) mayBook(it *bookItem) error {
	if err := it.o.Unwrap(k.keys); err != nil {
		return err
	}
	for _, p := range it.o.People {
		if err := k.eligible(p, it.req.Dose, it.req.Offer); err != nil {
			return err
		}
	}
	return nil
}

// SettledMany implements the vault's word.
func (k *Keeper) SettledMany(ctx context.Context, r vault.SettledManyRequest) error {
	if len(r.Items) > vault.MaxSettled {
		return fault.New(fault.Invalid, "items", "too many reports at once")
	}
	for _, one := range r.Items {
		if err := settledKind(one.Kind); err != nil {
			return err
		}
	}
	return k.store.Update(ctx, func(tx state.Tx) error {
		for _, one := range r.Items {
			if err := endTasks(ctx, tx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

func settledKind(kind string) error {
	switch kind {
	case vault.WorkBook, vault.WorkCancel, vault.WorkRemove, vault.WorkLink, vault.WorkMerge:
		return nil
	}
	return fault.New(fault.Invalid, "kind", "no such kind of work")
}

// endTasks ends the work that a report is about.
func endTasks(ctx context.Context, tx state.Tx, r vault.SettledRequest) error {
	for _, person := range r.Persons {
		task := taskID(r.Kind, r.Hold, person)
		switch r.Kind {
		case vault.WorkRemove:
			task = removeTask(person)
		case vault.WorkLink:
			task = linkTask(person)
		case vault.WorkMerge:
			task = release.MergeTask(string(r.Hold))
		}
		if err := tx.EndTask(ctx, task); err != nil {
			return err
		}
	}
	return nil
}

// failureOf is an error as the caller sees it; what is a fault of ours is logged
// and told without its text.
func failureOf(log *slog.Logger, name string, err error) vault.Failure {
	f := vault.Failure{Kind: fault.KindOf(err), Code: fault.CodeOf(err), RetryAfterMS: fault.RetryAfter(err).Milliseconds()}
	switch f.Kind {
	case fault.Internal, fault.Integrity, fault.Unavailable, fault.Unknown:
		log.Error("vault method failed", "method", name, "kind", f.Kind, "code", f.Code, "error", err.Error())
		f.Text = "the vault could not do this"
	default:
		f.Text = fault.TextOf(err)
	}
	return f
}
