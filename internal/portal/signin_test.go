package portal

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestCodePages: each thing that goes wrong with a code has its page, its status and its wait,
// and a way on.
func TestCodePages(t *testing.T) {
	s, g, _ := keeping(t)
	now := noon()
	s.cfg.Now = func() time.Time { return now }
	mobile := url.Values{"mobile": {"9876543210"}, "carry": {carried{To: "/find"}.text()}}
	for _, x := range []struct {
		err    error
		status int
		says   string
		wait   string
	}{
		{&fault.Error{Kind: fault.RateLimited, Code: "USRAUT0018", RetryAfter: 3 * time.Hour}, 429, "Too many codes", "Wait 3 hours."},
		{&fault.Error{Kind: fault.RateLimited, Code: "USRAUT0018", RetryAfter: 20 * time.Minute}, 429, "Too many codes", "Wait 20 minutes."},
		{&fault.Error{Kind: fault.Unavailable, Code: "OTPNOTSENT", RetryAfter: 20 * time.Second}, 503, "could not be sent", "Wait 20 seconds."},
		{&fault.Error{Kind: fault.Unknown, Code: "OTPUNSURE", RetryAfter: 30 * time.Second}, 503, "do not know whether", "Wait 30 seconds."},
		{fault.New(fault.Unavailable, "vault", ""), 503, "cannot answer now", ""},
		{fault.New(fault.Invalid, "mobile", ""), 422, "ten digits", ""},
	} {
		g.err = x.err
		w := send(s, "/sign-in", mobile)
		if w.Code != x.status || !strings.Contains(w.Body.String(), x.says) || !strings.Contains(w.Body.String(), x.wait) {
			t.Errorf("%v: %d %s", x.err, w.Code, w.Body)
		}
		if r := fault.RetryAfter(x.err); r > 0 && w.Header().Get("Retry-After") != fmt.Sprint(int(r.Seconds())) {
			t.Errorf("%v: Retry-After %q", x.err, w.Header().Get("Retry-After"))
		}
		if x.wait != "" && (!strings.Contains(w.Body.String(), `href="/sign-in/card"`) || !strings.Contains(w.Body.String(), "vaccination centre")) {
			t.Errorf("%v: no way on", x.err)
		}
	}
	g.err, g.held = nil, now.Add(2*time.Minute).UnixMilli()
	if w := follow(s, send(s, "/sign-in", mobile), ""); w.Code != 200 || !strings.Contains(w.Body.String(), "delayed") || !strings.Contains(w.Body.String(), "12:02") {
		t.Errorf("a code that waits: %d", w.Code)
	}
	g.held = 0

	// Another code: not at once, and the server sees to it.
	sent := send(s, "/sign-in", mobile)
	waits := codeCookie + "=" + cookies(sent)[codeCookie].Value
	first := follow(s, sent, "")
	form := hidden(first)
	n := len(g.asked)
	if w := follow(s, send(s, "/sign-in/again", form, "Cookie", waits), ""); w.Code != 200 || len(g.asked) != n || !strings.Contains(w.Body.String(), "in 30 seconds") || hidden(w).Get("txn") != form.Get("txn") {
		t.Errorf("another code at once: %d %s", w.Code, w.Body)
	}
	// A browser that takes no cookie is told on the spot.
	if w := send(s, "/sign-in/again", form); w.Code != 429 || w.Header().Get("Retry-After") != "30" || !strings.Contains(w.Body.String(), "in 30 seconds") || len(g.asked) != n {
		t.Errorf("another code at once: %d %v", w.Code, w.Header())
	}
	now = now.Add(31 * time.Second)
	sent = send(s, "/sign-in/again", form, "Cookie", waits)
	w := follow(s, sent, "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "A new code is on its way") || hidden(w).Get("carry") != mobile.Get("carry") {
		t.Errorf("another code: %d", w.Code)
	}

	// Wrong three times; too late.
	for i := range 3 {
		form.Set("code", fmt.Sprintf("00000%d", i))
		w := send(s, "/sign-in/code", form)
		if i < 2 && (w.Code != 422 || !strings.Contains(w.Body.String(), "That is not the code")) || i == 2 && !strings.Contains(w.Body.String(), "wrong three times") {
			t.Errorf("wrong %d: %d %s", i+1, w.Code, w.Body)
		}
		if i < 2 {
			form = hidden(w)
		} else if again := follow(s, send(s, "/sign-in", hidden(w)), ""); again.Code != 200 || hidden(again).Get("carry") != mobile.Get("carry") {
			t.Errorf("no new code after three wrong ones: %d", again.Code)
		}
	}
	form = hidden(first)
	form.Set("code", "000000")
	now = now.Add(3 * time.Minute)
	if w := send(s, "/sign-in/code", form); w.Code != 422 || !strings.Contains(w.Body.String(), "time of this code is over") {
		t.Errorf("too late: %d", w.Code)
	}
}

