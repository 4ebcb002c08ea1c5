package contract

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// The checks of this file are an independent reading of the SMART Scheduling
// Links specification (smart-on-fhir/smart-scheduling-links, specification.md);
// they share nothing with what writes the files.
const (
	smartManifest = "/v3/scheduling/$bulk-publish"
	smartRegistry = "http://fhir-registry.smarthealthit.org/"
)

var (
	smartID      = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)
	smartInstant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
	cvxCode      = regexp.MustCompile(`^\d{1,3}$`)
)

// extension is one FHIR extension.
type extension struct {
	URL     string  `json:"url"`
	Link    *string `json:"valueUrl"`
	Phone   *string `json:"valueString"`
	Integer *int    `json:"valueInteger"`
	Instant string  `json:"valueInstant"`
	Coding  *struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display"`
	} `json:"valueCoding"`
}

// resource is a line of any of the files.
type resource struct {
	Type       string `json:"resourceType"`
	ID         string `json:"id"`
	Name       string `json:"name"`
	Identifier []struct{ System, Value string }
	Telecom    []struct{ System, Value string }
	Address    *struct {
		Line                    []string
		City, State, PostalCode string
	}
	Position    *struct{ Latitude, Longitude *float64 }
	ServiceType []struct {
		Coding []struct{ System, Code, Display string }
		Text   string
	}
	Actor     []struct{ Reference string }
	Schedule  *struct{ Reference string }
	Status    string
	Start     string
	End       string
	Extension []extension
}

// published is everything the manifest leads to.
type published struct {
	lines  map[string][]resource // by type
	states map[string][]string   // of each type
	raw    map[string]string     // by address
}

// fetchPublished reads manifest and files as a client does.
func fetchPublished(t *testing.T, s *harness.Server) published {
	t.Helper()
	c := s.Client()
	a := want(t, ask(t, c, "GET", smartManifest, nil, "Accept", "application/json"), 200)
	var m struct {
		TransactionTime string
		Request         string
		Output          []struct {
			Type, URL string
			Extension struct{ State []string }
		}
		Error []any
	}
	if err := json.Unmarshal(a.Body, &m); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, m.TransactionTime)
	if err != nil || !smartInstant.MatchString(m.TransactionTime) || s.Now().Sub(at) > 2*time.Minute || m.Request != s.API+smartManifest || m.Error == nil {
		t.Errorf("manifest: %s", a.Body)
	}
	if !strings.HasPrefix(a.Header.Get("Cache-Control"), "public, max-age=") || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		t.Errorf("manifest: %v", a.Header)
	}
	out := published{lines: map[string][]resource{}, states: map[string][]string{}, raw: map[string]string{}}
	for _, o := range m.Output {
		path, ours := strings.CutPrefix(o.URL, s.API)
		if !ours || len(o.Extension.State) == 0 {
			t.Fatalf("output %+v", o)
		}
		f := want(t, ask(t, c, "GET", path, nil, "Accept", "application/fhir+ndjson"), 200)
		if f.Header.Get("Content-Type") != "application/fhir+ndjson" || f.Header.Get("ETag") == "" || !strings.HasPrefix(f.Header.Get("Cache-Control"), "public, max-age=") {
			t.Errorf("%s: %v", path, f.Header)
		}
		if again := ask(t, c, "GET", path, nil, "If-None-Match", f.Header.Get("ETag")); again.Status != 304 || len(again.Body) != 0 {
			t.Errorf("%s with its tag: %s", path, again.Text())
		}
		out.raw[o.URL] = string(f.Body)
		out.states[o.Type] = append(out.states[o.Type], o.Extension.State...)
		for _, line := range strings.Split(strings.TrimSuffix(string(f.Body), "\n"), "\n") {
			if line == "" {
				continue
			}
			var r resource
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.Type != o.Type || !smartID.MatchString(r.ID) {
				t.Fatalf("%s: %v: %s", path, err, line)
			}
			if r.Address != nil && !slices.Contains(o.Extension.State, r.Address.State) {
				t.Errorf("%s is in another state than its file says", r.ID)
			}
			out.lines[o.Type] = append(out.lines[o.Type], r)
		}
	}
	return out
}

