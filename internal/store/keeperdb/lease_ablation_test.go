//go:build ablation

package keeperdb_test

import (
	"log/slog"
	"testing"

	"tikakosh/internal/store/pgtest"
)

// TestPostgresLeaseMatters: with the control vault-lease off, a vault that lost
// the lease goes on storing rows beside the one that took over.
func TestPostgresLeaseMatters(t *testing.T) {
	if !pgtest.On() {
		return
	}
	for env, stored := range map[string]bool{"": false, "vault-lease": true} {
		t.Setenv("TIKAKOSH_ABLATE", env)
		url, log := vaultURL(t), slog.New(slog.DiscardHandler)
		a, b := contend(t, url, "a"), contend(t, url, "b")
		if err := a.lease.Take(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		if err := a.lease.Release(t.Context()); err != nil { // as when its time is over
			t.Fatal(err)
		}
		if err := b.lease.Take(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		if err := a.put(t, "late"); (err == nil) != stored {
			t.Errorf("%q: %v", env, err)
		}
	}
}
