package portal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// The page of a code is a page of its own, which Back and a reload ask for without sending
// anything again (ADR 48). The browser keeps the code's transaction in a cookie; this process
// keeps the rest, sealed with a key that is made of the transaction, which it does not keep.

const (
	codePath = "/sign-in/code"
	// codeCookie is the transaction, when the code was sent, and whether the device is to be
	// forgotten. It says nothing of anybody.
	codeCookie = "__Host-code"
	// codePageLife is how long the page is there: the code's three minutes, those that one
	// waits for a message, and some to read what went wrong.
	codePageLife = 10 * time.Minute
	// codesKept bounds the codes that are remembered; one goes for each that comes then.
	codesKept = 20_000
	// typedMost bounds what is kept of the field of a code, in bytes.
	typedMost = 64
	// codeToMax bounds the address that the page takes along in its own, in bytes.
	codeToMax = 1000
)

// codeState is what the page of a code knows besides its transaction.
type codeState struct {
	Mobile string
	Shared bool
	Sent   int64    // Unix seconds
	Held   int64    // until when the message may wait, Unix milliseconds; 0 when it does not
	Tries  int      // wrong ones
	Wrong  []string // digests of the wrong ones: none is asked of the vault twice
	Bad    string   // id of the message about the newest one, or ""
	Over   string   // id of the heading when the code is good for nothing any more, or ""
	Note   string   // id of a message about the code, or ""
	Soon   bool     // another one was asked for too soon
	Once   string   // of the form that had it sent: the same form sends no second one
	Typed  string   // what was in the field when somebody changed the language
}

// code is the page's state and transaction as the browser's cookie and this process have them.
// known is false when another process has the state, or nobody any more: then the transaction,
// when the code was sent and whether the device is shared is all there is. txn is "" when the
// browser waits for no code.
func (c *Ctx) code() (txn string, st codeState, known bool) {
	k, err := c.r.Cookie(codeCookie)
	if err != nil {
		return "", st, false
	}
	parts := strings.Split(k.Value, ".")
	if len(parts) != 3 || !id.Valid(parts[0]) {
		return "", st, false
	}
	if st, known = c.s.codes.page(parts[0], c.begin); !known {
		st.Sent, _ = strconv.ParseInt(parts[1], 10, 64)
		st.Shared = parts[2] == "1"
	}
	return parts[0], st, known
}

