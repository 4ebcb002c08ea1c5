package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// numbers hands out mobile numbers and id numbers that no other test of the
// process uses. They begin with 5, which no Indian mobile does.
type numbers struct {
	mu   sync.Mutex
	used map[string]bool
	nets int
}

func newNumbers() *numbers { return &numbers{used: map[string]bool{}} }

func (n *numbers) digits(count int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		b := make([]byte, count)
		for i := range b {
			b[i] = byte('0' + rand.IntN(10))
		}
		if s := string(b); !n.used[s] {
			n.used[s] = true
			return s
		}
	}
}

// Mobile returns an unused synthetic mobile number.
func (s *Server) Mobile() string { return "5" + s.numbers.digits(9) }

// DemoMobile is the number of the demo's household n, from 0: somebody who is
// registered without a test having signed in. Every fortieth household (39, 79, …)
// has no mobile.
func DemoMobile(n int) string { return fmt.Sprintf("%d%09d", n%6, 100_000_000+n) }

// PAN returns an unused synthetic id number of type 6; the fourth letter of a
// real one says what its holder is and is never X.
func (s *Server) PAN() string {
	d := s.numbers.digits(7)
	letter := func(i int) byte { return 'A' + (d[i]-'0')*2 }
	return string([]byte{letter(0), letter(1), letter(2), 'X', letter(4)}) + d[:4] + string(letter(6))
}

// Client is one caller: an address on loopback of its own (so that limits per
// network see a caller of its own), warm connections, and perhaps a bearer.
type Client struct {
	Server *Server
	Bearer string
	http   *http.Client
}

// Client returns a new caller from an unused /24 of 127.0.0.0/8.
func (s *Server) Client() *Client {
	s.numbers.mu.Lock()
	s.numbers.nets++
	n := s.numbers.nets
	s.numbers.mu.Unlock()
	return s.ClientFrom(netip.AddrFrom4([4]byte{127, byte(10 + n/250), byte(n % 250), 1}))
}

// ClientFrom returns a new caller from an address of 127.0.0.0/8.
func (s *Server) ClientFrom(from netip.Addr) *Client {
	d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, ControlContext: onlyLoopback}
	t := &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 600, DisableCompression: true}
	s.tb.Cleanup(t.CloseIdleConnections)
	return &Client{Server: s, http: &http.Client{Transport: t, Timeout: 60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// With returns the same caller with another bearer; connections are shared.
func (c *Client) With(bearer string) *Client {
	return &Client{Server: c.Server, Bearer: bearer, http: c.http}
}

// CheckLoopback refuses a resolved address (host:port) that is not on this
// machine.
func CheckLoopback(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !ap.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("harness: %s is not a loopback address; the attacks run against this machine only", address)
	}
	return nil
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration
}

// OK reports a status of the 2xx class.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Text is a short form for evidence: status and the start of the body.
func (a Answer) Text() string {
	return fmt.Sprintf("%d %.120s", a.Status, bytes.TrimSpace(a.Body))
}

// Field is a text field of a JSON answer, or "".
func (a Answer) Field(name string) string {
	var m map[string]any
	if json.Unmarshal(a.Body, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// Do sends one request below the API's address ("/v2/…"); body may be nil,
// []byte or anything JSON can say. A transport error is returned.
func (c *Client) Do(method, path string, body any, header ...string) (Answer, error) {
	return c.DoURL(method, c.Server.API+path, body, header...)
}

// DoURL is Do with an absolute URL. header holds names and values in turn.
func (c *Client) DoURL(method, url string, body any, header ...string) (Answer, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return Answer{}, err
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, r)
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	start := time.Now()
	res, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	return Answer{Status: res.StatusCode, Header: res.Header, Body: raw, Took: time.Since(start)}, err
}

// Must is Do for requests that cannot fail to be sent.
func (c *Client) Must(method, path string, body any, header ...string) Answer {
	c.Server.tb.Helper()
	a, err := c.Do(method, path, body, header...)
	if err != nil {
		c.Server.tb.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// need fails the test unless the answer is good; for steps that set a scene.
func (c *Client) need(what string, a Answer) Answer {
	c.Server.tb.Helper()
	if !a.OK() {
		c.Server.tb.Fatalf("%s: %s", what, a.Text())
	}
	return a
}

// Message is one entry of the outbox.
type Message struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
}

// Messages returns the outbox, newest first.
func (s *Server) Messages() []Message {
	s.tb.Helper()
	if s.Inbox != nil {
		return s.Inbox()
	}
	c := s.ClientFrom(netip.MustParseAddr("127.0.0.1"))
	a, err := c.DoURL("GET", s.Outbox+"/messages.json", nil)
	var out []Message
	if err != nil || json.Unmarshal(a.Body, &out) != nil {
		s.tb.Fatalf("outbox: %v %s", err, a.Text())
	}
	return out
}

// To returns the messages to one mobile, newest first.
func (s *Server) To(mobile string) []Message {
	s.tb.Helper()
	return slices.DeleteFunc(s.Messages(), func(m Message) bool { return m.To != mobile })
}

// AwaitMessages waits until there are more than have messages to a mobile, at
// most for wait, and returns them, newest first.
func (s *Server) AwaitMessages(mobile string, have int, wait time.Duration) []Message {
	s.tb.Helper()
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		if got := s.To(mobile); len(got) > have || time.Now().After(end) {
			return got
		}
	}
}

var (
	oneTimeCode  = regexp.MustCompile(`\b\d{6}\b`)
	securityCode = regexp.MustCompile(`(?:ode|कोड):? (\d{4})\b`)
)

// Code is the one-time code in a message, or "".
func (m Message) Code() string { return oneTimeCode.FindString(m.Text) }

// SecurityCode is the booking's code in a message that holds the texts about
// (SecurityCode of Server), or "". With a reference id it is that person's.
func (m Message) SecurityCode(about ...string) string {
	from := m.Text
	for _, text := range about {
		if len(text) == 14 {
			text = ".." + text[10:]
			_, from, _ = strings.Cut(from, text)
		}
		if !strings.Contains(m.Text, text) {
			return ""
		}
	}
	if got := securityCode.FindStringSubmatch(from); got != nil {
		return got[1]
	}
	return ""
}

// Digest is what a client sends for a code: lower-case hex SHA-256.
func Digest(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// AskCode asks for a one-time code. The answer may be a refusal.
func (c *Client) AskCode(mobile string) (txn string, a Answer) {
	c.Server.tb.Helper()
	a = c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile})
	return a.Field("txnId"), a
}

// Code asks for a code and reads it from the outbox.
func (c *Client) Code(mobile string) (txn, code string) {
	c.Server.tb.Helper()
	have := len(c.Server.To(mobile))
	txn, a := c.AskCode(mobile)
	c.need("generateOTP", a)
	return txn, c.Server.codeAfter(mobile, have)
}

// codeAfter is the newest code to a mobile that came after its first have messages; notices
// may come beside it.
func (s *Server) codeAfter(mobile string, have int) string {
	s.tb.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		got := s.To(mobile)
		for _, m := range got[:max(0, len(got)-have)] {
			if code := m.Code(); code != "" {
				return code
			}
		}
	}
	s.tb.Fatalf("no code came to the outbox")
	return ""
}

