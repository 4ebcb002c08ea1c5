package house

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"testing"
)

// maxPackage is how many lines of production code a package may have (design.md 7).
const maxPackage = 2500

// tooLarge are the packages that have more. Each may shrink, and its number here with it;
// none may be added. New vault code goes into a part of its own (ADR 28); the room that the
// keeper has here is for the words of staff members and budgets, which are composed there.
func tooLarge() map[string]int {
	return map[string]int{
		"internal/vault/keeper":          10350,
		"internal/vault":                 3800, // every word of the vault, for callers
		"internal/scheduling":            4600,
		"internal/certificate/encode":    3850,
		"internal/vault/keeper/staffing": 2900, // members of departments came and acts became policy questions at once: split next
		"internal/registry":              3000, // a small service for each group of the vault's words that needs rows
		"internal/edge":                  8300,
		"internal/portal":                7200, // the handlers of every page; screens, texts and assets are packages of their own
		"cmd/tikakosh":                   9550,
		"test/harness":                   4000,
	}
}

// pathToPlaintext are the packages between a caller's bearer or signature and a person's
// plaintext, and how many lines they may have together (design.md 6). What evidence a word
// wants (a code, a card) is decided in internal/vault/keeper, before them.
func pathToPlaintext() ([]string, int) {
	const keeper = "internal/vault/keeper/"
	return []string{keeper + "keyring", keeper + "engine", keeper + "proof", keeper + "release"}, 4000
}

func packageLines(files []source) map[string]int {
	out := map[string]int{}
	for _, s := range files {
		if !s.test && !s.generated {
			out[s.pkg] += s.lines
		}
	}
	return out
}

// largePackages lists packages with more lines than they may have, and ceilings that nothing
// needs any more.
func largePackages(lines, ceilings map[string]int) []string {
	var out []string
	for _, pkg := range slices.Sorted(maps.Keys(lines)) {
		most, listed := ceilings[pkg]
		if !listed {
			most = maxPackage
		}
		switch n := lines[pkg]; {
		case n > most:
			out = append(out, fmt.Sprintf("%s has %d lines of production code, more than %d: give a part of it a package of its own", pkg, n, most))
		case listed && n <= maxPackage:
			out = append(out, fmt.Sprintf("%s has %d lines: take it off the list of packages that are too large", pkg, n))
		}
	}
	return out
}

func TestPackageSizes(t *testing.T) {
	lines := packageLines(tree(t))
	report(t, largePackages(lines, tooLarge()))
	for pkg := range tooLarge() {
		if lines[pkg] == 0 {
			t.Errorf("%s is listed and has no code", pkg)
		}
	}
	pkgs, most := pathToPlaintext()
	sum := 0
	for _, pkg := range pkgs {
		if lines[pkg] == 0 {
			t.Errorf("%s of the path to plaintext has no code", pkg)
		}
		sum += lines[pkg]
	}
	if sum > most {
		t.Errorf("the path from proof to plaintext has %d lines in %v, more than %d", sum, pkgs, most)
	}
	got := largePackages(map[string]int{"a": maxPackage, "b": maxPackage + 1, "c": 3001, "d": 3000, "e": maxPackage}, map[string]int{"c": 3000, "d": 3000, "e": 3000})
	if len(got) != 3 {
		t.Errorf("of a package too large, one past its ceiling and one below the limit, %d were reported: %q", len(got), got)
	}
}

// ledgerWrites lists code that writes the ledger's entries or its head itself: that is the
// engine's alone, so that no entry lacks its digest and no anchored row its entry.
func ledgerWrites(files []source) []string {
	var out []string
	for _, s := range files {
		if s.pkg == "internal/vault/keeper/engine" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || (sel.Sel.Name != "SetHead" && sel.Sel.Name != "Append") {
				return true
			}
			if tx, ok := sel.X.(*ast.SelectorExpr); ok && tx.Sel.Name == "Tx" || sel.Sel.Name == "SetHead" {
				out = append(out, s.at(sel)+": only the engine writes the ledger; use Txn.Append")
			}
			return true
		})
	}
	return out
}

func TestOnlyTheEngineWritesTheLedger(t *testing.T) {
	report(t, ledgerWrites(production(tree(t), "internal/vault/keeper")))
	bad := example(t, "internal/vault/keeper/x.go", "package keeper\nfunc f(t *txn) { t.Tx.Append(t.Ctx, row); tx.SetHead(ctx, head); t.Append(entry) }\n")
	if got := ledgerWrites([]source{bad}); len(got) != 2 {
		t.Fatalf("an entry and a head written past the engine: %q", got)
	}
}
