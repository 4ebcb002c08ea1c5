package post

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

const (
	// codeWait is how long the answer to a request for a code waits for the
	// gateway: as long as a gateway that works ever takes, and short of a person's
	// patience and of every timeout on the way (the web role's call, proxies).
	codeWait = 3 * time.Second

	// codesAtOnce bounds the codes on their way while somebody waits for the answer;
	// one that comes beyond it waits with those that no gateway has taken.
	codesAtOnce = 4000
)

// The codes of answers that say a code is not there, or perhaps not.
const (
	codeNotSent = "OTPNOTSENT"
	codeUnsure  = "OTPUNSURE"
)

// SendCode hands a code to the courier and waits a while for a gateway to take
// it. What is known not to have been taken then waits on in the vault and is tried
// as long as the code is of use; held says until when (Unix milliseconds), 0: it is
// sent. What may have been taken is never tried again (the courier does the same
// towards the gateway). No transaction is open meanwhile. The answer is the same
// for every number: nothing is looked up. fault.Unavailable: the code is not sent
// and will not be, and its place in the number's budget is given back;
// fault.Unknown: it may have been.
func (k *Office) SendCode(ctx context.Context, n Notice, index, challenge string) (held int64, err error) {
	wait := k.CodesWait
	if wait == 0 {
		wait = codeWait
	}
	whole := n
	// A caller who went away does not change what the gateway does.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	n.Once, n.Deadline = true, min(n.Deadline, k.Now().Add(wait-wait/10).UnixMilli()) // the courier answers first
	err = fault.New(fault.Unavailable, codeNotSent, "too many codes are on their way")
	select {
	case k.sending <- struct{}{}:
		defer func() { <-k.sending }()
		err = k.tryCode(ctx, n)
	default:
	}
	switch {
	case err == nil:
		return 0, nil
	case fault.Is(err, fault.Unknown):
		k.Log.Warn("whether a code was sent is not known", "template", n.Template)
		return 0, &fault.Error{Kind: fault.Unknown, Code: codeUnsure, Text: "it is not known whether the message was sent", RetryAfter: 30 * time.Second}
	case fault.Is(err, fault.Unavailable):
		if held = k.hold(whole, index, challenge); held > 0 {
			k.Log.Warn("a code waits for a gateway", "template", n.Template)
			return held, nil
		}
	}
	k.Log.Warn("code not sent", "template", n.Template, "kind", fault.KindOf(err))
	k.GiveBack(ctx, index, challenge)
	if n.Email != "" && fault.Is(err, fault.Invalid) {
		return 0, fault.New(fault.Invalid, "email", "no message can be sent to this e-mail address from here; look whether it is right")
	}
	return 0, &fault.Error{Kind: fault.Unavailable, Code: codeNotSent, Text: "the message could not be sent", RetryAfter: 20 * time.Second}
}

// tryCode repeats what is known not to have been sent.
func (k *Office) tryCode(ctx context.Context, n Notice) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		err := k.Courier.Send(ctx, n)
		switch {
		case err == nil:
			return nil
		case fault.Is(err, fault.Unavailable):
		default:
			return fault.New(fault.KindOf(err), "courier", "the courier did not send it")
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "courier", "no route in time")
		case <-time.After(wait):
		}
	}
}

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
func (k *Office) hold(n Notice, index, challenge string) int64 {
	until := n.Deadline - codeRest.Milliseconds()
	if k.HeldCodes < 0 || k.Now().UnixMilli() >= until {
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
func (k *Office) runHeld(ctx context.Context, wg *sync.WaitGroup) {
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
func (k *Office) tryHeld(ctx context.Context, h *heldCode) {
	now := k.Now()
	if now.UnixMilli() >= h.until {
		k.Log.Warn("alarm: a code that waited was not sent in its time", "alarm", "codes", "template", h.n.Template)
		k.GiveBack(ctx, h.index, h.challenge)
		return
	}
	n := h.n
	n.Once, n.Deadline = true, min(h.until, now.Add(codeTry).UnixMilli())
	try, cancel := context.WithTimeout(ctx, codeTry+codeTry/2) // the courier answers first
	err := k.Courier.Send(try, n)
	cancel()
	switch {
	case err == nil:
	case fault.Is(err, fault.Unknown):
		k.Log.Warn("whether a code was sent is not known", "template", n.Template)
	case !fault.Is(err, fault.Unavailable):
		k.Log.Warn("code not sent", "template", n.Template, "kind", fault.KindOf(err))
		k.GiveBack(ctx, h.index, h.challenge)
	default:
		select {
		case <-ctx.Done():
			return
		case <-time.After(codePause):
		}
		select {
		case k.held <- h:
		default: // others came meanwhile
			k.Log.Warn("code not sent", "template", n.Template, "kind", "full")
			k.GiveBack(ctx, h.index, h.challenge)
		}
	}
}
