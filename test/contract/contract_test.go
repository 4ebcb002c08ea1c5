// Package contract holds the answers of the real binary against the
// description in api/openapi.yaml and against what CoWIN's clients need
// (contract.md 1.11).
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/api"
	"tikakosh/test/harness"
)

// world is what the tests of this process share: one server, one description.
type world struct {
	builder harness.Builder
	life    harness.Life
	server  func() *harness.Server
	staff   func() *staffWorld
	moves   func() *staffWorld // of re-linking: three days are none there, and two a day are many
	doc     func() (*openapi3.T, error)
}

var shared = newWorld()

func newWorld() *world {
	w := &world{doc: sync.OnceValues(load)}
	w.server = sync.OnceValue(func() *harness.Server {
		// Twelve centres, so that some take a fee. Rows of the day's list open without the
		// touch of a passkey, which no demo key has, and nobody on it is made up.
		return harness.Start(&w.life, &w.builder, harness.Options{Args: []string{"--centres", "12"}, Tags: harness.Ablation, Ablate: []string{"fresh-assertion", "roster-mode", "phantoms"}})
	})
	w.staff = newStaffWorld(&w.life, &w.builder, harness.Options{}, true)
	w.moves = newStaffWorld(&w.life, &w.builder, harness.Options{Tags: harness.Ablation, Ablate: []string{"relink-delay", "glass-cap"}}, false)
	return w
}

func load() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(openapi3.NewLoader().Context)
}

func TestMain(m *testing.M) {
	code := func() int {
		defer shared.life.Close()
		return harness.Main(m, &shared.builder)
	}()
	os.Exit(code)
}

// server is the shared server for one test.
func server(t *testing.T) *harness.Server {
	t.Helper()
	return shared.server().For(t)
}

// description is the parsed api/openapi.yaml.
func description(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := shared.doc()
	if err != nil {
		t.Fatalf("api/openapi.yaml: %v", err)
	}
	return doc
}

// operation finds what the description says of a method and path ("/api/…").
func operation(doc *openapi3.T, method, path string) (string, *openapi3.Operation) {
	path, _, _ = strings.Cut(path, "?")
	if item := doc.Paths.Value(path); item != nil && item.GetOperation(method) != nil {
		return path, item.GetOperation(method) // its own entry before one with a variable
	}
	for template, item := range doc.Paths.Map() {
		op := item.GetOperation(method)
		if op == nil {
			continue
		}
		prefix, rest, open := strings.Cut(template, "{")
		if template == path || (open && strings.HasPrefix(path, prefix) && len(path) > len(prefix) && strings.HasSuffix(rest, "}")) {
			return template, op
		}
	}
	return "", nil
}

// options make UUIDs RFC 9562's text form, any version, and list every problem.
func options() []openapi3.SchemaValidationOption {
	return []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562)),
		openapi3.MultiErrors(),
	}
}

// mismatch holds one answer against the description: status, content type,
// headers, body, and that the body has no field the description does not name.
func mismatch(doc *openapi3.T, method, path string, a harness.Answer) error {
	_, op := operation(doc, method, path)
	if op == nil {
		return fmt.Errorf("%s %s is not described", method, path)
	}
	ref := op.Responses.Value(strconv.Itoa(a.Status))
	if ref == nil {
		return fmt.Errorf("status %d is not described", a.Status)
	}
	for name, h := range ref.Value.Headers {
		v := a.Header.Get(name)
		if v == "" && h.Value.Required {
			return fmt.Errorf("header %s is missing", name)
		}
		if s := h.Value.Schema.Value; v != "" && s.Pattern != "" {
			if err := s.VisitJSON(v); err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
		}
	}
	if len(ref.Value.Content) == 0 {
		if len(a.Body) > 0 || a.Header.Get("Content-Type") != "" {
			return errors.New("an answer without content has a body or a content type")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", a.Header.Get("Content-Type"), err)
	}
	media := ref.Value.Content[kind]
	if media == nil {
		return fmt.Errorf("content type %s is not described for status %d", kind, a.Status)
	}
	schema := media.Schema.Value
	if schema.Format == "binary" {
		return nil
	}
	if kind != "application/json" {
		return schema.VisitJSON(string(a.Body), options()...)
	}
	return jsonMismatch(schema, a.Body, jsonAnswer)
}

var jsonAnswer = openapi3.VisitAsResponse()

func jsonMismatch(schema *openapi3.Schema, raw []byte, as openapi3.SchemaValidationOption) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	if err := schema.VisitJSON(v, append(options(), as)...); err != nil {
		return err
	}
	if names := undescribed(schema, v); len(names) > 0 {
		return fmt.Errorf("fields that are not described: %s", strings.Join(names, ", "))
	}
	return nil
}

