package scheduling_test

import (
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
)

// TestCheckOpening: an opening says what was published, or which field differs.
func TestCheckOpening(t *testing.T) {
	w := newWorld(t)
	s, c := w.open(5, 5), centre(1)
	good := scheduling.Opening{Centre: c.ID, Session: s.ID, Day: s.Day, Zone: c.Zone, Name: c.Name, District: c.District, State: c.State, Product: s.Product}
	if err := w.svc.CheckOpening(t.Context(), good); err != nil {
		t.Fatalf("as published: %v", err)
	}
	for field, change := range map[string]func(*scheduling.Opening){
		"session_id is not a session": func(o *scheduling.Opening) { o.Session = id.Session(id.New()) },
		"a session of this centre":    func(o *scheduling.Opening) { o.Centre++ },
		"date":                        func(o *scheduling.Opening) { o.Day = o.Day.AddDays(1) },
		"zone":                        func(o *scheduling.Opening) { o.Zone = "Asia/Dubai" },
		"vaccine":                     func(o *scheduling.Opening) { o.Product = "COVAXIN" },
		"name":                        func(o *scheduling.Opening) { o.Name = "A Wrong Name" },
		"district_name":               func(o *scheduling.Opening) { o.District = "Nowhere" },
		"state_name":                  func(o *scheduling.Opening) { o.State = "Nowhere" },
	} {
		o := good
		change(&o)
		if err := w.svc.CheckOpening(t.Context(), o); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
