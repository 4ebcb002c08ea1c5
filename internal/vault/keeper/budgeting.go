package keeper

import (
	"slices"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// budgetRows are the rows of budgets within a transaction.
type budgetRows struct{ t *txn }

// Get implements budgets.Rows.
func (b budgetRows) Get(key string) (state.Budget, bool, error) {
	return engine.Get[state.Budget](b.t, state.Budgets, key)
}

// Put implements budgets.Rows.
func (b budgetRows) Put(key string, row state.Budget) error {
	return engine.Put(b.t, state.Budgets, key, row, 0)
}

// budgetTag names a person in one member's day: another member's, or another day's, tag of
// the same person has nothing in common with it.
func (k *Keeper) budgetTag(staff id.Staff, day civil.Date, person id.Person) budget.Tag {
	return budget.Tag(k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("budget"), []byte(staff), []byte(day.String()), []byte(person))[:8])
}

// budgeted decides about an event of a member of staff and stores what follows.
func (t *txn) budgeted(staff id.Staff, s state.OpenSession, kind budget.Kind, person id.Person) (budget.Verdict, error) {
	return budgets.Apply(budgetRows{t}, t.budgetPlace(staff, s), kind, t.k.budgetTag(staff, s.Day, person))
}

func (t *txn) budgetPlace(staff id.Staff, s state.OpenSession) budgets.Place {
	return budgets.Place{Staff: staff, Centre: s.Centre, District: s.State + "/" + s.District, Day: s.Day, Now: t.k.now().UnixMilli()}
}

// visitEnded tells the budgets what became of a person who was opened codeless, of everybody
// who opened them for that day's booking at the centre. Of somebody whom nobody did it
// reads and writes nothing.
func (t *txn) visitEnded(p state.Person, person id.Person, centre id.Centre, day civil.Date, kind budget.Kind) error {
	for _, b := range p.Bookings {
		if b.Offer.Centre != centre || b.Offer.Day != day {
			continue
		}
		for _, staff := range b.Openers {
			if _, err := t.budgeted(staff, state.OpenSession{Centre: centre, Day: day}, kind, person); err != nil {
				return err
			}
		}
	}
	return nil
}

// earned tells the budgets that the holder confirmed a dose.
func (t *txn) earned(person id.Person, d release.Dose) error {
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	return t.visitEnded(p, person, d.Centre, d.GivenDay, budget.Confirm)
}

// maxOpeners bounds how many are remembered as having opened a person for one booking.
const maxOpeners = 8

// openedBy notes who opened a person codeless for a booking.
func openedBy(b *state.Booking, staff id.Staff) {
	if !slices.Contains(b.Openers, staff) {
		b.Openers = append(b.Openers[max(0, len(b.Openers)-maxOpeners+1):], staff)
	}
}

// needCode is what the worker is told when a budget does not let a row be opened with
// nothing shown, or a visit be closed.
func needCode(v budget.Verdict) error {
	texts := map[budget.Reason]string{
		budget.ReasonPending:   "too many people are open and not closed: record the dose, or close who left without one; meanwhile open the next person by their code, card or a one-time code",
		budget.ReasonAllowance: "today's openings from the list are used up: open the next person by their code, card or a one-time code; each dose that its holder confirms makes room for more; in an emergency two members of staff break the glass together, twice a day each",
		budget.ReasonStepUp:    "today you open by code only: ask the next person for their code, card or a one-time code; your manager sees why; in an emergency two members of staff break the glass together, twice a day each",
		budget.ReasonCentre:    "this centre's openings from the list are used up today: open the next person by their code, card or a one-time code; in an emergency two members of staff break the glass together, twice a day each",
		budget.ReasonDistrict:  "far more is opened from lists in this district than usual: open the next person by their code, card or a one-time code; the list works again in the next hour",
		budget.ReasonSystem:    "far more is opened from lists than usual: open the next person by their code, card or a one-time code; the list works again in the next hour",
		budget.ReasonNoDose:    "too many visits of today were closed without a dose: leave this one open, the day ends it; open the next person by their code, card or a one-time code",
		budget.ReasonNotOpen:   "you have not opened this person from the list today, or the visit has ended",
	}
	text := texts[v.Reason]
	if text == "" {
		return fault.New(fault.Forbidden, "NEEDCODE", "open this person by their code, card or a one-time code")
	}
	kind := fault.Forbidden
	if v.Outcome == budget.Refuse {
		kind = fault.Conflict
	}
	return fault.New(kind, codeOfReason(v.Reason), text)
}

// codeOfReason is the machine-readable word of a refusal.
func codeOfReason(r budget.Reason) string {
	switch r {
	case budget.ReasonNoDose:
		return "NODOSECAP"
	case budget.ReasonNotOpen:
		return "NOTOPEN"
	}
	return "NEEDCODE-" + string(r)
}
