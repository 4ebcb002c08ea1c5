// Package keeperdb keeps the vault's rows, ledger entries and tasks in SQL. It
// implements state.Store.
package keeperdb

import (
	"context"
	"errors"
	"fmt"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault/state"
)

// Store is the vault's database of one realm. It is safe for concurrent use.
type Store struct {
	db    sqldb.DB
	realm id.Realm
	sql   map[state.Table]statements
}

// statements of one document table; the table name comes from a closed list.
type statements struct{ get, insert, update, delete, scan, all, expire string }

// everything is the LIMIT of a statement that reads a whole table: in no order, so
// that it follows the table's pages from the first to the last.
const everything = int64(1) << 60

// New makes the store over an opened and migrated database.
func New(db sqldb.DB, realm id.Realm) *Store {
	s := &Store{db: db, realm: realm, sql: map[state.Table]statements{}}
	for _, t := range state.All() {
		s.sql[t] = statements{
			get:    fmt.Sprintf("SELECT version, content, mac, expires FROM %s WHERE key = $1 AND bucket = $2", t),
			insert: fmt.Sprintf("INSERT INTO %s (key, version, content, mac, expires, bucket) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key, bucket) DO NOTHING", t),
			update: fmt.Sprintf("UPDATE %s SET version = $1, content = $2, mac = $3, expires = $4 WHERE key = $5 AND bucket = $6 AND version = $7", t),
			delete: fmt.Sprintf("DELETE FROM %s WHERE key = $1 AND bucket = $2", t),
			scan:   fmt.Sprintf("SELECT key, version, content, mac, expires FROM %s WHERE key > $1 ORDER BY key LIMIT $2", t),
			all:    fmt.Sprintf("SELECT key, version, content, mac, expires FROM %s LIMIT $1", t),
			expire: fmt.Sprintf("SELECT key FROM %s WHERE expires > 0 AND expires < $1 ORDER BY expires LIMIT $2", t),
		}
	}
	return s
}

// Update implements state.Store.
func (s *Store) Update(ctx context.Context, fn func(state.Tx) error) error {
	return s.db.Update(ctx, func(q sqldb.Tx) error { return fn(&tx{s, q}) })
}

// View implements state.Store.
func (s *Store) View(ctx context.Context, fn func(state.Tx) error) error {
	return s.db.View(ctx, func(q sqldb.Tx) error { return fn(&tx{s, q}) })
}

type tx struct {
	s *Store
	q sqldb.Tx
}

// one reads one row into the places of into, or reports that there is none. Its
// result is closed at once, unlike a *sql.Row's as far as a store can see, so that
// the compiled statement serves the next question of the same transaction too.
func (t *tx) one(ctx context.Context, query string, args []any, into ...any) (ok bool, err error) {
	rows, err := t.q.Query(ctx, query, args...)
	if err != nil {
		return false, failed(err)
	}
	defer rows.Close()
	if !rows.Next() {
		return false, failed(rows.Err())
	}
	if err := rows.Scan(into...); err != nil {
		return false, failed(err)
	}
	return true, failed(rows.Close())
}

func (t *tx) Get(ctx context.Context, table state.Table, key string) (state.Stored, bool, error) {
	r := state.Stored{Key: key}
	ok, err := t.one(ctx, t.s.sql[table].get, []any{key, id.Bucket(key)}, &r.Version, &r.Content, &r.MAC, &r.Expires)
	return r, ok, err
}

func (t *tx) Put(ctx context.Context, table state.Table, r state.Stored) error {
	if r.MAC == nil {
		r.MAC = []byte{}
	}
	changed := fault.New(fault.Conflict, "version", "the row changed meanwhile")
	if table == state.Notices && r.Version == 1 { // who tells of an act twice goes on
		n, err := t.q.Exec(ctx, t.s.sql[table].insert, r.Key, r.Version, r.Content, r.MAC, r.Expires, id.Bucket(r.Key))
		if err == nil && n != 1 {
			return changed
		}
		return failed(err)
	}
	query, args := t.s.sql[table].insert, []any{r.Key, r.Version, r.Content, r.MAC, r.Expires, id.Bucket(r.Key)}
	if r.Version != 1 {
		query, args = t.s.sql[table].update, []any{r.Version, r.Content, r.MAC, r.Expires, r.Key, id.Bucket(r.Key), r.Version - 1}
	}
	err := sqldb.Later(ctx, t.q, 1, changed, query, args...)
	if errors.Is(err, changed) {
		return changed
	}
	return failed(err)
}

func (t *tx) Delete(ctx context.Context, table state.Table, key string) error {
	return failed(sqldb.Later(ctx, t.q, sqldb.AnyRows, nil, t.s.sql[table].delete, key, id.Bucket(key)))
}

func (t *tx) Scan(ctx context.Context, table state.Table, after string, limit int) ([]state.Stored, error) {
	rows, err := t.q.Query(sqldb.Scatter(ctx), t.s.sql[table].scan, after, limit)
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	var out []state.Stored
	for rows.Next() {
		var r state.Stored
		if err := rows.Scan(&r.Key, &r.Version, &r.Content, &r.MAC, &r.Expires); err != nil {
			return nil, failed(err)
		}
		out = append(out, r)
	}
	return out, failed(rows.Err())
}

