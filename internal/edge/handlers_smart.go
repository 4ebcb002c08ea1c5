package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
)

// SMART Scheduling Links (smart-on-fhir/smart-scheduling-links): a manifest, and
// for each state a file of locations, schedules and slots, one JSON object a
// line. Clients are asked to come no more often than once a minute; so often at
// most a file is made anew, and only when something in its state has changed.
const (
	smartBase   = "/api/v3/scheduling/"
	smartAge    = time.Minute
	smartDraw   = "/fhir/StructureDefinition/draw-at" // until then requests are entries of a draw
	smartPrefix = "http://fhir-registry.smarthealthit.org/"
	typeNDJSON  = "application/fhir+ndjson"
	fhirInstant = "2006-01-02T15:04:05Z07:00"
)

// smartRoutes are the routes of the publication.
func smartRoutes() []Route {
	get := func(path, contentType string, h func(*Ctx) error) Route {
		return Route{Method: "GET", Path: path, Audience: Public, Action: "publish", Rate: RateSearch, ContentType: contentType, Own: true, Handler: h}
	}
	return []Route{get(smartBase+"$bulk-publish", typeJSON, smartManifest), get(smartBase+"{file}", typeNDJSON, smartFile)}
}

// smartKinds lists the kinds of files, by the first part of their names.
var smartKinds = []struct {
	name, resource string
	write          func(*smartWriter, scheduling.Centre, []scheduling.Listed) error
}{
	{"locations", "Location", (*smartWriter).location},
	{"schedules", "Schedule", (*smartWriter).schedules},
	{"slots", "Slot", (*smartWriter).slots},
}

// smartFiles keeps the compressed files.
type smartFiles struct {
	mu    sync.Mutex
	files map[string]*smartEntry
}

// smartEntry is one file. mu lets one caller make it at a time.
type smartEntry struct {
	mu    sync.Mutex
	made  time.Time
	area  *scheduling.Area
	from  uint64
	until time.Time
	tag   string
	zip   []byte
}

// smartManifest lists the files. Its time is the beginning of the minute: no
// file that is fetched after it is older.
func smartManifest(c *Ctx) error {
	type output struct {
		Type      string `json:"type"`
		URL       string `json:"url"`
		Extension struct {
			State []string `json:"state"`
		} `json:"extension"`
	}
	out := struct {
		Time    string   `json:"transactionTime"`
		Request string   `json:"request"`
		Output  []output `json:"output"`
		Error   []string `json:"error"`
	}{c.s.cfg.Now().UTC().Truncate(smartAge).Format(fhirInstant), c.s.cfg.PublicURL + smartBase + "$bulk-publish", []output{}, []string{}}
	for _, k := range smartKinds {
		for _, s := range c.s.cfg.Search.States() {
			o := output{Type: k.resource, URL: fmt.Sprintf("%s%s%s-%d.ndjson", c.s.cfg.PublicURL, smartBase, k.name, s.ID)}
			o.Extension.State = []string{s.Name}
			out.Output = append(out.Output, o)
		}
	}
	a := newAnswer(mustJSON(out))
	c.public(int(smartAge / time.Second))
	c.tagged(typeJSON, a.tags, func(zipped bool) []byte {
		if zipped && a.zip != nil {
			body, _ := a.zip()
			return body
		}
		return a.body
	}, a.zip != nil)
	return nil
}

// smartFile sends one file, named kind-state.ndjson.
func smartFile(c *Ctx) error {
	kind, rest, ok := strings.Cut(c.r.PathValue("file"), "-")
	number, ok2 := strings.CutSuffix(rest, ".ndjson")
	state, err := strconv.ParseUint(number, 10, 31)
	if !ok || !ok2 || err != nil || strconv.FormatUint(state, 10) != number {
		return fault.New(fault.NotFound, "file", "no such file")
	}
	for _, k := range smartKinds {
		if k.name == kind {
			e, err := c.s.smartFile(k.name, int64(state), k.write)
			if err != nil {
				return err
			}
			c.public(int(smartAge / time.Second))
			c.tagged(typeNDJSON, [2]string{`"` + e.tag + `"`, `"` + e.tag + `-gz"`}, func(zipped bool) []byte {
				if zipped {
					return e.zip
				}
				return unzip(e.zip)
			}, true)
			return nil
		}
	}
	return fault.New(fault.NotFound, "file", "no such file")
}

