package keeperdb_test

import (
	"testing"

	"tikakosh/internal/store/pgtest"
)

func TestPostgres(t *testing.T) {
	pgtest.Run(t, pgtest.Suite{Run: map[string]func(*testing.T){
		"TestEveryTable": TestEveryTable, "TestVersions": TestVersions, "TestRacingWriters": TestRacingWriters, "TestScanAndExpirePages": TestScanAndExpirePages,
		"TestLedgerRows": TestLedgerRows, "TestTasks": TestTasks, "TestFailures": TestFailures, "TestDurable": TestDurable,
	}})
}
