package edge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// Pages are the portal's: what people see in a browser, on the API's own listener.
type Pages interface {
	http.Handler
	// Owns reports whether a request is for them and not for the API.
	Owns(r *http.Request) bool
}

// ServePages serves pages beside the API. It is called before Run.
func (s *Server) ServePages(p Pages) { s.pages = p }

// Admit counts a request of a page under a class of limits. It returns the network it came
// from, and how long it has to wait: 0 when it is let in.
func (s *Server) Admit(class Rate, r *http.Request) (origin string, wait time.Duration) {
	origin = s.origin(r)
	if wait = s.limits[class].take(origin, s.cfg.Now()); wait > 0 {
		s.cfg.Watch.Limited(string(class))
	}
	return origin, wait
}

// Answered notes what became of a page's request: the figures and the access line. route is
// a row of the pages' table, never the address asked.
func (s *Server) Answered(route string, status int, took time.Duration) {
	s.cfg.Watch.Answered(route, status, took)
	log := s.cfg.Access
	if log == nil {
		log = s.cfg.Logger
	}
	log.Info("request", "route", route, "status", status, "ms", took.Milliseconds())
}

// PublicURL is the base address that clients use.
func (s *Server) PublicURL() string { return s.cfg.PublicURL }

// CertificateKeys are the issuer's public keys, as the vault publishes them.
// fault.Unavailable when they are not known yet.
func (s *Server) CertificateKeys() ([]byte, error) {
	known, err := s.known()
	if err != nil {
		return nil, err
	}
	return known.vault.Certificates, nil
}

// RevocationList is the signed list of certificates taken back, at most as old as the API's.
func (s *Server) RevocationList(ctx context.Context) ([]byte, error) {
	list, _, err := s.revoked.get(ctx, s.cfg.Codes, s.cfg.Now())
	return list, err
}

// Live judges a bearer as a request of the API's is judged, and returns when it ends.
// fault.Unauthorized for one that is none or has ended; whether it was ended before its time
// is the vault's to say.
func (s *Server) Live(bearer string) (time.Time, error) {
	bad := fault.New(fault.Unauthorized, "bearer", "no bearer")
	if bearer == "" || len(bearer) > 1024 {
		return time.Time{}, bad
	}
	if err := s.checkBearer(bearer); err != nil {
		return time.Time{}, err
	}
	var claims struct {
		Expiry int64 `json:"exp"`
	}
	_, rest, _ := strings.Cut(bearer, ".")
	middle, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(middle)
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return time.Time{}, bad
	}
	return time.Unix(claims.Expiry, 0), nil
}

// PublicActs is the first page of what waits in public for a second member of staff.
func (s *Server) PublicActs(ctx context.Context) (vault.SecondPersonActs, error) {
	return s.acts.get(ctx, func(ctx context.Context) (vault.SecondPersonActs, error) {
		return s.cfg.Second.SecondPersonActs(ctx, vault.SecondPersonRequest{})
	}, s.cfg.Now())
}

// NewestActs are the newest of what waits, or waited, in public, oldest first; More says that
// there are older ones. They are at most a few seconds old.
func (s *Server) NewestActs(ctx context.Context) (vault.SecondPersonActs, error) {
	now := s.cfg.Now()
	return s.newest.get(ctx, func(ctx context.Context) (vault.SecondPersonActs, error) {
		return newestActs(ctx, s.cfg.Second.SecondPersonActs, now)
	}, now)
}

// publicActsFor is how long an act stays in the public list (a proposal's life in the vault),
// actsSteps how often newestActs asks: each step halves the time it looks at, so that the last
// is shorter than three minutes.
const (
	publicActsFor = 30 * 24 * time.Hour
	actsSteps     = 14
)

// newestActs finds the last page of a list that the vault gives oldest first. Entries' ids
// begin with their time, so a page can begin at any: the latest beginning is sought whose page
// is the list's last one and not empty. Whoever makes many entries hides none that come after.
func newestActs(ctx context.Context, ask func(context.Context, vault.SecondPersonRequest) (vault.SecondPersonActs, error), now time.Time) (vault.SecondPersonActs, error) {
	first, err := ask(ctx, vault.SecondPersonRequest{})
	if err != nil || !first.More {
		return first, err
	}
	best := first
	from, until := now.Add(-publicActsFor), now
	for range actsSteps {
		middle := from.Add(until.Sub(from) / 2)
		got, err := ask(ctx, vault.SecondPersonRequest{After: idOf(middle)})
		switch {
		case err != nil:
			return vault.SecondPersonActs{}, err
		case got.More: // the list's end is later
			best, from = got, middle
		case len(got.Acts) == 0: // nothing is so new
			until = middle
		default:
			got.More = true // older ones: the first page was full
			return got, nil
		}
	}
	if best, err = lastOf(ctx, ask, best); err == nil {
		best.More = best.Acts[0].ID != first.Acts[0].ID
	}
	return best, err
}

// lastOf goes on to the end from a page, where more came in minutes than a page holds.
func lastOf(ctx context.Context, ask func(context.Context, vault.SecondPersonRequest) (vault.SecondPersonActs, error), page vault.SecondPersonActs) (vault.SecondPersonActs, error) {
	for page.More && len(page.Acts) > 0 {
		next, err := ask(ctx, vault.SecondPersonRequest{After: page.Acts[len(page.Acts)-1].ID})
		if err != nil {
			return vault.SecondPersonActs{}, err
		}
		if len(next.Acts) == 0 {
			break
		}
		page = next
	}
	return page, nil
}

// idOf is the first id (UUIDv7) of a time.
func idOf(t time.Time) string {
	ms := t.UnixMilli()
	return fmt.Sprintf("%08x-%04x-7000-8000-000000000000", ms>>16, ms&0xffff)
}

// Rules are the policies and budgets in force, at most a few seconds old.
func (s *Server) Rules(ctx context.Context) (vault.Rules, error) {
	return s.rules.get(ctx, s.cfg.Second.Rules, s.cfg.Now())
}

// VaultServes asks the vault whether it does.
func (s *Server) VaultServes(ctx context.Context) error {
	_, err := s.cfg.Codes.Status(ctx)
	return err
}
