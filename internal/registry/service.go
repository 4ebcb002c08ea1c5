package registry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Beneficiary is one person as the holder of the household sees them.
type Beneficiary = vault.Person

// Household is the booking view of a household, in order of the members'
// places. ViewRef is printed wherever the view is shown. Masked: it is what a
// partner may see, initials and the end of the reference number; Waiting: so is a device
// that is new to the household, with the reference number in full.
type Household struct {
	Masked   bool
	Waiting  bool
	People   []Beneficiary
	ViewRef  string
	Receipts []string
}

// maxKey bounds a caller's idempotency key, in bytes.
const maxKey = 200

// tries bounds how often a step is repeated when another writer was first or
// a commit's outcome is unknown.
const tries = 4

// noteGrace is how long the request that stored a note has to carry it out
// itself before the relay takes it.
const noteGrace = 5 * time.Second

// Service is the registry of people. It is safe for concurrent use. Methods
// return the vault's fault kinds unchanged, fault.Unavailable when the
// registry database is down, and fault.NotFound, always the same one, for a
// reference number that is unknown or not the caller's.
type Service struct {
	store    Store
	vault    Vault
	now      func() time.Time
	log      *slog.Logger
	step     func(point string) error
	known    known
	reporter reporter
	ended    ended
}

// New makes the service over its storage and the vault.
func New(store Store, v Vault, now func() time.Time, log *slog.Logger) *Service {
	return &Service{reporter: reporter{vault: v}, store: store, vault: v, now: now, log: log, step: crash}
}

// crash is a named point between two steps; a test build can end the process
// there.
func crash(point string) error { ablate.Crash(point); return nil }

// notFound is the one answer for "absent" and "not yours".
func notFound() error {
	return fault.New(fault.NotFound, "reference", "no such person in this household")
}

// Household returns the booking view of the holder's household.
// fault.Integrity: a stored record does not match the vault's head.
func (s *Service) Household(ctx context.Context, h vault.Holder) (Household, error) {
	if out, err := s.remembered(ctx, h); err == nil || fault.Is(err, fault.Unauthorized) {
		return out, err
	}
	var out vault.Opened
	var m vault.Membership
	slots := map[id.Person]int{}
	err := s.fresh(func() (err error) {
		if m, err = s.vault.Membership(ctx, h); err != nil {
			return err
		}
		clear(slots)
		recs, err := s.membersRecords(ctx, m, slots)
		if err != nil {
			return err
		}
		out, err = s.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: recs})
		return err
	})
	if err != nil {
		return Household{}, err
	}
	return s.shown(h, m, out, slots), nil
}

// remembered is Household with the members this process last saw, which spares
// asking the vault for them. When they are others by now the vault refuses to
// open anything, and when there is nothing to remember nothing is asked.
func (s *Service) remembered(ctx context.Context, h vault.Holder) (Household, error) {
	v, ok := s.known.get(h, s.now().UnixMilli())
	if !ok || len(v.members) == 0 {
		return Household{}, notFound()
	}
	m := vault.Membership{Household: v.id, Members: v.members, ExpiresAt: v.expires}
	slots := map[id.Person]int{}
	recs, err := s.membersRecords(ctx, m, slots)
	if err != nil {
		return Household{}, err
	}
	out, err := s.vault.Open(ctx, vault.OpenRequest{Holder: h, Records: recs, Remembered: true})
	if err != nil {
		s.known.forget(h)
		return Household{}, err
	}
	return s.shown(h, m, out, slots), nil
}

// shown puts an opened view in order and remembers whom it shows.
func (s *Service) shown(h vault.Holder, m vault.Membership, out vault.Opened, slots map[id.Person]int) Household {
	seen := make(map[id.Reference]id.Person, len(out.People))
	for _, p := range out.People {
		seen[p.Reference] = p.Person
	}
	s.known.put(h, m, seen)
	slices.SortStableFunc(out.People, func(a, b vault.Person) int { return slots[a.Person] - slots[b.Person] })
	return Household{Masked: out.Masked, Waiting: out.Waiting, People: out.People, ViewRef: out.ViewRef, Receipts: out.Receipts}
}

// fresh runs f, and once more after fault.Integrity: a change committed
// between reading a record and showing it to the vault looks like a record
// behind its head, and is gone on the second reading. Tampering stays.
func (s *Service) fresh(f func() error) error {
	err := f()
	if fault.Is(err, fault.Integrity) {
		err = f()
	}
	return err
}

// membersRecords reads every member's record. A pending member whose rows were
// never stored is left out; any other member without rows is shown to the
// vault as empty, because missing rows are its to detect.
func (s *Service) membersRecords(ctx context.Context, m vault.Membership, slots map[id.Person]int) ([]vault.Record, error) {
	recs := make([]vault.Record, 0, len(m.Members))
	for _, mb := range m.Members {
		rec, err := s.store.Record(ctx, mb.Person)
		if err != nil {
			return nil, err
		}
		if mb.Pending && len(rec.Parts) == 0 {
			continue
		}
		slots[mb.Person] = mb.Slot
		recs = append(recs, rec)
	}
	return recs, nil
}

