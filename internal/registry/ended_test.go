package registry_test

import (
	"context"
	"sync"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/vault"
)

// TestNotesEndTogether: a service that is run removes notes after the answers, all of
// them before it ends, and without it each request removes its own.
func TestNotesEndTogether(t *testing.T) {
	for _, run := range []bool{true, false} {
		w := newWorld(t)
		ctx, stop := context.WithCancel(t.Context())
		wait := func() {}
		if run {
			wait = w.svc.Run(ctx)
		}
		const people = 300 // more than may wait
		var wg sync.WaitGroup
		for n := range people {
			h := w.vault.SignIn(id.New())
			wg.Go(func() {
				ref, err := w.svc.Enrol(t.Context(), h, "k", identity(n), vault.Consent{Version: "1"})
				if err != nil || ref == "" {
					t.Error(ref, err)
				}
			})
		}
		wg.Wait()
		stop()
		wait()
		if n := registrytest.Count(t, w.db, `SELECT COUNT(*) FROM outbox`); n != 0 {
			t.Errorf("run %v: %d notes are left", run, n)
		}
		if n := registrytest.Count(t, w.db, `SELECT COUNT(*) FROM member WHERE state = 1`); n != people {
			t.Errorf("run %v: %d members", run, n)
		}
		h := w.vault.SignIn("late") // nobody works the queue any more: a request finds room, or none
		if ref := w.enrol(h, people+1); ref == "" {
			t.Error("no registration after the end")
		}
	}
}
