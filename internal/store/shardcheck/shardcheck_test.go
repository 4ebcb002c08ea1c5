package shardcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tikakosh/internal/store/sqldb"
)

// fake runs nothing; its Tx accepts every statement.
type fake struct{}

func (fake) Update(_ context.Context, fn func(sqldb.Tx) error) error { return fn(fakeTx{}) }
func (fake) View(_ context.Context, fn func(sqldb.Tx) error) error   { return fn(fakeTx{}) }
func (fake) Close() error                                            { return nil }

type fakeTx struct{}

func (fakeTx) Exec(context.Context, string, ...any) (int64, error) { return 1, nil }
func (fakeTx) Query(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errors.New("none")
}
func (fakeTx) QueryRow(context.Context, string, ...any) *sql.Row { return nil }

type recorder struct {
	mu  sync.Mutex
	got []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, fmt.Sprintf(format, args...))
}

var rules = Rules{Unsharded: []string{"vaccine"}}

// static returns what a statement's text alone is reported for, run as a row
// query.
func static(query string) []string {
	a := analyse(query, map[string]bool{"vaccine": true})
	out := a.problems
	for _, t := range a.unbound {
		out = append(out, "no bucket for table "+t)
	}
	return out
}

func TestGoodStatements(t *testing.T) {
	for _, q := range []string{
		"SELECT a FROM person WHERE person = $1 AND bucket = $2",
		"SELECT a FROM person WHERE person = $1 AND $2 = bucket;",
		"SELECT p.a FROM person p WHERE p.person = $1 AND (p.bucket = $2)",
		`SELECT p.a FROM person AS p WHERE (p.person = $1 AND (p.x = $2 OR p.y = $3)) AND p.bucket = $4 ORDER BY p.a LIMIT $5`,
		"SELECT a FROM person WHERE since BETWEEN $1 AND $2 AND bucket = $3",
		"SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM sealed WHERE person = $1 AND bucket = $2",
		"SELECT CASE WHEN until IS NULL THEN body END FROM sealed WHERE person = $1 AND bucket = $2 ORDER BY seq LIMIT $3",
		"SELECT p.a, d.b FROM person p JOIN dose d ON d.person = p.person AND d.bucket = p.bucket WHERE p.person = $1 AND p.bucket = $2",
		"SELECT p.a, d.b FROM person p LEFT JOIN dose d USING (person, bucket) WHERE p.person = $1 AND p.bucket = $2",
		"SELECT p.a, d.b FROM person p, dose d WHERE d.person = p.person AND p.bucket = $1 AND d.bucket = $1",
		"SELECT p.a, v.b FROM person p JOIN vaccine v ON v.id = p.v WHERE p.person = $1 AND p.bucket = $2",
		"SELECT id, name FROM vaccine ORDER BY id LIMIT $1",
		"SELECT 1",
		"SELECT p.a FROM person p WHERE p.bucket = $1 AND EXISTS (SELECT 1 FROM dose d WHERE d.person = p.person AND d.bucket = p.bucket)",
		"SELECT a FROM person WHERE bucket = $1 AND (day, id) > ($2, $3) ORDER BY day, id LIMIT $4",
		"SELECT a FROM (SELECT a FROM person WHERE bucket = $1) AS x WHERE a > $2",
		"WITH d (a, n) AS (SELECT a, COUNT(*) FROM dose WHERE bucket = $1 GROUP BY a) SELECT a FROM d WHERE n > $2 LIMIT $3",
		"SELECT a FROM dose WHERE bucket = $1 UNION ALL SELECT b FROM person WHERE bucket = $1 ORDER BY 1 LIMIT $2",
		"SELECT a IS DISTINCT FROM $1 FROM person WHERE bucket = $2",
		"SELECT row_number() OVER (PARTITION BY a ORDER BY b), COUNT(*) FILTER (WHERE a > 0) FROM person WHERE bucket = $1",
		"SELECT t.match, \"like\" FROM t WHERE t.bucket = $1 -- a comment; LIKE\n",
		"SELECT ';', 'it''s LIKE $9' FROM t /* ILIKE */ WHERE bucket = $1",
		"INSERT INTO person (person, bucket) VALUES ($1, $2)",
		"INSERT INTO person (person, state, bucket) VALUES ($1, 1, $2), ($3, 2, $4) ON CONFLICT DO NOTHING",
		"INSERT INTO vaccine (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
		`INSERT INTO member (household, slot, since, bucket) VALUES ($1, $2, $3, $4) ON CONFLICT (household, slot, bucket) DO UPDATE
			SET since = excluded.since WHERE member.since < excluded.since RETURNING slot`,
		"INSERT INTO dose AS d (id, bucket) VALUES ($1, $2) ON CONFLICT (id, bucket) DO UPDATE SET n = d.n + 1",
		"INSERT INTO dose (id, bucket) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM person WHERE person = $3 AND bucket = $2)",
		"INSERT INTO dose (id, bucket) SELECT p.person, p.bucket FROM person p WHERE p.person = $1 AND p.bucket = $2",
		"UPDATE hold SET state = 3 WHERE hold = $1 AND state = 1 AND bucket = $2 RETURNING state",
		"UPDATE hold SET state = CASE WHEN state = 1 THEN 2 ELSE state END WHERE hold = $1 AND bucket = $2",
		"UPDATE dose AS d SET n = p.n FROM person p WHERE p.person = d.person AND p.bucket = d.bucket AND d.bucket = $1",
		"UPDATE outbox SET due = $1 WHERE id = (SELECT id FROM outbox WHERE bucket = $2 ORDER BY due LIMIT 1) AND bucket = $2 RETURNING id",
		"UPDATE vaccine SET name = $1 WHERE id = $2",
		"DELETE FROM outbox WHERE id = $1 AND bucket = $2",
		"SELECT a FROM dose WHERE bucket = 7",
	} {
		if got := static(q); len(got) > 0 {
			t.Errorf("%s\n\treported: %v", q, got)
		}
	}
}

