package registry_test

import (
	"testing"

	"tikakosh/internal/store/pgtest"
)

func TestPostgres(t *testing.T) {
	pgtest.Run(t, pgtest.Suite{Run: map[string]func(*testing.T){
		"TestHouseholdLife": TestHouseholdLife, "TestNotesEndTogether": TestNotesEndTogether, "TestDoseLosesAndRepeats": TestDoseLosesAndRepeats, "TestDoseGivesNothingAway": TestDoseGivesNothingAway,
		"TestReferenceDrawnTwice": TestReferenceDrawnTwice, "TestIntegrityIsReadTwice": TestIntegrityIsReadTwice, "TestOpenings": TestOpenings,
		"TestKeys": TestKeys, "TestOnOneListOnly": TestOnOneListOnly, "TestRelayDefersAndGoesOn": TestRelayDefersAndGoesOn, "TestSeeded": TestSeeded, "TestRemovalOfNobody": TestRemovalOfNobody,
		"TestSameKey": TestSameKey, "TestRequestOfNobody": TestRequestOfNobody, "TestKeyStandsForOneRequest": TestKeyStandsForOneRequest, "TestMalformedNote": TestMalformedNote,
		"TestCrashAtEveryStep": TestCrashAtEveryStep, "TestStoreFailsAtEveryStep": TestStoreFailsAtEveryStep,
		"TestVaultFailsAtEveryStep": TestVaultFailsAtEveryStep,
	}})
}
