package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/civil"
	"tikakosh/internal/demo"
	"tikakosh/internal/fault"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault"
)

// demoCentre is where the demo's staff work.
const demoCentre = demo.FirstCentre

type demoCmd struct {
	runFlags
	Data    string `help:"Data folder; without it a new temporary one that is removed at the end."`
	Seed    uint64 `default:"1" help:"Seed of the generated programme."`
	People  int    `default:"100000" help:"Synthetic people."`
	Centres int    `default:"2000" help:"Centres."`
	Days    int    `default:"14" help:"Days of sessions."`
	Quiet   bool   `help:"No progress bar."`
}

// Run starts everything with a generated programme.
func (c *demoCmd) Run() error {
	if c.Outbox == "" && c.Routes == "" {
		c.Outbox = "127.0.0.1:8081"
	}
	if c.Centres < 1 || c.People < 0 || c.Days < 1 {
		return badConfig("a demo needs at least one centre and one day")
	}
	if c.StaffListen == "" {
		c.StaffListen = "127.0.0.1:8082"
	}
	if len(c.Contact) == 0 {
		c.Contact = []string{"1800 000 0000", "help@vaccination.example"} // nobody's
	}
	c.DemoNumbers = true
	if c.NoLimits {
		c.OTPNumberLimit, c.OTPDayLimit, c.PrefixLimit = 1_000_000, 1_000_000, 100_000_000
	}
	data := c.Data
	if data == "" {
		dir, err := os.MkdirTemp("", "tikakosh-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
		data = dir
	}
	restore, err := logToFile(layout{data})
	if err != nil {
		return err
	}
	in := &installation{flags: c.runFlags, layout: layout{data}, demo: c, out: os.Stdout, log: logger("supervisor")}
	err = in.run(context.Background())
	restore(err)
	return err
}

func (c *demoCmd) seedArgs() []string {
	a := []string{fmt.Sprint("--seed=", c.Seed), fmt.Sprint("--people=", c.People), fmt.Sprint("--centres=", c.Centres), fmt.Sprint("--days=", c.Days)}
	if c.Quiet {
		a = append(a, "--quiet")
	}
	return a
}

type seedCmd struct {
	Data      string `required:""`
	Seed      uint64 `required:""`
	People    int    `required:""`
	Centres   int    `required:""`
	Days      int    `required:""`
	Quiet     bool
	ClockFile string
	DB        string `name:"db" env:"TIKAKOSH_DB"`
}

// Run fills the demo while the other roles answer. Running it again on the same
// data changes nothing.
func (c *seedCmd) Run() error {
	o, err := observe("seed", 0)
	if err != nil {
		return err
	}
	log := o.log
	ctx, stop := roleContext()
	defer stop()
	r, err := openRegistry(ctx, "seed", c.DB, c.Data, c.ClockFile, o)
	if err != nil {
		return err
	}
	defer r.db.Close()
	where, err := places.Load()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(demo.Zone)
	if err != nil {
		return err
	}
	begin := time.Now()
	g := demo.New(where, demo.Options{Seed: c.Seed, Today: civil.Of(r.now().In(zone)), Centres: c.Centres, People: c.People, Days: c.Days})
	supervise.Ready()
	n, err := c.fill(ctx, r, g, begin, log)
	if err != nil {
		return err
	}
	fmt.Printf("demo data ready: %d centres, %d sessions, %d people, %d doses in %.1f s\n", c.Centres, n.sessions, n.People, n.Doses, time.Since(begin).Seconds())
	return nil
}

// filled is what a finished seeding leaves behind, so that the next start with the
// same folder does not go through everybody again.
type filled struct {
	Seed            uint64
	Today           civil.Date
	People, Centres int
	Days            int
	Doses           int64
	sessions        int
}

// fill adds what the folder does not have yet.
func (c *seedCmd) fill(ctx context.Context, r *registryRole, g *demo.Programme, begin time.Time, log *slog.Logger) (filled, error) {
	want := filled{Seed: c.Seed, Today: g.Today(), People: c.People, Centres: c.Centres, Days: c.Days}
	mark := layout{c.Data}.demoMark()
	var have filled
	if raw, err := os.ReadFile(mark); err == nil && json.Unmarshal(raw, &have) != nil {
		have = filled{}
	}
	same := have.Seed == want.Seed && have.Centres == want.Centres
	if !same {
		if err := together(singly(g.Centres()), func(one []scheduling.Centre) error { return r.bookings.AddCentres(ctx, one) }); err != nil {
			return want, err
		}
	}
	sessions := g.Sessions()
	want.sessions = len(sessions)
	if !same || have.Today != want.Today || have.Days != want.Days {
		if err := together(byCentre(sessions), func(one []scheduling.Session) error { return r.bookings.AddSessions(ctx, one) }); err != nil {
			return want, err
		}
	}
	if same && have.People >= want.People {
		want.People, want.Doses = have.People, have.Doses
	} else {
		s := &seeding{role: r, bar: progress{total: int64(c.People), quiet: c.Quiet, begin: begin}}
		if err := s.people(ctx, g, log); err != nil {
			return want, err
		}
		s.bar.end()
		want.Doses = s.doses.Load()
	}
	raw, err := json.Marshal(want)
	if err != nil {
		return want, err
	}
	return want, os.WriteFile(mark, raw, 0o640)
}

// seedBatch is how many households go to the vault at once, and seedFlights how
// many batches are under way: while the vault seals one, the registry stores
// another.
const (
	seedBatch   = 32
	seedFlights = 4
)

// seeding sends households to the vault, several batches at once.
type seeding struct {
	role  *registryRole
	doses atomic.Int64
	done  atomic.Int64
	bar   progress
}

func (s *seeding) people(ctx context.Context, g *demo.Programme, log *slog.Logger) error {
	work := make(chan []vault.SeedHousehold)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range seedFlights {
		wg.Go(func() {
			for batch := range work {
				if err := s.batch(ctx, batch); err != nil {
					cancel(err)
					log.Error("seeding stopped", "kind", fault.KindOf(err), "error", err.Error())
					return
				}
			}
		})
	}
	send := func(batch []vault.SeedHousehold) bool {
		select {
		case work <- batch:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var batch []vault.SeedHousehold
	g.Households(func(h vault.SeedHousehold) bool {
		batch = append(batch, h)
		if len(batch) < seedBatch {
			return true
		}
		full := batch
		batch = nil
		return send(full)
	})
	if len(batch) > 0 {
		send(batch)
	}
	close(work)
	wg.Wait()
	return context.Cause(ctx)
}

func (s *seeding) batch(ctx context.Context, batch []vault.SeedHousehold) error {
	got, err := s.role.vault.Seed(ctx, vault.SeedRequest{Households: batch})
	if err != nil {
		return err
	}
	if err := s.role.people.StoreSeeded(ctx, got.People); err != nil {
		return err
	}
	for _, h := range batch {
		for _, m := range h.Members {
			s.doses.Add(int64(len(m.Doses)))
		}
		s.bar.show(s.done.Add(int64(len(h.Members))))
	}
	return nil
}

// progress writes a bar on a terminal and a line per tenth elsewhere.
type progress struct {
	total int64
	quiet bool
	begin time.Time
	mu    sync.Mutex
	last  int64
}

func (p *progress) show(n int64) {
	if p.quiet || p.total == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	tenth := 10 * n / p.total
	if terminal(os.Stdout) {
		if pct := 100 * n / p.total; pct > p.last {
			p.last = pct
			fmt.Printf("\rdemo data %3d %%", pct)
		}
		return
	}
	if tenth > p.last {
		p.last = tenth
		fmt.Fprintf(os.Stderr, "demo data %d %%\n", 10*tenth)
	}
}

func (p *progress) end() {
	if !p.quiet && terminal(os.Stdout) && p.last > 0 {
		fmt.Println()
	}
}

// logToFile sends the log of every role to a file of the data folder when it would
// otherwise run over a terminal, where it would scroll the addresses away. It
// returns what brings the terminal back and, after an error, shows the log's end
// there: a temporary folder is about to go.
func logToFile(l layout) (func(error), error) {
	if !terminal(os.Stderr) {
		return func(error) {}, nil
	}
	if err := os.MkdirAll(l.root, 0o711); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(l.demoLog(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	old, err := unix.FcntlInt(os.Stderr.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := unix.Dup3(int(f.Fd()), int(os.Stderr.Fd()), 0); err != nil {
		return nil, errors.Join(err, f.Close(), unix.Close(old))
	}
	fmt.Printf("log     %s\n", f.Name())
	return func(failed error) {
		_ = errors.Join(unix.Dup3(old, int(os.Stderr.Fd()), 0), unix.Close(old), f.Close())
		if raw, err := os.ReadFile(l.demoLog()); err == nil && failed != nil {
			lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
			fmt.Fprintln(os.Stderr, strings.Join(lines[max(0, len(lines)-10):], "\n"))
		}
	}, nil
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
