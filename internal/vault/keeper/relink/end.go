package relink

import (
	"context"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/state"
)

// List implements the vault's word: what waits of the people whom a session is for.
func (d *Desk) List(ctx context.Context, holder vault.Holder) (vault.RelinkList, error) {
	out := vault.RelinkList{}
	err := d.eng.View(ctx, func(et *engine.Txn) error {
		t := &txn{d.cfg.Absent.In(et), d}
		out.Rows = []vault.RelinkWaits{}
		house, bearer, err := d.cfg.House.Holder(t.Txn.Txn, holder, true)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		for _, m := range h.Members {
			if m.State == state.Removed || (bearer.Person != "" && bearer.Person != m.Person) {
				continue
			}
			row, err := t.Person(m.Person)
			if err != nil {
				return err
			}
			name, p, err := t.live(row)
			if err != nil {
				return err
			}
			if name != "" {
				out.Rows = append(out.Rows, vault.RelinkWaits{ID: name, Person: m.Person, Reference: row.Reference, Centre: p.Centre, Place: p.Place, At: p.Agreed, From: p.Due, Until: p.Expires})
			}
		}
		return nil
	})
	return out, err
}

func none() error {
	return fault.New(fault.NotFound, "relink", "nothing of that kind waits here; it may have been stopped, ended or taken over")
}

// pending reads a request that two signed.
func (t *txn) pending(name string) (state.Presence, error) {
	if !id.Valid(name) {
		return state.Presence{}, none()
	}
	p, ok, err := engine.Get[state.Presence](t, state.Presences, name)
	if err == nil && (!ok || p.Kind != state.PresenceRelink || p.State != state.PresencePending || t.d.cfg.Now().UnixMilli() >= p.Expires) {
		err = none()
	}
	return p, err
}

// Stop implements the vault's word: whoever has the old number, or the person's card, says
// no. It takes no more than a code, on any device.
func (d *Desk) Stop(ctx context.Context, r vault.RelinkStopRequest) (vault.Done, error) {
	receipts, err := d.update(ctx, func(t *txn) error {
		house, bearer, err := d.cfg.House.Holder(t.Txn.Txn, r.Holder, true)
		if err != nil {
			return err
		}
		p, err := t.pending(r.Request)
		if err != nil {
			return err
		}
		row, err := t.Person(p.Person)
		if err != nil {
			return err
		}
		if (bearer.Person == "" && house != row.Household) || (bearer.Person != "" && bearer.Person != p.Person) {
			return none()
		}
		if ablate.Off(ablate.RelinkStop) {
			return nil
		}
		return t.stop(r.Request, p, engine.Entry{View: "stopped", Role: permits.Holder})
	})
	if err != nil {
		return vault.Done{}, err
	}
	return vault.Done{Receipt: first(receipts)}, nil
}

// stop ends a request that waits. The old number is told, so that whoever meant to stop it
// knows that it was done; those who watch see it.
func (t *txn) stop(name string, p state.Presence, e engine.Entry) error {
	e.Kind, e.Place, e.Evidence = state.PresenceRelink, p.Place, name
	e, err := t.About(e, p.Person)
	if err != nil {
		return err
	}
	t.Append(e)
	at := presence.Worker{Staff: p.By, Session: state.OpenSession{Centre: p.Centre, Day: p.Day}}
	if _, err := t.d.cfg.House.Tell(t.Txn.Txn, state.Notice{ID: NoticeStopped + "/" + name, Household: p.House, Kind: NoticeStopped}, 0); err != nil {
		return err
	}
	return firstErr(budgets.Note(t, t.Place(at), NoticeStopped), t.over(name, p, state.PresenceStopped))
}

// ParseStop reads the body of a member of staff who stops one; fault.Invalid.
func ParseStop(raw []byte) (request, reason string, err error) {
	var f struct {
		Request string `json:"request_id"`
		Reason  string `json:"reason"`
	}
	if err := presence.Read(raw, &f); err != nil {
		return "", "", err
	}
	if f.Request == "" {
		return "", "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: request_id")
	}
	reason, err = presence.ReasonText(f.Reason)
	return f.Request, reason, err
}

