package signin

import (
	"context"
	"encoding/hex"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/state"
)

// The budgets of codes to e-mail addresses. A household needs a handful in its
// life; an address gets no more of them in a day (UTC) than that, whoever asks, so
// that nobody's mailbox is filled by strangers.
const (
	emailCodesHousehold = 5
	emailCodesAddress   = 5
	emailCodesOrigin    = 100 // from one network in an hour
)

// emailPrefix separates codes for an address from those that sign a holder in or
// show a person: none can be given for another.
const emailPrefix = "email/"

// other returns the household of a bearer that may set the other channel: one
// that was got by a code to the mobile. A card is one person's.
func (t *Txn) other(h vault.Holder) (id.Household, state.Household, error) {
	house, _, err := t.Live(h)
	if err != nil {
		return "", state.Household{}, err
	}
	if t.Only != "" {
		return "", state.Household{}, CardCannot()
	}
	row, err := t.Household(house)
	return house, row, err
}

// EmailCode implements the vault's word. Who gives the address is proven by the
// bearer, and that it is theirs by the code (I10).
func (k *Desk) EmailCode(ctx context.Context, r vault.EmailRequest) (vault.CodeIssued, error) {
	email, err := vault.ParseEmail(r.Email)
	if err != nil {
		return vault.CodeIssued{}, err
	}
	txnID, code := id.New(), codes.Make()
	key := codes.Key(emailPrefix + txnID)
	now := k.now()
	row := state.Challenge{Origin: r.Holder.Origin, Sent: now.UnixMilli(), Expires: now.Add(codes.Life).UnixMilli(), State: state.ChallengeOpen,
		Code:  k.codes.MAC(emailPrefix+txnID, codes.Digest(code)),
		Email: k.keys.Contact.Seal(nil, nil, []byte(email), k.keys.ContactAAD("challenge-email", key))}
	_, err = k.update(ctx, func(t *Txn) error {
		house, _, err := t.other(r.Holder)
		if err != nil {
			return err
		}
		row.House = house
		if err := t.spendEmailBudgets(house, email, r.Holder.Origin); err != nil {
			return err
		}
		return engine.Put(t, state.Challenges, key, row, now.Add(codes.Kept).UnixMilli())
	})
	if err != nil {
		return vault.CodeIssued{}, err
	}
	held, err := k.post.SendCode(ctx, post.Notice{ID: key, Email: email, Template: "code-email", Language: r.Language, Deadline: row.Expires,
		Params: map[string]string{"code": code}}, "", key)
	return vault.CodeIssued{Txn: txnID, Held: held}, err
}

// spendEmailBudgets counts one more code. An address is counted by a keyed tag
// that lasts two days.
func (t *Txn) spendEmailBudgets(house id.Household, email, origin string) error {
	if ablate.Off(ablate.EmailBounds) {
		return nil
	}
	now := t.k.now()
	tag := hex.EncodeToString(t.k.keys.MAC(keyring.PurposeMatch, t.k.keys.RealmBytes(), []byte("email"), []byte(email))[:16])
	for _, b := range []struct {
		window    time.Duration
		kind, key string
		max       int64
	}{{post.Day, "email-house", string(house), emailCodesHousehold}, {post.Day, "email-to", tag, emailCodesAddress}, {time.Hour, "email-origin", origin, emailCodesOrigin}} {
		n, err := t.Count(b.window, b.kind, b.key, 1)
		if err != nil {
			return err
		}
		if n > b.max {
			return codes.TooMany(now.Truncate(b.window).Add(b.window).Sub(now))
		}
	}
	return nil
}

