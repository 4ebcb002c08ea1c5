package state

import "tikakosh/internal/id"

// Shares are the links that open a person's certificate, by person; anchored. ShareLinks
// lead to them, by keyed MAC of a link's secret: they grant nothing (ADR 43).
const (
	Shares     Table = "share"
	ShareLinks Table = "share_link"
)

// Share holds a person's links, the oldest first.
type Share struct{ Links []SharedLink }

// SharedLink is one link. Times in Unix milliseconds; Ended is 0 while nobody ended it. House
// is the household that made it. Its secret is kept nowhere, only its keyed MAC.
type SharedLink struct {
	ID      string
	MAC     string
	House   id.Household
	Made    int64
	Expires int64
	Ended   int64 `json:",omitempty"`
	Uses    int   `json:",omitempty"`
	Last    int64 `json:",omitempty"`
}

// ShareLink leads from a link's secret to whose it is.
type ShareLink struct{ Person id.Person }
