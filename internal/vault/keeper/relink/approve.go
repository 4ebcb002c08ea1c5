package relink

import (
	"context"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/state"
)

// hasLeft refuses whoever used both of the day, before anything is compared for them.
func (t *txn) hasLeft(w presence.Worker, who id.Staff, person id.Person, reason string) (refused, err error) {
	w.Staff = who
	left, err := budgets.GlassLeft(t, t.Place(w))
	if err != nil || left > 0 {
		return nil, err
	}
	return t.Exhausted(w, state.PresenceRelink, person, reason)
}

// Approve implements the vault's word: another human agrees to what was asked, word for
// word. Only now is anything compared and told, and the three days begin.
func (d *Desk) Approve(ctx context.Context, r vault.GlassAct) (vault.Glass, error) {
	f, err := presence.ParseApproval(r.Signed.Body)
	if err != nil {
		return vault.Glass{}, err
	}
	var out vault.Glass
	var refused error
	receipts, err := d.update(ctx, func(t *txn) (err error) {
		out, refused = vault.Glass{ID: f.Request, About: f.About, Reason: f.Reason}, nil
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		touch, no, err := d.cfg.Office.Touched(t.Txn.Txn.Txn.Txn, staff, row, r.Signed)
		if refused = no; err != nil || refused != nil {
			return err
		}
		p, err := t.Request(state.PresenceRelink, f.Request, state.PresenceWaiting)
		if err != nil {
			return err
		}
		w, err := t.Second(touch, p, policy.RelinkApprove)
		if err != nil {
			return err
		}
		about, reason, err := t.Said(f.Request, p)
		if err != nil {
			return err
		}
		if (about != f.About || reason != f.Reason) && !ablate.Off(ablate.GlassWords) {
			e, err := t.About(w.Entry("refusal", state.PresenceRelink, "re-link: another request than the one that was read", f.Request), p.Person)
			t.Append(e)
			refused = fault.New(fault.Forbidden, "another", "this request says something else than what you approved; read it again")
			return firstErr(err, budgets.Note(t, t.Place(w), "bait"))
		}
		for _, who := range []id.Staff{w.Staff, p.By} {
			if refused, err = t.hasLeft(w, who, p.Person, reason); err != nil || refused != nil {
				return err
			}
		}
		if refused, err = t.begin(w, f.Request, &p, reason); err != nil || refused != nil {
			return err
		}
		out.Expires, out.Due = p.Expires, p.Due
		return nil
	})
	if err = firstErr(err, refused); err != nil {
		return vault.Glass{}, err
	}
	out.Receipts = receipts
	return out, nil
}

func wrong() error {
	return fault.New(fault.NotFound, "document", "the number, the card or the document is not right; look at them together and ask again")
}

// begin compares the document and has the three days begin. A refusal is returned apart from
// an error: the request is over then, and what was counted is kept.
func (t *txn) begin(w presence.Worker, name string, p *state.Presence, reason string) (refused, err error) {
	secret, ok, err := engine.Get[state.Relink](t, state.Relinks, name)
	if err != nil {
		return nil, err
	}
	person, right := state.Person{}, false
	if p.Person != "" && ok {
		if person, err = t.Person(p.Person); err != nil {
			return nil, err
		}
		if right, err = t.theirs(p.Person, person, secret.Tags); err != nil {
			return nil, err
		}
	}
	if !right {
		return t.wrongDocument(w, name, *p)
	}
	// Whatever is told from here on tells that the document was right: it costs.
	if refused, err = t.Spend(w, p.By, state.PresenceRelink, p.Person, reason); err != nil || refused != nil {
		return refused, firstErr(err, t.over(name, *p, state.PresenceRefused))
	}
	if refused, err = t.free(w, name, person, secret); err != nil || refused != nil {
		e, no := t.About(w.Entry("refusal", state.PresenceRelink, "re-link: "+fault.CodeOf(refused), name), p.Person)
		t.Append(e)
		return refused, firstErr(err, no, t.over(name, *p, state.PresenceRefused))
	}
	now := t.d.cfg.Now()
	p.State, p.Second, p.Agreed, p.House, p.Due = state.PresencePending, w.Staff, now.UnixMilli(), person.Household, now.Add(Delay).UnixMilli()
	if ablate.Off(ablate.RelinkDelay) {
		p.Due = p.Agreed
	}
	p.Expires = now.Add(Delay + endWait).UnixMilli()
	person.Relink = name
	e, err := t.About(w.Entry(state.PresenceRelink, "approved by a second member of staff; waits for three days", reason, name), p.Person)
	t.Append(e)
	return nil, firstErr(err, t.Keep(name, *p), engine.Put(t, state.Relinks, name, state.Relink{Mobile: secret.Mobile}, p.Expires),
		engine.Put(t, state.Persons, string(p.Person), person, 0))
}