// tagged answers with one of two forms of the same content, or 304.
func (c *Ctx) tagged(contentType string, tags [2]string, body func(zipped bool) []byte, canZip bool) {
	h := c.w.Header()
	h["Vary"] = headVary
	zipped := canZip && acceptsGzip(c.r)
	tag := tags[0]
	if zipped {
		tag = tags[1]
	}
	h["Etag"] = []string{tag}
	if match := c.r.Header["If-None-Match"]; len(match) > 0 && hasTag(match, tags) {
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	if zipped {
		h["Content-Encoding"] = headGzip
	}
	raw := body(zipped)
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(raw)
}

// smartFile returns a file that is at most as old as the present minute, if
// anything in its state has changed since it was made.
func (s *Server) smartFile(kind string, state int64, write func(*smartWriter, scheduling.Centre, []scheduling.Listed) error) (smartEntry, error) {
	now := s.cfg.Now()
	if len(s.cfg.Search.Centres(scheduling.ByState, state)) == 0 {
		return smartEntry{}, fault.New(fault.NotFound, "file", "no such file")
	}
	name := kind + strconv.FormatInt(state, 10)
	s.smart.mu.Lock()
	e := s.smart.files[name]
	if e == nil {
		e = &smartEntry{}
		s.smart.files[name] = e
	}
	s.smart.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	current := e.area != nil && e.area.Version() == e.from && (e.until.IsZero() || now.Before(e.until))
	if e.zip == nil || (!current && !e.made.Truncate(smartAge).Equal(now.Truncate(smartAge))) {
		if err := e.make(s, state, now, write); err != nil {
			return smartEntry{}, err
		}
	}
	return smartEntry{made: e.made, tag: e.tag, zip: e.zip}, nil
}

// make writes the file anew.
func (e *smartEntry) make(s *Server, state int64, now time.Time, write func(*smartWriter, scheduling.Centre, []scheduling.Listed) error) error {
	since, days := s.cfg.Search.Span()
	found := s.cfg.Search.Ask(scheduling.Question{By: scheduling.ByState, Key: state, Day: since, Days: days})
	sessions := make(map[int64][]scheduling.Listed, len(found.List))
	for _, d := range found.List {
		sessions[int64(d.Centre.ID)] = d.Sessions
	}
	w := newSmartWriter(s.cfg.PublicURL, now)
	for _, c := range s.cfg.Search.Centres(scheduling.ByState, state) {
		if err := write(w, c, sessions[int64(c.ID)]); err != nil {
			return fault.Wrap(fault.Internal, err, "publish places")
		}
	}
	zip, tag, err := w.end()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "publish places")
	}
	e.made, e.area, e.from, e.until, e.tag, e.zip = now, found.Area, found.Version, found.Until, tag, zip
	return nil
}

// smartWriter compresses lines and digests what they were.
type smartWriter struct {
	public string
	now    time.Time
	out    bytes.Buffer
	zip    *gzip.Writer
	sum    hash.Hash
	buf    *bufio.Writer
}

func newSmartWriter(public string, now time.Time) *smartWriter {
	w := &smartWriter{public: public, now: now, sum: sha256.New()}
	w.zip, _ = gzip.NewWriterLevel(&w.out, gzip.BestSpeed)
	w.buf = bufio.NewWriterSize(io.MultiWriter(w.zip, w.sum), 32<<10)
	return w
}

func (w *smartWriter) end() (zip []byte, tag string, err error) {
	if err := w.buf.Flush(); err != nil {
		return nil, "", err
	}
	if err := w.zip.Close(); err != nil {
		return nil, "", err
	}
	return w.out.Bytes(), base64.RawURLEncoding.EncodeToString(w.sum.Sum(nil)[:12]), nil
}

func (w *smartWriter) line(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.buf.Write(append(raw, '\n'))
	return err
}

func unzip(zip []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(zip))
	if err != nil {
		return nil
	}
	raw, _ := io.ReadAll(z)
	return raw
}

// The FHIR R4 shapes, only the elements the specification uses.
type (
	fhirReference struct {
		Reference string `json:"reference"`
	}
	fhirCoding struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display"`
	}
	fhirConcept struct {
		Coding []fhirCoding `json:"coding"`
		Text   string       `json:"text,omitempty"`
	}
	fhirExtension struct {
		URL     string      `json:"url"`
		Link    string      `json:"valueUrl,omitempty"`
		Integer *int        `json:"valueInteger,omitempty"`
		Instant string      `json:"valueInstant,omitempty"`
		Coding  *fhirCoding `json:"valueCoding,omitempty"`
	}
	fhirIdentifier struct {
		System string `json:"system"`
		Value  string `json:"value"`
	}
)

func smartInteger(name string, n int) fhirExtension {
	return fhirExtension{URL: smartPrefix + "StructureDefinition/" + name, Integer: &n}
}

