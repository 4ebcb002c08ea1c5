// Package audit compares what the registry stores, what the vault's rows say and what is on
// the ledger. It reads ledger bodies and rows, makes no entry, and opens no part of a person.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// Finding is one thing the audit found wrong, by the opaque ids an operator can
// look at.
type Finding struct {
	Kind   string // "forged", "deleted", "edited", "rolled back", "swapped", "row", "head", "digest"
	Person id.Person
	Part   vault.Part
	Seq    int64
	Text   string
}

// Report is what `ledger audit` prints.
type Report struct {
	Entries   int64
	Persons   int
	Parts     int
	Abandoned int // sealed, never stored, older than a day: not tampering
	Waiting   int // sealed and not reported yet
	Findings  []Finding

	// Decided counts what the policies decided: acts, openings and refusals by kind and the
	// ids of the policies, a tab between them, and nothing about people.
	Decided map[string]int64
}

// abandonedAfter is when a seal that was never stored counts as abandoned.
const abandonedAfter = 24 * time.Hour

// sealedPart is one part as the ledger has it. Stale is one that a later seal of
// the same part for the same place replaced.
type sealedPart struct {
	engine.PartNote
	at    int64
	stale bool
}

// committedPart is the part that the ledger says stands in a place.
type committedPart struct {
	engine.PartNote
	index int64
}

// personLedger is what the ledger says of one person. People have a handful of
// parts, so that lists need less room than maps and are searched as fast.
type personLedger struct {
	parts     []sealedPart
	committed []committedPart
	first     int64 // index of the first entry that seals for the person
	removed   bool
	removedAt int64
}

// at finds the committed part of a place.
func (l *personLedger) committedAt(seq int64) *committedPart {
	for i := range l.committed {
		if l.committed[i].Seq == seq {
			return &l.committed[i]
		}
	}
	return nil
}

// sealed finds the last sealing of a part for a place.
func (l *personLedger) sealed(seq int64, part vault.Part) *sealedPart {
	for i := range l.parts {
		if p := &l.parts[i]; p.Seq == seq && p.Part == part && !p.stale {
			return p
		}
	}
	return nil
}

// has reports whether a body with this hash was ever sealed for the person.
func (l *personLedger) has(h vault.Hash) bool {
	return slices.ContainsFunc(l.parts, func(p sealedPart) bool { return p.Hash == h })
}

// Audit compares the registry's records with the ledger, entry by entry (design.md 4):
// a row without `sealed` is forged, `committed` without a row is deleted, another
// hash is edited, swapped or rolled back, `sealed` without `committed` after a day
// is abandoned. It opens ledger bodies, never a person's parts. The installation
// may be running: the registry is read first, the ledger after it, and what was
// committed meanwhile is not missed.
func (k *Auditor) Audit(ctx context.Context, registry iter.Seq2[vault.Record, error]) (Report, error) {
	rep := Report{Decided: map[string]int64{}}
	var begin int64
	if err := k.eng.View(ctx, func(t *engine.Txn) (err error) {
		begin, _, err = t.Head()
		return err
	}); err != nil {
		return rep, err
	}
	var stored []vault.Record
	edited := map[vault.Hash]bool{}
	for rec, err := range registry {
		if err != nil {
			return rep, err
		}
		for i, s := range rec.Parts {
			if s.Body != nil && release.HashOf(s.Body) != s.Hash {
				edited[s.Hash] = true
			}
			rec.Parts[i].Body = nil
		}
		stored = append(stored, rec)
	}
	rows, err := k.auditRows(ctx, &rep)
	if err != nil {
		return rep, err
	}
	people, err := k.readLedger(ctx, &rep, rows)
	if err != nil {
		return rep, err
	}
	k.compare(people, stored, edited, rows.heads, begin, &rep)
	rows.compare(k, people, &rep)
	slices.SortFunc(rep.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Text, b.Text))
	})
	rep.Persons = len(people)
	return rep, nil
}

