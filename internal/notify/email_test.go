package notify

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tikakosh/internal/fault"
)

// mailServer is a mail server of another author in this process.
type mailServer struct {
	port int
	// answer is what the end of a message gets; cut closes the connection there.
	answer error
	cut    bool

	mu  sync.Mutex
	got []letter
}

type letter struct {
	from, raw string
	to        []string
	secure    bool
}

// newMailServer listens; secure nil offers no TLS, implicit begins with it.
func newMailServer(t *testing.T, secure *tls.Config, implicit bool) *mailServer {
	t.Helper()
	m := &mailServer{}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{m: m, c: c}, nil }))
	s.Domain, s.TLSConfig, s.AllowInsecureAuth = "mail.example", secure, true
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = ln.Addr().(*net.TCPAddr).Port
	if implicit {
		ln, s.TLSConfig = tls.NewListener(ln, secure), nil
	}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

type mailSession struct {
	m      *mailServer
	c      *smtp.Conn
	signed bool
	l      letter
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.signed = user == "programme" && password == "secret"; !s.signed {
			return errors.New("no")
		}
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.signed {
		return smtp.ErrAuthRequired
	}
	_, secure := s.c.TLSConnectionState()
	s.l = letter{from: from, secure: secure}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.l.to = append(s.l.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.l.raw = string(raw)
	s.m.mu.Lock()
	s.m.got = append(s.m.got, s.l)
	cut, answer := s.m.cut, s.m.answer
	s.m.mu.Unlock()
	if cut {
		_ = s.c.Conn().Close()
	}
	return answer
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// behave sets what is done with a letter that was taken.
func (m *mailServer) behave(cut bool, answer error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut, m.answer = cut, answer
}

func (m *mailServer) letters() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.got...)
}

// mailRouter has a gateway, which the configuration wants, and mail routes.
func mailRouter(t *testing.T, routes ...EmailRoute) *Router {
	t.Helper()
	sms := Route{Name: "sms", Address: "127.0.0.1:1", SystemID: "x", Secret: "y", Sender: "TIKAKO", Window: 1}
	return routerOf(t, Routes{Routes: []Route{sms}, Email: routes})
}

func (m *mailServer) route(name, ca string) EmailRoute {
	return EmailRoute{Name: name, Host: "127.0.0.1", Port: m.port, CA: ca, Username: "programme", Secret: "secret\n", Sender: "programme@example.org"}
}

func mailTo(id, to, text string) Message {
	return Message{ID: id, To: to, Channel: ChannelEmail, Text: text, Template: "code-email", Language: "hi"}
}

// TestEmailArrivesWhole: over STARTTLS and over TLS from the beginning; the text
// whole in Hindi, one receiver, the same message id when it is repeated.
func TestEmailArrivesWhole(t *testing.T) {
	ca := newAuthority(t)
	for _, implicit := range []bool{false, true} {
		m := newMailServer(t, ca.server, implicit)
		route := m.route("mail", ca.pem)
		if implicit {
			route.TLS = "implicit"
		}
		r := mailRouter(t, route)
		if err := r.Check(t.Context())["mail"]; err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Send(within(t, 5*time.Second), mailTo("book/1", "Asha.Test+a@mail.example", hindiText)); err != nil {
				t.Fatal(err)
			}
		}
		all := m.letters()
		if len(all) != 2 || !all[0].secure || all[0].from != "programme@example.org" || len(all[0].to) != 1 || all[0].to[0] != "Asha.Test+a@mail.example" {
			t.Fatalf("%+v", all)
		}
		var ids []string
		for _, l := range all {
			msg, err := mail.ReadMessage(strings.NewReader(l.raw))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
			title, err2 := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
			if err != nil || err2 != nil || strings.TrimSpace(string(body)) != hindiText || title != subject("code-email", "hi") || msg.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("%v %v %q %q", err, err2, body, title)
			}
			if strings.Contains(l.raw, "book/1") {
				t.Error("the message's inner id is shown")
			}
			ids = append(ids, msg.Header.Get("Message-Id"))
		}
		if ids[0] == "" || ids[0] != ids[1] {
			t.Errorf("%q", ids)
		}
		if c := r.Counts()["mail"]; c.Accepted != 2 {
			t.Errorf("%+v", c)
		}
	}
}

