package house

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// attack is one row of docs/redteam.json: an attack, the test that carries it
// out, and the controls without which it succeeds.
type attack struct {
	ID       string   `json:"id"`
	Attack   string   `json:"attack"`
	Test     string   `json:"test"`
	Controls []string `json:"controls"`
	With     string   `json:"with"`
	Without  string   `json:"without"`
}

// promised are the attacks of the catalogue that must be covered.
var promised = [...]string{"R01", "R02", "R03", "R04", "R05", "R06", "R07", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R19", "R20",
	"R42", "R43", "R47", "R48", "R49", "R50", "R51", "R61", "R62", "R72", "R79", "R83", "R84", "R92"}

// controls reads internal/ablate: constant name → text, and the names All lists.
func controls(files []source) (byName map[string]string, listed []string) {
	byName = map[string]string{}
	for _, s := range files {
		if s.pkg != "internal/ablate" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if t, ok := n.Type.(*ast.Ident); ok && t.Name == "Control" && len(n.Values) == 1 {
					if lit, ok := n.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						text, _ := strconv.Unquote(lit.Value)
						byName[n.Names[0].Name] = text
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name != "All" {
					return true
				}
				ast.Inspect(n.Body, func(x ast.Node) bool {
					if lit, ok := x.(*ast.CompositeLit); ok {
						for _, e := range lit.Elts {
							if name, ok := e.(*ast.Ident); ok {
								listed = append(listed, name.Name)
							}
						}
					}
					return true
				})
			}
			return true
		})
	}
	return byName, listed
}

// switched lists the controls that production code asks about as
// ablate.Off(ablate.X).
func switched(files []source) map[string]bool {
	out := map[string]bool{}
	for _, s := range files {
		if s.test || s.pkg == "internal/ablate" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 || !isAblate(call.Fun, "Off") {
				return true
			}
			if arg, ok := call.Args[0].(*ast.SelectorExpr); ok && isAblate(arg, arg.Sel.Name) {
				out[arg.Sel.Name] = true
			}
			return true
		})
	}
	return out
}

func isAblate(x ast.Expr, name string) bool {
	sel, ok := x.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	p, ok := sel.X.(*ast.Ident)
	return ok && p.Name == "ablate"
}

func TestEveryControlCanBeSwitchedOff(t *testing.T) {
	all := tree(t)
	byName, listed := controls(all)
	if len(byName) < 20 {
		t.Fatalf("found only %d controls in internal/ablate", len(byName))
	}
	asked := switched(all)
	for name := range byName {
		if !slices.Contains(listed, name) {
			t.Errorf("ablate.%s is not in ablate.All()", name)
		}
		if !asked[name] {
			t.Errorf("no production code asks ablate.Off(ablate.%s): the control cannot be shown to matter", name)
		}
	}
	for name := range asked {
		if byName[name] == "" {
			t.Errorf("ablate.%s is asked about and is no control", name)
		}
	}
}

// TestEveryAttackIsTested checks docs/redteam.json: every promised attack, a
// test that exists, controls that exist, and no control without an attack.
func TestEveryAttackIsTested(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root(t), "docs", "redteam.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := tree(t)
	byName, _ := controls(all)
	var texts []string
	for _, text := range byName {
		texts = append(texts, text)
	}
	tests := map[string]bool{}
	for _, s := range all {
		if s.test && s.pkg == "test/redteam" {
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					tests[f.Name.Name] = true
				}
			}
		}
	}
	for control, place := range elsewhere() {
		text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(place)))
		if err != nil || !strings.Contains(string(text), control) {
			t.Errorf("%s should show that %s matters: %v", place, control, err)
		}
		texts = slices.DeleteFunc(texts, func(c string) bool { return c == control })
	}
	report(t, redteamFaults(raw, texts, tests))
}

// elsewhere are controls that no attack over the network can show, and the file
// whose test does.
func elsewhere() map[string]string {
	return map[string]string{"db-sync": "test/powercut/powercut_test.go", "staff-page": "test/chromium/staff_test.go"}
}

func redteamFaults(raw []byte, controls []string, tests map[string]bool) []string {
	var rows []attack
	if err := json.Unmarshal(raw, &rows); err != nil {
		return []string{"docs/redteam.json: " + err.Error()}
	}
	var out []string
	seen, used := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if seen[r.ID] {
			out = append(out, r.ID+" is there twice")
		}
		seen[r.ID] = true
		if !tests[r.Test] || !regexp.MustCompile("^Test"+r.ID+"[A-Z]").MatchString(r.Test) {
			out = append(out, fmt.Sprintf("%s: test %q does not exist in test/redteam, or is not named after it", r.ID, r.Test))
		}
		if len(r.Controls) == 0 || r.Attack == "" || r.With == "" || r.Without == "" {
			out = append(out, r.ID+": attack, controls, with and without are wanted")
		}
		for _, c := range r.Controls {
			used[c] = true
			if !slices.Contains(controls, c) && c != releaseTag {
				out = append(out, fmt.Sprintf("%s: %q is no control", r.ID, c))
			}
		}
	}
	for _, want := range promised {
		if !seen[want] {
			out = append(out, "no row for "+want)
		}
	}
	for _, c := range controls {
		if !used[c] {
			out = append(out, "no attack shows that the control "+c+" matters")
		}
	}
	return out
}

// releaseTag is the one control that is no branch in the code: the build itself
// refuses (R62).
const releaseTag = "release-tag"

func TestRedteamFindsFaults(t *testing.T) {
	rows := func(change func([]attack) []attack) []byte {
		var all []attack
		for _, r := range promised {
			all = append(all, attack{r, "a", "Test" + r + "X", []string{"c"}, "refused", "succeeds"})
		}
		raw, err := json.Marshal(change(all))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	tests := map[string]bool{}
	for _, r := range promised {
		tests["Test"+r+"X"] = true
	}
	for _, c := range []struct {
		name     string
		controls []string
		change   func([]attack) []attack
		want     string
	}{
		{"fine", []string{"c"}, func(a []attack) []attack { return a }, ""},
		{"missing row", []string{"c"}, func(a []attack) []attack { return a[1:] }, "no row for R01"},
		{"missing test", []string{"c"}, func(a []attack) []attack { a[0].Test = "TestR01Gone"; return a }, "does not exist"},
		{"unknown control", []string{"c"}, func(a []attack) []attack { a[0].Controls = []string{"d"}; return a }, "no control"},
		{"control without attack", []string{"c", "d"}, func(a []attack) []attack { return a }, "no attack shows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := redteamFaults(rows(c.change), c.controls, tests)
			if c.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || c.want == "" || !strings.Contains(got[0], c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestReleaseRefusesAblation builds internal/ablate as a release with the
// ablation tag, which must not compile, and each tag alone, which must.
func TestReleaseRefusesAblation(t *testing.T) {
	tree(t) // the test's cached result depends on the sources
	for _, c := range []struct {
		tags string
		fine bool
	}{{"ablation", true}, {"release", true}, {"", true}, {"ablation release", false}} {
		cmd := exec.Command("go", "build", "-tags", c.tags, "./internal/ablate")
		cmd.Dir = root(t)
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.fine {
			t.Errorf("go build -tags %q: error %v, want compiled %v\n%s", c.tags, err, c.fine, out)
		}
		if !c.fine && !strings.Contains(string(out), "must never be in a release") {
			t.Errorf("go build -tags %q failed for another reason:\n%s", c.tags, out)
		}
	}
}
