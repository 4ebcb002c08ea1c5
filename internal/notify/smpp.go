package notify

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"tikakosh/internal/fault"
)

// The times of a link to a gateway.
const (
	dialTime    = 5 * time.Second
	bindTime    = 5 * time.Second
	writeTime   = 10 * time.Second
	enquireTime = 20 * time.Second // a link that says nothing for two of these is dead
	rebindMin   = 100 * time.Millisecond
	rebindMax   = 5 * time.Second
)

// The tags of India's register of templates (TRAI's DLT) in a submit_sm.
const (
	tagEntity   = pdu.Tag(0x1400)
	tagTemplate = pdu.Tag(0x1401)
)

// outcome is what is known of one submit_sm.
type outcome int

const (
	accepted  outcome = iota
	notSent           // the gateway has not taken it: the link is down, or it said so and may take it later
	throttled         // as notSent; the gateway asks for patience
	refused           // the gateway will not take it as it is from us
	badNumber         // no gateway takes this number
	unsure            // it was written and the answer did not come
)

// SMPP is a route over a gateway's SMPP 3.4 link, bound as transceiver. It binds
// again by itself. It is safe for concurrent use.
type SMPP struct {
	cfg Route
	log *slog.Logger
	tls *tls.Config

	refs   atomic.Uint32
	counts counts
	watch  *receipts // nil where there is no other route

	mu   sync.Mutex
	link *link
}

// counts are what became of messages, and of receipts.
type counts struct{ accepted, refused, unsure, delivered, failed, again atomic.Int64 }

// NewSMPP makes a route; Run keeps its link up.
func NewSMPP(cfg Route, log *slog.Logger) (*SMPP, error) {
	s := &SMPP{cfg: cfg, log: log.With("route", cfg.Name)}
	var err error
	s.tls, err = cfg.tlsConfig()
	return s, err
}

// Run binds, and binds again whenever the link ends, until ctx ends.
func (s *SMPP) Run(ctx context.Context) {
	wait := rebindMin
	for ctx.Err() == nil {
		l, err := s.bind(ctx)
		if err != nil {
			s.log.Warn("no link to the gateway", "why", err.Error())
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			wait = min(2*wait, rebindMax)
			continue
		}
		wait = rebindMin
		s.log.Info("bound to the gateway")
		s.mu.Lock()
		s.link = l
		s.mu.Unlock()
		select {
		case <-l.dead:
		case <-ctx.Done():
			l.unbind()
		}
		s.mu.Lock()
		s.link = nil
		s.mu.Unlock()
		l.end()
		if ctx.Err() == nil {
			s.log.Warn("the link to the gateway ended")
		}
	}
}

func (s *SMPP) named() (string, *counts) { return s.cfg.Name, &s.counts }

// Check binds once and unbinds; the error says what is wrong.
func (s *SMPP) Check(ctx context.Context) error {
	l, err := s.bind(ctx)
	if err != nil {
		return err
	}
	l.unbind()
	l.end()
	return nil
}

