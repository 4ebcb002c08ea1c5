package signin

import (
	"cmp"
	"context"
	"encoding/hex"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// devicePrefix separates codes that confirm a device from all others.
const devicePrefix = "device/"

// byMobile is the session of a household's mobile, on a new device too.
func (t *Txn) byMobile(h vault.Holder) (id.Household, state.Household, state.Bearer, error) {
	house, row, err := t.Early(h)
	if err == nil && row.Person != "" {
		err = CardCannot()
	}
	if err != nil {
		return "", state.Household{}, row, err
	}
	hh, err := t.Household(house)
	return house, hh, row, err
}

// wayName is what a household calls one of its devices: no thumbprint that another
// household's list could be compared with.
func (k *Desk) wayName(house id.Household, key string) string {
	return hex.EncodeToString(k.keys.MAC(keyring.PurposeView, k.keys.RealmBytes(), []byte("device"), []byte(house), []byte(key))[:8])
}

// Devices implements the vault's word.
func (k *Desk) Devices(ctx context.Context, h vault.Holder) (out vault.DeviceList, err error) {
	err = k.view(ctx, func(t *Txn) error {
		house, row, b, err := t.byMobile(h)
		if err != nil {
			return err
		}
		now := k.now().UnixMilli()
		out = vault.DeviceList{Waiting: b.Cooling, Other: len(row.Email) > 0, PIN: vault.PINNone, Devices: []vault.Device{}}
		pin := ways.HasPIN(row, now)
		switch {
		case !pin && row.PIN != nil && now < row.PIN.From:
			out.PIN, out.From = vault.PINComing, row.PIN.From
		case !pin:
		case row.PIN.Ends > 0:
			out.PIN, out.Ends = vault.PINEnding, row.PIN.Ends
		case row.PIN.Wrong >= ways.PINTries:
			out.PIN = vault.PINLocked
		default:
			out.PIN = vault.PINSet
		}
		for _, w := range ways.Listed(row, now) {
			if b.Cooling && w.Key != b.Way {
				continue
			}
			d := vault.Device{ID: k.wayName(house, w.Key), Kind: KindOf(w.Key), State: vault.DeviceTrusted, Since: w.Since, Last: w.Last, This: w.Key == b.Way}
			if w.Until != 0 {
				d.State = vault.DeviceWaiting
				if !pin {
					d.Until = w.Until
				}
			}
			out.Devices = append(out.Devices, d)
		}
		return nil
	})
	return out, err
}

// firstDay refuses what would shut others out to a device that was let in by one code less
// than a day ago.
func firstDay() error {
	return fault.New(fault.Forbidden, "FIRSTDAY", "This device came here less than a day ago. It can end others tomorrow, or when a card or the other channel has confirmed it")
}

// Firm reports whether a session is more than one code: its device is, or a card was shown.
func (t *Txn) Firm(h state.Household, b state.Bearer) (bool, error) {
	if ways.Firm(h, b.Way, t.k.now().UnixMilli()) {
		return true, nil
	}
	return t.cardSpoke(b)
}

// KindOf is what a way of signing in is: a device, a client without a key, or a partner.
func KindOf(key string) string {
	switch {
	case key == "":
		return "client"
	case ways.IsDevice(key):
		return "device"
	}
	return "partner"
}

// DeviceEnd implements the vault's word.
func (k *Desk) DeviceEnd(ctx context.Context, r vault.DeviceEndRequest) (vault.Empty, error) {
	_, err := k.update(ctx, func(t *Txn) error {
		house, row, b, err := t.byMobile(r.Holder)
		if err == nil && b.Cooling {
			err = NewDevice()
		}
		if err != nil {
			return err
		}
		for _, w := range row.Ways {
			if k.wayName(house, w.Key) != r.ID {
				continue
			}
			if now := k.now().UnixMilli(); ways.Firm(row, w.Key, now) && w.Key != b.Way {
				if ok, err := t.Firm(row, b); err != nil || !ok {
					return cmp.Or(err, firstDay())
				}
			}
			if ways.End(&row, w.Key) {
				t.Append(engine.Entry{Kind: "household", House: house, View: "device ended", Role: "holder"})
				return engine.Put(t, state.Households, string(house), row, 0)
			}
		}
		return fault.New(fault.NotFound, "device", "no such device")
	})
	return vault.Empty{}, err
}

// DeviceCode implements the vault's word: who can read the other channel too is no thief of
// the number alone.
func (k *Desk) DeviceCode(ctx context.Context, r vault.DeviceCodeRequest) (vault.CodeIssued, error) {
	txnID, code := id.New(), codes.Make()
	key, now := codes.Key(devicePrefix+txnID), k.now()
	ch := state.Challenge{Origin: r.Holder.Origin, Sent: now.UnixMilli(), Expires: now.Add(codes.Life).UnixMilli(), State: state.ChallengeOpen,
		Code: k.codes.MAC(devicePrefix+txnID, codes.Digest(code))}
	var email string
	_, err := k.update(ctx, func(t *Txn) error {
		house, row, b, err := t.byMobile(r.Holder)
		switch {
		case err != nil:
			return err
		case !b.Cooling:
			return fault.New(fault.Conflict, "device", "this device needs no confirmation")
		case len(row.Email) == 0 || (!row.EmailFirm && now.UnixMilli()-row.EmailSince < ways.Cooling.Milliseconds()):
			return fault.New(fault.Conflict, "other-channel", "no other channel was confirmed; a card or the PIN confirms this device")
		}
		raw, err := k.keys.Contact.Open(nil, nil, row.Email, k.keys.ContactAAD("email", string(house)))
		if err != nil {
			return state.Integrity(state.Households, "an address does not open")
		}
		email, ch.House, ch.Device = string(raw), house, b.Way
		if err := t.spendEmailBudgets(house, email, r.Holder.Origin); err != nil {
			return err
		}
		return engine.Put(t, state.Challenges, key, ch, now.Add(codes.Kept).UnixMilli())
	})
	if err != nil {
		return vault.CodeIssued{}, err
	}
	held, err := k.post.SendCode(ctx, post.Notice{ID: key, Email: email, Template: "code-device", Language: r.Language, Deadline: ch.Expires,
		Params: map[string]string{"code": code}}, "", key)
	return vault.CodeIssued{Txn: txnID, Held: held}, err
}

// DeviceConfirm implements the vault's word: three tries, once, by the device that asked.
func (k *Desk) DeviceConfirm(ctx context.Context, r vault.DeviceAnswer) (vault.Empty, error) {
	if len(r.Digest) != 64 || len(r.Txn) != 36 {
		return vault.Empty{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	var got codes.Outcome
	_, err := k.update(ctx, func(t *Txn) error {
		house, _, b, err := t.byMobile(r.Holder)
		if err != nil {
			return err
		}
		txnID := devicePrefix + r.Txn
		key := codes.Key(txnID)
		ch, ok, err := engine.Get[state.Challenge](t, state.Challenges, key)
		if err != nil {
			return err
		}
		got, err = t.k.codes.Judge(t.Engine(), &ch, ok && ch.House == house && ch.Device == b.Way, vault.CodeAnswer{Txn: txnID, Digest: r.Digest, Origin: r.Holder.Origin})
		if err != nil || got != codes.Right {
			return err
		}
		ch.State, ch.Code = state.ChallengeUsed, nil
		if err := engine.Put(t, state.Challenges, key, ch, ch.Sent+codes.Kept.Milliseconds()); err != nil {
			return err
		}
		return t.Trust(r.Holder, "other channel")
	})
	if err == nil && got != codes.Right {
		err = fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	return vault.Empty{}, err
}
