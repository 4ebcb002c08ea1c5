package notify

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// Ids as India's registers give them.
const (
	dltEntity  = "1101000000000000001"
	dltEnglish = "1107000000000000001"
	dltHindi   = "1107000000000000002"
)

// smsc is a small gateway for tests. Answer says what becomes of a submit_sm; ok
// false closes the connection without an answer.
type smsc struct {
	t        testing.TB
	ln       net.Listener
	password string
	answer   func(n int) (status data.CommandStatusType, ok bool)
	receipt  string // stat of the receipt it sends, "" for none

	mu    sync.Mutex
	got   []*pdu.SubmitSM
	conns []net.Conn
	binds int
}

func newSMSC(t testing.TB) *smsc { return listenSMSC(t, nil) }

// listenSMSC is newSMSC, in TLS when there is a configuration.
func listenSMSC(t testing.TB, secure *tls.Config) *smsc {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	s := &smsc{t: t, ln: ln, password: "secret"}
	t.Cleanup(s.close)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
	return s
}

func (s *smsc) close() {
	_ = s.ln.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

func (s *smsc) serve(c net.Conn) {
	defer c.Close()
	for {
		p, err := pdu.Parse(c)
		if err != nil {
			return
		}
		var out []pdu.PDU
		switch p := p.(type) {
		case *pdu.BindRequest:
			r := p.GetResponse().(*pdu.BindResp)
			s.mu.Lock()
			s.binds++
			s.mu.Unlock()
			if p.Password != s.password {
				r.CommandStatus = data.ESME_RINVPASWD
			}
			out = append(out, r)
		case *pdu.SubmitSM:
			s.mu.Lock()
			s.got = append(s.got, p)
			n := len(s.got)
			s.mu.Unlock()
			status, ok := data.ESME_ROK, true
			if s.answer != nil {
				status, ok = s.answer(n)
			}
			if !ok {
				return
			}
			r := p.GetResponse().(*pdu.SubmitSMResp)
			r.CommandStatus, r.MessageID = status, fmt.Sprint("m", n)
			out = append(out, r)
			s.mu.Lock()
			receipt := s.receipt
			s.mu.Unlock()
			if receipt != "" && status == data.ESME_ROK {
				d := pdu.NewDeliverSM().(*pdu.DeliverSM)
				d.EsmClass = data.SM_SMSC_DLV_RCPT_TYPE
				_ = d.Message.SetMessageWithEncoding(fmt.Sprintf("id:m%d sub:001 dlvrd:001 submit date:2611260100 done date:2611260101 stat:%s err:000 text:x", n, receipt), data.GSM7BIT)
				out = append(out, d)
			}
		default:
			if p.CanResponse() {
				out = append(out, p.GetResponse())
			}
		}
		for _, p := range out {
			if write(c, p) != nil {
				return
			}
		}
	}
}

// bound reports whether anybody showed a password.
func (s *smsc) bound() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.binds > 0 }

func (s *smsc) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.got) }

// text is what a telephone would show of the submits so far, by part number.
func (s *smsc) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := ""
	for _, p := range s.got {
		raw, _ := p.Message.GetMessageData()
		if p.Message.Encoding().DataCoding() == data.UCS2Coding {
			units := []uint16{}
			for i := 0; i+1 < len(raw); i += 2 {
				units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
			}
			out += string(utf16.Decode(units))
			continue
		}
		part, _ := data.GSM7BIT.Decode(raw)
		out += part
	}
	return out
}

// route is a route to the gateway.
func (s *smsc) route(name string) Route {
	return Route{Name: name, Address: s.ln.Addr().String(), SystemID: "tikakosh", Secret: s.password, Sender: "TIKAKO", SenderTON: 5, CountryPrefix: "91",
		EntityID: dltEntity, TemplateIDs: map[string]map[string]string{"code": {"en": dltEnglish, "hi": dltHindi}}}
}
