package registry

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// RecountWord is the vault's word for counting who was there before its counters.
type RecountWord interface {
	Recount(ctx context.Context, r vault.RecountRequest) (vault.Recounted, error)
}

// Census lists everybody across all buckets. Only the worker has it.
type Census interface {
	// Everybody lists people after one, in order of their ids.
	Everybody(ctx context.Context, after id.Person, limit int) ([]id.Person, error)
}

// Recounter has the vault count the people of before the counters, once. It belongs to
// one goroutine.
type Recounter struct {
	vault  RecountWord
	people *Service
	census Census
	after  id.Person
	left   bool // somebody of this round could not be counted yet
	begun  bool
	done   bool
	next   time.Time // not before then
}

// recountAgain is how long those who could not be counted are left alone.
const recountAgain = time.Hour

// NewRecounter makes it over the registry's people.
func NewRecounter(v RecountWord, people *Service, census Census) *Recounter {
	return &Recounter{vault: v, people: people, census: census}
}

// Done reports whether everybody is counted, or was gone through once: figures may be
// published.
func (r *Recounter) Done() bool { return r.done || r.begun && r.after == "" }

// Recount goes through one page of people and returns how many it brought. After the
// last page it begins anew with those who could not be counted, until there is nobody
// left. It may break off anywhere.
func (r *Recounter) Recount(ctx context.Context, now time.Time) (n int, err error) {
	if r.done || now.Before(r.next) {
		return 0, nil
	}
	page, err := r.census.Everybody(ctx, r.after, vault.MaxRecountAsked)
	if err != nil {
		return 0, err
	}
	asked, err := r.vault.Recount(ctx, vault.RecountRequest{Persons: page})
	if err != nil {
		return 0, err
	}
	if r.done = asked.Done; r.done {
		return 0, nil
	}
	for part := range slices.Chunk(asked.Left, vault.MaxRecountRecords) {
		left, err := r.bring(ctx, part)
		if err != nil {
			return n, err
		}
		n += len(part) - left
		r.left = r.left || left > 0
	}
	if len(page) == vault.MaxRecountAsked {
		r.after = page[len(page)-1]
		return n, nil
	}
	again := r.left
	if again {
		r.next = now.Add(recountAgain)
	}
	r.after, r.left, r.begun = "", false, true
	if again {
		return n, nil
	}
	last, err := r.vault.Recount(ctx, vault.RecountRequest{Finished: true})
	r.done = err == nil && last.Done
	return n, err
}

// bring brings some records. One that does not match the vault's head must not keep the
// others from being counted: then each comes alone, and that one stays out.
func (r *Recounter) bring(ctx context.Context, people []id.Person) (left int, err error) {
	got, err := r.counted(ctx, people)
	if !fault.Is(err, fault.Integrity) || len(people) == 1 {
		return len(got.Left), err
	}
	for _, p := range people {
		got, err := r.counted(ctx, []id.Person{p})
		if err != nil && !fault.Is(err, fault.Integrity) {
			return left, err
		}
		left += len(got.Left)
	}
	return left, nil
}

func (r *Recounter) counted(ctx context.Context, people []id.Person) (vault.Recounted, error) {
	recs, err := r.people.Records(ctx, people)
	if err != nil {
		return vault.Recounted{}, err
	}
	return r.vault.Recount(ctx, vault.RecountRequest{Records: recs})
}
