// Package dump copies a database as a stream of rows, through the same seam as
// every other statement, so that one form serves every engine: what was written
// on SQLite can be read back into PostgreSQL and the other way round.
//
// The stream is a header line, then for each table its name, columns and rows,
// then an end mark with the number of rows. Values are 64-bit integers, texts,
// byte strings and null: the types the portable schema has. It says nothing
// about triggers, indexes and the tables of the migrations: the reader makes the
// schema with the program's own migration files, at the version the stream names.
package dump

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"

	"tikakosh/internal/fault"
)

// magic begins a stream; another form gets another number.
const magic = "tikakosh rows 1\n"

// Bounds of what a reader believes before it allocates.
const (
	maxName    = 64       // bytes of a table's or column's name
	maxColumns = 64       // of a table
	maxTables  = 200      // of a stream
	maxValue   = 64 << 20 // bytes of one value: far above the largest sealed part
)

// Marks of the stream and tags of values.
const (
	markTable = 'T'
	markRow   = 'R'
	markEnd   = 'E'
	tagNull   = 'n'
	tagInt    = 'i'
	tagText   = 't'
	tagBytes  = 'b'
)

// Head is what a stream says of itself before its rows.
type Head struct {
	Database string // "registry" or "vault"
	Version  int64  // newest migration that was applied
}

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// encoder writes the stream. Its first error stays.
type encoder struct {
	w    *bufio.Writer
	rows int64
	err  error
}

func newEncoder(w io.Writer, h Head) *encoder {
	e := &encoder{w: bufio.NewWriterSize(w, 64<<10)}
	_, e.err = e.w.WriteString(magic)
	e.text(h.Database)
	e.int(h.Version)
	return e
}

func (e *encoder) byte(b byte) {
	if e.err == nil {
		e.err = e.w.WriteByte(b)
	}
}

func (e *encoder) int(n int64) {
	var buf [binary.MaxVarintLen64]byte
	if e.err == nil {
		_, e.err = e.w.Write(buf[:binary.PutVarint(buf[:], n)])
	}
}

func (e *encoder) text(s string) {
	e.int(int64(len(s)))
	if e.err == nil {
		_, e.err = e.w.WriteString(s)
	}
}

func (e *encoder) table(name string, columns []string) {
	e.byte(markTable)
	e.text(name)
	e.int(int64(len(columns)))
	for _, c := range columns {
		e.text(c)
	}
}

func (e *encoder) row(values []any) {
	e.byte(markRow)
	e.rows++
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			e.byte(tagNull)
		case int64:
			e.byte(tagInt)
			e.int(v)
		case string:
			e.byte(tagText)
			e.text(v)
		case []byte:
			e.byte(tagBytes)
			e.text(string(v))
		default:
			if e.err == nil {
				e.err = fault.Newf(fault.Internal, "dump", "a column holds a %T, which the portable schema does not have", v)
			}
		}
	}
}

func (e *encoder) end() error {
	e.byte(markEnd)
	e.int(e.rows)
	if e.err == nil {
		e.err = e.w.Flush()
	}
	return e.err
}

// decoder reads a stream of unknown origin: every length is bounded before it is
// believed, and a malformed stream is fault.Integrity.
type decoder struct {
	r    *bufio.Reader
	rows int64
}

func malformed(what string) error {
	return fault.New(fault.Integrity, "dump", "the copy of the database is malformed: "+what)
}

// wrong gives an error of the reader below its kind: a stream that ends early is
// malformed, a fault passes.
func wrong(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed(what + " is cut off")
	}
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.Wrap(fault.Integrity, err, "the copy of the database cannot be read")
}

func newDecoder(r io.Reader) (*decoder, Head, error) {
	d := &decoder{r: bufio.NewReaderSize(r, 64<<10)}
	begin := make([]byte, len(magic))
	if _, err := io.ReadFull(d.r, begin); err != nil {
		return nil, Head{}, wrong(err, "the header")
	}
	if string(begin) != magic {
		return nil, Head{}, malformed("another form, or a newer one")
	}
	var h Head
	var err error
	if h.Database, err = d.name(); err == nil {
		h.Version, err = d.int()
	}
	if err == nil && h.Version < 1 {
		err = malformed("no schema version")
	}
	return d, h, err
}

func (d *decoder) int() (int64, error) {
	n, err := binary.ReadVarint(d.r)
	if err != nil {
		return 0, wrong(err, "a number")
	}
	return n, nil
}

func (d *decoder) bytes(most int64) ([]byte, error) {
	n, err := d.int()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > most {
		return nil, malformed("a length is out of bounds")
	}
	// Read in steps: a length alone must not allocate what it promises.
	out := make([]byte, 0, min(n, 64<<10))
	for int64(len(out)) < n {
		step := min(n-int64(len(out)), 1<<20)
		at := len(out)
		out = append(out, make([]byte, step)...)
		if _, err := io.ReadFull(d.r, out[at:]); err != nil {
			return nil, wrong(err, "a value")
		}
	}
	return out, nil
}

func (d *decoder) name() (string, error) {
	b, err := d.bytes(maxName)
	if err == nil && !identifier.Match(b) {
		err = malformed("a name")
	}
	return string(b), err
}

// table is a table's name and columns in the stream.
type table struct {
	name    string
	columns []string
}

func (d *decoder) table() (t table, err error) {
	if t.name, err = d.name(); err != nil {
		return t, err
	}
	n, err := d.int()
	if err != nil {
		return t, err
	}
	if n < 1 || n > maxColumns {
		return t, malformed("number of columns")
	}
	for range n {
		c, err := d.name()
		if err != nil {
			return t, err
		}
		t.columns = append(t.columns, c)
	}
	return t, nil
}

func (d *decoder) row(n int) ([]any, error) {
	d.rows++
	out := make([]any, n)
	for i := range out {
		tag, err := d.r.ReadByte()
		if err != nil {
			return nil, wrong(err, "a row")
		}
		switch tag {
		case tagNull:
		case tagInt:
			if out[i], err = d.int(); err != nil {
				return nil, err
			}
		case tagText, tagBytes:
			b, err := d.bytes(maxValue)
			if err != nil {
				return nil, err
			}
			if out[i] = b; tag == tagText {
				out[i] = string(b)
			}
		default:
			return nil, malformed(fmt.Sprintf("tag %q", tag))
		}
	}
	return out, nil
}

// each calls begin for every table and row for every row, in the stream's order.
func (d *decoder) each(begin func(table) error, row func([]any) error) error {
	var t table
	for tables := 0; ; {
		mark, err := d.r.ReadByte()
		if err != nil {
			return wrong(err, "the end")
		}
		switch mark {
		case markTable:
			if tables++; tables > maxTables {
				return malformed("too many tables")
			}
			if t, err = d.table(); err == nil {
				err = begin(t)
			}
		case markRow:
			if t.name == "" {
				return malformed("a row of no table")
			}
			var values []any
			if values, err = d.row(len(t.columns)); err == nil {
				err = row(values)
			}
		case markEnd:
			return d.end()
		default:
			return malformed(fmt.Sprintf("mark %q", mark))
		}
		if err != nil {
			return err
		}
	}
}

// end compares the count of rows, and that nothing follows.
func (d *decoder) end() error {
	n, err := d.int()
	if err != nil {
		return err
	}
	if n != d.rows {
		return malformed("rows are missing")
	}
	if _, err := d.r.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return wrong(err, "the end")
		}
		return malformed("something follows the end")
	}
	return nil
}
