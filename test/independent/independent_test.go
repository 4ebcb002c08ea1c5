package independent

import (
	"bufio"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestClient runs the client that was written from the contract alone. The test
// plays the phone and the vaccinator.
func TestClient(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "client")
	build := exec.Command("go", "build", "-o", bin, "./test/independent/client")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	day := s.Later()[0]
	mobile := s.Mobile()

	cmd := exec.Command(bin, "-api", s.API, "-center", fmt.Sprint(day.Centre), "-mobile", mobile)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		said = append(said, line)
		var answer string
		switch f := strings.Fields(strings.TrimSuffix(line, "?")); {
		case line == "code?":
			answer = s.AwaitMessages(mobile, 0, 10e9)[0].Code()
		case strings.HasPrefix(line, "dose "):
			vaccinate(t, s, mobile, f[1], f[2])
			answer = "given"
		default:
			continue
		}
		if _, err := fmt.Fprintln(in, answer); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil || said[len(said)-1] != "done" {
		t.Fatalf("the client ended with %v:\n%s", err, strings.Join(said, "\n"))
	}
	s.Stop()
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}

// vaccinate opens the session and records the dose with the newest code.
func vaccinate(t *testing.T, s *harness.Server, mobile, reference, session string) {
	t.Helper()
	d := s.Today()
	if d.Session != session {
		t.Fatalf("the client books %s, the centre is in %s", session, d.Session)
	}
	staff := s.Client()
	if a := staff.OpenSession(s.StaffKey("manager"), d); !a.OK() {
		t.Fatalf("open the session: %s", a.Text())
	}
	a := staff.Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, harness.DoseForm(d, reference, s.SecurityCode(mobile, reference), 1))
	if a.Status != 204 {
		t.Fatalf("dose: %s", a.Text())
	}
}

// TestClientKnowsNothing proves that the client is another author's: its imports
// are the standard library's.
func TestClientKnowsNothing(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "client/main.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range f.Imports {
		if first, _, _ := strings.Cut(strings.Trim(imp.Path.Value, `"`), "/"); strings.Contains(first, ".") || first == "tikakosh" {
			t.Errorf("the independent client imports %s", imp.Path.Value)
		}
	}
}
