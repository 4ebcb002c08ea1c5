package registry

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// RosterVault is what the vault does about the day's list; *vault.Client satisfies it.
type RosterVault interface {
	DayList(context.Context, vault.DayListRequest) (vault.DayList, error)
	RosterRow(context.Context, vault.RosterRowRequest) (vault.RosterRow, error)
	RosterOpen(context.Context, vault.RosterOpenRequest) (vault.RosterOpened, error)
	VisitClose(context.Context, vault.VisitCloseRequest) (vault.Done, error)
	Tripped(context.Context, vault.TrippedRequest) (vault.Tripped, error)
	TrippedSeen(context.Context, vault.SeenRequest) (vault.Done, error)
}

// Expected names who has a place in a session, in the centre's bucket, at most limit.
type Expected func(ctx context.Context, c id.Centre, s id.Session, limit int) ([]id.Person, error)

// Rosters brings staff the list of their session's day, and opens its rows. It decides
// nothing: who is on the list and what may be opened is the vault's. It is safe for
// concurrent use; its errors are the Service's.
type Rosters struct {
	RosterVault
	s        *Service
	expected Expected
}

// NewRosters makes the service.
func NewRosters(s *Service, v RosterVault, expected Expected) *Rosters {
	return &Rosters{RosterVault: v, s: s, expected: expected}
}

// List is the list of a session that is open today. Centre and session are those of the
// signed body; the vault reads them there.
func (r *Rosters) List(ctx context.Context, signed vault.Signed, c id.Centre, session id.Session) (out vault.DayList, err error) {
	people, err := r.expected(ctx, c, session, vault.MaxDayList)
	if err != nil {
		return out, err
	}
	err = r.s.fresh(func() error {
		req := vault.DayListRequest{Signed: signed, People: make([]vault.Record, 0, len(people))}
		for _, p := range people {
			rec, err := r.s.store.Record(ctx, p)
			if err != nil {
				return err
			}
			rec.Person = p
			req.People = append(req.People, rec)
		}
		out, err = r.DayList(ctx, req)
		return err
	})
	return out, err
}

// Open opens a row of the list. fault.Forbidden with a code that begins with NEEDCODE: by
// what the person shows.
func (r *Rosters) Open(ctx context.Context, signed vault.Signed) (out vault.RosterOpened, err error) {
	err = r.s.fresh(func() error {
		row, err := r.RosterRow(ctx, vault.RosterRowRequest{Signed: signed})
		if err != nil {
			return err
		}
		req := vault.RosterOpenRequest{Signed: signed}
		if row.Person != "" {
			if req.Record, err = r.s.store.Record(ctx, row.Person); err != nil {
				return err
			}
			req.Record.Person = row.Person
		}
		out, err = r.RosterOpen(ctx, req)
		return err
	})
	return out, err
}
