package budget_test

import (
	"testing"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/fault"
)

// TestSettings: the defaults are those of the published rules, each figure has its
// limits, and the bound says what a stolen session is worth.
func TestSettings(t *testing.T) {
	s := budget.DefaultSettings()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if s.Pending != 25 || s.NoDose != 20 || s.Base != 30 || s.EarnTenths != 12 || s.BreakGlass != 2 || s.StepUpMilli != 8000 || s.BreakerPercent != 150 {
		t.Fatalf("not the figures of defence.md 4.2: %+v", s)
	}
	if b := s.Bound(0); b != 32 {
		t.Fatalf("bound of a session that serves nobody: %d", b)
	}
	if b := s.Bound(150); b != 62 {
		t.Fatalf("bound beside 150 confirmed doses: %d", b)
	}
	for name, change := range map[string]func(*budget.Settings){
		"zero":        func(s *budget.Settings) { *s = budget.Settings{} },
		"pending":     func(s *budget.Settings) { s.Pending = 0 },
		"warn":        func(s *budget.Settings) { s.PendingWarn = s.Pending + 1 },
		"no dose":     func(s *budget.Settings) { s.NoDose = -1 },
		"base":        func(s *budget.Settings) { s.Base = 501 },
		"earn":        func(s *budget.Settings) { s.EarnTenths = 21 },
		"break-glass": func(s *budget.Settings) { s.BreakGlass = 21 },
		"p0":          func(s *budget.Settings) { s.HonestPermille = 0 },
		"p1 = p0":     func(s *budget.Settings) { s.BadPermille = s.HonestPermille },
		"h":           func(s *budget.Settings) { s.StepUpMilli = 0 },
		"ratio":       func(s *budget.Settings) { s.BreakerPercent = 99 },
		"weeks":       func(s *budget.Settings) { s.BreakerWeeks = 9 },
		"start":       func(s *budget.Settings) { s.SystemStart = -1 },
	} {
		bad := s
		change(&bad)
		if err := bad.Validate(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
