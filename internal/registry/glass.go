package registry

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// GlassVault is what the vault does about people who cannot show anything; *vault.Client
// satisfies it.
type GlassVault interface {
	GlassPropose(context.Context, vault.GlassRequest) (vault.Glass, error)
	GlassApprove(context.Context, vault.GlassAct) (vault.Glass, error)
	GlassWhom(context.Context, vault.GlassAct) (vault.GlassWhom, error)
	GlassOpen(context.Context, vault.GlassOpenRequest) (vault.StaffView, error)
	GlassList(context.Context, vault.GlassAct) (vault.GlassList, error)
}

// Glass brings staff the record of somebody for whom two of them stand. It decides
// nothing. It is safe for concurrent use; its errors are the Service's.
type Glass struct {
	GlassVault
	s *Service
}

// NewGlass makes the service.
func NewGlass(s *Service, v GlassVault) *Glass { return &Glass{GlassVault: v, s: s} }

// Propose passes a request on, with who is under the reference number that it names; ""
// where it names none.
func (g *Glass) Propose(ctx context.Context, signed vault.Signed, ref id.Reference) (vault.Glass, error) {
	r := vault.GlassRequest{Signed: signed}
	if ref != "" {
		p, err := g.s.byReference(ctx, ref)
		if err != nil {
			return vault.Glass{}, err
		}
		r.Person = p
	}
	return g.GlassPropose(ctx, r)
}

// Open releases the view of an approved request.
func (g *Glass) Open(ctx context.Context, signed vault.Signed) (out vault.StaffView, err error) {
	err = g.s.fresh(func() error {
		who, err := g.GlassWhom(ctx, vault.GlassAct{Signed: signed})
		if err != nil {
			return err
		}
		r := vault.GlassOpenRequest{Signed: signed}
		if who.Person != "" {
			if r.Record, err = g.s.store.Record(ctx, who.Person); err != nil {
				return err
			}
			r.Record.Person = who.Person
		}
		out, err = g.GlassOpen(ctx, r)
		return err
	})
	return out, err
}
