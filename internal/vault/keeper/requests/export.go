package requests

import (
	"context"
	"slices"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// ViewExport is everything held of a person, for them.
const ViewExport = "everything that is held"

// exportOpenings is how many entries of a person's history a file has, the newest.
const exportOpenings = 500

// Holdings is what is held of a household.
type Holdings interface {
	// Held is what is held of the session's household; its seals open only after the
	// transaction's entries are durable, by open.
	Held(on *release.Txn, h vault.Holder) (open func() (vault.ExportHousehold, error), err error)
	// Certificates are when a person's certificates that are in force end.
	Certificates(on *release.Txn, person id.Person) ([]int64, error)
	// Exported counts one more file of the household's today.
	Exported(on *release.Txn, house id.Household) error
}

// Export implements the vault's word.
func (d *Desk) Export(ctx context.Context, r vault.ExportRequest) (vault.Export, error) {
	var out vault.Export
	var household func() (vault.ExportHousehold, error)
	var more map[id.Person]vault.ExportPerson
	o, err := d.cfg.Release.Open(ctx, func(et *engine.Txn, o *release.Opening) error {
		t := d.in(et)
		house, people, _, err := d.cfg.Holders.Members(t.Txn, r.Holder)
		if err != nil {
			return err
		}
		if err := d.cfg.Holdings.Exported(t.Txn, house); err != nil {
			return err
		}
		if household, err = d.cfg.Holdings.Held(t.Txn, r.Holder); err != nil {
			return err
		}
		out.Withheld, more = nil, map[id.Person]vault.ExportPerson{}
		records := map[id.Person]vault.Record{}
		for _, rec := range r.Records {
			records[rec.Person] = rec
		}
		for _, person := range people {
			if more[person], err = t.around(person); err != nil {
				return err
			}
		}
		if out.Withheld, err = t.withheld(r.Holder, r.Records, people); err != nil {
			return err
		}
		return t.Release(o, people, records, release.Claim{View: ViewExport, Role: permits.Holder})
	})
	if err != nil {
		return vault.Export{}, err
	}
	out.At, out.ViewRef, out.Receipts, out.People = d.cfg.Now().UnixMilli(), d.cfg.Release.ViewRef(o.ViewID), append([]string{}, o.Receipts...), []vault.ExportPerson{}
	if out.Household, err = household(); err != nil {
		return vault.Export{}, err
	}
	for _, p := range o.People {
		one, err := d.exported(ctx, p, more[p.ID])
		if err != nil {
			return vault.Export{}, err
		}
		out.People = append(out.People, one)
	}
	return out, nil
}

// withheld are the members whose record was brought and who are guarded.
func (t *txn) withheld(h vault.Holder, brought []vault.Record, people []id.Person) (out []id.Reference, err error) {
	for _, rec := range brought {
		if slices.Contains(people, rec.Person) {
			continue
		}
		if _, _, err := t.d.cfg.Holders.Member(t.Txn, h, rec.Person, false); fault.Is(err, fault.Forbidden) { // no member is nobody's to hear of
			p, ok, err := engine.Get[state.Person](t, state.Persons, string(rec.Person))
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, p.Reference)
			}
		}
	}
	return out, nil
}

// around is what rows say of a person besides their sealed parts.
func (t *txn) around(person id.Person) (out vault.ExportPerson, err error) {
	p, err := t.Person(person)
	if err != nil {
		return out, err
	}
	out = vault.ExportPerson{Registered: p.Created, Joined: len(p.Joined), Appointments: []vault.ExportVisit{}}
	for _, b := range p.Bookings {
		out.Appointments = append(out.Appointments, vault.ExportVisit{Centre: b.Offer.Centre, Day: b.Offer.Day, Slot: b.Offer.Slot, Product: b.Offer.Product, Dose: b.Dose, State: b.State, Booked: b.At, Programme: b.Programme})
	}
	if p.Card != "" {
		card, _, err := engine.Get[state.Card](t, state.Cards, p.Card)
		if err != nil {
			return out, err
		}
		out.Card = card.Created
	}
	out.Certificates, err = t.d.cfg.Holdings.Certificates(t.Txn, person)
	return out, err
}

// exported opens what is sealed of a person.
func (d *Desk) exported(ctx context.Context, p release.Person, out vault.ExportPerson) (vault.ExportPerson, error) {
	doc, err := p.Identity(d.cfg.Keys)
	if err != nil {
		return out, err
	}
	out.Reference, out.Name, out.NameLocal, out.BirthYear, out.BirthDate, out.GenderID = doc.Reference, doc.Name, doc.NameLocal, doc.BirthYear, doc.BirthDate, doc.GenderID
	out.IDType, out.IDLast4, out.Comorbidity, out.Guardian = doc.IDType, doc.IDLast4, doc.Comorbidity, doc.Guardian
	out.Consents, out.Doses = []vault.ExportConsent{}, []vault.ExportDose{}
	current := release.Current(p.Record)
	for _, s := range p.Record.Parts {
		if !strings.HasPrefix(string(s.Part), vault.PartConsentPrefix) || current[s.Part].Version != s.Version {
			continue
		}
		var c release.Consent
		if err := d.cfg.Keys.OpenPart(p.ID, p.Key, s, &c); err != nil {
			return out, err
		}
		out.Consents = append(out.Consents, vault.ExportConsent{Version: c.Version, Language: c.Language, Purpose: c.Purpose, By: c.By, At: c.At})
	}
	doses, err := p.Doses(d.cfg.Keys)
	if err != nil {
		return out, err
	}
	for _, e := range doses {
		out.Doses = append(out.Doses, vault.ExportDose{Event: e.Event, Product: e.Product, Lot: e.Lot, Sequence: e.Sequence, Day: e.Day(), Place: e.CentreName, District: e.District, Vaccinator: e.Vaccinator,
			Source: e.Source, Country: e.Country, Status: e.Status, Reason: e.Reason, Recorded: e.RecordedAt, ChangedAt: e.ChangedAt, Versions: current[vault.Part(vault.PartDosePrefix+string(e.Event))].Version})
	}
	err = d.eng.View(ctx, func(et *engine.Txn) error { // the release is durable
		t := d.in(et)
		out.Openings, out.Requests = []vault.Opening{}, []vault.Request{}
		rows, err := t.Tx.ByPerson(t.Ctx, d.cfg.Keys.PersonTag(p.ID), 0, exportOpenings)
		if err != nil {
			return err
		}
		out.OpeningsMore = len(rows) == exportOpenings
		for _, row := range rows {
			e, err := d.eng.OpenEntry(row)
			if err != nil {
				return err
			}
			o := vault.Opening{Index: e.Index, At: e.At, Reference: doc.Reference, Kind: e.Kind, View: e.View, Role: e.Role, Place: e.Place, Reason: e.Reason}
			if e.ViewID != "" {
				o.ViewRef = d.cfg.Release.ViewRef(e.ViewID)
			}
			out.Openings = append(out.Openings, o)
		}
		list, _, err := t.get(whoKey(p.ID))
		if err != nil {
			return err
		}
		for _, tracking := range list.Open {
			r, err := t.request(tracking)
			if err != nil {
				return err
			}
			v, err := t.shown(tracking, r)
			if err != nil {
				return err
			}
			out.Requests = append(out.Requests, v)
		}
		return nil
	})
	return out, err
}
