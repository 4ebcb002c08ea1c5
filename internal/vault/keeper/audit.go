package keeper

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
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

// AuditReport is what `ledger audit` prints.
type AuditReport struct {
	Entries   int64
	Persons   int
	Parts     int
	Abandoned int // sealed, never stored, older than a day: not tampering
	Waiting   int // sealed and not reported yet
	Findings  []Finding
}

// abandonedAfter is when a seal that was never stored counts as abandoned.
const abandonedAfter = 24 * time.Hour

type seenPart struct {
	hash      vault.Hash
	version   int
	committed bool
	at        int64
}

// personLedger is what the ledger says of one person: for each place the parts
// that were sealed for it, the committed one among them.
type committedPart struct {
	partNote
	index int64
}

type personLedger struct {
	parts     map[int64]map[vault.Part]seenPart
	committed map[int64]committedPart
	first     int64 // index of the first entry that seals for the person
	removed   bool
	removedAt int64
}

// Audit compares the registry's records with the ledger, entry by entry (design.md 4):
// a row without `sealed` is forged, `committed` without a row is deleted, another
// hash is edited, swapped or rolled back, `sealed` without `committed` after a day
// is abandoned. It opens ledger bodies, never a person's parts. The installation
// may be running: the registry is read first, the ledger after it, and what was
// committed meanwhile is not missed.
func (k *Keeper) Audit(ctx context.Context, registry iter.Seq2[vault.Record, error]) (AuditReport, error) {
	var rep AuditReport
	var begin int64
	if err := k.view(ctx, func(t *txn) (err error) {
		begin, _, err = t.head()
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
			if s.Body != nil && hashOf(s.Body) != s.Hash {
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
	people, hashes, err := k.readLedger(ctx, &rep, rows)
	if err != nil {
		return rep, err
	}
	k.compare(people, hashes, stored, edited, rows.heads, begin, &rep)
	rows.compare(k, people, &rep)
	slices.SortFunc(rep.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Text, b.Text))
	})
	rep.Persons = len(people)
	return rep, nil
}

func (k *Keeper) compare(people map[id.Person]*personLedger, hashes map[vault.Hash]id.Person, stored []vault.Record, edited map[vault.Hash]bool,
	heads map[id.Person]int64, begin int64, rep *AuditReport) {
	have := map[id.Person]bool{}
	for _, rec := range stored {
		have[rec.Person] = true
		rep.Parts += len(rec.Parts)
		auditRecord(rec, people[rec.Person], hashes, edited, begin, rep)
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
		if seq, ok := heads[person]; ok && (seq < before || seq > int64(len(l.committed))) {
			rep.Findings = append(rep.Findings, Finding{Kind: "head", Person: person, Seq: seq, Text: "the vault's head is not where the ledger says"})
		}
		k.countOpen(l, rep)
	}
}

func (k *Keeper) readLedger(ctx context.Context, rep *AuditReport, have *auditedRows) (map[id.Person]*personLedger, map[vault.Hash]id.Person, error) {
	people, hashes := map[id.Person]*personLedger{}, map[vault.Hash]id.Person{}
	for from := int64(0); ; {
		var rows []state.Entry
		if err := k.store.View(ctx, func(tx state.Tx) (err error) {
			rows, err = tx.Entries(ctx, from, 1000)
			return err
		}); err != nil {
			return nil, nil, err
		}
		for _, row := range rows {
			if row.Index != from {
				return nil, nil, integrity("ledger_entry", fmt.Sprintf("entry %d is missing", from))
			}
			e, err := k.openEntry(row)
			if err != nil {
				return nil, nil, err
			}
			noteEntry(e, people, hashes)
			have.note(e)
			from++
		}
		rep.Entries = from
		if len(rows) < 1000 {
			return people, hashes, nil
		}
	}
}

