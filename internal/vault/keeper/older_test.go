package keeper_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// TestOlderRules: a vault goes on from a copy behind its ledger, and in what was lost two
// people had changed the policies and the budgets. Those of the copy are in force again, are
// shown as older, and no centre opens from its list until two people have said what is
// right, be it the same. Rules that nobody changed in the gap need nobody.
func TestOlderRules(t *testing.T) {
	for _, lost := range [][]string{{vault.ChangePolicies, vault.ChangeBudgets}, {vault.ChangeBudgets}, nil} {
		r, a, b, c := three(t)
		p, err := a.wants(true)
		if err != nil {
			t.Fatal(err)
		}
		b.approves(p)
		r.advance(day + time.Second)
		r.backIn(a, b, c)
		if !r.settled() {
			t.Fatal("not in force after a day")
		}
		r.close()
		older, err := os.ReadFile(r.path())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		have := r.k.LastNext()
		for _, kind := range lost {
			b.approves(a.mustFresh(vault.ActChange, otherRules(t, kind, 29)))
		}
		a.mustFresh(vault.ActInvite, map[string]any{"name": "Zoya Test", "grant": nationalAll}) // something is lost in any case
		r.advance(day + time.Second)
		if !r.settled() {
			t.Fatal("the mode went with the rules")
		}
		leaves, err := r.k.Leaves(t.Context(), uint64(have), 100)
		if err != nil || len(leaves) == 0 {
			t.Fatal(len(leaves), err)
		}
		r.close()
		if err := os.WriteFile(r.path(), older, 0o600); err != nil {
			t.Fatal(err)
		}
		r.cfg.Restore = &keeper.RestoreOrder{Set: "recovered database", Ledger: have, Known: "ledger", Unpublished: leaves}
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		wantOlder(t, r, lost)
		r.backIn(a, b, c)
		again := slices.Clone(lost)
		for _, kind := range lost { // the budgets of the copy, said again; other policies
			b.approves(a.mustFresh(vault.ActChange, otherRules(t, kind, 30)))
			r.advance(day + time.Second)
			again = again[1:]
			wantOlder(t, r, again)
			r.backIn(a, b, c)
		}
		r.audit()
	}
}

// otherRules is a proposal of one of the installation's rules.
func otherRules(t *testing.T, kind string, base int) map[string]any {
	t.Helper()
	if kind == vault.ChangeBudgets {
		return map[string]any{"kind": kind, "budgets": map[string]int{"base": base}}
	}
	files, err := policy.Files()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{}
	for name, text := range files {
		own[name] = string(text) + "\n// of this installation\n"
	}
	return map[string]any{"kind": kind, "files": own}
}

func wantOlder(t *testing.T, r *rig, want []string) {
	t.Helper()
	on := r.settled()
	got, err := r.k.RulesNow(t.Context())
	if err != nil || !slices.Equal(got.Older, want) || on != (len(want) == 0) {
		t.Fatalf("older %v, want %v; roster mode %v; %v", got.Older, want, on, err)
	}
}
