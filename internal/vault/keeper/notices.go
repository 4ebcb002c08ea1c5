package keeper

import (
	"context"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

const (
	noticeQueue   = 10_000           // messages that wait for a sender, per queue
	noticeParked  = 20_000           // messages that wait for their next try
	noticeSenders = 4                // per queue
	noticeTry     = 15 * time.Second // one try at the most
	noticeLife    = 24 * time.Hour
	noticeDay     = 24 * time.Hour

	// householdNotices is how many messages of a kind a household gets in a day
	// (UTC): six people booked three times. Each kind counts alone, so that
	// bookings made and cancelled over and over cannot silence a dose's message.
	householdNotices = 20
)

// queued is a message and how long it waits after the next failure.
type queued struct {
	Notice
	wait time.Duration
}

func (k *Keeper) queueOf(n Notice) chan queued {
	if strings.HasPrefix(n.Template, "code") {
		return k.codes
	}
	return k.notices
}

// notify hands a message to the senders; it never blocks a request.
func (k *Keeper) notify(n Notice) { k.enqueue(queued{n, 50 * time.Millisecond}) }

func (k *Keeper) enqueue(q queued) {
	select {
	case k.queueOf(q.Notice) <- q:
	default:
		k.log.Warn("message queue full", "template", q.Template)
	}
}

func (k *Keeper) sendNotices(ctx context.Context, from <-chan queued) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-from:
			k.sendNotice(ctx, q)
		}
	}
}

// sendNotice tries once. What may still succeed goes back into the queue after
// a while, so that no sender waits for one message.
func (k *Keeper) sendNotice(ctx context.Context, q queued) {
	try, cancel := context.WithTimeout(ctx, noticeTry)
	err := k.courier.Send(try, q.Notice)
	cancel()
	if err == nil || ctx.Err() != nil {
		return
	}
	hopeless := fault.Is(err, fault.Invalid) || fault.Is(err, fault.Internal)
	if hopeless || k.now().UnixMilli() > q.Deadline {
		k.log.Warn("message given up", "template", q.Template, "kind", fault.KindOf(err))
		return
	}
	if k.parked.Add(1) > noticeParked {
		k.parked.Add(-1)
		k.log.Warn("message queue full", "template", q.Template)
		return
	}
	wait := q.wait
	q.wait = min(2*wait, 5*time.Second)
	time.AfterFunc(wait, func() {
		k.parked.Add(-1)
		k.enqueue(q)
	})
}

// mayTell counts one more message of a kind to a household today and reports
// whether it is within the budget.
func (t *txn) mayTell(house id.Household, kind string) (bool, error) {
	n, err := t.countIn(noticeDay, "notice-"+kind, string(house), 1)
	if err == nil && n > householdNotices {
		t.k.log.Warn("message dropped: the household's budget of the day is used up", "template", kind)
	}
	return n <= householdNotices, err
}

// tell opens the household's number for one message.
func (t *txn) tell(house id.Household, n Notice) error {
	h, err := t.household(house)
	if err != nil {
		return err
	}
	if len(h.Mobile) == 0 { // a person without a mobile has the card and the slip
		return nil
	}
	mobile, err := t.k.keys.contact.Open(nil, nil, h.Mobile, t.k.contactAAD("mobile", string(house)))
	if err != nil {
		return integrity(state.Households, "a number does not open")
	}
	n.Mobile, n.Language, n.Deadline = string(mobile), "en", t.k.now().Add(noticeLife).UnixMilli()
	t.k.notify(n)
	return nil
}
