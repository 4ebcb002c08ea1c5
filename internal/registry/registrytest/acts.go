package registrytest

import (
	"context"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Remove implements the vault's word.
func (v *Vault) Remove(_ context.Context, r vault.RemoveRequest) (out vault.Done, err error) {
	done, err := v.enter("Remove")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if err := v.mine(r.Holder, r.Record); err != nil {
		return out, err
	}
	d := v.people[r.Record.Person]
	if d.doses > 0 || v.live(r.Record.Person) != nil {
		return out, fault.New(fault.Conflict, "dose", "a dose or a live booking")
	}
	d.gone = true
	v.removals[r.Record.Person] = v.now().UnixMilli()
	return vault.Done{Receipt: "receipt"}, nil
}

func (v *Vault) live(p id.Person) *presence {
	for k, pr := range v.presence {
		if k.person == p && pr.state == "live" {
			return pr
		}
	}
	return nil
}

// Book implements the vault's word.
func (v *Vault) Book(_ context.Context, r vault.BookRequest) (out vault.Booked, err error) {
	done, err := v.enter("Book")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if err := v.mine(r.Holder, r.Records...); err != nil {
		return out, err
	}
	for _, rec := range r.Records {
		if pr := v.presence[presenceKey{rec.Person, r.Hold}]; pr != nil && pr.state == "live" {
			continue
		}
		if v.live(rec.Person) != nil {
			return out, fault.New(fault.Conflict, "APPOIN0022", "a live booking")
		}
		if v.people[rec.Person].doses+1 != r.Dose {
			return out, fault.New(fault.Invalid, "dose", "not that dose")
		}
	}
	for _, rec := range r.Records {
		k := presenceKey{rec.Person, r.Hold}
		if pr := v.presence[k]; pr == nil || pr.state != "live" {
			v.presence[k] = &presence{offer: r.Offer, dose: r.Dose, state: "live", since: v.now().UnixMilli()}
		}
	}
	return vault.Booked{Receipts: []string{"receipt"}}, nil
}

// Cancel implements the vault's word. Until it is settled a repetition is granted.
func (v *Vault) Cancel(_ context.Context, r vault.CancelRequest) (out vault.Done, err error) {
	done, err := v.enter("Cancel")
	if err != nil {
		return out, err
	}
	defer done(&err)
	hh, err := v.holder(r.Holder)
	if err != nil {
		return out, err
	}
	for _, p := range r.Persons {
		pr := v.presence[presenceKey{p, r.Hold}]
		if d := v.people[p]; d == nil || d.house != hh || pr == nil || (pr.state != "live" && (pr.state != "cancelled" || pr.settled)) {
			return out, fault.New(fault.NotFound, "booking", "no booking")
		}
	}
	for _, p := range r.Persons {
		pr := v.presence[presenceKey{p, r.Hold}]
		pr.state, pr.settled, pr.since = "cancelled", false, v.now().UnixMilli()
	}
	return vault.Done{Receipt: "receipt"}, nil
}

// Slip implements the vault's word.
func (v *Vault) Slip(_ context.Context, r vault.SlipRequest) (out vault.Slip, err error) {
	done, err := v.enter("Slip")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if err := v.mine(r.Holder, r.Records...); err != nil {
		return out, err
	}
	for _, rec := range r.Records {
		pr := v.presence[presenceKey{rec.Person, r.Hold}]
		if pr == nil || pr.state != "live" {
			return out, fault.New(fault.NotFound, "booking", "no booking")
		}
		out.Offer = pr.offer
		out.People = append(out.People, vault.SlipPerson{Person: rec.Person, Reference: v.people[rec.Person].ref, Dose: pr.dose, Code: "0000"})
	}
	return out, nil
}

// Release implements the vault's word: a booking that was settled stays.
func (v *Vault) Release(_ context.Context, r vault.ReleaseRequest) (out vault.Done, err error) {
	done, err := v.enter("Release")
	if err != nil {
		return out, err
	}
	defer done(&err)
	for _, p := range r.Persons {
		if pr := v.presence[presenceKey{p, r.Hold}]; pr != nil && !pr.settled && (pr.state == "live" || pr.state == "cancelled") {
			pr.state, pr.settled = "released", true
		}
	}
	return out, nil
}

// Settled implements the vault's word.
func (v *Vault) Settled(_ context.Context, r vault.SettledRequest) (err error) {
	done, err := v.enter("Settled")
	if err != nil {
		return err
	}
	defer done(&err)
	for _, p := range r.Persons {
		if r.Hold == "" {
			delete(v.removals, p)
		} else if pr := v.presence[presenceKey{p, r.Hold}]; pr != nil {
			pr.settled = true
		}
	}
	return nil
}

// Unfinished implements the vault's word.
func (v *Vault) Unfinished(_ context.Context, r vault.UnfinishedRequest) (out vault.Unfinished, err error) {
	done, err := v.enter("Unfinished")
	if err != nil {
		return out, err
	}
	defer done(&err)
	for k, pr := range v.presence {
		kind := map[string]string{"live": "book", "cancelled": "cancel"}[pr.state]
		if kind == "" || pr.settled || pr.since >= r.Before {
			continue
		}
		out.Work = append(out.Work, vault.Work{Kind: kind, Hold: k.hold, Person: k.person, Centre: pr.offer.Centre, Session: pr.offer.Session, Since: pr.since})
	}
	for p, at := range v.removals {
		if at < r.Before {
			out.Work = append(out.Work, vault.Work{Kind: "remove", Person: p, Since: at})
		}
	}
	slices.SortFunc(out.Work, func(a, b vault.Work) int { return int(a.Since - b.Since) })
	out.Work = out.Work[:min(len(out.Work), r.Limit)]
	return out, nil
}

// RecordDose implements the vault's word. The booking code of a person is the
// appointment number; the body is the code.
func (v *Vault) RecordDose(_ context.Context, r vault.DoseRequest) (out vault.DoseSealed, err error) {
	done, err := v.enter("RecordDose")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if r.Signed.Proof != StaffProof {
		return out, fault.New(fault.Unauthorized, "proof", "no staff proof")
	}
	nobody := fault.New(fault.NotFound, "encounter", "no such encounter")
	hold := id.Hold(r.Signed.Body)
	pr := v.presence[presenceKey{r.Person, hold}]
	if v.people[r.Person] == nil || pr == nil {
		return out, nobody
	}
	key := string(r.Person) + "/" + string(hold)
	if was, ok := v.doses[key]; ok {
		s := v.seals[was.Seal.ID]
		if s.done {
			was.Seal.Parts = nil
			return was, nil
		}
		if err := v.check(r.Record); err != nil {
			return out, err
		}
		if s.prev == v.people[r.Person].seq {
			return was, nil
		}
		delete(v.seals, was.Seal.ID) // another part was committed first: seal behind it
	} else if pr.state != "live" {
		return out, nobody
	}
	if err := v.check(r.Record); err != nil {
		return out, err
	}
	pr.state, pr.settled = "given", true
	s := v.seal(r.Person, v.people[r.Person].seq, vault.PartDosePrefix+vault.Part(id.NewOrdered()))
	s.dose, s.proof = true, r.Signed.Proof
	out = vault.DoseSealed{Seal: s.parts, Hold: hold, Dose: pr.dose}
	v.doses[key] = out
	return out, nil
}

// Live returns the live bookings the vault knows, and how many of them the
// registry has not reported as settled.
func (v *Vault) Live() (live map[id.Person]id.Hold, unsettled int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	live = map[id.Person]id.Hold{}
	for k, pr := range v.presence {
		if pr.state == "live" {
			live[k.person] = k.hold
		}
		if !pr.settled {
			unsettled++
		}
	}
	return live, unsettled
}

// Head returns how many parts of a person are committed.
func (v *Vault) Head(p id.Person) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.people[p].seq
}

// Removals returns how many removals are not settled.
func (v *Vault) Removals() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.removals)
}