func noteEntry(e entry, people map[id.Person]*personLedger, hashes map[vault.Hash]id.Person) {
	if e.Person == "" || (e.Seal == nil && e.Kind != "removed") {
		return
	}
	l := people[e.Person]
	if l == nil {
		l = &personLedger{parts: map[int64]map[vault.Part]seenPart{}, committed: map[int64]committedPart{}, first: e.Index}
		people[e.Person] = l
	}
	if e.Kind == "removed" {
		l.removed, l.removedAt = true, e.Index
		return
	}
	for _, p := range e.Seal.Parts {
		hashes[p.Hash] = e.Person
		if l.parts[p.Seq] == nil {
			l.parts[p.Seq] = map[vault.Part]seenPart{}
		}
		s := l.parts[p.Seq][p.Part]
		if e.Kind == "committed" {
			l.committed[p.Seq] = committedPart{p, e.Index}
			s.committed = true
		}
		l.parts[p.Seq][p.Part] = seenPart{hash: p.Hash, version: p.Version, committed: s.committed, at: e.At}
	}
}

func auditRecord(rec vault.Record, l *personLedger, hashes map[vault.Hash]id.Person, edited map[vault.Hash]bool, begin int64, rep *AuditReport) {
	add := func(kind string, s vault.Sealed, text string) {
		rep.Findings = append(rep.Findings, Finding{Kind: kind, Person: rec.Person, Part: s.Part, Seq: s.Seq, Text: text})
	}
	have := map[int64]bool{}
	for _, s := range rec.Parts {
		have[s.Seq] = true
		if edited[s.Hash] {
			add("edited", s, "the body does not have its hash")
			continue
		}
		if l == nil {
			add("forged", s, "the vault never sealed a part of this person")
			continue
		}
		if want, ok := l.committed[s.Seq]; ok && want.Hash != s.Hash {
			switch owner, known := hashes[s.Hash]; {
			case known && owner != rec.Person:
				add("swapped", s, "the body belongs to another person")
			case known:
				add("rolled back", s, "another version of this person's parts stands here")
			default:
				add("edited", s, "the hash is not the committed one")
			}
			continue
		}
		sealed, ok := l.parts[s.Seq][s.Part]
		if !ok || sealed.hash != s.Hash {
			add("forged", s, "the vault never sealed this part")
		}
	}
	if l == nil {
		return
	}
	for seq, p := range l.committed {
		if !have[seq] && p.index < begin {
			rep.Findings = append(rep.Findings, Finding{Kind: "deleted", Person: rec.Person, Part: p.Part, Seq: seq, Text: "a committed part is missing"})
		}
	}
}

func (k *Keeper) countOpen(l *personLedger, rep *AuditReport) {
	limit := k.now().Add(-abandonedAfter).UnixMilli()
	for seq, parts := range l.parts {
		if _, ok := l.committed[seq]; ok {
			continue
		}
		for _, p := range parts {
			if p.at < limit {
				rep.Abandoned++
			} else {
				rep.Waiting++
			}
		}
	}
}

// OpenAuditor opens the vault's database for reading ledger bodies only: no
// entry can be made and no part of a person can be opened through it.
func OpenAuditor(ctx context.Context, cfg Config, st state.Store, p Provider, now func() time.Time) (*Keeper, error) {
	keys := &keyring{realm: cfg.Realm, provider: p, sym: map[string][]byte{}}
	err := st.View(ctx, func(tx state.Tx) error {
		for _, purpose := range []string{purposeRow, purposeDigest, purposeEntry, purposePersonTag} {
			raw, err := readKey(ctx, tx, p, cfg.Realm, purpose)
			if err != nil {
				return err
			}
			keys.sym[purpose] = raw
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if keys.entry, err = newAEAD(keys.sym[purposeEntry]); err != nil {
		return nil, err
	}
	if keys.head, err = keys.headAEAD(); err != nil {
		return nil, err
	}
	open := make(chan struct{}) // the audit itself is the comparison
	close(open)
	return &Keeper{cfg: cfg, store: st, keys: keys, now: now, seen: newMemory(), verified: open}, nil
}
