package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/vault"
)

// TestGlassListsAreWhole: requests at other centres, however many, hide a centre's own from
// its second members of staff, and what was done from its manager.
func TestGlassListsAreWhole(t *testing.T) {
	g := newGlass(t)
	first := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if err := g.k.PlantRequests(t.Context(), 2300, testCentre+1); err != nil {
		t.Fatal(err)
	}
	second := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	waits := must[vault.GlassList](t)(g.list(g.b, "/waiting"))
	if len(waits.Rows) != 2 || waits.Rows[0].ID != first.ID || waits.Rows[1].ID != second.ID {
		t.Errorf("what waits: %+v", waits.Rows)
	}
	var seen []string
	pages, after := 0, ""
	for {
		got := must[vault.GlassList](t)(g.list(g.manager, after))
		for _, r := range got.Rows {
			seen = append(seen, r.ID)
		}
		if pages++; got.After == "" || pages > 5 {
			break
		}
		after = "?after=" + got.After
	}
	if len(seen) != 2 || seen[0] != first.ID || seen[1] != second.ID || pages != 2 {
		t.Errorf("what was done, on %d pages: %v", pages, seen)
	}
	// The list does not grow for ever, and says nothing of what is over.
	g.advance(11 * time.Minute)
	if waits := must[vault.GlassList](t)(g.list(g.b, "/waiting")); len(waits.Rows) != 0 {
		t.Errorf("eleven minutes later: %+v", waits.Rows)
	}
	third := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if waits := must[vault.GlassList](t)(g.list(g.b, "/waiting")); len(waits.Rows) != 1 || waits.Rows[0].ID != third.ID {
		t.Errorf("what waits then: %+v", waits.Rows)
	}
	if n := g.k.Listed(t.Context(), testCentre); n != 1 {
		t.Errorf("%d are kept on the centre's list", n)
	}
	g.audit()
}
