package redteam

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// row is one row of docs/redteam.json.
type row struct {
	ID       string   `json:"id"`
	Attack   string   `json:"attack"`
	Test     string   `json:"test"`
	Controls []string `json:"controls"`
	With     string   `json:"with"`
	Without  string   `json:"without"`
}

// outcome is one run of an attack, for docs/REDTEAM.md.
type outcome struct {
	ID        string   `json:"id"`
	Case      string   `json:"case"`
	Off       []string `json:"off"` // controls switched off; none: as released
	Succeeded bool     `json:"succeeded"`
	Evidence  string   `json:"evidence"`
	Seconds   float64  `json:"seconds"`
}

// world is what the tests of this process share.
type world struct {
	builder harness.Builder
	life    harness.Life
	rows    map[string]row
	plain   func() *harness.Server

	mu       sync.Mutex
	outcomes []outcome
}

var shared = newWorld()

func newWorld() *world {
	w := &world{}
	w.plain = sync.OnceValue(func() *harness.Server { return harness.Start(&w.life, &w.builder, harness.Options{}) })
	return w
}

func TestMain(m *testing.M) {
	switch os.Getenv(capturedVariable) {
	case "":
	case capturedBot:
		os.Exit(botInWeb())
	case capturedOffers:
		os.Exit(offersInWeb())
	default:
		os.Exit(captured())
	}
	code := shared.main(m)
	os.Exit(code)
}

func (w *world) main(m *testing.M) (code int) {
	defer w.life.Close()
	if err := w.load(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = harness.Main(m, &w.builder)
	if file := os.Getenv("TIKAKOSH_RESULTS"); file != "" && code == 0 {
		if err := w.publish(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func (w *world) load() error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(root, "docs", "redteam.json"))
	if err != nil {
		return err
	}
	var rows []row
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	w.rows = map[string]row{}
	for _, r := range rows {
		w.rows[r.ID] = r
	}
	return nil
}

func (w *world) note(o outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes = append(w.outcomes, o)
}

// attack tries and says whether it succeeded, with a line of evidence that
// holds no personal data. It reports scenes that cannot be set through t.
type attack func(t *testing.T, s *harness.Server) (succeeded bool, evidence string)

// trial is one attack of a row of docs/redteam.json. Off are the controls that
// the second run goes without; empty: all of the row's. Own: the attack needs a
// server of its own. Base is for both runs; its Ablate stays off in both.
type trial struct {
	name string
	off  []string
	own  bool
	base harness.Options
	bare bool // the run with the control is of the binary as released: base's Ablate is for the other alone
	try  attack
}

// run carries the trials of a row out. Every control of the row must be off in
// some trial.
func run(t *testing.T, id string, trials ...trial) {
	t.Helper()
	r, ok := shared.rows[id]
	if !ok || r.Test != t.Name() {
		t.Fatalf("docs/redteam.json says test %q for %s", r.Test, id)
	}
	var all []string
	for _, tr := range trials {
		if len(tr.off) == 0 {
			tr.off = r.Controls
		}
		for _, c := range tr.off {
			if !slices.Contains(r.Controls, c) {
				t.Fatalf("%s is not among the controls of %s", c, id)
			}
		}
		all = append(all, tr.off...)
		t.Run(strings.TrimPrefix(tr.name+"/with", "/"), func(t *testing.T) {
			if evidence, succeeded := carryOut(t, id, tr, false); succeeded {
				t.Fatalf("the attack succeeded against the binary as released: %s", evidence)
			}
		})
		if !both() {
			continue
		}
		t.Run(strings.TrimPrefix(tr.name+"/without", "/"), func(t *testing.T) {
			if evidence, succeeded := carryOut(t, id, tr, true); !succeeded {
				t.Fatalf("without %v the attack must succeed and did not, so it proves nothing: %s", tr.off, evidence)
			}
		})
	}
	for _, c := range r.Controls {
		if !slices.Contains(all, c) {
			t.Errorf("no trial of %s goes without %s", id, c)
		}
	}
}

func carryOut(t *testing.T, id string, tr trial, ablated bool) (evidence string, succeeded bool) {
	t.Helper()
	start := time.Now()
	var s *harness.Server
	o := tr.base
	switch {
	case ablated:
		o.Tags = harness.Ablation
		o.Ablate = slices.Concat(tr.base.Ablate, tr.off)
		s = harness.Start(t, &shared.builder, o)
	case tr.bare:
		o.Tags, o.Ablate = harness.Plain, nil
		s = harness.Start(t, &shared.builder, o)
	case tr.own:
		s = harness.Start(t, &shared.builder, o)
	default:
		s = shared.plain().For(t)
	}
	succeeded, evidence = tr.try(t, s)
	result := outcome{ID: id, Case: tr.name, Succeeded: succeeded, Evidence: evidence, Seconds: time.Since(start).Seconds()}
	if ablated {
		result.Off = tr.off
	}
	shared.note(result)
	t.Logf("%s: succeeded %v: %s (%.1f s)", id, succeeded, evidence, result.Seconds)
	return evidence, succeeded
}

// both says that attacks are carried out without their control, too, where each must
// succeed: what shows that an attack is one.
func both() bool {
	return os.Getenv("TIKAKOSH_BOTH") == "1" || full() || os.Getenv("TIKAKOSH_RESULTS") != "" || os.Getenv("TIKAKOSH_PG") == "1"
}

// full says that the long numbers are wanted.
func full() bool { return os.Getenv("TIKAKOSH_FULL") == "1" }

// publish writes the outcomes as JSON to file and as a table to docs/REDTEAM.md.
func (w *world) publish(file string) error {
	slices.SortStableFunc(w.outcomes, func(a, b outcome) int {
		return strings.Compare(a.ID+"/"+a.Case+strings.Join(a.Off, ","), b.ID+"/"+b.Case+strings.Join(b.Off, ","))
	})
	raw, err := json.MarshalIndent(w.outcomes, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	root, err := harness.Root()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "docs", "REDTEAM.md"), []byte(table(w.rows, w.outcomes)), 0o644)
}

// table renders outcomes for people.
func table(rows map[string]row, outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("# Attacks on the running binary\n\nEach attack runs against the binary as released, where it must fail, and against a test build without the named\n" +
		"control, where it must succeed. Made by `TIKAKOSH_RESULTS=FILE go test ./test/redteam`; what each attack does is in `test/redteam`.\n\n" +
		"| Id | Attack | Control off | Result | Evidence | s |\n|---|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ")
	for _, o := range outcomes {
		what := rows[o.ID].Attack
		if o.Case != "" {
			what += " (" + o.Case + ")"
		}
		off, result := "none", "refused"
		if len(o.Off) > 0 {
			off = strings.Join(o.Off, ", ")
		}
		if o.Succeeded {
			result = "**succeeds**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f |\n", o.ID, cell.Replace(what), off, result, cell.Replace(o.Evidence), o.Seconds)
	}
	return b.String()
}
