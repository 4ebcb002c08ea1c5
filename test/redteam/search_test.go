package redteam

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/test/harness"
)

// scrapes is how many searches the attacker sends: more than a network's burst
// of 20,000 and what a minute brings in while they are sent.
const scrapes = 40_000

// TestR23Scrape sends searches over several connections as fast as they go. With
// its limit the server stops one network; the twelve calls at once of a client
// like gowin are never stopped before. Either way, nothing public knows a person.
func TestR23Scrape(t *testing.T) {
	run(t, "R23", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		ref := c.Enrol("Zebedee Quixotham")
		day := s.Later()[0]
		number, a := c.Book(day, 1, ref)
		if !a.OK() {
			t.Fatal(a.Text())
		}
		secrets := map[string]string{"name": "Zebedee", "family name": "Quixotham", "mobile": mobile, "reference number": ref, "appointment number": number}
		calendar := fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", day.Centre, day.Date)
		together(12, func(int) {
			if a, err := s.Client().Do("GET", calendar, nil); err != nil || a.Status != 200 {
				t.Errorf("one of twelve calls at once: %v %d", err, a.Status)
			}
		})
		looked := 0
		for _, path := range publicAnswers(s, day) {
			a, err := s.Client().Do("GET", path, nil)
			if err != nil || a.Status != 200 {
				t.Fatalf("%s: %v %s", path, err, a.Text())
			}
			looked++
			for what, secret := range secrets {
				if strings.Contains(string(a.Body), secret) || strings.Contains(fmt.Sprint(a.Header), secret) {
					t.Errorf("%s shows a %s", path, what)
				}
			}
		}
		answered, refused := scrape(t, s, calendar)
		return refused == 0, fmt.Sprintf("%d public answers without a person; of %d searches at full speed %d answered, %d refused", looked, scrapes, answered, refused)
	}})
}

// publicAnswers are all addresses that answer without proof.
func publicAnswers(s *harness.Server, day harness.Day) []string {
	out := []string{"/v2/admin/location/states", "/v3/keys", "/v3/scheduling/$bulk-publish"}
	a, err := s.Client().Do("GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", day.Centre, day.Date), nil)
	if err == nil {
		_, pin, _ := strings.Cut(string(a.Body), `"pincode":`)
		pin, _, _ = strings.Cut(pin, ",")
		for _, kind := range []string{"findByPin", "calendarByPin"} {
			out = append(out, fmt.Sprintf("/v2/appointment/sessions/public/%s?pincode=%s&date=%s", kind, pin, day.Date))
		}
	}
	m, err := s.Client().Do("GET", "/v3/scheduling/$bulk-publish", nil)
	if err == nil {
		for _, part := range strings.Split(string(m.Body), `"url":"`)[1:] {
			at, _, _ := strings.Cut(part, `"`)
			out = append(out, strings.TrimPrefix(at, s.API))
		}
	}
	return out
}

// scrape sends searches over kept connections and counts the answers.
func scrape(t *testing.T, s *harness.Server, path string) (answered, refused int64) {
	t.Helper()
	addr := strings.TrimPrefix(s.Root, "http://")
	var ok, no, left atomic.Int64
	left.Store(scrapes)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for left.Add(-1) >= 0 {
				if _, err := fmt.Fprintf(conn, "GET /api%s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
					t.Error(err)
					return
				}
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				switch res.StatusCode {
				case 200:
					ok.Add(1)
				case 429:
					no.Add(1)
				default:
					t.Errorf("answered %s", res.Status)
				}
			}
		})
	}
	wg.Wait()
	return ok.Load(), no.Load()
}
