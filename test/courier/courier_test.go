package courier

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/notify"
	"tikakosh/test/harness"
)

var builder harness.Builder

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &builder)) }

// gateway is the other author's SMSC as a process.
type gateway struct {
	t    *testing.T
	port int
	in   io.Writer

	mu    sync.Mutex
	lines []line
}

type line struct {
	Kind, To, Text, Template, From string
	Coding, Port                   int
	UDH                            bool
}

// install brings the SMSC's packages; it needs npm and its registry.
func install(t *testing.T) string {
	t.Helper()
	if os.Getenv("TIKAKOSH_NODE") != "1" {
		t.Skip("set TIKAKOSH_NODE=1 where node and npm are installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "smsc.js"} {
		b, err := os.ReadFile(filepath.Join("testdata", "smsc", name))
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
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

func start(t *testing.T, dir string) *gateway {
	t.Helper()
	g := &gateway{t: t}
	cmd := exec.Command("node", "smsc.js", "0")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		t.Fatal("the SMSC does not start", err1, err2)
	}
	g.in = in
	ready := make(chan int, 10)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			var l line
			if json.Unmarshal(in.Bytes(), &l) != nil {
				continue
			}
			if l.Kind == "ready" {
				select {
				case ready <- l.Port:
				default:
				}
			}
			g.mu.Lock()
			g.lines = append(g.lines, l)
			g.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	select {
	case g.port = <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("the SMSC does not listen")
	}
	return g
}

func (g *gateway) say(format string, a ...any) { fmt.Fprintf(g.in, format+"\n", a...) }

// of returns the lines of a kind, oldest first.
func (g *gateway) of(kind string) (out []line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.lines {
		if l.Kind == kind {
			out = append(out, l)
		}
	}
	return out
}

// inbox is what telephones show, newest first.
func (g *gateway) inbox() (out []harness.Message) {
	for _, l := range slices.Backward(g.of("message")) {
		out = append(out, harness.Message{To: strings.TrimPrefix(l.To, "91"), Text: l.Text})
	}
	return out
}

// server runs the demo over gateways, the first one first.
func server(t *testing.T, gateways ...*gateway) *harness.Server {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("secret12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ids := map[string]map[string]string{"code": {}} // as the register gives them, one for each text
	for i, r := range notify.Registrations() {
		if ids[r.Template] == nil {
			ids[r.Template] = map[string]string{}
		}
		ids[r.Template][r.Language] = fmt.Sprintf("1107%015d", i)
	}
	var routes []map[string]any
	for i, g := range gateways {
		routes = append(routes, map[string]any{"name": fmt.Sprint("route", i), "address": fmt.Sprint("127.0.0.1:", g.port), "system_id": "tikakosh", "password_file": "password",
			"sender": "TIKAKO", "sender_ton": 5, "country_prefix": "91", "entity_id": "1101000000000000001", "template_ids": ids})
	}
	raw, err := json.Marshal(map[string]any{"routes": routes})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "routes.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, &builder, harness.Options{Args: []string{"--no-limits", "--routes", path}})
	s.Inbox = func() (all []harness.Message) {
		for _, g := range gateways {
			all = append(all, g.inbox()...)
		}
		return all
	}
	if out, code := s.Command("courier", "check", "--routes", path); code != 0 || strings.Count(out, "bound and unbound") != len(gateways) {
		t.Errorf("courier check: %d %s", code, out)
	}
	if err := os.Chmod(filepath.Join(dir, "password"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, code := s.Command("courier", "check", "--routes", path); code == 0 {
		t.Error("a password that others can read is taken")
	}
	return s
}

// codeInHindi is the register's id of the code's message in Hindi.
func codeInHindi() string {
	i := slices.IndexFunc(notify.Registrations(), func(r notify.Registration) bool { return r.Template == "code" && r.Language == "hi" })
	return fmt.Sprintf("1107%015d", i)
}

// TestOtherAuthorSMSC: the main job with its messages over the other author's
// gateway: a Hindi code arrives whole, the second gateway takes over from a
// throttling one, receipts are counted, and no log holds a number.
func TestOtherAuthorSMSC(t *testing.T) {
	dir := install(t)
	first, second := start(t, dir), start(t, dir)
	s := server(t, first, second)
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	want := func(text string) {
		t.Helper()
		for range 200 {
			for _, m := range s.To(mobile) {
				if strings.Contains(m.Text, text) {
					return
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("no message says %q", text)
	}
	want("is your code")
	want("Appointment")
	want("A new entry of ")
	a := s.Client().Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}, "Accept-Language", "hi_IN")
	if !a.OK() {
		t.Fatal(a.Text())
	}
	want("टीकाकोष के लिए आपका कोड है। यह 3 मिनट तक मान्य है। इसे किसी को न बताएँ।")
	for _, l := range first.of("submit") {
		if strings.Contains(l.Text, "टीकाकोष के") && (l.Coding != 8 || l.Template != codeInHindi() || l.From != "TIKAKO") {
			t.Errorf("%+v", l)
		}
	}
	first.say("throttle 3")
	time.Sleep(200 * time.Millisecond)
	had := len(second.of("message"))
	if _, a := s.Client().AskCode(mobile); !a.OK() {
		t.Fatal(a.Text())
	}
	if len(second.of("submit")) != had+1 {
		t.Errorf("the second gateway took %d", len(second.of("submit"))-had)
	}
	s.Stop()
	log := s.Log()
	if !strings.Contains(log, `"route":"route0","accepted":4,"refused":0,"unsure":0,"delivered":5,"failed":0,"again":0`) { // the Hindi code has two parts
		t.Errorf("receipts were not counted: %s", log[max(0, len(log)-1000):])
	}
	if strings.Contains(log, mobile) {
		t.Error("the log holds a number")
	}
}

// TestOtherAuthorSMSCCut: the only gateway dies without a word in the middle of
// a burst and comes back. No code is submitted twice; each request is answered
// 200 with its message taken, or 503 that says what to do.
func TestOtherAuthorSMSCCut(t *testing.T) {
	g := start(t, install(t))
	s := server(t, g)
	const n = 300
	g.say("cut 120")
	time.Sleep(200 * time.Millisecond)
	var mu sync.Mutex
	answers := map[string]harness.Answer{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 60)
	for range n {
		mobile := s.Mobile()
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			_, a := s.Client().AskCode(mobile)
			mu.Lock()
			answers[mobile] = a
			mu.Unlock()
		})
	}
	wg.Wait()
	time.Sleep(500 * time.Millisecond)
	submitted := map[string]int{}
	for _, l := range g.of("submit") {
		submitted[strings.TrimPrefix(l.To, "91")]++
	}
	ok, unsure, not := 0, 0, 0
	for mobile, a := range answers {
		switch {
		case submitted[mobile] > 1:
			t.Errorf("a code was submitted %d times", submitted[mobile])
		case a.OK() && submitted[mobile] == 1:
			ok++
		case a.Status == 503 && a.Header.Get("Retry-After") != "" && strings.Contains(string(a.Body), "OTPUNSURE") && strings.Contains(string(a.Body), "ask for a new one"):
			unsure++
		case a.Status == 503 && a.Header.Get("Retry-After") != "" && strings.Contains(string(a.Body), "OTPNOTSENT") && submitted[mobile] == 0:
			not++
		default:
			t.Errorf("%d submitted, answered %s", submitted[mobile], a.Text())
		}
	}
	t.Logf("%d answered 200, %d that it is not known, %d that it was not sent", ok, unsure, not)
	if len(answers) != n || ok < n/2 || unsure == 0 {
		t.Errorf("%d answers", len(answers))
	}
	if _, a := s.Client().AskCode(s.Mobile()); !a.OK() {
		t.Errorf("after the gateway came back: %s", a.Text())
	}
}
