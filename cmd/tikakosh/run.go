package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ipc"
	"tikakosh/internal/rolelog"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
)

// runFlags are shared by run and demo.
type runFlags struct {
	vaultFlags
	databaseFlags
	Listen    string         `default:"127.0.0.1:8080" help:"Address of the API."`
	Routes    string         `help:"File with the gateways that carry messages (README, \"Run it\")."`
	Outbox    string         `help:"Address of the page that shows messages instead of sending them (trials)."`
	PublicURL string         `name:"public-url" help:"Base address that clients use, as in https://vaccination.example; default http:// and the listen address."`
	Contact   []string       `help:"How people reach you: a telephone number or an e-mail address, shown on the pages of requests, of leaving and of problems. May be given twice. Without it nothing is shown."`
	Proxy     []netip.Prefix `help:"Networks of the TLS proxies whose X-Forwarded-For is believed, as in 127.0.0.1/32. Without it everybody behind a proxy counts as one address, for the limits too."`
	UIDBase   int            `name:"uid-base" default:"64300" help:"First of the user numbers of the roles when started as root."`
	NoLimits  bool           `name:"no-limits" help:"Switch the web role's request limits off (measurements)."`
	logFlags
	backupFlags
	opsFlags
	Policies    string `type:"existingdir" help:"Folder with *.cedar files: this installation's own policies. They are in force from the first start on; later, other files are a proposal that two people approve (docs/OPERATIONS.md)."`
	StaffListen string `name:"staff-listen" help:"Address of the staff client, as in 127.0.0.1:8082; what browsers see of it is --staff-origin. Without it the client is not served; a demo serves it at 127.0.0.1:8082."`

	DepartmentSecrets string `name:"department-secrets" help:"File (mode 600) with the client secrets or keys by which this installation is known at departments' identity providers; only the web role gets it."`

	AlsoListen []string `name:"also-listen" help:"Further addresses of the API, each served by a web process of its own."`

	// For tests, which wait for these.
	WatchEvery  time.Duration `default:"1m" hidden:"" help:"How often the worker looks for places that became free."`
	WorkerEvery time.Duration `default:"1s" hidden:"" help:"How often the worker looks for work that broke off."`
	SearchEvery time.Duration `default:"250ms" hidden:"" help:"How often the slot search looks for changes in the database."`
	RestartWait time.Duration `default:"2s" hidden:"" help:"Longest wait before a role is started again."`
}

type runCmd struct {
	runFlags
	Data string `required:"" help:"Data folder; made when missing."`
}

// Run starts all roles on one machine.
func (c *runCmd) Run() error {
	if (c.Outbox == "") == (c.Routes == "") {
		return badConfig("one message route is wanted, or codes cannot be sent: --routes FILE with the SMS gateways, or --outbox 127.0.0.1:8081 to see messages on a page of this machine")
	}
	if c.ClockFile != "" && !ablate.Built {
		return badConfig("--clock-file is for demos and tests")
	}
	in := &installation{flags: c.runFlags, layout: layout{c.Data}, out: os.Stdout, log: logger("supervisor")}
	return in.run(context.Background())
}

// installation is everything `run` and `demo` start.
type installation struct {
	flags    runFlags
	layout   layout
	demo     *demoCmd // nil in run
	out      *os.File
	log      *slog.Logger
	separate bool
	api      net.Listener
	also     []net.Listener
	staff    net.Listener // of the staff client; nil: none
	outbox   net.Listener
	secret   string // of the outbox page's address
	policies map[string]string
	routes   []byte // of the courier, with their passwords; nil with an outbox
	logs     *rolelog.Store
	ops      net.Listener // nil: none
	observed *observed    // of the supervisor itself
	sealed   atomic.Int64 // when the logs last were, UTC milliseconds
	standby  atomic.Bool  // another machine's vault serves
	endsMu   sync.Mutex
	ends     map[string]int64 // how often a role ended
}

// ids of a role's user; web and worker share a group for the registry's files.
type ids struct{ uid, gid int }

func (in *installation) ids(role string) ids {
	base := in.flags.UIDBase
	switch role {
	case "vault":
		return ids{base + 1, base + 1}
	case "courier":
		return ids{base + 2, base + 2}
	case "web":
		return ids{base + 3, base + 5}
	case "hsm":
		return ids{base + 6, base + 6}
	case "ops":
		return ids{base + 7, base + 7}
	default: // worker, seed
		return ids{base + 4, base + 5}
	}
}

