package release

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keeper/keyring"
)

// TestNobodyWithoutAnEntry: whoever was put among an opening's people and not by Release, which
// writes their entry, keeps their data key to themselves (I1).
func TestNobodyWithoutAnEntry(t *testing.T) {
	const known, slipped = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11", "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a12"
	for _, o := range []Opening{{People: []Person{{ID: slipped}}}, {People: []Person{{ID: slipped}, {ID: known}}, entered: append(Opening{}.entered, known)}} {
		if err := o.Unwrap(&keyring.Ring{}); !fault.Is(err, fault.Integrity) || fault.CodeOf(err) != "opening" {
			t.Errorf("%v: %v", o.entered, err)
		}
		for _, p := range o.People {
			if p.Key != nil {
				t.Errorf("the key of %s is open", p.ID)
			}
		}
	}
}
