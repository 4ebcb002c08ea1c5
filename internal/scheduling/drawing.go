package scheduling

import (
	"context"
	"errors"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

func noDraw() error { return fault.New(fault.NotFound, "draw", "no such draw") }

// Applied is what a request for places came to: an appointment, or with Entry
// above 0 an entry of a draw, held on DrawAt (Unix milliseconds).
type Applied struct {
	Hold   id.Hold
	Entry  int
	DrawAt int64
}

// Apply books like Book or, where places are drawn and the draw is still to
// come, enters the people into the draw; the same people enter once and get the
// same number again. fault.Conflict while a draw is under way.
func (s *Service) Apply(ctx context.Context, h vault.Holder, in BookInput) (Applied, error) {
	if err := in.check(); err != nil {
		return Applied{}, err
	}
	if s.knownFull(in) {
		return Applied{}, fullNow()
	}
	_, terms, err := s.session(ctx, in.Session)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Applied{}, err
	}
	if err == nil && terms.DrawAt > 0 {
		d, err := s.store.FindDraw(ctx, terms.Centre, terms.ID)
		if err != nil {
			return Applied{}, err
		}
		if d.State == DrawOpen && s.now().UnixMilli() < terms.DrawAt {
			return s.enter(ctx, h, in)
		}
		if d.State != DrawDone {
			return Applied{}, fault.New(fault.Conflict, "draw", "the entries for this session's draw are closed; the result will be published")
		}
	}
	hold, err := s.Book(ctx, h, in)
	return Applied{Hold: hold}, err
}

// enter puts people into a draw. The number is stored first and the vault then
// grants or refuses; an entry whose grant was not seen is decided when its turn
// comes, by the same vault.
func (s *Service) enter(ctx context.Context, h vault.Holder, in BookInput) (Applied, error) {
	b := &booking{holder: h, in: in}
	var err error
	if b.household, b.people, err = s.records.Members(ctx, h, in.References); err != nil {
		return Applied{}, err
	}
	if err := s.offered(ctx, b); err != nil {
		return Applied{}, err
	}
	slices.Sort(b.people)
	mine := id.Hold(id.New())
	e, err := s.store.Enter(ctx, b.session.Centre, Entry{Session: in.Session, Hold: mine, Dose: in.Dose, Slot: in.Slot,
		People: b.people, State: Waiting, Created: s.now().UnixMilli()})
	if err != nil {
		return Applied{}, err
	}
	err = s.fresh(func() (err error) {
		if b.records, err = s.records.Records(ctx, e.People); err != nil {
			return err
		}
		return s.grant(ctx, vault.BookRequest{Holder: h, Hold: e.Hold, DrawAt: b.session.DrawAt, Dose: e.Dose, Offer: b.session.offer(e.Slot), Records: b.records})
	})
	if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Unknown) {
		return Applied{}, err
	}
	if err != nil && e.Hold != mine { // it was asked for again: the entry that stands goes on
		return Applied{}, err
	}
	if err != nil {
		return Applied{}, errors.Join(err, s.store.EndEntry(ctx, b.session.Centre, e.Session, e.Number, Refused))
	}
	return Applied{Hold: e.Hold, Entry: e.Number, DrawAt: b.session.DrawAt}, nil
}

// Drawer holds draws that are due. It belongs to the worker. Every step is
// stored before the next, so that a draw goes on where it broke off, with the
// same seed and the same order.
type Drawer struct {
	s          *Service
	due        DueDraws
	checkpoint func() (text string, size int64, err error)
}

// NewDrawer makes it over the sessions of all buckets and the ledger's newest
// published checkpoint with the number of entries it covers.
func NewDrawer(s *Service, due DueDraws, checkpoint func() (string, int64, error)) *Drawer {
	return &Drawer{s: s, due: due, checkpoint: checkpoint}
}

// drawHold is how long a place is held for a drawn entry: so long that the draw
// itself goes on with it after any break, before the sweep ends it. A vault that
// is away for a day must cost no winner the place.
const drawHold = 7 * 24 * time.Hour

// drawPatience is how long a draw waits for an appointment that the registry still
// has in the way of a winner and that the vault says is over.
const drawPatience = time.Hour

// drawsAtOnce bounds the draws looked at in one round.
const drawsAtOnce = 20

// Run carries every due draw as far as it can be carried and returns how many
// ended. A failure does not stop the others.
func (w *Drawer) Run(ctx context.Context, now time.Time) (n int, err error) {
	due, err := w.due.DueDraws(ctx, now.UnixMilli(), drawsAtOnce)
	for _, v := range due {
		done, e := w.draw(ctx, v, now.UnixMilli())
		err = errors.Join(err, e)
		if done {
			n++
		}
	}
	return n, err
}

