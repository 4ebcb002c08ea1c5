package keeper

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// StaffCredentials lists every staff credential for the operator, without names.
func (k *Keeper) StaffCredentials(ctx context.Context) (vault.StaffList, error) {
	out := vault.StaffList{Staff: []vault.StaffListed{}}
	err := k.view(ctx, func(t *txn) error {
		out.Staff = out.Staff[:0]
		const page = 500
		for after := ""; ; {
			rows, err := t.Tx.Scan(t.Ctx, state.StaffKeys, after, page)
			if err != nil {
				return err
			}
			for _, s := range rows {
				row, _, err := engine.Get[state.Staff](t, state.StaffKeys, s.Key)
				if err != nil {
					return err
				}
				out.Staff = append(out.Staff, vault.StaffListed{Staff: id.Staff(s.Key), Role: row.Role, Centre: row.Centre, Active: row.Active, Suspended: row.Suspended > 0, Since: row.Since})
				after = s.Key
			}
			if len(rows) < page {
				return nil
			}
		}
	})
	return out, err
}
