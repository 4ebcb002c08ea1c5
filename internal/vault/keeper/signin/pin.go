package signin

import (
	"context"
	"crypto/hmac"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// returnTries is how many PINs a household may give in a day to get back what its number
// led to before; it is counted whether or not there is anything.
const returnTries = 10

// wrongPIN is one answer for a wrong PIN, a locked one, and none.
func wrongPIN() error {
	return fault.New(fault.Invalid, "PIN", "The PIN is not right, or it was tried too often, or there is none")
}

func (k *Desk) housePIN(house id.Household, salt []byte, pin string) []byte {
	return k.keys.MAC(keyring.PurposeBooking, k.keys.RealmBytes(), []byte("household pin"), []byte(house), salt, []byte(pin))
}

// pinRight compares a PIN with a household's and counts a wrong one in h, which the caller
// puts also when it refuses. A right one takes back what somebody began who did not give it.
func (t *Txn) pinRight(house id.Household, h *state.Household, pin string) (ok bool) {
	had := state.HousePIN{}
	if ways.HasPIN(*h, t.k.now().UnixMilli()) {
		had = *h.PIN
	}
	right := hmac.Equal(had.MAC, t.k.housePIN(house, had.Salt, pin)) // as much work without a PIN
	if had.MAC == nil || (had.Wrong >= ways.PINTries && !ablate.Off(ablate.PINTries)) {
		return false
	}
	e := engine.Entry{Kind: "household", House: house, View: "PIN given", Role: "holder"}
	if right {
		had.Wrong, had.Ends = 0, 0
	} else {
		had.Wrong++
		e.Kind, e.Reason = "refusal", "wrong PIN"
	}
	h.PIN = &had
	t.Append(e)
	return right
}

// PINSet implements the vault's word. A PIN that is there is changed by who gives it.
func (k *Desk) PINSet(ctx context.Context, r vault.PINRequest) (vault.Empty, error) {
	if err := ways.ParsePIN(r.PIN); err != nil {
		return vault.Empty{}, err
	}
	var refused error
	_, err := k.update(ctx, func(t *Txn) error {
		refused = nil
		house, h, b, err := t.byMobile(r.Holder)
		if err == nil && b.Cooling {
			err = NewDevice()
		}
		if err != nil {
			return err
		}
		carded, err := t.cardSpoke(b)
		if err != nil {
			return err
		}
		now := k.now().UnixMilli()
		if ways.HasPIN(h, now) && !carded && !t.pinRight(house, &h, r.Old) {
			refused = wrongPIN()
			return t.putIfWritten(house, h)
		}
		h.PIN = &state.HousePIN{Salt: keyring.RandomBytes(16), Since: now}
		h.PIN.MAC = k.housePIN(house, h.PIN.Salt, r.PIN)
		if ok, err := t.Firm(h, b); err != nil {
			return err
		} else if !ok { // the household has a day to take it away
			h.PIN.From = now + ways.Cooling.Milliseconds()
		}
		t.Append(engine.Entry{Kind: "household", House: house, View: "PIN set", Role: "holder"})
		return t.pinChanged(house, h)
	})
	if err == nil {
		err = refused
	}
	return vault.Empty{}, err
}

// cardSpoke reports whether a card was shown in a session that is older than the time that
// taking the PIN away takes: a card that the session could have had made for this is none.
func (t *Txn) cardSpoke(b state.Bearer) (bool, error) {
	for _, key := range b.Shown {
		card, ok, err := engine.Get[state.Card](t, state.Cards, key)
		if err != nil {
			return false, err
		}
		if ok && card.State == state.CardLive && t.k.now().UnixMilli()-card.Created >= ways.PINEnds.Milliseconds() {
			return true, nil
		}
	}
	return false, nil
}

// putIfWritten stores a household when the transaction wrote of it on the ledger.
func (t *Txn) putIfWritten(house id.Household, h state.Household) error {
	if from, _ := t.Written(); from == 0 {
		return nil
	}
	return engine.Put(t, state.Households, string(house), h, 0)
}

// pinChanged stores a household whose PIN was set or is gone, and tells it.
func (t *Txn) pinChanged(house id.Household, h state.Household) error {
	if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
		return err
	}
	_, err := t.notice(state.Notice{ID: "pin/" + id.New(), Household: house, Kind: NoticePIN}, 0, post.Life)
	return err
}

