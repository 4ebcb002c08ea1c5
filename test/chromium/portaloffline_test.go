package chromium

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/civil"
	"tikakosh/internal/edge"
	"tikakosh/internal/portal"
)

// issuer signs certificates and lists, and serves the page of the check with the API's two
// addresses beside it, as the program does.
type issuer struct {
	t     *testing.T
	good  encode.Signer
	keys  encode.KeySet
	taken []encode.RevocationHash
	sent  atomic.Int64 // forms that reached the server
	pages *portal.Server
}

func signer(t *testing.T, secret int64) encode.Signer {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), big.NewInt(secret).FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := encode.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, good: signer(t, 7)}
	var err error
	if i.keys, err = encode.NewKeySet(i.good); err != nil {
		t.Fatal(err)
	}
	if i.pages, err = portal.New(portal.Config{Door: open{}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	return i
}

// open lets everybody in.
type open struct{}

func (open) Admit(edge.Rate, *http.Request) (string, time.Duration) { return "", 0 }
func (open) Answered(string, int, time.Duration)                    {}

func (i *issuer) list(at time.Time) []byte {
	raw, err := encode.SignRevocations("Test", 3, at, append([]encode.RevocationHash{encode.RevocationHashOf("another")}, i.taken...), i.good)
	if err != nil {
		i.t.Fatal(err)
	}
	return raw
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		i.sent.Add(1)
	}
	switch r.URL.Path {
	case "/api/v3/keys":
		raw, err := i.keys.Marshal()
		if err != nil {
			i.t.Error(err)
		}
		fmt.Fprintf(w, `{"realm":1,"certificates":%s}`, raw)
	case "/api/v3/revocations":
		_, _ = w.Write(i.list(time.Now()))
	default:
		if _, err := r.Cookie("who"); err == nil {
			w.Header().Set("X-Whose", "somebody's")
		}
		i.pages.ServeHTTP(w, r)
	}
}

// facts are of a dose; each certificate has an identifier of its own.
func facts(t *testing.T, product, name, ref string, from time.Time) encode.Facts {
	t.Helper()
	ci, err := encode.UVCI("IN", 1, ref)
	if err != nil {
		t.Fatal(err)
	}
	return encode.Facts{Realm: 1, CI: ci, ViewRef: ref, Name: name, BirthYear: 1980, Gender: "Female", IDLast4: "4321",
		Doses:  []encode.Dose{{Number: 1, Total: 2, Product: product, Lot: "L1", Given: civil.Date{Year: 2026, Month: 10, Day: 2}, Vaccinator: "Sunita Rao", Country: map[bool]string{true: "NP"}[product == "COVISHIELD"]}},
		Issuer: "State Health Mission", IssuedAt: from, ExpiresAt: from.AddDate(0, 6, 0)}
}

