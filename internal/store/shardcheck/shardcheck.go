// Package shardcheck wraps a database and checks, on every statement a store
// runs, that the same program would run on a database spread over many
// machines and on both engines:
//
//  1. a statement on a sharded table has the predicate bucket = $n for each
//     table it names, or names bucket among the columns of an INSERT;
//  2. a transaction sees one bucket;
//  3. the rows of an INSERT have one bucket;
//  4. a list (Query with SELECT) has a LIMIT;
//  5. placeholders are $1..$n in order of first appearance, one argument each;
//  6. nothing is outside the common subset of SQLite and PostgreSQL.
//
// A row's bucket is never changed, and ON CONFLICT names keys with it. The
// statements are read by a small tokenizer, not by a parser of all SQL: what
// it does not recognise as a bucket predicate is reported, so that a statement
// in doubt is written more plainly. Reads that cross buckets on purpose run
// under sqldb.Scatter; that excuses a SELECT from rules 1 and 2 only.
package shardcheck

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"tikakosh/internal/store/sqldb"
)

// Buckets is the number of buckets; valid ones are 0..Buckets-1.
const Buckets = 1 << 14

// Reporter is told of every violation; testing.TB is one. It must be safe for
// concurrent use.
type Reporter interface {
	Errorf(format string, args ...any)
}

// Rules say what is checked in a database.
type Rules struct {
	// Unsharded are the reference tables, which have no bucket and are on
	// every machine. Every other table is sharded.
	Unsharded []string
	// MultiBucketTx switches rule 2 off, for the vault's own database, where
	// one transaction claims evidence, ledger and heads.
	MultiBucketTx bool
}

// Wrap returns db with every statement checked under rules. Statements run
// whether or not they pass; a violation of a statement's text is reported once
// per text, one that depends on arguments each time. Reports name statements
// and buckets, never other arguments. sqldb.Unwrap returns db again.
func Wrap(r Reporter, db sqldb.DB, rules Rules) sqldb.DB {
	unsharded := map[string]bool{}
	for _, t := range rules.Unsharded {
		unsharded[t] = true
	}
	return &checker{DB: db, reporter: r, unsharded: unsharded, multi: rules.MultiBucketTx, known: map[string]*analysis{}, told: map[string]bool{}}
}

// maxKnown bounds the analyses kept.
const maxKnown = 4096

type checker struct {
	sqldb.DB
	reporter  Reporter
	unsharded map[string]bool
	multi     bool

	mu    sync.Mutex
	known map[string]*analysis
	told  map[string]bool // text and rule
}

// Unwrap returns the database below.
func (c *checker) Unwrap() sqldb.DB { return c.DB }

// Update implements sqldb.DB.
func (c *checker) Update(ctx context.Context, fn func(sqldb.Tx) error) error {
	return c.DB.Update(ctx, func(t sqldb.Tx) error { return fn(&tx{Tx: t, c: c}) })
}

// View implements sqldb.DB.
func (c *checker) View(ctx context.Context, fn func(sqldb.Tx) error) error {
	return c.DB.View(ctx, func(t sqldb.Tx) error { return fn(&tx{Tx: t, c: c}) })
}

func (c *checker) analysis(query string) *analysis {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.known[query]
	if !ok {
		if len(c.known) >= maxKnown {
			clear(c.known)
		}
		a = analyse(query, c.unsharded)
		c.known[query] = a
	}
	return a
}

// tell reports a violation of a statement's text once.
func (c *checker) tell(query, problem string) {
	c.mu.Lock()
	key := query + "\x00" + problem
	again := c.told[key]
	if len(c.told) < maxKnown {
		c.told[key] = true
	}
	c.mu.Unlock()
	if !again {
		c.reporter.Errorf("%s: %s", problem, plain(query))
	}
}

// plain shortens a statement to one line.
func plain(query string) string {
	s := strings.Join(strings.Fields(query), " ")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}

// tx checks the statements of one run of a transaction's function.
type tx struct {
	sqldb.Tx
	c      *checker
	bucket int64
	seen   bool
}

// Exec implements sqldb.Tx.
func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	t.check(ctx, query, args, false)
	return t.Tx.Exec(ctx, query, args...)
}

// Later is the sqldb.Later of the transaction below.
func (t *tx) Later(ctx context.Context, want int64, otherwise error, query string, args ...any) error {
	t.check(ctx, query, args, false)
	return sqldb.Later(ctx, t.Tx, want, otherwise, query, args...)
}

// Query implements sqldb.Tx.
func (t *tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	t.check(ctx, query, args, true)
	return t.Tx.Query(ctx, query, args...)
}

// QueryRow implements sqldb.Tx.
func (t *tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	t.check(ctx, query, args, false)
	return t.Tx.QueryRow(ctx, query, args...)
}

func (t *tx) check(ctx context.Context, query string, args []any, list bool) {
	a := t.c.analysis(query)
	for _, p := range a.problems {
		t.c.tell(query, p)
	}
	if list && a.reads && !a.limited {
		t.c.tell(query, "a list without LIMIT")
	}
	if a.params != len(args) {
		t.c.tell(query, fmt.Sprintf("%d placeholders, %d arguments", a.params, len(args)))
	}
	if sqldb.IsScatter(ctx) {
		if a.writesRows {
			t.c.tell(query, "a scatter statement that writes")
		}
		return
	}
	for _, name := range a.unbound {
		t.c.tell(query, "no bucket for table "+name)
	}
	t.buckets(query, a, args)
}

// buckets checks rules 2 and 3 on the arguments.
func (t *tx) buckets(query string, a *analysis, args []any) {
	first, have := int64(0), false
	for i, v := range append(append([]value{}, a.rows...), a.values...) {
		b, err := v.of(args)
		if err != nil {
			t.c.reporter.Errorf("%v: %s", err, plain(query))
			return
		}
		if have && b != first {
			if i < len(a.rows) {
				t.c.reporter.Errorf("the rows of an INSERT have buckets %d and %d: %s", first, b, plain(query))
			} else {
				t.c.reporter.Errorf("a statement has buckets %d and %d: %s", first, b, plain(query))
			}
			return
		}
		first, have = b, true
	}
	if !have || t.c.multi {
		return
	}
	if t.seen && t.bucket != first {
		t.c.reporter.Errorf("a transaction has buckets %d and %d: %s", t.bucket, first, plain(query))
	}
	t.bucket, t.seen = first, true
}

// of returns the bucket that v stands for.
func (v value) of(args []any) (int64, error) {
	if v.param == 0 {
		n, err := strconv.ParseInt(v.num, 10, 64)
		if err != nil || n < 0 || n >= Buckets {
			return 0, fmt.Errorf("%s is not a bucket", v.num)
		}
		return n, nil
	}
	if v.param > len(args) {
		return 0, fmt.Errorf("no argument for $%d", v.param)
	}
	n := int64(-1)
	switch r := reflect.ValueOf(args[v.param-1]); {
	case !r.IsValid():
	case r.CanInt():
		n = r.Int()
	case r.CanUint() && r.Uint() < Buckets:
		n = int64(r.Uint())
	}
	if n < 0 || n >= Buckets {
		return 0, fmt.Errorf("the argument of $%d is not a bucket", v.param)
	}
	return n, nil
}
