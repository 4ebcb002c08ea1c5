package crash

import (
	"testing"

	"tikakosh/test/harness"
)

// TestPostgresCrashes: every crash point and both sides of every COMMIT, on
// PostgreSQL.
func TestPostgresCrashes(t *testing.T) {
	harness.Again(t, ".")
}
