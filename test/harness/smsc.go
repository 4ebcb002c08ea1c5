package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// SMSC is a message gateway in this process for the real courier. It takes what
// comes with the password "secret12" and joins the parts of long messages.
type SMSC struct {
	ln net.Listener

	mu       sync.Mutex
	port     string
	rule     func(to string, n int) Verdict
	n        int
	submits  map[string]int // submit_sm by number; a message has one for each part
	messages []Message
	parts    map[string][]string
	conns    map[net.Conn]bool
}

// Verdict is what a gateway does with one submit_sm: the zero value takes it.
type Verdict struct {
	Cut     bool          // it has it, and ends the link without an answer
	Busy    bool          // it throttles and does not take it
	Delay   time.Duration // how long it takes to answer
	Receipt string        // the stat of the receipt it sends, such as UNDELIV; "" for none
}

// NewSMSC starts a gateway on a loopback port.
func NewSMSC(tb TB) *SMSC {
	tb.Helper()
	g := &SMSC{submits: map[string]int{}, parts: map[string][]string{}, conns: map[net.Conn]bool{}, port: "0"}
	if err := g.Listen(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(g.Stop)
	return g
}

// Listen opens the gateway, on the port it had before.
func (g *SMSC) Listen() error {
	var lc net.ListenConfig
	g.mu.Lock()
	defer g.mu.Unlock()
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:"+g.port)
	if err != nil {
		return err
	}
	g.ln = ln
	_, g.port, _ = net.SplitHostPort(ln.Addr().String())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			g.conns[c] = true
			g.mu.Unlock()
			go g.serve(c)
		}
	}()
	return nil
}

// Stop closes it and every link without a word.
func (g *SMSC) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.ln.Close()
	for c := range g.conns {
		_ = c.Close()
	}
}

// Rule sets what becomes of submits; n counts them from 1. nil takes all.
func (g *SMSC) Rule(rule func(to string, n int) Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rule = rule
}

// Submits is how many submit_sm came for a mobile, taken or not answered.
func (g *SMSC) Submits(mobile string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.submits[mobile]
}

// Messages are the whole messages that telephones show, newest first.
func (g *SMSC) Messages() []Message {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Clone(g.messages)
	slices.Reverse(out)
	return out
}

// take notes one submit_sm and says what becomes of it.
func (g *SMSC) take(p *pdu.SubmitSM) (Verdict, int) {
	to := strings.TrimPrefix(p.DestAddr.Address(), "91")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	var v Verdict
	if g.rule != nil {
		v = g.rule(to, g.n)
	}
	if v.Busy {
		return v, g.n
	}
	g.submits[to]++
	raw, _ := p.Message.GetMessageData()
	text := string(raw)
	if p.Message.Encoding().DataCoding() == data.UCS2Coding {
		var units []uint16
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		text = string(utf16.Decode(units))
	} else if decoded, err := data.GSM7BIT.Decode(raw); err == nil {
		text = decoded
	}
	total, part, ref, joined := p.Message.UDH().GetConcatInfo()
	if !joined {
		g.messages = append(g.messages, Message{To: to, Text: text})
		return v, g.n
	}
	key := fmt.Sprint(to, "/", ref)
	if len(g.parts[key]) != int(total) {
		g.parts[key] = make([]string, total)
	}
	g.parts[key][part-1] = text
	if !slices.Contains(g.parts[key], "") {
		g.messages = append(g.messages, Message{To: to, Text: strings.Join(g.parts[key], "")})
		delete(g.parts, key)
	}
	return v, g.n
}

func (g *SMSC) serve(c net.Conn) {
	defer c.Close()
	var mu sync.Mutex
	send := func(out []pdu.PDU) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range out {
			buf := pdu.NewBuffer(nil)
			p.Marshal(buf)
			if _, err := c.Write(buf.Bytes()); err != nil {
				_ = c.Close()
			}
		}
	}
	for {
		p, err := pdu.Parse(c)
		if err != nil {
			return
		}
		var out []pdu.PDU
		switch p := p.(type) {
		case *pdu.BindRequest:
			r, _ := p.GetResponse().(*pdu.BindResp)
			if p.Password != "secret12" {
				r.CommandStatus = data.ESME_RINVPASWD
			}
			out = append(out, r)
		case *pdu.SubmitSM:
			v, n := g.take(p)
			if v.Cut {
				return
			}
			r, _ := p.GetResponse().(*pdu.SubmitSMResp)
			r.MessageID = fmt.Sprint("m", n)
			if v.Busy {
				r.CommandStatus = data.ESME_RTHROTTLED
			}
			out = append(out, r)
			if v.Receipt != "" && !v.Busy {
				d, _ := pdu.NewDeliverSM().(*pdu.DeliverSM)
				d.EsmClass = data.SM_SMSC_DLV_RCPT_TYPE
				_ = d.Message.SetMessageWithEncoding(fmt.Sprintf("id:m%d sub:001 dlvrd:000 submit date:2611260100 done date:2611260101 stat:%s err:001 text:", n, v.Receipt), data.GSM7BIT)
				out = append(out, d)
			}
			if v.Delay > 0 {
				late := out
				time.AfterFunc(v.Delay, func() { send(late) })
				out = nil
			}
		default:
			if p.CanResponse() {
				out = append(out, p.GetResponse())
			}
		}
		send(out)
	}
}

// RoutesFile writes a routes file with these gateways, the first one first, and
// mail servers as they stand in the file; it returns its path. Passwords are
// "secret12".
func RoutesFile(tb TB, dir string, mail []map[string]any, gateways ...*SMSC) string {
	tb.Helper()
	routes := []map[string]any{}
	for i, g := range gateways {
		routes = append(routes, map[string]any{"name": fmt.Sprint("route", i), "address": "127.0.0.1:" + g.port, "system_id": "tikakosh", "password_file": "password",
			"sender": "TIKAKO", "sender_ton": 5, "country_prefix": "91"})
	}
	raw, err := json.Marshal(map[string]any{"routes": routes, "email": mail})
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(dir, "routes.json")
	for name, content := range map[string][]byte{path: raw, filepath.Join(dir, "password"): []byte("secret12\n")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return path
}

// StartOver starts a server whose messages go out over gateways.
func StartOver(tb TB, b *Builder, opt Options, routes string, gateways ...*SMSC) *Server {
	tb.Helper()
	opt.Args = append(slices.Clone(opt.Args), "--routes", routes)
	s := Start(tb, b, opt)
	s.Inbox = func() (all []Message) {
		for _, g := range gateways {
			all = append(all, g.Messages()...)
		}
		return all
	}
	return s
}