func TestBadStatements(t *testing.T) {
	const none = "no bucket for table "
	for _, c := range []struct{ query, want string }{
		// rule 1
		{"SELECT a FROM person WHERE person = $1", none + "person"},
		{"SELECT a FROM person", none + "person"},
		{"SELECT a FROM person WHERE person = $1 OR bucket = $2", none + "person"},
		{"SELECT a FROM person WHERE person = $1 AND (bucket = $2 OR x = $3)", none + "person"},
		{"SELECT a FROM person WHERE NOT bucket = $1", none + "person"},
		{"SELECT a FROM person WHERE NOT (bucket = $1)", none + "person"},
		{"SELECT a FROM person WHERE bucket > $1", none + "person"},
		{"SELECT a FROM person WHERE bucket IN ($1, $2)", none + "person"},
		{"SELECT a FROM person WHERE bucket = $1 + 1", none + "person"},
		{"SELECT a FROM person WHERE bucket = bucket", none + "person"},
		{"SELECT a FROM person WHERE x BETWEEN $1 AND bucket = $2", none + "person"},
		{"SELECT a FROM person WHERE CASE WHEN a AND bucket = $1 AND b THEN c ELSE d END", none + "person"},
		{"SELECT bucket = $1 FROM person", none + "person"},
		{"SELECT a FROM person HAVING bucket = $1", none + "person"},
		{"SELECT p.a FROM person p JOIN dose d ON d.person = p.person WHERE p.bucket = $1", none + "dose"},
		{"SELECT p.a FROM person p JOIN dose d ON d.person = p.person WHERE bucket = $1", none + "person"},
		{"SELECT p.a FROM person p, dose d WHERE p.bucket = d.bucket", none + "dose"},
		{"SELECT v.a FROM vaccine v JOIN (person p JOIN dose d USING (person)) ON v.id = p.v WHERE p.bucket = $1", none + "dose"},
		{"SELECT (SELECT COUNT(*) FROM dose) FROM person WHERE bucket = $1", none + "dose"},
		{"SELECT a FROM person WHERE bucket = $1 AND id IN (SELECT id FROM dose WHERE x = $2)", none + "dose"},
		{"SELECT a FROM person WHERE bucket = $1 UNION SELECT a FROM dose", none + "dose"},
		{"WITH d AS (SELECT a FROM dose) SELECT a FROM d", none + "dose"},
		{"SELECT a FROM (SELECT a FROM dose) x", none + "dose"},
		{"SELECT a FROM \"person\" WHERE a = $1", none + "person"},
		{"SELECT a FROM vaccine v JOIN dose ON dose.v = v.id", none + "dose"},
		{"INSERT INTO person (person) VALUES ($1)", none + "person"},
		{"INSERT INTO dose (id, bucket) SELECT id, bucket FROM person", none + "person"},
		{"UPDATE person SET a = $1 WHERE person = $2", none + "person"},
		{"UPDATE person SET a = $1", none + "person"},
		{"UPDATE person SET a = d.a FROM dose d WHERE person.bucket = $1", none + "dose"},
		{"DELETE FROM outbox WHERE id = $1", none + "outbox"},
		{"DELETE FROM outbox", none + "outbox"},
		{"UPDATE person SET bucket = $1 WHERE person = $2 AND bucket = $3", "bucket of a row of person is changed"},
		{"INSERT INTO person (person, bucket) VALUES ($1, $2 + 1)", "not a placeholder"},
		{"INSERT INTO person (person, bucket) VALUES ($1)", "not a placeholder"},
		{"INSERT INTO dose (id, bucket) SELECT person, since FROM person WHERE bucket = $1", "not a placeholder"},
		{"INSERT INTO person VALUES ($1, $2)", "without a list of columns"},
		{"INSERT INTO person (person, bucket) DEFAULT VALUES", "needs VALUES"},
		{"INSERT INTO person (person, bucket) VALUES ($1, $2) ON CONFLICT (person) DO NOTHING", "without its bucket"},
		{"INSERT INTO person (person, bucket) VALUES ($1, $2) ON CONFLICT (person, bucket) DO UPDATE SET bucket = excluded.bucket", "is changed"},
		// rule 5
		{"SELECT a FROM person WHERE a = $2 AND bucket = $1", "order of first appearance"},
		{"SELECT a FROM person WHERE a = $1 AND bucket = $3", "order of first appearance"},
		{"SELECT a FROM person WHERE a = ? AND bucket = $1", "not portable"},
		{"SELECT a FROM person WHERE a = :a AND bucket = $1", "not portable"},
		{"SELECT $01", "placeholder"},
		{"SELECT $", "placeholder"},
		// rule 6
		{"SELECT a->>'x' FROM t WHERE bucket = $1", "->>"},
		{"SELECT a->'x' FROM t WHERE bucket = $1", "->"},
		{"SELECT json_extract(a, '$.x') FROM t WHERE bucket = $1", "json_extract"},
		{"SELECT a FROM t WHERE a LIKE 'x%' AND bucket = $1", "like"},
		{"SELECT a FROM t WHERE a ILIKE 'x%' AND bucket = $1", "ilike"},
		{"SELECT a FROM t WHERE a < datetime('now') AND bucket = $1", "datetime"},
		{"SELECT now()", "now"},
		{"SELECT CURRENT_TIMESTAMP", "current_timestamp"},
		{"SELECT random()", "random"},
		{"SELECT a FROM t WHERE bucket = $1 FOR UPDATE", "FOR update"},
		{"SELECT a FROM t WHERE bucket = $1 FOR NO KEY UPDATE", "FOR no"},
		{"SELECT a FROM t WHERE bucket = $1 FOR UPDATE SKIP LOCKED", "skip"},
		{"WITH x AS (UPDATE t SET a = 1 WHERE bucket = $1 RETURNING a) SELECT a FROM x", "update inside another statement"},
		{"WITH x AS (DELETE FROM t WHERE bucket = $1 RETURNING a) SELECT a FROM x", "delete inside another statement"},
		{"SELECT a FROM t WHERE a = ANY($1) AND bucket = $2", "any"},
		{"SELECT GREATEST(a, b) FROM t WHERE bucket = $1", "greatest"},
		{"SELECT MAX(a, b) FROM t WHERE bucket = $1", "max of several"},
		{"INSERT OR REPLACE INTO t (a, bucket) VALUES ($1, $2)", "insert OR"},
		{"INSERT OR IGNORE INTO t (a) VALUES ($1)", none + "t"},
		{"UPDATE OR IGNORE t SET a = 1 WHERE bucket = $1", "update OR"},
		{"REPLACE INTO t (a, bucket) VALUES ($1, $2)", "only SELECT"},
		{"SELECT rowid FROM t WHERE bucket = $1", "rowid"},
		{"CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", "autoincrement"},
		{"PRAGMA foreign_keys = 0", "only SELECT"},
		{"SELECT a::text FROM t WHERE bucket = $1", "::"},
		{"SELECT a FROM t WHERE a == $1 AND bucket = $2", "=="},
		{"SELECT DISTINCT ON (a) a FROM t WHERE bucket = $1", "DISTINCT ON"},
		{"SELECT a FROM t WHERE bucket = $1 LIMIT 1, 2", "comma"},
		{"SELECT a FROM t WHERE bucket = $1 FETCH FIRST 1 ROW ONLY", "fetch"},
		{"SELECT a FROM t WHERE a = x'00' AND bucket = $1", "prefix x"},
		{"SELECT `a` FROM t WHERE bucket = $1", "`"},
		{"SELECT a FROM main.t WHERE bucket = $1", "schema"},
		{"DELETE FROM t USING u WHERE t.bucket = $1", "USING"},
		{"DELETE FROM t WHERE bucket = $1 LIMIT 1", "LIMIT"},
		{"INSERT INTO t (a, bucket) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT k DO NOTHING", "CONSTRAINT"},
		{"SELECT 1; SELECT 2", "more than one"},
		{"SELECT (1", "parentheses"},
		{"SELECT 'a", "unterminated"},
		{"", "empty"},
	} {
		got := strings.Join(static(c.query), "; ")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\n\treported: %q, want %q", c.query, got, c.want)
		}
	}
}

