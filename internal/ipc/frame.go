package ipc

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A connection between two roles carries frames, each way in any order:
//
//	size u32 | kind u8 | id u64 | rest
//
// size counts what follows it, numbers are big-endian. The rest of a frame is
//
//	a call:    verb, path, content type, what is accepted and trace, each u8 length and text; then the body
//	an answer: status u16; content type, u8 length and text; then the body
//	a cancel:  nothing
//
// Calls share one connection, so that a system call carries many of them.
const (
	kindCall   = 1
	kindCancel = 2
	kindAnswer = 3

	frameHead = 4 + 1 + 8
)

// The bounds of a frame's body and of the whole frame. The largest call is one to the vault
// (vault.MaxMessage), the largest answer the courier's outbox.
const (
	MaxBody  = 9 << 20
	maxFrame = frameHead + 5*256 + MaxBody
)

// errFrame says that the other side does not speak frames, or breaks their bounds.
var errFrame = errors.New("ipc: malformed frame")

// frame is one frame as read: texts and body share one piece of memory of their own.
type frame struct {
	kind                byte
	id                  uint64
	status              int
	verb, path, content string
	accept              string
	trace               string // W3C traceparent, or ""
	body                []byte
}

// appendCall appends a call's frame.
func appendCall(b []byte, f frame) ([]byte, error) {
	texts := [...]string{f.verb, f.path, f.content, f.accept, f.trace}
	rest := len(texts) + len(f.body)
	for _, s := range texts {
		if rest += len(s); len(s) > 255 {
			return b, errFrame
		}
	}
	if len(f.body) > MaxBody {
		return b, errFrame
	}
	b = appendHead(b, kindCall, f.id, rest)
	for _, s := range texts {
		b = append(append(b, byte(len(s))), s...)
	}
	return append(b, f.body...), nil
}

// appendAnswer appends an answer's frame.
func appendAnswer(b []byte, id uint64, status int, content string, body []byte) ([]byte, error) {
	if status < 100 || status > 999 || len(content) > 255 || len(body) > MaxBody {
		return b, errFrame
	}
	b = appendHead(b, kindAnswer, id, 2+1+len(content)+len(body))
	b = binary.BigEndian.AppendUint16(b, uint16(status))
	b = append(append(b, byte(len(content))), content...)
	return append(b, body...), nil
}

func appendHead(b []byte, kind byte, id uint64, rest int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(frameHead-4+rest))
	return binary.BigEndian.AppendUint64(append(b, kind), id)
}

// readFrame reads one frame of at most limit bytes. io.EOF: the other side closed
// between two frames. room, when not nil, is asked before memory is taken for n
// bytes.
func readFrame(r io.Reader, limit int, room func(n int)) (frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n < frameHead-4 || n > limit {
		return frame{}, errFrame
	}
	if room != nil {
		room(n)
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return frame{}, io.ErrUnexpectedEOF
	}
	return parseFrame(raw)
}

// parseFrame reads what follows a frame's size.
func parseFrame(raw []byte) (f frame, err error) {
	if len(raw) < frameHead-4 {
		return f, errFrame
	}
	f.kind, f.id = raw[0], binary.BigEndian.Uint64(raw[1:])
	rest := raw[9:]
	text := func(into *string) {
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			err = errFrame
			return
		}
		n := 1 + int(rest[0])
		*into, rest = string(rest[1:n]), rest[n:]
	}
	switch f.kind {
	case kindCall:
		for _, into := range []*string{&f.verb, &f.path, &f.content, &f.accept, &f.trace} {
			if text(into); err != nil {
				return frame{}, err
			}
		}
	case kindAnswer:
		if len(rest) < 2 {
			return frame{}, errFrame
		}
		f.status, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
		if text(&f.content); err != nil || f.status < 100 || f.status > 999 {
			return frame{}, errFrame
		}
	case kindCancel:
		if len(rest) > 0 {
			return frame{}, errFrame
		}
	default:
		return frame{}, errFrame
	}
	f.body = rest
	return f, nil
}

// How much may wait to be written, and how long a write may take, before a
// connection counts as dead.
const (
	maxWaiting = 32 << 20
	writeTime  = 30 * time.Second
)

// errBusy says that too much waits to be written.
var errBusy = errors.New("ipc: the other role does not read")

// outbound gathers frames while a write is under way and sends them in the next.
type outbound struct {
	conn net.Conn

	mu      sync.Mutex
	waiting []byte // grows while writing
	spare   []byte // the buffer written last
	writing bool
	ended   *sync.Cond // writing became false; made by flushed
	err     error
}

// add queues the frame that frame appends and returns; it is written by another
// goroutine, together with what is queued meanwhile. With an error nothing was queued.
func (o *outbound) add(frame func([]byte) ([]byte, error)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if len(o.waiting) > maxWaiting {
		return errBusy
	}
	next, err := frame(o.waiting)
	if err != nil {
		return err
	}
	o.waiting = next
	if !o.writing {
		o.writing = true
		go o.write()
	}
	return nil
}

// write writes until nothing waits. A write that fails or takes too long ends the
// connection.
func (o *outbound) write() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.waiting) > 0 && o.err == nil {
		out := o.waiting
		o.waiting, o.spare = o.spare, nil
		o.mu.Unlock()
		late := time.AfterFunc(writeTime, func() { _ = o.conn.Close() })
		_, err := o.conn.Write(out)
		late.Stop()
		if err != nil {
			_ = o.conn.Close()
		}
		clear(out) // it may hold what was said about a person
		o.mu.Lock()
		if cap(out) <= spareMax {
			o.spare = out[:0]
		}
		o.err = err
	}
	o.writing = false
	if o.ended != nil {
		o.ended.Broadcast()
	}
}

// flushed waits until what was queued is written, or cannot be.
func (o *outbound) flushed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended == nil {
		o.ended = sync.NewCond(&o.mu)
	}
	for o.writing {
		o.ended.Wait()
	}
}

// spareMax bounds the buffer that is kept between writes.
const spareMax = 256 << 10