func TestSmartSchedulingLinks(t *testing.T) {
	s := server(t)
	p := fetchPublished(t, s)
	for _, kind := range []string{"Location", "Schedule", "Slot"} {
		if len(p.lines[kind]) == 0 || len(p.states[kind]) == 0 {
			t.Fatalf("nothing of type %s", kind)
		}
		seen := map[string]bool{}
		for _, r := range p.lines[kind] {
			if seen[r.ID] {
				t.Errorf("%s/%s twice", kind, r.ID)
			}
			seen[r.ID] = true
		}
	}
	locations, schedules := map[string]bool{}, map[string]resource{}
	for _, r := range p.lines["Location"] {
		locations["Location/"+r.ID] = true
		if r.Name == "" || len(r.Identifier) == 0 || r.Identifier[0].System == "" || r.Identifier[0].Value == "" || r.Address == nil || len(r.Address.Line) == 0 ||
			r.Address.City == "" || r.Address.State == "" || len(r.Address.PostalCode) != 6 || r.Position == nil || r.Position.Latitude == nil || r.Position.Longitude == nil {
			t.Errorf("location %+v", r)
		}
		if len(r.Telecom) == 0 || !slices.Contains([]string{"phone", "url"}, r.Telecom[0].System) || r.Telecom[0].Value == "" {
			t.Errorf("location %s: telecom %+v", r.ID, r.Telecom)
		}
	}
	for _, r := range p.lines["Schedule"] {
		schedules["Schedule/"+r.ID] = r
		if len(r.Actor) != 1 || !locations[r.Actor[0].Reference] {
			t.Errorf("schedule %s: actor %+v", r.ID, r.Actor)
		}
		if len(r.ServiceType) != 1 || r.ServiceType[0].Coding[0].System != "http://terminology.hl7.org/CodeSystem/service-type" || r.ServiceType[0].Coding[0].Code != "57" {
			t.Errorf("schedule %s: %+v", r.ID, r.ServiceType)
		}
		if k := r.ServiceType[0].Coding; r.ServiceType[0].Text != "COVID-19" { // a travel vaccine: that code alone
			if len(k) != 1 || r.ServiceType[0].Text == "" {
				t.Errorf("schedule %s: %+v", r.ID, r.ServiceType)
			}
		} else if len(k) != 2 || k[1].System != smartRegistry+"CodeSystem/service-type" || k[1].Code != "covid19-immunization" {
			t.Errorf("schedule %s: %+v", r.ID, k)
		}
		products, doses := 0, 0
		for _, e := range r.Extension {
			switch e.URL {
			case smartRegistry + "StructureDefinition/vaccine-product":
				products++
				if e.Coding == nil || e.Coding.System != "http://hl7.org/fhir/sid/cvx" || !cvxCode.MatchString(e.Coding.Code) || e.Coding.Display == "" {
					t.Errorf("schedule %s: %+v", r.ID, e)
				}
			case smartRegistry + "StructureDefinition/vaccine-dose":
				doses++
				if e.Integer == nil || *e.Integer < 1 || *e.Integer > 2 {
					t.Errorf("schedule %s: %+v", r.ID, e)
				}
			default:
				t.Errorf("schedule %s: extension %s", r.ID, e.URL)
			}
		}
		if products != 1 || doses != 1 {
			t.Errorf("schedule %s: %d products, %d doses", r.ID, products, doses)
		}
	}
	for _, r := range p.lines["Slot"] {
		slotAsSpecified(t, s, r, schedules)
	}
}

func slotAsSpecified(t *testing.T, s *harness.Server, r resource, schedules map[string]resource) {
	t.Helper()
	begin, err1 := time.Parse(time.RFC3339, r.Start)
	end, err2 := time.Parse(time.RFC3339, r.End)
	if err1 != nil || err2 != nil || !smartInstant.MatchString(r.Start) || !smartInstant.MatchString(r.End) || !begin.Before(end) || !s.Now().Before(end) {
		t.Errorf("slot %s: from %s to %s", r.ID, r.Start, r.End)
	}
	if r.Schedule == nil || schedules[r.Schedule.Reference].ID == "" || !slices.Contains([]string{"free", "busy"}, r.Status) {
		t.Errorf("slot %+v", r)
	}
	links, capacity := 0, 0
	for _, e := range r.Extension {
		switch e.URL {
		case smartRegistry + "StructureDefinition/booking-deep-link":
			links++
			if u, err := url.Parse(*e.Link); err != nil || !u.IsAbs() || !strings.HasPrefix(*e.Link, s.Root) {
				t.Errorf("slot %s: link %s", r.ID, *e.Link)
			}
		case smartRegistry + "StructureDefinition/slot-capacity":
			capacity = *e.Integer
		case s.Root + "/fhir/StructureDefinition/draw-at":
			if _, err := time.Parse(time.RFC3339, e.Instant); err != nil || r.Status != "free" {
				t.Errorf("slot %s: drawn at %q", r.ID, e.Instant)
			}
		default:
			t.Errorf("slot %s: extension %s", r.ID, e.URL)
		}
	}
	if (r.Status == "free") != (links == 1) || capacity < 1 {
		t.Errorf("slot %+v", r)
	}
}

// TestSmartTellsTheSame: free capacity is what the search says, and a client
// that wants no compression gets the same lines.
func TestSmartTellsTheSame(t *testing.T) {
	s := server(t)
	day := s.Later()[1]
	p := fetchPublished(t, s)
	free := 0
	for _, r := range p.lines["Slot"] {
		if r.Status == "free" && strings.HasPrefix(r.ID, day.Session) {
			for _, e := range r.Extension {
				if e.Integer != nil {
					free += *e.Integer
				}
			}
		}
	}
	a := ask(t, s.Client(), "GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", day.Centre, day.Date), nil)
	if _, rest, ok := strings.Cut(string(a.Body), day.Session+`","date":"`+day.Date+`","available_capacity":`); !ok || !strings.HasPrefix(rest, strconv.Itoa(free)+",") {
		t.Errorf("published %d free places; the search says %s", free, a.Text())
	}
	for at, body := range p.raw {
		plain := want(t, ask(t, s.Client(), "GET", strings.TrimPrefix(at, s.API), nil, "Accept-Encoding", "identity"), 200)
		if plain.Header.Get("Content-Encoding") != "" || string(plain.Body) != body {
			t.Errorf("%s without compression differs", at)
		}
	}
	for _, path := range []string{"slots-0.ndjson", "slots-99999.ndjson", "slots-027.ndjson", "slots.ndjson", "people-27.ndjson", "slots-x.ndjson", "$bulk-publish.ndjson"} {
		if a := ask(t, s.Client(), "GET", "/v3/scheduling/"+path, nil); a.Status != 404 {
			t.Errorf("%s: %s", path, a.Text())
		}
	}
}

// published takes the tour through manifest and files.
func (r *tour) published() {
	r.Helper()
	a := r.good(r.s.Client(), "GET", smartManifest, nil)
	for _, part := range strings.Split(string(a.Body), `"url":"`)[1:] {
		at, _, _ := strings.Cut(part, `"`)
		r.good(r.s.Client(), "GET", strings.TrimPrefix(at, r.s.API), nil)
	}
}