func issue(t *testing.T, s encode.Signer, f encode.Facts) string {
	t.Helper()
	text, err := encode.CarrierFor(f.Doses[0].Product).Encode(f, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const base45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// rewritten is a certificate with a word changed under the old signature, packed anew.
func rewritten(t *testing.T, text, old, now string) string {
	t.Helper()
	var packed []byte
	for body := text[4:]; len(body) > 0; {
		n := min(3, len(body))
		v, scale := 0, 1
		for _, x := range []byte(body[:n]) {
			v += strings.IndexByte(base45, x) * scale
			scale *= 45
		}
		if n == 3 {
			packed = append(packed, byte(v>>8))
		}
		packed, body = append(packed, byte(v)), body[n:]
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || len(old) != len(now) || !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("%v %q", err, raw)
	}
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(bytes.ReplaceAll(raw, []byte(old), []byte(now)))
	_ = w.Close()
	s := "HC1:"
	for b := out.Bytes(); len(b) > 0; {
		v, n, step := int(b[0]), 2, 1
		if len(b) > 1 {
			v, n, step = v<<8|int(b[1]), 3, 2
		}
		for range n {
			s += string(base45[v%45])
			v /= 45
		}
		b = b[step:]
	}
	return s
}

// ask types a text into the form, presses and reads what the page says.
func (r *reader) ask(text string) string {
	r.Helper()
	r.eval(fmt.Sprintf(`(() => { const f = document.getElementById('verify-form'); f.elements.text.value = %q; f.querySelector('button[type=submit]').click(); return ''; })()`, text))
	r.until("an answer", `!!document.querySelector('main h1[tabindex]')`)
	said := r.eval(`document.querySelector('main').innerText`)
	r.press("a.govuk-button[data-again]")
	r.until("the form again", `!document.querySelector('main h1[tabindex]')`)
	return said
}

// TestChromiumPortalOffline: the page of the check, once it was opened, checks certificates
// without a network: a genuine one, one that is changed, forged, revoked, another issuer's,
// expired; from a photo of the code too; in another language. It says how old its list is, and
// calls nothing genuine when the list is too old. Nothing that is checked is ever sent, and the
// worker keeps no other page.
func TestChromiumPortalOffline(t *testing.T) {
	on(t)
	i := newIssuer(t)
	now := time.Now()
	genuine := issue(t, i.good, facts(t, "STAMARIL", "रमेश शर्मा", "K7Q2M5XW3ABTN", now.Add(-time.Hour)))
	covid := issue(t, i.good, facts(t, "COVISHIELD", "Asha <b>Test</b>", "AAAAAAAAAAAAA", now.Add(-time.Hour)))
	revoked := issue(t, i.good, facts(t, "COVAXIN", "Ravi Test", "BBBBBBBBBBBBB", now.Add(-time.Hour)))
	i.taken = append(i.taken, encode.RevocationHashOf(facts(t, "COVAXIN", "x", "BBBBBBBBBBBBB", now).CI))
	cases := []struct{ name, text, heading, also string }{
		{"genuine", genuine, "Genuine", "रमेश शर्मा"},
		{"genuine, COVID-19", covid, "Genuine", "Serum Institute of India"},
		{"revoked", revoked, "Taken back", "Ravi Test"},
		{"forged", issue(t, encode.Signer{Key: signer(t, 8).Key, KID: i.good.KID}, facts(t, "COVAXIN", "Forged Name", "CCCCCCCCCCCCC", now.Add(-time.Hour))), "Not genuine", ""},
		{"changed", rewritten(t, covid, "Asha", "Usha"), "Not genuine", ""},
		{"of another issuer", issue(t, signer(t, 8), facts(t, "COVAXIN", "Foreign Name", "CCCCCCCCCCCCC", now.Add(-time.Hour))), "Unknown issuer", ""},
		{"expired", issue(t, i.good, facts(t, "COVAXIN", "Old Test", "DDDDDDDDDDDDD", now.AddDate(-2, 0, 0))), "Genuine, but expired", "Old Test"},
		{"to come", issue(t, i.good, facts(t, "COVAXIN", "Early Test", "EEEEEEEEEEEEE", now.AddDate(0, 0, 2))), "Genuine, but not yet valid", "Early Test"},
		{"nothing of the kind", "hello", "This is not a certificate", ""},
	}
	srv := httptest.NewServer(i)
	t.Cleanup(srv.Close)
	r := at(t, newBrowser(t), srv.URL)
	r.open("/verify")
	r.until("the worker", `document.getElementById('offline').dataset.ready === '1' && !!navigator.serviceWorker.controller`)
	r.sees("This page also works without a network.")
	for _, c := range cases {
		if got := r.ask(c.text); !strings.Contains(got, "\n"+c.heading+"\n") || !strings.Contains(got, c.also) {
			t.Errorf("with a network, %s: %s", c.name, got)
		}
	}
	r.alike(i, cases[0].text, cases[1].text, cases[2].text)

	// What the worker keeps was fetched for nobody: whoever comes next sees nobody's page.
	r.eval(`document.cookie = 'who=1'`)
	r.open("/verify")
	r.until("the worker", `document.getElementById('offline').dataset.ready === '1' && !!navigator.serviceWorker.controller`)
	if got := r.eval(`(async () => {
		let all = 0, whose = 0;
		for (const name of await caches.keys()) {
			const cache = await caches.open(name);
			for (const q of await cache.keys()) { all++; if ((await cache.match(q)).headers.get('X-Whose')) whose++; }
		}
		return whose + ', ' + (all > 9);
	})()`); got != "0, true" {
		t.Errorf("somebody's pages are kept: %s", got)
	}

	srv.Close() // no network
	r.open("/verify")
	r.until("the list", `document.getElementById('offline').dataset.ready === '1'`)
	r.sees("The list is of")
	for _, c := range cases {
		got := r.ask(c.text)
		if !strings.Contains(got, "\n"+c.heading+"\n") || !strings.Contains(got, c.also) {
			t.Errorf("without a network, %s: %s", c.name, got)
		}
		if c.also == "" && (strings.Contains(got, "Name") || strings.Contains(got, "Usha")) {
			t.Errorf("%s: shows what nobody signed: %s", c.name, got)
		}
		if c.also != "" && c.heading == "Genuine" && (!strings.Contains(got, "Held against list 3 of") || !strings.Contains(got, "this minute") && !strings.Contains(got, "minute ago")) {
			t.Errorf("%s: does not say how old its list is: %s", c.name, got)
		}
	}
	r.choose("#photo", photograph(t, genuine))
	r.until("the photo's answer", `document.querySelector('main h1[tabindex]')?.textContent === 'Genuine'`)
	if got := r.eval("location.href + document.title"); got != srv.URL+"/verifyGenuine – Tikakosh" {
		t.Errorf("the page leaves something: %s", got)
	}
	pdf, err := encode.CertificatePDF(facts(t, "COVISHIELD", "Asha Test", "AAAAAAAAAAAAA", now.Add(-time.Hour)), covid, encode.DefaultFonts())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "certificate.pdf")
	if err := os.WriteFile(file, pdf, 0o644); err != nil {
		t.Fatal(err)
	}
	r.open("/verify?lang=hi")
	r.until("the list", `document.getElementById('offline').dataset.ready === '1'`)
	r.choose("#file", file)
	r.eval(`document.querySelector('#verify-form button[type="submit"]').click()`)
	r.sees("असली है")
	r.sees("पृष्ठ पर जो दिखता है वह जाँचा नहीं गया")
	r.open("/verify") // in the language that was used last
	r.sees("प्रमाणपत्र जाँचें")
	r.eval(`document.querySelector('header button[lang="en"]').click()`)
	r.sees("Verify a certificate")

	// Eight days later the list is too old: nothing is called genuine.
	call(r, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf("{ const now = Date.now; Date.now = () => now() + %d; }", (8 * 24 * time.Hour).Milliseconds())})
	r.open("/verify")
	r.sees("is too old")
	for _, c := range cases[:3] {
		if got := r.ask(c.text); !strings.Contains(got, "\nNot decided\n") || !strings.Contains(got, "Connect to the network once") || !strings.Contains(got, "8 days ago") {
			t.Errorf("eight days later, %s: %s", c.name, got)
		}
	}

	// No other page is the worker's.
	if got := call(r, page.Navigate, page.NavigateParams{URL: srv.URL + "/promises"}); got.ErrorText == "" {
		t.Error("a page that nobody kept comes without a network")
	}
	if n := i.sent.Load(); n != 0 {
		t.Errorf("%d forms were sent", n)
	}
}

