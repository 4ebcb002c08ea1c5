package scheduling

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// board stands for the registry and the vault.
type board struct {
	sessions []Session
	wishes   []Wish
	told     []string
	dropped  []string
	gone     bool
}

func (b *board) Centres(_ context.Context, after id.Centre, _ int) ([]Centre, error) {
	if after > 0 {
		return nil, nil
	}
	return []Centre{{ID: 1, DistrictID: 5, PIN: "110001"}, {ID: 2, DistrictID: 6, PIN: "110002"}}, nil
}

func (b *board) Sessions(_ context.Context, _, _ civil.Date, cursor Session, _ int) ([]Session, error) {
	if cursor.ID != "" {
		return nil, nil
	}
	return slices.Clone(b.sessions), nil
}

func (b *board) LiveWishes(_ context.Context, _ int64, cursor Wish, _ int) ([]Wish, error) {
	if cursor.ID != "" {
		return nil, nil
	}
	return b.wishes, nil
}

func (b *board) PutWish(context.Context, Wish) error                  { return nil }
func (b *board) Wishes(context.Context, id.Household) ([]Wish, error) { return nil, nil }
func (b *board) DropWish(_ context.Context, _ id.Household, w string) error {
	b.dropped = append(b.dropped, w)
	return nil
}

func (b *board) Tell(_ context.Context, r vault.TellRequest) (vault.Told, error) {
	if b.gone {
		return vault.Told{Gone: true}, nil
	}
	b.told = append(b.told, r.ID)
	return vault.Told{Told: true}, nil
}

// TestWatcher: what becomes free, or is published, is told to those whom it
// fits; what was free before, at the first look, and what fits nobody is not.
func TestWatcher(t *testing.T) {
	b := &board{sessions: []Session{{ID: "a", Centre: 1, Product: "COVAXIN", Cap1: 10, Taken1: 10, Cap2: 5}}}
	b.wishes = []Wish{{ID: "district", District: 5, Dose: 1}, {ID: "pin", PIN: "110001", Dose: 1, Product: "COVAXIN"}, {ID: "other vaccine", District: 5, Dose: 1, Product: "COVISHIELD"},
		{ID: "elsewhere", PIN: "110009", Dose: 1}, {ID: "second", District: 5, Dose: 2}, {ID: "there", District: 6, Dose: 2}}
	w := NewWatcher(b, b, b, b, slog.New(slog.DiscardHandler))
	look := func(want ...string) {
		t.Helper()
		b.told = nil
		n, err := w.Look(t.Context(), time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC))
		if err != nil || n != len(want) || !slices.Equal(b.told, want) {
			t.Errorf("told %v, want %v (%v)", b.told, want, err)
		}
	}
	look()
	look()
	b.sessions[0].Taken1 = 9
	look("district", "pin")
	look()
	b.sessions = append(b.sessions, Session{ID: "b", Centre: 2, Product: "COVISHIELD", Cap2: 1})
	look("there")
	b.sessions[0].Taken1 = 10
	look()
	b.gone = true
	b.sessions[0].Taken1 = 0
	look()
	if !slices.Equal(b.dropped, []string{"district", "pin"}) {
		t.Errorf("dropped %v", b.dropped)
	}
}
