package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tikakosh/test/harness"
)

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

func families(t *testing.T, s *harness.Server) (map[string]*dto.MetricFamily, []byte) {
	t.Helper()
	status, raw := get(t, s.Ops+"/metrics")
	p := expfmt.NewTextParser(model.UTF8Validation)
	got, err := p.TextToMetricFamilies(bytes.NewReader(raw))
	if status != http.StatusOK || err != nil {
		t.Fatalf("metrics: %d %v\n%.2000s", status, err, raw)
	}
	return got, raw
}

// labels that may be: each is a word of the program, of the operator's
// configuration, or of the machine.
var labels = strings.Fields("role route class kind limit method outcome caller db job folder alarm level log child version le quantile")

// TestMetrics: after a journey the operator sees figures of every role, and in
// them nothing of the people and a bounded number of series.
func TestMetrics(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	sec := journey(t, s)
	got, raw := families(t, s)
	if hits := sec.within(t, raw); len(hits) > 0 {
		t.Errorf("the metrics hold %q", hits)
	}
	total := 0
	for name, f := range got {
		perRole := map[string]int{}
		for _, m := range f.Metric {
			total++
			role := ""
			for _, l := range m.Label {
				if l.GetName() == "role" {
					role = l.GetValue()
				}
				if strings.HasPrefix(name, "tikakosh_") && !slices.Contains(labels, l.GetName()) {
					t.Errorf("%s has the label %s", name, l.GetName())
				}
			}
			perRole[role]++
		}
		for role, n := range perRole {
			if role == "" || n > 600 {
				t.Errorf("%s has %d series of role %q", name, n, role)
			}
		}
	}
	if total > 5000 {
		t.Errorf("%d series", total)
	}
	for _, role := range []string{"ops", "supervisor", "courier", "vault", "web", "worker"} {
		if v := value(got, "tikakosh_up", "role", role); v != 1 {
			t.Errorf("tikakosh_up of %s is %v", role, v)
		}
		if value(got, "go_goroutines", "role", role) <= 0 {
			t.Errorf("no goroutines of %s", role)
		}
	}
	for _, c := range [][]string{
		{"tikakosh_http_requests_total", "route", "POST /api/v2/registration/beneficiary/new", "class", "2xx"}, {"tikakosh_http_requests_total", "route", "other", "class", "4xx"},
		{"tikakosh_vault_calls_total", "method", "code.request", "caller", "web", "outcome", "ok"}, {"tikakosh_vault_client_calls_total", "method", "code.confirm", "outcome", "refused"},
		{"tikakosh_refusals_total", "kind", "invalid"}, {"tikakosh_db_commit_calls", "db", "vault"}, {"tikakosh_db_commit_seconds", "db", "registry"},
		{"tikakosh_courier_messages_total", "outcome", "sent"}, {"tikakosh_job_runs_total", "job", "relay", "outcome", "ok"},
		{"tikakosh_ledger_entries"}, {"tikakosh_key_provider_up"}, {"tikakosh_disk_free_bytes", "folder", "data"}, {"tikakosh_backup_age_seconds"}} {
		if v := value(got, c[0], c[1:]...); v <= 0 {
			t.Errorf("%q is %v", c, v)
		}
	}
	if route := value(got, "tikakosh_http_requests_total", "route", "/nowhere"); route != 0 {
		t.Error("an address that was asked is a label")
	}
	t.Logf("%d series in %d families, %d bytes", total, len(got), len(raw))
	readiness(t, s)
}

