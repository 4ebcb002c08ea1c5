package portal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryScreenIsAStory: each screen that a handler shows is in the storybook, so that the
// checks of all screens (accessibility, pictures, languages) see it.
func TestEveryScreenIsAStory(t *testing.T) {
	screens := componentsOf(t, "view/*_templ.go")
	shown, told := usedIn(t, ".", screens), usedIn(t, "storybook", screens)
	if len(shown) < 8 {
		t.Fatalf("only %d screens are found in the handlers", len(shown))
	}
	if missing := without(shown, told); len(missing) > 0 {
		t.Errorf("in no story: %q", missing)
	}
	// A screen that is left out is found.
	delete(told, "Verdict")
	if missing := without(shown, told); !slices.Equal(missing, []string{"Verdict"}) {
		t.Errorf("a screen left out of the storybook: %q", missing)
	}
}

func without(all, some map[string]bool) []string {
	var out []string
	for n := range all {
		if !some[n] {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// componentsOf are the exported functions of files that take a page and give a component.
func componentsOf(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, f := range parsed(t, pattern) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() || fn.Name.Name == "Layout" || len(fn.Type.Params.List) == 0 {
				continue
			}
			star, ok := fn.Type.Params.List[0].Type.(*ast.StarExpr)
			if ok && star.X.(*ast.Ident).Name == "Page" {
				out[fn.Name.Name] = true
			}
		}
	}
	return out
}

// usedIn are the names among some that a folder's code calls in package view.
func usedIn(t *testing.T, dir string, names map[string]bool) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, f := range parsed(t, filepath.Join(dir, "*.go")) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && names[s.Sel.Name] {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "view" {
					out[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return out
}

func parsed(t *testing.T, pattern string) []*ast.File {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}
