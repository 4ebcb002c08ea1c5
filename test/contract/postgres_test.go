package contract

import (
	"testing"

	"tikakosh/test/harness"
)

// TestPostgresContract: the whole contract, on PostgreSQL.
func TestPostgresContract(t *testing.T) {
	harness.Again(t, ".")
}
