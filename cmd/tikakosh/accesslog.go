package main

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Access lines of the public search are gathered for this long, or until they
// are so many bytes: at ten thousand searches a second a write for each would
// cost as much as the answer. Whatever else is logged is written at once.
const (
	accessWait = 50 * time.Millisecond
	accessFull = 32 << 10
)

// gather is a writer that writes late and much at once. Safe for concurrent use.
type gather struct {
	out   io.Writer
	mu    sync.Mutex
	lines []byte
	armed bool
}

// Write implements io.Writer. It keeps a copy and never fails.
func (g *gather) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, p...)
	if len(g.lines) >= accessFull {
		g.flush()
	} else if !g.armed {
		g.armed = true
		time.AfterFunc(accessWait, g.Flush)
	}
	return len(p), nil
}

// Flush writes what has been gathered.
func (g *gather) Flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	g.flush()
}

func (g *gather) flush() {
	if len(g.lines) > 0 {
		_, _ = g.out.Write(g.lines) // a log that cannot be written has nobody to tell
		g.lines = g.lines[:0]
	}
}

// accessLogger is logger for the lines of the public search; flush it at the end.
func accessLogger(role string) (*slog.Logger, func()) {
	g := &gather{out: os.Stderr}
	return slog.New(slog.NewJSONHandler(g, nil)).With("role", role), g.Flush
}
