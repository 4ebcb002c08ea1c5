package post

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// dispatch queues notices that a transaction wrote, those that are due.
func (k *Office) dispatch(told []due) {
	for _, d := range told {
		if d.when <= k.Now().UnixMilli() && k.post.take(d.key) {
			k.post.queue <- d.key // has room: it is as long as the postroom
		}
	}
}

// Run starts, in wg, what sends notices from the rows that eng has compared, and what sends codes
// that wait, until ctx ends.
func (k *Office) Run(ctx context.Context, eng *engine.Engine, wg *sync.WaitGroup) {
	k.runHeld(ctx, wg)
	ctx = context.WithValue(ctx, ownWork{}, true)
	wg.Go(func() { k.sendNotices(ctx, eng) })
	wg.Go(func() { k.endNotices(ctx) })
	wg.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-eng.Ready(): // nothing is sent from rows that were not compared with the ledger
		}
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			k.sweepNotices(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// ownWork marks the office's own transactions.
type ownWork struct{}

// Own reports whether a transaction is the office's own.
func Own(ctx context.Context) bool { return ctx.Value(ownWork{}) != nil }

// sweepNotices queues rows that are due: after a start, after a pause, and what
// was written to be sent later.
func (k *Office) sweepNotices(ctx context.Context) {
	const page = 500
	for after, more := "", true; more && ctx.Err() == nil; {
		more = false
		err := k.Store.View(ctx, func(tx state.Tx) error {
			rows, err := tx.Scan(ctx, state.Notices, after, page)
			if err != nil {
				return err
			}
			limit := noticeKey(k.Now().UnixMilli(), "~")
			for _, r := range rows {
				if after = r.Key; r.Key > limit {
					return nil
				}
				if k.post.take(r.Key) {
					k.post.queue <- r.Key
				}
			}
			more = len(rows) == page
			return nil
		})
		if err != nil {
			if ctx.Err() == nil {
				k.Log.Warn("notices could not be read", "kind", fault.KindOf(err))
			}
			return
		}
	}
}

// sendNotices reads what is due and hands each to a sender of its own: as many at
// once as wait and as there are senders free, so that they share one reading, and so
// that no message waits, written out, for a sender. It returns when ctx has ended and every
// sender is done.
func (k *Office) sendNotices(ctx context.Context, eng *engine.Engine) {
	var sending sync.WaitGroup
	defer sending.Wait()
	free := make(chan struct{}, senders)
	for {
		var keys []string
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		select {
		case <-ctx.Done():
			return
		case key := <-k.post.queue:
			keys = append(keys, key)
		}
	gather:
		for {
			select {
			case free <- struct{}{}:
			default:
				break gather
			}
			select {
			case key := <-k.post.queue:
				keys = append(keys, key)
			default:
				<-free
				break gather
			}
		}
		for _, l := range k.written(ctx, eng, keys) {
			sending.Go(func() {
				defer func() { <-free }()
				k.sendNotice(ctx, l)
			})
		}
	}
}

// sendNotice tries once each message of a notice that has not gone. What may still
// succeed is tried again after a while, and no sender waits for it.
func (k *Office) sendNotice(ctx context.Context, l letter) {
	if ctx.Err() != nil {
		return
	}
	if l.err != nil && !fault.Is(l.err, fault.Integrity) {
		k.again(ctx, l.key)
		return
	}
	if l.err != nil {
		k.Log.Error("alarm: a notice cannot be trusted and is dropped", "alarm", "notice", "kind", fault.KindOf(l.err))
	}
	later := false
	for _, n := range l.all {
		if len(l.all) > 1 && k.post.gone(n.ID) {
			continue
		}
		wait := k.sendLetter(ctx, n)
		if ctx.Err() != nil {
			return
		}
		if later = later || wait; !wait && len(l.all) > 1 {
			k.post.went(n.ID)
		}
	}
	if later {
		k.again(ctx, l.key)
		return
	}
	k.post.forget(l.all)
	k.post.end(l.key)
}

// sendLetter tries one message and says whether it is worth another try.
func (k *Office) sendLetter(ctx context.Context, n Notice) (again bool) {
	if n.Email != "" { // a mail server that hangs holds up no message to a mobile
		select {
		case k.post.mails <- struct{}{}:
			defer func() { <-k.post.mails }()
		default:
			return true
		}
	}
	ablate.Crash("notice:composed")
	try, cancel := context.WithTimeout(ctx, oneTry)
	err := k.Courier.Send(try, n)
	cancel()
	ablate.Crash("notice:sent")
	if ctx.Err() != nil || err == nil {
		return false
	}
	if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Internal) && k.Now().UnixMilli() <= n.Deadline {
		return true
	}
	k.Log.Warn("message given up", "template", n.Template, "kind", fault.KindOf(err))
	return false
}

func (k *Office) again(ctx context.Context, key string) {
	time.AfterFunc(k.post.later(key), func() {
		if ctx.Err() == nil {
			k.post.queue <- key
		}
	})
}

// endNotices deletes the rows of what is done when no other transaction has
// taken them along.
func (k *Office) endNotices(ctx context.Context) {
	tick := time.NewTicker(endAlone)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for keys := k.post.overdue(nil); len(keys) > 0 && ctx.Err() == nil; keys = k.post.overdue(nil) {
			err := k.Store.Update(ctx, func(tx state.Tx) error { return deleteNotices(ctx, tx, keys) })
			k.post.deleted(keys, err == nil)
			if err != nil {
				if ctx.Err() == nil {
					k.Log.Warn("sent notices could not be deleted", "kind", fault.KindOf(err), "count", len(keys))
				}
				break
			}
		}
	}
}

func deleteNotices(ctx context.Context, tx state.Tx, keys []string) error {
	for _, key := range keys {
		if err := tx.Delete(ctx, state.Notices, key); err != nil {
			return err
		}
	}
	return nil
}
