package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/machine"
	"tikakosh/internal/metrics"
	"tikakosh/internal/rolelog"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault"
)

// logFlags say how the roles' logs are kept.
type logFlags struct {
	LogDays      int           `name:"log-days" default:"400" help:"Days the roles' logs are kept (DATA/logs); 0: for ever. The law asks for a year."`
	LogGroup     int           `name:"log-group" help:"Number of a group that may read the logs."`
	LogSealEvery time.Duration `name:"log-seal-every" default:"10m" help:"How often the log files are sealed on the ledger."`
	LogSealFirst time.Duration `name:"log-seal-first" default:"1m" hidden:"" help:"How long after the start they are first."`
}

// clockEvery is how often the state of the machine's clock is written down.
const clockEvery = time.Hour

// keepLogs opens the roles' logs; the supervisor's own goes there from here on.
func (in *installation) keepLogs(ctx context.Context) error {
	store, err := rolelog.Open(rolelog.Options{Dir: in.layout.logs(), Now: time.Now, Console: os.Stderr, Group: in.flags.LogGroup, Room: in.logRoom,
		Head: func() []any { return []any{"version", version, clockFields()} }})
	if err != nil {
		return err
	}
	own, err := store.Writer("supervisor")
	if err != nil {
		return err
	}
	in.observed = &observed{set: metrics.New(version, time.Now), ready: &metrics.Ready{}}
	in.logs, in.log = store, slog.New(in.observed.set.Logs(slog.NewJSONHandler(own, nil), alarmsOf("supervisor")...)).With("role", "supervisor")
	in.observed.log = in.log
	in.watchLogs()
	go store.Run(ctx)
	go in.sealLogs(ctx)
	go in.noteClock(ctx)
	return nil
}

// logReserve is what the logs leave free of their disk, and logReserveShare of a
// small one: the databases may be on it.
const (
	logReserve      = 1 << 30
	logReserveShare = 0.02
)

// logRoom reports whether the disk of the logs has room for more of them.
func (in *installation) logRoom() bool {
	d, err := machine.ReadDisk(in.layout.logs())
	return err != nil || d.Free >= logReserve || d.Ratio() >= logReserveShare
}

// clockFields is the machine's clock as a log has it.
func clockFields() slog.Attr {
	c := machine.ReadClock()
	if c.Err != nil {
		return slog.Group("clock", "error", c.Err.Error())
	}
	return slog.Group("clock", "synchronised", c.Synchronised, "service", c.Service, "servers", c.Servers, "counter", c.Counter,
		"offset_us", c.Offset.Microseconds(), "estimated_error_us", c.EstimatedError.Microseconds(), "max_error_us", c.MaxError.Microseconds())
}

// noteClock writes the clock's state at the start and every hour, and a jump of
// the clock when there was one.
func (in *installation) noteClock(ctx context.Context) {
	const jump, look = 2 * time.Second, 10 * time.Second // defence.md R91
	in.log.Info("clock", clockFields())
	tick := time.NewTicker(look)
	defer tick.Stop()
	last, noted := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		// Sub reads the monotonic clock, Round(0) leaves the wall clock alone.
		if d := now.Round(0).Sub(last.Round(0)) - now.Sub(last); d.Abs() > jump {
			in.log.Warn("alarm: the machine's clock jumped", "alarm", "clock", "by_ms", d.Milliseconds(), clockFields())
		}
		if now.Sub(noted) >= clockEvery {
			in.log.Info("clock", clockFields())
			noted = now
		}
		last = now
	}
}

// logTo gives every role its log. The demo's seed draws its progress itself.
func (in *installation) logTo(roles []supervise.Role) error {
	for i := range roles {
		if roles[i].Name == "seed" {
			continue
		}
		var err error
		if roles[i].Stderr, err = in.logs.Pipe(roles[i].Name); err != nil {
			return err
		}
	}
	return nil
}

// sealAgain is how soon it is tried again to seal the logs when the vault did not
// serve.
const sealAgain = 15 * time.Second