// location writes a centre. Its telephone is not known to the registry: the
// contact point is the installation's own address.
func (w *smartWriter) location(c scheduling.Centre, _ []scheduling.Listed) error {
	type address struct {
		Line     []string `json:"line"`
		City     string   `json:"city"`
		District string   `json:"district"`
		State    string   `json:"state"`
		Postal   string   `json:"postalCode"`
		Country  string   `json:"country"`
	}
	type position struct {
		Latitude  float64 `json:"latitude"`
		Longitude float64 `json:"longitude"`
	}
	city := c.Block
	if city == "" {
		city = c.District
	}
	return w.line(struct {
		Type       string           `json:"resourceType"`
		ID         string           `json:"id"`
		Identifier []fhirIdentifier `json:"identifier"`
		Name       string           `json:"name"`
		Telecom    []fhirIdentifier `json:"telecom"`
		Address    address          `json:"address"`
		Position   position         `json:"position"`
	}{"Location", strconv.FormatInt(int64(c.ID), 10), []fhirIdentifier{{w.public + "/centres", strconv.FormatInt(int64(c.ID), 10)}}, c.Name,
		[]fhirIdentifier{{"url", w.public + "/"}}, address{[]string{c.Address}, city, c.District, c.State, c.PIN, "IN"}, position{c.Lat, c.Long}})
}

// scheduleID names the schedule of a product and a pool of places at a centre.
func scheduleID(c scheduling.Centre, product string, pool int) string {
	return fmt.Sprintf("%d-%s-%d", c.ID, foldName(product), pool)
}

// schedules writes a schedule for each product and pool of places at a centre.
func (w *smartWriter) schedules(c scheduling.Centre, sessions []scheduling.Listed) error {
	seen := map[string]bool{}
	for _, s := range sessions {
		for pool := 1; pool <= 2; pool++ {
			key := scheduleID(c, s.Product, pool)
			if seen[key] {
				continue
			}
			seen[key] = true
			kind := fhirConcept{Coding: []fhirCoding{{"http://terminology.hl7.org/CodeSystem/service-type", "57", "Immunization"}}, Text: s.Programme}
			if s.Programme == rules.ProgrammeCOVID {
				kind.Coding = append(kind.Coding, fhirCoding{smartPrefix + "CodeSystem/service-type", "covid19-immunization", "COVID-19 Immunization Appointment"})
			}
			more := []fhirExtension{smartInteger("vaccine-dose", pool)}
			if p, ok := rules.LookupProduct(s.Product); ok && p.CVX != "" {
				more = append(more, fhirExtension{URL: smartPrefix + "StructureDefinition/vaccine-product", Coding: &fhirCoding{"http://hl7.org/fhir/sid/cvx", p.CVX, s.Product}})
			}
			err := w.line(struct {
				Type    string          `json:"resourceType"`
				ID      string          `json:"id"`
				Service []fhirConcept   `json:"serviceType"`
				Actor   []fhirReference `json:"actor"`
				More    []fhirExtension `json:"extension"`
			}{"Schedule", key, []fhirConcept{kind}, []fhirReference{{fmt.Sprintf("Location/%d", c.ID)}}, more})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// slots writes the places of sessions that are not over: those of a pool that
// are free as one slot, those that are taken or closed as another. Places are
// counted for a whole session, so a slot spans the session's hours.
func (w *smartWriter) slots(c scheduling.Centre, sessions []scheduling.Listed) error {
	for _, s := range sessions {
		begin, end, err := s.Hours(c)
		if err != nil || !w.now.Before(end) {
			continue
		}
		for i, n := range [2][2]int{{s.Available1, s.Cap1}, {s.Available2, s.Cap2}} {
			free, all := n[0], n[1]
			if err := w.slot(c, s, i+1, "free", free, begin, end); err != nil {
				return err
			}
			if err := w.slot(c, s, i+1, "busy", all-free, begin, end); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *smartWriter) slot(c scheduling.Centre, s scheduling.Listed, pool int, status string, count int, begin, end time.Time) error {
	if count <= 0 {
		return nil
	}
	more := []fhirExtension{smartInteger("slot-capacity", count)}
	if status == "free" {
		query := url.Values{"center_id": {strconv.FormatInt(int64(c.ID), 10)}, "session_id": {string(s.ID)}, "dose": {strconv.Itoa(pool)}}
		more = append(more, fhirExtension{URL: smartPrefix + "StructureDefinition/booking-deep-link", Link: w.public + "/?" + query.Encode()})
		if s.DrawAt > 0 { // the specification has no word for it: ours, under our own address
			more = append(more, fhirExtension{URL: w.public + smartDraw, Instant: time.UnixMilli(s.DrawAt).UTC().Format(fhirInstant)})
		}
	}
	return w.line(struct {
		Type     string          `json:"resourceType"`
		ID       string          `json:"id"`
		Schedule fhirReference   `json:"schedule"`
		Status   string          `json:"status"`
		Start    string          `json:"start"`
		End      string          `json:"end"`
		More     []fhirExtension `json:"extension"`
	}{"Slot", fmt.Sprintf("%s-%d-%s", s.ID, pool, status), fhirReference{"Schedule/" + scheduleID(c, s.Product, pool)}, status,
		begin.Format(fhirInstant), end.Format(fhirInstant), more})
}
