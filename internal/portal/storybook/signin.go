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
		x.Mobile, x.Txn = "9876543210", "00000000-0000-4000-8000-000000000000"
		return Story{Name: name, Title: "sign.code_title", Path: "/sign-in", Form: "code", Wrong: wrong, Draw: func(p *view.Page) templ.Component { return view.Code(p, x) }}
	}
	return []Story{
		in("sign-in", false, view.SignInPage{}),
		in("sign-in/wrong", true, view.SignInPage{Mobile: view.Field{Value: "९८७ " + hostile, Wrong: "sign.mobile_wrong"}}),
		in("sign-in/first", false, view.SignInPage{Why: "sign.first", Carry: "e30"}),
		in("sign-in/ended", false, view.SignInPage{Why: "sign.ended", Carry: "e30"}),
		code("code", false, view.CodePage{}),
		code("code/wrong", true, view.CodePage{Code: view.Field{Wrong: "sign.code_wrong"}}),
		code("code/again", false, view.CodePage{Note: "sign.sent_again"}),
		{Name: "sign-out", Title: "sign.out_title", Path: "/sign-out", Draw: func(p *view.Page) templ.Component { return view.SignedOut(p) }},
		{Name: "sign-in/elsewhere", Title: "sign.go_on", Path: "/account", Draw: func(p *view.Page) templ.Component { return view.GoOn(p, "/account") }},
	}
}