func (t *tx) All(ctx context.Context, table state.Table, fn func(state.Stored) error) error {
	rows, err := t.q.Query(sqldb.Scatter(ctx), t.s.sql[table].all, everything)
	if err != nil {
		return failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r state.Stored
		if err := rows.Scan(&r.Key, &r.Version, &r.Content, &r.MAC, &r.Expires); err != nil {
			return failed(err)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return failed(rows.Err())
}

func (t *tx) Expire(ctx context.Context, table state.Table, before int64, limit int) (int64, error) {
	rows, err := t.q.Query(sqldb.Scatter(ctx), t.s.sql[table].expire, before, limit)
	if err != nil {
		return 0, failed(err)
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			return 0, failed(err)
		}
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return 0, failed(err)
	}
	for _, k := range keys {
		if err := t.Delete(ctx, table, k); err != nil {
			return 0, err
		}
	}
	return int64(len(keys)), nil
}

func (t *tx) Head(ctx context.Context) (state.Head, error) {
	var h state.Head
	_, err := t.one(ctx, "SELECT next_index, digest, mac FROM ledger_head WHERE realm = $1", []any{int(t.s.realm)}, &h.Next, &h.Digest, &h.MAC)
	return h, err
}

func (t *tx) SetHead(ctx context.Context, h state.Head) error {
	err := sqldb.Later(ctx, t.q, sqldb.AnyRows, nil, `INSERT INTO ledger_head (realm, next_index, digest, mac) VALUES ($1, $2, $3, $4)
		ON CONFLICT (realm) DO UPDATE SET next_index = excluded.next_index, digest = excluded.digest, mac = excluded.mac`,
		int(t.s.realm), h.Next, h.Digest, h.MAC)
	return failed(err)
}

func (t *tx) Append(ctx context.Context, e state.Entry) error {
	if e.PersonTag == nil {
		e.PersonTag = []byte{}
	}
	err := sqldb.Later(ctx, t.q, sqldb.AnyRows, nil, "INSERT INTO ledger_entry (realm, entry_index, leaf, sealed, person_tag) VALUES ($1, $2, $3, $4, $5)",
		int(t.s.realm), e.Index, e.Leaf, e.Sealed, e.PersonTag)
	return failed(err)
}

func (t *tx) Entries(ctx context.Context, from int64, limit int) ([]state.Entry, error) {
	return t.entries(ctx, `SELECT entry_index, leaf, sealed, person_tag FROM ledger_entry
		WHERE realm = $1 AND entry_index >= $2 ORDER BY entry_index LIMIT $3`, int(t.s.realm), from, limit)
}

func (t *tx) ByPerson(ctx context.Context, tag []byte, before int64, limit int) ([]state.Entry, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	return t.entries(ctx, `SELECT entry_index, leaf, sealed, person_tag FROM ledger_entry
		WHERE realm = $1 AND person_tag = $2 AND entry_index < $3 ORDER BY entry_index DESC LIMIT $4`, int(t.s.realm), tag, before, limit)
}

func (t *tx) entries(ctx context.Context, query string, args ...any) ([]state.Entry, error) {
	rows, err := t.q.Query(ctx, query, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	var out []state.Entry
	for rows.Next() {
		var e state.Entry
		if err := rows.Scan(&e.Index, &e.Leaf, &e.Sealed, &e.PersonTag); err != nil {
			return nil, failed(err)
		}
		out = append(out, e)
	}
	return out, failed(rows.Err())
}

func (t *tx) AddTask(ctx context.Context, k state.Task) error {
	err := sqldb.Later(ctx, t.q, sqldb.AnyRows, nil, "INSERT INTO task (id, kind, person, ref, since, bucket) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id, bucket) DO NOTHING",
		k.ID, k.Kind, string(k.Person), k.Ref, k.Since, id.Bucket(k.ID))
	return failed(err)
}

func (t *tx) GetTask(ctx context.Context, taskID string) (state.Task, bool, error) {
	k := state.Task{ID: taskID}
	ok, err := t.one(ctx, "SELECT kind, person, ref, since FROM task WHERE id = $1 AND bucket = $2", []any{taskID, id.Bucket(taskID)},
		&k.Kind, &k.Person, &k.Ref, &k.Since)
	return k, ok, err
}

func (t *tx) EndTask(ctx context.Context, taskID string) error {
	err := sqldb.Later(ctx, t.q, sqldb.AnyRows, nil, "DELETE FROM task WHERE id = $1 AND bucket = $2", taskID, id.Bucket(taskID))
	return failed(err)
}

func (t *tx) ListTasks(ctx context.Context, p state.TaskPage) ([]state.Task, error) {
	rows, err := t.q.Query(sqldb.Scatter(ctx), `SELECT id, kind, person, ref, since FROM task
		WHERE since < $1 AND kind <> 'seal' AND (kind = $2 OR $3 = '') AND (since, id) > ($4, $5) ORDER BY since, id LIMIT $6`,
		p.Before, p.Kind, p.Kind, p.Since, p.ID, p.Limit)
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	var out []state.Task
	for rows.Next() {
		var k state.Task
		if err := rows.Scan(&k.ID, &k.Kind, &k.Person, &k.Ref, &k.Since); err != nil {
			return nil, failed(err)
		}
		out = append(out, k)
	}
	return out, failed(rows.Err())
}

// failed gives a driver error a kind; the text never holds values.
func failed(err error) error { return sqldb.Classify(err, "vault database") }
