package vault

import (
	"encoding/hex"

	"tikakosh/internal/fault"
)

func hexText(b []byte) []byte { return hex.AppendEncode(nil, b) }

func unhex(dst, src []byte) error {
	if len(src) != 2*len(dst) {
		return fault.New(fault.Invalid, "hex", "a hexadecimal value has the wrong length")
	}
	if _, err := hex.Decode(dst, src); err != nil {
		return fault.New(fault.Invalid, "hex", "a hexadecimal value is malformed")
	}
	return nil
}
