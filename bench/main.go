// Command bench measures the main job through the real binary over HTTP and
// prints each rate beside the store's raw durable-commit rate of the same
// machine in the same run, so that the figures are ratios, not absolutes.
//
//	go run ./bench [-n 400] [-c 16] [-rounds 3]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// result of one measured phase.
type result struct {
	name     string
	rate     float64 // per second
	p50, p99 time.Duration
}

func main() {
	n := flag.Int("n", 400, "people per round")
	c := flag.Int("c", 16, "parallel clients")
	rounds := flag.Int("rounds", 3, "rounds; medians are printed")
	bin := flag.String("tikakosh", "", "binary to measure; built from this checkout when empty")
	flag.Parse()
	if err := run(*n, *c, *rounds, *bin); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(n, c, rounds int, bin string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "tikakosh-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if bin == "" {
		bin = filepath.Join(dir, "tikakosh")
		if err := build(ctx, bin); err != nil {
			return err
		}
	}
	srv, err := start(ctx, bin, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer srv.stop()
	all := map[string][]result{}
	var order []string
	add := func(r result) {
		if all[r.name] == nil {
			order = append(order, r.name)
		}
		all[r.name] = append(all[r.name], r)
	}
	for round := range rounds {
		for _, callers := range []int{1, c} {
			r, err := rawCommits(ctx, filepath.Join(dir, fmt.Sprintf("raw-%d-%d.db", round, callers)), callers)
			if err != nil {
				return err
			}
			add(r)
		}
		rs, err := srv.round(ctx, n, c)
		if err != nil {
			return err
		}
		for _, r := range rs {
			add(r)
		}
	}
	report(all, order, c)
	return nil
}

// report prints the median of each phase over the rounds and its ratio to the
// raw durable commits with the same number of callers.
func report(all map[string][]result, order []string, c int) {
	med := func(name string) result {
		rs := slices.Clone(all[name])
		slices.SortFunc(rs, func(a, b result) int { return int(a.rate - b.rate) })
		return rs[len(rs)/2]
	}
	base := med(rawName(c)).rate
	fmt.Printf("%-44s %10s %10s %10s %16s\n", "phase", "per second", "p50", "p99", "of raw commits")
	for _, name := range order {
		r := med(name)
		fmt.Printf("%-44s %10.0f %10s %10s %15.3f\n", name, r.rate, r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond), r.rate/base)
	}
}

func summarise(name string, took []time.Duration, wall time.Duration) result {
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(len(took)-1, int(q*float64(len(took))))] }
	return result{name: name, rate: float64(len(took)) / wall.Seconds(), p50: at(0.50), p99: at(0.99)}
}
