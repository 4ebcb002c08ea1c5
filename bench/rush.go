package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

// The sizes of the rush.
const (
	rushHouses = 300    // of six people each
	rushBooked = 900    // people who complete a booking of one session, and again of twenty
	rushAsked  = 40_000 // requests for one session with 100 places
	rushPlaces = 100
)

// cpu is processor time by role, in seconds.
type cpu map[string]float64

// rush measures booking under a rush on one hot session and on twenty: decided
// requests (held or refused) and completed bookings, with the processor time of
// every role and of this driver, because that is what bounds them.
func (s *server) rush(ctx context.Context, data string, c int) error {
	people, err := s.households(ctx, rushHouses+calmHouses)
	if err != nil {
		return err
	}
	sessions, err := s.sessions(ctx)
	if err != nil {
		return err
	}
	var db sqldb.DB
	if s.engine != nil {
		db, err = s.engine.open(ctx, "registry")
	} else {
		db, err = sqlite.Open(ctx, filepath.Join(data, "registry", "registry.db"), sqlite.Options{})
	}
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	free := func(places int) error {
		return db.Update(ctx, func(tx sqldb.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE session SET cap1 = taken1 + $1", places)
			return err
		})
	}
	if err := free(100_000); err != nil {
		return err
	}
	time.Sleep(time.Second) // the change feed tells the web role
	one := []slotOf{sessions[0]}
	some := sessions[:min(20, len(sessions))]
	if err := s.measure(fmt.Sprintf("completed, one session, %d clients", c), people[:rushBooked], one, rushBooked, c); err != nil {
		return err
	}
	if err := s.measure(fmt.Sprintf("completed, %d sessions, %d clients", len(some), c), people[rushBooked:2*rushBooked-rushPlaces], some, rushBooked-rushPlaces, c); err != nil {
		return err
	}
	last := people[2*rushBooked-rushPlaces : 2*rushBooked]
	if err := free(len(last) - 20); err != nil {
		return err
	}
	time.Sleep(time.Second)
	if err := s.measure(fmt.Sprintf("decided, one session of %d places, %d clients", len(last)-20, c), last, one, rushAsked, c); err != nil {
		return err
	}
	if err := free(calmPlaces); err != nil {
		return err
	}
	time.Sleep(time.Second)
	return s.rushSearched(ctx, people[2*rushBooked:], sessions[0], c)
}

// measure sends n bookings of people, in turn, and prints rates and costs.
func (s *server) measure(name string, people []person, sessions []slotOf, n, c int) error {
	u, err := url.Parse(s.api)
	if err != nil {
		return err
	}
	requests := make([][]byte, len(people))
	for i, p := range people {
		d := sessions[i%len(sessions)]
		body, _ := json.Marshal(map[string]any{"dose": 1, "session_id": d.Session, "slot": d.Slot, "beneficiaries": []string{p.ref}})
		requests[i] = fmt.Appendf(nil, "POST /api/v2/appointment/schedule HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			u.Host, p.token, len(body), body)
	}
	stop, err := s.profile(context.Background(), strings.ReplaceAll(name, ",", ""))
	if err != nil {
		return err
	}
	before, began := s.usage(), time.Now()
	var next, booked, full, busy, other atomic.Int64
	var failed atomic.Value
	errs := make([]error, c)
	var wg sync.WaitGroup
	for g := range c {
		wg.Go(func() {
			errs[g] = func() error {
				conn, err := net.Dial("tcp", u.Host)
				if err != nil {
					return err
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					i := int(next.Add(1)) - 1
					if i >= n {
						return nil
					}
					if s.pace > 0 {
						time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(s.pace))))
					}
					if _, err := conn.Write(requests[i%len(requests)]); err != nil {
						return err
					}
					status, body, err := answerOf(in)
					switch {
					case err != nil:
						return err
					case status == 200:
						booked.Add(1)
					case status == 409 && strings.Contains(body, "APPOIN0040"):
						full.Add(1)
					case status == 429:
						busy.Add(1)
					default:
						other.Add(1)
						failed.Store(body)
					}
				}
			}()
		})
	}
	wg.Wait()
	wall := time.Since(began).Seconds()
	if err := errors.Join(errors.Join(errs...), stop()); err != nil {
		return err
	}
	fmt.Printf("%-48s %7.0f/s  booked %d, full %d, busy %d, other %d %v\n", name, float64(n)/wall, booked.Load(), full.Load(), busy.Load(), other.Load(), failed.Load())
	sum := 0.0
	text := "    processor time per request, µs:"
	for role, t := range s.usage() {
		used := (t - before[role]) / float64(n) * 1e6
		sum += used
		text += fmt.Sprintf("  %s %.0f", role, used)
	}
	fmt.Printf("%s; all %.0f: two cores give at most %.0f/s\n", text, sum, 2e6/sum)
	return nil
}

