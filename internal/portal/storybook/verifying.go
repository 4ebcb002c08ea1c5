package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// verifiedFacts are what a certificate says.
func verifiedFacts(p *view.Page, name string) []view.Fact {
	return []view.Fact{{Label: "verify.name", Value: name}, {Label: "verify.latin", Value: "ASHA TEST"}, {Label: "verify.birth", Value: "1980"}, {Label: "verify.gender", Value: p.T("numbers.gender_2")}, {Label: "verify.id", Value: "001A"},
		{Label: "verify.vaccine", Value: "COVISHIELD (ChAdOx1-S [recombinant])"}, {Label: "verify.maker", Value: "Serum Institute of India"}, {Label: "verify.disease", Value: "COVID-19"}, {Label: "verify.dose", Value: p.T("verify.dose_of", "N", "2", "Of", "2")},
		{Label: "verify.given", Value: p.Day(sampleDay())}, {Label: "verify.lot", Value: "LOT-0001"}, {Label: "verify.valid", Value: p.Clock(sampleTime())}, {Label: "verify.ci", Value: "URN:UVCI:01:IN:5E1F0C9A7B334D21A0C1D2E3F4A5B6C7#K"}}
}

// verifying are the pages of the check of a certificate.
func verifying() []Story {
	out := []Story{
		{Name: "verify", Title: "verify.title", Path: "/verify", Form: "verify-form", Script: []string{"scan.js"}, Camera: true, Draw: func(p *view.Page) templ.Component {
			return view.Verify(p, view.VerifyPage{Decoder: p.Asset("zxing.js"), Wasm: p.Asset("zxing.wasm")})
		}},
		{Name: "verify/empty", Title: "verify.title", Path: "/verify", Form: "verify-form", Wrong: true, Draw: func(p *view.Page) templ.Component {
			return view.Verify(p, view.VerifyPage{Text: view.Field{Value: hostile, Wrong: "verify.empty"}})
		}},
	}
	// What the script says by the browser's own words.
	ago := map[string]string{"en": "2 hours ago", "hi": "2 घंटे पहले", "ur": "2 گھنٹے پہلے"}
	said := func(p *view.Page, id string) string {
		return p.T(id, "N", "12", "At", p.Clock(sampleTime()), "Ago", ago[p.Code])
	}
	for _, x := range []struct {
		name, says   string
		old          bool
		keep, forget bool
	}{{"kept", "verify.offline_ready", false, false, true}, {"kept_old", "verify.offline_old", true, false, true}, {"kept_not", "verify.offline_not", false, true, false}, {"kept_empty", "verify.offline_empty", false, false, true}, {"kept_gone", "verify.offline_gone", false, false, false}} {
		out = append(out, Story{Name: "verify/" + x.name, Title: "verify.title", Path: "/verify", Form: "verify-form", Draw: func(p *view.Page) templ.Component {
			return view.Verify(p, view.VerifyPage{Kept: view.Kept{Says: said(p, x.says), Old: x.old, Keep: x.keep, Forget: x.forget}})
		}})
	}
	for _, x := range []struct{ name, kind, name2 string }{{"genuine", "good", "आशा परीक्षण"}, {"expired", "warn", "Asha Test"}, {"not_yet", "warn", "Asha Test"}, {"undecided", "warn", "Asha Test"}, {"revoked", "bad", hostile}, {"unknown", "bad", ""}, {"forged", "bad", ""}, {"unreadable", "bad", ""}} {
		heading := "verify." + x.name
		out = append(out, Story{Name: "verify/" + x.name, Title: heading, Path: "/verify", Draw: func(p *view.Page) templ.Component {
			v := view.VerdictPage{Kind: x.kind, Heading: heading, Text: heading + "_text"}
			if x.name2 != "" {
				v.Facts, v.Note = verifiedFacts(p, x.name2), "verify.compare"
				v.Checked = p.T("verify.checked", "N", "1,204", "At", p.Clock(sampleTime()))
			}
			return view.Verdict(p, v)
		}})
	}
	return out
}
