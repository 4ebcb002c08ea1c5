package scheduling_test

import (
	"testing"

	"tikakosh/internal/store/pgtest"
)

func TestPostgres(t *testing.T) {
	pgtest.Run(t, pgtest.Suite{Run: map[string]func(*testing.T){
		"TestSearch": TestSearch, "TestNearestIsByDistance": TestNearestIsByDistance, "TestBookingCloses": TestBookingCloses,
		"TestSlotOverIsRefused": TestSlotOverIsRefused, "TestClosedStillAnswers": TestClosedStillAnswers,
		"TestPictureIsPagedAndKept": TestPictureIsPagedAndKept, "TestRun": TestRun, "TestVaultDown": TestVaultDown, "TestAddRefuses": TestAddRefuses,
		"TestTermsChange": TestTermsChange, "TestBookAndCancel": TestBookAndCancel, "TestPools": TestPools, "TestBookRefusals": TestBookRefusals,
		"TestFence": TestFence, "TestSameKeyAtOnce": TestSameKeyAtOnce, "TestStampede": TestStampede, "TestSimulation": TestSimulation,
		"TestAblationOff": TestAblationOff, "TestBookReadsTwice": TestBookReadsTwice, "TestCallerGoes": TestCallerGoes, "TestDraw": TestDraw,
		"TestDrawWaits": TestDrawWaits, "TestDrawRefusal": TestDrawRefusal, "TestDrawBreaks": TestDrawBreaks, "TestDrawAskedAgain": TestDrawAskedAgain,
		"TestFeedTellsOthers": TestFeedTellsOthers, "TestOwnActsShowAtOnce": TestOwnActsShowAtOnce, "TestFeedIsLoad": TestFeedIsLoad,
		"TestAnswerHolds": TestAnswerHolds, "TestFollow": TestFollow, "TestGivenBeforeSweep": TestGivenBeforeSweep,
		"TestMissedAppointment": TestMissedAppointment, "TestRescheduleRefused": TestRescheduleRefused, "TestRescheduleSome": TestRescheduleSome,
		"TestRescheduleOne": TestRescheduleOne, "TestFormer": TestFormer,
		"TestRescheduleAndCancel": TestRescheduleAndCancel, "TestRescheduleRace": TestRescheduleRace, "TestCheckOpening": TestCheckOpening,
		"TestR20FiveThousand": TestR20FiveThousand, "TestR20LastPlace": TestR20LastPlace, "TestSoldOutFromMemory": TestSoldOutFromMemory,
		"TestBusy": TestBusy, "TestParties": TestParties, "TestRefusedBesideGranted": TestRefusedBesideGranted,
		"TestCrashAtEveryStep": TestCrashAtEveryStep, "TestStoreFailsAtEveryStep": TestStoreFailsAtEveryStep,
		"TestVaultFailsAtEveryStep": TestVaultFailsAtEveryStep, "TestSweepFails": TestSweepFails, "TestDoseUsesTheBookingUp": TestDoseUsesTheBookingUp,
		"TestVaultKnowsMore": TestVaultKnowsMore, "TestTwoCrashes": TestTwoCrashes, "TestCrashAndLateReport": TestCrashAndLateReport,
		"TestStuckWork": TestStuckWork, "TestMalformedNote": TestMalformedNote,
		"TestReserve": TestReserve, "TestReserveEnds": TestReserveEnds, "TestReserveBounds": TestReserveBounds, "TestReserveRace": TestReserveRace,
		"TestReserveHouseholdRace": TestReserveHouseholdRace, "TestReserveMove": TestReserveMove, "TestConfirmAfterSweep": TestConfirmAfterSweep,
	}})
}
