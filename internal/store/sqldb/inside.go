package sqldb

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

// Call runs the function of an Update and turns a panic into fault.Internal, its
// stack into log. ended is called behind the function, also after runtime.Goexit,
// which passes. For engines.
func Call(log *slog.Logger, fn func(Tx) error, tx Tx, ended func()) (err error) {
	returned := false
	defer func() {
		ended()
		if returned {
			return
		}
		p := recover()
		if p == nil {
			return // runtime.Goexit: whoever called Update ends
		}
		log.Error("panic in a transaction", slog.String("panic", panicText(p)), slog.String("stack", string(debug.Stack())))
		err = fault.New(fault.Internal, "panic", "the function of an Update panicked")
	}()
	err = runJob(fn, tx)
	returned = true
	return err
}

// Nested is the error of an Update called by the function of an Update, else nil.
// Looking for it means looking at the whole stack, a tenth of what a small Update
// costs, so only tests do it at every call; otherwise only a call that has waited
// for long does, before it waits for itself for ever. For engines.
func Nested() error {
	if testing.Testing() && insideUpdate() {
		return nested()
	}
	return nil
}

func nested() error {
	return fault.New(fault.Internal, "nested", "Update was called by the function of an Update")
}

// runJob is the frame that insideUpdate looks for.
//
//go:noinline
func runJob(fn func(Tx) error, t Tx) error { return fn(t) }

// maxDepth bounds how far up insideUpdate looks. A function of an Update runs
// near the root of the writer's goroutine.
const maxDepth = 64

// insideUpdate reports whether its caller was called by the function of an
// Update, which would wait for itself. It looks at the stack because nothing
// is passed that a nested call must use.
func insideUpdate() bool {
	var pcs [maxDepth]uintptr
	entry := reflect.ValueOf(runJob).Pointer()
	for _, pc := range pcs[:runtime.Callers(3, pcs[:])] {
		if f := runtime.FuncForPC(pc - 1); f != nil && f.Entry() == entry {
			return true
		}
	}
	return false
}

// panicText tells a runtime error; another value may hold anything, so only
// its type is told.
func panicText(p any) string {
	var re runtime.Error
	if err, ok := p.(error); ok && errors.As(err, &re) {
		return re.Error()
	}
	return fmt.Sprintf("%T", p)
}

func unavailable(text string, cause error) error {
	return &fault.Error{Kind: fault.Unavailable, Code: "database", Text: text, RetryAfter: time.Second, Err: cause}
}
