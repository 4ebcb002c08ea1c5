package codes

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// Ask is one request for a code: for whom, from where, as which challenge, and by which
// device's key ("" for none).
type Ask struct{ Index, Mobile, Origin, Challenge, Device string }

// ownCode reports whether a request that the number's limits refuse is one of its
// household's own: by a device that is firm there (ADR 39). Strangers can use the number's
// codes of a day up; they do not shut its holder out, who has as many again.
//
// It reads as many rows for a number that nobody has as for one that is registered, and who
// does not hold the household's key has the same answer for both.
func (d *Desk) ownCode(t *engine.Txn, a Ask) (bool, error) {
	if a.Device == "" || ablate.Off(ablate.OwnCodes) {
		return false, nil
	}
	_, idx, known, err := numbers.Find(t, d.keys, a.Mobile)
	if err != nil {
		return false, err
	}
	house := string(idx.Household)
	if !known {
		house = id.New()
	}
	h, known, err := engine.Get[state.Household](t, state.Households, house)
	if err != nil || !known {
		return false, err
	}
	return ways.Has(h, a.Device) && ways.Firm(h, a.Device, d.now().UnixMilli()), nil
}

// Spend counts one more code for the number, the origin's network
// and the system, or says which budget is used up. The answer is the same for
// known and unknown numbers.
func (d *Desk) Spend(t *engine.Txn, a Ask, perOrigin int64) (refused, err error) {
	now := d.now()
	quota, err := d.quotaOf(t, a.Index, a.Mobile)
	if err != nil {
		return nil, err
	}
	var kept []state.QuotaSend
	sameOrigin, others, oldest := 0, 0, now.UnixMilli()
	for _, s := range quota.Sent {
		if s.At > now.Add(-Kept).UnixMilli() {
			kept = append(kept, s)
			oldest = min(oldest, s.At)
			if s.Own {
				continue
			}
			if others++; s.Origin == a.Origin {
				sameOrigin++
			}
		}
	}
	lim := d.limits
	own := false
	if (sameOrigin >= lim.PerOrigin || others >= lim.PerNumber) && !ablate.Off(ablate.OTPNumberLimit) {
		if own, err = d.ownCode(t, a); err != nil {
			return nil, err
		}
		if own = own && (len(kept)-others < lim.PerNumber || ablate.Off(ablate.OwnCodesCap)); !own {
			return TooMany(time.UnixMilli(oldest).Add(Kept).Sub(now)), nil
		}
	}
	for _, c := range []struct {
		kind, key string
		max       int64
	}{{"code-prefix", a.Origin, perOrigin}, {"code-global", "", int64(lim.Global)}} {
		n, err := t.Count(time.Hour, c.kind, c.key, 1)
		if err != nil {
			return nil, err
		}
		if n > c.max {
			return TooMany(untilNextHour(now)), nil
		}
	}
	kept = append(kept, state.QuotaSend{At: now.UnixMilli(), Origin: a.Origin, Challenge: a.Challenge, Own: own})
	return nil, engine.Put(t, state.Quotas, a.Index, state.Quota{Sent: kept}, now.Add(Kept).UnixMilli())
}

// quotaOf is what was sent to a number, also under its name from before a change
// of the index key.
func (d *Desk) quotaOf(t *engine.Txn, index, mobile string) (state.Quota, error) {
	quota, _, err := engine.Get[state.Quota](t, state.Quotas, index)
	for _, name := range d.keys.OldIndexes(mobile) {
		if err != nil {
			break
		}
		var old state.Quota
		old, _, err = engine.Get[state.Quota](t, state.Quotas, name)
		for _, s := range old.Sent {
			if !slices.ContainsFunc(quota.Sent, func(o state.QuotaSend) bool { return o.Challenge == s.Challenge }) {
				quota.Sent = append(quota.Sent, s)
			}
		}
	}
	return quota, err
}

// TooMany refuses a code for so long.
func TooMany(wait time.Duration) error {
	wait = max(wait.Round(time.Second), time.Second)
	span := fmt.Sprintf("%d minutes", int(wait/time.Minute)+1)
	if wait > 2*time.Hour {
		span = fmt.Sprintf("%d hours", int((wait+time.Hour-time.Second)/time.Hour))
	}
	return &fault.Error{Kind: fault.RateLimited, Code: "USRAUT0018", RetryAfter: wait,
		Text: "Too many codes were requested. Wait " + span + ", or go to a vaccination centre."}
}

func untilNextHour(now time.Time) time.Duration {
	return now.Truncate(time.Hour).Add(time.Hour).Sub(now)
}

// Refund is RefundNamed under every name that a number has or had when the
// code was sent.
func (d *Desk) Refund(t *engine.Txn, index, mobile, challenge string) error {
	names := append([]string{index, d.keys.BlindIndex(mobile)}, d.keys.OldIndexes(mobile)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := d.RefundNamed(t, name, challenge); err != nil {
			return err
		}
	}
	return nil
}

// RefundNamed gives the place of a challenge in a number's budget back.
func (d *Desk) RefundNamed(t *engine.Txn, index, challenge string) error {
	quota, ok, err := engine.Get[state.Quota](t, state.Quotas, index)
	if err != nil || !ok {
		return err
	}
	kept := quota.Sent[:0]
	for _, s := range quota.Sent {
		if s.Challenge != challenge {
			kept = append(kept, s)
		}
	}
	return engine.Put(t, state.Quotas, index, state.Quota{Sent: kept}, d.now().Add(Kept).UnixMilli())
}

// GiveBack returns the place of a code that was not sent to its number's budget.
func (d *Desk) GiveBack(ctx context.Context, eng *engine.Engine, index, challenge string) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer end()
	if _, err := eng.Update(ctx, func(t *engine.Txn) error { return d.RefundNamed(t, index, challenge) }); err != nil {
		d.log.Warn("a code that was not sent stays counted", "kind", fault.KindOf(err))
	}
}
