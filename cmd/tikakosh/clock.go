package main

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"
)

// clock returns the time source of a role. With a clock file (demo and test
// builds) the file holds an offset in milliseconds, read on every use, so that
// a test or a visitor can move the programme's time.
func clock(file string) func() time.Time {
	if file == "" {
		return time.Now
	}
	return func() time.Time {
		raw, err := os.ReadFile(file)
		if err != nil {
			return time.Now()
		}
		ms, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
		if err != nil {
			return time.Now()
		}
		return time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
}

// logger is the structured log of a role: JSON on standard error.
func logger(role string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("role", role)
}
