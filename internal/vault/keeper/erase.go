package keeper

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// A mark is a ledger entry whose leaf the vault can make again from the person
// alone: salt and body are computed, not drawn. A vault that was restored from an
// older copy finds among the leaves that were published since which people it has
// to erase or hide again. Without the key a leaf says nothing, as any other.
const (
	markErased = "erased"
	markLeft   = "left"
	markBack   = "back"
)

// markSalt takes the place of an entry's random salt.
func (k *Keeper) markSalt(what string, person id.Person, n int) [32]byte {
	return engine.MarkSalt(k.keys, what, string(person), n)
}

func (k *Keeper) markLeaf(what string, person id.Person, n int) string {
	return string(engine.MarkLeaf(k.markSalt(what, person, n)))
}

// mark adds a mark to the transaction; another entry must say what it is for.
func (t *txn) mark(what string, person id.Person, n int) {
	t.Txn.Mark(t.k.markSalt(what, person, n))
}

// scanPage is how many rows are read at a time.
const scanPage = 256

// dueLeaves are the departures whose time has come, read in pages; there are few.
func (k *Keeper) dueLeaves(ctx context.Context, now int64) (due []string, err error) {
	err = k.view(ctx, func(t *txn) error {
		due = nil
		for after := ""; ; {
			rows, err := t.Tx.Scan(ctx, state.Departures, after, scanPage)
			if err != nil {
				return err
			}
			for _, r := range rows {
				after = r.Key
				var d state.Departure
				if json.Unmarshal(r.Content, &d) != nil { // get says so when it is used
					continue
				}
				if (d.State == vault.LeaveHidden && d.Undo <= now) || (d.State == vault.LeaveKept && d.Erase <= now) {
					due = append(due, r.Key)
				}
			}
			if len(rows) < scanPage {
				return nil
			}
		}
	})
	return due, err
}

// leavers ends what can no longer be undone and destroys the keys whose time has
// come. It returns how many people it erased.
func (k *Keeper) leavers(ctx context.Context) (erased int, err error) {
	now := k.now().UnixMilli()
	due, err := k.dueLeaves(ctx, now)
	for _, key := range due {
		n := 0
		_, uerr := k.update(ctx, func(t *txn) error {
			n = 0
			d, ok, err := engine.Get[state.Departure](t, state.Departures, key)
			if err != nil || !ok {
				return err
			}
			t.Quiet = true
			if d.State == vault.LeaveHidden && d.Undo <= now {
				if err := t.closeLeave(&d); err != nil {
					return err
				}
			}
			if d.State == vault.LeaveKept && d.Erase <= now {
				n = 1
				if err := t.eraseLeft(&d, ""); err != nil {
					return err
				}
			}
			return engine.Put(t, state.Departures, key, d, 0)
		})
		if uerr != nil {
			err = cmp.Or(err, uerr)
			continue
		}
		erased += n
	}
	return erased, err
}

// closeLeave gives the place in the household free: the leave stands.
func (t *txn) closeLeave(d *state.Departure) error {
	p, err := t.Person(d.Person)
	if err != nil {
		return err
	}
	h, err := t.Household(p.Household)
	if err != nil {
		return err
	}
	for i, m := range h.Members {
		if m.Person != d.Person || m.State != state.Left {
			continue
		}
		if err := t.dropTag(m.IDTag, d.Person); err != nil {
			return err
		}
		h.Members[i].State, h.Members[i].IDTag = state.Removed, ""
		if err := engine.Put(t, state.Households, string(p.Household), h, 0); err != nil {
			return err
		}
	}
	if err := t.voidCard(&p); err != nil {
		return err
	}
	d.State = vault.LeaveKept
	t.Append(engine.Entry{Kind: "left", Person: d.Person, House: d.Household, View: "can no longer be undone", Role: "system"})
	if err := t.Tx.AddTask(t.Ctx, state.Task{ID: removeTask(d.Person), Kind: vault.WorkRemove, Person: d.Person, Since: t.k.now().UnixMilli()}); err != nil {
		return err
	}
	return engine.Put(t, state.Persons, string(d.Person), p, 0)
}

// eraseLeft destroys the key of a person who left.
func (t *txn) eraseLeft(d *state.Departure, reason string) error {
	if err := t.erase(d.Person, reason); err != nil {
		return err
	}
	d.State, d.Person, d.Household = vault.LeaveErased, "", ""
	return nil
}

