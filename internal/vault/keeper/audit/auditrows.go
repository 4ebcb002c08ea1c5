package audit

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// auditedRows are the vault's anchored rows as one snapshot has them, and what
// the ledger says of them up to the same moment.
type auditedRows struct {
	next  int64 // the ledger's size in the snapshot
	rows  map[tagID]auditedRow
	want  map[tagID]int64 // last version on the ledger, by the row's tag
	heads map[id.Person]headRow
	bad   map[tagID]bool // rows that were reported and say nothing, by tag
	wrong bool           // the digest is not the ledger's
	named int            // findings that name a row
}

// tagID is a row's tag in the room it needs.
type tagID [16]byte

func tagOf(text string) (t tagID) {
	_, _ = hex.Decode(t[:], []byte(text[:min(len(text), 2*len(t))])) // written by this vault
	return t
}

// headRow is what the comparison needs of a person's row.
type headRow struct {
	seq   int64
	state string
}

type auditedRow struct {
	table   state.Table
	key     string
	version int64
}

// auditRows reads every anchored row, checks its MAC, and adds up the digest.
func (k *Auditor) auditRows(ctx context.Context, rep *Report) (*auditedRows, error) {
	var a *auditedRows
	var found []Finding
	err := k.eng.View(ctx, func(t *engine.Txn) error {
		a = &auditedRows{rows: map[tagID]auditedRow{}, want: map[tagID]int64{}, heads: map[id.Person]headRow{}, bad: map[tagID]bool{}}
		found = nil
		next, at, err := t.Anchor()
		if err != nil {
			return err
		}
		a.next = next
		var sum [32]byte
		for _, table := range state.Anchored() {
			if err := t.Each(table, func(row state.Stored, right bool) {
				if f, ok := a.take(k, table, row, right); !ok {
					found = append(found, f)
				}
				subtle.XORBytes(sum[:], sum[:], k.eng.RowDigest(table, row))
			}); err != nil {
				return err
			}
		}
		a.wrong = subtle.ConstantTimeCompare(sum[:], at.Sum[:]) != 1
		return nil
	})
	rep.Findings = append(rep.Findings, found...)
	return a, err
}

// take keeps what the comparison needs of a row.
func (a *auditedRows) take(k *Auditor, table state.Table, row state.Stored, right bool) (Finding, bool) {
	tag := tagOf(k.eng.RowTag(table, row.Key))
	a.rows[tag] = auditedRow{table, row.Key, row.Version}
	person := id.Person("")
	if table == state.Persons {
		person = id.Person(row.Key)
	}
	var p state.Person
	if right && person != "" && json.Unmarshal(row.Content, &p) != nil {
		right = false
	}
	if !right {
		a.named++
		a.bad[tag] = true
		return Finding{Kind: "row", Person: person, Text: rowText(table, row.Key, "its MAC does not match")}, false
	}
	if person != "" {
		a.heads[person] = headRow{p.Seq, stateName(p.State)}
	}
	return Finding{}, true
}

// stateName is one text for all rows of a state.
func stateName(s string) string {
	for _, known := range []string{state.Active, state.Pending, state.Removed, state.Left} {
		if s == known {
			return known
		}
	}
	return s
}

func rowText(table state.Table, key, what string) string {
	return fmt.Sprintf("vault row %s %s: %s", table, key, what)
}

// note takes from an entry which rows its transaction wrote.
func (a *auditedRows) note(e engine.Entry) {
	if e.Index < a.next {
		for _, r := range e.Rows {
			if a.want[tagOf(r.Row)] = r.Version; r.Version == 0 {
				delete(a.want, tagOf(r.Row))
			}
		}
	}
}

// compare names each row that is not what the ledger says, and each person on
// the ledger without a row.
func (a *auditedRows) compare(k *Auditor, people map[id.Person]*personLedger, rep *Report) {
	add := func(kind string, person id.Person, text string) {
		a.named++
		rep.Findings = append(rep.Findings, Finding{Kind: kind, Person: person, Text: text})
	}
	missing := 0
	for tag := range a.want {
		if _, ok := a.rows[tag]; !ok {
			missing++
		}
	}
	for tag, row := range a.rows {
		person := id.Person("")
		if row.table == state.Persons {
			person = id.Person(row.key)
		}
		switch want, ok := a.want[tag]; {
		case a.bad[tag]: // reported
		case !ok:
			add("row", person, rowText(row.table, row.key, "the vault never wrote it"))
		case row.version != want:
			add("rolled back", person, rowText(row.table, row.key, fmt.Sprintf("version %d stands here, the ledger has %d", row.version, want)))
		}
	}
	for person, l := range people {
		h, ok := a.heads[person]
		switch {
		case a.bad[tagOf(k.eng.RowTag(state.Persons, string(person)))] || l.first >= a.next:
		case !ok && !l.removed:
			add("deleted", person, rowText(state.Persons, string(person), "the ledger has the person, the vault's row is missing"))
			missing--
		case !ok:
			missing-- // a removed person's row grants nothing; the count below would only repeat it
			add("deleted", person, rowText(state.Persons, string(person), "the row of a removed registration is missing"))
		case l.removed && l.removedAt < a.next && h.state != state.Removed:
			add("rolled back", person, rowText(state.Persons, string(person), "the registration was removed, the row says "+h.state))
		}
	}
	if missing > 0 {
		add("deleted", "", fmt.Sprintf("vault rows on the ledger and not in the database: %d", missing))
	}
	if a.wrong && a.named == 0 {
		rep.Findings = append(rep.Findings, Finding{Kind: "digest", Text: "the vault's rows do not have the digest of the ledger's last entry"})
	}
}
