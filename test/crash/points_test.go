package crash

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestEveryPointIsCrashed compares the crash points in the code with those that
// the acts below are stopped at.
func TestEveryPointIsCrashed(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	inCode := points(t, filepath.Join(root, "internal"))
	if len(inCode) < 10 {
		t.Fatalf("found only %q in the code", inCode)
	}
	var covered []string
	for _, a := range acts() {
		covered = append(covered, a.points...)
	}
	covered = append(covered, drawPoints()...)
	covered = append(covered, noticePoints()...)
	for _, p := range inCode {
		if !slices.Contains(covered, p) {
			t.Errorf("nothing is stopped at %s", p)
		}
	}
	for _, p := range covered {
		if !slices.Contains(inCode, p) {
			t.Errorf("%s is no point in the code", p)
		}
	}
}

// points lists the texts that production code gives to ablate.Crash and to the
// step functions of the sagas.
func points(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || (sel.Sel.Name != "Crash" && sel.Sel.Name != "step") {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && !slices.Contains(out, text) {
					out = append(out, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