// erase destroys the data key of a person and of the registrations that ended in
// theirs, and forgets what the vault knows of them: where they were booked, whom
// certificates went to. The sealed parts stay in the registry and never open
// again; the row stays, as the ledger's witness that nothing was slipped in.
func (t *txn) erase(person id.Person, reason string) error {
	p, err := t.Person(person)
	if err != nil || (p.State == state.Removed && p.Wrapped == nil) {
		return err
	}
	if err := t.EndSeals(&p); err != nil {
		return err
	}
	if err := t.voidCard(&p); err != nil {
		return err
	}
	if err := t.k.asked.Forget(t.Engine(), person); err != nil {
		return err
	}
	for _, joined := range p.Joined {
		if err := t.erase(joined, reason); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		page, ok, err := engine.Get[state.IssuedPage](t, state.Issued, issuedKey(person, n))
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		page.List = nil
		if err := engine.Put(t, state.Issued, issuedKey(person, n), page, 0); err != nil {
			return err
		}
	}
	t.Append(engine.Entry{Kind: engine.KindErased, Person: person, House: p.Household, View: "key destroyed", Role: "system", Reason: reason})
	if reason == "" {
		t.mark(markErased, person, 0)
	}
	if err := t.k.turns.Erased(t.Engine()); err != nil {
		return err
	}
	p = state.Person{Household: p.Household, Reference: p.Reference, State: state.Removed, Epoch: p.Epoch, Seq: p.Seq, Chain: p.Chain, Created: p.Created, Leaves: p.Leaves}
	return engine.Put(t, state.Persons, string(person), p, 0)
}

// replayErasures erases and hides again whom the published leaves of lost entries
// say so, after a restore of an older copy.
func (t *txn) replayErasures(lost [][]byte, why string) error {
	if len(lost) == 0 {
		return nil
	}
	in := make(map[string]bool, len(lost))
	for _, l := range lost {
		in[string(l)] = true
	}
	var erase, hide []id.Person
	err := t.Tx.All(t.Ctx, state.Persons, func(s state.Stored) error {
		var p state.Person
		if err := json.Unmarshal(s.Content, &p); err != nil {
			return state.Integrity(state.Persons, "a row is malformed")
		}
		person, k := id.Person(s.Key), t.k
		if p.Wrapped == nil {
			return nil
		}
		if in[k.markLeaf(markErased, person, 0)] {
			erase = append(erase, person)
			return nil
		}
		away := p.State == state.Left
		if away && in[k.markLeaf(markBack, person, p.Leaves)] {
			away = false // back before the restore; they may leave again below
		}
		for n := p.Leaves + 1; in[k.markLeaf(markLeft, person, n)]; n++ {
			away = !in[k.markLeaf(markBack, person, n)]
		}
		if away && p.State == state.Active {
			hide = append(hide, person)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, person := range erase {
		if err := t.eraseAgain(person, why); err != nil {
			return err
		}
	}
	for _, person := range hide {
		p, err := t.Person(person)
		if err != nil {
			return err
		}
		if _, err := t.goes(person, p, t.k.now()); err != nil {
			return err
		}
		t.Unmark() // it is on the ledger
	}
	return nil
}

// eraseAgain erases a person and ends their place in the household, whatever it is.
func (t *txn) eraseAgain(person id.Person, why string) error {
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	h, err := t.Household(p.Household)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(h.Members, func(m state.Member) bool { return m.Person == person && m.State != state.Removed })
	if i >= 0 {
		if err := t.dropTag(h.Members[i].IDTag, person); err != nil {
			return err
		}
		h.Members[i].State, h.Members[i].IDTag = state.Removed, ""
		if err := engine.Put(t, state.Households, string(p.Household), h, 0); err != nil {
			return err
		}
	}
	if p.Departure != "" {
		d, ok, err := engine.Get[state.Departure](t, state.Departures, p.Departure)
		if err != nil {
			return err
		}
		if ok {
			d.State, d.Person, d.Household = vault.LeaveErased, "", ""
			if err := engine.Put(t, state.Departures, p.Departure, d, 0); err != nil {
				return err
			}
		}
	}
	if err := t.Tx.AddTask(t.Ctx, state.Task{ID: removeTask(person), Kind: vault.WorkRemove, Person: person, Since: t.k.now().UnixMilli()}); err != nil {
		return err
	}
	return t.erase(person, why)
}

// houseEvery is how often housekeeping runs.
func (k *Keeper) houseEvery() time.Duration {
	if k.cfg.HouseEvery > 0 {
		return k.cfg.HouseEvery
	}
	return time.Minute
}

// endLeaves is leavers as a job.
func (k *Keeper) endLeaves(ctx context.Context) {
	n, err := k.leavers(ctx)
	if err != nil && ctx.Err() == nil {
		k.log.Warn("leaves could not be ended, they will be tried again", "kind", fault.KindOf(err))
	}
	if n > 0 {
		k.log.Info("keys of people who left were destroyed", "people", n)
	}
}
