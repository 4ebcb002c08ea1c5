package department

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Export is a department's word on who works there, by the subjects of its tokens.
type Export struct {
	Left []string
	Stay []string
}

// ReadExport reads a department's export: CSV with a header and the columns sub and
// active, which is true or false. most bounds the accounts. An account that stands there twice with
// different words is refused: nobody can say which one holds.
func ReadExport(in io.Reader, most int) (out Export, err error) {
	r := csv.NewReader(io.LimitReader(in, 32<<20))
	r.FieldsPerRecord = 0 // all as the header
	head, err := r.Read()
	if err != nil {
		return out, errors.New("no header")
	}
	sub, active := -1, -1
	for i, name := range head {
		switch strings.TrimPrefix(strings.TrimSpace(name), "\ufeff") {
		case "sub":
			sub = i
		case "active":
			active = i
		}
	}
	if sub < 0 || active < 0 {
		return out, errors.New("the header has to name the columns sub and active")
	}
	seen := map[string]string{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			var at *csv.ParseError
			if errors.As(err, &at) {
				return out, fmt.Errorf("line %d is malformed", at.StartLine)
			}
			return out, errors.New("it cannot be read")
		}
		line, _ := r.FieldPos(0)
		account, word := row[sub], row[active]
		if account == "" || len(account) > 255 || word != "true" && word != "false" {
			return out, fmt.Errorf("line %d: sub is an account of 1 to 255 bytes, active is true or false", line)
		}
		if old, twice := seen[account]; twice && old != word {
			return out, fmt.Errorf("line %d: this account is both active and not", line)
		} else if twice {
			continue
		}
		if seen[account] = word; len(seen) > most {
			return out, fmt.Errorf("more than %d accounts", most)
		}
		if word == "true" {
			out.Stay = append(out.Stay, account)
		} else {
			out.Left = append(out.Left, account)
		}
	}
}