// resolve finds people of the holder's household by reference number. It reads
// the row of every member whatever is asked, so that an unknown number and a
// stranger's cost the same and answer the same.
func (s *Service) resolve(ctx context.Context, h vault.Holder, refs []id.Reference) ([]PersonRow, error) {
	_, rows, err := s.resolved(ctx, h, refs)
	return rows, err
}

// among is resolve in a membership that the vault has told.
func (s *Service) among(ctx context.Context, h vault.Holder, m vault.Membership, refs []id.Reference) ([]PersonRow, error) {
	seen := make(map[id.Reference]id.Person, len(m.Members))
	found := make([]PersonRow, len(refs))
	hits := 0
	for _, mb := range m.Members {
		row, err := s.store.Person(ctx, mb.Person)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		seen[row.Reference] = row.Person
		if row.Household != m.Household { // linked since the enrolment
			row.Household, row.Slot = m.Household, mb.Slot
		}
		if i := slices.Index(refs, row.Reference); i >= 0 && found[i].Person == "" {
			found[i], hits = row, hits+1
		}
	}
	s.known.put(h, m, seen)
	if hits != len(refs) && ablate.Off(ablate.Ownership) {
		return s.anybody(ctx, refs)
	}
	if hits != len(refs) {
		return nil, notFound()
	}
	return found, nil
}

// anybody finds people by reference number alone, as a registry does that takes
// the number for permission. Only builds that switch controls off call it.
func (s *Service) anybody(ctx context.Context, refs []id.Reference) ([]PersonRow, error) {
	var out []PersonRow
	for _, ref := range refs {
		people, err := s.store.ByReference(ctx, ref)
		if err != nil || len(people) == 0 {
			return nil, errors.Join(notFound(), err)
		}
		out = append(out, PersonRow{Person: people[0], Reference: ref})
	}
	return out, nil
}

// Persons returns the records of people of the holder's household, in the
// order asked. fault.NotFound, always the same, when one of them is unknown or
// not a member; fault.Invalid for no or repeated reference numbers.
func (s *Service) Persons(ctx context.Context, h vault.Holder, refs []id.Reference) ([]vault.Record, error) {
	if len(refs) == 0 {
		return nil, fault.New(fault.Invalid, "USRRES0001", "no beneficiary named")
	}
	for i, r := range refs {
		if slices.Contains(refs[:i], r) {
			return nil, fault.New(fault.Invalid, "USRRES0002", "a beneficiary is named twice")
		}
	}
	rows, err := s.resolve(ctx, h, refs)
	if err != nil {
		return nil, err
	}
	people := make([]id.Person, len(rows))
	for i, r := range rows {
		people[i] = r.Person
	}
	return s.Records(ctx, people)
}

// Records returns the records of people by id, in the order asked. It grants
// nothing: a record is sealed.
func (s *Service) Records(ctx context.Context, people []id.Person) ([]vault.Record, error) {
	recs := make([]vault.Record, len(people))
	for i, p := range people {
		rec, err := s.store.Record(ctx, p)
		if err != nil {
			return nil, err
		}
		recs[i] = rec
	}
	return recs, nil
}

// Openings returns a page of the holder's own access history, newest first:
// entries before an index (0 starts at the newest), at most 200.
func (s *Service) Openings(ctx context.Context, h vault.Holder, before int64, limit int) (vault.Openings, error) {
	if before < 0 {
		return vault.Openings{}, fault.New(fault.Invalid, "before", "a page starts at a positive index")
	}
	limit = max(1, min(limit, 200))
	return s.vault.Openings(ctx, vault.OpeningsRequest{Holder: h, Before: before, Limit: limit})
}

// OpeningsOf is Openings of one person of the household. fault.Forbidden with the code
// CARDFIRST where their own card has to be shown first.
func (s *Service) OpeningsOf(ctx context.Context, h vault.Holder, person id.Person, before int64, limit int) (vault.Openings, error) {
	if before < 0 {
		return vault.Openings{}, fault.New(fault.Invalid, "before", "a page starts at a positive index")
	}
	return s.vault.Openings(ctx, vault.OpeningsRequest{Holder: h, Person: person, Before: before, Limit: max(1, min(limit, 200))})
}

// Certificate returns the signed certificate of one member of the holder's
// household. fault.NotFound: unknown, not a member, or no counted dose.
func (s *Service) Certificate(ctx context.Context, h vault.Holder, ref id.Reference, lang string) (vault.Certificate, error) {
	var out vault.Certificate
	err := s.fresh(func() error {
		recs, err := s.Persons(ctx, h, []id.Reference{ref})
		if err != nil {
			return err
		}
		out, err = s.vault.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: recs[0], Language: lang})
		return err
	})
	if fault.Is(err, fault.NotFound) && fault.CodeOf(err) != vault.CodeNoDose {
		return vault.Certificate{}, notFound()
	}
	return out, err
}

// settle repeats an idempotent step while its commit's outcome is unknown: the
// repetition looks the earlier attempt up and decides. One that cannot be carried
// out decides nothing: what was unknown stays so.
func settle(f func() error) error {
	var unknown error
	for range tries {
		err := f()
		if unknown != nil && fault.Is(err, fault.Unavailable) {
			return unknown
		}
		if !fault.Is(err, fault.Unknown) {
			return err
		}
		unknown = err
	}
	return unknown
}

func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fault.New(fault.Invalid, "key", "an idempotency key of 1 to 200 bytes is wanted")
	}
	return nil
}