// theirs reports whether somebody is registered here, and with that document.
func (t *txn) theirs(who id.Person, p state.Person, tags []string) (bool, error) {
	if p.State != state.Active && p.State != state.Pending {
		return false, nil
	}
	h, err := t.Household(p.Household)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(h.Members, func(m state.Member) bool { return m.Person == who && m.State != state.Removed })
	if i < 0 {
		return false, state.Integrity(state.Households, "a person is not in their household")
	}
	tag := h.Members[i].IDTag
	return tag != "" && slices.Contains(tags, tag) || ablate.Off(ablate.RelinkDocument), nil
}

// wrongDocument ends a request that named nobody, or another document than the person's: it
// counts as a wrong code for both who signed.
func (t *txn) wrongDocument(w presence.Worker, name string, p state.Presence) (refused, err error) {
	both := []id.Staff{p.By}
	if w.Staff != p.By {
		both = append(both, w.Staff)
	}
	for _, who := range both {
		n, _, err := t.d.cfg.Centre.Counted(t.Txn.Txn, "staff-wrong", who, 1)
		if err == nil && int(n) == t.d.cfg.Wrong {
			at := w
			at.Staff = who
			err = budgets.Note(t, t.Place(at), "codes")
		}
		if err != nil {
			return nil, err
		}
	}
	e, err := t.About(w.Entry("refusal", state.PresenceRelink, "re-link: the number or the document is not right", name), p.Person)
	t.Append(e)
	return wrong(), firstErr(err, t.over(name, p, state.PresenceRefused))
}

// free looks whether anything stands in the way of a request whose document was right, and
// has the old number told.
func (t *txn) free(w presence.Worker, name string, p state.Person, secret state.Relink) (refused, err error) {
	other, _, err := t.live(p)
	if err != nil {
		return nil, err
	}
	if other != "" {
		return fault.New(fault.Conflict, "waiting", "this person is to be moved to another number already; that one is stopped first, or ends by itself"), nil
	}
	to, err := t.number(name, secret)
	if err != nil {
		return nil, err
	}
	had, err := t.numberOf(p.Household)
	if err != nil {
		return nil, err
	}
	if had == to {
		return fault.New(fault.Conflict, "linked", "this person is registered under that number; a code sent to it signs them in"), nil
	}
	n := state.Notice{ID: NoticeAsked + "/" + name, Household: p.Household, Kind: NoticeAsked, Centre: w.Session.Centre, Place: w.Session.Name, Day: w.Session.Day, Zone: w.Session.Zone}
	told, err := t.d.cfg.House.Tell(t.Txn.Txn, n, 0)
	if err != nil {
		return nil, err
	}
	if !told { // nobody is moved in silence
		return fault.New(fault.Conflict, "untold", "so many messages went to the number before today that it cannot be told of this; try again tomorrow"), nil
	}
	n.ID = NoticeAsked + "-again/" + name
	_, err = t.d.cfg.House.Tell(t.Txn.Txn, n, again)
	return nil, err
}