// value adds up a family's samples with these labels: a histogram's is its count.
func value(all map[string]*dto.MetricFamily, name string, pairs ...string) (sum float64) {
	for _, m := range all[name].GetMetric() {
		have := map[string]string{}
		for _, l := range m.Label {
			have[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(pairs); i += 2 {
			fits = fits && have[pairs[i]] == pairs[i+1]
		}
		if fits {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// readiness: a vault that hangs is seen from outside, and so is its return.
func readiness(t *testing.T, s *harness.Server) {
	t.Helper()
	type ready struct {
		Ready   bool
		Missing []string
		Roles   map[string]struct{ Missing []string }
	}
	ask := func() (status int, r ready) {
		status, raw := get(t, s.Ops+"/readyz")
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		return status, r
	}
	if status, r := ask(); status != 200 || !r.Ready || len(r.Roles) != 6 {
		t.Errorf("ready: %d %+v", status, r)
	}
	pid := s.Role(harness.RoleVault)
	harness.Freeze(t, pid)
	waitFor(t, "the stop to be seen", func() bool { status, _ := ask(); return status == 503 })
	status, r := ask()
	if status != 503 || r.Ready || !slices.Contains(r.Missing, "vault") || !slices.Contains(r.Roles["web"].Missing, "vault") {
		t.Errorf("with the vault stopped: %d %+v", status, r)
	}
	got, _ := families(t, s)
	if v := value(got, "tikakosh_up", "role", "vault"); v != 0 {
		t.Errorf("tikakosh_up of a stopped vault is %v", v)
	}
	if status, _ := get(t, s.Ops+"/healthz"); status != 200 {
		t.Errorf("the operator's own health: %d", status)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "readiness", func() bool { status, _ := ask(); return status == 200 })
	for path, want := range map[string]int{"/readyz/vault": 200, "/healthz/web": 200, "/readyz/nobody": 404, "/healthz/nobody": 404, "/spans": 404, "/": 404} {
		if status, _ := get(t, s.Ops+path); status != want {
			t.Errorf("%s answers %d, not %d", path, status, want)
		}
	}
}

// TestRules: every metric that the dashboard and the alert rules name is one the
// binary shows, every alert has a playbook and every playbook an alert.
func TestRules(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	dir := t.TempDir()
	routes := filepath.Join(dir, "routes.json")
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(routes, []byte(`{"routes":[{"name":"first","address":"127.0.0.1:9","system_id":"x","password_file":"password","sender":"TIKAKO","sender_ton":5,"country_prefix":"91","entity_id":"110100000000000001","template_ids":{}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, &b, harness.Options{Unseeded: true, Args: []string{"--routes", routes}})
	s.Client().Must("GET", "/v3/keys", nil)
	waitFor(t, "the worker's first runs", func() bool {
		got, _ := families(t, s)
		return value(got, "tikakosh_job_last_success_timestamp_seconds") > 0
	})
	got, _ := families(t, s)
	root := "../.."
	rules, err := os.ReadFile(filepath.Join(root, "docs/ops/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	board, err := os.ReadFile(filepath.Join(root, "docs/ops/grafana-dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, n := range regexp.MustCompile(`\b(tikakosh|process|go)_[a-z_]+`).FindAllString(string(rules)+expressions(t, board), -1) {
		named[n] = true
	}
	if len(named) < 40 {
		t.Fatalf("only %d metrics are named", len(named))
	}
	for name := range named {
		if got[name] == nil {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
			if got[base].GetType() != dto.MetricType_HISTOGRAM {
				t.Errorf("%s is named, but the binary does not show it", name)
			}
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "tikakosh_") && name != "tikakosh_build_info" && !named[name] && !named[name+"_bucket"] && !named[name+"_sum"] {
			t.Errorf("%s is shown, but no dashboard and no rule looks at it", name)
		}
	}
	alerts := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ *- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1) {
		alerts[m[1]] = true
		if !strings.Contains(string(rules), "playbook: docs/playbooks/"+m[1]+".md") {
			t.Errorf("alert %s names no playbook", m[1])
		}
	}
	books, err := filepath.Glob(filepath.Join(root, "docs/playbooks/*.md"))
	if err != nil || len(alerts) < 20 {
		t.Fatalf("%d alerts %v", len(alerts), err)
	}
	playbooks := map[string]bool{}
	for _, p := range books {
		name := strings.TrimSuffix(filepath.Base(p), ".md")
		playbooks[name] = true
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"# " + name, "What it means", "What to look at", "What to do", "When to call whom"} {
			if !strings.Contains(string(raw), part) {
				t.Errorf("playbook %s has no part %q", name, part)
			}
		}
		for _, m := range regexp.MustCompile(`tikakosh_[a-z_]+`).FindAllString(string(raw), -1) {
			base := strings.TrimSuffix(m, "_bucket")
			if got[base] == nil {
				t.Errorf("playbook %s names %s, which the binary does not show", name, m)
			}
		}
	}
	if !maps.Equal(alerts, playbooks) {
		t.Errorf("alerts %v, playbooks %v", slices.Sorted(maps.Keys(alerts)), slices.Sorted(maps.Keys(playbooks)))
	}
}

// expressions are those of a dashboard's panels.
func expressions(t *testing.T, raw []byte) string {
	t.Helper()
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range board.Panels {
		for _, x := range p.Targets {
			out = append(out, x.Expr)
		}
	}
	return fmt.Sprint(out)
}