func (k *Auditor) compare(people map[id.Person]*personLedger, stored []vault.Record, edited map[vault.Hash]bool, heads map[id.Person]headRow, begin int64, rep *Report) {
	have := make(map[id.Person]bool, len(stored))
	for _, rec := range stored {
		have[rec.Person] = true
		rep.Parts += len(rec.Parts)
		auditRecord(rec, people, edited, begin, rep)
	}
	for person, l := range people {
		before := int64(0)
		for _, c := range l.committed {
			if c.index < begin {
				before++
			}
		}
		if !have[person] && before > 0 {
			rep.Findings = append(rep.Findings, Finding{Kind: "deleted", Person: person, Text: "every part of a person is missing"})
		}
		if h, ok := heads[person]; ok && (h.seq < before || h.seq > int64(len(l.committed))) {
			rep.Findings = append(rep.Findings, Finding{Kind: "head", Person: person, Seq: h.seq, Text: "the vault's head is not where the ledger says"})
		}
		k.countOpen(l, rep)
	}
}

// ledgerPage is how many entries one read brings.
const ledgerPage = 4000

// readLedger reads every entry in order. While one page is opened on every core,
// the next is read.
func (k *Auditor) readLedger(ctx context.Context, rep *Report, have *auditedRows) (map[id.Person]*personLedger, error) {
	type page struct {
		rows []state.Entry
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page, 1)
	defer func() {
		cancel()
		for range pages { // the reader ends
		}
	}()
	go func() {
		defer close(pages)
		for from := int64(0); ; from += ledgerPage {
			var p page
			p.err = k.store.View(ctx, func(tx state.Tx) (err error) {
				p.rows, err = tx.Entries(ctx, from, ledgerPage)
				return err
			})
			select {
			case pages <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil || len(p.rows) < ledgerPage {
				return
			}
		}
	}()
	people := map[id.Person]*personLedger{}
	var lost []int64
	for p := range pages {
		if p.err != nil {
			return nil, p.err
		}
		entries, err := k.openEntries(p.rows)
		for i, e := range entries {
			if p.rows[i].Index != rep.Entries {
				return nil, state.Integrity("ledger_entry", fmt.Sprintf("entry %d is missing", rep.Entries))
			}
			noteEntry(e, people)
			have.note(e)
			if e.Policy != "" {
				rep.Decided[e.Kind+"\t"+e.Policy]++
			}
			lost = vouched(e, lost)
			rep.Entries++
		}
		if err != nil {
			return nil, err
		}
	}
	for _, index := range lost {
		rep.Findings = append(rep.Findings, Finding{Kind: "deleted", Text: fmt.Sprintf("the body of ledger entry %d is missing, and no approved restore says so", index)})
	}
	return people, ctx.Err()
}

// vouched adds an entry without a body to the lost ones, and takes out those that
// an approved restore right after them answers for.
func vouched(e engine.Entry, lost []int64) []int64 {
	if e.Kind == engine.KindLost {
		return append(lost, e.Index)
	}
	if e.Lost > 0 {
		return slices.DeleteFunc(lost, func(i int64) bool { return i >= e.Index-e.Lost && i < e.Index })
	}
	return lost
}

// openEntries opens entries on every core, in order. With an error come those
// before the first that does not open.
func (k *Auditor) openEntries(rows []state.Entry) ([]engine.Entry, error) {
	out := make([]engine.Entry, len(rows))
	errs := make([]error, len(rows))
	parts := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for g := range parts {
		wg.Go(func() {
			for i := g * len(rows) / parts; i < (g+1)*len(rows)/parts; i++ {
				if len(rows[i].Sealed) == 0 {
					out[i] = engine.Entry{Index: rows[i].Index, Kind: engine.KindLost}
					continue
				}
				out[i], errs[i] = k.eng.OpenEntry(rows[i])
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return out[:i], err
		}
	}
	return out, nil
}

func noteEntry(e engine.Entry, people map[id.Person]*personLedger) {
	if e.Person == "" || (e.Seal == nil && e.Kind != "removed" && e.Kind != engine.KindErased) {
		return
	}
	l := people[e.Person]
	if l == nil {
		l = &personLedger{first: e.Index}
		people[e.Person] = l
	}
	if e.Kind == "removed" || e.Kind == engine.KindErased {
		l.removed, l.removedAt = true, e.Index
		return
	}
	for _, p := range e.Seal.Parts {
		s := l.sealed(p.Seq, p.Part)
		if s != nil {
			p.Part = s.Part // one text for both
		}
		switch {
		case s == nil:
			l.parts = append(l.parts, sealedPart{PartNote: p, at: e.At})
		case s.Hash == p.Hash:
			s.PartNote, s.at = p, e.At
		default:
			s.stale = true
			l.parts = append(l.parts, sealedPart{PartNote: p, at: e.At})
		}
		if e.Kind == "committed" {
			if c := l.committedAt(p.Seq); c != nil {
				*c = committedPart{p, e.Index}
			} else {
				l.committed = append(l.committed, committedPart{p, e.Index})
			}
		}
	}
}

// owner finds whose a body is, by its hash: for findings, which are few.
func owner(people map[id.Person]*personLedger, h vault.Hash) (id.Person, bool) {
	for person, l := range people {
		if l.has(h) {
			return person, true
		}
	}
	return "", false
}

func auditRecord(rec vault.Record, people map[id.Person]*personLedger, edited map[vault.Hash]bool, begin int64, rep *Report) {
	l := people[rec.Person]
	add := func(kind string, s vault.Sealed, text string) {
		rep.Findings = append(rep.Findings, Finding{Kind: kind, Person: rec.Person, Part: s.Part, Seq: s.Seq, Text: text})
	}
	for _, s := range rec.Parts {
		if edited[s.Hash] {
			add("edited", s, "the body does not have its hash")
			continue
		}
		if l == nil {
			add("forged", s, "the vault never sealed a part of this person")
			continue
		}
		if want := l.committedAt(s.Seq); want != nil && want.Hash != s.Hash {
			who, known := rec.Person, l.has(s.Hash)
			if !known {
				who, known = owner(people, s.Hash)
			}
			switch {
			case known && who != rec.Person:
				add("swapped", s, "the body belongs to another person")
			case known:
				add("rolled back", s, "another version of this person's parts stands here")
			default:
				add("edited", s, "the hash is not the committed one")
			}
			continue
		}
		if sealed := l.sealed(s.Seq, s.Part); sealed == nil || sealed.Hash != s.Hash {
			add("forged", s, "the vault never sealed this part")
		}
	}
	if l == nil {
		return
	}
	for _, p := range l.committed {
		if p.index < begin && !slices.ContainsFunc(rec.Parts, func(s vault.Sealed) bool { return s.Seq == p.Seq }) {
			rep.Findings = append(rep.Findings, Finding{Kind: "deleted", Person: rec.Person, Part: p.Part, Seq: p.Seq, Text: "a committed part is missing"})
		}
	}
}

func (k *Auditor) countOpen(l *personLedger, rep *Report) {
	limit := k.now().Add(-abandonedAfter).UnixMilli()
	for _, p := range l.parts {
		if p.stale || l.committedAt(p.Seq) != nil {
			continue
		}
		if p.at < limit {
			rep.Abandoned++
		} else {
			rep.Waiting++
		}
	}
}

// Auditor reads a vault's database. It makes no entry and opens no part of a person.
type Auditor struct {
	eng   *engine.Engine
	store state.Store
	now   func() time.Time
}

// New returns an auditor over the engine of a vault that runs.
func New(eng *engine.Engine, st state.Store, now func() time.Time) *Auditor {
	return &Auditor{eng: eng, store: st, now: now}
}

// Open opens a vault's database for reading ledger bodies only: no entry can be
// made and no part of a person can be opened with the keys it unwraps.
func Open(ctx context.Context, origin string, realm id.Realm, st state.Store, p keyring.Provider, now func() time.Time) (*Auditor, error) {
	keys, err := keyring.OpenToRead(ctx, st, p, realm)
	if err != nil {
		return nil, err
	}
	return New(engine.ForAudit(engine.Config{Origin: origin}, st, keys, now, nil), st, now), nil
}
