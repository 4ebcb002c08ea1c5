package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ipc"
	"tikakosh/internal/ledger"
	"tikakosh/internal/metrics"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/patience"
)

// searchDays is how many days ahead the slot search shows.
const searchDays = 30

// searchReload is how often the slot search reads everything anew, below the
// feed of changes: for the days that come into sight.
const searchReload = time.Minute

// purgeEvery is how often the worker deletes what no request can need any more.
const purgeEvery = time.Hour

// keysEvery is how often the web role asks for the vault's public keys; a new key
// is announced for ten times as long before it is used (rotation.DefaultTimes).
const keysEvery = time.Second

// vaultTimeout bounds one call to the vault.
const vaultTimeout = 30 * time.Second

type serveCmd struct {
	Data      string         `required:"" help:"Data folder."`
	PublicURL string         `name:"public-url" required:"" help:"Base address that clients use."`
	Proxy     []netip.Prefix `help:"Networks of proxies whose X-Forwarded-For is believed."`
	Contact   []string       `help:"How people reach the operator."`
	NoLimits  bool           `name:"no-limits" help:"No request limits (measurements)."`
	DB        string         `name:"db" env:"TIKAKOSH_DB" help:"Registry database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
	ReadDB    string         `name:"read-db" env:"TIKAKOSH_READ_DB" help:"A replica of it for slot search and statistics."`

	Trace       float64       `hidden:"" help:"Share of requests that are traced."`
	SearchEvery time.Duration `default:"250ms" help:"How often the slot search looks for what other processes changed."`
	ClockFile   string        `hidden:""`
}

// registryRole is what web, worker and seed share: the registry database and
// the vault's client.
type registryRole struct {
	db        sqldb.DB
	vault     *vault.Client
	http      *http.Client
	dialer    *ipc.Dialer
	people    *registry.Service
	bookings  *scheduling.Service
	available *scheduling.Availability
	scatter   *registrydb.Scatter
	rows      *registrydb.Bookings
	alerts    *scheduling.Alerts
	now       func() time.Time
}

// commitCrash lets a test build end a role on either side of each COMMIT.
func commitCrash(role string) func(step string) error {
	if !ablate.Built {
		return nil
	}
	return func(step string) error { ablate.Crash(role + ":" + step); return nil }
}

func openRegistry(ctx context.Context, role, url, data, clockFile string, o *observed) (*registryRole, error) {
	log := o.log
	syscall.Umask(0o007) // the group of web and worker shares the files
	end, err := inherited("vault")
	if err != nil {
		return nil, err
	}
	r := &registryRole{now: clock(clockFile), dialer: ipc.NewDialer(end)}
	r.http = ipc.HTTPClient(r.dialer, vaultTimeout)
	way := patience.New(ctx, r.http.Transport, patience.DefaultTimes(), log)
	r.http.Transport = way
	o.vaultAway(way)
	o.toVault(r.http)
	r.vault = vault.NewClient(r.http, "http://vault")
	o.ready.Need("vault", func(ctx context.Context) error { return vaultReady(ctx, r.vault) })
	if url, err = databaseURL(url); err != nil {
		return nil, err
	}
	if r.db, err = openRegistryDB(ctx, role, url, data, o); err != nil {
		return nil, err
	}
	r.scatter = registrydb.NewScatter(r.db)
	r.people = registry.New(registrydb.NewPeople(r.db), r.vault, r.now, log)
	r.available = scheduling.NewAvailability(r.scatter, searchDays, r.now, log)
	r.rows = registrydb.NewBookings(r.db)
	r.alerts = scheduling.NewAlerts(r.rows, r.vault, r.now)
	r.bookings = scheduling.New(r.rows, r.vault, r.people, r.available, r.now, log)
	return r, nil
}

// readingFrom is the registry as slot search and statistics read it.
func readingFrom(ctx context.Context, r *registryRole, url string, log *slog.Logger) (sqldb.DB, error) {
	url, err := databaseURL(url)
	if err != nil {
		return nil, err
	}
	return withReplica(ctx, r.db, url, "web", log)
}

// Run is the web role.
func (c *serveCmd) Run() error {
	o, err := observe("web", c.Trace)
	if err != nil {
		return err
	}
	log := o.log
	ctx, stop := roleContext()
	defer stop()
	if err := o.answer(ctx); err != nil {
		return err
	}
	r, err := openRegistry(ctx, "web", c.DB, c.Data, c.ClockFile, o)
	if err != nil {
		return err
	}
	defer r.db.Close()
	read, err := readingFrom(ctx, r, c.ReadDB, log)
	if err != nil {
		return err
	}
	defer read.Close()
	if err := r.available.LoadFrom(ctx, r.scatter); err != nil {
		return err
	}
	o.set.Gauge("tikakosh_booking_waiting", "Bookings that wait in the sessions' queues.", func() float64 { return float64(r.bookings.Waiting()) })
	go r.available.Follow(ctx, registrydb.NewScatter(read), c.SearchEvery, searchReload)
	keys, err := firstKeys(ctx, r.vault, layout{c.Data}, log)
	if err != nil {
		return err
	}
	if err := vault.Warm(); err != nil {
		return err
	}
	where, err := places.Load()
	if err != nil {
		return err
	}
	fonts := encode.DefaultFonts()
	cards := registry.NewCards(r.people, r.vault)
	access, flush := accessLogger("web")
	defer flush()
	signIns, err := newDirectory(r.vault, r.now, log)
	if err != nil {
		return err
	}
	srv, err := edge.New(edge.Config{Departments: signIns, Alerts: r.alerts, Leaving: registry.NewLeaving(r.people, r.vault), Emails: r.vault, Devices: r.vault, Reports: registrydb.NewReports(read), Cards: cards, CardCodes: r.vault, WalkIns: scheduling.NewWalkIns(r.bookings, r.vault, cards),
		CardPDF: func(text, pin string, ref id.Reference) ([]byte, error) {
			return encode.CardPDF(encode.Card{Text: text, PIN: pin, ReferenceID: ref, IssuedAt: r.now()}, fonts)
		}, Codes: r.vault, Second: r.vault, Identities: r.vault, Rosters: registry.NewRosters(r.people, r.vault, r.rows.Expected), Glass: registry.NewGlass(r.people, r.vault), Relinks: registry.NewRelinks(r.people, r.vault), Requests: registry.NewRequests(r.people, r.vault), Exports: registry.NewRequests(r.people, r.vault), Shares: registry.NewShares(r.people, r.vault), Partners: r.vault, People: r.people, Doses: r.people, Search: r.bookings, Bookings: r.bookings,
		Slip:   func(v scheduling.SlipView) ([]byte, error) { return slipPDF(v, r.now(), fonts) },
		Places: where, Keys: keys, KeysLater: len(keys.BearerJWK)+len(keys.Bearers) == 0, LedgerDir: layout{c.Data}.ledger(), PublicURL: c.PublicURL, Proxies: c.Proxy, NoLimits: c.NoLimits, Now: r.now, Logger: log, Access: access, Watch: newWebFigures(o.set), Tracer: o.tracer()})
	if err != nil {
		return err
	}
	if err := servePortal(srv, r, registrydb.NewReports(read), where, layout{c.Data}, c.Contact, log); err != nil {
		return err
	}
	o.ready.Need("public keys", srv.Known)
	go srv.FollowKeys(ctx, keysEvery, keepingKeys(r.vault.Keys, keys, layout{c.Data}, log))
	end, err := inherited("api")
	if err != nil {
		return err
	}
	ln, err := net.FileListener(end)
	if err != nil {
		return err
	}
	sharing, stopSharing := context.WithCancel(context.WithoutCancel(ctx)) // bookings under way are finished after ctx
	shared, removed := r.bookings.Run(sharing), r.people.Run(sharing)
	defer func() { stopSharing(); shared(); removed() }()
	staffEnds, err := serveStaff(ctx, stop, srv, c.PublicURL, r.now, shownDepartments(signIns), log)
	if err != nil {
		return err
	}
	supervise.Ready()
	log.Info("web ready")
	err = srv.Run(ctx, ln, r.http.CloseIdleConnections)
	<-staffEnds
	return err
}

// slipPDF renders a slip; the codes on it come from the vault's answer.
func slipPDF(v scheduling.SlipView, now time.Time, fonts *encode.Fonts) ([]byte, error) {
	s := encode.Slip{ViewRef: v.ViewRef, Centre: v.Centre.Name, Address: v.Centre.Address, District: v.Centre.District, State: v.Centre.State,
		Date: v.Offer.Day, Slot: v.Offer.Slot, Vaccine: v.Offer.Product, IssuedAt: now}
	for _, p := range v.People {
		s.People = append(s.People, encode.SlipPerson{Name: p.Name, ReferenceID: p.Reference, BirthYear: p.BirthYear,
			IDType: rules.TextOf(rules.IDTypes(), p.IDType), IDLast4: p.IDLast4, Dose: p.Dose, Code: p.Code})
	}
	doc, err := encode.SlipPDF(s, fonts)
	return doc, fault.Wrap(fault.Internal, err, "slip")
}

type workerCmd struct {
	backupFlags
	Data       string        `required:"" help:"Data folder."`
	WatchEvery time.Duration `default:"1m" help:"How often places that became free are looked for."`
	Statistics time.Duration `name:"statistics-every" default:"1m" hidden:"" help:"How often the figures of a day that has ended are asked for, until they are there."`
	DB         string        `name:"db" env:"TIKAKOSH_DB" help:"Registry database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
	Every      time.Duration `default:"1s" help:"How often the outbox is relayed and expired holds are swept."`
	ClockFile  string        `hidden:""`
}