// sealLogs seals the log files until ctx ends.
func (in *installation) sealLogs(ctx context.Context) {
	wait := time.NewTimer(in.flags.LogSealFirst)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		wait.Reset(in.flags.LogSealEvery)
		st, err := sealOnce(ctx, in.layout, in.flags.LogDays)
		if fault.Is(err, fault.Unavailable) { // soon after the vault serves again
			wait.Reset(min(in.flags.LogSealEvery, sealAgain))
		}
		standby := fault.CodeOf(err) == vault.CodeStandby
		was := in.standby.Swap(standby)
		if err == nil || fault.Is(err, fault.Integrity) {
			in.sealed.Store(time.Now().UnixMilli())
		}
		switch {
		case fault.Is(err, fault.Integrity):
			in.log.Error("alarm: "+message(err), "alarm", "logs")
		case fault.Is(err, fault.Conflict):
			in.log.Error("alarm: the statements about log files do not follow those on the ledger; run `tikakosh logs verify`", "alarm", "logs")
		case standby && !was:
			in.log.Warn("this machine stands by: its log files are sealed when its vault serves, not before")
		case standby:
		case err != nil && ctx.Err() == nil:
			in.log.Warn("the log files could not be sealed, will be tried again", "kind", fault.KindOf(err))
		}
		if len(st.Retired) > 0 {
			in.log.Info("log files deleted because of their age", "files", len(st.Retired))
		}
	}
}

// watchLogs shows how the logs do, and how often roles ended.
func (in *installation) watchLogs() {
	set := in.observed.set
	in.sealed.Store(time.Now().UnixMilli())
	set.Gauge("tikakosh_log_seal_age_seconds", "Time since the log files were last sealed, or since the start.", func() float64 {
		return time.Since(time.UnixMilli(in.sealed.Load())).Seconds()
	})
	set.Gauge("tikakosh_standby", "1 while another machine's vault serves and this one's logs are not sealed.", func() float64 {
		if in.standby.Load() {
			return 1
		}
		return 0
	})
	set.Values("tikakosh_log_lines_lost_total", "Log lines that could not be written, by log.", true, []string{"log"}, func() (out []metrics.Labelled) {
		for name, n := range in.logs.Lost() {
			out = append(out, metrics.Labelled{Labels: []string{name}, Value: float64(n)})
		}
		return out
	})
	set.Values("tikakosh_role_ends_total", "How often a role ended that should run, by role.", true, []string{"child"}, func() (out []metrics.Labelled) {
		in.endsMu.Lock()
		defer in.endsMu.Unlock()
		for _, name := range []string{"ops", "courier", "vault", "web", "worker"} {
			if _, ok := in.ends[name]; !ok { // known from the start, so that the first end is a rise
				out = append(out, metrics.Labelled{Labels: []string{name}})
			}
		}
		for name, n := range in.ends {
			out = append(out, metrics.Labelled{Labels: []string{name}, Value: float64(n)})
		}
		return out
	})
}

// restarted counts a role that ended.
func (in *installation) restarted(name string) {
	in.endsMu.Lock()
	defer in.endsMu.Unlock()
	if in.ends == nil {
		in.ends = map[string]int64{}
	}
	in.ends[name]++
}

// sealOnce seals the log files of an installation that runs.
func sealOnce(ctx context.Context, l layout, days int) (rolelog.Statement, error) {
	client, err := operatorClient(l.root)
	if err != nil {
		return rolelog.Statement{}, fault.Wrap(fault.Unavailable, err, "the vault")
	}
	log, err := l.logName()
	if err != nil {
		return rolelog.Statement{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	sealer := rolelog.Sealer{Dir: l.logs(), Now: time.Now, Keep: time.Duration(days) * 24 * time.Hour,
		Sign: func(ctx context.Context, number int64, previous, digest []byte) (json.RawMessage, error) {
			proof, err := client.SealLogs(ctx, vault.LogSeal{Log: log, Number: number, Previous: previous, Digest: digest})
			if err != nil {
				return nil, err
			}
			return json.Marshal(proof)
		}}
	return sealer.Seal(ctx)
}

// logName names the logs of this machine and folder on the ledger. It is not kept
// in the folder: throwing that away begins no new log.
func (l layout) logName() (string, error) {
	path, err := filepath.Abs(l.logs())
	if err != nil {
		return "", err
	}
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(machine) == 0 { // a container has none
		name, err := os.Hostname()
		if err != nil {
			return "", err
		}
		machine = []byte(name)
	}
	sum := sha256.Sum256([]byte("tikakosh/log/v1\x00" + strings.TrimSpace(string(machine)) + "\x00" + path))
	return hex.EncodeToString(sum[:8]), nil
}
