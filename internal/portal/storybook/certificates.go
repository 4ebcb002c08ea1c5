package storybook

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// sampleCode is a picture as large as that of a certificate's code; it says nothing.
func sampleCode() (path string, side int) {
	const n, quiet = 89, 4
	var b strings.Builder
	for y := range n {
		for x := range n {
			if (x*x+3*y*y+x*y)%7 < 3 {
				b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h1v1h-1z")
			}
		}
	}
	return b.String(), n + 2*quiet
}

// certificates are the pages of a person's certificate.
func certificates() []Story {
	const path = "/p/AAAAAAAAAAA/certificate"
	ask := func(name string, wrong bool, v view.CertificateAskPage) Story {
		v.Path, v.Back = path, "/account"
		s := Story{Name: "certificate" + name, Title: "cert.title", Path: path, Mine: true, Wrong: wrong, Draw: func(p *view.Page) templ.Component { return view.CertificateAsk(p, v) }}
		if v.Locked {
			s.Form = "card-form"
		}
		return s
	}
	shown := func(name, person string, own bool) Story {
		return Story{Name: name, Title: "cert.title", Path: path, Mine: own, Draw: func(p *view.Page) templ.Component {
			v := view.CertificatePage{Path: path, Back: path, Facts: verifiedFacts(p, person), Text: "HC1:" + strings.Repeat("6BF+70790T9WJWG.FKY*4GO0", 23), ViewRef: "K7Q2M5XW3ABTN", Issuer: "State Health Mission"}
			if !own {
				v.Path, v.Back, v.Token, v.Until = "/share", "", "AAAA", p.Clock(sampleTime())
			}
			v.QR, v.Side = sampleCode()
			return view.Certificate(p, v)
		}}
	}
	return []Story{
		ask("", false, view.CertificateAskPage{Name: "आशा परीक्षण", Share: "/p/AAAAAAAAAAA/share"}),
		ask("/none", false, view.CertificateAskPage{Name: hostile, None: true}),
		ask("/waiting", false, view.CertificateAskPage{Name: "A. T.", Trouble: "cert.waiting"}),
		ask("/locked", false, view.CertificateAskPage{Name: "Ravi Test", Locked: true}),
		ask("/locked_wrong", true, view.CertificateAskPage{Name: "Ravi Test", Locked: true, Card: view.Field{Value: hostile, Wrong: "cert.card_wrong"}}),
		shown("certificate/shown", "आशा परीक्षण", true),
		shown("share/certificate", hostile, false),
	}
}

// sharings are the pages of links to a certificate.
func sharings() []Story {
	const path = "/p/AAAAAAAAAAA/share"
	list := func(name, wrong string, links bool) Story {
		return Story{Name: "share" + name, Title: "share.title", Path: path, Mine: true, Form: "share", Wrong: wrong != "", Draw: func(p *view.Page) templ.Component {
			v := view.SharePage{Name: "आशा परीक्षण", Path: path, Back: "/account", Days: []int{1, 7, 30}, Chosen: 7, Wrong: wrong}
			at := p.Clock(sampleTime())
			if links {
				v.Links = []view.SharedLink{{ID: "1", Made: at, Expires: at, Live: true, Uses: p.N("share.uses", 0)}, {ID: "2", Made: at, Expires: at, Live: true, Uses: p.N("share.uses", 1), Last: at},
					{ID: "3", Made: at, Expires: at, Ended: at, Uses: p.N("share.uses", 12), Last: at}, {ID: "4", Made: at, Expires: at, Uses: p.N("share.uses", 2), Last: at}}
			}
			return view.Share(p, v)
		}}
	}
	open := func(name string, f view.Field) Story {
		return Story{Name: "share" + name, Title: "share.open_title", Path: "/share", Form: "open", Wrong: f.Wrong != "", Script: []string{"share.js"}, Draw: func(p *view.Page) templ.Component { return view.ShareOpen(p, view.ShareOpenPage{Token: f}) }}
	}
	return []Story{
		list("", "", false), list("/links", "", true), list("/full", "share.full", true), list("/no_days", "share.days_none", false),
		{Name: "share/made", Title: "share.made", Path: path, Mine: true, Draw: func(p *view.Page) templ.Component {
			v := view.ShareMadePage{Link: "https://tikakosh.example/share#AAAAAAAAAAAAAAAAAAAAAA", Until: p.Clock(sampleTime()), Back: path}
			v.QR, v.Side = sampleCode()
			return view.ShareMade(p, v)
		}},
		open("/open", view.Field{}), open("/none", view.Field{Wrong: "share.none"}), open("/nothing", view.Field{Value: hostile, Wrong: "share.nothing"}),
	}
}