// keepCode remembers the state of a code's page, here and in the browser.
func (c *Ctx) keepCode(txn string, st codeState) {
	c.s.codes.keep(txn, st, c.begin)
	shared := "0"
	if st.Shared {
		shared = "1"
	}
	http.SetCookie(c.w, &http.Cookie{Name: codeCookie, Value: txn + "." + strconv.FormatInt(st.Sent, 10) + "." + shared, Path: "/", MaxAge: int(codePageLife / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// forgetCode takes the code out of the browser once it has done what it was for.
func (c *Ctx) forgetCode() {
	if txn, _, _ := c.code(); txn != "" {
		c.s.codes.drop(txn)
		http.SetCookie(c.w, &http.Cookie{Name: codeCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
}

// codeHere is the address of the page of a code, with where the person was going; ok is false
// when they carry a form, which is in the answer alone.
func (c *Ctx) codeHere(carry string) (path string, ok bool) {
	k, carries := readCarried(carry)
	switch {
	case !carries:
		return codePath, true
	case k.Box != "" || len(k.To) > codeToMax:
		return codePath, false
	}
	if _, good := c.s.goal(k.To, http.MethodGet); !good {
		return codePath, true
	}
	return codePath + "?" + url.Values{"to": {k.To}}.Encode(), true
}

// toCode leads to the page of a code. status is that of the answer where a form is carried.
func (c *Ctx) toCode(txn string, st codeState, carry string, status int) error {
	c.keepCode(txn, st)
	if here, ok := c.codeHere(carry); ok {
		return c.see(here)
	}
	return c.askForCode(status, c.codeView(txn, st, carry))
}

// codeView is the page of a code in a state.
func (c *Ctx) codeView(txn string, st codeState, carry string) view.CodePage {
	x := view.CodePage{Mobile: st.Mobile, Txn: txn, Shared: st.Shared, Carry: carry, Sent: strconv.FormatInt(st.Sent, 10), Tries: st.Tries, Note: st.Note,
		Code: view.Field{Value: st.Typed, Wrong: st.Bad}, Wait: int(seconds(c.s.codes.wait(txn, c.begin))), SignIn: "/sign-in"}
	if k, ok := readCarried(carry); ok && k.Box == "" {
		x.SignIn = "/sign-in?" + url.Values{"to": {k.To}}.Encode()
	}
	switch {
	case st.Soon && x.Wait > 0:
		x.Warn = c.say.N("sign.too_soon", int64(x.Wait))
	case c.begin.UnixMilli() < st.Held:
		x.Warn = c.say.T("sign.held", "At", clockOf(time.UnixMilli(st.Held)))
	}
	return x
}

// codePage is the page of a code as the form has it.
func (c *Ctx) codePage() view.CodePage {
	st := codeState{Mobile: c.form.Get("mobile"), Shared: c.form.Get("shared") != "", Typed: c.form.Get("code")}
	st.Sent, _ = strconv.ParseInt(c.form.Get("sent"), 10, 64)
	st.Tries, _ = strconv.Atoi(c.form.Get("tries"))
	return c.codeView(c.form.Get("txn"), st, c.form.Get("carry"))
}

func (c *Ctx) askForCode(status int, x view.CodePage) error {
	p := c.page("sign.code_title")
	p.KeepForm = "code-form"
	p.Wrong = x.Code.Wrong != ""
	p.Scripts = append(p.Scripts, "sign.js")
	x.Signer = c.signer()
	c.w.Header().Set("Permissions-Policy", assets.Permissions+", otp-credentials=(self)")
	return c.render(status, view.Code(p, x))
}

// askedCode shows the page of the code that the browser waits for, also to a browser that has a
// session: somebody may have planted it (R73). Where no code is waited for, who is signed in goes on.
func askedCode(c *Ctx) error {
	carry := c.toCarry()
	txn, st, known := c.code()
	switch {
	case txn == "" && c.sits() == nil:
		c.form.Set("carry", carry)
		return c.resume("", "")
	case txn == "":
		if to := c.form.Get("to"); to != "" {
			return c.see("/sign-in?" + url.Values{"to": {to}}.Encode())
		}
		return c.see("/sign-in")
	case st.Over != "":
		return c.stuck(http.StatusOK, view.StuckPage{Heading: st.Over, Mobile: st.Mobile, Carry: carry, Again: true})
	}
	if known && st.Typed != "" { // shown once
		again := st
		again.Typed = ""
		c.s.codes.keep(txn, again, c.begin)
	}
	return c.askForCode(http.StatusOK, c.codeView(txn, st, carry))
}

// confirmCode signs in who has the code. That one was tried too often, or is too old, is what
// the form says of itself: the vault refuses it in any case, and says no more.
func confirmCode(c *Ctx) error {
	x := c.codePage()
	txn, st, known := c.code()
	known = known && txn == x.Txn
	here, alone := c.codeHere(x.Carry)
	if known && alone {
		x.Here = here // a reload of this answer asks for the page, and sends nothing again
	}
	if c.keep {
		if x.Here == "" {
			return c.askForCode(http.StatusOK, x)
		}
		if st.Soon, st.Typed = false, x.Code.Value; len(st.Typed) > typedMost {
			st.Typed = ""
		}
		return c.toCode(txn, st, x.Carry, http.StatusOK)
	}
	if known && st.Over != "" { // the vault has said so
		return c.stuck(http.StatusUnprocessableEntity, view.StuckPage{Heading: st.Over, Mobile: x.Mobile, Carry: x.Carry, Again: true, Here: x.Here})
	}
	code, ok := catalogue.Digits(x.Code.Value, 6)
	if !ok || len(code) != 6 || code[0] == '+' {
		x.Code.Wrong = "sign.code_form"
		if x.Code.Value == "" {
			x.Code.Wrong = "sign.code_none"
		}
		return c.askForCode(http.StatusUnprocessableEntity, x)
	}
	sum := sha256.Sum256([]byte(code))
	digest := hex.EncodeToString(sum[:])
	if known && slices.Contains(st.Wrong, digest) { // the same form again
		return c.wrongCode(x, st, known, fault.New(fault.Invalid, "again", "it was wrong already"))
	}
	s, err := c.s.cfg.Sessions.ConfirmCode(c.r.Context(), vault.CodeAnswer{Txn: x.Txn, Digest: digest, Origin: c.origin, Device: c.proven(x.Txn + "\n" + x.Code.Value)})
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Unauthorized) {
		if x.Tries++; known { // not what the form says alone: what is remembered is bounded
			x.Tries = max(x.Tries, len(st.Wrong)+1)
		}
		st.Tries, st.Wrong = x.Tries, append(st.Wrong[:len(st.Wrong):len(st.Wrong)], digest)
		return c.wrongCode(x, st, known, err)
	}
	if err != nil {
		return err
	}
	c.forgetCode()
	return c.signedIn(s, "")
}

// wrongCode says that a code is not the one, or good for nothing any more.
func (c *Ctx) wrongCode(x view.CodePage, st codeState, known bool, err error) error {
	sent, _ := strconv.ParseInt(x.Sent, 10, 64)
	st.Over, st.Note, st.Soon, st.Bad = "", "", false, "sign.code_wrong"
	switch {
	case c.begin.Sub(time.Unix(sent, 0)) >= codeLife || fault.Is(err, fault.Unauthorized):
		st.Over = "sign.late"
	case x.Tries >= codeTries:
		st.Over = "sign.often"
	}
	if known {
		c.s.codes.keep(x.Txn, st, c.begin)
	}
	if st.Over != "" {
		return c.stuck(http.StatusUnprocessableEntity, view.StuckPage{Heading: st.Over, Mobile: x.Mobile, Carry: x.Carry, Again: true, Here: x.Here})
	}
	x.Code = view.Field{Wrong: st.Bad}
	return c.askForCode(http.StatusUnprocessableEntity, x)
}

// lastCodes remembers of a code, by its transaction, when it was sent and what its page says:
// only whoever asked for it has that. By its number anybody could ask whether somebody is
// signing in just now. The zero value is ready; it is safe for concurrent use.
type lastCodes struct {
	mu sync.Mutex
	at map[[16]byte]codeKept
}

// codeKept is one code. page is the state, sealed with the transaction.
type codeKept struct {
	at   time.Time // when it was sent
	seen time.Time // when the page was last kept
	page []byte
}

func codeName(txn string) [16]byte {
	sum := sha256.Sum256([]byte("code " + txn))
	return [16]byte(sum[:16])
}

func codeKey(txn string) [32]byte { return sha256.Sum256([]byte("page of code " + txn)) }

// wait is how long it still is until another code may be asked for.
func (l *lastCodes) wait(txn string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.at[codeName(txn)]
	if !ok {
		return 0
	}
	return min(max(0, k.at.Add(codeGap).Sub(now)), codeGap)
}

// page is the state of a code's page.
func (l *lastCodes) page(txn string, now time.Time) (st codeState, ok bool) {
	l.mu.Lock()
	k, ok := l.at[codeName(txn)]
	l.mu.Unlock()
	if !ok || now.Sub(k.seen) > codePageLife {
		return st, false
	}
	return st, unseal(codeKey(txn), k.page, &st)
}

// keep remembers the state of a code's page.
func (l *lastCodes) keep(txn string, st codeState, now time.Time) {
	box := seal(codeKey(txn), st)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[[16]byte]codeKept{}
	}
	looked := 0
	for k, old := range l.at { // in no order
		if looked++; looked > 8 && len(l.at) < codesKept {
			break
		}
		if now.Sub(old.seen) > codePageLife || len(l.at) >= codesKept {
			delete(l.at, k)
		}
	}
	l.at[codeName(txn)] = codeKept{at: time.Unix(st.Sent, 0), seen: now, page: box}
}

func (l *lastCodes) drop(txn string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.at, codeName(txn))
}

// seal encrypts a value, as JSON, with a key.
func seal(key [32]byte, v any) []byte {
	raw, _ := json.Marshal(v)
	box := boxOf(key)
	nonce := make([]byte, box.NonceSize(), box.NonceSize()+len(raw)+box.Overhead())
	_, _ = rand.Read(nonce)
	return box.Seal(nonce, nonce, raw, nil)
}

// unseal reads a value that seal made with the key, and reports whether it could.
func unseal(key [32]byte, sealed []byte, into any) bool {
	box := boxOf(key)
	if len(sealed) < box.NonceSize() {
		return false
	}
	raw, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], nil)
	return err == nil && json.Unmarshal(raw, into) == nil
}

func boxOf(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes is one
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return box
}

const onceBytes = 16

// onceOf is the name of a form as newOnce makes them, "" for another text: it is kept in memory.
func onceOf(typed string) string {
	if raw, err := base64.RawURLEncoding.DecodeString(typed); err != nil || len(raw) != onceBytes {
		return ""
	}
	return typed
}

// newOnce is what makes a form one of its kind.
func newOnce() string {
	var raw [onceBytes]byte
	_, _ = rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
