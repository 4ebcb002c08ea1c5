// Command search measures the public slot search through the real binary beside
// a bare net/http handler in a process of its own that returns the same bytes,
// turn by turn in one run, over the same kept connections and from the same
// load generator. It prints requests per second and processor time per request
// of both, and the ratio of the rates.
//
//	go run ./bench/search [-c 16] [-seconds 2] [-rounds 5] [-tikakosh binary]
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	c := flag.Int("c", 16, "connections")
	seconds := flag.Float64("seconds", 2, "length of each turn")
	rounds := flag.Int("rounds", 5, "rounds of one turn each; medians are printed")
	bin := flag.String("tikakosh", "", "binary to measure; built from this checkout when empty")
	bare := flag.Bool("bare", false, "be the bare server: bytes on standard input, address on standard output")
	flag.Parse()
	run := func() error { return measure(*c, time.Duration(*seconds*float64(time.Second)), *rounds, *bin) }
	if *bare {
		run = serveBare
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/search:", err)
		os.Exit(1)
	}
}

// serveBare is the handler to compare with: nothing but the bytes.
func serveBare() error {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(body)
	}))
}

// side is one of the two servers.
type side struct {
	name, addr, path string
	pid              int
	rate, cpu        []float64 // requests per second; microseconds of processor per request
}

func measure(c int, turn time.Duration, rounds int, bin string) error {
	dir, err := os.MkdirTemp("", "tikakosh-search-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if bin == "" {
		bin = filepath.Join(dir, "tikakosh")
		if out, err := exec.Command("go", "build", "-o", bin, "./cmd/tikakosh").CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w: %s", err, out)
		}
	}
	demo, api, err := start(bin, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer stop(demo)
	ours := &side{name: "tikakosh", addr: api}
	if ours.pid, err = childNamed(demo.Process.Pid, "serve"); err != nil {
		return err
	}
	big, small, err := calendars(api)
	if err != nil {
		return err
	}
	for _, p := range []page{big, small} {
		if err := compare(ours, p, c, turn, rounds); err != nil {
			return err
		}
	}
	return nil
}

// page is an address and what it answers.
type page struct {
	path string
	body []byte
}

