package registry

import (
	"context"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// WrittenState says what became of a dose that was recorded write-only.
type WrittenState int

// The states of a dose that was recorded write-only.
const (
	WrittenWaits   WrittenState = 1 // for the vault
	WrittenSealed  WrittenState = 2 // in a person's record
	WrittenNobody  WrittenState = 3 // its reference number fits nobody
	WrittenRefused WrittenState = 4 // the vault found it to be no vaccinator's, or another centre's (then that one has a pointer)
)

// Written is a dose that was recorded write-only: sealed to the vault, for the
// person its reference number named when it came, or nobody. Received is in
// Unix milliseconds.
type Written struct {
	Event    id.Event
	Centre   id.Centre
	Person   id.Person
	Sealed   []byte
	Received int64
	State    WrittenState
	Attempts int
}

// InboxStore keeps doses that were recorded write-only, in the centre's bucket.
// They are never deleted. Writes are durable when they return nil.
type InboxStore interface {
	// PutWritten keeps a dose. The same event twice is once.
	PutWritten(ctx context.Context, w Written, due int64) error
	// EndWritten sets what became of one that waits or fits nobody.
	EndWritten(ctx context.Context, c id.Centre, event id.Event, state WrittenState) error
	// DeferWritten counts an attempt and sets when it is due again.
	DeferWritten(ctx context.Context, c id.Centre, event id.Event, due int64) error
	// Written returns one of a centre; fault.NotFound.
	Written(ctx context.Context, c id.Centre, event id.Event) (Written, error)
	// Unmatched lists those of a centre that fit nobody, oldest first.
	Unmatched(ctx context.Context, c id.Centre, limit int) ([]Written, error)
}

// InboxQueue reads doses that wait across all buckets. Only the worker has it.
type InboxQueue interface {
	DueWritten(ctx context.Context, now int64, limit int) ([]Written, error)
}

// DoseWords are the vault's words about dose events.
type DoseWords interface {
	AcceptDose(context.Context, vault.AcceptRequest) (vault.Accepted, error)
	Doses(context.Context, vault.DosesRequest) (vault.Doses, error)
	AnswerDose(context.Context, vault.AnswerDoseRequest) (vault.Amended, error)
	RecordGiven(context.Context, vault.RecordGivenRequest) (vault.Amended, error)
}

// Corrections are the vault's words about corrections of doses by two members of
// staff.
type Corrections interface {
	Propose(context.Context, vault.ProposeRequest) (vault.Proposed, error)
	Unmatched(context.Context, vault.UnmatchedRequest) (vault.Unmatched, error)
	Approve(context.Context, vault.ApproveRequest) (vault.Amended, error)
}

// unmatchedPage is how many doses without a person one list shows.
const unmatchedPage = 100

// WriteDose keeps a dose that came without evidence of the person, sealed to
// the vault. It needs no vault, and answers the same whatever the reference
// number is. When it returns nil the dose is durable; what follows may be late.
func (s *Service) WriteDose(ctx context.Context, w Written, ref id.Reference) error {
	p, err := s.byReference(ctx, ref)
	if err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	if p == "" && ablate.Off(ablate.WriteOnly) {
		return notFound()
	}
	w.Person, w.State = p, WrittenWaits
	due := s.now().UnixMilli() // the worker takes it: an answer that took it along would tell by its time whom the number names
	if err := settle(func() error { return s.store.PutWritten(ctx, w, due) }); err != nil {
		return err
	}
	return s.step("write:after-store")
}

// TakeWritten gives a dose that waits to the vault. Any number of callers may
// do it at the same time.
func (s *Service) TakeWritten(ctx context.Context, w Written) error {
	for range tries {
		var rec vault.Record
		var err error
		if w.Person != "" {
			if rec, err = s.store.Record(ctx, w.Person); err != nil {
				return err
			}
		}
		got, err := s.vault.AcceptDose(ctx, vault.AcceptRequest{Event: w.Event, Sealed: w.Sealed, Person: w.Person, Record: rec})
		if err != nil {
			return err
		}
		if err := s.step("write:after-vault"); err != nil {
			return err
		}
		if got.Hold != "" { // with the person's code: the booking is used up with it
			err = s.storeDose(ctx, vault.DoseSealed{Seal: got.Seal, Hold: got.Hold})
		} else {
			err = s.storeAmended(ctx, got.Seal)
		}
		if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == CodeSeq {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.step("write:after-seal"); err != nil {
			return err
		}
		return s.took(ctx, w, got)
	}
	return fault.New(fault.Conflict, CodeSeq, "the record is being changed by others; try again")
}

// storeAmended stores a seal without a booking and reports it.
func (s *Service) storeAmended(ctx context.Context, seal vault.Seal) error {
	if len(seal.Parts) == 0 {
		return nil
	}
	at := s.now().UnixMilli()
	n := s.note(NoteSealed, seal.Person, at)
	n.Seal = seal.ID
	if err := settle(func() error {
		return s.store.Store(ctx, Write{Person: seal.Person, Parts: seal.Parts, At: at, Note: n})
	}); err != nil {
		return err
	}
	if err := s.step("amend:after-store"); err != nil {
		return err
	}
	return s.carryInline(ctx, n)
}

// writtenBatch is how many waiting doses one run of the worker takes.
const writtenBatch = 200

// Written takes doses that wait, the worker's part. It returns how many it
// finished; a failure defers its dose and does not stop the others.
func (s *Service) Written(ctx context.Context, queue InboxQueue) (n int, err error) {
	now := s.now()
	list, first := queue.DueWritten(ctx, now.UnixMilli(), writtenBatch)
	for _, w := range list {
		if err := s.TakeWritten(ctx, w); err != nil {
			first = earlier(first, err)
			due := now.Add(min(time.Minute, 2*time.Second<<min(w.Attempts, 5))).UnixMilli()
			if err := s.store.DeferWritten(ctx, w.Centre, w.Event, due); err != nil {
				first = earlier(first, err)
			}
			continue
		}
		n++
	}
	return n, first
}

// Doses returns every dose event of the holder's household.
func (s *Service) Doses(ctx context.Context, h vault.Holder) (out vault.Doses, err error) {
	err = s.fresh(func() error {
		m, err := s.vault.Membership(ctx, h)
		if err != nil {
			return err
		}
		recs, err := s.membersRecords(ctx, m, map[id.Person]int{})
		if err != nil {
			return err
		}
		out, err = s.vault.Doses(ctx, vault.DosesRequest{Holder: h, Records: recs})
		return err
	})
	return out, err
}

// amendTries repeats a change of a record while other writers are first: ask
// shows the vault the record as it is now.
func (s *Service) amendTries(ctx context.Context, p id.Person, ask func(vault.Record) (vault.Amended, error)) error {
	stale := false
	for range tries {
		rec, err := s.store.Record(ctx, p)
		if err != nil {
			return err
		}
		got, err := ask(rec)
		if fault.Is(err, fault.Integrity) && !stale {
			stale = true // the record may have been read just before a commit
			continue
		}
		if err != nil {
			return err
		}
		if err := s.step("amend:after-vault"); err != nil {
			return err
		}
		err = s.storeAmended(ctx, got.Seal)
		if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == CodeSeq {
			continue
		}
		return err
	}
	return fault.New(fault.Conflict, CodeSeq, "the record is being changed by others; try again")
}

// AnswerDose is the holder's answer to a dose that was recorded without
// evidence. fault.NotFound: the person or the event is not theirs.
func (s *Service) AnswerDose(ctx context.Context, h vault.Holder, ref id.Reference, event id.Event, confirm bool, reason string) error {
	rows, err := s.resolve(ctx, h, []id.Reference{ref})
	if err != nil {
		return err
	}
	return s.amendTries(ctx, rows[0].Person, func(rec vault.Record) (vault.Amended, error) {
		return s.vault.AnswerDose(ctx, vault.AnswerDoseRequest{Holder: h, Record: rec, Event: event, Confirm: confirm, Reason: reason})
	})
}

// Unmatched is a manager's list of doses without a person.
func (s *Service) Unmatched(ctx context.Context, signed vault.Signed, c id.Centre) (vault.Unmatched, error) {
	list, err := s.nobodys(ctx, c)
	if err != nil {
		return vault.Unmatched{}, err
	}
	r := vault.UnmatchedRequest{Signed: signed}
	for _, w := range list {
		r.Rows = append(r.Rows, vault.InboxRow{Event: w.Event, Sealed: w.Sealed, Received: w.Received})
	}
	return s.vault.Unmatched(ctx, r)
}

// Propose keeps a correction until a second member of staff approves it. A number
// that names nobody is kept as well: the approval refuses it.
func (s *Service) Propose(ctx context.Context, signed vault.Signed, ref id.Reference) (vault.Proposed, error) {
	p, err := s.byReference(ctx, ref)
	if err != nil && !fault.Is(err, fault.Conflict) {
		return vault.Proposed{}, err
	}
	return s.vault.Propose(ctx, vault.ProposeRequest{Signed: signed, Person: p})
}

// Approve carries a proposed correction out on a second member's signed
// request.
func (s *Service) Approve(ctx context.Context, signed vault.Signed, c id.Centre, event id.Event, ref id.Reference, assign bool) error {
	p, err := s.byReference(ctx, ref)
	if err != nil {
		return err
	}
	var item vault.InboxRow
	var w Written
	if assign {
		if w, err = s.item(ctx, c, event); err != nil {
			return err
		}
		item = vault.InboxRow{Event: event, Sealed: w.Sealed, Received: w.Received}
	}
	err = s.amendTries(ctx, p, func(rec vault.Record) (vault.Amended, error) {
		return s.vault.Approve(ctx, vault.ApproveRequest{Signed: signed, Person: p, Record: rec, Item: item})
	})
	if err == nil && assign {
		err = s.settledItem(ctx, c, w)
	}
	return err
}

// RecordGiven records a dose given elsewhere or before.
func (s *Service) RecordGiven(ctx context.Context, signed vault.Signed, ref id.Reference) error {
	p, err := s.byReference(ctx, ref)
	if err != nil {
		return err
	}
	return s.amendTries(ctx, p, func(rec vault.Record) (vault.Amended, error) {
		return s.vault.RecordGiven(ctx, vault.RecordGivenRequest{Signed: signed, Person: p, Record: rec})
	})
}
