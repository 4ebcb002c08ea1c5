package contract

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// personal are fields that tell of a person.
var personal = []string{"birth_year", "photo_id_number", "mobile_number", "beneficiaries", "guardian"}

// typed are answers that list what colleagues typed of people, and what a second member of
// staff approves of it: they cannot approve what they do not see. Each is an entry of the
// person's; nothing that is held of anybody is in them.
var typed = []string{"GET /api/v3/staff/corrections"}

// TestNobodyIsListed walks the description: what the public may call tells of no
// person, only the holder of a household gets more than one person in an answer,
// and no query or path takes a mobile number, a name or an id number.
func TestNobodyIsListed(t *testing.T) {
	doc := description(t)
	seen := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			var facts struct {
				Audience string `json:"audience"`
			}
			raw, err := json.Marshal(op.Extensions["x-tikakosh"])
			if err != nil || json.Unmarshal(raw, &facts) != nil || facts.Audience == "" {
				t.Fatalf("%s %s: no audience", method, path)
			}
			for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
				if n := strings.ToLower(p.Value.Name); p.Value.In != "header" && (strings.Contains(n, "mobile") || strings.Contains(n, "name") || strings.Contains(n, "photo_id")) {
					t.Errorf("%s %s looks people up: it takes %s", method, path, n)
				}
			}
			for status, res := range op.Responses.Map() {
				for _, media := range res.Value.Content {
					fields, lists := people(media.Schema, false, map[*openapi3.Schema]bool{})
					if fields > 0 {
						seen++
					}
					if facts.Audience == "public" && fields > 0 {
						t.Errorf("%s %s tells the public of people (%s)", method, path, status)
					}
					if facts.Audience != "holder" && lists > 0 && !slices.Contains(typed, method+" "+path) {
						t.Errorf("%s %s lists people to %s (%s)", method, path, facts.Audience, status)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Fatal("no answer with a person was found: the test looks at nothing")
	}
}

// people counts personal fields of a schema, and those inside a list.
func people(ref *openapi3.SchemaRef, list bool, done map[*openapi3.Schema]bool) (fields, lists int) {
	if ref == nil || ref.Value == nil || done[ref.Value] {
		return 0, 0
	}
	done[ref.Value] = true
	add := func(f, l int) { fields, lists = fields+f, lists+l }
	s := ref.Value
	for name, p := range s.Properties {
		if slices.Contains(personal, name) {
			fields++
			if list {
				lists++
			}
		}
		add(people(p, list, done))
	}
	add(people(s.Items, list || s.MaxItems == nil || *s.MaxItems > 1, done))
	for _, of := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, o := range of {
			add(people(o, list, done))
		}
	}
	return fields, lists
}
