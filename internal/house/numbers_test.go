package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// The hard stops of design.md 7.
const (
	maxFile     = 800 // lines of a file
	maxFunction = 100 // lines of a function outside its tables
)

// longFiles and longFunctions keep the house numbers.
func longFiles(files []source) []string {
	var out []string
	for _, s := range files {
		if !s.generated && s.lines > maxFile {
			out = append(out, fmt.Sprintf("%s has %d lines, more than %d", s.name, s.lines, maxFile))
		}
	}
	return out
}

func longFunctions(files []source) []string {
	var out []string
	for _, s := range files {
		if s.generated {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := s.span(f) - tableLines(s, f.Body); n > maxFunction {
				out = append(out, fmt.Sprintf("%s: %s has %d lines outside its tables, more than %d", s.at(f), f.Name.Name, n, maxFunction))
			}
		}
	}
	return out
}

func (s source) span(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

// tableLines counts the lines of composite literals: a table is data.
func tableLines(s source, body ast.Node) int {
	n := 0
	ast.Inspect(body, func(x ast.Node) bool {
		lit, ok := x.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if lines := s.span(lit); lines > 8 {
			n += lines - 1
		}
		return false
	})
	return n
}

// undocumented lists exported names and packages without a comment.
func undocumented(files []source) []string {
	var out []string
	documented := map[string]bool{}
	for _, s := range files {
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			out = append(out, pkg+" has no package comment")
		}
	}
	for _, s := range files {
		exported := exportedTypes(files, s.pkg)
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exported[receiver(d)]) {
					out = append(out, s.at(d)+": "+d.Name.Name+" has no comment")
				}
			case *ast.GenDecl:
				out = append(out, undocumentedSpecs(s, d)...)
			}
		}
	}
	return out
}

func exportedTypes(files []source, pkg string) map[string]bool {
	out := map[string]bool{}
	for _, s := range files {
		if s.pkg != pkg {
			continue
		}
		for _, d := range s.file.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, spec := range g.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() {
						out[ts.Name.Name] = true
					}
				}
			}
		}
	}
	return out
}

func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}

func undocumentedSpecs(s source, d *ast.GenDecl) []string {
	var out []string
	if d.Tok == token.IMPORT || (d.Doc != nil && d.Lparen.IsValid()) {
		return nil
	}
	for _, spec := range d.Specs {
		var names []*ast.Ident
		doc := d.Doc
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = []*ast.Ident{spec.Name}
			doc = cmpDoc(doc, spec.Doc, spec.Comment)
		case *ast.ValueSpec:
			names = spec.Names
			doc = cmpDoc(doc, spec.Doc, spec.Comment)
		}
		for _, n := range names {
			if n.IsExported() && doc == nil {
				out = append(out, s.at(n)+": "+n.Name+" has no comment")
			}
		}
	}
	return out
}

func cmpDoc(docs ...*ast.CommentGroup) *ast.CommentGroup {
	i := slices.IndexFunc(docs, func(d *ast.CommentGroup) bool { return d != nil })
	if i < 0 {
		return nil
	}
	return docs[i]
}

// clocks lists uses of the wall clock. Time is a parameter below cmd; a timer
// or a deadline counts from a clock that was handed in.
func clocks(files []source) []string {
	var out []string
	for _, s := range files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Name == "time" && x.Obj == nil && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
				out = append(out, s.at(sel)+": time."+sel.Sel.Name+" below cmd; take a clock as a parameter")
			}
			return true
		})
	}
	return out
}

// inits lists init functions: a package has no effect by being imported.
func inits(files []source) []string {
	var out []string
	for _, s := range files {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				out = append(out, s.at(f)+": func init")
			}
		}
	}
	return out
}

// shared lists package-level variables that change: assigned, incremented,
// written through an index or field, their address taken, or of a type that
// exists to be changed (sync, atomic, channels). It reads names, not types, so
// it is an approximation that errs towards reporting.
func shared(files []source) []string {
	var out []string
	vars := map[string]map[string]bool{}
	for _, s := range files {
		if vars[s.pkg] == nil {
			vars[s.pkg] = map[string]bool{}
		}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for _, n := range v.Names {
					vars[s.pkg][n.Name] = n.Name != "_"
				}
				if mutableType(v.Type) {
					out = append(out, s.at(v)+": package-level variable of a type made to change")
				}
			}
		}
	}
	for _, s := range files {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				out = append(out, writes(s, f, vars[s.pkg])...)
			}
		}
	}
	return out
}

func mutableType(x ast.Expr) bool {
	if _, ok := x.(*ast.ChanType); ok {
		return true
	}
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	if ix, ok := x.(*ast.IndexExpr); ok {
		x = ix.X
	}
	sel, ok := x.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	p, ok := sel.X.(*ast.Ident)
	return ok && (p.Name == "sync" || p.Name == "atomic")
}

func writes(s source, f *ast.FuncDecl, vars map[string]bool) []string {
	var out []string
	check := func(x ast.Expr, how string) {
		if n := base(x); n != nil && vars[n.Name] && packageLevel(s, n) {
			out = append(out, s.at(x)+": package-level variable "+n.Name+" is "+how)
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, l := range n.Lhs {
					check(l, "assigned")
				}
			}
		case *ast.IncDecStmt:
			check(n.X, "counted")
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				check(n.X, "handed out by address")
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
				check(n.Args[0], "changed")
			}
		}
		return true
	})
	return out
}

