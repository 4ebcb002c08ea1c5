package keeper

import (
	"context"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// Link implements the vault's word. The evidence is the card with its PIN for
// the person and the bearer for the mobile. Nothing of the person is sealed
// anew: membership is this row of the vault; the registry's follows by a task.
func (k *Keeper) Link(ctx context.Context, r vault.LinkRequest) (vault.Linked, error) {
	var out vault.Linked
	var refused error
	receipts, err := k.update(ctx, func(t *txn) error {
		out, refused = vault.Linked{}, nil
		house, bearer, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		if bearer.Person != "" {
			return signin.CardCannot()
		}
		key, p, ok, err := t.cardPIN(vault.CardAnswer{Card: r.Card, PIN: r.PIN, Origin: r.Holder.Origin}, "card shown to link a mobile")
		if err != nil {
			return err
		}
		if !ok {
			refused = wrongCard()
			return nil
		}
		card, _, err := engine.Get[state.Card](t, state.Cards, key)
		if err != nil {
			return err
		}
		if err := t.link(house, card.Person, p, r.ToMerge, &out); err != nil {
			return err
		}
		return t.noteShown(r.Holder, card.Person, key)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return vault.Linked{}, err
	}
	out.Receipt = done(receipts).Receipt
	return out, nil
}

func (t *txn) link(house id.Household, person id.Person, p state.Person, toMerge bool, out *vault.Linked) error {
	*out = vault.Linked{Person: person, Reference: p.Reference}
	if p.Household == house { // repeated
		h, err := t.Household(house)
		out.Place = placeOf(house, h, person)
		return err
	}
	old, err := t.Household(p.Household)
	if err != nil {
		return err
	}
	if idle, err := t.IdleNumber(old); err != nil {
		return err
	} else if !idle { // with an idle number the card alone speaks for its person
		return fault.New(fault.Conflict, "linked", "this person already has a mobile")
	}
	out.Place, err = t.moves(house, person, p, toMerge)
	return err
}

// moves brings a person from their household into another one, and tells its number. The
// caller has seen that this is to be.
func (t *txn) moves(house id.Household, person id.Person, p state.Person, toMerge bool) (place vault.Place, err error) {
	if p.State == state.Pending {
		return place, fault.New(fault.Conflict, "record", "the record changed meanwhile; try again")
	}
	h, err := t.Household(house)
	if err != nil {
		return place, err
	}
	old, err := t.Household(p.Household)
	if err != nil {
		return place, err
	}
	i := slices.IndexFunc(old.Members, func(m state.Member) bool { return m.Person == person })
	if i < 0 {
		return place, state.Integrity(state.Households, "a person is not in their household")
	}
	tag := old.Members[i].IDTag
	wanted := tag
	if toMerge {
		wanted = "" // the two with one id number will be merged
	}
	slot, err := t.freeSlot(house, &h, keyring.Tags{Current: wanted})
	if err != nil {
		return place, err
	}
	now := t.k.now().UnixMilli()
	old.Members[i].State, old.Members[i].IDTag = state.Removed, ""
	h.Members = append(h.Members, state.Member{Slot: slot, Person: person, State: state.Active, IDTag: tag, Since: now})
	if err := engine.Put(t, state.Households, string(p.Household), old, 0); err != nil {
		return place, err
	}
	if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
		return place, err
	}
	if err := t.dropTag(tag, person); err != nil {
		return place, err
	}
	if p.Flags, err = t.useTag(keyring.Tags{Current: tag}, house, person, now); err != nil {
		return place, err
	}
	p.Household = house
	t.Append(engine.Entry{Kind: "linked", Person: person, House: house, View: "mobile linked", Role: "holder"})
	if err := t.Tx.AddTask(t.Ctx, state.Task{ID: linkTask(person), Kind: vault.WorkLink, Person: person, Since: now}); err != nil {
		return place, err
	}
	if _, err := t.notice(state.Notice{ID: "linked/" + string(person) + "/" + itoa(now), Household: house, Kind: noticeLinked}, 0, noticeLife); err != nil {
		return place, err
	}
	return vault.Place{Household: house, Slot: slot, Since: now}, engine.Put(t, state.Persons, string(person), p, 0)
}

func linkTask(p id.Person) string { return vault.WorkLink + "/" + string(p) }

// placeOf is the place a person has, or had last, in a household.
func placeOf(house id.Household, h state.Household, person id.Person) vault.Place {
	for _, m := range slices.Backward(h.Members) {
		if m.Person == person {
			return vault.Place{Household: house, Slot: m.Slot, Since: m.Since}
		}
	}
	return vault.Place{}
}

// peopleWork is what the worker needs to finish a removal, link or merge.
func (t *txn) peopleWork(task state.Task, w *vault.Work) error {
	p, err := t.Person(task.Person)
	if err != nil {
		return err
	}
	if task.Kind == vault.WorkMerge {
		i := slices.IndexFunc(p.Pending, func(s state.Seal) bool { return s.ID == task.Ref })
		w.Hold = id.Hold(task.Ref)
		if i >= 0 {
			w.Seal = vault.Seal{ID: task.Ref, Person: task.Person, Parts: p.Pending[i].Parts}
		}
		return nil
	}
	h, err := t.Household(p.Household)
	if err == nil {
		w.Place = placeOf(p.Household, h, task.Person)
	}
	return err
}
