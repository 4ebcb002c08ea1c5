package keeper_test

import (
	"encoding"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	registrymigrations "tikakosh/internal/store/migrations/registry"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// TestDictionaryComplete compares the data dictionary with the columns of both
// migrated databases and the fields of every document: none missing, none that
// is kept nowhere.
func TestDictionaryComplete(t *testing.T) {
	want := map[string]bool{}
	documents := map[string]bool{}
	for _, table := range state.All() {
		documents[string(table)] = true
	}
	for store, files := range map[string]fs.FS{"registry": registrymigrations.SQLite, "vault": vaultmigrations.FS} {
		for _, c := range columns(t, files) {
			table, name, _ := strings.Cut(c, ".")
			if store == "vault" && documents[table] && name != "key" {
				want["vault every document table/"+name] = true
				continue
			}
			want[store+" "+table+"/"+name] = true
		}
	}
	docs := map[string]any{"vault notice": state.Notice{}, "vault alert": state.Alert{}, "vault place": state.Place{},
		"vault household": state.Household{}, "vault mobile_index": state.MobileIndex{}, "vault person": state.Person{}, "vault id_tag": state.IDTag{},
		"vault open_session": state.OpenSession{}, "vault staff": state.Staff{}, "vault challenge": state.Challenge{}, "vault quota": state.Quota{},
		"vault counter": state.Counter{}, "vault bearer": state.Bearer{}, "vault replay": state.Counter{}, "vault key_ring": state.Key{}, "vault idempotency": state.Idempotency{},
		"vault card": state.Card{}, "vault open_day": state.OpenDay{},
		"vault partner": state.Partner{}, "vault issued": state.IssuedPage{}, "vault revocation": state.Revocation{}, "vault correction": state.Correction{}, "vault stat": state.Stat{}, "vault key_state": state.KeySet{}, "vault departure": state.Departure{}, "vault budget": state.Budget{}, "vault change": state.Change{}, "vault presence": state.Presence{}, "vault relink": state.Relink{}, "vault request": state.Request{}, "vault share": state.Share{}, "vault share_link": state.ShareLink{},
		"vault staff_member": state.StaffMember{}, "vault staff_proposal": state.StaffProposal{}, "vault staff_area": state.StaffArea{}, "vault staff_roster": state.Roster{}, "vault staff_department": state.StaffDepartment{},
		"vault staff_session": state.SessionUse{}, "vault staff_ceremony": state.Ceremony{}}
	if len(docs) != len(state.All()) {
		t.Errorf("%d documents for %d tables", len(docs), len(state.All()))
	}
	maps.Copy(docs, keeper.Documents())
	for place, doc := range docs {
		for _, name := range fields("", reflect.TypeOf(doc)) {
			want[place+"/"+name] = true
		}
	}
	got := map[string]bool{}
	for _, f := range state.Dictionary() {
		key := f.Place + "/" + f.Name
		if got[key] || f.Held == "" || f.Since == "" {
			t.Errorf("twice or without words: %+v", f)
		}
		got[key] = true
		if f.Until == "" && !want[key] {
			t.Errorf("the dictionary lists %s, which is kept nowhere; give it an until", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !got[key] {
			t.Errorf("internal/vault/state/dictionary.txt does not list %s", key)
		}
	}
}

// columns are the columns of a migrated database as table.column.
func columns(t *testing.T, files fs.FS) (out []string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := sqlite.Migrate(t.Context(), db, files); err != nil {
		t.Fatal(err)
	}
	err = db.View(t.Context(), func(tx sqldb.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT m.name || '.' || c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c
			WHERE m.type = 'table' AND m.name NOT GLOB 'sqlite_*' AND m.name NOT GLOB 'migration*'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c string
			if err := rows.Scan(&c); err != nil {
				return err
			}
			out = append(out, c)
		}
		return rows.Err()
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("%d columns, %v", len(out), err)
	}
	return out
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

// fields are the JSON fields of a document, those of its parts with a dot.
func fields(prefix string, typ reflect.Type) (out []string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		inner := f.Type
		for slices.Contains([]reflect.Kind{reflect.Slice, reflect.Pointer, reflect.Map}, inner.Kind()) {
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous:
			out = append(out, fields(prefix, inner)...)
		case !f.IsExported() || f.Tag.Get("json") == "-":
		case inner.Kind() == reflect.Struct && !inner.Implements(textMarshaler):
			out = append(out, fields(prefix+f.Name+".", inner)...)
		default:
			out = append(out, prefix+f.Name)
		}
	}
	return out
}

const dataHead = `# What is kept, field by field

Rendered from ` + "`internal/vault/state/dictionary.txt`" + ` by ` + "`go test ./internal/vault/keeper -run Dictionary -update`" + `; a test compares it with both schemas and every
document. Its SHA-256 is on the ledger: the vault appends an entry of kind "dictionary" at the first start with another one.
`

// TestDictionaryPage keeps docs/DATA.md what the dictionary says.
func TestDictionaryPage(t *testing.T) {
	const page = "../../../docs/DATA.md"
	want := dataHead + state.DictionaryText()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("docs/DATA.md is not what the dictionary renders to; -update writes it (%v)", err)
	}
}

// TestDictionaryOnLedger: one entry at the first start, none at the next, one
// more when what was recorded last differs.
func TestDictionaryOnLedger(t *testing.T) {
	r := newRig(t)
	entries := func() (digests []string) {
		err := r.st.View(t.Context(), func(tx state.Tx) error {
			rows, err := tx.Entries(t.Context(), 0, 100)
			for _, row := range rows {
				raw, oerr := r.k.OpenEntry(row)
				if oerr != nil {
					return oerr
				}
				if strings.Contains(string(raw), `"Kind":"dictionary"`) {
					digests = append(digests, string(raw))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return digests
	}
	for range 3 {
		if got := entries(); len(got) != 1 || !strings.Contains(got[0], state.DictionaryDigest()) {
			t.Fatalf("%v", got)
		}
		r.signIn("0000000701")
		r.close()
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.k.RecordOtherDictionary(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if got := entries(); len(got) != 3 || !strings.Contains(got[2], state.DictionaryDigest()) {
		t.Errorf("%v", got)
	}
	r.audit()
}