// undescribed lists the fields of v that no part of the schema names. A schema
// that names no field leaves them open.
func undescribed(schema *openapi3.Schema, v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		props := properties(schema)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if p := props[name]; p != nil {
				out = append(out, undescribed(p, v[name])...)
			} else if len(props) > 0 {
				out = append(out, name)
			}
		}
	case []any:
		for _, x := range v {
			if schema.Items != nil {
				out = append(out, undescribed(schema.Items.Value, x)...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func properties(schema *openapi3.Schema) map[string]*openapi3.Schema {
	out := map[string]*openapi3.Schema{}
	for name, p := range schema.Properties {
		out[name] = p.Value
	}
	for _, part := range slices.Concat(schema.AllOf, schema.AnyOf, schema.OneOf) {
		maps.Copy(out, properties(part.Value))
	}
	return out
}

// ask sends a request below /api and holds the answer against the description.
func ask(t *testing.T, c *harness.Client, method, path string, body any, header ...string) harness.Answer {
	t.Helper()
	a := c.Must(method, path, body, header...)
	hold(t, method, "/api"+path, a)
	return a
}

// hold reports an answer that the description does not allow.
func hold(t *testing.T, method, path string, a harness.Answer) {
	t.Helper()
	if err := mismatch(description(t), method, path, a); err != nil {
		t.Errorf("%s %s: %s\n%v", method, path, a.Text(), err)
	}
	if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%s %s: security headers are missing: %v", method, path, a.Header)
	}
}

// want fails the test unless the answer has a status.
func want(t *testing.T, a harness.Answer, status int) harness.Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("got %s, want status %d", a.Text(), status)
	}
	return a
}

// signed sends a staff request with a proof over exactly these bytes.
func signed(t *testing.T, s *harness.Server, k harness.StaffKey, path string, body any, header ...string) harness.Answer {
	t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	proof, err := k.Sign(harness.Claims("POST", s.API+path, raw, s.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, s.Client(), "POST", path, raw, append([]string{"DPoP", proof}, header...)...)
}

// TestCheckFindsMismatch proves that the check can fail, in each of its ways.
func TestCheckFindsMismatch(t *testing.T) {
	doc := description(t)
	jsonType := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	const search = "/api/v2/appointment/sessions/public/findByPin?pincode=1"
	for name, c := range map[string]struct {
		path, wants string
		a           harness.Answer
	}{
		"path":           {"/api/v2/none", "not described", harness.Answer{Status: 200}},
		"status":         {search, "status 418", harness.Answer{Status: 418}},
		"content type":   {search, "content type text/plain", harness.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/plain"}}}},
		"missing field":  {search, "sessions", harness.Answer{Status: 200, Header: jsonType, Body: []byte(`{}`)}},
		"field of error": {search, "error", harness.Answer{Status: 400, Header: jsonType, Body: []byte(`{"errorCode":"X"}`)}},
		"type":           {"/api/v2/admin/location/states", "ttl", harness.Answer{Status: 200, Header: jsonType, Body: []byte(`{"states":[],"ttl":"24"}`)}},
		"extra field": {"/api/v2/admin/location/states", "fields that are not described: more", harness.Answer{Status: 200, Header: jsonType,
			Body: []byte(`{"states":[{"state_id":1,"state_name":"x","more":1}],"ttl":24}`)}},
		"reference":   {"/api/v2/appointment/beneficiaries", "X-View-Reference", harness.Answer{Status: 200, Header: jsonType, Body: []byte(`{}`)}},
		"401 in JSON": {"/api/v2/appointment/beneficiaries", "application/json", harness.Answer{Status: 401, Header: jsonType, Body: []byte(`{}`)}},
		"401 text":    {"/api/v2/appointment/beneficiaries", "Unauthenticated", harness.Answer{Status: 401, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte("no")}},
	} {
		if err := mismatch(doc, "GET", c.path, c.a); err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: got %v, want a complaint about %q", name, err, c.wants)
		}
	}
	fine := harness.Answer{Status: 200, Header: jsonType, Body: []byte(`{"states":[{"state_id":1,"state_name":"x"}],"ttl":24}`)}
	if err := mismatch(doc, "GET", "/api/v2/admin/location/states", fine); err != nil {
		t.Errorf("a right answer: %v", err)
	}
}
