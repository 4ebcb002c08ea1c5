package harness

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Portal is a browser without scripts: it keeps cookies, follows no redirect by itself, and
// says where its forms come from.
type Portal struct {
	Server *Server
	Last   Answer // of the last request
	Silent bool   // an old browser, which does not say where its forms come from
	mu     sync.Mutex
	jar    map[string]string
	http   *http.Client
}

// Portal returns a browser from a network of its own.
func (s *Server) Portal() *Portal {
	return &Portal{Server: s, jar: map[string]string{}, http: s.Client().http}
}

// Cookie is a cookie that the browser has, or "".
func (p *Portal) Cookie(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.jar[name]
}

// SetCookie puts a cookie into the browser; "" takes it out.
func (p *Portal) SetCookie(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jar[name] = value
	if value == "" {
		delete(p.jar, name)
	}
}

// Get asks for a page. header are names and values.
func (p *Portal) Get(path string, header ...string) Answer { return p.do("GET", path, nil, header) }

// Post sends a form from a page of the portal's own.
func (p *Portal) Post(path string, form url.Values, header ...string) Answer {
	if p.Silent {
		return p.do("POST", path, form, header)
	}
	return p.do("POST", path, form, append([]string{"Sec-Fetch-Site", "same-origin"}, header...))
}

// Follow is Post and, when it leads on to another page, Get of that.
func (p *Portal) Follow(path string, form url.Values) Answer {
	a := p.Post(path, form)
	for range 3 {
		if a.Status != http.StatusSeeOther {
			break
		}
		a = p.Get(a.Header.Get("Location"))
	}
	return a
}

func (p *Portal) do(method, path string, form url.Values, header []string) Answer {
	p.Server.tb.Helper()
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(context.Background(), method, p.Server.Root+path, body)
	if err != nil {
		p.Server.tb.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	p.mu.Lock()
	for name, value := range p.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	p.mu.Unlock()
	res, err := p.http.Do(r)
	if err != nil {
		p.Server.tb.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		p.Server.tb.Fatalf("%s %s: %v", method, path, err)
	}
	for _, k := range res.Cookies() {
		if k.MaxAge < 0 {
			k.Value = ""
		}
		p.SetCookie(k.Name, k.Value)
	}
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: raw}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Last = a
	return a
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// Hidden are the hidden fields of a form of a page: the one whose action is given.
func (a Answer) Hidden(action string) url.Values {
	out := url.Values{}
	_, form, _ := strings.Cut(string(a.Body), `action="`+action+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		out.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return out
}

// Submit sends the form with an action of the page that was got last, with its hidden fields
// and the pairs given.
func (p *Portal) Submit(action string, pairs ...string) Answer {
	p.Server.tb.Helper()
	if !strings.Contains(string(p.Last.Body), `action="`+action+`"`) {
		p.Server.tb.Fatalf("the page has no form for %s: %d %s", action, p.Last.Status, p.Last.Body)
	}
	form := p.Last.Hidden(action)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return p.Post(action, form)
}

// SignIn signs a number in with a code from the outbox and returns the answer to it: the way
// on.
func (p *Portal) SignIn(mobile string) Answer {
	p.Server.tb.Helper()
	p.Get("/sign-in")
	return p.SignInHere(mobile)
}

// SignInHere is SignIn from the page got last, which asks for the number.
func (p *Portal) SignInHere(mobile string) Answer {
	p.Server.tb.Helper()
	have := len(p.Server.To(mobile))
	p.asked(p.Submit("/sign-in", "mobile", mobile))
	a := p.Submit("/sign-in/code", "code", p.Server.codeAfter(mobile, have))
	if a.Status != http.StatusSeeOther && a.Status != 200 {
		p.Server.tb.Fatalf("code: %d %s", a.Status, a.Body)
	}
	return a
}

// asked goes on to the page of a code.
func (p *Portal) asked(a Answer) {
	p.Server.tb.Helper()
	if a.Status == http.StatusSeeOther {
		a = p.Get(a.Header.Get("Location"))
	}
	if a.Status != 200 {
		p.Server.tb.Fatalf("sign-in: %d %s", a.Status, a.Body)
	}
}

// Handle is how this browser's addresses name a person, once somebody is signed in.
func (p *Portal) Handle(reference string) string {
	sum := sha256.Sum256([]byte(strings.TrimSuffix(p.Cookie("__Host-seat"), ".card") + reference))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:11]
}

// Proof is what a browser's key signs of a form: its address and what was typed.
func (p *Portal) Proof(k StaffKey, path, typed string) string {
	p.Server.tb.Helper()
	text, err := k.Sign(Claims("POST", p.Server.Root+path, []byte(typed), p.Server.Now()))
	if err != nil {
		p.Server.tb.Fatal(err)
	}
	return text
}

// SignInOn is SignIn as a browser with scripts does it, with a key of its own.
func (p *Portal) SignInOn(k StaffKey, mobile string) Answer {
	p.Server.tb.Helper()
	have := len(p.Server.To(mobile))
	p.Get("/sign-in")
	p.asked(p.Submit("/sign-in", "mobile", mobile, "proof", p.Proof(k, "/sign-in", mobile)))
	code := p.Server.codeAfter(mobile, have)
	return p.Submit("/sign-in/code", "code", code, "proof", p.Proof(k, "/sign-in/code", p.Last.Hidden("/sign-in/code").Get("txn")+"\n"+code))
}

// Extend has the session go on, as the script does with a key.
func (p *Portal) Extend(k StaffKey) Answer {
	p.Server.tb.Helper()
	return p.Post("/session/extend", url.Values{"proof": {p.Proof(k, "/session/extend", "extend")}})
}
