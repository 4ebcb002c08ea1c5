package requests

import (
	"context"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/release"
)

// Numbers is what the look-up by a number alone asks of the rest of the vault.
type Numbers interface {
	// Departed is what a leave's number tells; false: there is none.
	Departed(on *release.Txn, number string) (vault.LeaveStatus, bool, error)
	// Looked counts a network's look-up of this hour, found or not, and says why it has to
	// wait: after too many that found nothing.
	Looked(on *release.Txn, origin string, found bool) (wait error, err error)
}

// numberMost bounds what is taken for a number.
const numberMost = 80

// Track implements the vault's word: what became of a request or of a leave, to whoever has its
// number, with or without a session, also after the person is erased. It tells the state and the
// times that were stated, nothing of the person, the kind, the words or the answer. It reads and
// counts the same for a number that is there and one that is not; what differs is too little to
// be seen behind the floor of who asks (portal).
func (d *Desk) Track(ctx context.Context, r vault.TrackRequest) (vault.Tracked, error) {
	var out vault.Tracked
	var refused error
	_, err := d.update(ctx, func(t *txn) error {
		out, refused = vault.Tracked{}, nil
		found, err := t.tracked(r.Number, &out)
		if err != nil {
			return err
		}
		wait, err := t.d.cfg.Numbers.Looked(t.Txn, r.Origin, found)
		switch {
		case err != nil:
			return err
		case wait != nil: // also for a number that is there: who guesses learns nothing more
			refused = wait
		case !found:
			refused = fault.New(fault.NotFound, "tracking", "no such tracking number; check each digit")
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return vault.Tracked{}, err
	}
	return out, nil
}

// tracked looks a number up among requests and among leaves, always in both.
func (t *txn) tracked(number string, out *vault.Tracked) (bool, error) {
	number = strings.ToUpper(strings.Join(strings.Fields(number), ""))
	if len(number) > numberMost {
		number = ""
	}
	left, gone, err := t.d.cfg.Numbers.Departed(t.Txn, number)
	if err != nil {
		return false, err
	}
	tracking, err := ParseTracking(number)
	if err != nil || len(tracking) != trackingDigits+1 {
		tracking = "none"
	}
	row, there, err := t.get(tracking)
	switch {
	case err != nil:
		return false, err
	case gone:
		*out = vault.Tracked{Leave: true, State: left.State, At: left.At, Due: left.Erase}
	case there && row.Kind != "":
		*out = vault.Tracked{State: row.State, At: row.At, Due: row.Due, Done: row.Done}
		if row.State == vault.RequestDecided {
			out.State = vault.TrackAnswered
		}
	default:
		return false, nil
	}
	return true, nil
}