// StaffStop implements the vault's word: one member of staff of the centre, or who watches
// over it, is enough.
func (d *Desk) StaffStop(ctx context.Context, r vault.GlassAct) (vault.Done, error) {
	name, reason, err := ParseStop(r.Signed.Body)
	if err != nil {
		return vault.Done{}, err
	}
	receipts, err := d.update(ctx, func(t *txn) error {
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		p, err := t.pending(name)
		if err != nil {
			return err
		}
		at, err := d.cfg.Office.CentrePlace(t.Txn.Txn.Txn.Txn, p.Centre)
		if err != nil {
			return err
		}
		permit := d.cfg.Permits.MayAt(row, policy.RelinkStop, at, policy.Facts{})
		if !permit.Allowed() {
			return none()
		}
		return t.stop(name, p, engine.Entry{View: "stopped by staff", Role: row.Role, Actor: string(staff), Reason: reason, Policy: permit.Policies()})
	})
	if err != nil {
		return vault.Done{}, err
	}
	return vault.Done{Receipt: first(receipts)}, nil
}

func first(of []string) string {
	if len(of) == 0 {
		return ""
	}
	return of[0]
}

// Finish implements the vault's word: who has a session by the new number, and knows the
// person's reference number, takes them over.
func (d *Desk) Finish(ctx context.Context, r vault.RelinkFinishRequest) (vault.Linked, error) {
	var out vault.Linked
	var refused error
	receipts, err := d.update(ctx, func(t *txn) (err error) {
		out, refused = vault.Linked{}, nil
		house, bearer, err := d.cfg.House.Holder(t.Txn.Txn, r.Holder, false)
		if err != nil {
			return err
		}
		if bearer.Person != "" {
			return fault.New(fault.Forbidden, "card", "a card opens one person's record; sign in with a mobile for this")
		}
		if wait, err := d.cfg.House.Tried(t.Txn.Txn, house, 0); err != nil || wait > 0 {
			return firstErr(err, tooMany(wait))
		}
		refused, err = t.finish(house, r, &out)
		return err
	})
	if err = firstErr(err, refused); err != nil {
		return vault.Linked{}, err
	}
	out.Receipt = first(receipts)
	return out, nil
}

// nothing answers a wrong reference number, one of nobody's and one that waits for another
// number, alike.
func (t *txn) nothing(house id.Household) (refused, err error) {
	_, err = t.d.cfg.House.Tried(t.Txn.Txn, house, 1)
	return none(), err
}

func tooMany(wait time.Duration) error {
	return &fault.Error{Kind: fault.RateLimited, Code: "relink", Text: "too many wrong reference numbers today; try again tomorrow, or go to a vaccination centre", RetryAfter: wait}
}

func (t *txn) finish(house id.Household, r vault.RelinkFinishRequest, out *vault.Linked) (refused, err error) {
	row, ok, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil {
		return nil, err
	}
	if !ok || r.Person == "" || row.Reference != r.Reference || row.Relink == "" {
		return t.nothing(house)
	}
	p, ok, err := engine.Get[state.Presence](t, state.Presences, row.Relink)
	if err != nil {
		return nil, err
	}
	if ok && p.State == state.PresenceDone && row.Household == house { // repeated
		out.Person, out.Reference = r.Person, row.Reference
		out.Place, err = t.placed(house, r.Person)
		return nil, err
	}
	name, p, err := t.live(row)
	if err != nil {
		return nil, err
	}
	theirs := false
	if name != "" {
		if theirs, err = t.isFor(name, house); err != nil {
			return nil, err
		}
	}
	if !theirs {
		return t.nothing(house)
	}
	if wait := p.Due - t.d.cfg.Now().UnixMilli(); wait > 0 {
		return &fault.Error{Kind: fault.Conflict, Code: "wait", Text: "the number before has three days to say no; come back when they are over", RetryAfter: time.Duration(wait) * time.Millisecond}, nil
	}
	if why, err := t.lapses(p, row); err != nil || why != "" {
		if err != nil {
			return nil, err
		}
		e, err := t.About(engine.Entry{Kind: state.PresenceRelink, View: "lapsed: " + why, Role: permits.System, Place: p.Place, Evidence: name}, p.Person)
		t.Append(e)
		return fault.New(fault.Conflict, "lapsed", "what two members of staff agreed on is no longer good; go to a vaccination centre with your document again"),
			firstErr(err, t.over(name, p, state.PresenceLapsed))
	}
	if err := t.withAnAdult(house, r.Person, row); err != nil {
		return nil, err
	}
	return nil, t.takeOver(r.Holder, house, name, p, row, out)
}

