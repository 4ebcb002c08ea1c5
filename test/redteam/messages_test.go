package redteam

import (
	"fmt"
	"testing"

	"tikakosh/test/harness"
)

// TestM1CodeTwice: whoever can end the link to a gateway right after it took a
// code waits for the same code to come again, over the other gateway or this one.
func TestM1CodeTwice(t *testing.T) {
	t.Parallel()
	first, second := harness.NewSMSC(t), harness.NewSMSC(t)
	cut := func(string, int) harness.Verdict { return harness.Verdict{Cut: true} }
	first.Rule(cut)
	path := harness.RoutesFile(t, t.TempDir(), nil, first, second)
	run(t, "M1", trial{own: true, base: harness.Options{Args: []string{"--routes", path}}, try: func(_ *testing.T, s *harness.Server) (bool, string) {
		most := 0
		for range 5 {
			mobile := s.Mobile()
			_, _ = s.Client().AskCode(mobile)
			most = max(most, first.Submits(mobile)+second.Submits(mobile))
		}
		return most > 1, fmt.Sprintf("five codes, the link cut after each: one code went out at most %d times", most)
	}})
}
