package portal

import (
	"fmt"
	"slices"
	"strings"

	"tikakosh/internal/edge"
)

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -path .

// Route is one row of the table. BodyLimit is in bytes; 0 means no body. Fields are the
// fields that the form or the query may have: any other is refused. Personal pages are never
// stored by anybody.
type Route struct {
	Method    string
	Path      string
	Audience  edge.Audience
	Action    string
	BodyLimit int64
	Rate      edge.Rate
	Fields    []string
	Secrets   []string // of the Fields: not taken along through a sign-in
	Upload    bool     // the form is multipart, with a file
	Personal  bool
	Phone     bool // not for a session by card
	Own       bool // a POST has to say that it comes from here, as every holder's has
	Handler   func(*Ctx) error
}

func (r Route) check() error {
	if !strings.HasPrefix(r.Path, "/") || r.Action == "" || r.Handler == nil {
		return fmt.Errorf("portal: route %s %s is not complete", r.Method, r.Path)
	}
	// Closed sets: an unknown audience would be nobody's to check, an unknown class of limits
	// would be no limit.
	if !slices.Contains([]string{"GET", "POST"}, r.Method) || !slices.Contains([]edge.Audience{edge.Public, edge.Holder}, r.Audience) ||
		!slices.Contains([]edge.Rate{edge.RateCode, edge.RateSearch, edge.RateSelf}, r.Rate) {
		return fmt.Errorf("portal: route %s %s has an unknown method, audience or rate class", r.Method, r.Path)
	}
	if (r.Method == "POST") != (r.BodyLimit > 0) {
		return fmt.Errorf("portal: route %s %s: a POST needs a body limit, a GET has none", r.Method, r.Path)
	}
	if r.Audience == edge.Holder && !r.Personal {
		return fmt.Errorf("portal: route %s %s: a holder's page is personal", r.Method, r.Path)
	}
	return nil
}

// bodySmall bounds the forms of a few fields.
const bodySmall = 8 << 10

// page makes the row of a public page.
func page(path, action string, h func(*Ctx) error, fields ...string) Route {
	return Route{Method: "GET", Path: path, Audience: edge.Public, Action: action, Rate: edge.RateSearch, Fields: fields, Handler: h}
}

// routes is every page. A new group of pages adds its own list here.
func (s *Server) routes() []Route {
	table := []Route{
		page("/{$}", "page.home", landing),
	}
	for _, group := range [][]Route{findRoutes(), numbersRoutes(), verifyRoutes(), aboutRoutes(), signRoutes(), accountRoutes(), certificateRoutes(), relinkRoutes(),
		requestRoutes(), leaveRoutes(), exportRoutes(), shareRoutes(), trackRoutes(), ledgerRoutes()} {
		table = append(table, group...)
	}
	return table
}

// phoneOnly reports whether a page is not for a session by card.
func (s *Server) phoneOnly(path string) bool {
	return slices.ContainsFunc(s.table, func(r Route) bool { return r.Path == path && r.Method == "GET" && r.Phone })
}

// has reports whether the table has a page.
func (s *Server) has(path string) bool {
	return slices.ContainsFunc(s.table, func(r Route) bool { return r.Path == path && r.Method == "GET" })
}
