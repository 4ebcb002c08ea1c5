package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// EmailRoute is one mail server that takes messages for others. A password is in
// a file of its own.
type EmailRoute struct {
	Name         string `json:"name"`
	Host         string `json:"host"`
	Port         int    `json:"port"`
	TLS          string `json:"tls,omitempty"`         // "starttls" (also ""), "implicit", or "none" to a loopback address only
	CAFile       string `json:"ca_file,omitempty"`     // PEM; "" is the system's
	ServerName   string `json:"server_name,omitempty"` // in the certificate; "" is the host
	Username     string `json:"username,omitempty"`    // "": the server takes mail without signing in
	PasswordFile string `json:"password_file,omitempty"`
	Sender       string `json:"sender"` // address of the messages' From

	// Secret and CA are filled in from the files, for a courier that may not read them.
	Secret string `json:"secret,omitempty"`
	CA     string `json:"ca,omitempty"`

	password string
}

// The words of EmailRoute.TLS.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

// mailTime bounds reaching the server, and then the talk with it; mailsAtOnce the
// connections to one server.
const (
	mailTime    = 8 * time.Second
	mailsAtOnce = 8
)

func (r *EmailRoute) check() error {
	switch {
	case !isRouteName(r.Name):
		return badRoutes("each e-mail route needs a name of at most 32 plain characters")
	case r.Host == "" || strings.ContainsAny(r.Host, " \t\r\n/"):
		return badRoutes("route %s: host is wanted", r.Name)
	case r.Port < 1 || r.Port > 65535:
		return badRoutes("route %s: port is 1 to 65535 (587 for starttls, 465 for implicit)", r.Name)
	case r.TLS != "" && r.TLS != tlsStart && r.TLS != tlsImplicit && r.TLS != tlsNone:
		return badRoutes("route %s: tls is starttls, implicit or none", r.Name)
	case r.TLS == tlsNone && !loopback(r.Host):
		return badRoutes("route %s: mail goes without TLS to this machine only (127.0.0.1)", r.Name)
	case (r.Username == "") != (r.PasswordFile == "" && r.Secret == ""):
		return badRoutes("route %s: username and password_file come together", r.Name)
	case len(r.Username) > 254 || strings.ContainsAny(r.Username, "\r\n\x00"):
		return badRoutes("route %s: username has at most 254 plain characters", r.Name)
	}
	if a, err := vault.ParseEmail(r.Sender); err != nil || a != r.Sender {
		return badRoutes("route %s: sender is an e-mail address, as programme@example.org", r.Name)
	}
	return nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// SMTP is a route over a mail server. Each message has a connection of its own:
// e-mails are few beside short messages. It is safe for concurrent use.
type SMTP struct {
	cfg    EmailRoute
	log    *slog.Logger
	now    func() time.Time
	tls    *tls.Config
	slots  chan struct{}
	counts counts
}

// NewSMTP makes a route. now gives the messages their date.
func NewSMTP(cfg EmailRoute, now func() time.Time, log *slog.Logger) (*SMTP, error) {
	s := &SMTP{cfg: cfg, log: log.With("route", cfg.Name), now: now, slots: make(chan struct{}, mailsAtOnce)}
	var err error
	s.tls, err = tlsTo(cfg.Name, cfg.Host, cfg.ServerName, cfg.CA)
	return s, err
}

func (s *SMTP) named() (string, *counts) { return s.cfg.Name, &s.counts }

// client dials nothing yet.
func (s *SMTP) client() (*mail.Client, error) {
	_, domain, _ := strings.Cut(s.cfg.Sender, "@")
	options := []mail.Option{mail.WithPort(s.cfg.Port), mail.WithTimeout(mailTime), mail.WithHELO(domain), mail.WithTLSConfig(s.tls), mail.WithoutNoop()}
	switch s.cfg.TLS {
	case tlsImplicit:
		options = append(options, mail.WithSSL())
	case tlsNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.cfg.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.cfg.Username), mail.WithPassword(s.cfg.password))
	}
	return mail.NewClient(s.cfg.Host, options...)
}

// dial reaches the server, in TLS unless told otherwise, and signs in.
func (s *SMTP) dial(ctx context.Context) (*mail.Client, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Check signs in once; the error says what is wrong.
func (s *SMTP) Check(ctx context.Context) error {
	c, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", net.JoinHostPort(s.cfg.Host, fmt.Sprint(s.cfg.Port)), err)
	}
	_ = c.Close() // it was reached; how it says goodbye does not matter
	return nil
}

// submit hands one message to the server at most once.
func (s *SMTP) submit(ctx context.Context, m Message) outcome {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return notSent
	}
	msg, err := s.compose(m)
	if err != nil {
		return refused
	}
	c, err := s.dial(ctx)
	if err != nil {
		s.log.Warn("the mail server cannot be used", "why", err.Error()) // nothing of a message was said yet
		return notSent
	}
	err = c.Send(msg)
	_ = c.Close() // what is known is known; how it says goodbye does not matter
	return s.judge(err, msg.IsDelivered())
}

// judge says what is known of a message after an attempt. The library says at
// which word it ended; before the end of DATA the server has taken nothing (RFC
// 5321, 4.1.1.4).
func (s *SMTP) judge(err error, delivered bool) outcome {
	var se *mail.SendError
	switch {
	case err == nil || delivered:
		s.counts.accepted.Add(1)
		return accepted
	case !errors.As(err, &se):
		return notSent
	}
	code := se.ErrorCode()
	switch {
	case se.Reason == mail.ErrSMTPDataClose && (code < 400 || code > 599):
		s.counts.unsure.Add(1)
		return unsure
	case code >= 500 && se.Reason == mail.ErrSMTPRcptTo:
		s.counts.refused.Add(1)
		return badNumber
	case code >= 500:
		s.counts.refused.Add(1)
		s.log.Warn("the mail server refused a message", "status", code)
		return refused
	}
	return notSent
}

// compose makes the mail. Every header is the catalogue's or made here; what the
// caller gives is an address without line ends and a body.
func (s *SMTP) compose(m Message) (*mail.Msg, error) {
	to, err := vault.ParseEmail(m.To)
	if err != nil || to != m.To {
		return nil, fault.New(fault.Invalid, "smtp", "not an address")
	}
	_, domain, _ := strings.Cut(s.cfg.Sender, "@")
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err1, err2 := msg.From(s.cfg.Sender), msg.To(to); err1 != nil || err2 != nil {
		return nil, fault.New(fault.Invalid, "smtp", "an address does not fit a mail")
	}
	sum := sha256.Sum256([]byte("tikakosh/mail\x00" + m.ID))
	msg.SetMessageIDWithValue(hex.EncodeToString(sum[:16]) + "@" + domain) // a repetition is known by it
	msg.SetDateWithValue(s.now())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's answering machine answers
	msg.Subject(subject(m.Template, m.Language))
	msg.SetBodyString(mail.TypeTextPlain, m.Text+"\n")
	return msg, nil
}
