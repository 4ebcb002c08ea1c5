package vault

import (
	"context"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// MethodChances is the method of ChancesRequest.
const MethodChances = "booking.chances"

// ChancesRequest asks what people of the holder's household may have next. With an Offer
// it asks, too, whether they may be booked there for Dose, or with Dose 0 for the dose that
// is due for each; Old is the appointment that would be replaced, Hold the one that would be
// made, if it was not half made before. It is an opening of the
// dose history, as a booking is, and makes nothing.
type ChancesRequest struct {
	Holder  Holder
	Old     id.Hold `json:",omitempty"`
	Hold    id.Hold `json:",omitempty"`
	Dose    int
	Offer   Offer // of no Session: none
	Records []Record
}

// Due is what comes next for a person in the offer's programme, or in the COVID programme
// when no offer was named: State is one of the words of registry/rules ("due", "not_yet",
// "overdue", "complete", "none"); Product is "" while any may be chosen; Earliest is the first day
// allowed, Until the last recommended one, each zero where there is none.
type Due struct {
	State           string
	Product         string
	Dose            int
	Earliest, Until civil.Date
}

// Chance is what the rules say of one person. OK, Dose, Code and Earliest are of the offer:
// Code says why not (a code of registry/rules, or APPOIN0022 for somebody who has a live
// appointment). Due is the zero value for a session on a new device.
type Chance struct {
	Person   id.Person
	OK       bool
	Dose     int
	Code     string
	Earliest civil.Date
	Due      Due
}

// Chances are the answers in the order of the household's places.
type Chances struct {
	People   []Chance
	ViewRef  string
	Receipts []string
}

// Chances asks what people may have next.
func (c *Client) Chances(ctx context.Context, r ChancesRequest) (Chances, error) {
	return call[ChancesRequest, Chances](ctx, c, MethodChances, r)
}
