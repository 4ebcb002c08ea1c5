package keeper

import (
	"context"
	"encoding/json"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/loose"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// givenFacts is what a request to record a dose says beyond V5: where the dose
// comes from, and what the person showed.
type givenFacts struct {
	Source  string     `json:"source"`
	Country string     `json:"country"`
	Card    string     `json:"card"`
	Txn     string     `json:"txnId"`
	OTP     string     `json:"otp"`
	Code    loose.Text `json:"security_code"`
}

type parsedGiven struct {
	parsedDose
	source, country string
	evidence        vault.Evidence
}

// parseGiven reads a dose with its source. A dose from a record or from abroad
// may lack its lot, and its vaccinator is who saw the record.
func parseGiven(body []byte) (g parsedGiven, err error) {
	var f givenFacts
	if len(body) > 8192 || json.Unmarshal(body, &f) != nil {
		return g, fault.New(fault.Invalid, "USRRES0001", "the dose is malformed")
	}
	g.source, g.country = f.Source, f.Country
	if g.source == "" {
		g.source = rules.SourceAdministered
	}
	if g.parsedDose, err = parseDoseOf(body, g.source == rules.SourceAdministered); err != nil {
		return g, err
	}
	switch g.source {
	case rules.SourceAdministered, rules.SourceHistorical:
		if g.country != "" {
			return g, fault.New(fault.Invalid, "USRRES0001", "country belongs to a dose given abroad")
		}
	case rules.SourceAbroad:
		if len(g.country) != 2 || g.country[0] < 'A' || g.country[0] > 'Z' || g.country[1] < 'A' || g.country[1] > 'Z' || g.country == homeCountry {
			return g, fault.New(fault.Invalid, "USRRES0001", "country is the two capital letters of the country the dose was given in (ISO 3166-1)")
		}
	default:
		return g, fault.New(fault.Invalid, "USRRES0001", "source is administered, historical or abroad")
	}
	g.evidence = vault.Evidence{Code: string(f.Code), Card: f.Card, Txn: f.Txn, Digest: f.OTP}
	if g.evidence == (vault.Evidence{}) {
		return g, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: security_code, card, or txnId and otp")
	}
	return g, nil
}

// homeCountry is the country of this registry, as certificates print it.
const homeCountry = "IN"

// RecordGiven implements the vault's word: a dose of a person who showed their
// card or a code, without a booking; or one that was given before, or abroad,
// from the record the vaccinator saw.
func (k *Keeper) RecordGiven(ctx context.Context, r vault.RecordGivenRequest) (vault.Amended, error) {
	g, err := parseGiven(r.Signed.Body)
	if err != nil {
		return vault.Amended{}, err
	}
	event := vault.InboxEvent(r.Signed.Proof)
	part := vault.Part(vault.PartDosePrefix + string(event))
	var out vault.Amended
	var again bool
	var refused error
	var session state.OpenSession
	var enc encounter
	var staff id.Staff
	var policies string
	o, err := k.open(ctx, func(t *txn, o *release.Opening) (err error) {
		out, again, refused, session = vault.Amended{}, false, nil, state.OpenSession{}
		var row state.Staff
		var used bool
		if staff, row, used, err = t.Proof(r.Signed); err != nil {
			return err
		}
		rostered, err := t.onRoster(staff, row, g.centre)
		if err != nil {
			return err
		}
		permit := t.k.permits.May(row, policy.StaffDoseRecord, g.centre, policy.Facts{Rostered: rostered})
		if policies = permit.Policies(); !permit.Allowed() {
			return notAtWork(permit, "only a vaccinator of the centre records its doses")
		}
		p, known, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
		if err != nil {
			return err
		}
		known = known && p.Reference == g.reference && p.State == state.Active
		if known && used {
			if got, ok := sealedAs(r.Person, p, part); ok {
				out.Seal, again = got.Seal, true
				return nil
			}
		}
		if used {
			return proof.Bad("the proof was used before")
		}
		if session, refused, err = t.mayRecord(staff, row, g); err != nil || refused != nil {
			return err
		}
		ok := false
		var shown evidence
		if known {
			if shown, ok, err = t.personEvidence(staff, g.centre, "", r.Person, &p, g.evidence); err != nil {
				return err
			}
		}
		if !ok {
			who := r.Person
			if !known {
				who = ""
			}
			refused, err = t.wrongStaffCode(staff, who, p, t.refusedBy(permit, row, g.centre, viewVerify))
			return err
		}
		c := release.Claim{View: viewVerify, Role: roleVaccinator, Actor: string(staff), Place: session.Name, Reason: "dose", Evidence: shown.kind,
			Permit: t.k.permits.Opens(row, g.centre, viewVerify, policy.Facts{Open: true, Rostered: rostered, Evidence: policy.Evidence(shown.kind)})}
		if err := t.Release(o, []id.Person{r.Person}, map[id.Person]vault.Record{r.Person: r.Record}, c); err != nil {
			return err
		}
		enc = encounter{session: session}
		return t.openingNotice(&enc, o)
	})
	switch {
	case err != nil:
		return vault.Amended{}, err
	case refused != nil:
		return vault.Amended{}, refused
	case again:
		return out, nil
	case len(o.People) != 1:
		return vault.Amended{}, wrongCodeFault()
	}
	op := o.People[0]
	if err := k.eligible(op, g.sequence, vault.Offer{Product: g.product.Code, Day: g.day}); err != nil {
		return vault.Amended{}, err
	}
	doc := k.givenDoc(event, staff, session, g)
	return k.amend(ctx, op, doc, 1, "", engine.Entry{View: "dose recorded: " + g.source, Role: roleVaccinator, Actor: string(staff), Place: session.Name, Policy: policies},
		func(t *txn) error { return t.doseNotice(op.Row.Household, string(event), enc) })
}

// mayRecord checks that a vaccinator is at work and that the dose's day fits
// its source. A refusal is returned apart from an error, so that what was
// counted is kept.
func (t *txn) mayRecord(staff id.Staff, row state.Staff, g parsedGiven) (s state.OpenSession, refused, err error) {
	wrong, err := t.Count(staffWindow, "staff-wrong", string(staff), 0)
	if err != nil {
		return s, nil, err
	}
	if int(wrong) >= t.k.cfg.Limits.WrongStaffCodes {
		return s, &fault.Error{Kind: fault.RateLimited, Code: "codes", Text: "too many wrong security codes today; a colleague has to go on",
			RetryAfter: t.k.now().Truncate(staffWindow).Add(staffWindow).Sub(t.k.now())}, nil
	}
	open, err := t.openToday(row.Centre)
	if err != nil {
		return s, nil, err
	}
	if len(open) == 0 {
		return s, fault.New(fault.Invalid, "session", "no session is open at this centre today"), nil
	}
	s = open[0]
	today := t.k.today(s.Zone)
	if g.source != rules.SourceAdministered {
		if !g.day.Before(today) {
			return s, fault.New(fault.Invalid, "day", "a dose from a record was given before today"), nil
		}
		return s, nil, nil
	}
	if g.day != today {
		return s, fault.New(fault.Invalid, "session", "vaccine or date differ from the open session"), nil
	}
	for _, o := range open {
		if o.Product == g.product.Code {
			return o, nil, nil
		}
	}
	return s, fault.New(fault.Invalid, "session", "vaccine or date differ from the open session"), nil
}

// givenDoc is the event. A dose that was not given here has no place here: only
// who saw its record.
func (k *Keeper) givenDoc(event id.Event, staff id.Staff, s state.OpenSession, g parsedGiven) release.Dose {
	now := k.now().UnixMilli()
	doc := release.Dose{Schema: keyring.BlobSchema, Vaccinator: g.by, Staff: staff, Country: g.country,
		DoseEvent: rules.NewDoseEvent(event, g.product, g.lot, g.sequence, now, s.Zone, g.source, string(staff))}
	doc.Centre, doc.CentreName, doc.District, doc.State = s.Centre, s.Name, s.District, s.State
	if g.source != rules.SourceAdministered {
		doc.GivenDay, doc.GivenAt = g.day, g.day.In(time.UTC).Add(12*time.Hour).UnixMilli()
		if doc.GivenAt > now {
			doc.GivenAt = now
		}
	}
	return doc
}
