package keeper

import (
	"context"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// The times of leaving: design.md 5 for the days to undo it; the record is kept for
// a year at least, as rule 8(3) of the Digital Personal Data Protection Rules wants.
const (
	leaveUndo = 7 * 24 * time.Hour
	leaveKeep = 365 * 24 * time.Hour
)

func (k *Keeper) keepLeft() time.Duration {
	if k.cfg.LeaveKeep > 0 {
		return max(k.cfg.LeaveKeep, leaveUndo)
	}
	return leaveKeep
}

// trackingNumber names a person's n-th leave. It is made from them, so that a
// restored vault makes the same.
func (k *Keeper) trackingNumber(person id.Person, n int) string {
	raw := k.keys.MAC(keyring.PurposePersonTag, k.keys.RealmBytes(), []byte("leave"), []byte(person), []byte(itoa(int64(n))))
	return "TL" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:20])
}

func (k *Keeper) departureKey(tracking string) string {
	return hex.EncodeToString(k.keys.MAC(keyring.PurposePersonTag, k.keys.RealmBytes(), []byte("departure"), []byte(tracking))[:16])
}

// Leave implements the vault's word. The person is no member of the household from
// this transaction on.
func (k *Keeper) Leave(ctx context.Context, r vault.LeaveRequest) (vault.Left, error) {
	person := r.Record.Person
	var out vault.Left
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.Left{}
		m, err := t.mine(r.Holder, person)
		if err != nil {
			return err
		}
		house, p := m.house, m.person
		if err := t.mayLeave(person, &p, r.Record); err != nil {
			return err
		}
		if out, err = t.goes(person, p, t.k.now()); err != nil {
			return err
		}
		_, err = t.notice(state.Notice{ID: "left/" + t.k.departureKey(out.Tracking), Household: house, Kind: noticeLeft}, 0, noticeLife)
		return err
	})
	if err == nil {
		out.Receipt = done(receipts).Receipt
	}
	return out, err
}

// mayLeave checks that nothing of the person is under way.
func (t *txn) mayLeave(person id.Person, p *state.Person, rec vault.Record) error {
	if err := t.settledAs(person, p, rec); err != nil {
		return err
	}
	if p.State != state.Active || !slices.ContainsFunc(parts(*p), release.IsDose) {
		return fault.New(fault.Conflict, "not-vaccinated", "no dose is recorded: the registration can be deleted at once instead")
	}
	return t.unbooked(*p)
}

func parts(p state.Person) (out []vault.Part) {
	for part := range p.Parts {
		out = append(out, part)
	}
	return out
}

// goes hides a person. What waits to be stored is given up: its keeper may report
// it later, and nothing happens then.
func (t *txn) goes(person id.Person, p state.Person, now time.Time) (vault.Left, error) {
	h, err := t.Household(p.Household)
	if err != nil {
		return vault.Left{}, err
	}
	i := slices.IndexFunc(h.Members, func(m state.Member) bool { return m.Person == person && m.State != state.Removed })
	if i < 0 {
		return vault.Left{}, state.Integrity(state.Households, "a person is not in their household")
	}
	if err := t.EndSeals(&p); err != nil {
		return vault.Left{}, err
	}
	p.Leaves++
	out := vault.Left{Tracking: t.k.trackingNumber(person, p.Leaves), Undo: now.Add(leaveUndo).UnixMilli(), Erase: now.Add(t.k.keepLeft()).UnixMilli()}
	key := t.k.departureKey(out.Tracking)
	p.State, p.Departure, p.Until = state.Left, key, out.Undo
	h.Members[i].State = state.Left
	t.Append(engine.Entry{Kind: "left", Person: person, House: p.Household, View: "record hidden", Role: "holder", Evidence: key})
	t.mark(markLeft, person, p.Leaves)
	if err := engine.Put(t, state.Departures, key, state.Departure{Person: person, Household: p.Household, State: vault.LeaveHidden, At: now.UnixMilli(), Undo: out.Undo, Erase: out.Erase}, 0); err != nil {
		return out, err
	}
	if err := engine.Put(t, state.Households, string(p.Household), h, 0); err != nil {
		return out, err
	}
	return out, engine.Put(t, state.Persons, string(person), p, 0)
}

// LeaveUndo implements the vault's word. Who holds the household's mobile, or the
// person's card, brings back whom they know by reference number.
func (k *Keeper) LeaveUndo(ctx context.Context, r vault.LeaveUndoRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		house, bearer, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		for i, m := range h.Members {
			if m.State != state.Left || (t.Only != "" && t.Only != m.Person) {
				continue
			}
			p, err := t.Person(m.Person)
			if err != nil {
				return err
			}
			if p.Reference != r.Reference || !t.MayReturn(p) {
				continue
			}
			if err := t.guarded(bearer, house, m.Person, p); err != nil {
				return err
			}
			d, _, err := engine.Get[state.Departure](t, state.Departures, p.Departure)
			if err != nil {
				return err
			}
			d.State, d.Person, d.Household = vault.LeaveUndone, "", ""
			if err := engine.Put(t, state.Departures, p.Departure, d, 0); err != nil {
				return err
			}
			h.Members[i].State = state.Active
			t.Append(engine.Entry{Kind: "left", Person: m.Person, House: house, View: "undone", Role: "holder", Evidence: p.Departure})
			t.mark(markBack, m.Person, p.Leaves)
			p.State, p.Departure, p.Until = state.Active, "", 0
			if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
				return err
			}
			return engine.Put(t, state.Persons, string(m.Person), p, 0)
		}
		return signin.NotYours()
	})
	return done(receipts), err
}

// LeaveStatus implements the vault's word.
func (k *Keeper) LeaveStatus(ctx context.Context, r vault.LeaveStatusRequest) (vault.LeaveStatus, error) {
	var out vault.LeaveStatus
	err := k.view(ctx, func(t *txn) (err error) {
		var ok bool
		if out, ok, err = t.departed(strings.ToUpper(strings.TrimSpace(r.Tracking))); err == nil && !ok {
			err = fault.New(fault.NotFound, "tracking", "no such tracking number")
		}
		return err
	})
	return out, err
}

// departed is what became of a leave, by its number.
func (t *txn) departed(number string) (vault.LeaveStatus, bool, error) {
	d, ok, err := engine.Get[state.Departure](t, state.Departures, t.k.departureKey(number))
	out := vault.LeaveStatus{State: d.State, At: d.At, Undo: d.Undo, Erase: d.Erase}
	if d.State == vault.LeaveHidden && t.k.now().UnixMilli() >= d.Undo {
		out.State = vault.LeaveKept
	}
	return out, ok, err
}

// leaveMethods are the methods about leaving.
func (k *Keeper) leaveMethods() []method {
	web := []Caller{CallerWeb}
	return []method{
		{vault.MethodLeave, web, bind(k.Leave)},
		{vault.MethodLeaveUndo, web, bind(k.LeaveUndo)},
		{vault.MethodLeaveStatus, web, bind(k.LeaveStatus)},
	}
}
