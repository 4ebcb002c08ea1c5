package courier

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tikakosh/test/harness"
)

// mailbox is a mail server of another author that keeps what it gets.
type mailbox struct {
	port int
	ca   []byte

	mu  sync.Mutex
	got []harness.Message
}

type session struct {
	m  *mailbox
	c  *smtp.Conn
	to []string
}

// openMailbox listens with STARTTLS on a loopback port.
func openMailbox(t *testing.T) *mailbox {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	web.Close()
	m := &mailbox{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{m: m, c: c}, nil }))
	s.Domain, s.TLSConfig = "mail.example", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: web.TLS.Certificates}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = ln.Addr().(*net.TCPAddr).Port
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if _, secure := s.c.TLSConnectionState(); !secure || user != "programme" || password != "secret12" {
			return errors.New("no")
		}
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error { s.to = nil; return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for _, to := range s.to {
		s.m.got = append(s.m.got, harness.Message{To: to, Text: string(body)})
	}
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// of returns the mails to an address that hold a text.
func (m *mailbox) of(to, text string) (out []harness.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.got {
		if l.To == to && strings.Contains(l.Text, text) {
			out = append(out, l)
		}
	}
	return out
}

// TestOtherChannel: a household confirms an address; from then on the messages of
// its appointments go to both, a sign-in is told to the address alone, and no log
// holds the address. A wrong CA lets nothing out.
func TestOtherChannel(t *testing.T) {
	g, m := harness.NewSMSC(t), openMailbox(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), m.ca, 0o600); err != nil {
		t.Fatal(err)
	}
	route := map[string]any{"name": "mail", "host": "127.0.0.1", "port": m.port, "ca_file": "ca.pem", "username": "programme", "password_file": "password", "sender": "programme@example.org"}
	path := harness.RoutesFile(t, dir, []map[string]any{route}, g)
	s := harness.StartOver(t, &builder, harness.Options{Args: []string{"--no-limits"}}, path, g)
	if out, code := s.Command("courier", "check", "--routes", path); code != 0 || !strings.Contains(out, "route mail: ") {
		t.Errorf("courier check: %d %s", code, out)
	}
	const address = "asha.test@mail.example"
	c, mobile := s.Holder()
	a := c.Must("POST", "/v3/email", map[string]any{"email": address})
	if !a.OK() || a.Field("delivery") != "" {
		t.Fatal(a.Text())
	}
	got := m.of(address, "confirms this e-mail address")
	if len(got) != 1 {
		t.Fatalf("%d mails with a code", len(got))
	}
	if a := c.Must("POST", "/v3/email/confirm", map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": a.Field("txnId")}); a.Status != 204 {
		t.Fatal(a.Text())
	}
	if _, a := c.Book(s.Later()[0], 1, c.Enrol("Asha Test")); !a.OK() {
		t.Fatal(a.Text())
	}
	c.SignIn(mobile)
	for _, text := range []string{"Appointment", "Somebody signed in"} {
		if !await(15*time.Second, func() bool { return len(m.of(address, text)) == 1 }) {
			t.Errorf("%d mails say %q", len(m.of(address, text)), text)
		}
	}
	if !await(15*time.Second, func() bool {
		for _, one := range s.To(mobile) {
			if strings.Contains(one.Text, "Show the booking code") {
				return true
			}
		}
		return false
	}) {
		t.Error("the mobile got no message about the appointment")
	}
	for _, one := range s.To(mobile) {
		if strings.Contains(one.Text, "Somebody signed in") {
			t.Error("a sign-in is told to the mobile whose code made it")
		}
	}
	s.Stop()
	if log := s.Log(); strings.Contains(log, address) || strings.Contains(log, mobile) {
		t.Error("the log holds an address or a number")
	}
}
