package house

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// keyRoom is where a person's data key is unwrapped: by file, because a key opens what it
// seals. To read: release, after the entries (I1). To seal a new part: the words that write one.
func keyRoom() map[string][]string {
	return map[string][]string{
		"DataKey": {"internal/vault/keeper/release/open.go",
			"dose.go", "inbox.go", "merge.go", "people.go", "seed.go"}, // of any part of the vault: they seal
		// Below that: who wraps a data key anew when the epoch key changes.
		"Epochs":     {"internal/vault/keeper/rotation/rows.go"},
		"DataKeyAAD": {"internal/vault/keeper/rotation/rows.go"},
	}
}

// dataKeys lists code outside these files that unwraps a data key, or could.
func dataKeys(files []source) (out []string) {
	for _, s := range files {
		if s.pkg == "internal/vault/keeper/keyring" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			rooms, kept := keyRoom()[sel.Sel.Name]
			if kept && !slices.ContainsFunc(rooms, func(room string) bool {
				return s.name == room || !strings.Contains(room, "/") && path.Base(s.name) == room
			}) {
				out = append(out, s.at(sel)+": a data key is unwrapped by release.Opening.Unwrap alone, after the entries; who seals a new part is listed here")
			}
			return true
		})
	}
	return out
}

func TestDataKeysAreUnwrappedByRelease(t *testing.T) {
	report(t, dataKeys(production(tree(t), "internal/vault")))
	bad := example(t, "internal/vault/keeper/figures/x.go", "package figures\nfunc f() { keys.DataKey(p, row); now.Epochs[p.Epoch].Open(nil, nil, w, keys.DataKeyAAD(p, e)) }\n")
	good := example(t, "internal/vault/keeper/release/open.go", "package release\nfunc f() { keys.DataKey(p, row) }\n")
	if got := dataKeys([]source{bad, good}); len(got) != 3 {
		t.Fatalf("a data key unwrapped past release in three ways: %q", got)
	}
}