// TestEmailNeedsTLS: without STARTTLS, with a certificate of another CA or for
// another name nothing is said to the server, neither password nor message.
func TestEmailNeedsTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		server *mailServer
		change func(*EmailRoute)
	}{
		"no STARTTLS":      {newMailServer(t, nil, false), func(*EmailRoute) {}},
		"another CA":       {newMailServer(t, ca.server, false), func(r *EmailRoute) { r.CA = other.pem }},
		"another name":     {newMailServer(t, ca.server, false), func(r *EmailRoute) { r.ServerName = "mail.example" }},
		"implicit, plain":  {newMailServer(t, nil, false), func(r *EmailRoute) { r.TLS = "implicit" }},
		"a wrong password": {newMailServer(t, ca.server, false), func(r *EmailRoute) { r.Secret = "other" }},
	} {
		route := c.server.route("mail", ca.pem)
		c.change(&route)
		r := mailRouter(t, route)
		err := r.Send(within(t, 400*time.Millisecond), mailTo("x", "a@mail.example", "123456"))
		if !fault.Is(err, fault.Unavailable) || len(c.server.letters()) != 0 {
			t.Errorf("%s: %v, %d letters", name, err, len(c.server.letters()))
		}
		if err := r.Check(within(t, 3*time.Second))["mail"]; err == nil || strings.Contains(err.Error(), "other\n") {
			t.Errorf("%s: check: %v", name, err)
		}
	}
}

// TestEmailOnce: a server that ends the connection when it has the message has
// it perhaps; it is not sent again, over no route. One that says no may be asked
// another time, or gives way; an address that no server knows is given up.
func TestEmailOnce(t *testing.T) {
	ca := newAuthority(t)
	first, second := newMailServer(t, ca.server, false), newMailServer(t, ca.server, false)
	r := mailRouter(t, first.route("first", ca.pem), second.route("second", ca.pem))
	c := NewCourier(r, now)
	first.behave(true, nil)
	once := mailTo("once", "a@mail.example", "123456")
	once.Once = true
	for range 3 {
		if err := c.Send(within(t, 5*time.Second), once); !fault.Is(err, fault.Unknown) {
			t.Fatal(err)
		}
	}
	if len(first.letters()) != 1 || len(second.letters()) != 0 {
		t.Errorf("sent %d and %d times", len(first.letters()), len(second.letters()))
	}
	first.behave(false, &smtp.SMTPError{Code: 554, Message: "not from here"})
	if err := c.Send(within(t, 5*time.Second), mailTo("second", "a@mail.example", "123456")); err != nil || len(second.letters()) != 1 {
		t.Errorf("%v, %d letters by the second server", err, len(second.letters()))
	}
	if err := c.Send(within(t, 5*time.Second), mailTo("nobody", "nobody@mail.example", "123456")); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if got := r.Counts(); got["first"].Unsure != 1 || got["second"].Accepted != 1 {
		t.Errorf("%+v", got)
	}
}