// compare measures one address beside its bytes from the bare server.
func compare(ours *side, p page, c int, turn time.Duration, rounds int) error {
	body := p.body
	ours.path, ours.rate, ours.cpu = p.path, nil, nil
	bare, theirs, err := startBare(body)
	if err != nil {
		return err
	}
	defer stop(bare)
	for range rounds {
		for _, s := range []*side{theirs, ours} {
			if err := s.turn(c, turn, len(body)); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d rounds of %v, %d connections, %d bytes an answer, %s, %d cores\n", rounds, turn, c, len(body), runtime.Version(), runtime.NumCPU())
	for _, s := range []*side{theirs, ours} {
		fmt.Printf("%-10s %9.0f requests/s  %6.1f µs of processor a request\n", s.name, median(s.rate), median(s.cpu))
	}
	var ratio []float64
	for i := range rounds {
		ratio = append(ratio, ours.rate[i]/theirs.rate[i])
	}
	fmt.Printf("ratio of the rates %.2f (%.2f to %.2f); of processor time a request %.2f\n", median(ratio), slices.Min(ratio), slices.Max(ratio), median(theirs.cpu)/median(ours.cpu))
	return nil
}

// turn asks one server for a while over c connections.
func (s *side) turn(c int, d time.Duration, want int) error {
	before, err := processor(s.pid)
	if err != nil {
		return err
	}
	var done atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, c)
	begin := time.Now()
	for range c {
		wg.Go(func() {
			if err := s.ask(begin.Add(d), want, &done); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	close(errs)
	if err := <-errs; err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := processor(s.pid)
	if err != nil {
		return err
	}
	n := float64(done.Load())
	s.rate = append(s.rate, n/took.Seconds())
	s.cpu = append(s.cpu, float64((after-before).Microseconds())/n)
	return nil
}

// ask sends requests over one kept connection until the end.
func (s *side) ask(end time.Time, want int, done *atomic.Int64) error {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := []byte("GET " + s.path + " HTTP/1.1\r\nHost: " + s.addr + "\r\nUser-Agent: bench\r\nAccept: application/json\r\n\r\n")
	in := bufio.NewReaderSize(conn, 64<<10)
	for time.Now().Before(end) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := answer(in, want); err != nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

// answer reads one answer: its status, its length, its bytes. The load generator
// must cost less than what it measures, so it parses no more.
func answer(in *bufio.Reader, want int) error {
	length, first, chunked := -1, true, false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %s", line)
		}
		first = false
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
	}
	if chunked {
		return dechunk(in, want)
	}
	if length != want {
		return fmt.Errorf("%d bytes, want %d", length, want)
	}
	_, err := in.Discard(length)
	return err
}

// dechunk reads a body without a length, as net/http writes one that is too big
// for its buffer.
func dechunk(in *bufio.Reader, want int) error {
	total := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := in.Discard(int(n) + 2); err != nil {
			return err
		}
		if total += int(n); n == 0 {
			if total != want {
				return fmt.Errorf("%d bytes, want %d", total, want)
			}
			return nil
		}
	}
}

var apiLine = regexp.MustCompile(`^\s*api\s+http://([^/\s]+)`)

// start runs a demo with limits off: the rate of one caller is what is measured.
func start(bin, data string) (*exec.Cmd, string, error) {
	cmd := exec.Command(bin, "demo", "--data", data, "--listen", "127.0.0.1:0", "--outbox", "127.0.0.1:0", "--staff-listen", "127.0.0.1:0", "--people", "0", "--centres", "500", "--quiet", "--no-limits")
	log, err := os.Create(data + ".log")
	if err != nil {
		return nil, "", err
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	api, scan := "", bufio.NewScanner(out)
	for scan.Scan() {
		if m := apiLine.FindStringSubmatch(scan.Text()); m != nil {
			api = m[1]
		}
		if strings.HasPrefix(strings.TrimSpace(scan.Text()), "demo data ready") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			time.Sleep(time.Second) // the last sessions reach the search
			return cmd, api, nil
		}
	}
	stop(cmd)
	return nil, "", errors.New("the demo did not get ready")
}

func startBare(body []byte) (*exec.Cmd, *side, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self, "-bare")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(body), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop(cmd)
		return nil, nil, err
	}
	return cmd, &side{name: "bare", addr: strings.TrimSpace(line), path: "/", pid: cmd.Process.Pid}, nil
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

// calendars finds the biggest and the smallest week's calendar of a district
// that has centres.
func calendars(api string) (big, small page, err error) {
	get := func(path string) ([]byte, error) {
		res, err := http.Get("http://" + api + path)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		return io.ReadAll(res.Body)
	}
	loc, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		return big, small, err
	}
	day := time.Now().In(loc).AddDate(0, 0, 1).Format("02-01-2006")
	var states struct {
		States []struct {
			ID int `json:"state_id"`
		} `json:"states"`
	}
	raw, err := get("/api/v2/admin/location/states")
	if err != nil || json.Unmarshal(raw, &states) != nil {
		return big, small, fmt.Errorf("states: %w: %s", err, raw)
	}
	for _, s := range states.States {
		var districts struct {
			Districts []struct {
				ID int `json:"district_id"`
			} `json:"districts"`
		}
		raw, err := get(fmt.Sprintf("/api/v2/admin/location/districts/%d", s.ID))
		if err != nil || json.Unmarshal(raw, &districts) != nil {
			return big, small, fmt.Errorf("districts: %w: %s", err, raw)
		}
		for _, d := range districts.Districts {
			at := fmt.Sprintf("/api/v2/appointment/sessions/public/calendarByDistrict?district_id=%d&date=%s", d.ID, day)
			raw, err := get(at)
			if err != nil {
				return big, small, err
			}
			if len(raw) > len(big.body) {
				big = page{at, raw}
			}
			if len(raw) > len(`{"centers":[]}`) && (len(small.body) == 0 || len(raw) < len(small.body)) {
				small = page{at, raw}
			}
		}
	}
	return big, small, nil
}

// childNamed finds a child process by the first argument of its command.
func childNamed(parent int, name string) (int, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, at := range all {
		stat, err := os.ReadFile(at)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(at), "cmdline"))
		args := strings.Split(string(line), "\x00")
		if len(f) > 1 && f[1] == strconv.Itoa(parent) && len(args) > 1 && args[1] == name {
			return strconv.Atoi(filepath.Base(filepath.Dir(at)))
		}
	}
	return 0, fmt.Errorf("no process %s", name)
}

// processor is the processor time a process has used. The kernel counts in
// hundredths of a second (proc(5)).
func processor(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("malformed /proc/…/stat")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