// PINGive implements the vault's word.
func (k *Desk) PINGive(ctx context.Context, r vault.PINAnswer) (vault.Empty, error) {
	var refused error
	_, err := k.update(ctx, func(t *Txn) error {
		refused = wrongPIN()
		house, h, b, err := t.byMobile(r.Holder)
		if err != nil {
			return err
		}
		if !ways.Worth(h) {
			back, err := t.returned(r, house, h)
			if back {
				refused = nil
			}
			return err
		}
		ok := t.pinRight(house, &h, r.PIN)
		if err := t.putIfWritten(house, h); err != nil || !ok {
			return err
		}
		refused = nil
		if b.Cooling {
			return t.Trust(r.Holder, "PIN")
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return vault.Empty{}, err
}

// returned gives a household that was idle its number back, to the session of the empty one
// that has it now. Who has nothing to get back is answered, and counted, as who gives a
// wrong PIN.
func (t *Txn) returned(r vault.PINAnswer, house id.Household, h state.Household) (bool, error) {
	n, err := t.Count(post.Day, "pin-return", string(house), 1)
	if err != nil || len(h.Mobile) == 0 || (n > returnTries && !ablate.Off(ablate.PINTries)) {
		return false, err
	}
	mobile, err := numbers.Of(t.k.keys, house, h)
	if err != nil {
		return false, err
	}
	name, idx, ok, err := numbers.Find(t, t.k.keys, mobile)
	if err != nil || !ok || idx.Household != house {
		return false, err
	}
	for i := range ways.MaxFormer {
		if i >= len(idx.Former) {
			var none state.Household
			t.pinRight("", &none, r.PIN)
			continue
		}
		old := idx.Former[i].Household
		was, err := t.Household(old)
		if err != nil {
			return false, err
		}
		right := t.pinRight(old, &was, r.PIN)
		if right && len(was.Mobile) == 0 {
			rest := append(append([]state.Former{}, idx.Former[:i]...), idx.Former[i+1:]...)
			return true, t.reattach(r.Holder, name, state.MobileIndex{Household: old, Former: rest}, house, h, was, mobile)
		}
		if err := t.putIfWritten(old, was); err != nil {
			return false, err
		}
	}
	return false, nil
}

// reattach gives the number to the household that its PIN spoke for.
func (t *Txn) reattach(holder vault.Holder, name string, idx state.MobileIndex, empty id.Household, h, was state.Household, mobile string) error {
	key, row, err := t.Session(holder)
	if err != nil {
		return err
	}
	old := idx.Household
	was.Mobile = t.k.keys.Contact.Seal(nil, nil, []byte(mobile), t.k.keys.ContactAAD("mobile", string(old)))
	was.Last4 = t.k.keys.Contact.Seal(nil, nil, []byte(mobile[max(0, len(mobile)-4):]), t.k.keys.ContactAAD("last4", string(old)))
	was.Seen = t.k.now().UnixMilli()
	ways.Trust(&was, row.Way, was.Seen)
	h.Mobile, h.Last4 = nil, nil
	t.Append(engine.Entry{Kind: "household", House: old, View: "number given back", Role: "holder", Reason: "PIN"})
	for house, r := range map[id.Household]state.Household{old: was, empty: h} {
		if err := engine.Put(t, state.Households, string(house), r, 0); err != nil {
			return err
		}
	}
	row.Household = old
	if err := engine.Put(t, state.Bearers, key, row, row.Expires+proof.BearerKept.Milliseconds()); err != nil {
		return err
	}
	return engine.Put(t, state.MobileIndexes, name, idx, 0)
}

// PINEnd implements the vault's word: at once for who gives the PIN or has shown a card in
// this session; else a day later, and the household is told.
func (k *Desk) PINEnd(ctx context.Context, r vault.PINEndRequest) (vault.PINEnded, error) {
	var out vault.PINEnded
	var refused error
	_, err := k.update(ctx, func(t *Txn) error {
		out, refused = vault.PINEnded{}, nil
		house, h, b, err := t.byMobile(r.Holder)
		if err == nil && b.Cooling {
			err = NewDevice()
		}
		now := k.now()
		coming := h.PIN != nil && now.UnixMilli() < h.PIN.From
		if err != nil || (!ways.HasPIN(h, now.UnixMilli()) && !coming) {
			return err
		}
		carded, err := t.cardSpoke(b)
		if err != nil {
			return err
		}
		switch {
		case carded || coming || (r.PIN != "" && t.pinRight(house, &h, r.PIN)) || ablate.Off(ablate.PINRemoval):
			h.PIN = nil
			t.Append(engine.Entry{Kind: "household", House: house, View: "PIN taken away", Role: "holder"})
			return t.pinChanged(house, h)
		case r.PIN != "":
			refused = wrongPIN()
			return t.putIfWritten(house, h)
		case h.PIN.Ends > 0:
			out.Ends = h.PIN.Ends
			return nil
		}
		pin := *h.PIN
		pin.Ends = now.Add(ways.PINEnds).UnixMilli()
		h.PIN, out.Ends = &pin, pin.Ends
		t.Append(engine.Entry{Kind: "household", House: house, View: "PIN ends in a day", Role: "holder"})
		if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
			return err
		}
		_, err = t.notice(state.Notice{ID: "pin/" + id.New(), Household: house, Kind: NoticePINEnds, Zone: HomeZone}, time.Duration(0), post.Life)
		return err
	})
	if err == nil {
		err = refused
	}
	return out, err
}
