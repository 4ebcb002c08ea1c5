package vault

import (
	"context"

	"tikakosh/internal/id"
)

// MethodRecount counts who was there before the counters of the dashboard.
const MethodRecount = "statistics.recount"

// The most people of one RecountRequest: asked about, and brought with records.
const (
	MaxRecountAsked   = 200
	MaxRecountRecords = 50
)

// RecountRequest asks which people are not counted yet (Persons), brings the records of
// some who are not (Records), or says that all have been gone through (Finished).
// Records are opened to be counted: each is an opening on the ledger that its person sees.
type RecountRequest struct {
	Persons  []id.Person
	Records  []Record
	Finished bool
}

// Recounted answers it. Done: there is nothing left to count, now and later. Left are
// those of the request who are not counted: to be brought with their records or, when
// they were, again later, because something of theirs is being stored.
type Recounted struct {
	Done bool
	Left []id.Person
}

// Recount counts people of before the counters, each once however often they are
// brought (worker only).
func (c *Client) Recount(ctx context.Context, r RecountRequest) (Recounted, error) {
	return call[RecountRequest, Recounted](ctx, c, MethodRecount, r)
}
