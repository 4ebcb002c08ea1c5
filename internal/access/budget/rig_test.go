package budget_test

import (
	"encoding/binary"
	"testing"

	"tikakosh/internal/access/budget"
)

// The day and hour of the tests, unless one says otherwise.
const (
	today = 20783
	now   = 498800
)

// person is a tag that no other number has.
func person(n int) (t budget.Tag) {
	binary.BigEndian.PutUint64(t[:], uint64(n)*0x9E3779B97F4A7C15)
	return t
}

// bench is one member's load with the settings, as a test changes it step by step.
type bench struct {
	t *testing.T
	s budget.Settings
	l budget.Load
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, s: budget.DefaultSettings()}
	if err := b.s.Validate(); err != nil {
		t.Fatal(err)
	}
	b.l.District, _, _ = b.s.Roll(budget.OfDistrict, budget.Hour{}, budget.History{}, now)
	b.l.System, _, _ = b.s.Roll(budget.OfSystem, budget.Hour{}, budget.History{}, now)
	return b
}

// does applies an event and returns what became of it.
func (b *bench) does(k budget.Kind, n int) budget.Verdict {
	b.t.Helper()
	var v budget.Verdict
	b.l, v = b.s.Decide(b.l, budget.Event{Kind: k, Person: person(n), Day: today, Hour: now})
	return v
}

// want applies an event that has to end with an outcome and a reason.
func (b *bench) want(k budget.Kind, n int, o budget.Outcome, r budget.Reason) budget.Verdict {
	b.t.Helper()
	v := b.does(k, n)
	if v.Outcome != o || v.Reason != r {
		b.t.Fatalf("event %d of person %d: outcome %d %q, want %d %q", k, n, v.Outcome, v.Reason, o, r)
	}
	return v
}

func (b *bench) allow(k budget.Kind, n int) budget.Verdict {
	b.t.Helper()
	return b.want(k, n, budget.Allow, "")
}
