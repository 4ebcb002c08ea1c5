package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/scheduling"
)

// searchAge is how long, in seconds, others may keep an answer of the slot
// search: within it, a booking may not show. It is short because an answer
// costs next to nothing here.
const searchAge = 1

// The bounds of the encoded answers kept: their bytes, what an entry costs
// beside its bytes, and how long an answer may be given on after a change so
// that a rush of bookings in one area does not encode it for each. Half of the
// bytes are kept for sure, the rest until the newer half is full.
const (
	answersMax   = 48 << 20
	answerCost   = 1 << 10
	answerPause  = 250 * time.Millisecond
	gzipFrom     = 1 << 10 // bytes from which compressing pays
	pausePerCost = 20      // an answer spends at most a twentieth of a core
)

// searchKey names one answer, in one form for every way to ask for it.
type searchKey struct {
	kind     searchKind
	key      int64 // PIN, district or centre
	day      int32 // yyyymmdd
	vaccine  string
	language string
}

// answer is an encoded answer. It is never changed; the compressed form is
// made when it is first asked for.
type answer struct {
	body  []byte
	tags  [2]string // of the plain and the compressed form
	head  answerHead
	zip   func() ([]byte, answerHead)
	area  *scheduling.Area
	from  uint64        // the area's version
	made  time.Time     // when it was encoded
	until time.Time     // zero: right until the area changes
	pause time.Duration // it may be given on this long after a change
}

// answerHead holds header values ready to be put into a header map. net/http
// only reads them.
type answerHead struct{ etag, length []string }

// newAnswer wraps encoded bytes.
func newAnswer(body []byte) *answer {
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:12])
	a := &answer{body: body, tags: [2]string{`"` + tag + `"`, `"` + tag + `-gz"`}}
	a.head = answerHead{a.tags[:1], []string{strconv.Itoa(len(body))}}
	if len(body) >= gzipFrom {
		a.zip = sync.OnceValues(func() ([]byte, answerHead) {
			var out bytes.Buffer
			z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
			_, _ = z.Write(body)
			_ = z.Close()
			return out.Bytes(), answerHead{a.tags[1:], []string{strconv.Itoa(out.Len())}}
		})
	}
	return a
}

// fresh reports whether the answer is what would be encoded now.
func (a *answer) fresh(now time.Time) bool {
	return (a.area == nil || a.area.Version() == a.from) && (a.until.IsZero() || now.Before(a.until)) && !now.Before(a.made)
}

// answers keeps encoded answers: two generations of entries, of which the
// older goes when the newer is full, so memory is bounded and what is asked
// often stays. Safe for concurrent use.
type answers struct {
	half int64
	mu   sync.RWMutex
	used int64 // by the younger generation
	now  map[searchKey]*slotAnswer
	old  map[searchKey]*slotAnswer
}

// slotAnswer is the place of one answer; mu lets one caller encode at a time.
type slotAnswer struct {
	mu  sync.Mutex
	cur atomic.Pointer[answer]
}

func newAnswers(max int64) *answers {
	return &answers{half: max / 2, now: map[searchKey]*slotAnswer{}, old: map[searchKey]*slotAnswer{}}
}

// get returns the answer under a key, made by encode when there is none or it
// is no longer right. Bytes are made once for all who ask meanwhile; they get
// the former answer, at most answerPause old. What belongs to no area is not kept.
func (c *answers) get(k searchKey, now time.Time, encode func() *answer) *answer {
	s := c.find(k)
	if s == nil {
		a := encode()
		if a.area != nil {
			c.keep(k, a)
		}
		return a
	}
	a := s.cur.Load()
	if a != nil && (a.fresh(now) || (now.Sub(a.made) < a.pause && !now.Before(a.made))) {
		return a
	}
	if a == nil || now.Sub(a.made) > 4*answerPause {
		s.mu.Lock()
	} else if !s.mu.TryLock() {
		return a
	}
	defer s.mu.Unlock()
	if a = s.cur.Load(); a != nil && a.fresh(now) {
		return a
	}
	former := s.cur.Load()
	a = encode()
	s.cur.Store(a)
	if former != nil {
		c.grow(int64(2 * (len(a.body) - len(former.body))))
	}
	return a
}

// grow counts what an answer encoded anew needs more.
func (c *answers) grow(by int64) {
	if by == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used += by; c.used > c.half {
		c.old, c.now, c.used = c.now, map[searchKey]*slotAnswer{}, 0
	}
}

func (c *answers) find(k searchKey) *slotAnswer {
	c.mu.RLock()
	s := c.now[k]
	var aged bool
	if s == nil {
		s = c.old[k]
		aged = s != nil
	}
	c.mu.RUnlock()
	if aged {
		if a := s.cur.Load(); a != nil {
			c.put(k, s, a)
		}
	}
	return s
}

func (c *answers) keep(k searchKey, a *answer) {
	s := &slotAnswer{}
	s.cur.Store(a)
	c.put(k, s, a)
}

func (c *answers) put(k searchKey, s *slotAnswer, a *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[k] != nil {
		return
	}
	size := int64(2*len(a.body) + answerCost) // the compressed form is smaller than the plain one
	if c.used+size > c.half {
		c.old, c.now, c.used = c.now, map[searchKey]*slotAnswer{}, 0
	}
	c.now[k] = s
	c.used += size
}

// Header values that answers share.
var (
	headJSON    = []string{typeJSON}
	headGzip    = []string{"gzip"}
	headVary    = []string{"Accept-Language, Accept-Encoding"}
	headPublic  = []string{"public, max-age=" + strconv.Itoa(searchAge)}
	headPrivate = []string{"private, max-age=" + strconv.Itoa(searchAge)}
	headAny     = []string{"*"}
)

// writeAnswer sends an encoded answer, or 304 to who has it. It returns the status.
func writeAnswer(w http.ResponseWriter, r *http.Request, a *answer, public bool) int {
	body, head := a.body, a.head
	h := w.Header()
	if a.zip != nil && acceptsGzip(r) {
		body, head = a.zip()
		h["Content-Encoding"] = headGzip
	}
	h["Vary"] = headVary
	h["Etag"] = head.etag
	if public {
		h["Cache-Control"], h["Access-Control-Allow-Origin"] = headPublic, headAny
	} else {
		h["Cache-Control"] = headPrivate
	}
	if match := r.Header["If-None-Match"]; len(match) > 0 && hasTag(match, a.tags) {
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	h["Content-Type"], h["Content-Length"] = headJSON, head.length
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
	return http.StatusOK
}

// acceptsGzip reads Accept-Encoding: gzip by name or star, not with q=0.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		if line == "gzip" {
			return true
		}
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			name = strings.TrimSpace(name)
			if !strings.EqualFold(name, "gzip") && name != "*" {
				continue
			}
			q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
			if v, err := strconv.ParseFloat(q, 64); !ok || (err == nil && v > 0) {
				return true
			}
		}
	}
	return false
}

// hasTag compares If-None-Match with the tags of both forms; the comparison is
// the weak one (RFC 9110, 13.1.2).
func hasTag(lines []string, tags [2]string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
			if part == "*" || part == tags[0] || part == tags[1] {
				return true
			}
		}
	}
	return false
}