// Run is the worker role: it finishes what broke off.
func (c *workerCmd) Run() error {
	o, err := observe("worker", 0)
	if err != nil {
		return err
	}
	log := o.log
	ctx, stop := roleContext()
	defer stop()
	if err := o.answer(ctx); err != nil {
		return err
	}
	r, err := openRegistry(ctx, "worker", c.DB, c.Data, c.ClockFile, o)
	if err != nil {
		return err
	}
	defer r.db.Close()
	jobs := metrics.NewJobs(o.set, "relay", "inbox", "sweep", "purge", "statistics", "watch", "draw")
	r.overdue(ctx, o.set)
	relay := registry.NewRelay(r.people, r.scatter)
	sweeper := scheduling.NewSweeper(r.bookings, r.scatter)
	publisher := registry.NewPublisher(r.vault, registrydb.NewReports(r.db), c.Statistics)
	recounter := registry.NewRecounter(r.vault, r.people, r.scatter)
	publish := func() (int, error) {
		if !recounter.Done() { // a day's figures with a part of the people would look like growth later
			return 0, nil
		}
		_, err := publisher.Publish(ctx, r.now())
		return 0, err
	}
	drawer := scheduling.NewDrawer(r.bookings, r.scatter, func() (string, int64, error) { return ledger.PublishedCheckpoint(layout{c.Data}.ledger()) })
	supervise.Ready()
	log.Info("worker ready")
	r.awaitVault(ctx, log)
	if c.BackupTo != "" {
		go backups(ctx, c.backupFlags, layout{c.Data}, ipc.HTTPClient(r.dialer, 0), r.db, r.now, log)
	}
	go draws(ctx, drawer, c.Every, r.now, jobs, log) // a long draw keeps nothing else waiting
	go watch(ctx, scheduling.NewWatcher(r.scatter, r.scatter, r.rows, r.vault, log), c.WatchEvery, r.now, jobs, log)
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	var purged time.Time
	purge := func() (int, error) {
		if now := r.now(); now.Sub(purged).Abs() >= purgeEvery {
			purged = now
			n, err := r.scatter.Purge(ctx, now)
			if n > 0 {
				log.Info("deleted what no request can need any more", "rows", n)
			}
			return 0, err
		}
		return 0, nil
	}
	for {
		for _, job := range []struct {
			name string
			run  func() (int, error)
		}{{"relay", func() (int, error) { return relay.Relay(ctx) }}, {"inbox", func() (int, error) { return r.people.Written(ctx, r.scatter) }}, {"sweep", func() (int, error) { return sweeper.Sweep(ctx, r.now()) }},
			{"purge", purge}, {"tidy", func() (int, error) { _, err := r.scatter.Tidy(ctx); return 0, err }}, {"recount", func() (int, error) { return recounter.Recount(ctx, r.now()) }}, {"statistics", publish}} {
			n, err := job.run()
			jobs.Ran(job.name, err)
			if err != nil && ctx.Err() == nil {
				log.Warn("job failed, will be tried again", "job", job.name, "kind", fault.KindOf(err))
			} else if n > 0 {
				log.Info("job finished work that had broken off", "job", job.name, "count", n)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watch tells those who asked of places that became free.
func watch(ctx context.Context, w *scheduling.Watcher, every time.Duration, now func() time.Time, jobs *metrics.Jobs, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		n, err := w.Look(ctx, now())
		jobs.Ran("watch", err)
		if err != nil && ctx.Err() == nil {
			log.Warn("job failed, will be tried again", "job", "watch", "kind", fault.KindOf(err))
		} else if n > 0 {
			log.Info("told of free places", "households", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// draws holds the draws that are due.
func draws(ctx context.Context, d *scheduling.Drawer, every time.Duration, now func() time.Time, jobs *metrics.Jobs, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		n, err := d.Run(ctx, now())
		jobs.Ran("draw", err)
		if err != nil && ctx.Err() == nil {
			log.Warn("job failed, will be tried again", "job", "draw", "kind", fault.KindOf(err))
		} else if n > 0 {
			log.Info("draws held", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
