package signin

import (
	"context"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// RequestCode implements the vault's word: the work done is the same whether
// or not the number is known; nothing is looked up.
func (k *Desk) RequestCode(ctx context.Context, r vault.CodeRequest) (vault.CodeIssued, error) {
	mobile, err := rules.ParseMobile(r.Mobile, k.cfg.DemoNumbers)
	if err != nil {
		return vault.CodeIssued{}, err
	}
	if ablate.Off(ablate.Normalise) {
		mobile = r.Mobile
	}
	index := k.keys.BlindIndex(mobile)
	if ablate.Off(ablate.OTPUniform) {
		if err := k.tellUnknown(ctx, index); err != nil {
			return vault.CodeIssued{}, err
		}
	}
	txnID, code := id.New(), codes.Make()
	now := k.now()
	row := state.Challenge{Index: index, Origin: r.Origin, Sent: now.UnixMilli(), Expires: now.Add(codes.Life).UnixMilli(), State: state.ChallengeOpen}
	if r.Chosen {
		row.Speaks = r.Language
	}
	key := codes.Key(txnID)
	row.Mobile = k.keys.Contact.Seal(nil, nil, []byte(mobile), k.keys.ContactAAD("challenge", key))
	row.Last4 = k.keys.Contact.Seal(nil, nil, []byte(mobile[max(0, len(mobile)-4):]), k.keys.ContactAAD("challenge-last4", key))
	row.Code = k.codes.MAC(txnID, codes.Digest(code))

	var issued vault.CodeIssued
	var refused error
	_, err = k.update(ctx, func(t *Txn) error {
		issued, refused = vault.CodeIssued{Txn: txnID}, nil
		asked, err := t.k.codes.Work(t.Engine(), r.Work, r.Origin)
		if err != nil || asked != "" {
			issued = vault.CodeIssued{Challenge: asked}
			return err
		}
		if row.Device, err = t.deviceOf(r.Device); err != nil {
			return err
		}
		if refused, err = t.k.codes.Spend(t.Engine(), codes.Ask{Index: index, Mobile: mobile, Origin: r.Origin, Challenge: key, Device: row.Device}, int64(k.cfg.PerPrefix)); err != nil || refused != nil {
			return err
		}
		return engine.Put(t, state.Challenges, key, row, now.Add(codes.Kept).UnixMilli())
	})
	if err != nil || refused != nil || issued.Challenge != "" {
		if err == nil {
			err = refused
		}
		return issued, err
	}
	if issued.Held, err = k.post.SendCode(ctx, post.Notice{ID: key, Mobile: mobile, Template: "code", Language: r.Language, Deadline: row.Expires,
		Params: map[string]string{"code": code, "host": k.cfg.Host}}, index, key); err != nil {
		return vault.CodeIssued{}, err
	}
	return issued, nil
}

// tellUnknown is the oracle CoWIN's USRAUT0024 was; only in builds that switch
// controls off.
func (k *Desk) tellUnknown(ctx context.Context, index string) error {
	return k.view(ctx, func(t *Txn) error {
		_, ok, err := engine.Get[state.MobileIndex](t, state.MobileIndexes, index)
		if err == nil && !ok {
			return fault.New(fault.Invalid, "USRAUT0024", "Beneficiary Not Registered")
		}
		time.Sleep(3 * time.Millisecond)
		return err
	})
}

// ConfirmCode implements the vault's word. The try is counted and the code
// claimed in one transaction, so parallel answers get at most three tries and
// one success.
func (k *Desk) ConfirmCode(ctx context.Context, r vault.CodeAnswer) (vault.Session, error) {
	if len(r.Digest) != 64 || len(r.Txn) != 36 {
		return vault.Session{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	var got codes.Outcome
	var mint func() (vault.Session, error)
	var isNew bool
	attempt := func(t *Txn, ch state.Challenge, ok bool) (err error) {
		device, err := t.deviceOf(r.Device)
		if err != nil {
			return err
		}
		ok = ok && (ch.Device == "" || ch.Device == device || ablate.Off(ablate.OTPDevice))
		if got, err = t.k.codes.Judge(t.Engine(), &ch, ok, r); err != nil || got == codes.Unknown {
			return err
		}
		if got == codes.Wrong {
			return nil
		}
		mint, isNew, err = t.admit(ch, codes.Key(r.Txn), r.Origin)
		return err
	}
	var err error
	if ablate.Off(ablate.OTPAtomic) {
		err = k.confirmApart(ctx, r, attempt)
	} else {
		_, err = k.update(ctx, func(t *Txn) error {
			t.Quiet = true // nobody is handed the receipt of a new household's entry
			ch, ok, err := engine.Get[state.Challenge](t, state.Challenges, codes.Key(r.Txn))
			if err != nil {
				return err
			}
			return attempt(t, ch, ok && ch.Partner == "") // a partner's code signs nobody else in
		})
	}
	return Admitted(err, got, mint, isNew)
}

// Admitted is the answer to a code, after the commit.
func Admitted(err error, got codes.Outcome, mint func() (vault.Session, error), isNew bool) (vault.Session, error) {
	switch {
	case err != nil:
		return vault.Session{}, err
	case got == codes.Unknown:
		return vault.Session{}, fault.New(fault.Unauthorized, "txn", "no such transaction")
	case got == codes.Wrong:
		return vault.Session{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	s, err := mint()
	s.NewAccount = isNew
	return s, err
}

// confirmApart reads the challenge in one transaction and judges in another:
// the race that OTPAtomic prevents. Only in builds that switch controls off.
func (k *Desk) confirmApart(ctx context.Context, r vault.CodeAnswer, attempt func(*Txn, state.Challenge, bool) error) error {
	var ch state.Challenge
	var ok bool
	if err := k.view(ctx, func(t *Txn) (err error) {
		ch, ok, err = engine.Get[state.Challenge](t, state.Challenges, codes.Key(r.Txn))
		return err
	}); err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond)
	_, err := k.update(ctx, func(t *Txn) error {
		if _, _, err := engine.Get[state.Challenge](t, state.Challenges, codes.Key(r.Txn)); err != nil {
			return err
		}
		return attempt(t, ch, ok)
	})
	return err
}

// admit spends the challenge, gives its place in the quota back, finds or makes
// the household, and mints the session.
func (t *Txn) admit(ch state.Challenge, key, origin string) (mint func() (vault.Session, error), isNew bool, err error) {
	mobile, err := t.k.keys.Contact.Open(nil, nil, ch.Mobile, t.k.keys.ContactAAD("challenge", key))
	if err != nil {
		return nil, false, state.Integrity(state.Challenges, "a challenge does not open")
	}
	last4, err := t.k.keys.Contact.Open(nil, nil, ch.Last4, t.k.keys.ContactAAD("challenge-last4", key))
	if err != nil {
		return nil, false, state.Integrity(state.Challenges, "a challenge does not open")
	}
	ch.State = state.ChallengeUsed
	if !ablate.Off(ablate.OTPSingleUse) {
		ch.Code, ch.Mobile, ch.Last4 = nil, nil, nil
	}
	if err := engine.Put(t, state.Challenges, key, ch, ch.Sent+codes.Kept.Milliseconds()); err != nil {
		return nil, false, err
	}
	if err := t.k.codes.Refund(t.Engine(), ch.Index, string(mobile), key); err != nil {
		return nil, false, err
	}
	house, isNew, v, err := t.householdOf(mobile, last4, ch, origin)
	if err != nil {
		return nil, false, err
	}
	if err := t.signInNotice(house, key, v.New); err != nil {
		return nil, false, err
	}
	row := state.Bearer{Household: house, Origin: origin, Way: ch.Device, Cooling: v.Cooling}
	mint, err = t.Mint(row, string(house), proof.ScopeHolder, proof.BearerLife)
	return mint, isNew, err
}

// householdOf returns the household of a number, made on its first confirmed
// code, and what the code is worth on the way it came; messages come in the language that
// was asked for last. isNew is true while it has no members.
func (t *Txn) householdOf(mobile, last4 []byte, ch state.Challenge, origin string) (house id.Household, isNew bool, v ways.Verdict, err error) {
	name, idx, ok, err := numbers.Find(t, t.k.keys, string(mobile))
	if err != nil {
		return "", false, v, err
	}
	now := t.k.now().UnixMilli()
	if ok {
		h, err := t.Household(idx.Household)
		if err != nil {
			return "", false, v, err
		}
		idle, err := t.idle(h, ch.Device)
		if err != nil {
			return "", false, v, err
		}
		if !idle {
			err = t.signedIn(idx.Household, h, ch, origin, &v)
			return idx.Household, len(ActiveMembers(h)) == 0, v, err
		}
		if err := t.detach(&idx, h); err != nil {
			return "", false, v, err
		}
	}
	idx.Household = id.Household(id.New())
	row := state.Household{Created: now, Language: ch.Speaks,
		Mobile: t.k.keys.Contact.Seal(nil, nil, mobile, t.k.keys.ContactAAD("mobile", string(idx.Household))),
		Last4:  t.k.keys.Contact.Seal(nil, nil, last4, t.k.keys.ContactAAD("last4", string(idx.Household)))}
	if v = ways.Judge(&row, ch.Device, now); ch.Device == "" {
		ways.Met(&row, t.k.netTag(idx.Household, origin))
	}
	if err := engine.Put(t, state.Households, string(idx.Household), row, 0); err != nil {
		return "", false, v, err
	}
	if err := engine.Put(t, state.MobileIndexes, name, idx, 0); err != nil {
		return "", false, v, err
	}
	t.Append(engine.Entry{Kind: "household", House: idx.Household, Role: "holder"})
	return idx.Household, true, v, nil
}