// isFor reports whether a request is for a household's number.
func (t *txn) isFor(name string, house id.Household) (bool, error) {
	secret, ok, err := engine.Get[state.Relink](t, state.Relinks, name)
	if err != nil || !ok {
		return false, err
	}
	to, err := t.number(name, secret)
	if err != nil {
		return false, err
	}
	has, err := t.numberOf(house)
	return (has == to && has != "") || ablate.Off(ablate.RelinkNumber), err
}

// lapses is why a request whose time has come is good no more; "" while it is.
func (t *txn) lapses(p state.Presence, row state.Person) (string, error) {
	if row.State != state.Active && row.State != state.Pending {
		return "the registration has ended", nil
	}
	if row.Household != p.House {
		return "the person was linked elsewhere meanwhile", nil
	}
	stands, err := t.stands(p)
	if err == nil && !stands {
		return "one of the two members of staff no longer works there", nil
	}
	return "", err
}

// withAnAdult keeps children with a grown-up: a household of children alone has nobody who
// answers for them.
func (t *txn) withAnAdult(house id.Household, person id.Person, row state.Person) error {
	child, err := t.d.cfg.House.Minor(person, row)
	if err != nil || !child {
		return err
	}
	h, err := t.Household(house)
	if err != nil {
		return err
	}
	for _, m := range h.Members {
		if m.State == state.Removed || m.State == state.Left {
			continue
		}
		other, err := t.Person(m.Person)
		if err != nil {
			return err
		}
		if child, err := t.d.cfg.House.Minor(m.Person, other); err != nil || !child {
			return err
		}
	}
	return fault.New(fault.Conflict, "adult", "a child goes to a number under which an adult is registered: register or bring the adult first")
}

// takeOver moves the person.
func (t *txn) takeOver(holder vault.Holder, house id.Household, name string, p state.Presence, row state.Person, out *vault.Linked) error {
	people := []id.Person{p.Person}
	if ablate.Off(ablate.RelinkPerson) {
		old, err := t.Household(p.House)
		if err != nil {
			return err
		}
		for _, m := range old.Members {
			if m.Person != p.Person && m.State != state.Removed {
				people = append(people, m.Person)
			}
		}
	}
	*out = vault.Linked{Person: p.Person, Reference: row.Reference}
	for i, person := range people {
		who, err := t.Person(person)
		if err != nil {
			return err
		}
		place, err := t.d.cfg.House.Move(t.Txn.Txn, holder, house, person, who)
		if err != nil {
			return err
		}
		if i == 0 {
			out.Place = place
		}
	}
	t.Append(engine.Entry{Kind: state.PresenceRelink, Person: p.Person, House: house, View: "moved to the new number", Role: permits.Holder, Place: p.Place, Evidence: name})
	if _, err := t.d.cfg.House.Tell(t.Txn.Txn, state.Notice{ID: NoticeMoved + "/" + name, Household: p.House, Kind: NoticeMoved}, 0); err != nil {
		return err
	}
	return t.over(name, p, state.PresenceDone)
}

// placed is the place a person has in a household.
func (t *txn) placed(house id.Household, person id.Person) (vault.Place, error) {
	h, err := t.Household(house)
	for _, m := range h.Members {
		if err == nil && m.Person == person && m.State != state.Removed {
			return vault.Place{Household: house, Slot: m.Slot, Since: m.Since}, nil
		}
	}
	return vault.Place{}, firstErr(err, none())
}
