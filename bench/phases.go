package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

func build(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "./cmd/tikakosh")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// openRaw makes the store that the baseline is measured on.
func openRaw(ctx context.Context, path string) (sqldb.DB, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	err = db.Update(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE raw (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// rawCommits is the baseline: one-row durable transactions on the same disk
// through the same store.
func rawCommits(ctx context.Context, db sqldb.DB, name string, callers int) (result, error) {
	body := make([]byte, 600)
	first := time.Now().UnixNano() // above the ids of earlier measurements
	return parallel(name, 200*callers, callers, func(_, i int) error {
		return db.Update(ctx, func(tx sqldb.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO raw (id, body) VALUES ($1, $2)", first+int64(i), body)
			return err
		})
	})
}

// parallel runs do(g, 0..n-1) over c goroutines g and times each call.
func parallel(name string, n, c int, do func(g, i int) error) (result, error) {
	r := result{name: name, took: make([]time.Duration, n)}
	errs := make([]error, c)
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range c {
		wg.Go(func() {
			for i := g; i < n; i += c {
				t := time.Now()
				if err := do(g, i); err != nil {
					errs[g] = fmt.Errorf("%s: %w", name, err)
					return
				}
				r.took[i] = time.Since(t)
			}
		})
	}
	wg.Wait()
	r.wall = time.Since(begin)
	return r, errors.Join(errs...)
}

type server struct {
	engine      *engine // nil: SQLite
	cmd         *exec.Cmd
	pids        map[string]int // of the roles
	api, outbox string
	staff       string
	http        *http.Client
	wires       []*wire
	serial      int
	perf        string // folder for profiles, or ""
	pace        int    // bookings offered a second by measure; 0: as fast as they go
}

var readyLine = regexp.MustCompile(`^\s*(api|outbox|staff)\s+(\S+)`)

// start runs a demo with one centre and no people, limits out of the way.
func start(ctx context.Context, bin, data string, e *engine) (*server, error) {
	s := &server{http: &http.Client{Timeout: 60 * time.Second}, engine: e}
	s.cmd = exec.CommandContext(ctx, bin, "demo", "--data", data, "--listen", "127.0.0.1:0", "--outbox", "127.0.0.1:0", "--staff-listen", "127.0.0.1:0", "--people", "0",
		"--centres", "2", "--quiet", "--no-limits")
	s.cmd.Env = append(os.Environ(), e.environment()...)
	log, err := os.Create(data + ".log")
	if err != nil {
		return nil, err
	}
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if m := readyLine.FindStringSubmatch(scan.Text()); m != nil {
			switch m[1] {
			case "api":
				s.api = m[2]
			case "outbox":
				s.outbox = strings.TrimSuffix(m[2], "/")
			case "staff":
				s.staff = filepath.Dir(m[2])
			}
		}
		if strings.HasPrefix(strings.TrimSpace(scan.Text()), "demo data ready") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s, s.findRoles()
		}
	}
	return nil, fmt.Errorf("the demo did not get ready; see %s.log", data)
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// person is one synthetic citizen of a round. next is the request of the phase
// under way.
type person struct {
	mobile, txn, token, ref, hold, code string
	next                                []byte
}

// phase is one kind of request, which every person of the round sends once.
type phase struct {
	name string
	prep func() error                       // before the clock runs
	ask  func(p *person) ([]byte, error)    // the request
	take func(p *person, body []byte) error // what the next phase needs of the answer
}

// connect gives every client its connection.
func (s *server) connect(c int) error {
	for _, w := range s.wires {
		_ = w.conn.Close()
	}
	s.wires = nil
	for range c {
		w, err := dialWire(s.host())
		if err != nil {
			return err
		}
		s.wires = append(s.wires, w)
	}
	return nil
}

// round measures sign-up, own record, booking and dose for n people, the raw
// rate before each.
func (s *server) round(ctx context.Context, raw sqldb.DB, n, c int) ([]result, error) {
	people := make([]person, n)
	for i := range people {
		s.serial++
		people[i].mobile = fmt.Sprintf("0%09d", s.serial)
	}
	day, err := s.openDay(ctx)
	if err != nil {
		return nil, err
	}
	var out []result
	for _, ph := range s.phases(ctx, people, day) {
		idle, err := s.processorTime()
		if err != nil {
			return nil, err
		}
		base, err := rawCommits(ctx, raw, fmt.Sprintf("raw durable commits, callers: %d", c), c)
		if err != nil {
			return nil, err
		}
		busy, err := s.processorTime()
		if err != nil {
			return nil, err
		}
		base.used = map[string]time.Duration{"driver": busy["driver"] - idle["driver"]}
		if s.engine != nil {
			base.used["postgres"] = busy["postgres"] - idle["postgres"]
		}
		base.raw, base.rawUsed = base.rate(), processor(base)
		if len(out) == 0 {
			out = append(out, base)
		}
		r, err := s.phase(ctx, ph, people, c)
		if err != nil {
			return nil, err
		}
		r.raw, r.rawUsed = base.raw, base.rawUsed
		out = append(out, r)
		if len(out) == 4 {
			out = append(out, together("sign-up: all three", out[1:4]))
		}
	}
	return out, nil
}

// phase runs one phase. The requests are made, then the connections opened,
// before the clock and the processor's time begin.
func (s *server) phase(ctx context.Context, ph phase, people []person, c int) (result, error) {
	if ph.prep != nil {
		if err := ph.prep(); err != nil {
			return result{}, err
		}
	}
	for i := range people {
		var err error
		if people[i].next, err = ph.ask(&people[i]); err != nil {
			return result{}, err
		}
	}
	if err := s.connect(c); err != nil {
		return result{}, err
	}
	stop, err := s.profile(ctx, ph.name)
	if err != nil {
		return result{}, err
	}
	counted, err := s.engine.count(ctx, ph.name)
	if err != nil {
		return result{}, err
	}
	before, err := s.processorTime()
	if err != nil {
		return result{}, err
	}
	r, err := parallel(ph.name, len(people), c, func(g, i int) error {
		status, body, err := s.wires[g].do(people[i].next)
		switch {
		case err != nil:
			return err
		case status > 299:
			return fmt.Errorf("answer %d %s", status, body)
		case ph.take == nil:
			return nil
		}
		return ph.take(&people[i], body)
	})
	if err != nil {
		return r, err
	}
	after, err := s.processorTime()
	r.used = map[string]time.Duration{}
	for role, t := range after {
		r.used[role] = t - before[role]
	}
	return r, errors.Join(err, stop(), counted(len(people)))
}

// profile records where the roles spend their time during a phase, with Linux'
// perf, when a folder for it was given.
func (s *server) profile(ctx context.Context, name string) (stop func() error, err error) {
	if s.perf == "" {
		return func() error { return nil }, nil
	}
	file := filepath.Join(s.perf, strings.NewReplacer(" ", "-", ":", "").Replace(name)+".perf")
	cmd := exec.CommandContext(ctx, "perf", "record", "-q", "-F", "1999", "-g", "-o", file, "-p",
		fmt.Sprintf("%d,%d", s.pids["vault"], s.pids["web"]))
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(300 * time.Millisecond) // until it is attached
	return func() error {
		err := cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait() // it ends by the signal
		return err
	}, nil
}

// together adds phases up, person by person.
func together(name string, parts []result) result {
	sum := result{name: name, took: make([]time.Duration, len(parts[0].took)), used: map[string]time.Duration{}}
	for _, r := range parts {
		sum.wall += r.wall
		sum.raw += r.raw / float64(len(parts))
		sum.rawUsed += r.rawUsed / float64(len(parts))
		for i, t := range r.took {
			sum.took[i] += t
		}
		for role, t := range r.used {
			sum.used[role] += t
		}
	}
	return sum
}

// json is one request of the API outside the measured phases.
func (s *server) json(ctx context.Context, method, path string, body any, token string, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	head := map[string]string{}
	if token != "" {
		head["Authorization"] = "Bearer " + token
	}
	return s.call(ctx, method, s.api+path, raw, head, into)
}

func (s *server) ask(ctx context.Context, p *person) error {
	var a struct {
		Txn string `json:"txnId"`
	}
	err := s.json(ctx, "POST", "/v2/auth/public/generateOTP", map[string]string{"mobile": p.mobile}, "", &a)
	p.txn = a.Txn
	return err
}

func (s *server) confirm(ctx context.Context, p *person) error {
	var a struct {
		Token string `json:"token"`
	}
	err := s.json(ctx, "POST", "/v2/auth/public/confirmOTP", map[string]string{"otp": digest(p.code), "txnId": p.txn}, "", &a)
	p.token = a.Token
	return err
}

// call is one request outside the measured phases.
func (s *server) call(ctx context.Context, method, url string, body []byte, head map[string]string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range head {
		req.Header.Set(k, v)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode > 299 {
		return fmt.Errorf("%s %s: %d %s", method, req.URL.Path, res.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func digest(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}
