package registry

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Leaves is what the vault does for people who leave; *vault.Client satisfies it.
type Leaves interface {
	Leave(context.Context, vault.LeaveRequest) (vault.Left, error)
	LeaveUndo(context.Context, vault.LeaveUndoRequest) (vault.Done, error)
	LeaveStatus(context.Context, vault.LeaveStatusRequest) (vault.LeaveStatus, error)
}

// Leaving lets vaccinated people leave. It is safe for concurrent use; errors are
// as Service's.
type Leaving struct {
	s     *Service
	vault Leaves
}

// NewLeaving makes the service beside the one of people.
func NewLeaving(s *Service, v Leaves) *Leaving { return &Leaving{s: s, vault: v} }

// Leave hides the record of a vaccinated member of the holder's household. release
// gives up the appointments of the person first; its error ends the leave before
// anything happened to the record. The registry's rows stay until the leave can no
// longer be undone: who is a member is the vault's word. fault.Conflict: no dose
// is recorded, or a booking is live.
func (l *Leaving) Leave(ctx context.Context, h vault.Holder, ref id.Reference, release func(context.Context, id.Person) error) (vault.Left, error) {
	var out vault.Left
	err := l.s.fresh(func() error {
		rows, err := l.s.resolve(ctx, h, []id.Reference{ref})
		if err != nil {
			return err
		}
		if err := release(ctx, rows[0].Person); err != nil {
			return err
		}
		rec, err := l.s.store.Record(ctx, rows[0].Person)
		if err != nil {
			return err
		}
		out, err = l.vault.Leave(ctx, vault.LeaveRequest{Holder: h, Record: rec})
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return vault.Left{}, notFound()
	}
	if err == nil {
		l.s.known.forget(h)
	}
	return out, err
}

// Undo brings somebody back who left. fault.NotFound, always the same: unknown, not
// of this household, or too late.
func (l *Leaving) Undo(ctx context.Context, h vault.Holder, ref id.Reference) error {
	_, err := l.vault.LeaveUndo(ctx, vault.LeaveUndoRequest{Holder: h, Reference: ref})
	if fault.Is(err, fault.NotFound) {
		return notFound()
	}
	if err == nil {
		l.s.known.forget(h)
	}
	return err
}

// Status tells by the tracking number alone what became of a leave.
func (l *Leaving) Status(ctx context.Context, tracking string) (vault.LeaveStatus, error) {
	return l.vault.LeaveStatus(ctx, vault.LeaveStatusRequest{Tracking: tracking})
}
