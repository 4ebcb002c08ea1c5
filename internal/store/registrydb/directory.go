package registrydb

import (
	"context"
	"encoding/json"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/store/sqldb"
)

// maxSameReference bounds how many people are read under one reference number.
const maxSameReference = 8

// SetMember implements registry.DirectoryStore.
func (s *People) SetMember(ctx context.Context, m registry.MemberRow) error {
	state := stateThere
	if m.Removed {
		state = stateRemoved
	}
	bucket := m.Household.Bucket()
	return s.update(ctx, "set member", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO member (household, slot, person, state, since, bucket)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (household, slot, bucket) DO UPDATE
			SET person = excluded.person, state = excluded.state, since = excluded.since
			WHERE (member.person <> excluded.person AND member.since < excluded.since)
			OR (member.person = excluded.person AND member.state < excluded.state)`,
			string(m.Household), m.Slot, string(m.Person), state, m.Since, bucket)
	})
}

// SetReference implements registry.DirectoryStore.
func (s *People) SetReference(ctx context.Context, r id.Reference, p id.Person) error {
	return s.update(ctx, "set reference", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO reference (reference, person, bucket) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			string(r), string(p), r.Bucket())
	})
}

// ByReference implements registry.DirectoryStore.
func (s *People) ByReference(ctx context.Context, r id.Reference) ([]id.Person, error) {
	var people []id.Person
	err := s.view(ctx, "by reference", func(tx sqldb.Tx) (err error) {
		people, err = collect(ctx, tx, scanText[id.Person],
			`SELECT person FROM reference WHERE reference = $1 AND bucket = $2 ORDER BY person LIMIT $3`,
			string(r), r.Bucket(), maxSameReference)
		return err
	})
	return people, err
}

// notePayload is the stored form of a note's content.
type notePayload struct {
	Seal      string `json:"seal,omitempty"`
	Household string `json:"household,omitempty"`
	Slot      int    `json:"slot,omitempty"`
	Removed   bool   `json:"removed,omitempty"`
	Since     int64  `json:"since,omitempty"`
	Reference string `json:"reference,omitempty"`
}

func encodeNote(n registry.Note) (string, error) {
	b, err := json.Marshal(notePayload{Seal: n.Seal, Household: string(n.Member.Household), Slot: n.Member.Slot,
		Removed: n.Member.Removed, Since: n.Member.Since, Reference: string(n.Ref)})
	return string(b), fault.Wrap(fault.Internal, err, "note")
}

func decodeNote(n *registry.Note, payload string) error {
	var v notePayload
	if err := json.Unmarshal([]byte(payload), &v); err != nil {
		return fault.New(fault.Integrity, "note", "a stored note is malformed")
	}
	n.Seal, n.Ref = v.Seal, id.Reference(v.Reference)
	n.Member = registry.MemberRow{Household: id.Household(v.Household), Slot: v.Slot, Person: n.Person, Removed: v.Removed, Since: v.Since}
	return nil
}

func putNote(ctx context.Context, tx sqldb.Tx, n registry.Note, payload string) error {
	return write(ctx, tx, insertNote, n.ID, string(n.Person), string(n.Kind), payload, n.Created, n.Due, n.Person.Bucket())
}

// Done implements registry.NoteStore.
func (s *People) Done(ctx context.Context, n registry.Note) error {
	return s.doneNote(ctx, n.ID, n.Person)
}

// Defer implements registry.NoteStore.
func (s *People) Defer(ctx context.Context, n registry.Note, due int64) error {
	return s.deferNote(ctx, n.ID, n.Person, due)
}
