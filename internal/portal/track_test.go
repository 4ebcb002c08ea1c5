package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// numbered is a tracking number of fifteen digits with the one that checks them.
func numbered(digits string) string { return digits + string('0'+id.VerhoeffDigit(digits)) }

// tracks knows one number of each kind.
type tracks struct {
	Asking
	asked []string
	err   error
}

func (a *tracks) Track(_ context.Context, number, _ string) (vault.Tracked, error) {
	a.asked = append(a.asked, number)
	switch {
	case a.err != nil:
		return vault.Tracked{}, a.err
	case number == numbered("123456789012345"):
		return vault.Tracked{State: vault.RequestInHand, At: noon().UnixMilli(), Due: noon().UnixMilli()}, nil
	case strings.HasPrefix(number, "TL"):
		return vault.Tracked{Leave: true, State: vault.LeaveErased, At: noon().UnixMilli(), Due: noon().UnixMilli()}, nil
	}
	return vault.Tracked{}, fault.New(fault.NotFound, "tracking", "a secret of the vault")
}

// TestTrackPage: whoever has a number learns its state, without a session and from a form alone;
// a number that is none takes as long.
func TestTrackPage(t *testing.T) {
	s, _ := newPapers(t)
	a, good := &tracks{}, numbered("123456789012345")
	local := strings.Map(func(r rune) rune { return r - '0' + '०' }, good)
	s.cfg.Asking = a
	s.cfg.Contact = []view.Contact{{Text: "1800 000 0000", Href: "tel:18000000000"}}
	page := get(s, "/track")
	if page.Code != 200 || page.Header().Get("Cache-Control") != "no-store" || !strings.Contains(page.Body.String(), `name="number"`) || !strings.Contains(page.Body.String(), `href="tel:18000000000"`) || len(a.asked) != 0 {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	if w := get(s, "/track?number="+good, "Accept", "text/html"); w.Code != http.StatusBadRequest || len(a.asked) != 0 {
		t.Errorf("a number in an address: %d", w.Code)
	}
	for typed, want := range map[string]string{good[:4] + "-" + good[4:8] + "-" + good[8:12] + " " + good[12:]: "In hand", local: "In hand", " tl" + strings.Repeat("a2", 16): "Erased"} {
		w := send(s, "/track", url.Values{"number": {typed}})
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %d", typed, w.Code)
		}
	}
	begin, n := time.Now(), len(a.asked)
	w := send(s, "/track", url.Values{"number": {numbered("111111111111111")}})
	if took := time.Since(begin); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "no such tracking number") || strings.Contains(w.Body.String(), "a secret") || took < trackFloor {
		t.Errorf("none: %d after %v", w.Code, took)
	}
	for _, typed := range []string{"", "12", "1234-5678-9010", good[:15] + string('0'+(good[15]-'0'+1)%10), "+123456789012345", "TL", "<script>", strings.Repeat("1", 4000)} {
		if w := send(s, "/track", url.Values{"number": {typed}}); w.Code != http.StatusUnprocessableEntity || len(a.asked) != n+1 {
			t.Errorf("%.20q: %d", typed, w.Code)
		}
	}
	if w := send(s, "/track", url.Values{"number": {good}, "lang": {"hi"}}); w.Code != 200 || len(a.asked) != n+1 || !strings.Contains(w.Body.String(), good) {
		t.Errorf("a switch of language: %d", w.Code)
	}
	if w := send(s, "/track", url.Values{"number": {good}}, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", w.Code)
	}
	a.err = &fault.Error{Kind: fault.RateLimited, Code: "bound", Text: "a secret of the vault", RetryAfter: time.Minute}
	if w := send(s, "/track", url.Values{"number": {good}}); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" || !strings.Contains(w.Body.String(), `href="tel:18000000000"`) {
		t.Errorf("too many: %d %v", w.Code, w.Header())
	}
	s.cfg.Contact = nil
	if w := get(s, "/track"); strings.Contains(w.Body.String(), `id="contact"`) {
		t.Error("a heading without a contact")
	}
}

// TestContacts: the operator's contacts are shown on the pages of requests, of leaving and of
// problems.
func TestContacts(t *testing.T) {
	for text, want := range map[string]string{"1800 000 0000": "tel:18000000000", "+91 11 0000-0000": "tel:+911100000000", "help@vaccination.example": "mailto:help@vaccination.example",
		"": "", "javascript:alert(1)": "", "Help <help@vaccination.example>": "", "12": "", "a@b@c": "", "help@x.example?subject=1": "", "1800\n0000": "", `"<b>"@x.example`: "", "call 1800": ""} {
		c, err := ParseContact(text)
		if (err == nil) != (want != "") || c.Href != want || (err == nil && c.Text != text) || (err != nil && !fault.Is(err, fault.Invalid)) {
			t.Errorf("%q: %+v %v", text, c, err)
		}
	}
	s, _ := newPapers(t)
	s.cfg.Contact = []view.Contact{{Text: "help@vaccination.example", Href: "mailto:help@vaccination.example"}}
	s.cfg.Records = openings{}
	at := "/p/" + (&Ctx{seat: seat}).handle(firstRef)
	for _, path := range []string{at + "/ask", at + "/leave", "/leave", "/nowhere"} {
		if w := get(s, path, "Cookie", seated, "Accept", "text/html"); !strings.Contains(w.Body.String(), `href="mailto:help@vaccination.example"`) {
			t.Errorf("%s: %d, no contact", path, w.Code)
		}
	}
}

// FuzzTrackingNumber: what is read as a number is one of the two forms.
func FuzzTrackingNumber(f *testing.F) {
	for _, s := range []string{"1234-5678-9012-3456", "१२३४ ५६७८ ९०१२ ३४५६", "TL" + strings.Repeat("A", 32), "tl-a2", "+1", "\u202e1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		number, ok := trackingNumber(typed)
		if !ok {
			return
		}
		digits, all := catalogue.Digits(number, trackingDigits)
		if !(all && digits == number && len(number) == trackingDigits) && !(strings.HasPrefix(number, leaveNumber) && len(number) == len(leaveNumber)+leaveLetters) {
			t.Errorf("%q is read as %q", typed, number)
		}
	})
}
