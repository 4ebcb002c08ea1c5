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
	if strict {
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
			top := &stack[len(stack)-1]
			if top.object && top.key {
				if fields++; fields > maxFields || top.seen[t] {
					return malformed()
				}
				top.seen[t] = true
				top.key = false
				continue
			}
		}
		if top := &stack[len(stack)-1]; top.object {
			top.key = true
		}
	}
}

// loose is a JSON string or number as text, as CoWIN's clients send either.
type loose string

// UnmarshalJSON accepts a string, an integer or null.
func (l *loose) UnmarshalJSON(b []byte) error {
	s := string(b)
	switch {
	case s == "null":
		return nil
	case strings.HasPrefix(s, `"`):
		return json.Unmarshal(b, (*string)(l))
	}
	if _, err := strconv.ParseUint(s, 10, 63); err != nil {
		return malformed()
	}
	*l = loose(s)
	return nil
}
