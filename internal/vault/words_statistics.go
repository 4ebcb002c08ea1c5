package vault

import (
	"context"

	"tikakosh/internal/statistics"
)

// MethodStatistics answers the published cells.
const MethodStatistics = "statistics"

// Statistics is what may be public as of the end of the last whole day, Indian time.
// The cells are rounded before they leave the vault.
type Statistics struct{ Published statistics.Published }

// Statistics asks for the published cells (worker only).
func (c *Client) Statistics(ctx context.Context) (Statistics, error) {
	return call[Empty, Statistics](ctx, c, MethodStatistics, Empty{})
}
