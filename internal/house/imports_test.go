package house

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room says what the production code of one package may import of this
// repository, and which doors to the outside it may use. An entry of may that
// ends in "/..." covers everything below.
type room struct {
	pkg   string
	may   string // space-separated, relative to internal/
	doors string // space-separated names of doors
}

// doors are the imports that give a package a way out of pure code.
var doors = map[string]string{
	"database/sql":                        "sql",
	"database/sql/driver":                 "sql",
	"modernc.org/sqlite":                  "sql",
	"github.com/jackc/pgx/v5":             "sql",
	"github.com/jackc/pgx/v5/pgconn":      "sql",
	"github.com/jackc/pgx/v5/stdlib":      "sql",
	"github.com/pressly/goose/v3":         "sql",
	"net":                                 "net",
	"net/http":                            "http",
	"net/http/pprof":                      "pprof",
	"expvar":                              "pprof",
	"os/exec":                             "exec",
	"plugin":                              "exec",
	"unsafe":                              "unsafe",
	"github.com/alecthomas/kong":          "kong",
	"github.com/transparency-dev/tessera": "tessera",
	"github.com/miekg/pkcs11":             "pkcs11", // cgo: not in the main program
}

// plan is the floor plan: design.md 6 as a table. Direction: delivery (edge) →
// domain services → ledger, vault → id, fault. Domains know no SQL and no HTTP;
// only cmd reaches the vault's keeper and the stores. Packages named …test hold
// what several packages' tests share; no row lists one.
func plan() []room {
	const leaves = "id fault civil ablate"
	const keeperParts = "vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/release vault/keeper/audit vault/keeper/permits vault/keeper/departments vault/keeper/staffing vault/keeper/changes vault/keeper/ways vault/keeper/presence vault/keeper/relink vault/keeper/requests vault/keeper/sharing vault/keeper/numbers vault/keeper/rotation vault/keeper/figures vault/keeper/post vault/keeper/codes vault/keeper/signin vault/keeper/partners vault/keeper/loose vault/keeper/notary vault/keeper/gap "
	return []room{
		{"internal/fault", "", ""},
		{"internal/id", "fault", ""},
		{"internal/civil", "fault", ""},
		{"internal/ablate", "", ""},
		{"internal/statistics", "civil ablate", ""},
		{"internal/ipc", "fault", "net http"},
		{"internal/supervise", "fault ipc", "net exec"},
		{"internal/house", "", ""},
		{"internal/machine", "", ""},
		{"internal/rolelog", "fault", ""},
		{"internal/metrics", "fault", "http"},
		{"internal/doctor", "machine", "net"},
		{"internal/tracing", "fault", "http"},

		{"internal/access/budget", "fault", ""},
		{"internal/access/budget/sim", "access/budget", ""},

		{"internal/ledger", leaves, "tessera"},
		{"internal/ledger/mirror", leaves + " ledger", "http"},
		{"internal/backup", "fault ablate", ""},
		{"internal/vault", "id fault civil statistics", "http"},
		{"internal/vault/patience", "fault vault", "http"},
		{"internal/vault/state", "id fault civil access vault", ""},
		{"internal/vault/budgets", leaves + " access/budget vault/state", ""},
		{"internal/vault/keyset", "fault vault/state", ""},
		{"internal/vault/proposals", "fault ablate", ""},
		{"internal/vault/custody", "fault ablate", "http"},
		{"internal/vault/custody/custodytest", "", "http"},
		{"internal/vault/keeper/ways", "ablate fault vault/state", ""},
		{"internal/vault/keeper/keyring", leaves + " vault vault/state vault/keyset certificate/encode", ""},
		{"internal/vault/keeper/numbers", "id vault/state vault/keeper/keyring vault/keeper/engine", ""},
		{"internal/vault/keeper/post", leaves + " vault/state vault/keeper/keyring vault/keeper/engine", ""},
		{"internal/vault/keeper/codes", leaves + " vault vault/state vault/keeper/keyring vault/keeper/engine vault/keeper/numbers vault/keeper/ways", ""},
		{"internal/vault/keeper/signin", leaves + " registry/rules vault vault/state vault/budgets vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/release vault/keeper/numbers vault/keeper/ways vault/keeper/codes vault/keeper/post", ""},
		{"internal/vault/keeper/gap", leaves + " access/policy ledger vault vault/state vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/permits", ""},
		{"internal/vault/keeper/notary", leaves + " vault vault/state vault/keeper/keyring vault/keeper/engine", ""},
		{"internal/vault/keeper/loose", "", ""},
		{"internal/vault/keeper/partners", leaves + " registry/rules certificate/encode vault vault/state vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/release vault/keeper/permits vault/keeper/staffing vault/keeper/numbers vault/keeper/ways vault/keeper/codes vault/keeper/post vault/keeper/signin vault/keeper/loose", ""},
		{"internal/vault/keeper/figures", leaves + " statistics registry/rules vault vault/state vault/keeper/keyring vault/keeper/engine vault/keeper/release", ""},
		{"internal/vault/keeper/rotation", leaves + " ledger vault vault/state vault/keyset vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/numbers", ""},
		{"internal/vault/keeper/permits", leaves + " vault/state access access/policy", ""},
		{"internal/vault/keeper/engine", leaves + " ledger vault vault/state vault/keeper/keyring", ""},
		{"internal/vault/keeper/proof", leaves + " vault vault/state vault/keeper/keyring vault/keeper/engine", ""},
		{"internal/vault/keeper/audit", leaves + " vault vault/state ledger vault/keeper/keyring vault/keeper/engine vault/keeper/release", ""},
		{"internal/vault/keeper/release", leaves + " access/policy vault/keeper/permits vault vault/state registry/rules vault/keeper/keyring vault/keeper/engine vault/keeper/proof", ""},
		{"internal/vault/keeper/departments", leaves + " access/department vault vault/state vault/keeper/keyring vault/keeper/engine", ""},
		{"internal/vault/keeper/staffing", leaves + " access access/department access/passkey access/policy registry/rules vault vault/state vault/proposals vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/permits vault/keeper/departments", ""},
		{"internal/vault/keeper/changes", leaves + " access access/policy access/budget vault vault/state vault/budgets vault/proposals vault/keeper/engine vault/keeper/permits vault/keeper/staffing", ""},
		{"internal/vault/keeper/presence", leaves + " access access/policy access/budget registry/rules vault vault/state vault/budgets vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/release vault/keeper/permits vault/keeper/staffing", ""},
		{"internal/vault/keeper/sharing", leaves + " vault vault/state vault/keeper/keyring vault/keeper/engine vault/keeper/release vault/keeper/permits", ""},
		{"internal/vault/keeper/requests", leaves + " access access/policy registry/rules vault vault/state vault/budgets vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/release vault/keeper/permits vault/keeper/staffing", ""},
		{"internal/vault/keeper/relink", leaves + " access access/policy access/budget registry/rules vault vault/state vault/budgets vault/keeper/keyring vault/keeper/engine vault/keeper/proof vault/keeper/release vault/keeper/permits vault/keeper/staffing vault/keeper/presence", ""},
		{"internal/vault/keeper", keeperParts + leaves + " access access/passkey access/policy ledger vault vault/state vault/keyset vault/budgets access/budget registry/rules certificate/encode statistics", "http"},

		{"internal/access", "id fault", ""},
		{"internal/access/policy", "id fault ablate access", ""},
		{"internal/access/passkey", "fault", ""},
		{"internal/access/department", "fault ablate access", ""},
		{"internal/access/department/departmenttest", "", "net http"},
		{"internal/access/department/console", "fault access/department access/exchange vault", ""},
		{"internal/access/exchange", "fault access/department", "http"},
		{"internal/access/passkey/passkeytest", "", ""},

		{"internal/registry/rules", "id fault civil", ""},
		{"internal/registry", leaves + " vault registry/rules statistics", ""},
		{"internal/registry/registrytest", leaves + " vault registry scheduling store/sqldb store/sqlite store/postgres store/pgtest store/shardcheck store/migrations/registry", "sql"},
		{"internal/scheduling", leaves + " vault registry/rules scheduling/places", ""},
		{"internal/scheduling/places", "id fault", ""},
		{"internal/scheduling/places/gen", "", ""},
		{"internal/scheduling/places/gen/at", "", ""},
		{"internal/scheduling/sheet", "id fault civil scheduling scheduling/places registry/rules", ""},
		{"internal/certificate/encode", "id fault civil ablate", ""},
		{"internal/certificate", leaves + " certificate/encode", ""},

		{"internal/store/shardcheck", "fault id store/sqldb", "sql"},
		{"internal/store/sqldb", "fault ablate", "sql"},
		{"internal/store/sqlite", "fault ablate store/sqldb", "sql"},
		{"internal/store/postgres", "fault store/sqldb", "sql net"},
		{"internal/store/pgtest", "", "sql net exec"},
		{"internal/store/dump", "fault store/sqldb", ""},
		{"internal/store/migrations/vault", "", "sql"},
		{"internal/store/migrations/registry", "", "sql"},
		{"internal/store/keeperdb", leaves + " vault vault/state store/sqldb store/sqlite store/migrations/vault", "sql"},
		{"internal/store/registrydb", leaves + " vault registry scheduling statistics store/sqldb store/sqlite store/migrations/registry", "sql"},

		{"internal/notify", "fault ablate civil vault", "net http"},
		{"internal/edge", leaves + " vault statistics ledger registry registry/rules scheduling scheduling/places certificate certificate/encode", "net http"},
		{"internal/portal/staff", "ablate", "http"},
		{"internal/portal/assets", "", "http"},
		{"internal/portal/assets/gen", "", ""},
		{"internal/portal/catalogue", "civil", ""},
		{"internal/portal/view", "portal/catalogue", ""},
		{"internal/portal/storybook", "civil portal/assets portal/catalogue portal/view", "net http"},
		{"internal/portal", leaves + " vault statistics ledger registry registry/rules scheduling scheduling/places certificate certificate/encode edge portal/assets portal/calendar portal/catalogue portal/dates portal/view", "http"},
		{"internal/portal/dates", "civil registry/rules portal/catalogue", ""},
		{"internal/portal/calendar", leaves + " scheduling", ""},
		{"internal/demo", leaves + " vault registry registry/rules scheduling scheduling/places", ""},

		{"cmd/tikakosh", "...", "net http exec kong sql"},
		{"cmd/tikakosh-hsm", "fault ipc supervise vault/custody", "http pkcs11"},
		{"api", "", ""},
		{"bench", leaves + " store/sqldb store/sqlite store/postgres store/pgtest", "net http exec sql"},
		{"bench/search", "", "net http exec"},
		{"test/harness", leaves + " store/pgtest access/passkey/passkeytest access/department/departmenttest", "net http exec sql"},
		{"test/redteam", leaves + " access/department/departmenttest", "net http exec sql"},
		{"test/powercut", "", "exec sql"},
		{"test/journey", leaves, "net http exec sql"},
		{"test/contract", leaves, "net http exec sql"},
		{"test/custody", leaves, "net http exec sql"},
		{"test/chromium", leaves, "net http"},
		{"test/courier", leaves, "exec"},
		{"test/crash", leaves, "net http exec sql"},
		{"test/demo", leaves, "net http exec sql"},
		{"test/upgrade", leaves, "net http exec sql"},
		{"test/size", leaves, ""},
		{"test/failover", leaves, "net http exec sql"},
		{"test/ops", leaves, "net http exec"},
		{"test/backup", leaves, "exec sql"},
		{"test/independent", leaves, "net http exec sql"},
		{"test/independent/client", "", "net http"},
	}
}

