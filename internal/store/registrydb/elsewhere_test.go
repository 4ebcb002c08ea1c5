package registrydb_test

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/store/registrydb"
)

// TestElsewhere: a pointer is kept once, is its centre's alone, oldest first, and
// leaves the list when its dose is in a record.
func TestElsewhere(t *testing.T) {
	s, ctx := registrydb.NewPeople(registrytest.Open(t)), t.Context()
	late := registry.Pointer{Event: id.Event(id.New()), Centre: 7, Typed: 4711, Received: 20}
	early := registry.Pointer{Event: id.Event(id.New()), Centre: 7, Typed: 4712, Received: 10}
	for _, p := range []registry.Pointer{late, early, late, {Event: late.Event, Centre: 7, Typed: 9, Received: 1}} {
		if err := s.PutElsewhere(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.ListElsewhere(ctx, 7, 10); err != nil || len(got) != 2 || got[0] != early || got[1] != late {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := s.ListElsewhere(ctx, 7, 1); err != nil || len(got) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := s.ListElsewhere(ctx, 8, 10); err != nil || len(got) != 0 {
		t.Errorf("another centre's: %+v %v", got, err)
	}
	if got, err := s.Elsewhere(ctx, 7, late.Event); err != nil || got != late {
		t.Errorf("%+v %v", got, err)
	}
	for _, c := range []id.Centre{8, 4711} {
		if _, err := s.Elsewhere(ctx, c, late.Event); !fault.Is(err, fault.NotFound) {
			t.Errorf("centre %d: %v", c, err)
		}
		if err := s.EndElsewhere(ctx, c, late.Event); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := s.EndElsewhere(ctx, 7, late.Event); err != nil {
			t.Error(err)
		}
	}
	if err := s.PutElsewhere(ctx, late); err != nil { // told again by a worker that came late
		t.Error(err)
	}
	if got, err := s.ListElsewhere(ctx, 7, 10); err != nil || len(got) != 1 || got[0] != early {
		t.Errorf("%+v %v", got, err)
	}
}
