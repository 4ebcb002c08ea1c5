package edge

import (
	"context"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// actsVault counts how often it is asked for the public list.
type actsVault struct {
	asked int
	err   error
}

func (v *actsVault) SecondPersonActs(context.Context, vault.SecondPersonRequest) (vault.SecondPersonActs, error) {
	v.asked++
	return vault.SecondPersonActs{Acts: []vault.SecondPersonAct{{ID: "one"}}}, v.err
}

// TestPublicActsWhileTheVaultIsDown: a vault that does not answer is asked once in a
// while, not by everybody, and what it said last is served meanwhile.
func TestPublicActsWhileTheVaultIsDown(t *testing.T) {
	down := fault.New(fault.Unavailable, "", "down")
	now := time.UnixMilli(1_795_500_000_000)
	v, acts := &actsVault{err: down}, remembered[vault.SecondPersonActs]{}
	ask := func(ctx context.Context) (vault.SecondPersonActs, error) {
		return v.SecondPersonActs(ctx, vault.SecondPersonRequest{})
	}
	for range 5 {
		if _, err := acts.get(t.Context(), ask, now); !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
	}
	if v.asked != 1 {
		t.Errorf("asked %d times while down", v.asked)
	}
	v.err, now = nil, now.Add(2*time.Second)
	if got, err := acts.get(t.Context(), ask, now); err != nil || len(got.Acts) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	v.err, now = down, now.Add(time.Minute)
	for range 5 {
		if got, err := acts.get(t.Context(), ask, now); err != nil || len(got.Acts) != 1 {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if v.asked != 3 {
		t.Errorf("asked %d times", v.asked)
	}
}