const (
	keeperPath = module + "/internal/vault/keeper"
	storePath  = module + "/internal/store"
)

// trespasses lists every import that the plan does not allow and every package
// that the plan does not know. Profiling exists in files of the test build only.
// Test files are free: a service's tests may run
// against the real vault and store.
func trespasses(files []source, rooms []room) []string {
	byPkg := map[string]room{}
	var out []string
	for _, r := range rooms {
		byPkg[r.pkg] = r
	}
	for _, s := range files {
		if s.test {
			continue
		}
		r, known := byPkg[s.pkg]
		if !known {
			out = append(out, fmt.Sprintf("package %s is not in the import table of internal/house; add a row", s.pkg))
			continue
		}
		for _, imp := range s.file.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				out = append(out, s.at(imp)+": malformed import")
				continue
			}
			if why := forbidden(r, path); why != "" && !(s.ablation && doors[path] == "pprof") {
				out = append(out, fmt.Sprintf("%s: %s may not import %s: %s", s.at(imp), s.pkg, path, why))
			}
		}
	}
	return out
}

// forbidden says why a room may not import path, or "".
func forbidden(r room, path string) string {
	if door, ok := doors[path]; ok && !slices.Contains(strings.Fields(r.doors), door) {
		return "it is no " + door + " package"
	}
	inner, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return ""
	}
	if (path == keeperPath || strings.HasPrefix(path, keeperPath+"/") && !strings.HasPrefix(module+"/"+r.pkg, keeperPath)) && !strings.HasPrefix(r.pkg, "cmd/") {
		return "only cmd imports the vault's keeper"
	}
	if strings.HasPrefix(r.pkg, "test/") && strings.HasPrefix(inner, "test/") {
		return ""
	}
	if !strings.HasPrefix(inner, "internal/") {
		return "nothing imports " + inner
	}
	inner = strings.TrimPrefix(inner, "internal/")
	for _, m := range strings.Fields(r.may) {
		below, tree := strings.CutSuffix(m, "...")
		if inner == m || (tree && strings.HasPrefix(inner, below)) {
			return ""
		}
	}
	if strings.HasPrefix(path, storePath) {
		return "only cmd imports stores"
	}
	return "not in its row"
}

