package edge

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/scheduling"
)

// searchPublic is what the addresses of the public searches begin with.
const searchPublic = "/api/v2/appointment/sessions/public/"

// searchRoutes are the whole addresses, as the log shows them.
var searchRoutes = func() (out [searchKinds]string) {
	for k, name := range searches {
		out[k] = searchPublic + name
	}
	return out
}()

// Header values of every answer, as secure sets them.
var (
	headNoSniff  = []string{"nosniff"}
	headNoRefer  = []string{"no-referrer"}
	headNoSource = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// quickSearch answers a public search that is asked plainly, without the ways
// of the route table that cost more than the answer: the limits, the headers,
// the answer and the log line are the same. Whatever is unusual, wrong or over
// its limit it leaves to the table, and returns false.
func (s *Server) quickSearch(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, searchPublic)
	if !ok || r.Method != http.MethodGet || r.ContentLength != 0 || s.cfg.Tracer != nil || ablate.Off(ablate.LogEscape) {
		return false
	}
	kind := searchKinds
	for k, have := range searches {
		if name == have {
			kind = searchKind(k)
		}
	}
	q, ok := kind.plain(r.URL.RawQuery)
	if !ok {
		return false
	}
	now := s.cfg.Now()
	if !s.limits[RateSearch].takeOrigin(s, r, now) {
		return false
	}
	a := s.quickAnswer(q, languageOf(r), now)
	if a == nil {
		return false
	}
	h := w.Header()
	h["X-Content-Type-Options"], h["Referrer-Policy"], h["Content-Security-Policy"] = headNoSniff, headNoRefer, headNoSource
	status := writeAnswer(w, r, a, true)
	took := s.cfg.Now().Sub(now)
	s.cfg.Watch.Answered(searchNames[kind], status, took)
	s.logQuick(searchRoutes[kind], status, took)
	return true
}

// quickAnswer is answer; after a panic it is nil, and the table's way reports it.
func (s *Server) quickAnswer(q question, language string, now time.Time) (a *answer) {
	defer func() {
		if recover() != nil {
			a = nil
		}
	}()
	return s.answer(q, language, now)
}

// logQuick writes the access line of log, with less to allocate.
func (s *Server) logQuick(route string, status int, took time.Duration) {
	const hexDigits = "0123456789abcdef"
	var b [16]byte
	for n, i := rand.Uint64(), 0; i < len(b); i++ {
		b[i] = hexDigits[n&15]
		n >>= 4
	}
	log := s.cfg.Access
	if log == nil {
		log = s.cfg.Logger
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "request", slog.String("method", "GET"), slog.String("route", route),
		slog.Int("status", status), slog.Int64("ms", took.Milliseconds()), slog.String("request", string(b[:])))
}

// takeOrigin counts a request of r's origin. It is take for the key that
// Server.origin makes, without making the key where no proxy is involved.
func (l *limiter) takeOrigin(s *Server, r *http.Request, now time.Time) bool {
	if l == nil {
		return true
	}
	if len(s.cfg.Proxies) > 0 {
		return l.take(s.origin(r), now) == 0
	}
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return l.take("unknown", now) == 0
	}
	p, err := network(addr.Addr().Unmap())
	if err != nil {
		return l.take("unknown", now) == 0
	}
	var buf [64]byte
	return l.takeAt(maphash.Bytes(l.seed, p.AppendTo(buf[:0])), now) == 0
}

// plain reads a query that needs no decoding, in one pass. It understands no
// more than parse does, and gives up on the first doubt.
func (k searchKind) plain(raw string) (q question, ok bool) {
	if k >= searchKinds || strings.ContainsAny(raw, "%+;") || len(raw) > 128 {
		return q, false
	}
	q.kind = k
	want := "pincode"
	switch k.by() {
	case scheduling.ByDistrict:
		want = "district_id"
	case scheduling.ByCentre:
		want = "center_id"
	}
	var key, date, vaccine string
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		var into *string
		switch name {
		case want:
			into = &key
		case "date":
			into = &date
		case "vaccine":
			into = &vaccine
		default:
			return q, false
		}
		if *into != "" || value == "" {
			return q, false
		}
		*into = value
	}
	if len(key) == 0 || len(key) > 9 || (want == "pincode" && !scheduling.PINValid(key)) {
		return q, false
	}
	for _, d := range []byte(key) {
		if d < '0' || d > '9' {
			return q, false
		}
		q.key = q.key*10 + int64(d-'0')
	}
	if q.day, ok = plainDay(date); !ok {
		return q, false
	}
	q.vaccine = vaccineNamed(vaccine)
	return q, true
}

// plainDay reads dd-mm-yyyy without allocating; other forms are for ParseIndian.
func plainDay(s string) (d civil.Date, ok bool) {
	if len(s) != 10 || s[2] != '-' || s[5] != '-' {
		d, err := civil.ParseIndian(s)
		return d, err == nil
	}
	two := func(i int) int {
		a, b := s[i]-'0', s[i+1]-'0'
		if a > 9 || b > 9 {
			return -10_000
		}
		return int(a)*10 + int(b)
	}
	d = civil.Date{Year: two(6)*100 + two(8), Month: time.Month(two(3)), Day: two(0)}
	return d, d.Valid()
}
