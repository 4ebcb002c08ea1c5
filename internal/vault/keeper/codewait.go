package keeper

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

const (
	// codesWaiting bounds the codes that wait for a gateway; beyond it a request is
	// told at once that its code was not sent. Memory, a few hundred bytes each.
	codesWaiting = 50_000

	// codeSenders is how many of them are tried at once. While no gateway takes
	// anything each try ends after codeTry; when one is back, 64 on their way at a
	// round trip of 60 ms are 1,000 a second.
	codeSenders = 64
	codeTry     = 2 * time.Second
	codePause   = 200 * time.Millisecond

	// codeRest is the part of its life in which a code is not sent any more: the
	// person could not type it in time.
	codeRest = 20 * time.Second
)

// heldRoom is how many codes may wait, as configured.
func heldRoom(n int) int {
	if n == 0 {
		return codesWaiting
	}
	return max(n, 0)
}

// heldCode is a code that no gateway has taken yet.
type heldCode struct {
	n                Notice
	index, challenge string
	until            int64
}

// hold keeps a code for a gateway until it is of no use any more and returns until
// when (Unix milliseconds), or 0 when there is no room or no time.
func (k *Keeper) hold(n Notice, index, challenge string) int64 {
	until := n.Deadline - codeRest.Milliseconds()
	if k.cfg.Limits.HeldCodes < 0 || k.now().UnixMilli() >= until {
		return 0
	}
	select {
	case k.held <- &heldCode{n, index, challenge, until}:
		return until
	default:
		return 0
	}
}

// runHeld sends the codes that wait, in the order in which they came, again and
// again until a gateway has them or may have them. What the vault holds ends with
// the vault: its codes are void after a start (codeMAC), so a row that outlived it
// would send codes that open nothing.
func (k *Keeper) runHeld(ctx context.Context, wg *sync.WaitGroup) {
	for range codeSenders {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case h := <-k.held:
					k.tryHeld(ctx, h)
				}
			}
		})
	}
}

// tryHeld tries once.
func (k *Keeper) tryHeld(ctx context.Context, h *heldCode) {
	now := k.now()
	if now.UnixMilli() >= h.until {
		k.log.Warn("alarm: a code that waited was not sent in its time", "alarm", "codes", "template", h.n.Template)
		k.giveBack(ctx, h.index, h.challenge)
		return
	}
	n := h.n
	n.Once, n.Deadline = true, min(h.until, now.Add(codeTry).UnixMilli())
	try, cancel := context.WithTimeout(ctx, codeTry+codeTry/2) // the courier answers first
	err := k.courier.Send(try, n)
	cancel()
	switch {
	case err == nil:
	case fault.Is(err, fault.Unknown):
		k.log.Warn("whether a code was sent is not known", "template", n.Template)
	case !fault.Is(err, fault.Unavailable):
		k.log.Warn("code not sent", "template", n.Template, "kind", fault.KindOf(err))
		k.giveBack(ctx, h.index, h.challenge)
	default:
		select {
		case <-ctx.Done():
			return
		case <-time.After(codePause):
		}
		select {
		case k.held <- h:
		default: // others came meanwhile
			k.log.Warn("code not sent", "template", n.Template, "kind", "full")
			k.giveBack(ctx, h.index, h.challenge)
		}
	}
}

// giveBack returns the place of a code that was not sent to its number's budget.
func (k *Keeper) giveBack(ctx context.Context, index, challenge string) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer end()
	if _, err := k.update(ctx, func(t *txn) error { return t.refundQuota(index, challenge) }); err != nil {
		k.log.Warn("a code that was not sent stays counted", "kind", fault.KindOf(err))
	}
}
