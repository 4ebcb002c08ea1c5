package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

// Routes is the configuration of the courier's ways out, in order of preference.
type Routes struct {
	Routes []Route `json:"routes"`
}

// Route is one SMPP gateway. The password is in a file of its own.
type Route struct {
	Name          string                       `json:"name"`
	Address       string                       `json:"address"` // host:port
	TLS           bool                         `json:"tls"`
	CAFile        string                       `json:"ca_file,omitempty"`     // PEM; "" is the system's
	ServerName    string                       `json:"server_name,omitempty"` // in the certificate; "" is the address's host
	SystemID      string                       `json:"system_id"`
	PasswordFile  string                       `json:"password_file"`
	SystemType    string                       `json:"system_type,omitempty"`
	Sender        string                       `json:"sender"`
	SenderTON     int                          `json:"sender_ton"`
	SenderNPI     int                          `json:"sender_npi"`
	CountryPrefix string                       `json:"country_prefix,omitempty"` // before numbers of ten digits
	EntityID      string                       `json:"entity_id,omitempty"`      // India's DLT
	TemplateIDs   map[string]map[string]string `json:"template_ids,omitempty"`   // template → language → id
	Window        int                          `json:"window,omitempty"`         // requests ahead of their answers; 0 is 64

	// Secret and CA are filled in from the files, for a courier that may not read them.
	Secret string `json:"secret,omitempty"`
	CA     string `json:"ca,omitempty"`

	password string
}

// defaultWindow carries 1,000 messages a second at 60 ms a round trip.
const defaultWindow = 64

// ParseRoutes reads a configuration; unknown fields are errors. The texts of its
// errors are for the operator and hold no secret.
func ParseRoutes(raw []byte) (Routes, error) {
	var c Routes
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, badRoutes("it is not JSON as expected: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return c, badRoutes("something follows the routes")
	}
	if len(c.Routes) == 0 || len(c.Routes) > 4 {
		return c, badRoutes("one to four routes are wanted")
	}
	names := map[string]bool{}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Window == 0 {
			r.Window = defaultWindow
		}
		if err := r.check(); err != nil {
			return c, err
		}
		if names[r.Name] {
			return c, badRoutes("two routes are called %s", r.Name)
		}
		names[r.Name] = true
		r.password = strings.TrimRight(r.Secret, "\r\n")
	}
	return c, nil
}

func (r *Route) check() error {
	host, port, err := net.SplitHostPort(r.Address)
	switch {
	case r.Name == "" || len(r.Name) > 32 || strings.ContainsFunc(r.Name, func(c rune) bool { return c <= ' ' || c > '~' }):
		return badRoutes("each route needs a name of at most 32 plain characters")
	case err != nil || host == "" || port == "":
		return badRoutes("route %s: address is wanted as host:port", r.Name)
	case r.SystemID == "" || len(r.SystemID) > 15 || len(r.SystemType) > 12:
		return badRoutes("route %s: system_id has 1 to 15 characters, system_type at most 12", r.Name)
	case r.PasswordFile == "" && r.Secret == "":
		return badRoutes("route %s: password_file is missing", r.Name)
	case r.Sender == "" || len(r.Sender) > 20:
		return badRoutes("route %s: sender has 1 to 20 characters", r.Name)
	case r.SenderTON < 0 || r.SenderTON > 6 || r.SenderNPI < 0 || r.SenderNPI > 18:
		return badRoutes("route %s: sender_ton is 0 to 6 (5 for letters), sender_npi 0 to 18", r.Name)
	case !only(r.CountryPrefix, "0123456789") || len(r.CountryPrefix) > 3:
		return badRoutes("route %s: country_prefix is at most three digits", r.Name)
	case r.Window < 1 || r.Window > 1000:
		return badRoutes("route %s: window is 1 to 1000", r.Name)
	case len(r.EntityID) > 40:
		return badRoutes("route %s: entity_id is too long", r.Name)
	}
	for name, ids := range r.TemplateIDs {
		if _, known := templates()[name]; !known {
			return badRoutes("route %s: there is no message template %q", r.Name, name)
		}
		for language, id := range ids {
			if (language != "en" && language != "hi") || id == "" || len(id) > 40 {
				return badRoutes("route %s: template_ids of %s are by language, en and hi", r.Name, name)
			}
		}
	}
	return nil
}

