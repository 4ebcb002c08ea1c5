package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// frame are the first page and the pages of errors.
func frame() []Story {
	out := []Story{
		{Name: "landing", Path: "/", Flush: true, Draw: func(p *view.Page) templ.Component {
			return view.Landing(p, view.LandingPage{SignIn: true, Doses: "21,84,36,470", Entries: "4,12,88,091"})
		}},
		{Name: "landing/new", Path: "/", Flush: true, Draw: func(p *view.Page) templ.Component {
			return view.Landing(p, view.LandingPage{})
		}},
	}
	for _, x := range []struct {
		name    string
		seconds int64
		number  string
	}{{"not_found", 0, ""}, {"invalid", 0, ""}, {"too_large", 0, ""}, {"forbidden", 0, ""}, {"sign_in", 0, ""}, {"conflict", 0, ""}, {"wait", 45, ""}, {"unavailable", 0, "7C0F31A2"}, {"internal", 0, "7C0F31A2"}} {
		heading := "error." + x.name
		out = append(out, Story{Name: "error/" + x.name, Title: heading, Draw: func(p *view.Page) templ.Component {
			page := view.ProblemPage{Heading: heading, Text: heading + "_text", Request: x.number}
			if x.seconds > 0 {
				page.Wait = p.N("error.wait_seconds", x.seconds)
			}
			return view.Trouble(p, page)
		}})
	}
	return out
}
