package signin

import (
	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// NewDevice refuses what a device may not do that is new to the household.
func NewDevice() error {
	return fault.New(fault.Forbidden, "NEWDEVICE", "This device is new to this number. For a day at most it can book, and see initials and status. Confirm it with a card, with the other channel or with the PIN to see everything now (/api/v3/devices)")
}

// viewWay marks entries about how a household signs in.
const viewWay = "device"

// deviceOf is the thumbprint of the key that signed a request for a code or the answer to
// one; "" when no device says that it is one. The proof is spent.
func (t *Txn) deviceOf(s *vault.Signed) (string, error) {
	if s == nil {
		return "", nil
	}
	thumb, _, err := t.NewKey(*s)
	return thumb, err
}

// idle reports whether a code to a household's number proves nothing any more.
func (t *Txn) idle(h state.Household, device string) (bool, error) {
	began := int64(0)
	if h.Seen == 0 && ways.Worth(h) {
		var err error
		if began, err = t.idleSince(); err != nil {
			return false, err
		}
	}
	return ways.Alone(h, device, began, t.k.now().UnixMilli()) && !ablate.Off(ablate.Recycled), nil
}

// IdleNumber reports whether a household has no number, or one that proves nothing any more.
func (t *Txn) IdleNumber(h state.Household) (bool, error) {
	if len(h.Mobile) == 0 {
		return true, nil
	}
	return t.idle(h, "")
}

// idleSince is when this vault began to count for households of before: they have half a
// year from then on, whatever their age.
func (t *Txn) idleSince() (int64, error) {
	const name = "idle-since"
	row, ok, err := engine.Get[state.Budget](t, state.Budgets, name)
	if err != nil || ok {
		return row.At, err
	}
	row.At = t.k.now().UnixMilli()
	t.Append(engine.Entry{Kind: "household", View: "idle numbers counted from now on", Role: "system"})
	return row.At, engine.Put(t, state.Budgets, name, row, 0)
}

// detach takes the number from a household that was idle for too long. It stays whole, as
// people without a mobile: their cards open it, a centre does, and its PIN takes the
// number back.
func (t *Txn) detach(idx *state.MobileIndex, h state.Household) error {
	house := idx.Household
	idx.Former = append([]state.Former{{Household: house, At: t.k.now().UnixMilli()}}, idx.Former...)
	idx.Former = idx.Former[:min(len(idx.Former), ways.MaxFormer)]
	h.Mobile, h.Last4 = nil, nil
	t.Append(engine.Entry{Kind: "household", House: house, View: "number taken from it: idle", Role: "system"})
	return engine.Put(t, state.Households, string(house), h, 0)
}

// signedIn notes a right code in the household's row: the language that was asked for in so
// many words, when it was, and the way it came.
func (t *Txn) signedIn(house id.Household, h state.Household, ch state.Challenge, origin string, v *ways.Verdict) error {
	e := engine.Entry{Kind: "household", House: house, Role: "holder"}
	*v = ways.Judge(&h, ch.Device, t.k.now().UnixMilli())
	v.Cooling = v.Cooling && !ablate.Off(ablate.NewDevice)
	if ch.Partner == "" { // a partner never sees more than initials
		if err := t.firstOpened(house, &h, ch, origin, v); err != nil {
			return err
		}
	}
	if v.Changed {
		e.View = viewWay
	}
	if l := ch.Speaks; (l == "hi" || l == "en") && l != h.Language && (l != "en" || h.Language != "") {
		h.Language, e.View = l, "language of messages"
	}
	if e.View == "" {
		return nil
	}
	t.Append(e)
	return engine.Put(t, state.Households, string(house), h, 0)
}

// PartnerSignedIn is signedIn for a partner's code, which makes no household: of an idle
// one the partner learns what it learns of a number that nobody is registered under.
func (t *Txn) PartnerSignedIn(house id.Household, h state.Household, challenge string, row *state.Bearer) (isNew bool, err error) {
	ch := state.Challenge{Partner: row.Partner, Device: ways.Partner + string(row.Partner)}
	idle, err := t.idle(h, ch.Device)
	if err != nil || idle {
		return true, err
	}
	var v ways.Verdict
	if err := t.signedIn(house, h, ch, "", &v); err != nil {
		return false, err
	}
	row.Household, row.Cooling = house, v.Cooling
	if v.New {
		err = t.signInNotice(house, challenge, true)
	}
	return len(ActiveMembers(h)) == 0, err
}

// wayStands refuses a session whose device was ended.
func (t *Txn) wayStands(row state.Bearer) error {
	h, err := t.Household(row.Household)
	if err == nil && !ways.Has(h, row.Way) && !(row.Cooling && len(h.Ways) >= ways.MaxWays) {
		err = proof.Unauthenticated()
	}
	return err
}

// Trust ends the waiting of a session and of its device: by says what spoke for it. A PIN
// that wrong tries locked is open again.
func (t *Txn) Trust(holder vault.Holder, by string) error {
	key, row, err := t.Session(holder)
	if err != nil || row.Person != "" || row.Partner != "" {
		return err
	}
	h, err := t.Household(row.Household)
	if err != nil {
		return err
	}
	now := t.k.now().UnixMilli()
	changed := ways.Trust(&h, row.Way, now)
	if h.PIN != nil && h.PIN.Wrong > 0 {
		pin := *h.PIN
		pin.Wrong = 0
		h.PIN, changed = &pin, true
	}
	if changed || row.Cooling {
		t.Append(engine.Entry{Kind: "household", House: row.Household, View: "device confirmed", Role: "holder", Reason: by})
	}
	if changed {
		if err := engine.Put(t, state.Households, string(row.Household), h, 0); err != nil {
			return err
		}
	}
	if !row.Cooling {
		return nil
	}
	row.Cooling = false
	return engine.Put(t, state.Bearers, key, row, row.Expires+proof.BearerKept.Milliseconds())
}