func (w *Drawer) draw(ctx context.Context, v Session, now int64) (bool, error) {
	d, err := w.s.store.FindDraw(ctx, v.Centre, v.ID)
	if err != nil {
		return false, err
	}
	put := func() error {
		if err := settle(func() error { return w.s.store.PutDraw(ctx, v.Centre, d) }); err != nil {
			return err
		}
		// What is stored rules: another worker may have been first.
		d, err = w.s.store.FindDraw(ctx, v.Centre, v.ID)
		return err
	}
	if d.State == DrawOpen {
		d = Draw{Session: v.ID, State: DrawClosed, Place: -1, Closed: now}
		if err := put(); err != nil { // the store counts and digests the entries
			return false, err
		}
	}
	if d.Place < 0 {
		got, err := w.s.vault.CloseDraw(ctx, vault.CloseDrawRequest{Session: v.ID, Entries: d.Entries, Digest: d.Digest})
		if err != nil {
			return false, err
		}
		d.Receipt, d.Place = got.Receipt, got.Index
		if err := put(); err != nil {
			return false, err
		}
	}
	if d.State == DrawClosed {
		text, size, err := w.checkpoint()
		if err != nil || size <= d.Place {
			return false, err // not published yet
		}
		d.Checkpoint, d.Seed, d.State = text, DrawSeed(d.Digest, text), DrawSeeded
		if err := put(); err != nil {
			return false, err
		}
	}
	if d.State == DrawSeeded {
		if err := w.give(ctx, v, d); err != nil {
			return false, err
		}
		d.State, d.Drawn = DrawDone, now
		return true, put()
	}
	return false, nil
}

// give lets the entries have their turns in the order of the draw.
func (w *Drawer) give(ctx context.Context, v Session, d Draw) error {
	entries, err := w.s.store.Entries(ctx, v.Centre, v.ID)
	if err != nil {
		return err
	}
	for _, number := range DrawOrder(d.Seed, d.Entries) {
		if number > len(entries) {
			return fault.New(fault.Integrity, "draw", "an entry of a draw is missing")
		}
		e := entries[number-1]
		if e.State != Waiting {
			continue
		}
		how, err := w.turn(ctx, v, e)
		if err != nil {
			return err
		}
		if err := settle(func() error { return w.s.store.EndEntry(ctx, v.Centre, v.ID, e.Number, how) }); err != nil {
			return err
		}
		if err := w.s.step("draw:after-entry"); err != nil {
			return err
		}
	}
	return nil
}

// turn books one entry's people if there is room and the vault agrees. It may
// be repeated after any break.
func (w *Drawer) turn(ctx context.Context, v Session, e Entry) (EntryState, error) {
	s, now := w.s, w.s.now()
	h := Hold{ID: e.Hold, Centre: v.Centre, Session: v.ID, Dose: e.Dose, State: Holding, Created: now.UnixMilli(), Expires: now.Add(drawHold).UnixMilli(), Persons: e.People}
	err := settle(func() (err error) { h, err = s.store.Hold(ctx, h); return err })
	if fault.Is(err, fault.Full) {
		_, err := s.vault.Drawn(ctx, vault.DrawnRequest{Hold: e.Hold, Persons: e.People})
		return NotDrawn, err
	}
	if err != nil {
		return 0, err
	}
	switch h.State {
	case Confirmed:
		return Drawn, nil
	case Released:
		_, err := s.vault.Drawn(ctx, vault.DrawnRequest{Hold: e.Hold, Persons: e.People})
		return Refused, err
	}
	if err := s.step("draw:after-hold"); err != nil {
		return 0, err
	}
	err = s.drawn(ctx, e)
	if err != nil && !vault.DrawRefused(err) {
		return 0, err // nobody is refused for a fault that passes: the draw goes on here
	}
	b := &booking{session: v, in: BookInput{Slot: e.Slot}}
	for i := 0; err == nil && i < len(e.People); i++ {
		err = s.bind(ctx, b.appointment(h, e.People[i]))
	}
	inTheWay := fault.CodeOf(err) == codeBooked && now.UnixMilli() < h.Created+drawPatience.Milliseconds()
	if err != nil && (inTheWay || !fault.Is(err, fault.Conflict) && !vault.DrawRefused(err)) {
		return 0, err
	}
	if err != nil {
		whole, err := s.finish(ctx, h)
		if whole {
			return Drawn, err
		}
		return Refused, err
	}
	return Drawn, s.close(ctx, []Hold{h})
}

// drawn asks the vault for a winner's people. A record that changed while the
// vault looked at it is brought again, a few times at once and then by the next
// round.
func (s *Service) drawn(ctx context.Context, e Entry) (err error) {
	for range tries {
		err = s.fresh(func() error {
			recs, err := s.records.Records(ctx, e.People)
			if err != nil {
				return err
			}
			_, err = s.vault.Drawn(ctx, vault.DrawnRequest{Hold: e.Hold, Won: true, Persons: e.People, Records: recs})
			return err
		})
		if !fault.Is(err, fault.Conflict) || vault.DrawRefused(err) {
			break
		}
	}
	return err
}
