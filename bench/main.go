// Command bench measures the main job through the real binary over HTTP and
// prints each rate beside the store's raw durable-commit rate. Before every
// phase the raw rate is measured anew on the same disk with as many callers, and
// a ratio is that of such a pair, so that it means the same on another machine.
//
//	go run ./bench [-n 400] [-c 16] [-rounds 5]
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// result of one measured phase of one round, beside the raw rate before it.
type result struct {
	name string
	took []time.Duration // of each call
	wall time.Duration
	raw  float64
}

func (r result) rate() float64 { return float64(len(r.took)) / r.wall.Seconds() }

// at is a quantile of the calls.
func (r result) at(q float64) time.Duration {
	took := slices.Sorted(slices.Values(r.took))
	return took[min(len(took)-1, int(q*float64(len(took))))]
}

// most is how many people a round can have: their codes must be on the outbox
// page together, and it keeps 2,000 messages.
const most = 1900

func main() {
	n := flag.Int("n", 400, "people per round")
	c := flag.Int("c", 16, "parallel clients")
	rounds := flag.Int("rounds", 5, "rounds; medians are printed")
	bin := flag.String("tikakosh", "", "binary to measure; built from this checkout when empty")
	only := flag.String("only", "", "\"rush\": booking under a rush instead of the main job")
	flag.Parse()
	if *n < 1 || *n > most || *c < 1 || *rounds < 1 {
		fmt.Fprintf(os.Stderr, "bench: -n is 1 to %d, -c and -rounds are positive\n", most)
		os.Exit(2)
	}
	if err := run(*n, *c, *rounds, *bin, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(n, c, rounds int, bin, only string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "tikakosh-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // the roles' users must get there
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
	if only == "rush" {
		return srv.rush(ctx, filepath.Join(dir, "data"), c)
	}
	raw, err := openRaw(ctx, filepath.Join(dir, "raw.db"))
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	var all [][]result
	for range rounds {
		alone, err := rawCommits(ctx, raw, "raw durable commits, one caller", 1)
		if err != nil {
			return err
		}
		rs, err := srv.round(ctx, raw, n, c)
		if err != nil {
			return err
		}
		all = append(all, append([]result{alone}, rs...))
	}
	fmt.Printf("%d rounds of %d people, %d clients, %s, %d cores\n", rounds, n, c, runtime.Version(), runtime.NumCPU())
	report(all)
	return nil
}

// report prints the medians over the rounds, and how far the ratios spread.
func report(rounds [][]result) {
	fmt.Printf("%-36s %10s %9s %9s   %s\n", "phase", "per second", "p50 ms", "p99 ms", "of raw commits (least to most)")
	for i := range rounds[0] {
		var rate, p50, p99, ratio []float64
		for _, round := range rounds {
			r := round[i]
			rate = append(rate, r.rate())
			p50 = append(p50, r.at(0.50).Seconds()*1000)
			p99 = append(p99, r.at(0.99).Seconds()*1000)
			ratio = append(ratio, r.rate()/cmp.Or(r.raw, r.rate()))
		}
		fmt.Printf("%-36s %10.0f %9.2f %9.2f   %.3f (%.3f to %.3f)\n", rounds[0][i].name, median(rate), median(p50), median(p99),
			median(ratio), slices.Min(ratio), slices.Max(ratio))
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
