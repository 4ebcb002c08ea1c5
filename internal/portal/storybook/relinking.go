package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// relinking are the pages of a lost phone or a changed number.
func relinking() []Story {
	one := func(name string, wrong bool, x view.RelinkPage) Story {
		return Story{Name: "relink" + name, Title: "relink.title", Path: "/account/relink", Form: "take-over", Wrong: wrong, Mine: true, Card: true, Script: []string{"scan.js"},
			Draw: func(p *view.Page) templ.Component {
				for i := range x.Waits {
					x.Waits[i].From = p.Clock(sampleTime())
				}
				x := x
				x.Scan = view.Scanner{Decoder: p.Asset("zxing.js"), Wasm: p.Asset("zxing.wasm")}
				return view.Relink(p, x)
			}}
	}
	return []Story{
		one("", false, view.RelinkPage{}),
		one("/waits", false, view.RelinkPage{Waits: []view.Moving{{Name: "आशा परीक्षण", Place: "City Hospital", Handle: "AAAAAAAAAAA"}, {Name: hostile, Place: hostile, Handle: "AAAAAAAAAAB"}}}),
		one("/wrong", true, view.RelinkPage{Note: "relink.gone", Reference: view.Field{Value: hostile, Wrong: "relink.none"}}),
		one("/card", true, view.RelinkPage{Card: view.Field{Value: "TK1:" + hostile, Wrong: "relink.linked"}, PIN: view.Field{Wrong: "sign.card_wrong"}}),
	}
}
