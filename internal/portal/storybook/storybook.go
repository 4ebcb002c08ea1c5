// Package storybook shows every screen of the portal in every state, without a database,
// a vault or a person: for designers, translators and tests. The screens are the same
// components that the portal renders, with made-up contents.
package storybook

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
)

// Story is one screen in one state. Name is its address below /s/, as in "landing" or
// "verify/wrong". Title is the id of the page's title, "" for the site's own.
type Story struct {
	Name   string
	Title  string
	Path   string // the address that the page has in the portal
	Form   string // id of the form that a switch of language takes along
	Wrong  bool
	Flush  bool
	Script []string
	Camera bool // the page that may use the camera
	Card   bool // a page that reads the code of a card
	Mine   bool // the page of somebody who is signed in
	Draw   func(*view.Page) templ.Component
}

// Stories lists every screen and state, by group. A new group adds its own function here.
func Stories() []Story {
	var out []Story
	for _, group := range [][]Story{frame(), finding(), counting(), verifying(), about(), signing(), certificates(), booking(), relinking(),
		asking(), sharings(), rarer()} {
		out = append(out, group...)
	}
	return out
}

// Book serves the stories. It is safe for concurrent use.
type Book struct {
	say    *catalogue.Catalogue
	assets *assets.Set
	by     map[string]Story
	names  []string
}

// New makes the book in the languages of the portal.
func New() (*Book, error) {
	say, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	return In(say)
}

// In makes the book in the languages of a catalogue.
func In(say *catalogue.Catalogue) (*Book, error) {
	set, err := assets.Load()
	if err != nil {
		return nil, err
	}
	b := &Book{say: say, assets: set, by: map[string]Story{}}
	for _, s := range Stories() {
		b.by[s.Name] = s
		b.names = append(b.names, s.Name)
	}
	return b, nil
}

// Names lists the stories in order.
func (b *Book) Names() []string { return b.names }

// Languages lists the languages' codes.
func (b *Book) Languages() []string {
	var out []string
	for _, l := range b.say.Languages() {
		out = append(out, l.Code)
	}
	return out
}

// Page is a story's frame in a language.
func (b *Book) Page(s Story, code string) *view.Page {
	p := &view.Page{Tongue: b.say.In(code), Self: "/s/" + s.Name, Languages: b.say.Languages(), Asset: b.assets.URL, KeepForm: s.Form, Wrong: s.Wrong, Flush: s.Flush, Scripts: s.Script}
	if s.Title != "" {
		p.Title = p.T(s.Title)
	}
	p.Contact = []view.Contact{{Text: "1800 000 0000", Href: "tel:18000000000"}, {Text: "help@vaccination.example", Href: "mailto:help@vaccination.example"}}
	p.SignedIn, p.Expires, p.Left, p.Now = s.Mine, sampleTime(), 900, "0"
	for _, n := range []view.NavItem{{Path: "/find", Text: "nav.find"}, {Path: "/verify", Text: "nav.verify"}, {Path: "/numbers", Text: "nav.numbers"}, {Path: "/promises", Text: "nav.promises", More: true}, {Path: "/sign-in", Text: "nav.sign_in"}} {
		if s.Mine && n.Path == "/sign-in" {
			n = view.NavItem{Path: "/account", Text: "nav.account"}
		}
		n.Current = n.Path == s.Path || strings.HasPrefix(s.Path, n.Path+"/")
		p.Nav = append(p.Nav, n)
	}
	return p
}

// ServeHTTP implements http.Handler.
func (b *Book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, assets.Prefix) {
		b.assets.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", assets.Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	code := r.URL.Query().Get("lang")
	var screen templ.Component
	name, below := strings.CutPrefix(r.URL.Path, "/s/")
	s, known := b.by[name]
	switch {
	case below && known:
		if s.Camera {
			h.Set("Content-Security-Policy", assets.CameraPolicy)
		}
		if s.Card {
			h.Set("Content-Security-Policy", assets.CardPolicy)
		}
		screen = s.Draw(b.Page(s, code))
	case r.URL.Path == "/":
		screen = index(b.Page(Story{}, code), b.names, b.Languages())
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var page bytes.Buffer
	if err := screen.Render(r.Context(), &page); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}

// address is where a story is shown in a language.
func address(name, code string) string {
	return (&url.URL{Path: "/s/" + name, RawQuery: "lang=" + code}).String()
}
