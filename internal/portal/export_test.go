package portal

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// hostileTexts are what people, and staff, might have written anywhere.
var hostileTexts = []string{hostileName, `<svg onload=alert(1)>`, `{{constructor.constructor('alert(1)')()}} ${7*7}`, `"><img src=x onerror=alert(1)>`, "A\u202eB\u2066C\u200fD", `</script><script>`, `'; DROP TABLE person; --`, "=HYPERLINK(1)"}

// hostileExport has such a text wherever the registry keeps one.
func hostileExport(s string) vault.Export {
	p := vault.ExportPerson{Reference: firstRef, Name: s, NameLocal: s, BirthDate: s, IDLast4: s, Guardian: s,
		Consents:     []vault.ExportConsent{{Version: s, Language: s, Purpose: s, By: s}},
		Doses:        []vault.ExportDose{{Event: id.Event(s), Product: s, Lot: s, Place: s, District: s, Vaccinator: s, Source: s, Country: s, Status: s, Reason: s, Day: civil.Date{Year: 2026, Month: 1, Day: 3}}},
		Appointments: []vault.ExportVisit{{Slot: s, Product: s, State: s, Programme: s, Day: civil.Date{Year: 2026, Month: 1, Day: 3}}},
		Openings:     []vault.Opening{{At: 1, Kind: "break-glass", View: s, Role: s, Place: s, Reason: s, ViewRef: s}},
		Requests:     []vault.Request{{Tracking: s, Kind: vault.RequestMember, Answer: s, Detail: vault.RequestDetail{Text: s, Name: s}}}}
	return vault.Export{ViewRef: "AAAAAAAAAAAAA", Household: vault.ExportHousehold{Language: s, Email: s, MobileLast4: s, Devices: []vault.Device{{Kind: s}}}, People: []vault.ExportPerson{p}}
}

type exports struct{ e vault.Export }

func (x exports) Export(context.Context, vault.Holder) (vault.Export, error) { return x.e, nil }

// TestExportHostile (R81): what is given out, as a page and as a file, shows hostile texts as
// text: no element, no attribute, no turned line comes of them, and the file has them whole.
func TestExportHostile(t *testing.T) {
	s, _ := newPapers(t)
	s.cfg.Exports = exports{hostileExport("plain")}
	plain := send(s, "/export", url.Values{"as": {"page"}}, "Cookie", seated).Body.String()
	shape := func(page string) string { // the page's elements, without their text
		var b strings.Builder
		in := false
		for _, r := range page {
			if r == '<' {
				in = true
			}
			if in {
				b.WriteRune(r)
			}
			if r == '>' {
				in = false
			}
		}
		return b.String()
	}
	for _, text := range hostileTexts {
		s.cfg.Exports = exports{hostileExport(text)}
		page := send(s, "/export", url.Values{"as": {"page"}}, "Cookie", seated)
		if body := page.Body.String(); page.Code != 200 || shape(body) != shape(plain) || strings.ContainsAny(body, "\u202e\u2066\u200f") {
			t.Errorf("%q changes the page", text)
		}
		file := send(s, "/export", url.Values{"as": {"json"}}, "Cookie", seated)
		body := file.Body.String()
		if file.Code != 200 || file.Header().Get("Content-Type") != "application/json; charset=utf-8" || file.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(file.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%q: the file is not one: %d %v", text, file.Code, file.Header())
		}
		if strings.ContainsAny(body, "<>\u202e\u2066\u200f") {
			t.Errorf("%q stands in the file so that a viewer takes it for more than text", text)
		}
		var back struct{ People []struct{ Name string } }
		if err := json.Unmarshal([]byte(body), &back); err != nil || len(back.People) != 1 || back.People[0].Name != text {
			t.Errorf("%q does not come back whole: %v %+v", text, err, back)
		}
	}
}

// TestExportLanguages: the page to read has none of the registry's own English words in another
// language, and each opening carries its reference in the file.
func TestExportLanguages(t *testing.T) {
	s, _ := newPapers(t)
	e := hostileExport("नाम")
	p := &e.People[0]
	e.Household.Language, e.Household.Devices = "hi", []vault.Device{{Kind: "device"}}
	p.Consents[0].Purpose, p.Consents[0].Language = "registration", "hi"
	p.Doses[0].Status, p.Appointments[0].State = "confirmed", "spent"
	p.Openings = []vault.Opening{{At: 1, Kind: "opening", View: "dose history at the centre", Role: "vaccinator", Reason: "dose", ViewRef: "3VOFZCSVGHH5A"}, {At: 1, Kind: "opening", View: "eligibility", Role: "holder", Reason: "what comes next"},
		{At: 1, Kind: "opening", View: "a request of theirs", Role: "privacy", Reason: "opening"}, {At: 1, Kind: "list", View: "a proposed correction of a dose", Role: "manager", Reason: "revoke"}}
	s.cfg.Exports = exports{e}
	for _, lang := range []string{"hi", "ur"} {
		page := send(s, "/export", url.Values{"as": {"page"}}, "Cookie", seated+"; __Host-lang="+lang, "Accept-Language", lang)
		_, body, _ := strings.Cut(page.Body.String(), "<main")
		body, _, _ = strings.Cut(body, "</main>")
		if page.Code != 200 || !strings.Contains(body, "हिन्दी") && !strings.Contains(body, "हिंदी") && !strings.Contains(body, "ہندی") {
			t.Fatalf("%s: %d %s", lang, page.Code, body)
		}
		for _, word := range []string{">dose", ", dose", "what comes next", "registration", "confirmed", "spent", "device,", ", opening", "revoke", ", , "} {
			if strings.Contains(body, word) {
				t.Errorf("in %s the page says %q", lang, word)
			}
		}
	}
	if file := send(s, "/export", url.Values{"as": {"json"}}, "Cookie", seated); !strings.Contains(file.Body.String(), `"view_ref": "3VOFZCSVGHH5A"`) {
		t.Errorf("no view reference: %s", file.Body)
	}
}
