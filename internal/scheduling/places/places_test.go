package places

import (
	"slices"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.States()) != 37 || len(p.PINs()) < 19_000 {
		t.Fatalf("%d states, %d PINs", len(p.States()), len(p.PINs()))
	}
	total := 0
	for i, s := range p.States() {
		if s.ID != i+1 || s.NameHi == "" {
			t.Errorf("%+v", s)
		}
		ds := p.Districts(s.ID)
		if len(ds) == 0 {
			t.Errorf("%s has no district", s.Name)
		}
		total += len(ds)
		for _, d := range ds {
			if got, ok := p.District(d.ID); !ok || got != d || d.State != s.ID {
				t.Errorf("%+v", d)
			}
		}
	}
	if total < 600 {
		t.Errorf("%d districts", total)
	}
	x, ok := p.ByPIN("110001")
	if !ok {
		t.Fatal("110001 is missing")
	}
	d, _ := p.District(x.District)
	if s, _ := p.State(d.State); s.Name != "Delhi" {
		t.Errorf("110001 is in %s", s.Name)
	}
	if _, ok := p.ByPIN("000000"); ok {
		t.Error("000000 exists")
	}
	if _, ok := p.District(0); ok {
		t.Error("district 0 exists")
	}
}

// TestHindi: every state and district has a name in Devanagari; of one state no
// two are the same.
func TestHindi(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.States() {
		seen := map[string]bool{}
		for _, d := range p.Districts(s.ID) {
			letters := strings.IndexFunc(d.NameHi, func(r rune) bool { return r >= 'ऀ' && r <= 'ॿ' }) == 0
			if same, _ := p.District(d.ID); !letters || seen[d.NameHi] || same != d {
				t.Errorf("%d %s: %q", d.ID, d.Name, d.NameHi)
			}
			seen[d.NameHi] = true
		}
	}
}

func TestBlocks(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	where, ok := p.ByPIN("110001")
	list := p.Blocks(where.District)
	if !ok || !slices.Contains(list, where.Block) || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("blocks of %d: %v lack %q, or are not a sorted set", where.District, list, where.Block)
	}
	if p.Blocks(0) != nil || p.Blocks(99999) != nil {
		t.Error("an unknown district has blocks")
	}
}
