package pgtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Suite is a package's tests that run again on PostgreSQL.
type Suite struct {
	Run    map[string]func(*testing.T) // by the test's name
	Except map[string]string           // tests that do not, and why
}

// Run runs the suite below t, which must be called TestPostgres: the stores'
// test helpers open a database on PostgreSQL for tests of that name. Without
// TIKAKOSH_PG=1 it only checks that every test of the package is in the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if t.Name() != "TestPostgres" {
		t.Fatalf("the test that runs a suite on PostgreSQL is called TestPostgres, not %s", t.Name())
	}
	for _, name := range tests(t) {
		_, runs := s.Run[name]
		_, not := s.Except[name]
		if runs == not {
			t.Errorf("%s must be either in the suite for PostgreSQL or among its exceptions", name)
		}
	}
	if !On() {
		return
	}
	for name, fn := range s.Run {
		t.Run(strings.TrimPrefix(name, "Test"), fn)
	}
}

// tests lists the tests of the external test package in the working directory,
// without those named Postgres and those behind a build tag.
func tests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(f.Name.Name, "_test") {
			continue
		}
		if len(f.Comments) > 0 && strings.HasPrefix(f.Comments[0].List[0].Text, "//go:build") {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" && !strings.Contains(fn.Name.Name, "Postgres") {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}
