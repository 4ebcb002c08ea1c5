package keeper

import (
	"context"
	"maps"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// cardWanted is the answer where an adult's own card guards what is asked for.
func cardWanted() error {
	return fault.New(fault.Forbidden, "CARDFIRST", "This adult has a card of their own: give that card and its PIN first (/api/v3/people/unlock), or sign in with the card")
}

// bornUnknown is the day of a birth of which only the year is known.
const bornUnknown = "-00-00"

// sealBorn keeps a person's birth where the vault needs it before it opens
// anything: whether their card guards them as an adult. It has one length, so that
// the row does not tell a child.
func (k *Keeper) sealBorn(person id.Person, b rules.Birth) []byte {
	text := b.Date.String()
	if b.Date.IsZero() {
		text = itoa(int64(b.Year)) + bornUnknown
	}
	return k.keys.Contact.Seal(nil, nil, []byte(text), k.keys.ContactAAD("born", string(person)))
}

// minor reports whether a person is certainly under 18 today, by the rules that
// vaccines go by. Who registered before births were kept, or has left, is none.
func (k *Keeper) minor(person id.Person, p state.Person) (bool, error) {
	if len(p.Born) == 0 {
		return false, nil
	}
	text, err := k.keys.Contact.Open(nil, nil, p.Born, k.keys.ContactAAD("born", string(person)))
	if err != nil || len(text) != len("2006-01-02") {
		return false, state.Integrity(state.Persons, "a birth does not open")
	}
	var b rules.Birth
	if string(text[4:]) == bornUnknown {
		for _, d := range text[:4] {
			b.Year = b.Year*10 + int(d-'0')
		}
	} else {
		var day civil.Date
		if day.UnmarshalText(text) != nil {
			return false, state.Integrity(state.Persons, "a birth is malformed")
		}
		b.Year, b.Date = day.Year, day
	}
	return b.Minor(k.today(signin.HomeZone)), nil
}

// guarded refuses, with one answer, what an adult's own card guards from the rest
// of the household: their certificate, their access history, all their dose events
// and answers about them, a new card, joining and deleting. Nobody is guarded from
// the session of their card, or from one that has been shown card and PIN. A child
// is not, and not the only adult a household ever had: the mobile is theirs.
func (t *txn) guarded(b state.Bearer, house id.Household, person id.Person, p state.Person) error {
	if p.Card == "" || b.Person == person || (b.Shown[person] == p.Card) || ablate.Off(ablate.AdultCard) {
		return nil
	}
	if child, err := t.k.minor(person, p); err != nil || child {
		return err
	}
	h, err := t.Household(house)
	if err != nil {
		return err
	}
	for _, m := range h.Members { // also who has left: nobody is guarded less by that
		if m.Person == person {
			continue
		}
		o, err := t.Person(m.Person)
		if err != nil {
			return err
		}
		if o.State == state.Merged { // is one of the others, or the person
			continue
		}
		if child, err := t.k.minor(m.Person, o); err != nil {
			return err
		} else if !child {
			return cardWanted()
		}
	}
	return nil
}

// mine is a person of a holder's household.
type mine struct {
	house  id.Household
	bearer state.Bearer    // the session
	row    state.Household // of the house
	person state.Person
}

// mine is the person whom a holder acts for: a member of the household that the session is
// of, and none whose card has to be shown first (ADR 20). fault.NotFound for everybody else,
// whether the person exists or not.
func (t *txn) mine(h vault.Holder, person id.Person) (m mine, err error) {
	if m.house, m.bearer, err = t.Live(h); err != nil {
		return m, err
	}
	if m.row, err = t.Household(m.house); err != nil {
		return m, err
	}
	if m.person, err = t.member(m.row, person); err != nil {
		return m, err
	}
	return m, t.guarded(m.bearer, m.house, person, m.person)
}

// unguarded parts people into those a session may see all of, and the reference
// numbers of those whose card has to be shown first.
func (t *txn) unguarded(b state.Bearer, house id.Household, people []id.Person) (open []id.Person, withheld []id.Reference, err error) {
	for _, person := range people {
		p, err := t.Person(person)
		if err != nil {
			return nil, nil, err
		}
		err = t.guarded(b, house, person, p)
		switch {
		case err == nil:
			open = append(open, person)
		case fault.Is(err, fault.Forbidden):
			withheld = append(withheld, p.Reference)
		default:
			return nil, nil, err
		}
	}
	return open, withheld, nil
}

// noteShown lets a session see what a card guards, until it or the card ends.
func (t *txn) noteShown(h vault.Holder, person id.Person, card string) error {
	key, row, err := t.Session(h)
	if err != nil || row.Person != "" || key == "" || row.Shown[person] == card {
		return err
	}
	row.Shown = maps.Clone(row.Shown)
	if row.Shown == nil {
		row.Shown = map[id.Person]string{}
	}
	row.Shown[person] = card
	return engine.Put(t, state.Bearers, key, row, row.Expires+proof.BearerKept.Milliseconds())
}

// ShowCard implements the vault's word: card and PIN of an adult of the household,
// in the session of its mobile. A card of somebody else answers as a wrong one.
func (k *Keeper) ShowCard(ctx context.Context, r vault.ShowCardRequest) (vault.Done, error) {
	var refused error
	receipts, err := k.update(ctx, func(t *txn) error {
		refused = wrongCard()
		house, bearer, err := t.Early(r.Holder)
		if err != nil {
			return err
		}
		if bearer.Person != "" {
			return signin.CardCannot()
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		key, p, ok, err := t.cardPIN(vault.CardAnswer{Card: r.Card, PIN: r.PIN, Origin: r.Holder.Origin}, "card shown in a session by mobile")
		if err != nil || !ok || p.Household != house {
			return err
		}
		for _, m := range signin.ActiveMembers(h) {
			if q, err := t.Person(m.Person); err != nil {
				return err
			} else if q.Card == key {
				refused = nil
				if err := t.noteShown(r.Holder, m.Person, key); err != nil {
					return err
				}
				return t.Trust(r.Holder, "card")
			}
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return done(receipts), err
}
