package notify

import (
	"bytes"
	"sync"

	"github.com/linxGnu/gosmpp/pdu"
)

// receiptState is what a delivery receipt says in the end.
type receiptState int

const (
	receiptOther receiptState = iota // on its way, or unreadable
	receiptDelivered
	receiptFailed
)

// parseReceipt reads a receipt: the message_state parameter when there is one
// (SMPP 3.4, 5.2.28), else the customary text (appendix B: "id:… stat:DELIVRD …").
// Whatever a gateway sends, it ends in one of three states.
func parseReceipt(text []byte, state byte) receiptState {
	switch state {
	case 2:
		return receiptDelivered
	case 3, 4, 5, 8:
		return receiptFailed
	case 0:
	default:
		return receiptOther
	}
	_, rest, ok := bytes.Cut(text, []byte("stat:"))
	if !ok || len(rest) < 7 {
		return receiptOther
	}
	switch string(rest[:7]) {
	case "DELIVRD":
		return receiptDelivered
	case "EXPIRED", "DELETED", "UNDELIV", "REJECTD":
		return receiptFailed
	}
	return receiptOther
}

// receiptID is the gateway's id of the message a receipt is about: the
// receipted_message_id parameter when there is one (SMPP 3.4, 5.3.2.12), else
// the customary text's. "" when it has none of at most 64 bytes (5.2.23).
func receiptID(text []byte, d *pdu.DeliverSM) string {
	if f, ok := d.OptionalParameters[pdu.TagReceiptedMessageID]; ok {
		return bounded(bytes.TrimRight(f.Data, "\x00"))
	}
	_, rest, ok := bytes.Cut(text, []byte("id:"))
	if !ok {
		return ""
	}
	id, _, _ := bytes.Cut(rest, []byte(" "))
	return bounded(id)
}

func bounded(id []byte) string {
	if len(id) > 64 {
		return ""
	}
	return string(id)
}

// How many messages of a route wait for their receipts at once, and how many
// failed receipts are remembered that came before the answer they belong to.
const (
	receiptsAwaited = 20_000
	receiptsEarly   = 256
)

// receipts holds a route's notices until a receipt says what became of them, so
// that one that failed goes over the next route. Codes are never in it: what a
// gateway took once is not sent again. A message stays for one to two turns (of
// five minutes), in memory. It is safe for concurrent use; nil does nothing.
type receipts struct {
	again func(Message)

	mu         sync.Mutex
	young, old map[string]*awaited // by the gateway's id, one for each part
	early      []string
}

// awaited is one message, also when it has several parts.
type awaited struct {
	m    Message
	done bool // it went on to another route
}

func newReceipts(again func(Message)) *receipts {
	return &receipts{again: again, young: map[string]*awaited{}, old: map[string]*awaited{}}
}

// await keeps a notice that the gateway took under ids.
func (r *receipts) await(m Message, ids []string) {
	if r == nil || m.Once {
		return
	}
	a := &awaited{m: m}
	gone := false
	r.mu.Lock()
	for _, id := range ids {
		if id == "" || len(r.young)+len(r.old) >= receiptsAwaited {
			continue
		}
		r.young[id] = a
		for _, e := range r.early {
			gone = gone || e == id
		}
	}
	a.done = gone
	r.mu.Unlock()
	if gone {
		r.again(m)
	}
}

// delivered forgets a part.
func (r *receipts) delivered(id string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.take(id)
}

// failed lets the whole message go by another way, once.
func (r *receipts) failed(id string) {
	if r == nil || id == "" {
		return
	}
	r.mu.Lock()
	a := r.take(id)
	if a == nil {
		// The answer to the submit may still be on its way to its reader.
		if r.early = append(r.early, id); len(r.early) > receiptsEarly {
			r.early = r.early[1:]
		}
		r.mu.Unlock()
		return
	}
	first := !a.done
	a.done = true
	r.mu.Unlock()
	if first {
		r.again(a.m)
	}
}

// take removes a part and returns its message, or nil. Callers hold mu.
func (r *receipts) take(id string) *awaited {
	a := r.young[id]
	if a == nil {
		a = r.old[id]
	}
	delete(r.young, id)
	delete(r.old, id)
	return a
}

// turn forgets what has waited for a whole turn.
func (r *receipts) turn() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.old, r.young, r.early = r.young, map[string]*awaited{}, nil
}
