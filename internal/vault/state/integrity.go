package state

import "tikakosh/internal/fault"

// Integrity is the error of a row, or of what a row seals, that is not what this
// vault wrote. Nothing is released on it.
func Integrity(table Table, text string) error {
	return fault.Newf(fault.Integrity, "row", "vault table %s: %s; nothing was released. Run `tikakosh ledger audit` and compare with the backup", table, text)
}
