// Package edge is the web role's door: listener, limits, the route table and
// the JSON API that speaks CoWIN's public contract (contract.md 1). It holds no
// secret and decides nothing about people: the vault does.
package edge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/vault"
)

// Codes are the vault's words for signing in.
type Codes interface {
	Revocations
	StaffKeys
	RequestCode(ctx context.Context, r vault.CodeRequest) (vault.CodeIssued, error)
	ConfirmCode(ctx context.Context, r vault.CodeAnswer) (vault.Session, error)
	EndSession(ctx context.Context, h vault.Holder) error
	OpenSession(ctx context.Context, r vault.OpenSessionRequest) (vault.Done, error)
	Status(ctx context.Context) (vault.Status, error)
}

// People is the registry as the API uses it.
type People interface {
	Household(ctx context.Context, h vault.Holder) (registry.Household, error)
	Enrol(ctx context.Context, h vault.Holder, key string, who vault.Identity, consent vault.Consent) (id.Reference, error)
	Remove(ctx context.Context, h vault.Holder, ref id.Reference) error
	Openings(ctx context.Context, h vault.Holder, before int64, limit int) (vault.Openings, error)
	Documents
}

// Partners are the vault's words for partner applications.
type Partners interface {
	PartnerCode(ctx context.Context, r vault.PartnerCodeRequest) (vault.CodeIssued, error)
	PartnerConfirm(ctx context.Context, r vault.PartnerCodeAnswer) (vault.Session, error)
}

// Documents is the rest of the registry: certificates and doses.
type Documents interface {
	VaccinationStatus(ctx context.Context, h vault.Holder) (vault.StatusTold, error)
	Certificate(ctx context.Context, h vault.Holder, ref id.Reference, lang string) (vault.Certificate, error)
	RecordDose(ctx context.Context, signed vault.Signed, ref id.Reference) error
}

// Search finds places.
type Search interface {
	Ask(q scheduling.Question) scheduling.Found
	States() []scheduling.StateOf
	Centres(by scheduling.By, key int64) []scheduling.Centre
	Span() (since civil.Date, days int)
	Nearest(lat, long float64, limit int) []scheduling.Centre
}

// Bookings makes and ends appointments.
type Bookings interface {
	Apply(ctx context.Context, h vault.Holder, in scheduling.BookInput) (scheduling.Applied, error)
	Cancel(ctx context.Context, h vault.Holder, hold id.Hold, refs []id.Reference) error
	Slip(ctx context.Context, h vault.Holder, hold id.Hold) (scheduling.SlipView, error)
	Appointments(ctx context.Context, people []id.Person) (map[id.Person][]scheduling.Appointment, error)
	CheckOpening(ctx context.Context, o scheduling.Opening) error
	Moves
}

// SlipWriter renders an appointment slip as PDF.
type SlipWriter func(scheduling.SlipView) ([]byte, error)

// Config is what the edge needs. PublicURL is the base address clients use; it
// is trusted, the Host header is not. Proxies are the addresses whose
// X-Forwarded-For is believed. LedgerDir holds the ledger's public files.
type Config struct {
	Codes      Codes
	Second     SecondPersons
	Identities Identities
	// Departments exchange the codes of sign-ins at departments; nil: there are none.
	Departments Departments
	Rosters     Rosters
	Glass       Glass
	Requests    Requests
	Exports     Exports
	Shares      Shares
	Relinks     Relinks
	Partners    Partners
	People      People
	Doses       Doses
	Search      Search
	Bookings    Bookings
	Alerts      Alerts
	Emails      Emails
	Devices     Devices
	Leaving     Leaving
	Reports     Reports
	Slip        SlipWriter
	Cards       Cards
	CardCodes   CardCodes
	WalkIns     WalkIns
	CardPDF     CardWriter
	Places      *places.Places
	Keys        vault.Keys
	KeysLater   bool // Keys is empty, FollowKeys brings them; what needs them is refused meanwhile
	LedgerDir   string
	PublicURL   string
	Proxies     []netip.Prefix
	NoLimits    bool
	Now         func() time.Time
	Logger      *slog.Logger
	Access      *slog.Logger // for the lines of public searches; nil: Logger
	Watch       Watch        // nil: nobody
	Tracer      Tracer       // nil: no traces
}

