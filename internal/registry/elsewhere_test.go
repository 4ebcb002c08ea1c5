package registry_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/vault"
)

// foreign is a vault that finds every waiting dose to be of a centre's vaccinator.
type foreign struct {
	*registrytest.Vault
	centre id.Centre
	rows   int // of the last list it was asked about
}

func (v *foreign) AcceptDose(context.Context, vault.AcceptRequest) (vault.Accepted, error) {
	return vault.Accepted{Verdict: vault.InboxNobody, Centre: v.centre}, nil
}

func (v *foreign) Unmatched(_ context.Context, r vault.UnmatchedRequest) (vault.Unmatched, error) {
	v.rows = len(r.Rows)
	return vault.Unmatched{}, nil
}

// TestOnOneListOnly: a dose under another centre's number takes no place on that
// centre's list, which shows the oldest and can do nothing about it.
func TestOnOneListOnly(t *testing.T) {
	w := newWorld(t)
	v := &foreign{Vault: w.vault, centre: 8}
	svc := registry.New(w.store, v, w.clock.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	one := registry.Written{Event: id.Event(id.New()), Centre: 7, Sealed: []byte("sealed"), Received: 1}
	if err := svc.WriteDose(t.Context(), one, "12345678901230"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more after a crash
		if err := svc.TakeWritten(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	for c, want := range map[id.Centre]int{7: 0, 8: 1} {
		if _, err := svc.Unmatched(t.Context(), vault.Signed{}, c); err != nil || v.rows != want {
			t.Errorf("centre %d: %d rows, %v", c, v.rows, err)
		}
	}
}
