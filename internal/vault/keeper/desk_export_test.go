package keeper

import (
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/presence"
)

// ParseWalkInBooking is parseWalkInBooking's result for fuzzing.
func ParseWalkInBooking(body []byte) (session id.Session, slot string, people, dose int, err error) {
	f, dose, err := parseWalkInBooking(body)
	return f.Session, f.Slot, len(f.People), dose, err
}

// TrippedAsked is that part's.
func TrippedAsked(s vault.Signed) (id.Centre, error) { return presence.TrippedAsked(s) }