// Confirm answers a code. The answer may be a refusal.
func (c *Client) Confirm(txn, code string) (bearer string, a Answer) {
	c.Server.tb.Helper()
	a = c.Must("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": Digest(code), "txnId": txn})
	return a.Field("token"), a
}

// SignIn returns a caller with a live bearer of a number.
func (c *Client) SignIn(mobile string) *Client {
	c.Server.tb.Helper()
	txn, code := c.Code(mobile)
	bearer, a := c.Confirm(txn, code)
	c.need("confirmOTP", a)
	return c.With(bearer)
}

// Holder signs a new number in from a network of its own.
func (s *Server) Holder() (c *Client, mobile string) {
	s.tb.Helper()
	mobile = s.Mobile()
	return s.Client().SignIn(mobile), mobile
}

// Person is a registration form.
type Person struct {
	Name   string
	Born   int
	Gender int
	IDType int
	ID     string
}

// Form is the request body of a registration.
func (p Person) Form() map[string]any {
	if p.Born == 0 {
		p.Born = 1980
	}
	if p.Gender == 0 {
		p.Gender = 2
	}
	if p.IDType == 0 {
		p.IDType = 6
	}
	return map[string]any{"name": p.Name, "birth_year": fmt.Sprint(p.Born), "gender_id": p.Gender, "photo_id_type": p.IDType,
		"photo_id_number": p.ID, "comorbidity_ind": "N", "consent_version": "1"}
}

// TryEnrol registers a person. The answer may be a refusal.
func (c *Client) TryEnrol(p Person) (reference string, a Answer) {
	c.Server.tb.Helper()
	if p.ID == "" {
		p.ID = c.Server.PAN()
	}
	a = c.Must("POST", "/v2/registration/beneficiary/new", p.Form())
	return a.Field("beneficiary_reference_id"), a
}

// Enrol registers a person of that name.
func (c *Client) Enrol(name string) string {
	c.Server.tb.Helper()
	ref, a := c.TryEnrol(Person{Name: name})
	c.need("beneficiary/new", a)
	return ref
}

