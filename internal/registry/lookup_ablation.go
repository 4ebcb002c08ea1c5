//go:build ablation

package registry

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// FindByMobile brings the vault the records of a number's household, in a test build
// without the control that there is no such thing.
func (r *Rosters) FindByMobile(ctx context.Context, signed vault.Signed, mobile string) (out vault.Looked, err error) {
	v, ok := r.RosterVault.(interface {
		Lookup(context.Context, vault.LookupRequest) (vault.Looked, error)
	})
	if !ok {
		return out, fault.New(fault.NotFound, "person", "no such person here")
	}
	err = r.s.fresh(func() error {
		found, err := v.Lookup(ctx, vault.LookupRequest{Signed: signed, Mobile: mobile})
		if err != nil {
			return err
		}
		req := vault.LookupRequest{Signed: signed, Mobile: mobile}
		for _, p := range found.Found {
			rec, err := r.s.store.Record(ctx, p)
			if err != nil {
				return err
			}
			rec.Person = p
			req.Records = append(req.Records, rec)
		}
		out, err = v.Lookup(ctx, req)
		return err
	})
	return out, err
}
