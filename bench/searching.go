package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"
)

// The rush that searches have to bear: people who ask in one second for the
// places of one session, and searches offered in each second meanwhile.
const (
	calmHouses  = 20 // of six people each: more than the places
	calmAsked   = 5000
	calmPlaces  = 100
	searchRate  = 2000
	searchConns = 32
)

// searching offers searches at a rate, whether or not earlier ones are answered,
// until ctx ends, and then returns how long each took from when it was due.
func (s *server) searching(ctx context.Context, path string) func() ([]time.Duration, error) {
	u, err := url.Parse(s.api)
	if err != nil {
		return func() ([]time.Duration, error) { return nil, err }
	}
	took, errs := make([][]time.Duration, searchConns), make([]error, searchConns)
	var wg sync.WaitGroup
	began := time.Now()
	for g := range searchConns {
		wg.Go(func() {
			errs[g] = func() error {
				conn, err := net.Dial("tcp", u.Host)
				if err != nil {
					return err
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				for i := g; ctx.Err() == nil; i += searchConns {
					due := began.Add(time.Duration(i) * time.Second / searchRate)
					time.Sleep(time.Until(due))
					if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, u.Host); err != nil {
						return err
					}
					status, body, err := answerOf(in)
					if err != nil {
						return err
					}
					if status != 200 {
						return fmt.Errorf("search answered %d %s", status, body)
					}
					took[g] = append(took[g], time.Since(due))
				}
				return nil
			}()
		})
	}
	return func() ([]time.Duration, error) {
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
		all := slices.Concat(took...)
		slices.Sort(all)
		return all, nil
	}
}

// rushSearched is calmAsked bookings in one second while searches go on, and
// what the searches took, before and during it.
func (s *server) rushSearched(ctx context.Context, people []person, hot slotOf, c int) error {
	d, err := s.findDay(ctx)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/api/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", d.Centre, d.Date)
	for _, rush := range []bool{false, true} {
		during, stop := context.WithCancel(ctx)
		end := s.searching(during, path)
		time.Sleep(time.Second)
		name := "searches alone"
		var err error
		if rush {
			name = "searches during the rush"
			s.pace = calmAsked
			err = s.measure(fmt.Sprintf("%d in one second, one session of %d places", calmAsked, calmPlaces), people, []slotOf{hot}, calmAsked, c)
			s.pace = 0
		}
		stop()
		took, err2 := end()
		if err := errors.Join(err, err2); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
		fmt.Printf("%-48s %d at %d/s: p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n", name, len(took), searchRate, at(0.5), at(0.99), at(1))
	}
	return nil
}
