package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNotedIsDescribed: what the vault notes for those who watch is what the description of
// the API lists, so that the staff client has words for each.
func TestNotedIsDescribed(t *testing.T) {
	root := "../.."
	spec, err := os.ReadFile(filepath.Join(root, "api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`why: \{type: string, enum: \[([^\]]+)\]`).FindStringSubmatch(string(spec))
	if m == nil {
		t.Fatal("the description does not list what is noted")
	}
	listed := strings.Split(strings.ReplaceAll(m[1], `"`, ""), ", ")
	consts, noted := map[string]string{}, map[string]string{}
	err = filepath.WalkDir(filepath.Join(root, "internal/vault"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.ValueSpec:
				for i, name := range x.Names {
					if i < len(x.Values) {
						if lit, ok := x.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
							consts[name.Name], _ = strconv.Unquote(lit.Value)
						}
					}
				}
			case *ast.CallExpr:
				if s, ok := x.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Note" && len(x.Args) == 3 {
					switch a := x.Args[2].(type) {
					case *ast.BasicLit:
						noted[path], _ = strconv.Unquote(a.Value)
					case *ast.Ident:
						noted[path+" "+a.Name] = "const " + a.Name
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, why := range noted {
		if name, ok := strings.CutPrefix(why, "const "); ok {
			if why, ok = consts[name]; !ok {
				t.Errorf("%s: %s is no constant text", where, name)
				continue
			}
		}
		if !slices.Contains(listed, why) {
			t.Errorf("%s notes %q, which api/openapi.yaml does not list under Tripped", where, why)
		}
	}
	if len(noted) < 7 {
		t.Errorf("only %d notes were found: %v", len(noted), noted)
	}
	// The budgets' own: those that alert, and the causes of a step-up.
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/access/budget/decide.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	quiet := []string{"not-open", "step-up"} // a refusal of a row that is open no more; its cause is noted instead
	ast.Inspect(f, func(n ast.Node) bool {
		x, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := x.Type.(*ast.Ident); !ok || typ.Name != "Reason" {
			return true
		}
		why, _ := strconv.Unquote(x.Values[0].(*ast.BasicLit).Value)
		if !slices.Contains(listed, why) && !slices.Contains(quiet, why) {
			t.Errorf("a budget's reason %q is not listed", why)
		}
		return true
	})
}