// TestEmailHeaders: no address can end a line, begin another header or name
// another receiver; a text cannot either.
func TestEmailHeaders(t *testing.T) {
	ca := newAuthority(t)
	m := newMailServer(t, ca.server, false)
	r := mailRouter(t, m.route("mail", ca.pem))
	c := NewCourier(r, now)
	for _, to := range []string{"a@mail.example\r\nBcc: b@mail.example", "a@mail.example\nSubject: x", "a@mail.example, b@mail.example", "<a@mail.example>", "A <a@mail.example>",
		"a@mail.example>\r\nRCPT TO:<b@mail.example", "\"a b\"@mail.example", "a@mail", "@mail.example", "a@", "a..b@mail.example", "a@127.0.0.1", "अ@mail.example", "a@mail.example ", "A@MAIL.example"} {
		raw, err := json.Marshal(mailTo("x", to, "t"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseMessage(raw); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken: %v", to, err)
		}
		if err := r.Send(within(t, 3*time.Second), mailTo("x", to, "t")); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is sent: %v", to, err)
		}
	}
	if err := c.Send(within(t, 5*time.Second), mailTo("text", "a@mail.example", "one\n.\nBcc: b@mail.example\n\nMAIL FROM:<x@y.z>")); err != nil {
		t.Fatal(err)
	}
	all := m.letters()
	if len(all) != 1 || len(all[0].to) != 1 {
		t.Fatalf("%+v", all)
	}
	msg, err := mail.ReadMessage(strings.NewReader(all[0].raw))
	if err != nil || msg.Header.Get("Bcc") != "" || len(msg.Header["To"]) != 1 {
		t.Errorf("%v %v", err, msg.Header)
	}
}

func TestParseEmailRoutes(t *testing.T) {
	sms := Route{Name: "a", Address: "127.0.0.1:2775", SystemID: "x", Secret: "y", Sender: "TIKAKO"}
	good := EmailRoute{Name: "mail", Host: "mail.example", Port: 587, Username: "u", Secret: "p", Sender: "programme@example.org"}
	parse := func(all ...EmailRoute) error {
		raw, _ := json.Marshal(Routes{Routes: []Route{sms}, Email: all})
		_, err := ParseRoutes(raw)
		return err
	}
	if err := parse(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*EmailRoute){
		"name":     func(r *EmailRoute) { r.Name = "" },
		"twice":    func(r *EmailRoute) { r.Name = "a" },
		"host":     func(r *EmailRoute) { r.Host = "" },
		"line":     func(r *EmailRoute) { r.Host = "mail\n.example" },
		"port":     func(r *EmailRoute) { r.Port = 0 },
		"tls":      func(r *EmailRoute) { r.TLS = "maybe" },
		"plain":    func(r *EmailRoute) { r.TLS = "none" },
		"password": func(r *EmailRoute) { r.Secret = "" },
		"username": func(r *EmailRoute) { r.Username = "" },
		"sender":   func(r *EmailRoute) { r.Sender = "Programme <programme@example.org>" },
		"injected": func(r *EmailRoute) { r.Sender = "programme@example.org\r\nBcc: x@example.org" },
	} {
		r := good
		change(&r)
		if err := parse(r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := parse(good, good, good); err == nil {
		t.Error("three mail routes")
	}
	here := good
	here.Host, here.TLS = "127.0.0.1", "none"
	if err := parse(here); err != nil {
		t.Error(err)
	}
}

// FuzzComposeEmail: whatever address and text are given, a mail that is made has
// one receiver, and its headers are the ones made here.
func FuzzComposeEmail(f *testing.F) {
	for _, s := range []string{"a@mail.example", "a@b.c\r\nBcc: d@e.f", "a@b.c,d@e.f", "\"\r\n\"@b.c"} {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, to, text string) {
		s, err := NewSMTP(EmailRoute{Name: "m", Host: "h", Port: 25, Sender: "programme@example.org"}, now, nopLog())
		if err != nil {
			t.Fatal(err)
		}
		m := mailTo("x", to, text)
		msg, err := s.compose(m)
		if err != nil {
			return
		}
		var raw bytes.Buffer
		if _, err := msg.WriteTo(&raw); err != nil {
			t.Fatal(err)
		}
		read, err := mail.ReadMessage(&raw)
		if err != nil {
			t.Fatal(err)
		}
		all, err := read.Header.AddressList("To")
		if err != nil || len(all) != 1 || all[0].Address != to || len(read.Header) > 9 {
			t.Errorf("%q: %v %v %v", to, err, all, read.Header)
		}
	})
}
