package state

import (
	"tikakosh/internal/id"
)

// Budgets are the rows of internal/vault/budgets, by what they are of: anchored, so that
// none of them goes back.
const Budgets Table = "budget"

// Budget is one of these rows; each kind uses its own fields. Days are days since
// 1970-01-01, hours are hours since then in UTC, other times Unix milliseconds.
type Budget struct {
	State []byte `json:",omitempty"` // a member's day or past hours, as internal/access/budget writes them; or the settings as JSON

	Day       int   `json:",omitempty"` // of a centre
	Codeless  int   `json:",omitempty"`
	Confirmed int   `json:",omitempty"`
	SteppedUp int   `json:",omitempty"`
	Hour      int64 `json:",omitempty"` // of a district or the system
	N         int   `json:",omitempty"`
	Limit     int   `json:",omitempty"`

	On     bool     `json:",omitempty"` // whether a centre opens from its list
	By     id.Staff `json:",omitempty"`
	Second id.Staff `json:",omitempty"`
	At     int64    `json:",omitempty"`

	Tripped []Tripped `json:",omitempty"` // the newest last
}

// Tripped is one thing for those who watch: no person is named.
type Tripped struct {
	At     int64
	Why    string
	Staff  id.Staff
	Centre id.Centre
	N      int      `json:",omitempty"` // how often in that hour
	ID     string   `json:",omitempty"`
	SeenBy id.Staff `json:",omitempty"` // who watches and has seen to it; the note is on the ledger
	SeenAt int64    `json:",omitempty"`
}
