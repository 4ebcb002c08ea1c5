package keeper

import (
	"context"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// wroteAt reports whether a dose that waits was signed by a vaccinator of a centre. What
// one of them wrote who was not on the roster is the manager's to judge.
func (k *Keeper) wroteAt(ctx context.Context, item vault.InboxItem, c id.Centre) bool {
	ok := false
	err := k.view(ctx, func(t *txn) error {
		_, claims, row, err := t.Parts(item.Signed)
		ok = err == nil && claims.Match(item.Signed) == nil && t.k.permits.May(row, policy.StaffDose, c, policy.Facts{Rostered: true}).Allowed()
		return err
	})
	return err == nil && ok
}

// acceptShown judges a dose that came with the person's security code or card while
// the vault was down, as of the time it came: it counts and spends the booking as if
// it had been recorded then. done false: it is not shown to be right, and is accepted
// like one without; a wrong code has been counted, once for the request.
func (k *Keeper) acceptShown(ctx context.Context, r vault.AcceptRequest, item vault.InboxItem, f parsedDose) (out vault.Accepted, done bool, err error) {
	var enc encounter
	o, err := k.open(ctx, func(t *txn, o *release.Opening) (err error) {
		enc = encounter{}
		var ok bool
		if ok, err = t.lateEncounter(r, item, f, &enc); err != nil || !ok || enc.again != nil {
			return err
		}
		c := release.Claim{View: viewVerify, Role: roleVaccinator, Actor: string(enc.staff), Place: enc.session.Name, Reason: "dose", Evidence: string(enc.booking.Hold), Permit: t.opensEncounter(enc)}
		if err := t.Release(o, []id.Person{r.Person}, map[id.Person]vault.Record{r.Person: r.Record}, c); err != nil {
			return err
		}
		return t.openingNotice(&enc, o)
	})
	switch {
	case fault.Is(err, fault.Unauthorized):
		return out, false, nil // accept says what it is
	case err != nil:
		return out, false, err
	case enc.again != nil:
		return vault.Accepted{Verdict: vault.InboxSealed, Seal: enc.again.Seal, Hold: enc.again.Hold}, true, nil
	case len(o.People) != 1:
		return out, false, nil
	}
	f.code = enc.code
	offer := enc.booking.Offer
	offer.Product, offer.Day = f.product.Code, f.day
	if err := k.eligible(o.People[0], f.sequence, offer); fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) {
		return out, false, nil
	} else if err != nil {
		return out, false, err
	}
	got, err := k.sealDose(ctx, o.People[0], f, enc, false)
	if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == "assigned" { // two people were faster
		return vault.Accepted{Verdict: vault.InboxSealed, Seal: vault.Seal{Person: r.Person}}, true, nil
	}
	return vault.Accepted{Verdict: vault.InboxSealed, Seal: got.Seal, Hold: got.Hold}, err == nil, err
}

// lateEncounter is encounter for a request that waited. What it says no to is not
// refused: it is the unconfirmed dose of somebody's word.
func (t *txn) lateEncounter(r vault.AcceptRequest, item vault.InboxItem, f parsedDose, enc *encounter) (bool, error) {
	staff, row, stale, used, err := t.late(item)
	if err != nil || stale {
		return false, err
	}
	rostered, err := t.k.office.RosteredOn(t, staff, row, f.centre, f.day)
	if err != nil {
		return false, err
	}
	permit := t.k.permits.May(row, policy.StaffDose, f.centre, policy.Facts{Rostered: rostered})
	if !permit.Allowed() {
		return false, nil
	}
	wrong, err := t.Count(staffWindow, "staff-wrong", string(staff), 0)
	if err != nil || int(wrong) >= t.k.cfg.Limits.WrongStaffCodes {
		return false, err
	}
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil || !ok || p.Reference != f.reference || p.State != state.Active {
		return false, err
	}
	at := time.UnixMilli(item.Received)
	i, session, err := t.openBookingAt(p, f.centre, f.product.Code, at)
	if err != nil || i < 0 {
		return false, err
	}
	*enc = encounter{staff: staff, row: row, rostered: rostered, policies: permit.Policies(), session: session, booking: p.Bookings[i], code: f.code, at: at, event: r.Event}
	if f.code == "" {
		if _, ok, err := t.cardShown(r.Person, p, f.shown.Card); err != nil || !ok {
			return false, err
		}
		enc.code = t.k.securityCode(r.Person, p.Bookings[i])
	}
	f.code = enc.code
	if enc.again, err = t.sealedBefore(r.Person, p, i, f); fault.Is(err, fault.Conflict) {
		enc.again = nil
		return false, nil // another dose was recorded on this booking
	} else if err != nil || enc.again != nil {
		return err == nil, err
	}
	if _, right := t.rightCodeFor(r.Person, &p, session, f.code); !right {
		if used { // it was counted then
			return false, nil
		}
		_, err := t.wrongStaffCode(staff, r.Person, p, t.refusedBy(permit, row, f.centre, viewVerify))
		return false, err
	}
	day := t.k.dayAt(session.Zone, at)
	return f.product.Code == session.Product && f.day == day && session.Day == day, nil
}
