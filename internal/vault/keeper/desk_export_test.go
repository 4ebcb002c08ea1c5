package keeper

import (
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// ParseWalkInBooking is parseWalkInBooking's result for fuzzing.
func ParseWalkInBooking(body []byte) (session id.Session, slot string, people, dose int, err error) {
	f, dose, err := parseWalkInBooking(body)
	return f.Session, f.Slot, len(f.People), dose, err
}

// TrippedAsked is trippedAsked.
func TrippedAsked(s vault.Signed) (id.Centre, error) { return trippedAsked(s) }
