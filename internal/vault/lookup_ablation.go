//go:build ablation

package vault

import (
	"context"

	"tikakosh/internal/id"
)

// MethodLookup finds people by a number, in a test build alone.
const MethodLookup = "lookup"

// LookupRequest asks for the household of a mobile number: without records who it is, with
// them what they hold.
type LookupRequest struct {
	Signed  Signed
	Mobile  string
	Records []Record
}

// Looked is the household.
type Looked struct {
	Found    []id.Person
	People   []Person
	ViewRef  string
	Receipts []string
}

// Lookup finds people by a number.
func (c *Client) Lookup(ctx context.Context, r LookupRequest) (Looked, error) {
	return call[LookupRequest, Looked](ctx, c, MethodLookup, r)
}