// Server answers the API. It is safe for concurrent use.
type Server struct {
	revoked  revocationList
	staff    staffNames
	reports  reportAnswers
	acts     remembered[vault.SecondPersonActs]
	newest   remembered[vault.SecondPersonActs]
	rules    remembered[vault.Rules]
	writes   *limiter // of doses without evidence
	cfg      Config
	mux      *http.ServeMux
	limits   map[Rate]*limiter
	keys     atomic.Pointer[publicSet]
	table    []Route
	answers  *answers
	smart    smartFiles
	last     activity
	verified verified
	pages    Pages // nil: none
}

// New checks the route table and makes the server. It refuses a route without
// audience, action, limits or handler.
func New(cfg Config) (*Server, error) {
	if cfg.Watch == nil {
		cfg.Watch = unwatched{}
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux(), limits: newLimits(cfg.NoLimits), writes: newWrites(cfg.NoLimits), answers: newAnswers(answersMax), smart: smartFiles{files: map[string]*smartEntry{}}}
	rand.Read(s.verified.key[:])
	if !cfg.KeysLater {
		if err := s.UseKeys(cfg.Keys); err != nil {
			return nil, err
		}
	}
	routes := s.routes()
	s.table = routes
	if err := s.mount(routes); err != nil {
		return nil, err
	}
	s.mux.HandleFunc("/", s.nowhere)
	s.warm(routes)
	if ablate.Off(ablate.DebugRoutes) {
		s.mux.HandleFunc("/debug/pprof/", stacks)
	}
	return s, nil
}

// mount serves routes, or none of them when one is incomplete.
func (s *Server) mount(routes []Route) error {
	for _, r := range routes {
		if err := r.check(); err != nil {
			return err
		}
	}
	for _, r := range routes {
		s.mux.Handle(r.Method+" "+r.Path, s.serve(r))
		if base, ok := strings.CutSuffix(r.Path, "/{path...}"); ok {
			s.mux.HandleFunc(base, s.nowhere) // the mux would redirect
		}
	}
	return nil
}

// nowhere answers for every address that is no route, and for an address that
// is asked with a method it does not take.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	s.secure(w)
	rec := &recorder{ResponseWriter: w}
	w = rec
	defer func(begin time.Time) { s.cfg.Watch.Answered(noRoute, rec.status, s.cfg.Now().Sub(begin)) }(s.cfg.Now())
	if methods := s.allowed(r.URL.Path); len(methods) > 0 && !slices.Contains(methods, r.Method) {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		w.Header().Set("Vary", "Accept-Language")
		writeJSON(w, http.StatusMethodNotAllowed, wireError{Code: "METHOD", Text: inLanguage(languageOf(r), "this address does not take that method")})
		return
	}
	s.fail(w, r, newID(), fault.New(fault.NotFound, "route", "no such address"))
}

// warm lets every handler decode a body that it refuses, so that what the
// decoder keeps for good is not allocated beside the first person's data.
func (s *Server) warm(routes []Route) {
	for _, r := range routes {
		if r.BodyLimit > 0 {
			req := &http.Request{Method: r.Method, URL: &url.URL{Path: r.Path}, Header: http.Header{}}
			_ = r.Handler(&Ctx{s: s, w: nobody{}, r: req.WithContext(context.Background()), route: r, body: []byte(`{"":0}`)})
		}
	}
}

// nobody takes an answer that is for nobody.
type nobody struct{}

// Header implements http.ResponseWriter.
func (nobody) Header() http.Header { return http.Header{} }

// Write implements http.ResponseWriter.
func (nobody) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (nobody) WriteHeader(int) {}

// stacks shows what every goroutine does, as a debug route would. Only builds
// that switch controls off serve it.
func stacks(w http.ResponseWriter, _ *http.Request) {
	buf := make([]byte, 1<<20)
	_, _ = w.Write(buf[:runtime.Stack(buf, true)])
}

// Ctx is one request on its way through a handler.
type Ctx struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	id     string
	origin string
	holder vault.Holder
	staff  vault.Signed
	body   []byte
	route  Route
}

