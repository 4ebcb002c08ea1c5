package keeper

import (
	"cmp"
	"context"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// viewDetails is somebody's name, birth and gender, opened inside the vault to be
// corrected.
const viewDetails = "name, birth and gender, for a correction"

// detailed is the form of a correction of who somebody is: what is right, and that both
// have seen the person with their document.
func (c correction) detailed() error {
	wrong := func(text string) error { return fault.New(fault.Invalid, "USRRES0001", text) }
	switch {
	case c.Event != "" || c.Vaccine != "" || c.Batch != "" || c.Dose != 0 || c.Date != "":
		return wrong("a correction of name, birth or gender names no dose")
	case c.Name == "" && c.BirthYear == 0 && c.BirthDate == "" && c.GenderID == 0:
		return wrong("who asks for a correction says what is right: name, birth_year, birth_date or gender_id")
	case !c.Seen:
		return wrong("who corrects a name, a birth or a gender has seen the person and their document: person_seen")
	case c.GenderID != 0 && !rules.ValidGender(c.GenderID):
		return wrong("gender_id is not one of the listed genders")
	}
	_, err := c.applyDetails(release.Identity{})
	return err
}

// born refuses a birth that cannot be on a day.
func (c correction) born(today civil.Date) error {
	doc, err := c.applyDetails(release.Identity{BirthYear: today.Year})
	if err == nil {
		err = doc.Birth().Check(today)
	}
	return err
}

// applyDetails puts the right facts into an identity.
func (c correction) applyDetails(d release.Identity) (release.Identity, error) {
	if c.Name != "" {
		name, err := rules.NormalizeName(c.Name)
		if err != nil {
			return d, err
		}
		d.Name, d.NameLocal = name, "" // it was the old one's
	}
	if c.BirthYear != 0 {
		d.BirthYear, d.BirthDate = c.BirthYear, ""
	}
	if c.BirthDate != "" {
		day, err := civil.ParseIndian(c.BirthDate)
		if err != nil {
			return d, err
		}
		if c.BirthYear != 0 && c.BirthYear != day.Year {
			return d, fault.New(fault.Invalid, "USRRES0001", "birth_year and birth_date are not of one year")
		}
		d.BirthYear, d.BirthDate = day.Year, day.String()
	}
	if c.GenderID != 0 {
		d.GenderID = c.GenderID
	}
	return d, nil
}

// knownAt reports whether a centre has to do with somebody: a dose or an appointment of theirs
// was there, or they ask for a correction there. Two members of staff of any centre could else
// give whoever's reference number they know another name.
func (t *txn) knownAt(person id.Person, p state.Person, doses []release.Dose, centre id.Centre) (bool, error) {
	if slices.ContainsFunc(doses, func(d release.Dose) bool { return d.Centre == centre }) ||
		slices.ContainsFunc(p.Bookings, func(b state.Booking) bool { return b.Offer.Centre == centre }) || ablate.Off(ablate.DetailsPlace) {
		return true, nil
	}
	return t.k.asked.AskedAt(t.Txn.Txn, person, centre)
}

// correctDetails carries out a correction of who somebody is: a further version of their
// identity is sealed, the old one stays, and certificates that name them are taken back
// when it is stored. The public figures count what was said first.
func (k *Keeper) correctDetails(ctx context.Context, r vault.ApproveRequest, c correction) (vault.Amended, error) {
	var ok agreed
	o, err := k.open(ctx, func(t *txn, o *release.Opening) (err error) {
		if ok, err = t.checkApproval(r, c); err != nil {
			return err
		}
		permit := t.k.permits.Opens(ok.row, c.Centre, viewDetails, policy.Facts{Rostered: ok.rostered, Second: true, Evidence: policy.EvidenceCorrection})
		return t.Release(o, []id.Person{r.Person}, map[id.Person]vault.Record{r.Person: r.Record},
			release.Claim{View: viewDetails, Role: roleManager, Actor: string(ok.second), Reason: c.Reason, Evidence: c.ID, Permit: permit})
	})
	if err != nil {
		return vault.Amended{}, err
	}
	if len(o.People) != 1 {
		return vault.Amended{}, signin.NotYours()
	}
	op := o.People[0]
	doc, err := op.Identity(k.keys)
	if err != nil {
		return vault.Amended{}, err
	}
	if doc.Change == c.ID {
		return vault.Amended{Seal: vault.Seal{Person: op.ID}}, nil // carried out before
	}
	if doc, err = c.applyDetails(doc); err != nil {
		return vault.Amended{}, err
	}
	doc.Change, doc.ChangedBy, doc.ChangedAt = c.ID, string(ok.by)+"+"+string(ok.second), k.now().UnixMilli()
	doses, err := op.Doses(k.keys)
	if err != nil {
		return vault.Amended{}, err
	}
	revokes := ""
	if slices.ContainsFunc(doses, release.Dose.Counts) {
		revokes = "name, birth or gender corrected"
	}
	version := release.Current(op.Record)[vault.PartIdentity].Version + 1
	e := engine.Entry{View: "name, birth or gender corrected", Role: roleManager, Actor: string(ok.second), Reason: c.Reason, Evidence: c.ID, Policy: ok.policies}
	var out vault.Amended
	receipts, err := k.update(ctx, func(t *txn) error {
		if _, err := t.approval(r.Signed, c); err != nil {
			return err
		}
		p, err := t.Person(op.ID)
		if err != nil {
			return err
		}
		if err := op.Grown(p); err != nil {
			return err
		}
		if known, err := t.knownAt(op.ID, p, doses, c.Centre); err != nil || !known {
			return cmp.Or[error](err, fault.New(fault.NotFound, "reference", "no person has this reference id"))
		}
		if i := slices.IndexFunc(p.Pending, func(s state.Seal) bool { return s.Base == p.Seq && s.Key == "details/"+c.ID }); i >= 0 { // under way
			out.Seal = vault.Seal{ID: p.Pending[i].ID, Person: op.ID, Parts: p.Pending[i].Parts}
			return nil
		}
		if c.BirthYear != 0 || c.BirthDate != "" {
			p.Born = k.sealBorn(op.ID, doc.Birth())
		}
		told := state.Notice{ID: "correction/" + c.ID, Household: p.Household, Kind: noticeDose, Centre: c.Centre, Day: k.today(signin.HomeZone)}
		if _, err := t.notice(told, 0, noticeLife); err != nil {
			return err
		}
		out.Seal, err = t.sealDoc(op.ID, &p, vault.PartIdentity, version, doc, state.Seal{Key: "details/" + c.ID, Revokes: revokes}, e)
		return err
	})
	if err == nil {
		out.Seal.Receipt = done(receipts).Receipt
	}
	return out, err
}
