package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"tikakosh/internal/store/sqldb"
)

// side is one engine of a comparison: the program on it, and the store that its
// raw rate is measured on.
type side struct {
	name   string
	server *server
	raw    sqldb.DB
	rounds [][]result
}

// both measures the engines in turns, A-B-A-B, in one run: what is compared met the
// same machine. The one that is not measured idles.
func both(ctx context.Context, dir, bin string, n, c, rounds int) error {
	var sides []*side
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		s, stop, err := openSide(ctx, name, filepath.Join(dir, strings.ToLower(name)), bin)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer stop()
		sides = append(sides, s)
	}
	for range rounds {
		for _, s := range sides {
			fmt.Printf("%s: load %s\n", s.name, load())
			rs, err := s.server.round(ctx, s.raw, n, c)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.rounds = append(s.rounds, rs)
		}
	}
	fmt.Printf("at the end: load %s\n\n%d rounds each of %d people, %d clients, %s, %d cores; medians\n", load(), rounds, n, c, runtime.Version(), runtime.NumCPU())
	compare(sides)
	return nil
}

func openSide(ctx context.Context, name, data, bin string) (s *side, stop func(), err error) {
	var undo []func()
	stop = func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	var pg *engine
	if name == "PostgreSQL" {
		if pg, err = newEngine(ctx, bin, false); err != nil {
			return nil, nil, err
		}
		undo = append(undo, pg.stop)
	}
	s = &side{name: name}
	if s.server, err = start(ctx, bin, data, pg); err != nil {
		return nil, nil, err
	}
	undo = append(undo, s.server.stop)
	if s.raw, err = rawStore(ctx, data, pg); err != nil {
		return nil, nil, err
	}
	undo = append(undo, func() { _ = s.raw.Close() })
	return s, stop, nil
}

// rawStore is the store of the baseline on the engine that is measured.
func rawStore(ctx context.Context, data string, pg *engine) (sqldb.DB, error) {
	if pg != nil {
		return pg.openRaw(ctx)
	}
	return openRaw(ctx, data+".raw.db")
}

// load is how many processes ran or waited for the processor on average over the
// last minute, and that the machine is shared with others when it is well above
// what the bench itself starts.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}

// compare prints for each kind of act, of each engine: acts a second, as a part of
// the engine's raw rate, processor time of one act in microseconds, and in raw
// commits' processor time, which other work on the machine changes least.
func compare(sides []*side) {
	fmt.Printf("%-27s", "")
	for _, s := range sides {
		fmt.Printf("  %-10s %8s %7s %7s %7s", s.name, "a second", "of raw", "µs", "raws")
	}
	fmt.Println("   µs to µs")
	for i := range sides[0].rounds[0] {
		fmt.Printf("%-27.27s", sides[0].rounds[0][i].name)
		var micros []float64
		for _, s := range sides {
			var rate, ratio, used, raws []float64
			for _, round := range s.rounds {
				r := round[i]
				one := processor(r)
				rate, used = append(rate, r.rate()), append(used, one)
				ratio = append(ratio, r.rate()/cmp.Or(r.raw, r.rate()))
				raws = append(raws, one/cmp.Or(r.rawUsed, one))
			}
			micros = append(micros, median(used))
			fmt.Printf("  %10s %8.0f %7.3f %7.0f %7.1f", "", median(rate), median(ratio), median(used), median(raws))
		}
		fmt.Printf("   %8.2f\n", micros[1]/max(1, micros[0]))
	}
}

// processor is the processor time of one call, over all roles, in microseconds.
func processor(r result) float64 {
	var sum time.Duration
	for _, t := range r.used {
		sum += t
	}
	return float64(sum.Microseconds()) / float64(len(r.took))
}