// TestWork: a challenge is handed to the browser, and its solution to the vault.
func TestWork(t *testing.T) {
	s, g, _ := keeping(t)
	g.work = `{"salt":"x"}`
	w := send(s, "/sign-in", url.Values{"mobile": {"98765 43210"}})
	if w.Code != 429 || !strings.Contains(w.Body.String(), `data-work="{&#34;salt&#34;:&#34;x&#34;}"`) || !strings.Contains(w.Body.String(), "<noscript>") || !strings.Contains(w.Body.String(), `value="98765 43210"`) || len(g.asked) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(s, "/sign-in", url.Values{"mobile": {"98765 43210"}, "work": {"c29sdmVk"}}); w.Code != 303 || len(g.asked) != 1 {
		t.Errorf("%d", w.Code)
	}
}

// TestDeviceProof: a proof goes to the vault over what was typed; without one, on a device that
// is to be forgotten, and where it does not fit, the sign-in is a client's without a key.
func TestDeviceProof(t *testing.T) {
	s, g, _ := keeping(t)
	ask := func(more ...string) *vault.Signed {
		form := url.Values{"mobile": {"98765 43210"}, "proof": {"a.b.c"}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		if w := send(s, "/sign-in", form); w.Code != 303 {
			t.Fatalf("%d", w.Code)
		}
		return g.devices[len(g.devices)-1]
	}
	if d := ask(); d == nil || d.Method != "POST" || d.URL != "https://tk.example/sign-in" || string(d.Body) != "98765 43210" || d.Proof != "a.b.c" {
		t.Errorf("%+v", d)
	}
	if ask("proof", "") != nil || ask("shared", "1") != nil {
		t.Error("a device that is nobody's is remembered")
	}
	g.noProof = true
	if ask() != nil {
		t.Error("a proof that does not fit keeps somebody out")
	}
	g.noProof = false
	form := url.Values{"mobile": {"9876543210"}, "txn": {"T"}, "code": {"123 456"}, "proof": {"d.e.f"}}
	if w := send(s, "/sign-in/code", form); w.Code != 303 {
		t.Fatalf("%d", w.Code)
	}
	if d := g.devices[len(g.devices)-1]; d == nil || d.URL != "https://tk.example/sign-in/code" || string(d.Body) != "T\n123 456" {
		t.Errorf("%+v", d)
	}
}

// TestCardPages: card and PIN sign in; what is wrong has one answer, and the PIN is not shown
// again.
func TestCardPages(t *testing.T) {
	s, g, _ := keeping(t)
	card := vault.CardSecret{1, 2, 3}.Text()
	for _, x := range []struct{ card, pin, says string }{{"", "482913", "Enter the text"}, {"TK1:AAAA", "482913", "not the text"}, {card, "", "digits only"}, {card, "48x", "digits only"}, {card, "111111", "not right"}} {
		w := send(s, "/sign-in/card", url.Values{"card": {x.card}, "pin": {x.pin}})
		if w.Code != 422 || !strings.Contains(w.Body.String(), x.says) || x.pin != "" && strings.Contains(w.Body.String(), `value="`+x.pin) {
			t.Errorf("%+v: %d %s", x, w.Code, w.Body)
		}
	}
	w := send(s, "/sign-in/card", url.Values{"card": {strings.ToLower(card)}, "pin": {"४८२ ९१३"}, "carry": {carried{To: "/find"}.text()}})
	if w.Code != 303 || w.Header().Get("Location") != "/find" || cookies(w)[sessionCookie].Value != fresh {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	// From a page that asks for a sign-in, what is carried goes along.
	w = send(s, "/sign-in/card", url.Values{"carry": {carried{To: "/find"}.text()}, "lang": {"en"}})
	if w.Code != 200 || hidden(w).Get("carry") == "" || len(cookies(w)) != 1 {
		t.Errorf("%d %v", w.Code, cookies(w))
	}
	g.err = &fault.Error{Kind: fault.RateLimited, RetryAfter: time.Minute}
	if w := send(s, "/sign-in/card", url.Values{"card": {card}, "pin": {"482913"}}); w.Code != 429 {
		t.Errorf("%d", w.Code)
	}
}

// TestExtendPage: the answer says how long the session lasts, and the cookie is the new one.
func TestExtendPage(t *testing.T) {
	s, g, _ := keeping(t)
	w := send(s, "/session/extend", url.Values{"proof": {"a.b.c"}}, "Cookie", seated)
	if w.Code != 200 || w.Body.String() != "840 12:14" || cookies(w)[sessionCookie].Value != fresh || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if d := g.devices[0]; d.URL != "https://tk.example/session/extend" || string(d.Body) != "extend" {
		t.Errorf("%+v", d)
	}
	g.err = fault.New(fault.Forbidden, "EXTEND", "no")
	if w := send(s, "/session/extend", url.Values{"proof": {"a.b.c"}}, "Cookie", seated); w.Code != 403 || len(cookies(w)) != 0 {
		t.Errorf("%d", w.Code)
	}
	if w := send(s, "/session/extend", url.Values{"proof": {"a.b.c"}}); w.Code != 401 {
		t.Errorf("nobody's session: %d", w.Code)
	}
}

// TestNoCodesOfOthers: whoever has only a number does not learn whether somebody was sent a code
// to it just now, and keeps nobody from another one.
func TestNoCodesOfOthers(t *testing.T) {
	s, g, _ := keeping(t)
	first := follow(s, send(s, "/sign-in", url.Values{"mobile": {"9876543210"}}), "")
	if hidden(first).Get("txn") == "" {
		t.Fatal("no code")
	}
	for _, txn := range []string{"", "00000000-0000-4000-8000-000000000009"} {
		busy := send(s, "/sign-in/code", url.Values{"mobile": {"9876543210"}, "txn": {txn}, "code": {""}}).Body.String()
		idle := send(s, "/sign-in/code", url.Values{"mobile": {"9876543211"}, "txn": {txn}, "code": {""}}).Body.String()
		if strings.ReplaceAll(busy, "9876543210", "9876543211") != idle || strings.Contains(busy, "data-wait=\"30\"") {
			t.Error("a number tells that its holder signs in")
		}
	}
	n := len(g.asked)
	if w := send(s, "/sign-in/again", url.Values{"mobile": {"9876543210"}}); w.Code != 303 || len(g.asked) != n+1 {
		t.Errorf("without the transaction: %d", w.Code)
	}
}

// TestLastCodes: what is remembered of codes is bounded, ends, and is read by nobody who has not
// the transaction.
func TestLastCodes(t *testing.T) {
	var l lastCodes
	st := codeState{Mobile: "9876543210", Sent: noon().Unix()}
	for i := range codesKept + 100 {
		l.keep(fmt.Sprint(i), st, noon())
	}
	if len(l.at) > codesKept {
		t.Errorf("%d are kept", len(l.at))
	}
	l.keep("x", st, noon())
	if l.wait("x", noon().Add(10*time.Second)) != 20*time.Second || l.wait("x", noon().Add(codeGap)) != 0 || l.wait("y", noon()) != 0 || l.wait("x", noon().Add(-time.Hour)) != codeGap {
		t.Error("the wait is not right")
	}
	if got, ok := l.page("x", noon().Add(codePageLife)); !ok || got.Mobile != st.Mobile {
		t.Errorf("%+v %v", got, ok)
	}
	if _, ok := l.page("x", noon().Add(codePageLife+time.Second)); ok {
		t.Error("a page does not end")
	}
	if box := l.at[codeName("x")].page; bytes.Contains(box, []byte(st.Mobile)) || unseal(codeKey("y"), box, &codeState{}) {
		t.Error("a number lies open")
	}
	l.drop("x")
	if _, ok := l.page("x", noon()); ok {
		t.Error("a page is not dropped")
	}
	for range 40 { // what is over goes when others come
		l.keep("new", st, noon().Add(time.Hour))
	}
	if len(l.at) > codesKept-200 {
		t.Errorf("%d are kept after an hour", len(l.at))
	}
}