func (in *installation) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	in.separate = os.Geteuid() == 0
	if !in.separate {
		in.log.Warn("roles not separated: started without root, every role runs as this user")
	}
	if err := in.flags.resolve(in.log); err != nil {
		return err
	}
	if _, err := contacts(in.flags.Contact); err != nil {
		return err
	}
	if in.flags.PublicURL != "" { // one that was not configured is no address to print
		in.flags.CheckAt = in.publicURL() + "/verify"
	}
	policies, err := policyFiles(in.flags.Policies)
	if err != nil {
		return err
	}
	in.policies = policies
	if err := in.prepare(); err != nil {
		return err
	}
	if err := in.keepLogs(ctx); err != nil {
		return err
	}
	defer in.logs.Close()
	if in.flags.Routes != "" {
		if _, in.routes, err = loadRoutes(in.flags.Routes); err != nil {
			return err
		}
	}
	var lc net.ListenConfig
	if in.api, err = lc.Listen(ctx, "tcp", in.flags.Listen); err != nil {
		return cannotListen("the API's address", "--listen", err)
	}
	defer in.api.Close()
	defer in.closeAlso()
	if err := in.listenAlso(ctx); err != nil {
		return err
	}
	if err := in.listenStaff(ctx); err != nil {
		return err
	}
	if in.staff != nil {
		defer in.staff.Close()
	}
	if err := in.listenOps(ctx); err != nil {
		return err
	}
	if in.ops != nil {
		defer in.ops.Close()
	}
	if in.routes == nil {
		if in.outbox, err = lc.Listen(ctx, "tcp", in.flags.Outbox); err != nil {
			return cannotListen("the outbox page's address", "--outbox", err)
		}
		defer in.outbox.Close()
		if a, ok := in.outbox.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
			return badConfig("--outbox shows codes to whoever can reach it: only a loopback address is accepted")
		}
		in.secret = id.Secret(16)
	}
	roles, closeAll, err := in.roles()
	if err != nil {
		return err
	}
	defer closeAll()
	roles, closeOps, err := in.withOps(ctx, roles)
	if err != nil {
		return err
	}
	defer closeOps()
	if err := in.logTo(roles); err != nil {
		return err
	}
	s := &supervise.Supervisor{Roles: roles, Logger: in.log, Now: time.Now, Wait: in.flags.RestartWait, Ready: func(name string) {
		if name == "web" {
			in.announce(ctx)
			supervise.Notify(ctx, "READY=1")
		}
	}, Ended: in.restarted}
	go supervise.Watchdog(ctx)
	return s.Run(ctx)
}

// cannotListen says which address cannot be had, and what to do about it.
func cannotListen(what, flag string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w: another program has this port; stop it, or give another with %s", what, err, flag)
	}
	return fmt.Errorf("%s: %w; another one is given with %s", what, err, flag)
}

// prepare makes the data folders, each for the role that owns it.
func (in *installation) prepare() error {
	l := in.layout
	_, absent := os.Stat(l.root)
	if err := os.MkdirAll(l.root, 0o711); err != nil {
		return err
	}
	if errors.Is(absent, fs.ErrNotExist) { // a careful umask would lock the roles out of a folder made here
		if err := os.Chmod(l.root, 0o711); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		path, role string
		mode       os.FileMode
	}{{l.vault(), "vault", 0o700}, {l.ledger(), "vault", 0o755}, {l.registry(), "web", 0o2770}} {
		if err := os.MkdirAll(d.path, 0o700); err != nil {
			return err
		}
		if in.separate {
			who := in.ids(d.role)
			if err := os.Chown(d.path, who.uid, who.gid); err != nil {
				return err
			}
		}
		mode := d.mode
		if mode == 0o2770 {
			mode = os.ModeSetgid | 0o770
		}
		if err := os.Chmod(d.path, mode); err != nil {
			return err
		}
	}
	if err := in.prepareBackups(); err != nil {
		return err
	}
	if !in.separate {
		return nil
	}
	if in.flags.Keys == custody.KindShares { // `keys split` made them as root, before there was a vault's user
		for _, path := range []string{l.keys(), l.vaultLock()} {
			if _, err := os.Stat(path); err == nil {
				if err := giveTo(l.vault(), path); err != nil {
					return err
				}
			}
		}
	}
	return in.reachable()
}

