package chromium

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// lighthouse installs Lighthouse 12.8.2 (Apache-2.0; the newest for Node 20) and returns how
// to run it. It needs Node, npm and npm's registry.
func lighthouse(t *testing.T) func(url string, cookies map[string]string) scores {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", "lighthouse", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ci := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = dir
	if out, err := ci.CombinedOutput(); err != nil {
		t.Fatalf("TIKAKOSH_LIGHTHOUSE=1, but Lighthouse cannot be installed: npm ci: %v\n%s", err, out)
	}
	n := 0
	return func(url string, cookies map[string]string) scores {
		t.Helper()
		n++
		file := filepath.Join(dir, fmt.Sprintf("%d.json", n))
		args := []string{filepath.Join(dir, "node_modules/lighthouse/cli/index.js"), url, "--quiet", "--output=json", "--output-path=" + file,
			"--only-categories=performance,accessibility,best-practices", "--chrome-flags=--headless=new --no-sandbox --lang=en-US"}
		if len(cookies) > 0 {
			line := ""
			for name, value := range cookies {
				line += name + "=" + value + "; "
			}
			headers, err := json.Marshal(map[string]string{"Cookie": line})
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, "headers.json")
			if err := os.WriteFile(name, headers, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--extra-headers="+name)
		}
		cmd := exec.Command("node", args...)
		cmd.Env = append(os.Environ(), "CHROME_PATH="+chromium(t))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("lighthouse: %v\n%s", err, out)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got report
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		return got.scores(t)
	}
}

// report is what of Lighthouse's report is looked at.
type report struct {
	FinalURL   string `json:"finalDisplayedUrl"`
	Categories map[string]struct {
		Score *float64 `json:"score"`
		Refs  []struct {
			ID     string  `json:"id"`
			Weight float64 `json:"weight"`
		} `json:"auditRefs"`
	} `json:"categories"`
	Audits map[string]struct {
		Score   *float64 `json:"score"`
		Title   string   `json:"title"`
		Numeric float64  `json:"numericValue"`
		Display string   `json:"displayValue"`
	} `json:"audits"`
}

// scores are out of 100.
type scores struct {
	url                       string
	performance, access, best int
	bytes                     int
	failed                    []string // audits that took something off
}

func (r report) scores(t *testing.T) scores {
	t.Helper()
	of := func(name string) int {
		c, ok := r.Categories[name]
		if !ok || c.Score == nil {
			t.Fatalf("lighthouse gave no %s", name)
		}
		return int(math.Round(*c.Score * 100))
	}
	s := scores{url: r.FinalURL, performance: of("performance"), access: of("accessibility"), best: of("best-practices"), bytes: int(r.Audits["total-byte-weight"].Numeric)}
	for _, name := range []string{"accessibility", "best-practices", "performance"} {
		for _, ref := range r.Categories[name].Refs {
			if a := r.Audits[ref.ID]; ref.Weight > 0 && a.Score != nil && *a.Score < 1 {
				s.failed = append(s.failed, strings.TrimSpace(ref.ID+": "+a.Title+" "+a.Display))
			}
		}
	}
	return s
}

func (s scores) faults() (out []string) {
	// A form without a label costs five points of a hundred: less than all is not enough.
	if s.access != 100 || s.best != 100 {
		out = append(out, fmt.Sprintf("accessibility %d, best practices %d: %q", s.access, s.best, s.failed))
	}
	if s.performance < 95 {
		out = append(out, fmt.Sprintf("performance %d: %q", s.performance, s.failed))
	}
	if s.bytes == 0 || s.bytes > 50<<10 {
		out = append(out, fmt.Sprintf("%d bytes", s.bytes))
	}
	return out
}

// TestLighthouse: the pages that people meet first, on a simulated phone with a slow network,
// against the real program: accessibility and best practices 100, performance 95 at least, in
// one of three runs, because what else the machine does counts as the page's. A page without a
// label is found. TIKAKOSH_LIGHTHOUSE=1 wants Chromium, Node and npm.
func TestLighthouse(t *testing.T) {
	if os.Getenv("TIKAKOSH_LIGHTHOUSE") != "1" {
		t.Skip("set TIKAKOSH_LIGHTHOUSE=1 where chromium, node and npm are installed")
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	run := lighthouse(t)
	c, mobile := s.Holder()
	c.Enrol("Asha Test")
	p := s.Portal()
	if a := p.SignIn(mobile); a.Status != http.StatusSeeOther {
		t.Fatalf("sign-in: %d", a.Status)
	}
	mine := map[string]string{"__Host-session": p.Cookie("__Host-session"), "__Host-seat": p.Cookie("__Host-seat")}
	pin := s.Column(harness.RegistryDB, "SELECT pin FROM centre LIMIT 1")[0]
	for _, page := range []struct {
		path    string
		cookies map[string]string
	}{{"/sign-in", nil}, {"/find?pin=" + pin, nil}, {"/account", mine}, {"/verify", nil}} {
		var last scores
		for range 3 {
			if last = run(s.Root+page.path, page.cookies); len(last.faults()) == 0 {
				break
			}
		}
		for _, f := range last.faults() {
			t.Errorf("%s: %s", page.path, f)
		}
		if last.url != s.Root+page.path {
			t.Errorf("%s: another page was looked at: %s", page.path, last.url)
		}
		t.Logf("%s: performance %d, accessibility %d, best practices %d, %d bytes", page.path, last.performance, last.access, last.best, last.bytes)
	}
	spoilt := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>x</title><main><h1>x</h1><form><input type="text"></form></main></html>`))
	})
	if got := run(newServer(t, spoilt), nil); len(got.faults()) == 0 {
		t.Error("a field without a label is not found")
	}
}
