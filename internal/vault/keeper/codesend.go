package keeper

import (
	"context"
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

// sendCode hands a code to the courier and waits a while for a gateway to take
// it. What is known not to have been taken then waits on in the vault and is tried
// as long as the code is of use; held says until when (Unix milliseconds), 0: it is
// sent. What may have been taken is never tried again (the courier does the same
// towards the gateway). No transaction is open meanwhile. The answer is the same
// for every number: nothing is looked up. fault.Unavailable: the code is not sent
// and will not be, and its place in the number's budget is given back;
// fault.Unknown: it may have been.
func (k *Keeper) sendCode(ctx context.Context, n Notice, index, challenge string) (held int64, err error) {
	wait := k.cfg.Limits.CodesWait
	if wait == 0 {
		wait = codeWait
	}
	whole := n
	// A caller who went away does not change what the gateway does.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	n.Once, n.Deadline = true, min(n.Deadline, k.now().Add(wait-wait/10).UnixMilli()) // the courier answers first
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
		k.log.Warn("whether a code was sent is not known", "template", n.Template)
		return 0, &fault.Error{Kind: fault.Unknown, Code: codeUnsure, Text: "it is not known whether the message was sent", RetryAfter: 30 * time.Second}
	case fault.Is(err, fault.Unavailable):
		if held = k.hold(whole, index, challenge); held > 0 {
			k.log.Warn("a code waits for a gateway", "template", n.Template)
			return held, nil
		}
	}
	k.log.Warn("code not sent", "template", n.Template, "kind", fault.KindOf(err))
	k.giveBack(ctx, index, challenge)
	if n.Email != "" && fault.Is(err, fault.Invalid) {
		return 0, fault.New(fault.Invalid, "email", "no message can be sent to this e-mail address from here; look whether it is right")
	}
	return 0, &fault.Error{Kind: fault.Unavailable, Code: codeNotSent, Text: "the message could not be sent", RetryAfter: 20 * time.Second}
}

// tryCode repeats what is known not to have been sent.
func (k *Keeper) tryCode(ctx context.Context, n Notice) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		err := k.courier.Send(ctx, n)
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