func TestImports(t *testing.T) {
	report(t, trespasses(tree(t), plan()))
}

// TestImportsFindTrespass proves that the check can fail, row by row of what it
// promises.
func TestImportsFindTrespass(t *testing.T) {
	imports := func(paths ...string) string {
		text := "package x\n"
		for _, p := range paths {
			text += "import _ \"" + p + "\"\n"
		}
		return text
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"service reads the keeper", "internal/registry/x.go", imports(keeperPath), "only cmd imports the vault's keeper"},
		{"service reads a part of the keeper", "internal/registry/x.go", imports(keeperPath + "/engine"), "only cmd imports the vault's keeper"},
		{"engine reads the keeper", "internal/vault/keeper/engine/x.go", imports(keeperPath), "only cmd imports the vault's keeper"},
		{"keyring reads the engine", "internal/vault/keeper/keyring/x.go", imports(keeperPath + "/engine"), "not in its row"},
		{"edge reads a store", "internal/edge/x.go", imports(storePath + "/registrydb"), "only cmd imports stores"},
		{"domain knows SQL", "internal/scheduling/x.go", imports("database/sql"), "no sql package"},
		{"domain knows HTTP", "internal/registry/x.go", imports("net/http"), "no http package"},
		{"keeper opens sockets", "internal/vault/keeper/x.go", imports("net"), "no net package"},
		{"keeper reads a service", "internal/vault/keeper/x.go", imports(module + "/internal/registry"), "not in its row"},
		{"leaf reads a domain", "internal/id/x.go", imports(module + "/internal/vault"), "not in its row"},
		{"profiling", "cmd/tikakosh/x.go", imports("net/http/pprof"), "no pprof package"},
		{"somebody imports cmd", "internal/demo/x.go", imports(module + "/cmd/tikakosh"), "nothing imports"},
		{"profiling beside the tag", "internal/edge/x.go", "//go:build linux || ablation\n\n" + imports("net/http/pprof"), "no pprof package"},
		{"unknown package", "internal/newcomer/x.go", imports("fmt"), "not in the import table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := trespasses([]source{example(t, c.file, c.text)}, plan())
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Fatalf("got %q, want one problem with %q", got, c.want)
			}
		})
	}
	for _, fine := range []source{example(t, "internal/registry/x.go", imports(module+"/internal/vault", "context")),
		example(t, "internal/edge/x.go", "//go:build ablation\n\n"+imports("net/http/pprof"))} {
		if got := trespasses([]source{fine}, plan()); len(got) != 0 {
			t.Fatalf("an allowed import was reported: %q", got)
		}
	}
}

// outgoing are the words of net/http that open connections or listeners. The
// keeper may have a handler, nothing else: what reaches it is cmd's decision.
var outgoing = []string{"ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS", "Server", "Client", "DefaultClient", "Transport",
	"DefaultTransport", "Get", "Post", "PostForm", "Head", "NewRequest", "NewRequestWithContext", "FileServer", "ServeFile"}

func listeners(files []source) []string {
	var out []string
	for _, s := range files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "http" && x.Obj == nil && slices.Contains(outgoing, sel.Sel.Name) {
				out = append(out, s.at(sel)+": the vault's keeper uses http."+sel.Sel.Name)
			}
			return true
		})
	}
	return out
}

func TestKeeperOnlyHandles(t *testing.T) {
	report(t, listeners(production(tree(t), "internal/vault/keeper")))
	bad := example(t, "internal/vault/keeper/x.go", "package keeper\nimport \"net/http\"\nfunc f() { http.ListenAndServe(\"\", nil) }\n")
	if len(listeners([]source{bad})) != 1 {
		t.Fatal("a listener in the keeper was not reported")
	}
}