// base is the variable behind an index, a field or a dereference.
func base(x ast.Expr) *ast.Ident {
	for {
		switch y := x.(type) {
		case *ast.Ident:
			return y
		case *ast.IndexExpr:
			x = y.X
		case *ast.SelectorExpr:
			x = y.X
		case *ast.StarExpr:
			x = y.X
		case *ast.ParenExpr:
			x = y.X
		default:
			return nil
		}
	}
}

// packageLevel tells a package's variable from a local one of the same name:
// the parser resolves a name inside its file, else it is another file's.
func packageLevel(s source, n *ast.Ident) bool {
	return n.Obj == nil || s.file.Scope.Lookup(n.Name) == n.Obj
}

// skips lists skipped tests. The one reason accepted is a flag of ours that
// says the machine has what the test needs: .ci/run sets it, and then the test
// fails where it cannot run.
func skips(files []source) []string {
	var out []string
	for _, s := range files {
		flagged := map[ast.Node]bool{}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				if asksFlag(n.Cond) {
					for _, stmt := range n.Body.List {
						if x, ok := stmt.(*ast.ExprStmt); ok {
							flagged[x.X] = true
						}
					}
				}
			case *ast.CallExpr:
				if skipCall(n) && !flagged[n] {
					out = append(out, s.at(n)+": a skipped test")
				}
			}
			return true
		})
	}
	return out
}

func skipCall(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name)
}

// asksFlag recognises os.Getenv("TIKAKOSH_…") != "1" and == "".
func asksFlag(cond ast.Expr) bool {
	cmp, ok := cond.(*ast.BinaryExpr)
	if !ok {
		return false
	}
	call, ok := cmp.X.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	lit, isText := call.Args[0].(*ast.BasicLit)
	return ok && isText && sel.Sel.Name == "Getenv" && strings.HasPrefix(lit.Value, `"TIKAKOSH_`)
}

func TestHouseNumbers(t *testing.T) {
	all := tree(t)
	report(t, longFiles(all))
	report(t, longFunctions(all))
	report(t, undocumented(production(all, "internal", "cmd", "test", "bench")))
	report(t, clocks(production(all, "internal")))
	report(t, inits(production(all, "internal", "cmd", "test", "bench")))
	report(t, shared(production(all, "internal", "cmd", "test", "bench")))
	report(t, skips(all))
}

// TestHouseNumbersFindFaults gives each rule something to find.
func TestHouseNumbersFindFaults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		rule       func([]source) []string
		want       string
	}{
		{"long file", "package x\n" + strings.Repeat("//\n", maxFile), longFiles, "more than 800"},
		{"long function", "package x\nfunc f() {\n" + strings.Repeat("g()\n", maxFunction) + "}\n", longFunctions, "f has"},
		{"no package comment", "package x\n", undocumented, "no package comment"},
		{"no comment on a function", "// Package x is.\npackage x\nfunc F() {}\n", undocumented, "F has no comment"},
		{"no comment on a method", "// Package x is.\npackage x\n// T is.\ntype T int\nfunc (t *T) M() {}\n", undocumented, "M has no comment"},
		{"no comment on a constant", "// Package x is.\npackage x\nconst (\n\tA = 1\n)\n", undocumented, "A has no comment"},
		{"wall clock", "package x\nimport \"time\"\nvar f = time.Now\n", clocks, "time.Now"},
		{"init", "package x\nfunc init() {}\n", inits, "func init"},
		{"assigned", "package x\nvar n int\nfunc f() { n = 1 }\n", shared, "n is assigned"},
		{"written map", "package x\nvar m = map[int]int{}\nfunc f() { m[1] = 2 }\n", shared, "m is assigned"},
		{"mutex", "package x\nimport \"sync\"\nvar mu sync.Mutex\n", shared, "made to change"},
		{"skip", "package x\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Skip() }\n", skips, "skipped test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.rule([]source{example(t, "internal/x/x.go", c.text)})
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Fatalf("got %q, want one problem with %q", got, c.want)
			}
		})
	}
	flagged := "package x\nimport (\"os\"; \"testing\")\nfunc TestX(t *testing.T) {\nif os.Getenv(\"TIKAKOSH_NODE\") != \"1\" { t.Skip() }\n}\n"
	if got := skips([]source{example(t, "internal/x/x_test.go", flagged)}); len(got) != 0 {
		t.Errorf("a test behind a flag was reported: %q", got)
	}
	fine := `// Package x is.
package x

var n = 1

// F is.
func F() int { n := 2; n = 3; return n }

func g() int { var n int; n = 3; return n }

func table() []int {
	return []int{
` + strings.Repeat("\t\t1,\n", 300) + `	}
}
`
	for _, rule := range []func([]source) []string{longFiles, longFunctions, undocumented, clocks, inits, shared, skips} {
		if got := rule([]source{example(t, "internal/x/x.go", fine)}); len(got) != 0 {
			t.Errorf("a good file was reported: %q", got)
		}
	}
}
