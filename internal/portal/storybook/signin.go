package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// signing are the pages of signing in and out.
func signing() []Story {
	in := func(name string, wrong bool, x view.SignInPage) Story {
		return Story{Name: name, Title: "sign.title", Path: "/sign-in", Form: "sign-in", Wrong: wrong, Draw: func(p *view.Page) templ.Component { return view.SignIn(p, x) }}
	}
	code := func(name string, wrong bool, x view.CodePage) Story {
		if x.Txn, x.Sent = "00000000-0000-4000-8000-000000000000", "0"; x.SignIn == "" {
			x.Mobile, x.SignIn = "9876543210", "/sign-in"
		}
		return Story{Name: name, Title: "sign.code_title", Path: "/sign-in", Form: "code-form", Wrong: wrong, Draw: func(p *view.Page) templ.Component {
			x := x // the next language draws it anew
			if x.Warn == "?" {
				x.Warn = p.N("sign.too_soon", 17)
			} else if x.Warn != "" {
				x.Warn = p.T("sign.held", "At", "14:05")
			}
			return view.Code(p, x)
		}}
	}
	card := func(name string, wrong bool, x view.CardInPage) Story {
		return Story{Name: name, Title: "sign.card_title", Path: "/sign-in", Form: "card-form", Wrong: wrong, Card: true, Script: []string{"scan.js"}, Draw: func(p *view.Page) templ.Component {
			x := x
			x.Scan = view.Scanner{Decoder: p.Asset("zxing.js"), Wasm: p.Asset("zxing.wasm")}
			return view.CardIn(p, x)
		}}
	}
	out := []Story{
		in("sign-in", false, view.SignInPage{}),
		in("sign-in/wrong", true, view.SignInPage{Shared: true, Mobile: view.Field{Value: "९८७ " + hostile, Wrong: "sign.mobile_wrong"}}),
		in("sign-in/first", false, view.SignInPage{Why: "sign.first", Carry: "e30"}),
		in("sign-in/ended", false, view.SignInPage{Why: "sign.ended", Carry: "e30"}),
		{Name: "sign-in/work", Title: "sign.title", Path: "/sign-in", Form: "sign-in", Draw: func(p *view.Page) templ.Component {
			return view.SignIn(p, view.SignInPage{Mobile: view.Field{Value: "9876543210"}, Work: "{}"})
		}},
		code("code", false, view.CodePage{Wait: 30}),
		code("code/wrong", true, view.CodePage{Code: view.Field{Wrong: "sign.code_wrong"}}),
		code("code/again", false, view.CodePage{Note: "sign.sent_again", Wait: 30}),
		code("code/soon", false, view.CodePage{Warn: "?", Wait: 17}),
		code("code/gone", false, view.CodePage{SignIn: "/sign-in?to=%2Faccount"}),
		code("code/held", false, view.CodePage{Warn: "held"}),
		card("card", false, view.CardInPage{}),
		card("card/wrong", true, view.CardInPage{Card: view.Field{Value: "TK1:" + hostile, Wrong: "sign.card_form"}, PIN: view.Field{Wrong: "sign.card_wrong"}}),
		{Name: "sign-in/help", Title: "sign.help_title", Path: "/sign-in", Draw: func(p *view.Page) templ.Component { return view.SignHelp(p) }},
		{Name: "card/cannot", Title: "sign.card_cannot", Path: "/account", Mine: true, Draw: func(p *view.Page) templ.Component { return view.CardCannot(p) }},
		{Name: "sign-out", Title: "sign.out_title", Path: "/sign-out", Draw: func(p *view.Page) templ.Component { return view.SignedOut(p) }},
		{Name: "sign-in/elsewhere", Title: "sign.go_on", Path: "/account", Mine: true, Draw: func(p *view.Page) templ.Component { return view.GoOn(p, "/account") }},
		{Name: "time", Title: "sign.go_on", Path: "/account", Mine: true, Draw: func(p *view.Page) templ.Component {
			p.TimeUp = true
			return view.GoOn(p, "/account")
		}},
	}
	for _, x := range []struct {
		name  string
		wait  int64
		again bool
	}{{"many", 7, false}, {"unsent", 0, true}, {"unsure", 0, true}, {"late", 0, true}, {"often", 0, true}} {
		out = append(out, Story{Name: "stuck/" + x.name, Title: "sign." + x.name, Path: "/sign-in", Draw: func(p *view.Page) templ.Component {
			y := view.StuckPage{Heading: "sign." + x.name, Mobile: "9876543210", Again: x.again}
			if x.wait > 0 {
				y.Wait = p.N("sign.wait_hours", x.wait)
			}
			return view.Stuck(p, y)
		}})
	}
	return append(out, keeping()...)
}
