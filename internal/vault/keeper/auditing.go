package keeper

import (
	"context"
	"iter"
	"time"

	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/audit"
	"tikakosh/internal/vault/state"
)

// What the audit finds; see audit.Auditor.
type (
	AuditReport = audit.Report
	Finding     = audit.Finding
)

// Audit compares the registry's records with the ledger; see audit.Auditor.
func (k *Keeper) Audit(ctx context.Context, registry iter.Seq2[vault.Record, error]) (audit.Report, error) {
	return audit.New(k.eng, k.store, k.now).Audit(ctx, registry)
}

// OpenAuditor opens the vault's database for reading ledger bodies only; see audit.Open.
func OpenAuditor(ctx context.Context, cfg Config, st state.Store, p Provider, now func() time.Time) (*audit.Auditor, error) {
	return audit.Open(ctx, cfg.Origin, cfg.Realm, st, p, now)
}
