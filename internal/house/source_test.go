package house

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the repository's root.
const module = "tikakosh"

// source is one parsed Go file. pkg is the folder relative to the root with
// slashes; generated files are code that a tool wrote and nobody edits.
type source struct {
	pkg, name string
	test      bool
	generated bool
	ablation  bool // built only with the ablation tag
	lines     int
	set       *token.FileSet
	file      *ast.File
}

// root is the folder that holds go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		t.Fatal("no go.mod above the test")
	}
}

// tree parses every Go file of the repository. Reading the files here, and not
// by asking `go list`, makes the test's cached result depend on them.
func tree(t testing.TB) []source {
	t.Helper()
	top := root(t)
	var out []source
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "tmp", "node_modules"}, d.Name())) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(rel), string(text))
		if err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// parse reads one file; name is its path relative to the root.
func parse(name, text string) (source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	pkg := "."
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		pkg = name[:i]
	}
	return source{pkg: pkg, name: name, test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(file),
		ablation: needsAblation(file), lines: strings.Count(text, "\n"), set: set, file: file}, nil
}

// needsAblation reports whether a file is left out of every build without the
// ablation tag.
func needsAblation(file *ast.File) bool {
	for _, g := range file.Comments {
		for _, c := range g.List {
			if c.Pos() > file.Package || !constraint.IsGoBuild(c.Text) {
				continue
			}
			x, err := constraint.Parse(c.Text)
			return err == nil && !x.Eval(func(tag string) bool { return tag != "ablation" })
		}
	}
	return false
}

// example parses a made-up file, for the tests of the rules themselves.
func example(t *testing.T, name, text string) source {
	t.Helper()
	s, err := parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// at is a position as file:line.
func (s source) at(n ast.Node) string {
	p := s.set.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// report fails the test with every problem.
func report(t *testing.T, problems []string) {
	t.Helper()
	slices.Sort(problems)
	for _, p := range slices.Compact(problems) {
		t.Error(p)
	}
}

// production returns hand-written files that are not tests, under one of the
// prefixes.
func production(all []source, prefixes ...string) []source {
	var out []source
	for _, s := range all {
		if s.test || s.generated {
			continue
		}
		for _, p := range prefixes {
			if s.pkg == p || strings.HasPrefix(s.pkg, p+"/") {
				out = append(out, s)
				break
			}
		}
	}
	return out
}
