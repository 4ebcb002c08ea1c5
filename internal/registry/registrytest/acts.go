package registrytest

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/civil"
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
	v.tasks[task{kind: vault.WorkRemove, person: r.Record.Person}] = v.now().UnixMilli()
	return vault.Done{Receipt: "receipt"}, nil
}

func (v *Vault) live(p id.Person) *presence {
	for k, pr := range v.presence {
		if k.person == p && (pr.state == "live" || pr.state == "entered") {
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
	return v.book(r)
}

// BookMany implements the vault's word.
func (v *Vault) BookMany(_ context.Context, r vault.BookManyRequest) (out vault.BookedMany, err error) {
	done, err := v.enter("Book")
	if err != nil {
		return out, err
	}
	defer done(&err)
	for _, one := range r.Items {
		var o vault.BookedOne
		b, err := v.book(one)
		if o.Receipts = b.Receipts; err != nil {
			o.Failed = &vault.Failure{Kind: fault.KindOf(err), Code: fault.CodeOf(err)}
		}
		out.Items = append(out.Items, o)
	}
	return out, nil
}

func (v *Vault) book(r vault.BookRequest) (out vault.Booked, err error) {
	if err := v.mine(r.Holder, r.Records...); err != nil {
		return out, err
	}
	for _, rec := range r.Records {
		v.endMissed(rec.Person)
	}
	for _, rec := range r.Records {
		if pr := v.presence[presenceKey{rec.Person, r.Hold}]; pr != nil && (pr.state == "live" || pr.state == "entered") {
			continue
		}
		if old := v.presence[presenceKey{rec.Person, r.Old}]; r.Old != "" {
			if old == nil || old.state != "live" {
				return out, fault.New(fault.NotFound, "booking", "no booking")
			}
		} else if v.live(rec.Person) != nil {
			return out, fault.New(fault.Conflict, "APPOIN0022", "a live booking")
		}
		if v.people[rec.Person].doses+1 != r.Dose {
			return out, fault.New(fault.Invalid, "dose", "not that dose")
		}
	}
	for _, rec := range r.Records {
		k := presenceKey{rec.Person, r.Hold}
		if pr := v.presence[k]; pr == nil || (pr.state != "live" && pr.state != "entered") {
			if r.DrawAt > 0 {
				v.presence[k] = &presence{offer: r.Offer, dose: r.Dose, state: "entered"}
				continue
			}
			if r.Old != "" {
				v.presence[presenceKey{rec.Person, r.Old}].state = "moved"
			}
			v.presence[k] = &presence{offer: r.Offer, dose: r.Dose, state: "live", from: r.Old}
			v.tasks[task{vault.WorkBook, r.Hold, rec.Person}] = v.now().UnixMilli()
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
		_, open := v.tasks[task{vault.WorkCancel, r.Hold, p}]
		if d := v.people[p]; d == nil || d.house != hh || pr == nil || (pr.state != "live" && pr.state != "entered" && !open) {
			return out, fault.New(fault.NotFound, "booking", "no booking")
		}
	}
	for _, p := range r.Persons {
		v.presence[presenceKey{p, r.Hold}].state = "cancelled"
		delete(v.tasks, task{vault.WorkBook, r.Hold, p})
		v.tasks[task{vault.WorkCancel, r.Hold, p}] = v.now().UnixMilli()
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
		delete(v.tasks, task{vault.WorkCancel, r.Hold, p})
		book := task{vault.WorkBook, r.Hold, p}
		if _, open := v.tasks[book]; open {
			if pr := v.presence[presenceKey{p, r.Hold}]; pr.state == "live" {
				pr.state = "released"
				if from := v.presence[presenceKey{p, pr.from}]; from != nil && from.state == "moved" {
					from.state = "live"
				}
			}
			delete(v.tasks, book)
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
	return v.settled(r)
}

// SettledMany implements the vault's word.
func (v *Vault) SettledMany(_ context.Context, r vault.SettledManyRequest) (err error) {
	done, err := v.enter("Settled")
	if err != nil {
		return err
	}
	defer done(&err)
	for _, one := range r.Items {
		if err := v.settled(one); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) settled(r vault.SettledRequest) error {
	if v.Refuse != nil {
		if err := v.Refuse(r.Hold); err != nil {
			return err
		}
	}
	for _, p := range r.Persons {
		delete(v.tasks, task{r.Kind, r.Hold, p})
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
	limit := r.Limit
	if v.PageLimit > 0 {
		limit = min(limit, v.PageLimit)
	}
	for k, since := range v.tasks {
		if since >= r.Before || (r.Kind != "" && k.kind != r.Kind) || !after(mark(k, since), r.After) {
			continue
		}
		w := vault.Work{Kind: k.kind, Hold: k.hold, Person: k.person, Since: since}
		if pr := v.presence[presenceKey{k.person, k.hold}]; pr != nil {
			w.Centre, w.Session = pr.offer.Centre, pr.offer.Session
		}
		out.Work = append(out.Work, w)
	}
	slices.SortFunc(out.Work, func(a, b vault.Work) int {
		if after(markOf(a), markOf(b)) {
			return 1
		}
		return -1
	})
	if len(out.Work) >= limit {
		out.Work = out.Work[:limit]
		out.Next = markOf(out.Work[limit-1])
	}
	return out, nil
}

func mark(k task, since int64) vault.WorkMark {
	return vault.WorkMark{Since: since, Task: k.kind + "/" + string(k.hold) + "/" + string(k.person)}
}

func markOf(w vault.Work) vault.WorkMark { return mark(task{w.Kind, w.Hold, w.Person}, w.Since) }

func after(a, b vault.WorkMark) bool {
	return a.Since > b.Since || (a.Since == b.Since && a.Task > b.Task)
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
	pr.state = "given"
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
	}
	for k := range v.tasks {
		if k.kind != vault.WorkRemove {
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
	n := 0
	for k := range v.tasks {
		if k.kind == vault.WorkRemove {
			n++
		}
	}
	return n
}

// endMissed ends live bookings whose day is over in India, where the tests are.
func (v *Vault) endMissed(p id.Person) {
	today := civil.Of(v.now().In(time.FixedZone("IST", 5*3600+1800)))
	for k, pr := range v.presence {
		if k.person == p && pr.state == "live" && pr.offer.Day.Valid() && pr.offer.Day.Before(today) {
			pr.state = "missed"
		}
	}
}

// Chances implements the vault's word: a person may have the dose after those they had.
func (v *Vault) Chances(_ context.Context, r vault.ChancesRequest) (out vault.Chances, err error) {
	done, err := v.enter("Chances")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if err := v.mine(r.Holder, r.Records...); err != nil {
		return out, err
	}
	for _, rec := range r.Records {
		c := vault.Chance{Person: rec.Person, OK: true, Dose: r.Dose, Due: vault.Due{State: "due", Dose: v.people[rec.Person].doses + 1}}
		if c.Dose == 0 {
			c.Dose = c.Due.Dose
		}
		if c.Dose != c.Due.Dose {
			c.OK, c.Code = false, "wrong_dose"
		}
		if pr := v.presence[presenceKey{rec.Person, r.Hold}]; r.Old == "" && v.live(rec.Person) != nil && (pr == nil || pr.state != "live") {
			c.OK, c.Code = false, "APPOIN0022"
		}
		out.People = append(out.People, c)
	}
	return out, nil
}
