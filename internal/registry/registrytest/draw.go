package registrytest

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// CloseDraw implements the vault's word.
func (v *Vault) CloseDraw(_ context.Context, r vault.CloseDrawRequest) (out vault.DrawCommitted, err error) {
	done, err := v.enter("CloseDraw")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if v.draws == nil {
		v.draws = map[id.Session]string{}
	}
	if was, ok := v.draws[r.Session]; ok && was != r.Digest {
		return out, fault.New(fault.Conflict, "draw", "closed with other entries")
	}
	v.draws[r.Session] = r.Digest
	return vault.DrawCommitted{Receipt: "receipt", Index: 7}, nil
}

// Drawn implements the vault's word.
func (v *Vault) Drawn(_ context.Context, r vault.DrawnRequest) (out vault.Booked, err error) {
	done, err := v.enter("Drawn")
	if err != nil {
		return out, err
	}
	defer done(&err)
	for _, p := range r.Persons {
		if pr := v.presence[presenceKey{p, r.Hold}]; r.Won && (pr == nil || (pr.state != "entered" && pr.state != "live")) {
			err = fault.New(fault.Conflict, "hold", "ended")
		}
	}
	for _, p := range r.Persons {
		pr := v.presence[presenceKey{p, r.Hold}]
		if pr == nil || pr.state != "entered" {
			continue
		}
		if !r.Won || err != nil {
			pr.state = "released"
			continue
		}
		pr.state = "live"
		v.tasks[task{vault.WorkBook, r.Hold, p}] = v.now().UnixMilli()
	}
	return out, err
}
