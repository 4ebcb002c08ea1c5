// Package portal is what people see in a browser: the pages for citizens and the public,
// rendered on the server from the components of package view. Its routes are a table, like
// the edge's; it shares the edge's listener and limits. It holds no secret and decides
// nothing about people: the vault does. Every page works without a script.
package portal

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/edge"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/statistics"
)

// Door is what the portal needs of the listener that it shares with the API.
type Door interface {
	// Admit counts a request and returns whom it came from, as a network, and how long it
	// has to wait, 0 when it is let in.
	Admit(class edge.Rate, r *http.Request) (origin string, wait time.Duration)
	// Answered notes what became of a request: route is a row of the table, never the
	// address asked.
	Answered(route string, status int, took time.Duration)
}

// Search finds centres and places. It needs neither vault nor database.
type Search interface {
	Ask(q scheduling.Question) scheduling.Found
	Centres(by scheduling.By, key int64) []scheduling.Centre
	Span() (since civil.Date, days int)
	Nearest(lat, long float64, limit int) []scheduling.Centre
}

// Reports are the published figures.
type Reports interface {
	// Reports returns the newest day until one, and of the days before it the newest.
	Reports(ctx context.Context, until civil.Date) (last, before statistics.Published, err error)
}

// Config is what the portal needs.
type Config struct {
	Door         Door
	Search       Search
	Reports      Reports
	Places       *places.Places
	State        State
	Certificates Certificates
	Holding      Holding
	Sessions     Sessions
	Ways         Ways
	Papers       Papers
	Unlock       CardShower
	Shares       Shares
	// PublicURL is the address that browsers know, as in https://vaccination.example.
	PublicURL string
	// Contact is how the operator is reached; nothing is shown where it is empty.
	Contact []view.Contact
	// What people see of their own records, and ask about them.
	Records OwnRecords
	Asking  Asking
	Exports Exports
	Leaving Leaving
	Visits  Visits
	Relinks Relinks
	Linker  Linker
	// Live judges a bearer by its signature and its end, as the edge does, and returns when it
	// ends. fault.Unauthorized for one that is none.
	Live func(bearer string) (time.Time, error)
	// Checkpoint is the ledger's newest published checkpoint and how many entries it covers.
	Checkpoint func() (text string, size int64, err error)
	Leaves     Leaves
	// Version names the program on the page of its state.
	Version string
	Now     func() time.Time
	Logger  *slog.Logger
}

// Server serves the pages. It is safe for concurrent use.
type Server struct {
	cfg     Config
	say     *catalogue.Catalogue
	assets  *assets.Set
	mux     *http.ServeMux
	table   []Route
	cross   *http.CrossOriginProtection
	buffers sync.Pool // of *rendering
	sums    figures
	trends  trends
	pulse   pulse
	codes   lastCodes
	worker  worker
	zones   sync.Map // name of a zone -> *time.Location
}

// New checks the route table and makes the server. It refuses a route that is not whole.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection()}
	s.buffers.New = func() any { return newRendering() }
	var err error
	if s.say, err = catalogue.Load(); err != nil {
		return nil, err
	}
	if s.assets, err = assets.Load(); err != nil {
		return nil, err
	}
	s.table = s.routes()
	for _, r := range s.table {
		if err := r.check(); err != nil {
			return nil, err
		}
		s.mux.Handle(r.Method+" "+r.Path, s.serve(r))
	}
	s.mux.Handle("/", s.serve(Route{Path: "/", Audience: edge.Public, Action: "nowhere", Rate: edge.RateSearch, Handler: nowhere}))
	return s, nil
}

// apiPaths are what addresses of the API begin with: they are the edge's.
func apiPaths() []string {
	return []string{"/api/", "/ledger/", "/healthz", "/debug/", "/.well-known/"}
}

// Owns reports whether a request is for a page or an asset: a row of the table or, where
// a person asks with a browser, an address that is nobody's.
func (s *Server) Owns(r *http.Request) bool {
	p := r.URL.Path
	if strings.HasPrefix(p, assets.Prefix) {
		return true
	}
	if p == ledgerPath { // the page; the files lie below it
		return true
	}
	for _, prefix := range apiPaths() {
		if strings.HasPrefix(p, prefix) || p == strings.TrimSuffix(prefix, "/") {
			return false
		}
	}
	_, pattern := s.mux.Handler(r)
	return pattern != "/" && pattern != "" || strings.Contains(r.Header.Get("Accept"), "text/html")
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, assets.Prefix) {
		s.assets.ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// serve wraps a route's handler: headers, limits, where the request came from, body, errors.
func (s *Server) serve(route Route) http.Handler {
	name := "GET " + route.Path
	if route.Method != "" {
		name = route.Method + " " + route.Path
	}
	if route.Action == "nowhere" {
		name = "other"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := s.cfg.Now()
		c := &Ctx{s: s, w: w, r: r, route: route, begin: begin}
		defer func() {
			if p := recover(); p != nil {
				s.cfg.Logger.Error("panic in a page", "route", route.Path)
				if c.status == 0 {
					c.fail(errPanic())
				}
			}
			s.cfg.Door.Answered(name, c.status, s.cfg.Now().Sub(begin))
		}()
		c.secure()
		c.chooseLanguage()
		if err := c.admit(); err != nil {
			c.fail(err)
			return
		}
		if err := route.Handler(c); err != nil {
			c.fail(err)
		}
	})
}

// Surface is the portal's route table. The handlers of these rows belong to no server and
// are not to be called.
func Surface() []Route { return (&Server{}).routes() }

// discard takes what nobody reads.
func discard(r io.Reader) { _, _ = io.Copy(io.Discard, r) }
