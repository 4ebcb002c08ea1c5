package vault

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// Bounds of wishes to hear of free places.
const (
	MaxWishes    = 3  // per household
	MaxWishDays  = 60 // how long one stands
	MaxToldDaily = 3  // messages about free places per household and day (UTC)
)

// WishRequest gives leave to tell the holder's household of free places. Known
// are the household's other wishes that the registry has: the vault forgets the
// rest, which came to nothing. Until is in Unix milliseconds.
type WishRequest struct {
	Holder Holder
	ID     string
	Until  int64
	Known  []string
}

// UnwishRequest takes a leave back.
type UnwishRequest struct {
	Holder Holder
	ID     string
}

// TellRequest asks the vault to tell a household, by one fixed text, that places
// have become free at a centre on a day.
type TellRequest struct {
	Household id.Household
	ID        string
	Centre    id.Centre
	Day       civil.Date
}

// Told says what came of it. Gone: there is no such leave any more.
type Told struct{ Told, Gone bool }
