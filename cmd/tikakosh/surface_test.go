package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/edge"
	"tikakosh/internal/portal"
)

// TestSurface: every address of the API and every page is printed, once, with who may ask it.
func TestSurface(t *testing.T) {
	var out bytes.Buffer
	if err := surface(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if want := len(edge.Surface()) + len(portal.Surface()); len(lines) != want {
		t.Errorf("%d lines for %d routes", len(lines), want)
	}
	for _, want := range []string{"GET\t/{$}\tpublic\tpage.home\tpage", "GET\t/verify\tpublic\tverify\tpage", "GET\t/api/v3/status/rules\tpublic\tstatus.rules"} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no line %q", want)
		}
	}
	seen := map[string]bool{}
	for _, l := range lines {
		f := strings.Split(l, "\t")
		if len(f) != 4 && (len(f) != 5 || f[4] != "page") || slices.Contains(f, "") {
			t.Errorf("a line that nobody can read: %q", l)
			continue
		}
		key := strings.Join(append(f[:2:2], f[4:]...), " ") // the API has a root of its own, which a page stands before
		if seen[key] {
			t.Errorf("%s twice", key)
		}
		seen[key] = true
	}
}
