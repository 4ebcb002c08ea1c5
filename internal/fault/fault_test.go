package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestKinds(t *testing.T) {
	limited := &Error{Kind: RateLimited, Code: "C", Text: "wait", RetryAfter: time.Minute, Err: io.EOF}
	for name, c := range map[string]struct {
		err   error
		kind  Kind
		code  string
		retry time.Duration
		text  string
	}{
		"nil":             {nil, "", "", 0, ""},
		"foreign":         {io.EOF, Internal, "", 0, "EOF"},
		"plain":           {New(NotFound, "C", "none"), NotFound, "C", 0, "not_found C: none"},
		"formatted":       {Newf(Invalid, "C", "%d of %s", 2, "x"), Invalid, "C", 0, "invalid C: 2 of x"},
		"all parts":       {limited, RateLimited, "C", time.Minute, "rate_limited C: wait: EOF"},
		"kind alone":      {&Error{Kind: Full}, Full, "", 0, "full"},
		"in another's":    {fmt.Errorf("while: %w", limited), RateLimited, "C", time.Minute, "while: rate_limited C: wait: EOF"},
		"joined":          {errors.Join(io.EOF, limited), RateLimited, "C", time.Minute, "EOF\nrate_limited C: wait: EOF"},
		"wrapped foreign": {Wrap(Unavailable, io.EOF, "read"), Unavailable, "", 0, "unavailable: read: EOF"},
		"wrapped fault":   {Wrap(Internal, limited, "outer"), RateLimited, "C", time.Minute, "rate_limited C: outer: rate_limited C: wait: EOF"},
		"wrapped deep":    {Wrap(Internal, fmt.Errorf("while: %w", limited), "outer"), RateLimited, "C", time.Minute, "rate_limited C: outer: while: rate_limited C: wait: EOF"},
		"wrapped nil":     {Wrap(Internal, nil, "outer"), "", "", 0, ""},
	} {
		if KindOf(c.err) != c.kind || CodeOf(c.err) != c.code || RetryAfter(c.err) != c.retry {
			t.Errorf("%s: %q %q %v", name, KindOf(c.err), CodeOf(c.err), RetryAfter(c.err))
		}
		if c.err != nil && c.err.Error() != c.text {
			t.Errorf("%s: %q, want %q", name, c.err, c.text)
		}
		if Is(c.err, c.kind) != (c.err != nil) || Is(c.err, Forbidden) {
			t.Errorf("%s: Is does not agree with KindOf", name)
		}
	}
	if !errors.Is(Wrap(Internal, limited, "outer"), io.EOF) {
		t.Error("the cause is lost")
	}
	if err := Wrap(Internal, nil, "x"); err != nil { // a typed nil would be an error
		t.Errorf("%v", err)
	}
}
