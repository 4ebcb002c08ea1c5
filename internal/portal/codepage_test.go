package portal

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestCodePageStays: the page of a code is asked for by Back and by a reload as often as
// somebody likes; no second message goes, nothing of them stands in its address or its cookie,
// and a change of language keeps what was typed.
func TestCodePageStays(t *testing.T) {
	s, g, _ := keeping(t)
	now := noon()
	s.cfg.Now = func() time.Time { return now }
	form := hidden(get(s, "/sign-in?to=%2Ffind"))
	form.Set("mobile", "98765 43210")
	form.Set("shared", "1")
	sent := send(s, "/sign-in", form)
	k := cookies(sent)[codeCookie]
	if sent.Code != 303 || sent.Header().Get("Location") != "/sign-in/code?to=%2Ffind" || sent.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", sent.Code, sent.Header())
	}
	if k == nil || !k.HttpOnly || !k.Secure || k.Path != "/" || k.Domain != "" || k.MaxAge != 600 || k.SameSite != 3 || strings.Contains(k.Value, "98765") {
		t.Fatalf("%+v", k)
	}
	waits := codeCookie + "=" + k.Value
	var page string
	for range 3 {
		w := get(s, "/sign-in/code?to=%2Ffind", "Cookie", waits)
		page = w.Body.String()
		if h := hidden(w); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(page, "9876543210") || h.Get("shared") != "1" || h.Get("carry") != (carried{To: "/find"}).text() ||
			!strings.Contains(w.Header().Get("Permissions-Policy"), "otp-credentials=(self)") {
			t.Fatalf("%d %s", w.Code, page)
		}
	}
	// The form of the number sent once more: pressed twice, or after Back.
	if w := send(s, "/sign-in", form, "Cookie", waits); w.Code != 303 || len(g.asked) != 1 {
		t.Errorf("%d, asked %q", w.Code, g.asked)
	}
	other := url.Values{"mobile": {"9876543211"}, "once": form["once"]}
	if w := send(s, "/sign-in", other, "Cookie", waits); w.Code != 303 || len(g.asked) != 2 {
		t.Errorf("another number gets no code: %d, asked %q", w.Code, g.asked)
	}
	// A session that somebody planted meanwhile leads nobody away from their code.
	if w := get(s, "/sign-in/code", "Cookie", waits+"; "+seated); w.Code != 200 || !strings.Contains(w.Body.String(), `action="/sign-in/code"`) {
		t.Errorf("with a planted session: %d %v", w.Code, w.Header())
	}
	// A change of language keeps what was typed, once, and the page can be reloaded.
	code := hidden(get(s, "/sign-in/code?to=%2Ffind", "Cookie", waits))
	code.Set("code", "1234")
	code.Set("lang", "hi")
	w := send(s, "/sign-in/code", code, "Cookie", waits)
	if w.Code != 303 || w.Header().Get("Location") != "/sign-in/code?to=%2Ffind" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if w := get(s, w.Header().Get("Location"), "Cookie", waits+"; __Host-lang=hi"); w.Header().Get("Content-Language") != "hi" || !strings.Contains(w.Body.String(), `value="1234"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// A wrong one: the page says so, also after a reload, and the same one is not asked again.
	code.Del("lang")
	code.Set("code", "000000")
	asked := len(g.devices)
	for range 3 {
		w := send(s, "/sign-in/code", code, "Cookie", waits)
		if w.Code != 422 || !strings.Contains(w.Body.String(), `data-here="/sign-in/code?to=%2Ffind"`) || hidden(w).Get("tries") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if len(g.devices) != asked+1 {
			t.Error("a code that was wrong is asked again")
		}
	}
	if w := get(s, "/sign-in/code?to=%2Ffind", "Cookie", waits); w.Code != 200 || !strings.Contains(w.Body.String(), "That is not the code") || hidden(w).Get("tries") != "1" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// The right one signs in, takes the code out of the browser, and Back leads on.
	code = hidden(get(s, "/sign-in/code?to=%2Ffind", "Cookie", waits))
	code.Set("code", "123456")
	w = send(s, "/sign-in/code", code, "Cookie", waits)
	if w.Code != 303 || w.Header().Get("Location") != "/find" || cookies(w)[codeCookie].MaxAge != -1 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := get(s, "/sign-in/code?to=%2Ffind", "Cookie", seated); w.Code != 303 || w.Header().Get("Location") != "/find" {
		t.Errorf("Back: %d %v", w.Code, w.Header())
	}
}

// TestCodePageElsewhere: where this process does not know the page, as after a restart, the code
// still signs in; where there is no code, the number is asked for; where it is over, that is said.
func TestCodePageElsewhere(t *testing.T) {
	s, _, _ := keeping(t)
	now := noon()
	s.cfg.Now = func() time.Time { return now }
	const txn = "00000000-0000-4000-8000-000000000001"
	w := get(s, "/sign-in/code?to=%2Ffind", "Cookie", codeCookie+"="+txn+".1770013800.1")
	h := hidden(w)
	if w.Code != 200 || h.Get("txn") != txn || h.Get("sent") != "1770013800" || h.Get("shared") != "1" || !strings.Contains(w.Body.String(), "the number that you gave") || strings.Contains(w.Body.String(), `action="/sign-in/again"`) ||
		!strings.Contains(w.Body.String(), `href="/sign-in?to=%2Ffind"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.Set("code", "123456")
	if w := send(s, "/sign-in/code", h); w.Code != 303 || w.Header().Get("Location") != "/find" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, cookie := range []string{"", codeCookie + "=x", codeCookie + "=x.1.1", codeCookie + "=" + txn} {
		if w := get(s, "/sign-in/code?to=%2Ffind", "Cookie", cookie); w.Code != 303 || w.Header().Get("Location") != "/sign-in?to=%2Ffind" {
			t.Errorf("%q: %d %v", cookie, w.Code, w.Header())
		}
		if w := get(s, "/sign-in/code", "Cookie", cookie); w.Code != 303 || w.Header().Get("Location") != "/sign-in" {
			t.Errorf("%q: %d %v", cookie, w.Code, w.Header())
		}
	}
	sent := send(s, "/sign-in", url.Values{"mobile": {"9876543210"}})
	waits := codeCookie + "=" + cookies(sent)[codeCookie].Value
	form := hidden(get(s, "/sign-in/code", "Cookie", waits))
	form.Set("code", "000000")
	now = now.Add(4 * time.Minute)
	if w := send(s, "/sign-in/code", form, "Cookie", waits); w.Code != 422 || !strings.Contains(w.Body.String(), "time of this code is over") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(s, "/sign-in/code", "Cookie", waits); w.Code != 200 || !strings.Contains(w.Body.String(), "time of this code is over") || !strings.Contains(w.Body.String(), `action="/sign-in"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestCarriedForm: what was typed into a form is in the page of the sign-in alone, for nobody to
// read, a document's number too; it is shown again in this browser, to the same person.
func TestCarriedForm(t *testing.T) {
	s, g, acted := keeping(t)
	const dead = sessionCookie + "=" + ended + "; " + seatCookie + "=" + seat
	w := send(s, "/t/x", url.Values{"a": {"ABCPE1234F"}}, "Cookie", dead)
	carry := hidden(w).Get("carry")
	k, ok := readCarried(carry)
	if w.Code != 401 || !ok || k.Box == "" || strings.Contains(w.Body.String(), "ABCPE1234F") || strings.Contains(k.Box, "QUJDUEUxMjM0R") {
		t.Fatalf("%d %+v %s", w.Code, k, w.Body)
	}
	form := hidden(w)
	form.Set("mobile", "9876543210")
	w = send(s, "/sign-in", form, "Cookie", dead)
	if w.Code != 200 || hidden(w).Get("carry") != carry {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	waits := dead + "; " + codeCookie + "=" + cookies(w)[codeCookie].Value
	// Sent again, as a reload of this answer does, it sends no second message.
	if again := send(s, "/sign-in", form, "Cookie", waits); again.Code != 200 || len(g.asked) != 1 || hidden(again).Get("carry") != carry {
		t.Errorf("%d, asked %q", again.Code, g.asked)
	}
	form = hidden(w)
	form.Set("code", "123456")
	for name, cookie := range map[string]string{"another browser": sessionCookie + "=" + ended + "; " + seatCookie + "=BAAAAAAAAAAAAAAAAAAAAA", "no seat": ""} {
		if w := send(s, "/sign-in/code", form, "Cookie", cookie); w.Code != 303 || w.Header().Get("Location") != "/account" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := send(s, "/sign-in/code", form, "Cookie", waits); w.Code != 200 || *acted != 0 || !strings.Contains(w.Body.String(), "kept x ABCPE1234F") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, r := range s.table {
		if r.Path == "/account/add" && r.Method == "POST" && len(r.Secrets) != 0 {
			t.Errorf("of a registration %q is not carried through a sign-in", r.Secrets)
		}
	}
}

// TestSilentBrowser: a page for a browser that says nothing of where its forms come from has a token
// in each form that has to come from here, and in no other; the form acts with it, in this browser
// and session alone. Other browsers get neither token nor cookie.
func TestSilentBrowser(t *testing.T) {
	s, g, acted := keeping(t)
	w := get(s, "/sign-in")
	k := cookies(w)[seatCookie]
	token := hidden(w).Get("own")
	if k == nil || k.SameSite != 3 || !k.HttpOnly || token == "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v %q", k, token)
	}
	if w := get(s, "/sign-in", "Sec-Fetch-Site", "none"); cookies(w)[seatCookie] != nil || hidden(w).Get("own") != "" {
		t.Error("a browser that says it gets a token")
	}
	for _, path := range []string{"/find", "/verify", "/"} { // forms of nobody's
		if w := get(s, path); cookies(w)[seatCookie] != nil || hidden(w).Get("own") != "" {
			t.Errorf("%s has a token", path)
		}
	}
	const quiet = "Sec-Fetch-Site"
	mobile := url.Values{"mobile": {"9876543210"}}
	for name, x := range map[string][2]string{"no token": {"", k.Value}, "no seat": {token, ""}, "another's seat": {token, seat}, "half": {token[:10], k.Value}} {
		form := url.Values{"mobile": mobile["mobile"], "own": {x[0]}}
		if w := send(s, "/sign-in", form, quiet, "", "Cookie", seatCookie+"="+x[1]); w.Code != 403 || len(g.asked) != 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	form := url.Values{"mobile": mobile["mobile"], "own": {token}}
	if w := send(s, "/sign-in", form, quiet, "", "Cookie", seatCookie+"="+k.Value); w.Code != 303 || len(g.asked) != 1 {
		t.Errorf("%d", w.Code)
	}
	// Signed in, the token is another: that of the sign-in's page is worth nothing any more.
	w = get(s, "/t/x", "Cookie", seated)
	mine := hidden(w).Get("own") // of the sign-out
	if mine == "" {
		t.Fatal("no token")
	}
	g.live["other"] = true
	for name, x := range map[string][2]string{"another session's": {mine, sessionCookie + "=other; " + seatCookie + "=" + seat}, "the sign-in's": {token, sessionCookie + "=live; " + seatCookie + "=" + k.Value}} {
		if w := send(s, "/t/x", url.Values{"own": {x[0]}}, quiet, "", "Cookie", x[1]); w.Code != 403 || *acted != 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := send(s, "/t/x", url.Values{"own": {mine}, "a": {"1"}}, quiet, "", "Cookie", seated); w.Code != 303 || *acted != 1 {
		t.Errorf("%d", w.Code)
	}
	// A token does not help a form that says it is another site's.
	if w := send(s, "/t/x", url.Values{"own": {mine}}, quiet, "cross-site", "Cookie", seated); w.Code != 403 || *acted != 1 {
		t.Errorf("%d", w.Code)
	}
	if w := send(s, "/t/x", url.Values{"own": {mine, mine}}, quiet, "", "Cookie", seated); w.Code != 400 || *acted != 1 {
		t.Errorf("%d", w.Code)
	}
}

// TestCodePageIsBounded: what a process remembers of a page does not grow with what somebody sends,
// and the vault is asked no oftener than a code has tries, whatever the form says of them.
func TestCodePageIsBounded(t *testing.T) {
	s, g, _ := keeping(t)
	s.cfg.Now = noon
	long := strings.Repeat("1", 20_000)
	k := cookies(send(s, "/sign-in", url.Values{"mobile": {"9876543210"}, "once": {long}}))[codeCookie]
	waits := codeCookie + "=" + k.Value
	form := hidden(get(s, "/sign-in/code", "Cookie", waits))
	txn := form.Get("txn")
	kept := func() int { return len(s.codes.at[codeName(txn)].page) }
	typed := url.Values{"txn": {txn}, "mobile": form["mobile"], "sent": form["sent"], "code": {long}, "lang": {"hi"}}
	if w := send(s, "/sign-in/code", typed, "Cookie", waits); w.Code != 303 || kept() > 600 {
		t.Errorf("%d: %d bytes are kept", w.Code, kept())
	}
	asked := len(g.devices)
	typed.Del("lang")
	for i := range 20 {
		typed.Set("code", fmt.Sprintf("%06d", i))
		typed.Set("tries", "0")
		if w := send(s, "/sign-in/code", typed, "Cookie", waits); w.Code != 422 {
			t.Errorf("%d", w.Code)
		}
	}
	if got := len(g.devices) - asked; got != codeTries || kept() > 600 {
		t.Errorf("the vault is asked %d times, %d bytes are kept", got, kept())
	}
}

// TestSignedOutByALink: a link of another site does not say that somebody has signed out who has not:
// such a request has no seat.
func TestSignedOutByALink(t *testing.T) {
	s, _, _ := keeping(t)
	if w := get(s, "/sign-out", "Cookie", sessionCookie+"=live", "Sec-Fetch-Site", "cross-site"); w.Code != 303 || w.Header().Get("Location") != "/account" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(s, "/sign-out", "Cookie", sessionCookie+"="+ended); w.Code != 200 || !strings.Contains(w.Body.String(), "data-out") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
