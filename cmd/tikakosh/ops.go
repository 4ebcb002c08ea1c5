package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/ipc"
	"tikakosh/internal/machine"
	"tikakosh/internal/metrics"
	"tikakosh/internal/supervise"
)

// opsFlags say where the operator looks at an installation.
type opsFlags struct {
	OpsAddr   string  `name:"ops-addr" default:"127.0.0.1:9180" help:"Address of health, readiness and metrics; keep it private. \"off\": none."`
	OTLP      string  `name:"otlp" help:"Send traces to this OpenTelemetry collector, as in http://127.0.0.1:4318. Without it there are none."`
	OTLPShare float64 `name:"otlp-share" default:"0.01" help:"Share of the requests that are traced, from 0 to 1."`
}

const (
	opsDefault = "127.0.0.1:9180"
	opsEnd     = "ops"        // a role's socket for its operator
	opsListen  = "ops-listen" // the operator's listener
)

// listenOps opens the operator's address. When the default one is taken, as on
// a machine with two installations, another port serves.
func (in *installation) listenOps(ctx context.Context) error {
	if in.flags.OpsAddr == "off" || in.flags.OpsAddr == "" {
		return nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", in.flags.OpsAddr)
	if errors.Is(err, unix.EADDRINUSE) && in.flags.OpsAddr == opsDefault {
		if ln, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err == nil {
			in.log.Warn("the operator's default address is taken, another port serves: give --ops-addr", "address", ln.Addr().String())
		}
	}
	if err != nil {
		return cannotListen("the operator's address", "--ops-addr", err)
	}
	if a, ok := ln.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() && !a.IP.IsPrivate() {
		in.log.Warn("the operator's address is not private: figures of the installation are shown to whoever reaches it", "address", ln.Addr().String())
	}
	in.ops = ln
	return nil
}

// withOps gives every role a socket for the operator's questions, and adds the
// role that asks them: it has no key, no database and no way to the vault.
func (in *installation) withOps(ctx context.Context, roles []supervise.Role) ([]supervise.Role, func(), error) {
	if in.ops == nil {
		return roles, func() {}, nil
	}
	var all []*os.File
	closeAll := func() {
		for _, f := range all {
			_ = f.Close()
		}
	}
	var names []string
	var ends []*os.File
	pair := func(role string) (*os.File, error) {
		client, server, err := ipc.Pair()
		if err == nil {
			all, names, ends = append(all, client, server), append(names, role), append(ends, client)
		}
		return server, err
	}
	own, err := pair("supervisor")
	if err == nil {
		err = in.observed.answerOn(ctx, own)
	}
	for i := range roles {
		if err != nil || roles[i].Name == "seed" || roles[i].Program != "" {
			continue
		}
		var server *os.File
		if server, err = pair(roles[i].Name); err == nil {
			for j, v := range roles[i].Env {
				if strings.HasPrefix(v, fdsVariable+"=") {
					roles[i].Env[j] = fmt.Sprintf("%s,%s=%d", v, opsEnd, 3+len(roles[i].Files))
				}
			}
			roles[i].Files = append(roles[i].Files, server)
		}
	}
	var ln *os.File
	if err == nil {
		ln, err = in.ops.(*net.TCPListener).File()
	}
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	all = append(all, ln)
	args := []string{"ops", "--data=" + in.layout.root, "--otlp=" + in.flags.OTLP}
	return append([]supervise.Role{in.role("ops", args, append(names, opsListen), append(ends, ln))}, roles...), closeAll, nil
}

// share of requests that are traced.
func (f opsFlags) share() float64 {
	if f.OTLP == "" {
		return 0
	}
	return f.OTLPShare
}

type opsCmd struct {
	Data string `required:"" help:"Data folder."`
	OTLP string `name:"otlp"`
}

// Run is the ops role: it gathers what the other roles show.
func (c *opsCmd) Run() error {
	o, err := observe("ops", 0)
	if err != nil {
		return err
	}
	ctx, stop := roleContext()
	defer stop()
	c.machine(o.set)
	sources := []metrics.Source{{Role: "ops", Own: o.set}}
	for _, name := range inheritedNames() {
		if name == opsListen || name == opsEnd {
			continue
		}
		end, err := inherited(name)
		if err != nil {
			return err
		}
		sources = append(sources, metrics.Source{Role: name, Client: ipc.HTTPClient(ipc.NewDialer(end), 5*time.Second)})
	}
	end, err := inherited(opsListen)
	if err != nil {
		return err
	}
	ln, err := net.FileListener(end)
	if err != nil {
		return err
	}
	if c.OTLP != "" {
		relay, err := newSpanRelay(c.OTLP, sources, o)
		if err != nil {
			return err
		}
		go relay.run(ctx)
	}
	srv := &http.Server{Handler: metrics.Operator(sources), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelDebug)}
	return serveUntil(ctx, func() error { supervise.Ready(); return srv.Serve(ln) }, srv)
}

