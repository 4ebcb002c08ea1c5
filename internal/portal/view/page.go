// Package view is the portal's screens: components and the structs they show. It knows no
// domain, no request and no database; handlers and the storybook fill the same structs.
package view

import (
	"net/url"
	"strings"
	"time"

	"tikakosh/internal/portal/catalogue"
)

// Page is what every screen has besides its own contents. The Tongue says its texts.
type Page struct {
	*catalogue.Tongue
	Title     string               // in the page's language; never says anything of a person
	Self      string               // the page's own address with its query, without the language
	Languages []catalogue.Language // that can be switched to
	Nav       []NavItem
	Asset     func(name string) string // address of an asset
	KeepForm  string                   // id of the form whose fields a switch of language takes along
	Flush     bool                     // the contents begin at the header, without room above
	Wrong     bool                     // something typed was wrong: the title says so first
	Scripts   []string                 // assets of this page alone
	SignedIn  bool                     // somebody is
	Expires   time.Time                // when the session ends by itself
	Left      int                      // how many seconds it has
	Now       string                   // the server's clock, Unix seconds
	Who       string                   // names the one who is signed in to this browser's other windows; means nothing elsewhere
	TimeUp    bool                     // a story: the end is near
	Contact   []Contact                // how the operator is reached
	Waiting   bool                     // the session is on a device that is new to the household: it sees initials
}

// NavItem is one entry of the navigation.
type NavItem struct {
	Path    string
	Text    string // id of its message
	Current bool
	More    bool // shown where there is room; the foot leads there too
}

// WholeTitle is the document's title.
func (p *Page) WholeTitle() string {
	t := p.Title
	if t == "" {
		t = p.T("site.title")
	} else {
		t += " – " + p.T("site.name")
	}
	if p.Wrong {
		t = p.T("error.title_prefix") + " " + t
	}
	return t
}

// Style is the style sheet for the page's direction.
func (p *Page) Style() string {
	if p.Dir == "rtl" {
		return p.Asset("portal-rtl.css")
	}
	return p.Asset("portal.css")
}

// InLanguage is the page's own address in another language.
func (p *Page) InLanguage(code string) string {
	path, query, _ := strings.Cut(p.Self, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		q = url.Values{}
	}
	q.Set("lang", code)
	return path + "?" + q.Encode()
}

// Others are the languages besides the page's own, in two parts: those shown at once and
// those behind a press.
func (p *Page) Others() (shown, more []catalogue.Language) {
	for _, l := range p.Languages {
		if l.Code == p.Code {
			continue
		}
		if len(shown) < 2 {
			shown = append(shown, l)
		} else {
			more = append(more, l)
		}
	}
	return shown, more
}

// Field is one field of a form: what was typed, and what was wrong with it, as the id of a
// message, "" when nothing was.
type Field struct {
	Value string
	Wrong string
}

// Problem is one line of an error summary: the field's id and what was wrong.
type Problem struct{ At, Text string }

// Problems lists what was wrong with fields in order; pairs are the ids of fields and Fields.
func (p *Page) Problems(pairs ...any) []Problem {
	var out []Problem
	for i := 0; i+1 < len(pairs); i += 2 {
		at, ok1 := pairs[i].(string)
		f, ok2 := pairs[i+1].(Field)
		if ok1 && ok2 && f.Wrong != "" {
			out = append(out, Problem{at, p.T(f.Wrong)})
		}
	}
	return out
}

// joined is a list of names as one text, with the comma of the page's script. Marks that turn the direction of what follows them
// are left out: one name must not turn the next.
func (p *Page) joined(names ...string) string {
	var out []string
	for _, n := range names {
		if n = Plain(n); n != "" {
			out = append(out, n)
		}
	}
	if p.Dir == "rtl" {
		return strings.Join(out, "، ")
	}
	return strings.Join(out, ", ")
}

// Plain is a text without the marks that turn, embed or isolate directions of writing.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f', r == '\u061c':
			return -1
		}
		return r
	}, s)
}

// describedBy joins the ids of what describes a field.
func describedBy(id string, hint bool, f Field) string {
	var ids []string
	if hint {
		ids = append(ids, id+"-hint")
	}
	if f.Wrong != "" {
		ids = append(ids, id+"-error")
	}
	return strings.Join(ids, " ")
}

// Until is the time of day at which the session ends, in India.
func (p *Page) Until() string {
	return p.Expires.In(time.FixedZone("IST", 19800)).Format("15:04")
}