// alike holds the browser's check against the server's: the same outcome for the same texts,
// and for hundreds that are changed by a character.
func (r *reader) alike(i *issuer, texts ...string) {
	r.Helper()
	list, err := encode.ParseRevocations(i.list(time.Now()), i.keys)
	if err != nil {
		r.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	all := append([]string{"", "HC1:", "HC1:" + strings.Repeat("0", 570), "HC1:GGW", "hc1:" + texts[0][4:], texts[0] + texts[0]}, texts...)
	for n := range 300 {
		b := []byte(texts[n%len(texts)])
		b[4+dice.IntN(len(b)-4)] = base45[dice.IntN(45)]
		all = append(all, string(b))
	}
	raw, err := json.Marshal(all)
	if err != nil {
		r.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal([]byte(r.eval(`(async () => {
		const data = JSON.parse(document.getElementById('verify-data').textContent), hc1 = await import(data.code);
		const kit = await hc1.open((await (await fetch(data.keys)).json()).certificates, await (await fetch(data.list)).text(), Date.now());
		const out = [];
		for (const x of `+string(raw)+`) { const a = await hc1.check(x, kit, Date.now()); out.push(a.problem + (a.facts ? '|' + a.facts.name + '|' + a.facts.ci + '|' + a.facts.given + '|' + a.facts.dose : '')); }
		return JSON.stringify(out);
	})()`)), &got); err != nil {
		r.Fatal(err)
	}
	for n, text := range all {
		res, err := certificate.Verify([]byte(text), i.keys, time.Now())
		if err == nil {
			res, _ = res.Against(list, time.Now())
		}
		want := res.Problem
		if res.Genuine {
			want += fmt.Sprintf("|%s|%s|%s|%d", res.Facts.Name, res.Facts.CI, res.Facts.Given, res.Facts.Dose)
		}
		if got[n] != want {
			r.Errorf("%q: the browser says %q, the server %q", text, got[n], want)
		}
	}
	// A list that its issuer did not sign, or that was changed, is none.
	mine := string(i.list(time.Now()))
	other := issuer{t: i.t, good: encode.Signer{Key: signer(r.T, 8).Key, KID: i.good.KID}}
	parts := strings.Split(mine, ".")
	for what, text := range map[string]string{"forged": string(other.list(time.Now())), "changed": parts[0] + "." + parts[1][:20] + "AAAA" + parts[1][24:] + "." + parts[2], "none": "x"} {
		if got := r.eval(fmt.Sprintf(`(async () => {
			const data = JSON.parse(document.getElementById('verify-data').textContent), hc1 = await import(data.code);
			return hc1.open((await (await fetch(data.keys)).json()).certificates, %q, Date.now()).then(() => 'taken', (e) => e.code);
		})()`, text)); got == "taken" {
			r.Errorf("a list that is %s is taken", what)
		}
	}
}
