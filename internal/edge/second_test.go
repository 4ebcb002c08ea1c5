package edge

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
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

// TestNewestActs: whatever number of entries stands in the public list, and however they are
// spread, the newest are shown, in order, and older ones are said to be there.
func TestNewestActs(t *testing.T) {
	now := time.UnixMilli(1_795_500_000_000)
	const pageOf = 200
	for name, ages := range map[string][]time.Duration{
		"none":                    nil,
		"few":                     {time.Hour, 20 * 24 * time.Hour},
		"a flood, then one":       append(slices.Repeat([]time.Duration{20 * 24 * time.Hour}, 1000), time.Minute),
		"a flood now":             slices.Repeat([]time.Duration{time.Second}, 1000),
		"a flood at two times":    append(slices.Repeat([]time.Duration{9 * time.Hour}, 500), slices.Repeat([]time.Duration{8 * time.Hour}, 201)...),
		"one page exactly":        slices.Repeat([]time.Duration{time.Hour}, pageOf),
		"entries of a clock fast": append(slices.Repeat([]time.Duration{-time.Hour}, 300), -2*time.Hour),
	} {
		var all []vault.SecondPersonAct
		for i, age := range ages {
			at := now.Add(-age)
			all = append(all, vault.SecondPersonAct{ID: idOf(at)[:24] + fmt.Sprintf("%012x", i), At: at.UnixMilli()})
		}
		slices.SortFunc(all, func(a, b vault.SecondPersonAct) int { return strings.Compare(a.ID, b.ID) })
		asked := 0
		got, err := newestActs(t.Context(), func(_ context.Context, r vault.SecondPersonRequest) (vault.SecondPersonActs, error) {
			asked++
			from := sort.Search(len(all), func(i int) bool { return all[i].ID > max(r.After, idOf(now.Add(-publicActsFor))) })
			end := min(from+pageOf, len(all))
			return vault.SecondPersonActs{Acts: all[from:end], More: end-from == pageOf}, nil
		}, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			if len(got.Acts) != 0 || got.More {
				t.Errorf("%s: %d entries", name, len(got.Acts))
			}
			continue
		}
		if len(got.Acts) == 0 || got.Acts[len(got.Acts)-1].ID != all[len(all)-1].ID {
			t.Errorf("%s: the newest is not shown (%d of %d, asked %d times)", name, len(got.Acts), len(all), asked)
		}
		if got.More != (len(got.Acts) < len(all)) {
			t.Errorf("%s: %d of %d entries, older ones: %v", name, len(got.Acts), len(all), got.More)
		}
		if asked > actsSteps+10 {
			t.Errorf("%s: asked %d times", name, asked)
		}
	}
}