func badRoutes(format string, a ...any) error {
	return fault.New(fault.Invalid, "routes", "the routes file: "+fmt.Sprintf(format, a...))
}

func (r *Route) tlsConfig() (*tls.Config, error) {
	if !r.TLS {
		return nil, nil
	}
	host, _, _ := net.SplitHostPort(r.Address)
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if r.ServerName != "" {
		c.ServerName = r.ServerName
	}
	if r.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(r.CA)) {
			return nil, badRoutes("route %s: ca_file holds no certificate", r.Name)
		}
	}
	return c, nil
}

func (r *Route) number(to string) string {
	to = strings.TrimPrefix(to, "+")
	if len(to) == 10 {
		return r.CountryPrefix + to
	}
	return to
}

func (r *Route) template(name, language string) string {
	if language != "hi" {
		language = "en"
	}
	return r.TemplateIDs[name][language]
}

// Router sends over the first route that takes a message. It never sends one
// again that a gateway may have. It is safe for concurrent use.
type Router struct {
	routes []*SMPP
	log    *slog.Logger
	last   string
}

// NewRouter makes the routes of a configuration.
func NewRouter(c Routes, log *slog.Logger) (*Router, error) {
	r := &Router{log: log}
	for _, one := range c.Routes {
		s, err := NewSMPP(one, log)
		if err != nil {
			return nil, err
		}
		r.routes = append(r.routes, s)
	}
	return r, nil
}

// Run keeps the routes' links up until ctx ends, and logs their counts.
func (r *Router) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.routes {
		wg.Go(func() { s.Run(ctx) })
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			r.logCounts()
		}
	}
	wg.Wait()
	r.logCounts()
}

func (r *Router) logCounts() {
	now := fmt.Sprint(r.Counts())
	if now == r.last {
		return
	}
	r.last = now
	for name, c := range r.Counts() {
		r.log.Info("messages", "route", name, "accepted", c.Accepted, "refused", c.Refused, "unsure", c.Unsure, "delivered", c.Delivered, "failed", c.Failed)
	}
}

// Counts are what became of messages of one route since the start. Delivered and
// Failed are receipts, which a gateway sends for each part of a message.
type Counts struct{ Accepted, Refused, Unsure, Delivered, Failed int64 }

// Counts returns each route's counts by its name.
func (r *Router) Counts() map[string]Counts {
	out := map[string]Counts{}
	for _, s := range r.routes {
		c := &s.counts
		out[s.cfg.Name] = Counts{c.accepted.Load(), c.refused.Load(), c.unsure.Load(), c.delivered.Load(), c.failed.Load()}
	}
	return out
}

// Check binds every route once and returns what is wrong, by route.
func (r *Router) Check(ctx context.Context) map[string]error {
	out := map[string]error{}
	for _, s := range r.routes {
		out[s.cfg.Name] = s.Check(ctx)
	}
	return out
}

// Patience with a gateway that is throttling before the next one is tried.
const (
	patience     = 3
	patienceWait = 50 * time.Millisecond
	roundWait    = 200 * time.Millisecond
)

// Send implements Sender: it goes through the routes, again and again until ctx
// ends, as long as it is known that no gateway has the message.
func (r *Router) Send(ctx context.Context, m Message) error {
	for {
		refusals := 0
		for _, s := range r.routes {
			switch r.over(ctx, s, m) {
			case accepted:
				return nil
			case unsure:
				return fault.New(fault.Unknown, "route", "the gateway did not answer")
			case badNumber:
				return fault.New(fault.Invalid, "route", "the gateway does not know the number")
			case refused:
				refusals++
			}
		}
		if refusals == len(r.routes) {
			return fault.New(fault.Invalid, "route", "no gateway takes the message")
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "route", "no gateway took the message in time")
		case <-time.After(roundWait):
		}
	}
}

// over tries one route, with some patience when it is throttling.
func (r *Router) over(ctx context.Context, s *SMPP, m Message) (got outcome) {
	wait := patienceWait
	for try := range patience {
		if try > 0 {
			select {
			case <-ctx.Done():
				return got
			case <-time.After(wait):
			}
			wait *= 2
		}
		if got = s.submit(ctx, m); got != throttled {
			return got
		}
	}
	return got
}
