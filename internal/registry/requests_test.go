package registry_test

import (
	"context"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/vault"
)

// refuser is a vault that knows nobody, and counts how often it was asked.
type refuser struct {
	registry.RequestVault
	asked []id.Person
}

func (v *refuser) RequestMake(_ context.Context, r vault.RequestMake) (vault.Request, error) {
	v.asked = append(v.asked, r.Record.Person)
	return vault.Request{}, fault.New(fault.NotFound, "person", "no such person under this mobile")
}

// TestRequestOfNobody: a reference number of somebody else and one of nobody have the same way,
// so that the time of the answer does not tell which numbers there are.
func TestRequestOfNobody(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	h, other := w.vault.SignIn("a"), w.vault.SignIn("b")
	w.enrol(h, 1)
	theirs := w.enrol(other, 2)
	nobody, err := id.ParseReference("10000000000005")
	for d := 0; err != nil && d < 10; d++ {
		nobody, err = id.ParseReference("1000000000000" + string(rune('0'+d)))
	}
	if err != nil {
		t.Fatal(err)
	}
	v := &refuser{}
	svc := registry.NewRequests(w.svc, v)
	for i, ref := range []id.Reference{theirs, nobody} {
		for _, k := range []string{vault.RequestMember, vault.RequestMove} {
			_, err := svc.Make(ctx, ref, vault.RequestMake{Holder: h, Kind: k, Key: "k"})
			if kind(err) != "not_found" {
				t.Errorf("%d %s: %v", i, k, err)
			}
		}
		if want := 2 * (i + 1); len(v.asked) != want || v.asked[want-1] == "" {
			t.Errorf("%d: the vault was asked %d times, of %q", i, len(v.asked), v.asked)
		}
	}
}
