package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

const (
	maxDepth  = 8
	maxFields = 64
)

func malformed() error {
	return fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
}

// missing is CoWIN's answer to an absent field.
func missing(field string) error {
	return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: "+field)
}

// wanted says what a field that is there should be.
func wanted(field, what string) error {
	return fault.New(fault.Invalid, "USRRES0001", field+" has to be "+what)
}

func (c *Ctx) readBody() error {
	if c.route.BodyLimit == 0 {
		return nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.route.BodyLimit))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return fault.New(fault.Invalid, "size", "the request body is too large")
	}
	if err != nil {
		return malformed()
	}
	c.body = raw
	return nil
}

// decode reads the body into v. The content type does not matter (contract.md
// 1.11). Our own routes refuse fields they do not know, CoWIN's ignore them.
func (c *Ctx) decode(v any) error { return decodeJSON(c.body, v, c.route.Own) }

func decodeJSON(raw []byte, v any, strict bool) error {
	if !utf8.Valid(raw) {
		return malformed()
	}
	if err := checkJSON(raw); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if strict && !ablate.Off(ablate.BindDeclared) {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(v); err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return f
		}
		return malformed()
	}
	return nil
}

// checkJSON walks the tokens: one object, bounded depth and size, no field twice.
func checkJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	type level struct {
		object bool
		key    bool
		seen   map[string]bool
	}
	var stack []level
	fields := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return malformed()
		}
		if err != nil {
			return malformed()
		}
		if len(stack) == 0 && tok != json.Delim('{') {
			return malformed()
		}
		switch t := tok.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				stack = append(stack, level{object: t == '{', key: t == '{', seen: map[string]bool{}})
				if len(stack) > maxDepth {
					return malformed()
				}
				continue
			}
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				if _, err := dec.Token(); !errors.Is(err, io.EOF) {
					return malformed()
				}
				return nil
			}
		case string:
			if strings.ContainsRune(t, 0) { // no field has one, and PostgreSQL takes none
				return malformed()
			}
			top := &stack[len(stack)-1]
			if top.object && top.key {
				name := fold(t)
				if fields++; fields > maxFields || top.seen[name] {
					return malformed()
				}
				top.seen[name] = true
				top.key = false
				continue
			}
		}
		if top := &stack[len(stack)-1]; top.object {
			top.key = true
		}
	}
}

// fold gives names that encoding/json takes for the same field one form.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// loose is a JSON string or number as text, as CoWIN's clients send either.
type loose string

// UnmarshalJSON accepts a string, an integer or null.
func (l *loose) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		if _, err := strconv.ParseUint(string(b), 10, 63); err != nil {
			return malformed()
		}
		b = append(append([]byte{'"'}, b...), '"')
	}
	return roomy(b, (*string)(l))
}

// personal is a JSON string that may name a person.
type personal string

// UnmarshalJSON accepts a string or null.
func (p *personal) UnmarshalJSON(b []byte) error { return roomy(b, (*string)(p)) }

// roomyPad is the size up to which Go's allocator puts values without pointers
// together in one block (runtime maxTinySize). Such a block lives as long as
// the longest-lived value in it, so a short number or name could stay in memory
// with a stranger long after its request (ADR 8).
const roomyPad = 16

// roomy decodes a JSON string (or null: unchanged) into memory of its own.
func roomy(b []byte, into *string) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) < 2 || b[0] != '"' {
		return malformed()
	}
	padded := append([]byte(`"`), bytes.Repeat([]byte{' '}, roomyPad)...)
	var s string
	if err := json.Unmarshal(append(padded, b[1:]...), &s); err != nil {
		return malformed()
	}
	*into = s[roomyPad:]
	return nil
}
