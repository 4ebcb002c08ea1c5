package redteam

import (
	"bytes"
	"os"
	"testing"

	"tikakosh/test/harness"
)

// TestLookupIsInNoRelease: what answers a number with people is in the test build that
// compares with it, and nothing of it is in the binary that is released: not its route, not
// the vault's word, not the functions.
func TestLookupIsInNoRelease(t *testing.T) {
	t.Parallel()
	marks := []string{"/api/v2/vaccinator/beneficiaries/findByMobile", "looked up by number", "edge.findByMobile", "keeper.(*Keeper).lookup", "registry.(*Rosters).FindByMobile"}
	for build, want := range map[string]bool{harness.Plain: false, harness.Ablation: true} {
		if want && !both() {
			continue // that the marks are those of the code that looks people up
		}
		path, err := shared.builder.Path(build)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marks {
			name := m
			if m == "keeper.(*Keeper).lookup" { // lookupMethods is in both, and says that there is none
				name += "-fm" // the method as a value, as it is served
			}
			if got := bytes.Contains(raw, []byte(name)); got != want {
				t.Errorf("build %q holds %q: %v, want %v", build, name, got, want)
			}
		}
	}
}