// machine shows the machine's clock, disks and the age of the newest backup.
func (c *opsCmd) machine(set *metrics.Set) {
	l := layout{c.Data}
	set.Gauge("tikakosh_clock_synchronised", "1 when the kernel's clock is disciplined by a time service.", func() float64 {
		if machine.ReadClock().Synchronised {
			return 1
		}
		return 0
	})
	set.Gauge("tikakosh_clock_offset_seconds", "What the kernel still corrects of its clock.", func() float64 { return machine.ReadClock().Offset.Seconds() })
	set.Gauge("tikakosh_clock_max_error_seconds", "The kernel's bound of its clock's error.", func() float64 { return machine.ReadClock().MaxError.Seconds() })
	folders := map[string]string{"data": l.root, "registry": l.registry(), "vault": l.vault(), "ledger": l.ledger(), "logs": l.logs()}
	disks := func(value func(machine.Disk) float64) func() []metrics.Labelled {
		return func() (out []metrics.Labelled) {
			for name, path := range folders {
				if d, err := machine.ReadDisk(path); err == nil {
					out = append(out, metrics.Labelled{Labels: []string{name}, Value: value(d)})
				}
			}
			return out
		}
	}
	set.Values("tikakosh_disk_free_bytes", "Room left on the disk of a folder, by folder.", false, []string{"folder"}, disks(func(d machine.Disk) float64 { return float64(d.Free) }))
	set.Values("tikakosh_disk_free_ratio", "Share of the disk of a folder that is left.", false, []string{"folder"}, disks(func(d machine.Disk) float64 { return d.Ratio() }))
	set.Gauge("tikakosh_backup_age_seconds", "Time since the newest good backup; one year when there is none.", func() float64 { return age(l.lastBackup().FinishedMS) })
	set.Gauge("tikakosh_backup_verified_age_seconds", "Time since a restored copy was last verified; one year when never.", func() float64 { return age(l.lastBackup().VerifiedMS) })
	set.Gauge("tikakosh_drill_failed", "1 when the newest restore drill failed.", func() float64 {
		if l.lastBackup().DrillFailedMS > 0 {
			return 1
		}
		return 0
	})
}

// backupStatus is what a backup leaves behind for the operator's figures.
type backupStatus struct {
	FinishedMS int64 `json:"finished_ms"`
	OK         bool  `json:"ok"`
	Bytes      int64 `json:"bytes"`
	VerifiedMS int64 `json:"verified_ms"`

	DrillFailedMS int64 `json:"drill_failed_ms,omitempty"` // when the newest drill failed; 0: it did not
}

// lastBackup reads it; a backup that failed, and none at all, are zero.
func (l layout) lastBackup() (b backupStatus) {
	raw, err := readSmall(l.backupStatus())
	if err != nil || json.Unmarshal(raw, &b) != nil || !b.OK {
		return backupStatus{VerifiedMS: b.VerifiedMS, DrillFailedMS: b.DrillFailedMS}
	}
	return b
}

func age(ms int64) float64 {
	const never = 365 * 24 * time.Hour
	if ms <= 0 {
		return never.Seconds()
	}
	return time.Since(time.UnixMilli(ms)).Seconds()
}

// inheritedNames are the names of the inherited descriptors.
func inheritedNames() (names []string) {
	for _, pair := range strings.Split(os.Getenv(fdsVariable), ",") {
		if name, _, ok := strings.Cut(pair, "="); ok {
			names = append(names, name)
		}
	}
	return names
}

// spanRelay carries finished spans from the roles to a collector.
type spanRelay struct {
	url     string
	sources []metrics.Source
	client  *http.Client
	log     *slog.Logger
	failing bool
}

// relayEvery is how often spans are carried.
const relayEvery = 2 * time.Second

func newSpanRelay(address string, sources []metrics.Source, o *observed) (*spanRelay, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, badConfig("--otlp wants the address of a collector, as in http://127.0.0.1:4318")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces" // OTLP/HTTP's default
	}
	return &spanRelay{url: u.String(), sources: sources, client: &http.Client{Timeout: 10 * time.Second}, log: o.log}, nil
}

func (r *spanRelay) run(ctx context.Context) {
	tick := time.NewTicker(relayEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, s := range r.sources {
			if s.Client == nil {
				continue
			}
			raw, err := s.Ask(ctx, http.MethodPost, "/spans", "")
			if err != nil || len(raw) == 0 {
				continue // tikakosh_up says who does not answer
			}
			err = r.send(ctx, raw)
			if failing := err != nil; failing != r.failing && ctx.Err() == nil {
				r.failing = failing
				r.log.Warn("traces", "collector_takes_them", !failing)
			}
		}
	}
}

func (r *spanRelay) send(ctx context.Context, raw []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return errors.New(res.Status)
	}
	return nil
}
