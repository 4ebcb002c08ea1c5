package keeper_test

import (
	"strings"
	"testing"

	"tikakosh/internal/vault"
)

// TestStaffClientRecorded: another staff client is another entry, the same one none.
func TestStaffClientRecorded(t *testing.T) {
	r := newRig(t)
	if got, err := r.k.StaffClient(t.Context(), vault.Empty{}); err != nil || got.Sum != "" {
		t.Fatal(got, err)
	}
	var last int64
	for _, c := range []struct {
		sum   string
		again bool
	}{{"aa", false}, {"aa", true}, {"bb", false}, {"aa", false}} {
		r.close()
		r.cfg.StaffClient = strings.Repeat(c.sum, 32)
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		got, err := r.k.StaffClient(t.Context(), vault.Empty{})
		if err != nil || got.Sum != r.cfg.StaffClient || (got.Index == last) != c.again {
			t.Fatal(c, got, last, err)
		}
		last = got.Index
	}
}
