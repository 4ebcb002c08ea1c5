// Package sheet reads centres and sessions from CSV files that an operator has
// made with a spreadsheet, and says of every row that is wrong where and what
// is wanted. It is pure: it neither reads the registry nor writes to it.
package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"tikakosh/internal/fault"
	"tikakosh/internal/registry/rules"
)

// Bounds of a file. A state with 10,000 centres and a fortnight of sessions
// needs 140,000 rows of some 150 bytes.
const (
	MaxFile = 64 << 20 // bytes
	MaxRows = 250_000
	maxCell = 2_000 // bytes; a text of the registry has at most 200
	maxCols = 64
)

// Column is one column of a file. They may stand in any order; the first line
// names them.
type Column struct {
	Name     string
	Optional bool
	Wants    string // what a cell holds, for people
}

// Problem is one cell (or with Column "" one row) that cannot be taken. Line and
// At (the byte in it) count from 1, as editors do.
type Problem struct {
	Line, At int
	Column   string
	Value    string // the beginning of what stands there
	Wants    string
}

// String is one line for people. What stands in the file is quoted, so that it
// cannot drive a terminal.
func (p Problem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Wants)
	}
	if p.Value == "" {
		return fmt.Sprintf("line %d, %s: %s; it is empty", p.Line, p.Column, p.Wants)
	}
	return fmt.Sprintf("line %d:%d, %s: %s; there stands %+q", p.Line, p.At, p.Column, p.Wants, p.Value)
}

// row is one line under the header.
type row struct {
	line     int
	names    map[string]int // column to place
	cells    []string
	pos      func(field int) (line, at int)
	columns  []Column
	problems *[]Problem
	wrong    bool
}

// text returns a cell without the space around it.
func (r *row) text(name string) string {
	i, ok := r.names[name]
	if !ok {
		return ""
	}
	return strings.TrimSpace(strings.TrimLeft(r.cells[i], "\u00a0"))
}

// bad notes that a cell cannot be taken; wants "" is the column's own text.
func (r *row) bad(name, wants string) {
	r.wrong = true
	p := Problem{Line: r.line, Column: name, Wants: wants}
	if i, ok := r.names[name]; ok {
		p.Line, p.At = r.pos(i)
		p.Value = beginning(r.cells[i])
	}
	if wants == "" {
		i := slices.IndexFunc(r.columns, func(c Column) bool { return c.Name == name })
		p.Wants = r.columns[i].Wants
	}
	*r.problems = append(*r.problems, p)
}

// whole notes that a row as a whole cannot be taken.
func (r *row) whole(format string, a ...any) {
	r.wrong = true
	*r.problems = append(*r.problems, Problem{Line: r.line, Wants: fmt.Sprintf(format, a...)})
}

func beginning(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}

// plain returns a text that can stand on a page and in a spreadsheet: nothing
// that a spreadsheet would run as a formula, nothing invisible.
func (r *row) plain(name string, needed bool) string {
	s := r.text(name)
	switch {
	case s == "" && needed:
		r.bad(name, "")
	case !rules.Printable(s):
		r.bad(name, "at most 200 bytes of text without invisible characters")
	case strings.ContainsAny(first(s), "=+-@"):
		r.bad(name, "a text that does not begin with = + - or @, which spreadsheets run as a formula")
	}
	return s
}

func first(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

func malformed(format string, a ...any) error {
	return fault.New(fault.Invalid, "csv", fmt.Sprintf(format, a...))
}

// each reads the file and calls fn for every row that is not empty. Its error
// is about the file as a whole: then no row is to be trusted.
func each(raw []byte, columns []Column, problems *[]Problem, fn func(*row)) error {
	raw, err := decoded(raw)
	if err != nil {
		return err
	}
	in := csv.NewReader(bytes.NewReader(raw))
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return malformed("the file is empty; the first line names the columns")
	}
	if err != nil {
		return unreadable(err)
	}
	names, err := head(header, columns)
	if err != nil {
		return err
	}
	width := len(header)
	for n := 0; ; n++ {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable(err)
		}
		if n == MaxRows {
			return malformed("the file has more than %d rows; divide it", MaxRows)
		}
		line, _ := in.FieldPos(0)
		r := &row{line: line, names: names, cells: cells, pos: in.FieldPos, columns: columns, problems: problems}
		switch {
		case !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }):
			continue // spreadsheets leave rows of commas behind
		case len(cells) != width:
			r.whole("%d cells stand here, the first line names %d columns (a comma inside a text needs quotes around the text)", len(cells), width)
			continue
		case slices.ContainsFunc(cells, func(c string) bool { return len(c) > maxCell }):
			r.whole("a cell is longer than %d bytes", maxCell)
			continue
		}
		fn(r)
	}
}

// decoded refuses what is no UTF-8 text and takes the mark off that spreadsheets
// put before it.
func decoded(raw []byte) ([]byte, error) {
	if len(raw) > MaxFile {
		return nil, malformed("the file is larger than %d MiB; divide it", MaxFile>>20)
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return nil, malformed("the file is UTF-16; save it as CSV UTF-8")
	}
	if bytes.HasPrefix(raw, []byte("PK\x03\x04")) {
		return nil, malformed("the file is a spreadsheet's own format; save it as CSV UTF-8")
	}
	for at := 0; at < len(raw); {
		c, n := utf8.DecodeRune(raw[at:])
		if (c == utf8.RuneError && n <= 1) || c == 0 {
			return nil, malformed("line %d has a byte that is not UTF-8 text; save the file as CSV UTF-8", 1+bytes.Count(raw[:at], []byte("\n")))
		}
		at += n
	}
	return raw, nil
}

func unreadable(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		why := "a quotation mark is missing or stands inside a cell (inside quotes it is written twice)"
		if !errors.Is(err, csv.ErrQuote) && !errors.Is(err, csv.ErrBareQuote) {
			why = "this is no CSV"
		}
		return malformed("line %d:%d: %s", p.Line, p.Column, why)
	}
	return fault.Wrap(fault.Invalid, err, "csv")
}

// head finds the columns that the first line names.
func head(header []string, columns []Column) (map[string]int, error) {
	if len(header) > maxCols {
		return nil, malformed("the first line names %d columns", len(header))
	}
	names := map[string]int{}
	for i, h := range header {
		h = strings.ToLower(strings.TrimSpace(h))
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.Name == h }) {
			if strings.ContainsAny(h, ";\t") {
				return nil, malformed("the columns of the first line are not separated by commas")
			}
			return nil, malformed("line 1 names a column %+q that is not known; known are: %s", beginning(h), list(columns, true))
		}
		if _, twice := names[h]; twice {
			return nil, malformed("line 1 names the column %s twice", h)
		}
		names[h] = i
	}
	for _, c := range columns {
		if _, ok := names[c.Name]; !ok && !c.Optional {
			return nil, malformed("line 1 lacks the column %s; needed are: %s", c.Name, list(columns, false))
		}
	}
	return names, nil
}

func list(columns []Column, optional bool) string {
	var names []string
	for _, c := range columns {
		if optional || !c.Optional {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}
