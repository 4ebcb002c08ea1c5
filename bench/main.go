// Command bench measures the main job through the real binary over HTTP and
// prints for each kind of request
//
//   - the rate, and the time an answer takes, seen by the clients;
//   - the processor time of one request, in microseconds, over all roles and the
//     driver, and how many such requests that is a second on the cores of this
//     machine if nothing else used them: what remains meaningful on a machine
//     that others use too;
//   - the rate as a part of the store's raw rate of durable commits, measured anew
//     before every phase on the same disk with as many callers.
//
// The driver is on the same machine and its time is counted.
//
//	go run ./bench [-n 1900] [-c 64] [-rounds 3] [-db postgres]
//	go run ./bench -db both        # the two engines in turns, side by side
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
	name    string
	took    []time.Duration // of each call
	wall    time.Duration
	raw     float64
	rawUsed float64                  // processor time of one raw commit, µs
	used    map[string]time.Duration // processor time by role
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

// sideBySide is how many people a round has where two engines are compared: some
// four minutes in all on a quiet machine of two cores.
const sideBySide = 800

func main() {
	n := flag.Int("n", most, "people per round")
	c := flag.Int("c", 64, "parallel clients")
	rounds := flag.Int("rounds", 3, "rounds; medians are printed")
	perf := flag.String("perf", "", "existing folder for profiles of vault and web, one a phase (needs Linux' perf)")
	bin := flag.String("tikakosh", "", "binary to measure; built from this checkout when empty")
	only := flag.String("only", "", "\"rush\": booking under a rush instead of the main job")
	db := flag.String("db", "sqlite", "\"postgres\": on a PostgreSQL server of the system's binaries, started for this; \"both\": the engines in turns, 800 people a round unless -n says otherwise")
	statements := flag.Bool("statements", false, "with -db postgres: print how often each statement runs for one request (needs the server's pg_stat_statements)")
	flag.Parse()
	if *db == "both" && *n == most {
		*n = sideBySide
	}
	if *n < 1 || *n > most || *c < 1 || *rounds < 1 {
		fmt.Fprintf(os.Stderr, "bench: -n is 1 to %d, -c and -rounds are positive\n", most)
		os.Exit(2)
	}
	if *db != "sqlite" && *db != "postgres" && *db != "both" {
		fmt.Fprintln(os.Stderr, "bench: -db is sqlite, postgres or both")
		os.Exit(2)
	}
	if err := run(*n, *c, *rounds, *bin, *only, *perf, *db, *statements); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(n, c, rounds int, bin, only, perf, db string, statements bool) error {
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
	if db == "both" {
		return both(ctx, dir, bin, n, c, rounds)
	}
	var pg *engine
	if db == "postgres" {
		if pg, err = newEngine(ctx, bin, statements); err != nil {
			return err
		}
		defer pg.stop()
	}
	srv, err := start(ctx, bin, filepath.Join(dir, "data"), pg)
	if err != nil {
		return err
	}
	defer srv.stop()
	srv.perf = perf
	if only == "rush" {
		return srv.rush(ctx, filepath.Join(dir, "data"), c)
	}
	raw, err := rawStore(ctx, filepath.Join(dir, "data"), pg)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	var all [][]result
	for range rounds {
		alone, err := rawCommits(ctx, raw, "raw commits, one caller", 1)
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
	fmt.Printf("%-31s %8s %8s %8s  %-22s", "", "a second", "p50 ms", "p99 ms", "of raw (least to most)")
	for _, role := range columns() {
		fmt.Printf(" %7s", role)
	}
	fmt.Printf(" %7s %8s\n", "all µs", "possible")
	for i := range rounds[0] {
		var rate, p50, p99, ratio, all []float64
		used := map[string][]float64{}
		for _, round := range rounds {
			r := round[i]
			rate = append(rate, r.rate())
			p50 = append(p50, r.at(0.50).Seconds()*1000)
			p99 = append(p99, r.at(0.99).Seconds()*1000)
			ratio = append(ratio, r.rate()/cmp.Or(r.raw, r.rate()))
			sum := 0.0
			for role, t := range r.used {
				one := float64(t.Microseconds()) / float64(len(r.took))
				used[role], sum = append(used[role], one), sum+one
			}
			all = append(all, sum)
		}
		fmt.Printf("%-31s %8.0f %8.2f %8.2f  %.3f (%.3f to %.3f)", rounds[0][i].name, median(rate), median(p50), median(p99),
			median(ratio), slices.Min(ratio), slices.Max(ratio))
		if m := median(all); m > 0 {
			for _, role := range columns() {
				if len(used[role]) == 0 { // PostgreSQL, on SQLite
					fmt.Printf(" %7s", "")
					continue
				}
				fmt.Printf(" %7.0f", median(used[role]))
			}
			fmt.Printf(" %7.0f %8.0f", m, float64(runtime.NumCPU())*1e6/m)
		}
		fmt.Println()
	}
}

// median is 0 of nothing: without PostgreSQL its column has no values.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
