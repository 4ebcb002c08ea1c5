package keeper

import (
	"context"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
)

// codeHas is the code of who has a live appointment already.
const codeHas = "APPOIN0022"

// Chances implements the vault's word: what the rules would say to a booking, without one.
// A session on a new device, which may book, learns of an offer what its booking would tell
// it, and nothing of what comes next.
func (k *Keeper) Chances(ctx context.Context, r vault.ChancesRequest) (vault.Chances, error) {
	offered := r.Offer.Session != ""
	programme := rules.ProgrammeCOVID
	if offered {
		product, ok := rules.LookupProduct(r.Offer.Product)
		if !ok {
			return vault.Chances{}, fault.New(fault.Invalid, "unknown_product", "the session offers no known vaccine")
		}
		programme = product.Programme
	}
	cooling := false
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		house, bearer, err := t.Early(r.Holder)
		if err != nil {
			return err
		}
		if cooling = bearer.Cooling; cooling && (!offered || r.Dose == 0) {
			return signin.NewDevice()
		}
		if cooling && !ablate.Off(ablate.NewOffers) {
			if err := t.within(boundOffers, house); err != nil {
				return err
			}
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		people, records, err := signin.MembersOf(h, r.Records, false)
		if err != nil {
			return err
		}
		return t.Release(o, people, records, release.Claim{View: viewEligibility, Role: "holder", Reason: "what comes next"})
	})
	if err != nil {
		return vault.Chances{}, err
	}
	if o.ViewID == "" { // nobody was asked for
		o.ViewID = release.NewViewID()
	}
	out := vault.Chances{ViewRef: k.release.ViewRef(o.ViewID), Receipts: o.Receipts, People: []vault.Chance{}}
	for _, p := range o.People {
		c, err := k.chance(p, r, programme)
		if err != nil {
			return vault.Chances{}, err
		}
		if cooling {
			c.Due = vault.Due{}
		}
		out.People = append(out.People, c)
	}
	return out, nil
}

// chance is what the rules say of one opened person.
func (k *Keeper) chance(p release.Person, r vault.ChancesRequest, programme string) (vault.Chance, error) {
	out := vault.Chance{Person: p.ID}
	doc, err := p.Identity(k.keys)
	if err != nil {
		return out, err
	}
	doses, err := p.Doses(k.keys)
	if err != nil {
		return out, err
	}
	history := release.Given(doses)
	due := rules.ForecastIn(programme, history, doc.Birth(), civil.Of(k.now()))
	out.Due = vault.Due{State: due.State, Product: due.Product, Dose: due.Dose, Earliest: due.Earliest, Until: due.Until}
	if r.Offer.Session == "" {
		return out, nil
	}
	if out.Dose = r.Dose; out.Dose == 0 {
		out.Dose = due.Dose
	}
	d := rules.Evaluate(history, doc.Birth(), rules.Want{Product: r.Offer.Product, Dose: out.Dose, Day: r.Offer.Day, MinAge: r.Offer.MinAge, MaxAge: r.Offer.MaxAge})
	out.OK, out.Code, out.Earliest = d.OK, d.Code, d.Earliest
	t := &txn{k: k}
	for _, b := range p.Row.Bookings {
		if pendingDraw(b) && !t.over(b) && b.Programme == programme && b.Hold != r.Old && (b.Hold != r.Hold || r.Hold == "") {
			out.OK, out.Code = false, codeHas
		}
	}
	return out, nil
}
