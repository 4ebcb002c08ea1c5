package notify

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// link is one bound connection: requests go out up to a window ahead of their
// answers, and each answer finds its request by the sequence number. When the
// link ends, every request that waits learns that its fate is not known.
type link struct {
	conn    net.Conn
	window  chan struct{}
	deliver func(*pdu.DeliverSM)
	dead    chan struct{}
	once    sync.Once
	seq     atomic.Int32
	heard   atomic.Bool // since the last tick

	wmu sync.Mutex

	mu      sync.Mutex
	waiting map[int32]chan reply
}

// reply is what a gateway answered: its status, and the id it gave a message.
type reply struct {
	status data.CommandStatusType
	id     string
}

func newLink(conn net.Conn, window int, deliver func(*pdu.DeliverSM)) *link {
	l := &link{conn: conn, window: make(chan struct{}, window), deliver: deliver, dead: make(chan struct{}), waiting: map[int32]chan reply{}}
	l.seq.Store(1) // the bind was the first
	go l.listen()
	go l.enquire()
	return l
}

// end closes the link; safe to call twice.
func (l *link) end() {
	l.once.Do(func() {
		_ = l.conn.Close()
		close(l.dead)
	})
}

// ask sends a request and waits for its answer. notSent: nothing complete went
// out. unsure: it went out and the link or ctx ended before the answer came.
func (l *link) ask(ctx context.Context, p pdu.PDU) (reply, outcome) {
	if ctx.Err() != nil { // else a free window would be taken as often as not
		return reply{}, notSent
	}
	select {
	case l.window <- struct{}{}:
		defer func() { <-l.window }()
	case <-l.dead:
		return reply{}, notSent
	case <-ctx.Done():
		return reply{}, notSent
	}
	seq := l.seq.Add(1) & 0x7fffffff
	p.SetSequenceNumber(seq)
	answer := make(chan reply, 1)
	l.mu.Lock()
	l.waiting[seq] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, seq)
		l.mu.Unlock()
	}()
	if err := l.write(p); err != nil {
		// A write that failed left at most a part of the request, which no gateway
		// can read as one.
		l.end()
		return reply{}, notSent
	}
	select {
	case got := <-answer:
		return got, accepted
	case <-ctx.Done():
	case <-l.dead:
	}
	l.mu.Lock() // it may have come just before
	defer l.mu.Unlock()
	select {
	case got := <-answer:
		return got, accepted
	default:
		return reply{}, unsure
	}
}

func (l *link) write(p pdu.PDU) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	late := time.AfterFunc(writeTime, l.end)
	defer late.Stop()
	return write(l.conn, p)
}

// listen hands answers to who waits and answers what the gateway asks.
func (l *link) listen() {
	defer l.end()
	for {
		p, err := read(l.conn)
		if err != nil {
			return
		}
		l.heard.Store(true)
		switch p := p.(type) {
		case *pdu.SubmitSMResp, *pdu.GenericNack, *pdu.EnquireLinkResp, *pdu.UnbindResp:
			h := p.GetHeader()
			got := reply{status: h.CommandStatus}
			if r, ok := p.(*pdu.SubmitSMResp); ok {
				got.id = r.MessageID
			}
			l.mu.Lock()
			if answer := l.waiting[h.SequenceNumber]; answer != nil {
				answer <- got // has room for the one answer
			}
			delete(l.waiting, h.SequenceNumber)
			l.mu.Unlock()
		case *pdu.DeliverSM:
			l.deliver(p)
			if l.write(p.GetResponse()) != nil {
				return
			}
		case *pdu.Unbind:
			_ = l.write(p.GetResponse())
			return
		default:
			if p.CanResponse() && l.write(p.GetResponse()) != nil {
				return
			}
		}
	}
}

// enquire keeps the link alive and finds out when it is dead.
func (l *link) enquire() {
	tick := time.NewTicker(enquireTime)
	defer tick.Stop()
	for quiet := 0; ; {
		select {
		case <-l.dead:
			return
		case <-tick.C:
		}
		if quiet++; l.heard.Swap(false) {
			quiet = 0
		}
		p := pdu.NewEnquireLink()
		p.SetSequenceNumber(l.seq.Add(1) & 0x7fffffff)
		if quiet >= 2 || l.write(p) != nil {
			l.end()
			return
		}
	}
}

// unbind says goodbye and waits a moment for the answer.
func (l *link) unbind() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = l.ask(ctx, pdu.NewUnbind())
}

// write sends one PDU in one piece.
func write(w io.Writer, p pdu.PDU) error {
	buf := pdu.NewBuffer(nil)
	p.Marshal(buf)
	_, err := w.Write(buf.Bytes())
	return err
}

// read reads one PDU. What the library cannot take, even by panicking, is an error.
func read(r io.Reader) (p pdu.PDU, err error) {
	defer func() {
		if recover() != nil {
			p, err = nil, fmt.Errorf("a malformed PDU")
		}
	}()
	return pdu.Parse(r)
}