// reachable checks that other users can get to the data folder.
func (in *installation) reachable() error {
	abs, err := filepath.Abs(in.layout.root)
	if err != nil {
		return err
	}
	for dir := abs; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return badConfig("the roles' users cannot reach the data folder: chmod o+x %s, or choose another --data", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// roles makes the socket pairs and describes the children, vault first.
func (in *installation) roles() ([]supervise.Role, func(), error) {
	var all []*os.File
	closeAll := func() {
		for _, f := range all {
			_ = f.Close()
		}
	}
	pair := func() (client, server *os.File, err error) {
		client, server, err = ipc.Pair()
		all = append(all, client, server)
		return client, server, err
	}
	courierC, courierS, err1 := pair()
	webC, webS, err2 := pair()
	workerC, workerS, err3 := pair()
	seedC, seedS, err4 := pair()
	apiFile, err5 := in.api.(*net.TCPListener).File()
	way, err6 := in.messageWay()
	all = append(all, apiFile, way.file)
	webNames, webHas, err := in.staffFile([]string{"vault", "api"}, []*os.File{webC, apiFile})
	if err == nil {
		webNames, webHas, err = in.secretsFile(webNames, webHas)
	}
	all = append(all, webHas[2:]...)
	if err := errors.Join(err, err1, err2, err3, err4, err5, err6); err != nil {
		closeAll()
		return nil, nil, err
	}
	data := "--data=" + in.layout.root
	in.staffOrigins()
	vaultArgs := append([]string{"vault", data}, in.flags.vaultFlags.args()...)
	if in.demo != nil {
		vaultArgs = append(vaultArgs, "--demo")
	}
	if in.separate {
		vaultArgs = append(vaultArgs, "--separated")
	}
	traceArg := fmt.Sprint("--trace=", in.flags.share())
	vaultArgs = append(vaultArgs, traceArg)
	clockArg := "--clock-file=" + in.flags.ClockFile
	webArgs := []string{"serve", data, "--public-url=" + in.publicURL(), clockArg, fmt.Sprint("--search-every=", in.flags.SearchEvery), traceArg}
	for _, network := range in.flags.Proxy {
		webArgs = append(webArgs, "--proxy="+network.String())
	}
	for _, one := range in.flags.Contact {
		webArgs = append(webArgs, "--contact="+one)
	}
	if in.flags.NoLimits {
		webArgs = append(webArgs, "--no-limits")
	}
	vaultNames, vaultFiles := []string{"courier", "web", "worker"}, []*os.File{courierC, webS, workerS}
	if in.policies != nil {
		f, err := policiesFile(in.policies)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		all = append(all, f)
		vaultNames, vaultFiles = append(vaultNames, "policies"), append(vaultFiles, f)
	}
	courierArgs, courierNames, courierFiles := []string{"courier", "serve", clockArg}, []string{"courier"}, []*os.File{courierS}
	if way.outbox {
		courierArgs = append(courierArgs, "--outbox")
		vaultNames, vaultFiles = append(vaultNames, "outbox"), append(vaultFiles, way.file)
	} else {
		courierNames, courierFiles = append(courierNames, "routes"), append(courierFiles, way.file)
	}
	if in.demo != nil {
		vaultNames, vaultFiles = append(vaultNames, "seeder"), append(vaultFiles, seedS)
	}
	roles, hsmEnd, hsmFiles, err := in.hsmRole()
	all = append(all, hsmFiles...)
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	if hsmEnd != nil {
		vaultNames, vaultFiles = append(vaultNames, "hsm"), append(vaultFiles, hsmEnd)
	}
	webs, webFiles, err := in.moreWebs(webArgs, webC)
	all = append(all, webFiles...)
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	roles = append(roles,
		in.role("courier", courierArgs, courierNames, courierFiles),
		in.role("vault", vaultArgs, vaultNames, vaultFiles),
		in.role("web", webArgs, webNames, webHas),
		in.role("worker", append([]string{"worker", data, clockArg, fmt.Sprint("--every=", in.flags.WorkerEvery), fmt.Sprint("--watch-every=", in.flags.WatchEvery)}, in.flags.backupFlags.args()...), []string{"vault"}, []*os.File{workerC}),
	)
	roles = append(roles, webs...)
	if in.demo != nil {
		seed := in.role("seed", append([]string{"seed", data, clockArg}, in.demo.seedArgs()...), []string{"vault"}, []*os.File{seedC})
		seed.Once = true
		roles = append(roles, seed)
	}
	return roles, closeAll, nil
}

// role describes one child with a clean environment.
func (in *installation) role(name string, args, names []string, files []*os.File) supervise.Role {
	env := []string{fdsVariable + "=" + fdList(names), "GOMAXPROCS=" + fmt.Sprint(runtime.NumCPU())}
	env = append(env, in.flags.environment(name)...)
	if name == "vault" {
		env = append(env, outboxVariable+"="+in.secret)
	}
	if name == "vault" || name == "web" {
		env = append(env, "GOGC=200") // the busy ones collect half as often; ADR 16
	}
	if name != "vault" && name != "courier" {
		// Freed memory is overwritten, so that plaintext which passed through does
		// not stay behind (ADR 8).
		env = append(env, "GODEBUG=clobberfree=1")
	}
	if ablate.Built {
		for _, v := range os.Environ() {
			if strings.HasPrefix(v, "TIKAKOSH_ABLATE=") || strings.HasPrefix(v, "TIKAKOSH_CRASH") {
				env = append(env, v)
			}
		}
	}
	who := in.ids(name)
	return supervise.Role{Name: name, Args: args, Env: env, Files: files, Separate: in.separate, UID: who.uid, GID: who.gid}
}

func (in *installation) publicURL() string {
	if in.flags.PublicURL != "" {
		return strings.TrimSuffix(in.flags.PublicURL, "/")
	}
	return "http://" + in.api.Addr().String()
}

// announce prints where everything is, once the web role answers.
func (in *installation) announce(ctx context.Context) {
	fmt.Fprintf(in.out, "portal  %s/\n", in.publicURL())
	fmt.Fprintf(in.out, "api     %s/api\n", in.publicURL())
	for _, ln := range in.also {
		fmt.Fprintf(in.out, "also    http://%s/api\n", ln.Addr())
	}
	if in.outbox != nil {
		fmt.Fprintf(in.out, "outbox  http://%s/%s/\n", in.outbox.Addr(), in.secret)
	}
	if in.demo != nil {
		switch err := in.demoStaff(ctx); {
		case fault.Is(err, fault.Unavailable): // the vault waits for something
			go in.demoStaffLater(ctx)
		case err != nil:
			in.log.Error("demo staff", "error", err.Error())
		}
		fmt.Fprintf(in.out, "staff   %s  %s\n", filepath.Join(in.layout.staff(), "manager.json"), filepath.Join(in.layout.staff(), "vaccinator.json"))
	}
	in.announceClient()
	in.announceStaff(ctx)
	if in.ops != nil {
		fmt.Fprintf(in.out, "ops     http://%s/readyz\n", in.ops.Addr())
	}
	if in.demo != nil && in.outbox != nil {
		fmt.Fprintln(in.out, "try     open the portal, sign in with the mobile 5000000001, read the code on the outbox page")
	}
	fmt.Fprintf(in.out, "data    %s\n", in.layout.root)
	if !in.separate {
		fmt.Fprintln(in.out, "note    roles not separated (not started as root)")
	}
}

// demoStaffLater enrols them once the vault serves.
func (in *installation) demoStaffLater(ctx context.Context) {
	for ctx.Err() == nil {
		err := in.demoStaff(ctx)
		if err == nil {
			return
		}
		if !fault.Is(err, fault.Unavailable) {
			in.log.Error("demo staff", "error", err.Error())
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// demoStaff enrols the demo's managers and vaccinator, once per data folder.
func (in *installation) demoStaff(ctx context.Context) error {
	if err := os.MkdirAll(in.layout.staff(), 0o700); err != nil {
		return err
	}
	client, err := operatorClient(in.layout.root)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	// Three people: a centre with fewer waits a day for every second person.
	for _, s := range []struct{ file, role string }{{"manager", "manager"}, {"vaccinator", "vaccinator"}, {"second-manager", "manager"}} {
		path := filepath.Join(in.layout.staff(), s.file+".json")
		if _, err := os.Stat(path); err == nil {
			continue
		}
		r := vault.StaffEnrolRequest{Role: s.role, Centre: demoCentre, Name: "Demo " + strings.ReplaceAll(s.file, "-", " ")}
		if _, err := enrolStaff(ctx, client, r, path); err != nil {
			return err
		}
	}
	return nil
}