func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.last.touch()
	if s.quickSearch(w, r) {
		return
	}
	if s.pages != nil && s.pages.Owns(r) {
		s.pages.ServeHTTP(w, r)
		return
	}
	if !canonical(r.URL.Path) { // the mux would redirect, with a page of its own
		s.nowhere(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// canonical reports whether a path is in its one form: rooted, without empty
// or dot segments.
func canonical(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (clean == p || (clean != "/" && clean+"/" == p))
}

// serve wraps a route's handler: limits, size, audience, errors, log.
func (s *Server) serve(route Route) http.Handler {
	name := route.Method + " " + route.Path
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := s.cfg.Now()
		rec := &recorder{ResponseWriter: w}
		if s.cfg.Tracer != nil {
			inner, end := s.cfg.Tracer.Request(r, name)
			defer func() { end(rec.status) }()
			r = inner
		}
		c := &Ctx{s: s, w: w, r: r, id: newID(), route: route, origin: s.origin(r)}
		s.secure(w)
		c.w = rec
		defer func() {
			if p := recover(); p != nil {
				s.cfg.Logger.Error("panic in a handler", "request", c.id, "route", route.Path)
				s.fail(rec, r, c.id, fault.New(fault.Internal, "panic", "a handler failed"))
			}
			took := s.cfg.Now().Sub(begin)
			s.cfg.Watch.Answered(name, rec.status, took)
			s.log(c, rec.status, took)
		}()
		if err := c.admit(); err != nil {
			s.fail(rec, r, c.id, err)
			return
		}
		if err := route.Handler(c); err != nil {
			s.fail(rec, r, c.id, err)
		}
	})
}

// admit applies the route's limits and audience.
func (c *Ctx) admit() error {
	if wait := c.s.limits[c.route.Rate].take(c.origin, c.s.cfg.Now()); wait > 0 {
		c.s.cfg.Watch.Limited(string(c.route.Rate))
		return &fault.Error{Kind: fault.RateLimited, Code: "", Text: "Too many requests. Please wait.", RetryAfter: wait}
	}
	if err := c.readBody(); err != nil {
		return err
	}
	switch c.route.Audience {
	case Holder:
		bearer, err := c.s.bearerOf(c.r)
		if err != nil {
			return err
		}
		c.holder = vault.Holder{Bearer: bearer, Origin: c.origin}
		// Old clients send a key of CoWIN's portal along with a holder's bearer:
		// without a proof it is nobody's request but the holder's.
		if call, err := c.partnerCall(); err == nil {
			c.holder.Partner = &call
		}
	case Partner:
		call, err := c.partnerCall()
		if err != nil {
			return err
		}
		c.holder = vault.Holder{Origin: c.origin, Partner: &call}
	case Staff, Newcomer:
		signed, err := c.signed()
		if err != nil {
			return err
		}
		c.staff = signed
		if c.route.Audience == Staff {
			return c.staffed()
		}
		_, err = checkProof(signed, c.s.cfg.Now())
		return err
	}
	return nil
}

// secure sets the headers every answer has.
func (s *Server) secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}

// log writes the access line: the route, never the address asked, no client text.
func (s *Server) log(c *Ctx, status int, took time.Duration) {
	if ablate.Off(ablate.LogEscape) {
		_, _ = rawLog.WriteString(c.r.Method + " " + c.r.URL.String() + " " + c.r.UserAgent() + " " + string(c.body) + "\n")
	}
	s.cfg.Logger.Info("request", "method", c.route.Method, "route", c.route.Path, "status", status, "ms", took.Milliseconds(), "request", c.id)
}

type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// origin is the network a request comes from: IPv4 /24 or IPv6 /48. A
// forwarding header counts only from a configured proxy, read from the right.
func (s *Server) origin(r *http.Request) string {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	ip := addr.Addr().Unmap()
	if s.proxy(ip) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				break
			}
			ip = hop.Unmap()
			if !s.proxy(ip) {
				break
			}
		}
	}
	p, err := network(ip)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

// network is the origin an address belongs to.
func network(ip netip.Addr) (netip.Prefix, error) {
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	return ip.WithZone("").Prefix(bits)
}

func (s *Server) proxy(ip netip.Addr) bool {
	for _, p := range s.cfg.Proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// Run serves on ln until ctx ends, then lets requests finish. While idle it
// clears what passed through memory.
func (s *Server) Run(ctx context.Context, ln net.Listener, idle func()) error {
	return s.run(ctx, ln, s, idle)
}

func (s *Server) run(ctx context.Context, ln net.Listener, h http.Handler, idle func()) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug)}
	go s.last.watch(ctx, func() {
		// A kept connection keeps the buffer of its last request.
		srv.SetKeepAlivesEnabled(false)
		srv.SetKeepAlivesEnabled(true)
		if idle != nil {
			idle()
		}
	})
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
