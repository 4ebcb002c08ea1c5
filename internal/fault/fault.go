// Package fault is the closed set of error kinds that cross package and
// process boundaries. A caller branches on the Kind; the text is for people
// and never holds personal data, codes or tokens.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a caller can do about an error. The set is closed: the edge
// maps each kind to one HTTP status.
type Kind string

// The kinds.
const (
	Internal     Kind = "internal"     // a bug or broken invariant; nothing to retry
	Invalid      Kind = "invalid"      // the input is wrong; Code says how
	Unauthorized Kind = "unauthorized" // no valid proof of who asks; sign in again
	Forbidden    Kind = "forbidden"    // proof is valid, permission is not there
	NotFound     Kind = "not_found"    // uniform for "absent" and "not yours"
	Conflict     Kind = "conflict"     // state changed or is taken; re-read before retry
	Full         Kind = "full"         // no capacity left
	RateLimited  Kind = "rate_limited" // too many; RetryAfter says when
	Unavailable  Kind = "unavailable"  // a dependency is down; retry later
	Unknown      Kind = "unknown"      // an error at commit: look the idempotency key up
	Integrity    Kind = "integrity"    // stored data does not match its evidence: closed, alarm
)

// Error is an error with a kind. Code is a stable machine word ("USRAUT0014",
// "capacity", …) that the edge may show; Text is English for logs and callers.
type Error struct {
	Kind       Kind
	Code       string
	Text       string
	RetryAfter time.Duration
	Err        error
}

// Error implements error.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error of kind k with a machine code and a text.
func New(k Kind, code, text string) *Error { return &Error{Kind: k, Code: code, Text: text} }

// Newf is New with a formatted text.
func Newf(k Kind, code, format string, a ...any) *Error {
	return &Error{Kind: k, Code: code, Text: fmt.Sprintf(format, a...)}
}

// Wrap gives err a kind and a context; a nil err stays nil. When err already
// carries a fault, its kind, code and retry time win over k.
func Wrap(k Kind, err error, text string) error {
	if err == nil {
		return nil
	}
	var fe *Error
	if errors.As(err, &fe) {
		return &Error{Kind: fe.Kind, Code: fe.Code, Text: text, RetryAfter: fe.RetryAfter, Err: err}
	}
	return &Error{Kind: k, Text: text, Err: err}
}

// KindOf returns the kind of err: Internal for a foreign error, "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var fe *Error
	if errors.As(err, &fe) {
		return fe.Kind
	}
	return Internal
}

// CodeOf returns the machine code of err, or "".
func CodeOf(err error) string {
	var fe *Error
	if errors.As(err, &fe) {
		return fe.Code
	}
	return ""
}

// Is reports whether err has kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// RetryAfter returns how long to wait before trying again, or 0.
func RetryAfter(err error) time.Duration {
	var fe *Error
	if errors.As(err, &fe) {
		return fe.RetryAfter
	}
	return 0
}

// TextOf is the text of the innermost fault, which is written for callers.
func TextOf(err error) string {
	text := ""
	for err != nil {
		var f *Error
		if !errors.As(err, &f) {
			break
		}
		text, err = f.Text, f.Err
	}
	return text
}
