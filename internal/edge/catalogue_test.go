package edge

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// elsewhere are source files whose refusals no citizen and no staff member at a
// centre meets: operators', other roles' and programmers' faults.
var elsewhere = []string{"check.go", "client.go", "event.go", "hex.go", "provider.go", "seed.go", "server.go", "keys.go", "audit.go", "relay.go"}

// inside are single texts of that kind.
var inside = []string{
	"a statement about logs has a number and a digest of 32 bytes", "an export of logs has a digest of 32 bytes", "a log is named by 16 hex digits", "the ledger knows too many logs", "a booking names a hold and at least one person", "more records than people under one mobile", "at most 500 seals at once",
	"a public EC P-256 key is wanted as JWK", "a staff role is manager, vaccinator or custodian", "a staff member needs a name and a centre",
	"this device key is enrolled already", "the row changed meanwhile", "the household has other members now", "no such kind of work", "one to 64 bookings are wanted", "too many reports at once", "too many people at once", "a draw has a session and a digest", "this draw was closed with other entries",
	"Forbidden", "this key is enrolled already", "a partner needs a scope, and for certificate also auth", "a partner's scopes are auth, status and certificate",
	"a partner's name has 2 to 40 letters, digits, spaces and the signs & ( ) -, from a letter on", "a partner needs the hash of its key and a number of codes per hour",
	"Beneficiary Not Registered", "a page starts at a positive index",
	"an origin of the staff client is https://HOST or https://HOST:PORT, a name and no address; http only for localhost; all under the first one's host", // of --staff-origin
	// Of the operator's commands about keys.
	"keys that can change: token, certificate, epoch, ledger, index, id-tag", "another change of this key came first",
	"only the id-tag key takes --compromised: its old tags are worth nothing then and are removed"}

// refusals reads the texts of faults a person can cause: literals that follow
// a kind of such a fault, or fault-making helpers of the packages.
func refusals(t *testing.T) map[string]string {
	t.Helper()
	kinds := []string{"Invalid", "Conflict", "Full", "Forbidden", "RateLimited"}
	out := map[string]string{}
	for _, dir := range []string{".", "../registry", "../registry/rules", "../scheduling", "../id", "../civil", "../access", "../access/passkey", "../vault/keeper", "../vault/keeper/staffing",
		"../vault/keeper/engine", "../vault/keeper/keyring",
		"../vault/keeper/proof", "../vault/keeper/release"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || slices.Contains(elsewhere, filepath.Base(name)) {
				continue
			}
			set := gotoken.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				last := call.Args[len(call.Args)-1]
				switch f := call.Fun.(type) {
				case *ast.SelectorExpr: // fault.New(fault.Kind, code, text)
					kind, ok := call.Args[0].(*ast.SelectorExpr)
					if f.Sel.Name != "New" || !ok || !slices.Contains(kinds, kind.Sel.Name) || len(call.Args) != 3 {
						return true
					}
				case *ast.Ident: // invalid(code, text), wanted(field, what)
					if f.Name != "invalid" || len(call.Args) != 2 {
						return true
					}
				default:
					return true
				}
				if lit, ok := last.(*ast.BasicLit); ok {
					text, err := strconv.Unquote(lit.Value)
					if err == nil {
						out[text] = name
					}
				}
				return true
			})
		}
	}
	return out
}

func devanagari(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Devanagari, r) })
}

// TestHindiIsComplete: whatever a person can be told is there in Hindi.
func TestHindiIsComplete(t *testing.T) {
	all := refusals(t)
	if len(all) < 40 {
		t.Fatalf("only %d texts were found in the sources", len(all))
	}
	for text, file := range all {
		if text != "" && !slices.Contains(inside, text) && !devanagari(inLanguage("hi", text)) {
			t.Errorf("%s: %q has no Hindi", file, text)
		}
	}
	for _, text := range []string{"Input parameter missing: name", "date has to be a day as dd-mm-yyyy", "this dose cannot be booked before 24-12-2026",
		"this name cannot be taken: it has no letter", "Too many codes were requested. Wait 3 minutes, or go to a vaccination centre.", "session_id is too long or has control characters",
		"all doses of this vaccine are recorded", "this is not the next dose", "the person is too young for this session or vaccine",
		"the person is too old for this session or vaccine", "the earlier dose was of another vaccine", "vaccine is not that of the published session"} {
		if got := inLanguage("hi", text); !devanagari(got) {
			t.Errorf("%q became %q", text, got)
		}
		if inLanguage("en", text) != text {
			t.Errorf("English was changed: %q", text)
		}
	}
	for _, part := range wholeTexts() {
		for text, hi := range part() {
			if !devanagari(hi) {
				t.Errorf("%q is not translated", text)
			}
		}
	}
	if got := inLanguage("hi", "ABC"); got != "ABC" {
		t.Errorf("an unknown text became %q", got)
	}
}
