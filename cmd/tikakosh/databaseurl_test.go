package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestPasswordInArguments: whoever gives a command a password as an argument is told
// who can read it; the text is not repeated.
func TestPasswordInArguments(t *testing.T) {
	args, stderr := os.Args, os.Stderr
	t.Cleanup(func() { os.Args, os.Stderr = args, stderr })
	for url, warned := range map[string]bool{
		"postgres://tikakosh_migrator:s3cret@127.0.0.1/registry": true,
		"postgres://tikakosh_migrator@127.0.0.1/registry":        false,
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Args, os.Stderr = []string{"tikakosh", "restore", "--db=" + url}, w
		got, err := databaseURL(url)
		os.Stderr = stderr
		_ = w.Close()
		said, _ := io.ReadAll(r)
		if err != nil || got != url {
			t.Errorf("%v", err)
		}
		if strings.Contains(string(said), "list of processes") != warned || strings.Contains(string(said), "s3cret") {
			t.Errorf("said %q", said)
		}
	}
}
