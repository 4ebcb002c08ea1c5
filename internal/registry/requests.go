package registry

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// RequestVault is what the vault does about what people ask; *vault.Client satisfies it.
type RequestVault interface {
	RequestMake(context.Context, vault.RequestMake) (vault.Request, error)
	RequestList(context.Context, vault.RequestAct) (vault.RequestList, error)
	RequestWithdraw(context.Context, vault.RequestAct) (vault.Request, error)
	RequestTrack(context.Context, vault.TrackRequest) (vault.Tracked, error)
	Export(context.Context, vault.ExportRequest) (vault.Export, error)
	StaffRequestVault
}

// StaffRequestVault is its part for those who answer.
type StaffRequestVault interface {
	RequestWaiting(context.Context, vault.StaffRequestAct) (vault.StaffRequests, error)
	RequestRead(context.Context, vault.StaffRequestAct) (vault.StaffRequests, error)
	RequestDecide(context.Context, vault.StaffRequestAct) (vault.StaffRequests, error)
}

// Requests brings the vault what people ask about their own records. It decides nothing.
// It is safe for concurrent use; its errors are the Service's.
type Requests struct {
	StaffRequestVault
	s     *Service
	vault RequestVault
}

// NewRequests makes the service beside the one of people.
func NewRequests(s *Service, v RequestVault) *Requests {
	return &Requests{StaffRequestVault: v, s: s, vault: v}
}

// Make asks for something about a member of the holder's household; r.Record is filled
// here. It may be repeated with its key. fault.NotFound, always the same: unknown, or not
// theirs.
func (q *Requests) Make(ctx context.Context, ref id.Reference, r vault.RequestMake) (out vault.Request, err error) {
	err = q.s.fresh(func() error {
		person, err := q.whom(ctx, ref, r)
		if err != nil {
			return err
		}
		r.Record = vault.Record{Person: person}
		if r.Event != "" || r.Kind == vault.RequestDetails {
			if r.Record, err = q.s.store.Record(ctx, person); err != nil {
				return err
			}
			r.Record.Person = person
		}
		out, err = q.vault.RequestMake(ctx, r)
		return err
	})
	if err == nil {
		q.s.known.forget(r.Holder)
	}
	return out, err
}

// whom finds the person. Who was taken off a list is no member any more when that is
// asked again; the vault knows the request by its key.
func (q *Requests) whom(ctx context.Context, ref id.Reference, r vault.RequestMake) (id.Person, error) {
	rows, err := q.s.resolve(ctx, r.Holder, []id.Reference{ref})
	if err == nil {
		return rows[0].Person, nil
	}
	if !fault.Is(err, fault.NotFound) || (r.Kind != vault.RequestMember && r.Kind != vault.RequestMove) {
		return "", err
	}
	p, other := q.s.byReference(ctx, ref)
	if other != nil || p == "" {
		// The vault is asked all the same: an answer that came sooner would tell that the
		// number is nobody's.
		return id.Person(id.New()), nil //nolint:nilerr // see above
	}
	return p, nil
}

// List is what the holder asked for.
func (q *Requests) List(ctx context.Context, h vault.Holder) (vault.RequestList, error) {
	return q.vault.RequestList(ctx, vault.RequestAct{Holder: h})
}

// Withdraw takes a request back.
func (q *Requests) Withdraw(ctx context.Context, h vault.Holder, tracking string) (vault.Request, error) {
	out, err := q.vault.RequestWithdraw(ctx, vault.RequestAct{Holder: h, Tracking: tracking})
	if err == nil {
		q.s.known.forget(h)
	}
	return out, err
}

// Track tells the state of a request or a leave to whoever has its number.
func (q *Requests) Track(ctx context.Context, number, origin string) (vault.Tracked, error) {
	return q.vault.RequestTrack(ctx, vault.TrackRequest{Number: number, Origin: origin})
}

// Export is everything that is held of the holder's people.
func (q *Requests) Export(ctx context.Context, h vault.Holder) (out vault.Export, err error) {
	err = q.s.fresh(func() error {
		m, err := q.s.vault.Membership(ctx, h)
		if err != nil {
			return err
		}
		records, err := q.s.membersRecords(ctx, m, map[id.Person]int{})
		if err != nil {
			return err
		}
		out, err = q.vault.Export(ctx, vault.ExportRequest{Holder: h, Records: records})
		return err
	})
	return out, err
}
