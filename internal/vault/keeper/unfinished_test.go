package keeper_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestUnfinishedPastABadRow makes one person's row untrustworthy: the others'
// work is still listed, page by page and by kind, and the log names no person.
func TestUnfinishedPastABadRow(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000201")
	var people []id.Person
	for i := range 3 {
		e := r.enrol(h, fmt.Sprint("k", i), asha(i))
		r.store(e.Seal, true)
		people = append(people, e.Seal.Person)
		r.mustBook(h, id.Hold(fmt.Sprint("h", i)), 1, r.offer("COVISHIELD"), e.Seal.Person)
	}
	if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: "h2", Persons: people[2:]}); err != nil {
		t.Fatal(err)
	}
	r.exec("UPDATE person SET mac = CAST('x' AS BLOB) WHERE key = $1", string(people[0]))
	list := func(kind string) (out []string) {
		req := vault.UnfinishedRequest{Kind: kind, Before: r.clock().UnixMilli() + 1, Limit: 1}
		for range 10 {
			u, err := r.k.Unfinished(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range u.Work {
				out = append(out, w.Kind+" "+string(w.Hold))
			}
			if u.Next == (vault.WorkMark{}) {
				return out
			}
			req.After = u.Next
		}
		t.Fatal("the pages do not end")
		return nil
	}
	for kind, want := range map[string][]string{"": {"book h1", "cancel h2"}, vault.WorkBook: {"book h1"}, vault.WorkCancel: {"cancel h2"}, vault.WorkRemove: nil} {
		got := list(kind)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
	}
	if log := r.log(); !strings.Contains(log, "unfinished work is left out") || strings.Contains(log, string(people[0])) {
		t.Errorf("log: %s", log)
	}
}