// run passes statements through a wrapped database and returns the reports.
func run(r Rules, fn func(ctx context.Context, tx sqldb.Tx)) []string {
	var rec recorder
	db := Wrap(&rec, fake{}, r)
	_ = db.Update(context.Background(), func(tx sqldb.Tx) error {
		fn(context.Background(), tx)
		return nil
	})
	return rec.got
}

func TestTransactions(t *testing.T) {
	const (
		row  = "INSERT INTO dose (id, bucket) VALUES ($1, $2)"
		rows = "INSERT INTO dose (id, bucket) VALUES ($1, $2), ($3, $4)"
		up   = "UPDATE dose SET n = $1 WHERE id = $2 AND bucket = $3"
		list = "SELECT id FROM dose WHERE bucket = $1 ORDER BY id"
		all  = "SELECT id FROM dose WHERE id > $1 ORDER BY id LIMIT $2"
		join = "SELECT p.a FROM person p, dose d WHERE p.bucket = $1 AND d.bucket = $2"
	)
	type named uint16
	multi := rules
	multi.MultiBucketTx = true
	for _, c := range []struct {
		name  string
		rules Rules
		fn    func(ctx context.Context, tx sqldb.Tx)
		want  string
	}{
		{"one bucket", rules, func(ctx context.Context, tx sqldb.Tx) {
			_, _ = tx.Exec(ctx, row, "a", 5)
			_, _ = tx.Exec(ctx, up, 1, "a", int64(5))
			_, _ = tx.Exec(ctx, rows, "b", named(5), "c", uint8(5))
			_ = tx.QueryRow(ctx, list, 5)
		}, ""},
		{"two buckets", rules, func(ctx context.Context, tx sqldb.Tx) {
			_, _ = tx.Exec(ctx, row, "a", 5)
			_ = tx.QueryRow(ctx, list, 6)
		}, "a transaction has buckets 5 and 6"},
		{"two buckets allowed", multi, func(ctx context.Context, tx sqldb.Tx) {
			_, _ = tx.Exec(ctx, row, "a", 5)
			_ = tx.QueryRow(ctx, list, 6)
		}, ""},
		{"mixed rows", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, rows, "a", 5, "b", 6) }, "rows of an INSERT have buckets 5 and 6"},
		{"mixed rows, two buckets allowed", multi, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, rows, "a", 5, "b", 6) }, "rows of an INSERT"},
		{"join of two buckets", multi, func(ctx context.Context, tx sqldb.Tx) { _ = tx.QueryRow(ctx, join, 5, 6) }, "a statement has buckets 5 and 6"},
		{"list without limit", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Query(ctx, list, 5) }, "without LIMIT"},
		{"list of reference rows without limit", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Query(ctx, "SELECT id FROM vaccine") }, "without LIMIT"},
		{"limit only inside", rules, func(ctx context.Context, tx sqldb.Tx) {
			_, _ = tx.Query(ctx, "SELECT id FROM (SELECT id FROM dose WHERE bucket = $1 LIMIT 1) x", 5)
		}, "without LIMIT"},
		{"returning needs no limit", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Query(ctx, up+" RETURNING n", 1, "a", 5) }, ""},
		{"no bucket", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Query(ctx, all, "a", 1) }, "no bucket for table dose"},
		{"scatter read", rules, func(ctx context.Context, tx sqldb.Tx) {
			_, _ = tx.Query(sqldb.Scatter(ctx), all, "a", 1)
			_ = tx.QueryRow(sqldb.Scatter(ctx), list, 5)
			_ = tx.QueryRow(sqldb.Scatter(ctx), list, 6)
			_, _ = tx.Exec(ctx, row, "a", 7)
		}, ""},
		{"scatter list without limit", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Query(sqldb.Scatter(ctx), list, 5) }, "without LIMIT"},
		{"scatter write", rules, func(ctx context.Context, tx sqldb.Tx) {
			_, _ = tx.Exec(sqldb.Scatter(ctx), "DELETE FROM dose WHERE id = $1", "a")
		}, "scatter statement that writes"},
		{"text as bucket", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, row, "a", "5") }, "not a bucket"},
		{"nil as bucket", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, row, "a", nil) }, "not a bucket"},
		{"bucket out of range", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, row, "a", Buckets) }, "not a bucket"},
		{"negative bucket", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, row, "a", -1) }, "not a bucket"},
		{"too few arguments", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, row, "a") }, "2 placeholders, 1 arguments"},
		{"too many arguments", rules, func(ctx context.Context, tx sqldb.Tx) { _, _ = tx.Exec(ctx, row, "a", 5, 6) }, "2 placeholders, 3 arguments"},
	} {
		got := run(c.rules, c.fn)
		if s := strings.Join(got, "; "); c.want == "" && s != "" || !strings.Contains(s, c.want) {
			t.Errorf("%s: reported %q, want %q", c.name, s, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	var rec recorder
	inner := fake{}
	db := Wrap(&rec, inner, rules)
	if sqldb.Unwrap(Wrap(t, db, rules)) != sqldb.DB(inner) {
		t.Error("Unwrap does not return the database below")
	}
	own := errors.New("own")
	for _, call := range []func(context.Context, func(sqldb.Tx) error) error{db.Update, db.View} {
		if err := call(t.Context(), func(sqldb.Tx) error { return own }); !errors.Is(err, own) {
			t.Error(err)
		}
	}
	// Each run of a function is a transaction of its own; a text is reported once.
	for bucket := range 3 {
		_ = db.Update(t.Context(), func(tx sqldb.Tx) error {
			_, _ = tx.Exec(t.Context(), "DELETE FROM outbox WHERE id = $1 AND bucket = $2", "secret", bucket)
			_, _ = tx.Exec(t.Context(), "DELETE FROM outbox WHERE id = $1", "secret")
			return nil
		})
	}
	if len(rec.got) != 1 || strings.Contains(rec.got[0], "secret") {
		t.Errorf("reports: %q", rec.got)
	}
}

func TestConcurrentUse(t *testing.T) {
	db := Wrap(t, fake{}, rules)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				_ = db.View(t.Context(), func(tx sqldb.Tx) error {
					_, err := tx.Exec(t.Context(), fmt.Sprintf("UPDATE t SET a = %d WHERE bucket = $1", i), g)
					return err
				})
			}
		})
	}
	wg.Wait()
}