// Beneficiary is one element of the booking view.
type Beneficiary struct {
	Reference    string `json:"beneficiary_reference_id"`
	Name         string `json:"name"`
	Born         string `json:"birth_year"`
	Status       string `json:"vaccination_status"`
	Appointments []struct {
		ID      string `json:"appointment_id"`
		Session string `json:"session_id"`
		Dose    int    `json:"dose"`
	} `json:"appointments"`
	Draws []struct {
		ID     string `json:"appointment_confirmation_no"`
		Result string `json:"result"`
	} `json:"draws"`
}

// TryBeneficiaries asks for the booking view.
func (c *Client) TryBeneficiaries() ([]Beneficiary, Answer) {
	c.Server.tb.Helper()
	a := c.Must("GET", "/v2/appointment/beneficiaries", nil)
	var out struct {
		Beneficiaries []Beneficiary `json:"beneficiaries"`
	}
	_ = json.Unmarshal(a.Body, &out)
	return out.Beneficiaries, a
}

// Beneficiaries is the booking view of the household.
func (c *Client) Beneficiaries() []Beneficiary {
	c.Server.tb.Helper()
	out, a := c.TryBeneficiaries()
	c.need("beneficiaries", a)
	return out
}

// Opening is one entry of the access history.
type Opening struct {
	Index   int64  `json:"index"`
	Kind    string `json:"kind"`
	View    string `json:"view"`
	Role    string `json:"role"`
	ViewRef string `json:"view_ref"`

	Reference string `json:"beneficiary_reference_id"`
	Local     string `json:"at_local"`
	Reason    string `json:"reason"`
	Lost      struct{ First, Last int64 }
}

// Openings is the newest page of the household's access history, newest first.
func (c *Client) Openings() []Opening {
	c.Server.tb.Helper()
	a := c.need("openings", c.Must("GET", "/v3/openings?limit=200", nil))
	var out struct {
		Openings []Opening `json:"openings"`
	}
	if err := json.Unmarshal(a.Body, &out); err != nil {
		c.Server.tb.Fatal(err)
	}
	return out.Openings
}

// Book books a dose. The answer may be a refusal.
func (c *Client) Book(d Day, dose int, references ...string) (appointment string, a Answer) {
	c.Server.tb.Helper()
	a = c.Must("POST", "/v2/appointment/schedule", map[string]any{"dose": dose, "session_id": d.Session, "slot": d.Slot, "beneficiaries": references})
	return a.Field("appointment_confirmation_no"), a
}

// Cancel gives an appointment up. The answer may be a refusal.
func (c *Client) Cancel(appointment string, references ...string) Answer {
	c.Server.tb.Helper()
	return c.Must("POST", "/v2/appointment/cancel", map[string]any{"appointment_id": appointment, "beneficiariesToCancel": references})
}

// Remove deletes a registration. The answer may be a refusal.
func (c *Client) Remove(reference string) Answer {
	c.Server.tb.Helper()
	return c.Must("POST", "/v2/registration/beneficiary/delete", map[string]any{"beneficiary_reference_id": reference})
}

// Slip downloads an appointment slip. The answer may be a refusal.
func (c *Client) Slip(appointment string) Answer {
	c.Server.tb.Helper()
	return c.Must("GET", "/v2/appointment/appointmentslip/download?appointment_id="+url.QueryEscape(appointment), nil)
}

// Certificate downloads a certificate. The answer may be a refusal.
func (c *Client) Certificate(reference string) Answer {
	c.Server.tb.Helper()
	return c.Must("GET", "/v2/registration/certificate/public/download?beneficiary_reference_id="+url.QueryEscape(reference), nil)
}

// Alive waits until the vault answers a sign-in's first step, after a restart.
func (s *Server) Alive() {
	s.tb.Helper()
	c := s.Client()
	var last string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		a, err := c.Do("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": strings.Repeat("0", 64), "txnId": "00000000-0000-4000-8000-000000000000"})
		if err == nil && a.Status < 500 {
			return
		}
		last = fmt.Sprint(err, " ", a.Text())
	}
	s.tb.Fatalf("the server does not answer: %s\n%s", last, lastLines(s.Log(), 20))
}

// Raw sends bytes to the API's address over a fresh connection and returns all
// that comes back until the server closes; for what an HTTP client would not
// send, and for comparing answers byte by byte.
func (c *Client) Raw(request string) []byte {
	c.Server.tb.Helper()
	u, err := url.Parse(c.Server.API)
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	if err := CheckLoopback(u.Host); err != nil {
		c.Server.tb.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 10*time.Second)
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		c.Server.tb.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "{HOST}", u.Host)); err != nil {
		c.Server.tb.Fatal(err)
	}
	raw, err := io.ReadAll(io.LimitReader(conn, 8<<20))
	if err != nil && len(raw) == 0 {
		c.Server.tb.Fatal(err)
	}
	return raw
}
