package keyring

import (
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/state"
)

// HeldBase is added to an epoch key's version to name custody's half of it: custody
// holds it as it holds id-tag keys, and no id number is ever tagged under it.
const HeldBase = 1000

// heldAhead is how many halves are made before they are needed where they are in
// files, so that a copy of the key files is good for the sets of the next changes.
const heldAhead = 12

// makeHeld makes custody's half of a version of the epoch key.
func (k *Ring) makeHeld(version int) error {
	last := version
	if k.custody == "file" || k.custody == "shares" {
		last += heldAhead
	}
	for v := version; v <= last; v++ {
		if err := k.Provider.MakeTagKey(HeldBase + v); err != nil {
			return err
		}
	}
	return nil
}

// Whole is what a key ring row's key is, given what the row wraps.
func (k *Ring) Whole(row state.Key, raw []byte) ([]byte, error) {
	if !row.Held {
		return raw, nil
	}
	whole, err := k.Provider.Tag(HeldBase+row.Version, append([]byte("tikakosh/epoch/v1\x00"), raw...))
	if fault.Is(err, fault.Integrity) {
		err = fault.Newf(fault.Integrity, "erased-epoch", "custody does not hold its half of %s any more: this database or backup set is older than erasures let it become (--erase-final), "+
			"or the copy of the vault's key files is older than the set. Take a newer set, or a newer copy of the key files", Name(k.Realm, row.Purpose, row.Version))
	}
	return whole, err
}
