package registrydb_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

func kind(err error) string { return string(fault.KindOf(err)) }

func part(seq int64, name vault.Part, version int, body string) vault.Sealed {
	return vault.Sealed{Seq: seq, Part: name, Version: version, Hash: sha256.Sum256([]byte(body)), Body: []byte(body)}
}

func note(p id.Person) registry.Note {
	return registry.Note{ID: id.NewOrdered(), Kind: registry.NoteSealed, Person: p, Seal: "s", Created: 1, Due: 1}
}

// enrolled stores a person with an identity part.
func enrolled(t *testing.T, s *registrydb.People) id.Person {
	t.Helper()
	p := id.Person(id.New())
	row := registry.PersonRow{Person: p, Reference: id.NewReference(), Household: id.Household(id.New()), Slot: 1, Since: 5}
	err := s.Store(t.Context(), registry.Write{Person: p, New: &row, Parts: []vault.Sealed{part(1, vault.PartIdentity, 1, "one")}, At: 5, Note: note(p)})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Person(t.Context(), p); err != nil || got != row {
		t.Fatalf("%+v %v", got, err)
	}
	return p
}

func TestSealedParts(t *testing.T) {
	db := registrytest.Open(t)
	s, ctx := registrydb.NewPeople(db), t.Context()
	p := enrolled(t, s)
	put := func(parts ...vault.Sealed) error {
		return s.Store(ctx, registry.Write{Person: p, Parts: parts, At: 9, Note: note(p)})
	}
	wrong := part(2, "dose/a", 1, "two")
	wrong.Body = []byte("other")
	for _, c := range []struct {
		name, kind string
		parts      []vault.Sealed
		notes      int
	}{
		{"repeated", "", []vault.Sealed{part(1, vault.PartIdentity, 1, "one")}, 1},
		{"other body at its number", "conflict", []vault.Sealed{part(1, vault.PartIdentity, 1, "uno")}, 1},
		{"other part at its number", "conflict", []vault.Sealed{part(1, "dose/a", 1, "one")}, 1},
		{"a gap", "conflict", []vault.Sealed{part(3, "dose/a", 1, "two")}, 1},
		{"hash of another body", "internal", []vault.Sealed{wrong}, 1},
		{"same version twice", "conflict", []vault.Sealed{part(2, vault.PartIdentity, 1, "two")}, 1},
		{"out of order", "internal", []vault.Sealed{part(2, "dose/a", 1, "two"), part(4, "dose/b", 1, "x")}, 1},
		{"the next, and a new version", "", []vault.Sealed{part(2, "dose/a", 1, "two"), part(3, vault.PartIdentity, 2, "three")}, 2},
		{"both again", "", []vault.Sealed{part(2, "dose/a", 1, "two"), part(3, vault.PartIdentity, 2, "three")}, 2},
		{"half of it new", "conflict", []vault.Sealed{part(3, vault.PartIdentity, 2, "three"), part(4, "dose/b", 1, "x")}, 2},
	} {
		if err := put(c.parts...); kind(err) != c.kind {
			t.Errorf("%s: %v", c.name, err)
		} else if c.kind == "conflict" && fault.CodeOf(err) != registry.CodeSeq {
			t.Errorf("%s: code %s", c.name, fault.CodeOf(err))
		}
		if n := registrytest.Count(t, db, `SELECT COUNT(*) FROM outbox`); n != c.notes {
			t.Errorf("%s: %d notes", c.name, n)
		}
	}
	rec, err := s.Record(ctx, p)
	if err != nil || len(rec.Parts) != 3 || rec.Parts[0].Body != nil || string(rec.Parts[2].Body) != "three" || rec.Parts[0].Hash != sha256.Sum256([]byte("one")) {
		t.Errorf("%+v %v", rec, err)
	}
	var seen []string
	err = registrydb.NewScatter(db).ScatterSealed(ctx, func(p registry.StoredPart) error {
		seen = append(seen, fmt.Sprintf("%d %s %d %s", p.Seq, p.Part, p.StoredAt, p.Body))
		return nil
	})
	if got := strings.Join(seen, ","); err != nil || got != "1 identity 5 one,2 dose/a 9 two,3 identity 9 three" {
		t.Errorf("audit read %q %v", got, err)
	}
	stop := errors.New("stop")
	if err := registrydb.NewScatter(db).ScatterSealed(ctx, func(registry.StoredPart) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if rec, err := s.Record(ctx, "nobody"); err != nil || len(rec.Parts) != 0 {
		t.Errorf("%+v %v", rec, err)
	}
	if _, err := s.Person(ctx, "nobody"); kind(err) != "not_found" {
		t.Error(err)
	}
}

func TestAuditPages(t *testing.T) {
	db := registrytest.Open(t)
	s, ctx := registrydb.NewPeople(db), t.Context()
	for range 300 {
		p := enrolled(t, s)
		if err := s.Store(ctx, registry.Write{Person: p, Parts: []vault.Sealed{part(2, "dose/a", 1, "two")}, Note: note(p)}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	err := registrydb.NewScatter(db).ScatterSealed(ctx, func(p registry.StoredPart) error {
		seen[fmt.Sprint(p.Person, p.Seq)] = true
		return nil
	})
	if err != nil || len(seen) != 600 {
		t.Errorf("%d parts, %v", len(seen), err)
	}
}

func TestMembers(t *testing.T) {
	db := registrytest.Open(t)
	s, ctx := registrydb.NewPeople(db), t.Context()
	h := id.Household(id.New())
	for _, c := range []struct {
		name    string
		person  id.Person
		since   int64
		removed bool
		want    string
	}{
		{"first", "a", 10, false, "a1"},
		{"again", "a", 10, false, "a1"},
		{"removed", "a", 10, true, "a2"},
		{"its enrolment, late", "a", 10, false, "a2"},
		{"next", "b", 20, false, "b1"},
		{"the first one's removal, late", "a", 10, true, "b1"},
		{"removed as well", "b", 20, true, "b2"},
		{"repeated with a later clock", "b", 30, false, "b2"},
	} {
		m := registry.MemberRow{Household: h, Slot: 3, Person: c.person, Since: c.since, Removed: c.removed}
		if err := s.SetMember(ctx, m); err != nil {
			t.Fatal(err)
		}
		if n := registrytest.Count(t, db, `SELECT COUNT(*) FROM member WHERE person || state = $1`, c.want); n != 1 {
			t.Errorf("%s: not %s", c.name, c.want)
		}
	}
}

func TestReferences(t *testing.T) {
	s, ctx := registrydb.NewPeople(registrytest.Open(t)), t.Context()
	r := id.NewReference()
	for _, p := range []id.Person{"b", "a", "b"} {
		if err := s.SetReference(ctx, r, p); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.ByReference(ctx, r); err != nil || len(got) != 2 || got[0] != "a" {
		t.Errorf("%v %v", got, err)
	}
	if got, err := s.ByReference(ctx, id.NewReference()); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}

func TestNotes(t *testing.T) {
	db := registrytest.Open(t)
	s, sc, ctx := registrydb.NewPeople(db), registrydb.NewScatter(db), t.Context()
	p := enrolled(t, s)
	n := note(p)
	n.Kind, n.Due, n.Ref = registry.NoteRemoved, 50, "12345678901234"
	n.Member = registry.MemberRow{Household: "h", Slot: 2, Person: p, Removed: true, Since: 7}
	for range 2 {
		if err := s.Retire(ctx, p, n); err != nil {
			t.Fatal(err)
		}
	}
	if row, err := s.Person(ctx, p); err != nil || !row.Removed {
		t.Errorf("%+v %v", row, err)
	}
	if due, err := sc.Notes(ctx, 49, 10); err != nil || len(due) != 1 {
		t.Errorf("%+v %v", due, err)
	}
	due, err := sc.Notes(ctx, 50, 10)
	if err != nil || len(due) != 2 || due[1] != n {
		t.Fatalf("%+v %v", due, err)
	}
	if err := s.Defer(ctx, due[1], 99); err != nil {
		t.Fatal(err)
	}
	due, _ = sc.Notes(ctx, 99, 10)
	if due[1].Attempts != 1 || due[1].Due != 99 {
		t.Errorf("%+v", due[1])
	}
	if one, _ := sc.Notes(ctx, 99, 1); len(one) != 1 {
		t.Error("limit")
	}
	for range 2 {
		if err := s.Done(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	if due, _ = sc.Notes(ctx, 99, 10); len(due) != 1 {
		t.Error("done")
	}
}

// TestWhatIsStoredStays tries to change or delete what may not be, past the
// program.
func TestWhatIsStoredStays(t *testing.T) {
	zero, zeros := "x'00'", "zeroblob(32)"
	var db, owner sqldb.DB // the owner's rights end at the triggers
	if registrytest.OnPostgres(t) {
		zero, zeros = `'\x00'::bytea`, "decode(repeat('00', 32), 'hex')"
		url := registrytest.PostgresURL(t)
		db, owner = registrytest.OpenAs(t, url, "tikakosh_web"), registrytest.OpenAs(t, url, "tikakosh_migrator")
	} else {
		db = sqldb.Unwrap(registrytest.Open(t))
		owner = db
	}
	ctx := t.Context()
	s, books := registrydb.NewPeople(db), registrydb.NewBookings(db)
	p := enrolled(t, s)
	if err := s.SetReference(ctx, "12345678901234", p); err != nil {
		t.Fatal(err)
	}
	if st, err := books.Bind(ctx, scheduling.Appointment{Person: p, Hold: "h", Dose: 1, Programme: "P"}); err != nil || st != scheduling.Live {
		t.Fatal(st, err)
	}
	if _, err := books.Undo(ctx, p, "h"); err != nil {
		t.Fatal(err)
	}
	if st, err := books.Bind(ctx, scheduling.Appointment{Person: p, Hold: "g", Dose: 1, Programme: "P"}); err != nil || st != scheduling.Live {
		t.Fatal(st, err)
	}
	refused := func(query string) bool {
		err := owner.Update(ctx, func(tx sqldb.Tx) error { _, err := tx.Exec(ctx, query); return err })
		if err != nil && !sqldb.IsConstraint(err) {
			t.Errorf("refused for another reason: %v: %s", err, query)
		}
		return err != nil && db.Update(ctx, func(tx sqldb.Tx) error { _, err := tx.Exec(ctx, query); return err }) != nil
	}
	for _, query := range []string{
		`DELETE FROM sealed`, `DELETE FROM person`, `DELETE FROM reference`, `DELETE FROM appointment`,
		`UPDATE sealed SET body = ` + zero, `UPDATE sealed SET hash = ` + zeros, `UPDATE sealed SET seq = 2`, `UPDATE sealed SET part = 'dose/x'`,
		`UPDATE sealed SET version = 2`, `UPDATE sealed SET until = NULL`,
		`UPDATE reference SET person = 'x'`, `UPDATE person SET reference = '12345678901234'`, `UPDATE person SET household = 'x'`,
		`UPDATE appointment SET state = 1`, `UPDATE appointment SET state = 3`,
		`UPDATE person SET bucket = 20000`,
		`INSERT INTO sealed (person, seq, part, version, hash, body, stored_at, bucket) VALUES ('x', 1, 'identity', 1, ` + zeros + `, ` + zero + `, 0, 0)`,
	} {
		if !refused(query) {
			t.Errorf("not refused: %s", query)
		}
	}
	if refused(`UPDATE sealed SET until = 9`) {
		t.Error("a part may be superseded once")
	}
	if !refused(`UPDATE sealed SET until = 10`) {
		t.Error("superseded twice")
	}
	if registrytest.OnPostgres(t) {
		return // it has no REPLACE
	}
	_ = refused(`INSERT OR REPLACE INTO sealed SELECT person, seq, part, version, zeroblob(32), x'00', stored_at, NULL, bucket FROM sealed`)
	_ = refused(`INSERT OR REPLACE INTO person SELECT person, '99999999999999', household, slot, state, since, bucket FROM person`)
	rec, _ := s.Record(ctx, p)
	row, _ := s.Person(ctx, p)
	if rec.Parts[0].Hash != sha256.Sum256([]byte("one")) || row.Reference == "99999999999999" {
		t.Error("REPLACE changed a stored row")
	}
}

func TestListingPages(t *testing.T) {
	db := registrytest.Open(t)
	books, sc, ctx := registrydb.NewBookings(db), registrydb.NewScatter(db), t.Context()
	c := scheduling.Centre{ID: 7, Name: "T", PIN: "999001", Zone: "Asia/Kolkata", Lat: -12.345678, Long: 179.999999, Paid: true, Opens: 1, Closes: 2}
	for _, n := range []id.Centre{9, 7, 8} {
		c.ID = n
		if err := books.PutCentre(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	page, err := sc.Centres(ctx, 7, 1)
	if err != nil || len(page) != 1 || page[0].ID != 8 || page[0].Lat != c.Lat || page[0].Long != c.Long || !page[0].Paid {
		t.Errorf("%+v %v", page, err)
	}
	want := 0
	for d := 1; d <= 6; d++ {
		for n := range 3 {
			s := scheduling.Session{ID: id.Session(fmt.Sprintf("s%d", n*10+d)), Centre: 7, Day: civil.Date{Year: 2026, Month: 2, Day: d}, Zone: "Asia/Kolkata",
				Programme: "P", Product: "X", Slots: []string{"a", "b"}, Cap1: 1, Cap2: 2, MinAge: 3, MaxAge: 4, Fee: 5, BookingCloses: 6}
			if err := books.PutSession(ctx, s); err != nil {
				t.Fatal(err)
			}
			if err := books.PutSessionPlace(ctx, s.ID, 7); err != nil {
				t.Fatal(err)
			}
			if got, err := books.Session(ctx, s.ID); err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
				t.Errorf("%+v %v", got, err)
			}
			if d >= 2 && d <= 5 {
				want++
			}
		}
	}
	var cursor scheduling.Session
	seen := map[id.Session]bool{}
	for {
		page, err := sc.Sessions(ctx, civil.Date{Year: 2026, Month: 2, Day: 2}, civil.Date{Year: 2026, Month: 2, Day: 5}, cursor, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page {
			seen[s.ID] = true
		}
		if len(page) < 5 {
			break
		}
		cursor = page[len(page)-1]
	}
	if len(seen) != want {
		t.Errorf("%d of %d sessions", len(seen), want)
	}
	if _, err := books.Session(ctx, "none"); kind(err) != "not_found" {
		t.Error(err)
	}
	if _, err := books.Centre(ctx, 99); kind(err) != "not_found" {
		t.Error(err)
	}
}

func TestClosedDatabase(t *testing.T) {
	db := registrytest.Open(t)
	s := registrydb.NewPeople(db)
	p := enrolled(t, s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record(t.Context(), p); kind(err) != "unavailable" || fault.RetryAfter(err) == 0 {
		t.Error(err)
	}
	if err := s.Done(t.Context(), note(p)); kind(err) != "unavailable" {
		t.Error(err)
	}
}
