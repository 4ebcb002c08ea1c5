package redteam

import (
	"testing"

	"tikakosh/test/harness"
)

// TestPostgresAttacks: the attacks by many at once, where transactions run side
// by side, those of a database administrator, and those on two vaults, with and
// without their controls.
func TestPostgresAttacks(t *testing.T) {
	harness.Again(t, "^(TestR19TwoBookings|TestR20Oversell|TestR08ParallelCode|TestR09ParallelGuesses|TestR42Tamper|TestR43Rollback|TestR47LedgerDown|TestR48Kill|TestR31OtherMachine|TestR36Race|TestR36bTwoVaults|TestR93SplitVaults|TestR27SecondDevice|TestS3OffDuty|TestS4OtherCentre)$")
}