// answerOf reads one answer.
func answerOf(in *bufio.Reader) (status int, body string, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case first:
			f := strings.Fields(text)
			if len(f) < 2 {
				return 0, "", errors.New("no status line")
			}
			if status, err = strconv.Atoi(f[1]); err != nil {
				return 0, "", err
			}
		case text == "":
			raw := make([]byte, length)
			_, err = io.ReadFull(in, raw)
			return status, string(raw), err
		default:
			if k, v, _ := strings.Cut(text, ":"); strings.EqualFold(k, "Content-Length") {
				if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
					return 0, "", err
				}
			}
		}
	}
}

// households registers so many numbers with six people each, and looks at each
// once, as a client does that must know its people's numbers.
func (s *server) households(ctx context.Context, n int) ([]person, error) {
	houses := make([]person, n)
	for i := range houses {
		s.serial++
		houses[i].mobile = fmt.Sprintf("0%09d", s.serial)
	}
	if _, err := parallel("code", n, 16, func(_, i int) error { return s.ask(ctx, &houses[i]) }); err != nil {
		return nil, err
	}
	if err := s.codes(ctx, houses); err != nil {
		return nil, err
	}
	if _, err := parallel("confirm", n, 16, func(_, i int) error { return s.confirm(ctx, &houses[i]) }); err != nil {
		return nil, err
	}
	out := make([]person, 6*n)
	_, err := parallel("enrol", n, 16, func(_, i int) error {
		for j := range 6 {
			p := &out[j*n+i]
			*p = houses[i]
			var a struct {
				Ref string `json:"beneficiary_reference_id"`
			}
			body := map[string]any{"name": "Bench Person", "birth_year": "1980", "gender_id": 1, "photo_id_type": 6,
				"photo_id_number": fmt.Sprintf("ABCD%c%s%c", 'A'+j, p.mobile[len(p.mobile)-4:], 'A'+j), "comorbidity_ind": "N", "consent_version": "1"}
			if err := s.json(ctx, "POST", "/v2/registration/beneficiary/new", body, p.token, &a); err != nil {
				return err
			}
			p.ref = a.Ref
		}
		return s.json(ctx, "GET", "/v2/appointment/beneficiaries", nil, houses[i].token, nil)
	})
	return out, err
}

type slotOf struct{ Session, Slot string }

// sessions are the coming days' sessions of one product at the demo's centres.
func (s *server) sessions(ctx context.Context) (out []slotOf, err error) {
	loc, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		return nil, err
	}
	d, err := s.findDay(ctx)
	if err != nil {
		return nil, err
	}
	for week := range 4 {
		var found struct {
			Centers struct {
				Sessions []struct {
					ID      string   `json:"session_id"`
					Vaccine string   `json:"vaccine"`
					MinAge  int      `json:"min_age_limit"`
					Slots   []string `json:"slots"`
				} `json:"sessions"`
			} `json:"centers"`
		}
		date := time.Now().In(loc).AddDate(0, 0, 1+7*week).Format("02-01-2006")
		path := fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", d.Centre, date)
		if err := s.json(ctx, "GET", path, nil, "", &found); err != nil {
			return nil, err
		}
		for _, x := range found.Centers.Sessions {
			if x.MinAge <= 45 && x.Vaccine == found.Centers.Sessions[0].Vaccine {
				out = append(out, slotOf{x.ID, x.Slots[0]})
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the demo's centre has no coming session")
	}
	return out, nil
}

// usage is the processor time of this driver and of every role so far.
func (s *server) usage() cpu {
	out := cpu{}
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		out["driver"] = float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	all := map[int]bool{s.cmd.Process.Pid: true}
	for range 3 { // children, and theirs
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			raw, err := os.ReadFile(dir + "/stat")
			if err != nil {
				continue
			}
			f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
			if parent, _ := strconv.Atoi(f[1]); all[parent] {
				all[pid] = true
			}
		}
	}
	for pid := range all {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		user, _ := strconv.ParseFloat(f[11], 64)
		system, _ := strconv.ParseFloat(f[12], 64)
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		role := "other"
		if words := strings.Split(string(args), "\x00"); len(words) > 1 {
			role = words[1]
		}
		out[role] += (user + system) / 100 // clock ticks of 10 ms
	}
	return out
}