// FuzzAnalyse: no text makes the analysis panic or hang, and what it accepts
// as a statement on a sharded table has a bucket in it.
func FuzzAnalyse(f *testing.F) {
	for _, s := range []string{
		"SELECT a FROM t WHERE bucket = $1", "INSERT INTO t AS x (a, bucket) VALUES ($1, $2), ($3", "WITH RECURSIVE a (b) AS (SELECT 1) SELECT",
		"UPDATE t SET", "DELETE", "INSERT", "INSERT INTO", "WITH", "WITH a", "(((", "SELECT ((SELECT a FROM t)) FROM (t JOIN u ON (a = b", "VALUES (1), (2)",
		"SELECT a FROM t WHERE a BETWEEN 1 AND 2 AND CASE WHEN b END", "/*", "--", "'", "\"", "$$", "SELECT é FROM ü", "ON CONFLICT (", "INSERT INTO t (a) SELECT",
		"SELECT a FROM t UNION", "SELECT", "FROM", "()", "SELECT a FROM ()", "with a as () select 1", "SELECT max(", "INSERT INTO t (bucket) ON CONFLICT (",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		a := analyse(query, nil)
		if len(a.problems) == 0 && a.touches && len(a.unbound) == 0 && !strings.Contains(strings.ToLower(query), column) {
			t.Errorf("accepted without a bucket: %q", query)
		}
	})
}
