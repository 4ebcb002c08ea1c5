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
	return parallel(name, 1000*callers, callers, func(int) error {
		return db.Update(ctx, func(tx sqldb.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO raw (body) VALUES ($1)", body)
			return err
		})
	})
}

// parallel runs do(0..n-1) over c goroutines and times each call.
func parallel(name string, n, c int, do func(i int) error) (result, error) {
	r := result{name: name, took: make([]time.Duration, n)}
	errs := make([]error, c)
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range c {
		wg.Go(func() {
			for i := g; i < n; i += c {
				t := time.Now()
				if err := do(i); err != nil {
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
	cmd         *exec.Cmd
	api, outbox string
	staff       string
	bin         string
	http        *http.Client
	serial      int
}

var readyLine = regexp.MustCompile(`^\s*(api|outbox|staff)\s+(\S+)`)

// start runs a demo with one centre and no people, limits out of the way.
func start(ctx context.Context, bin, data string) (*server, error) {
	s := &server{bin: bin, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 60 * time.Second}}
	s.cmd = exec.CommandContext(ctx, bin, "demo", "--data", data, "--listen", "127.0.0.1:0", "--outbox", "127.0.0.1:0", "--people", "0",
		"--centres", "2", "--quiet", "--no-limits")
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
			return s, nil
		}
	}
	return nil, fmt.Errorf("the demo did not get ready; see %s.log", data)
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// person is one synthetic citizen of a round.
type person struct {
	mobile, token, ref, hold, code, proof string
	body                                  []byte
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
	for _, phase := range []struct {
		name string
		do   func(p *person) error
		prep func() error
	}{
		{name: "sign-up: code asked", do: func(p *person) error { return s.ask(ctx, p) }},
		{name: "sign-up: code confirmed", prep: func() error { return s.codes(ctx, people) }, do: func(p *person) error { return s.confirm(ctx, p) }},
		{name: "sign-up: person registered", do: func(p *person) error { return s.enrol(ctx, p) }},
		{name: "own record with receipt", do: func(p *person) error {
			return s.call(ctx, "GET", "/v2/appointment/beneficiaries", nil, p.token, nil, nil)
		}},
		{name: "book", do: func(p *person) error { return s.book(ctx, p, day) }},
		{name: "record a dose", prep: func() error { return s.signDoses(ctx, people, day) }, do: func(p *person) error { return s.dose(ctx, p) }},
	} {
		if phase.prep != nil {
			if err := phase.prep(); err != nil {
				return nil, err
			}
		}
		base, err := rawCommits(ctx, raw, fmt.Sprintf("raw durable commits, callers: %d", c), c)
		if err != nil {
			return nil, err
		}
		r, err := parallel(phase.name, n, c, func(i int) error { return phase.do(&people[i]) })
		if err != nil {
			return nil, err
		}
		if len(out) == 0 {
			out = append(out, base)
		}
		r.raw = base.rate()
		out = append(out, r)
		if len(out) == 4 {
			out = append(out, together("sign-up: all three", out[1:4]))
		}
	}
	return out, nil
}

// together adds phases up, person by person.
func together(name string, parts []result) result {
	sum := result{name: name, took: make([]time.Duration, len(parts[0].took))}
	for _, r := range parts {
		sum.wall += r.wall
		sum.raw += r.raw / float64(len(parts))
		for i, t := range r.took {
			sum.took[i] += t
		}
	}
	return sum
}

func (s *server) call(ctx context.Context, method, path string, body any, token string, head map[string]string, into any) error {
	var raw []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		raw = b
	default:
		raw, _ = json.Marshal(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.api+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
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
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
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