// bind dials and binds. Its errors say what to look at and hold no secret.
func (s *SMPP) bind(ctx context.Context) (*link, error) {
	dial, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var conn net.Conn
	var err error
	if s.tls != nil {
		conn, err = (&tls.Dialer{Config: s.tls}).DialContext(dial, "tcp", s.cfg.Address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(dial, "tcp", s.cfg.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", s.cfg.Address, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	late := time.AfterFunc(bindTime, func() { _ = conn.Close() })
	defer stop()
	defer late.Stop()
	req := pdu.NewBindRequest(pdu.Transceiver)
	req.SystemID, req.Password, req.SystemType = s.cfg.SystemID, s.cfg.password, s.cfg.SystemType
	if err := write(conn, req); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the gateway closed the connection before the bind")
	}
	for {
		p, err := read(conn)
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("the gateway did not answer the bind: is %s an SMPP port, with TLS as set?", s.cfg.Address)
		}
		if r, ok := p.(*pdu.BindResp); ok {
			if r.CommandStatus != data.ESME_ROK {
				_ = conn.Close()
				return nil, fmt.Errorf("the gateway refused the bind: %s (system_id, password and the list of allowed addresses?)", r.CommandStatus)
			}
			return newLink(conn, s.cfg.Window, s.receipt), nil
		}
	}
}

// submit sends every part of a message and says what is known of the whole. A
// part that the gateway has is not sent again.
func (s *SMPP) submit(ctx context.Context, m Message) outcome {
	parts, enc := segments(m.Text)
	if len(parts) > maxSegments {
		return refused
	}
	ref := byte(s.refs.Add(1))
	ids := make([]string, 0, len(parts))
	for i, part := range parts {
		var got outcome
		var id string
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
			if p, err := s.compose(m, part, enc, i, len(parts), ref); err == nil {
				got, id = s.once(ctx, p)
			} else {
				got = refused
			}
			// The first part's fate is the caller's to decide; the rest belongs to what
			// the gateway has already.
			if i == 0 || (got != throttled && got != notSent) || ctx.Err() != nil {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		switch {
		case got == accepted:
			ids = append(ids, id)
		case i > 0 || got == unsure:
			s.counts.unsure.Add(1)
			return unsure
		default:
			return got
		}
	}
	s.counts.accepted.Add(1)
	s.watch.await(m, ids)
	return accepted
}

// compose makes one submit_sm.
func (s *SMPP) compose(m Message, part string, enc data.Encoding, i, n int, ref byte) (*pdu.SubmitSM, error) {
	p, ok := pdu.NewSubmitSM().(*pdu.SubmitSM)
	if !ok {
		return nil, fault.New(fault.Internal, "smpp", "no submit_sm")
	}
	var err1, err2 error
	p.SourceAddr, err1 = pdu.NewAddressWithTonNpiAddr(byte(s.cfg.SenderTON), byte(s.cfg.SenderNPI), s.cfg.Sender)
	p.DestAddr, err2 = pdu.NewAddressWithTonNpiAddr(1, 1, s.cfg.number(m.To))
	raw, err3 := enc.Encode(part)
	for _, err := range []error{err1, err2, err3, p.Message.SetMessageDataWithEncoding(raw, enc)} {
		if err != nil {
			return nil, fault.New(fault.Invalid, "smpp", "the message does not fit a submit_sm")
		}
	}
	p.RegisteredDelivery = 1
	if n > 1 {
		p.EsmClass |= data.SM_UDH_GSM
		p.Message.SetUDH(pdu.UDH{pdu.NewIEConcatMessage(byte(n), byte(i+1), ref)})
	}
	if s.cfg.EntityID != "" {
		p.RegisterOptionalParam(pdu.Field{Tag: tagEntity, Data: append([]byte(s.cfg.EntityID), 0)})
	}
	if id := s.cfg.template(m.Template, m.Language); id != "" {
		p.RegisterOptionalParam(pdu.Field{Tag: tagTemplate, Data: append([]byte(id), 0)})
	}
	return p, nil
}

// once writes one submit_sm at most once and waits for its answer.
func (s *SMPP) once(ctx context.Context, p *pdu.SubmitSM) (outcome, string) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l == nil {
		return notSent, ""
	}
	got, known := l.ask(ctx, p)
	switch {
	case known == notSent || known == unsure:
		return known, ""
	case got.status == data.ESME_ROK:
		return accepted, got.id
	case got.status == data.ESME_RTHROTTLED || got.status == data.ESME_RMSGQFUL:
		return throttled, ""
	case got.status == data.ESME_RINVDSTADR:
		return badNumber, ""
	}
	s.counts.refused.Add(1)
	s.log.Warn("the gateway refused a message", "status", got.status.String())
	return refused, ""
}

// receipt counts a delivery receipt, and lets a notice that failed go over the
// next route. Nothing of it is logged.
func (s *SMPP) receipt(d *pdu.DeliverSM) {
	if d.EsmClass&0x3c != data.SM_SMSC_DLV_RCPT_TYPE {
		return // a message from a telephone: nobody reads it
	}
	state := byte(0)
	if f, ok := d.OptionalParameters[pdu.TagMessageStateOption]; ok && len(f.Data) == 1 {
		state = f.Data[0]
	}
	raw, _ := d.Message.GetMessageData()
	id := receiptID(raw, d)
	switch parseReceipt(raw, state) {
	case receiptDelivered:
		s.counts.delivered.Add(1)
		s.watch.delivered(id)
	case receiptFailed:
		s.counts.failed.Add(1)
		s.watch.failed(id)
	}
}