// EmailConfirm implements the vault's word: three tries, once, and only by a
// bearer of the household that asked.
func (k *Desk) EmailConfirm(ctx context.Context, r vault.EmailAnswer) (vault.Empty, error) {
	if len(r.Digest) != 64 || len(r.Txn) != 36 {
		return vault.Empty{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	var got codes.Outcome
	_, err := k.update(ctx, func(t *Txn) error {
		house, h, err := t.other(r.Holder)
		if err != nil {
			return err
		}
		txnID := emailPrefix + r.Txn
		key := codes.Key(txnID)
		ch, ok, err := engine.Get[state.Challenge](t, state.Challenges, key)
		if err != nil {
			return err
		}
		got, err = t.k.codes.Judge(t.Engine(), &ch, ok && ch.House == house, vault.CodeAnswer{Txn: txnID, Digest: r.Digest, Origin: r.Holder.Origin})
		if err != nil || got != codes.Right {
			return err
		}
		email, err := k.keys.Contact.Open(nil, nil, ch.Email, k.keys.ContactAAD("challenge-email", key))
		if err != nil {
			return state.Integrity(state.Challenges, "a challenge does not open")
		}
		ch.State, ch.Code, ch.Email = state.ChallengeUsed, nil, nil
		if err := engine.Put(t, state.Challenges, key, ch, ch.Sent+codes.Kept.Milliseconds()); err != nil {
			return err
		}
		_, b, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		firm, err := t.Firm(h, b)
		if err != nil {
			return err
		}
		return t.setEmail(house, h, k.keys.Contact.Seal(nil, nil, email, k.keys.ContactAAD("email", string(house))), key, firm)
	})
	if err == nil && got != codes.Right {
		err = fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	return vault.Empty{}, err
}

// setEmail changes a household's other channel; sealed nil ends it. The mobile and
// the address before are told, so that whoever holds only one of the two cannot
// cut the other off in silence.
func (t *Txn) setEmail(house id.Household, h state.Household, sealed []byte, act string, firm bool) error {
	n := state.Notice{ID: "email/" + act, Household: house, Kind: post.EmailChanged}
	if len(h.Email) > 0 {
		old, err := t.k.keys.Contact.Open(nil, nil, h.Email, t.k.keys.ContactAAD("email", string(house)))
		if err != nil {
			return state.Integrity(state.Households, "an address does not open")
		}
		n.Old = t.k.keys.Contact.Seal(nil, nil, old, t.k.keys.ContactAAD("notice-email", n.ID))
	}
	h.Email, h.EmailSince, h.EmailFirm = sealed, 0, false
	if sealed != nil {
		h.EmailSince, h.EmailFirm = t.k.now().UnixMilli(), firm
	}
	t.Append(engine.Entry{Kind: "household", House: house, View: "e-mail address for messages", Role: "holder"})
	if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
		return err
	}
	_, err := t.notice(n, 0, post.Life)
	return err
}

// EmailState implements the vault's word. Nothing is opened.
func (k *Desk) EmailState(ctx context.Context, h vault.Holder) (out vault.EmailState, err error) {
	err = k.view(ctx, func(t *Txn) error {
		_, row, err := t.other(h)
		out = vault.EmailState{Confirmed: len(row.Email) > 0, Since: row.EmailSince}
		return err
	})
	return out, err
}

// EmailDrop implements the vault's word.
func (k *Desk) EmailDrop(ctx context.Context, r vault.Holder) (vault.Empty, error) {
	_, err := k.update(ctx, func(t *Txn) error {
		house, h, err := t.other(r)
		if err != nil || len(h.Email) == 0 {
			return err
		}
		return t.setEmail(house, h, nil, id.New(), false)
	})
	return vault.Empty{}, err
}

// signInNotice tells the other channel that a code to the mobile signed somebody
// in (design.md 5: whoever reads the messages of the network can play the holder).
// On a device that is new to them the mobile is told as well.
func (t *Txn) signInNotice(house id.Household, challenge string, isNew bool) error {
	h, err := t.Household(house)
	if err == nil && isNew {
		_, err = t.notice(state.Notice{ID: "newdevice/" + challenge, Household: house, Kind: NoticeNewDevice, Zone: HomeZone}, 0, post.Life)
		return err
	}
	if err != nil || len(h.Email) == 0 {
		return err
	}
	_, err = t.notice(state.Notice{ID: "signin/" + challenge, Household: house, Kind: post.SignIn, Zone: HomeZone}, 0, post.Life)
	return err
}
