package budget

import (
	"maps"
	"testing"

	"tikakosh/internal/fault"
)

// TestNamed: figures by their names come back as they went, in part too, and what is no
// name or makes no budget is refused.
func TestNamed(t *testing.T) {
	s := DefaultSettings()
	all := s.Named()
	if len(all) != 16 || all["base"] != 30 || all["system_start"] != 3000 {
		t.Fatal(all)
	}
	got, err := s.With(map[string]int{"base": 29, "centre": 10})
	if err != nil || got.Base != 29 || got.Centre != 10 || got.Pending != s.Pending || s.Base != 30 {
		t.Fatal(got, err)
	}
	back, err := s.With(got.Named())
	if err != nil || back != got || maps.Equal(back.Named(), all) {
		t.Fatal(back, err)
	}
	for _, bad := range []map[string]int{{"basis": 1}, {"base": -1}, {"pending": 3}, {"base": 1, "": 1}} {
		if _, err := s.With(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
