package registry

import (
	"context"
	"errors"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// RelinkVault is what the vault does about lost phones and changed numbers; *vault.Client
// satisfies it.
type RelinkVault interface {
	RelinkPropose(context.Context, vault.GlassRequest) (vault.Glass, error)
	RelinkApprove(context.Context, vault.GlassAct) (vault.Glass, error)
	RelinkStaffStop(context.Context, vault.GlassAct) (vault.Done, error)
	RelinkHolders
}

// RelinkHolders is the part of it for whoever has the old number or the new one.
type RelinkHolders interface {
	RelinkList(context.Context, vault.Holder) (vault.RelinkList, error)
	RelinkStop(context.Context, vault.RelinkStopRequest) (vault.Done, error)
	RelinkFinish(context.Context, vault.RelinkFinishRequest) (vault.Linked, error)
}

// Relinks moves one person to a new number. It decides nothing. It is safe for concurrent
// use; its errors are the Service's.
type Relinks struct {
	RelinkVault
	s *Service
}

// NewRelinks makes the service.
func NewRelinks(s *Service, v RelinkVault) *Relinks { return &Relinks{RelinkVault: v, s: s} }

// Propose passes a request on, with who is under the reference number that it names; ""
// where it names none.
func (l *Relinks) Propose(ctx context.Context, signed vault.Signed, ref id.Reference) (vault.Glass, error) {
	r := vault.GlassRequest{Signed: signed}
	if ref != "" {
		p, err := l.s.byReference(ctx, ref)
		if err != nil {
			return vault.Glass{}, err
		}
		r.Person = p
	}
	return l.RelinkPropose(ctx, r)
}

// Finish takes a person over to the holder's number. It may be repeated.
//
// Steps: vault.RelinkFinish, then those of a link (Cards.Link); the relay finishes them.
func (l *Relinks) Finish(ctx context.Context, h vault.Holder, ref id.Reference) (id.Reference, error) {
	person, err := l.s.byReference(ctx, ref)
	if err != nil {
		return "", err
	}
	got, err := l.RelinkFinish(ctx, vault.RelinkFinishRequest{Holder: h, Reference: ref, Person: person})
	if err != nil {
		return "", err
	}
	if err := l.s.step("relink:after-vault"); err != nil {
		return "", err
	}
	err = l.s.linked(ctx, got.Person, got.Place)
	if errors.Is(err, errStop) {
		return "", err
	}
	if err != nil {
		l.s.log.WarnContext(ctx, "a re-link is left to the relay", "err", err)
	}
	l.s.known.forget(h)
	return got.Reference, nil
}
