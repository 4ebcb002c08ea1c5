package dump

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// everything is the LIMIT of a statement that reads a whole table, in no order.
const everything = int64(1) << 60

// Write copies the tables of a database as the transaction sees them: call it in a
// View, which fixes its snapshot at the first statement. Memory stays that of one
// row. Errors: the writer's, or as the database's.
func Write(ctx context.Context, tx sqldb.Tx, h Head, tables []string, w io.Writer) error {
	ctx = sqldb.Scatter(ctx)
	e := newEncoder(w, h)
	for _, t := range tables {
		if !identifier.MatchString(t) {
			return fault.New(fault.Internal, "dump", "a table's name is malformed")
		}
		if err := writeTable(ctx, tx, e, t); err != nil {
			return err
		}
	}
	return e.end()
}

func writeTable(ctx context.Context, tx sqldb.Tx, e *encoder, name string) error {
	rows, err := tx.Query(ctx, "SELECT * FROM "+name+" LIMIT $1", everything)
	if err != nil {
		return sqldb.Classify(err, "copy the database")
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return sqldb.Classify(err, "copy the database")
	}
	e.table(name, columns)
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return sqldb.Classify(err, "copy the database")
		}
		if e.row(values); e.err != nil {
			return e.err
		}
	}
	return sqldb.Classify(rows.Err(), "copy the database")
}

// Peek reads the head of a stream.
func Peek(r io.Reader) (Head, error) {
	_, h, err := newDecoder(r)
	return h, err
}

// loadBatch is how many rows are stored in one transaction.
const loadBatch = 2000

// LedgerSize returns how many entries the ledger of a realm has in the vault's
// database of a transaction.
func LedgerSize(ctx context.Context, tx sqldb.Tx, realm int) (int64, error) {
	var n int64
	err := tx.QueryRow(sqldb.Scatter(ctx), "SELECT COALESCE(MAX(next_index), 0) FROM ledger_head WHERE realm = $1", realm).Scan(&n)
	return n, sqldb.Classify(err, "read the ledger's head")
}

// Seen is called by Load with each row as it is read, before it is stored: a
// caller looks at what it must judge. Values belong to the callee.
type Seen func(table string, columns []string, values []any) error

// Load stores a stream's rows in a database whose schema is empty and at the
// stream's version. tables are the ones it may hold: any other is
// fault.Integrity, and so is one named twice, a row that does not fit, a stream
// that is cut off. A failed load leaves the database half full: the caller throws
// it away.
func Load(ctx context.Context, db sqldb.DB, tables []string, r io.Reader, seen Seen) (Head, error) {
	d, h, err := newDecoder(r)
	if err != nil {
		return h, err
	}
	l := &loader{ctx: ctx, db: db, seen: seen}
	var had []string
	err = d.each(func(t table) error {
		if !slices.Contains(tables, t.name) || slices.Contains(had, t.name) {
			return malformed("table " + t.name)
		}
		had = append(had, t.name)
		if err := l.flush(); err != nil {
			return err
		}
		l.begin(t)
		return nil
	}, l.row)
	if err == nil {
		err = l.flush()
	}
	return h, err
}

type loader struct {
	ctx    context.Context
	db     sqldb.DB
	seen   Seen
	table  table
	insert string
	batch  [][]any
}

func (l *loader) begin(t table) {
	marks := make([]string, len(t.columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	l.table = t
	l.insert = "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

func (l *loader) row(values []any) error {
	if l.seen != nil {
		if err := l.seen(l.table.name, l.table.columns, values); err != nil {
			return err
		}
	}
	if l.batch = append(l.batch, values); len(l.batch) == loadBatch {
		return l.flush()
	}
	return nil
}

func (l *loader) flush() error {
	batch := l.batch
	l.batch = nil
	if len(batch) == 0 {
		return nil
	}
	if b, ok := sqldb.Unwrap(l.db).(sqldb.Bulk); ok {
		return l.stored(b.Insert(l.ctx, l.table.name, l.table.columns, batch))
	}
	return l.stored(l.db.Update(l.ctx, func(tx sqldb.Tx) error {
		for _, values := range batch {
			n, err := tx.Exec(l.ctx, l.insert, values...)
			if err != nil {
				return err
			}
			if n != 1 {
				return malformed("a row of " + l.table.name + " is there twice")
			}
		}
		return nil
	}))
}

// stored gives an error of the database its kind.
func (l *loader) stored(err error) error {
	if sqldb.IsConstraint(err) {
		return malformed("a row of " + l.table.name + " does not fit")
	}
	if fault.Is(err, fault.Unknown) {
		err = fault.Wrap(fault.Unavailable, err, "store the copy")
	}
	return sqldb.Classify(err, "store the copy")
}
