package keeper

import (
	"context"
	"slices"
	"strconv"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/partners"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// The views of this version. A view is the least set of fields for a purpose.
const (
	viewBooking     = "booking view"
	viewEligibility = "eligibility"
	viewSlip        = "appointment slip"
	viewCertificate = "certificate"
	viewOpenings    = "access history"
	viewVerify      = "dose history at the centre"
)

// Open implements the vault's word: the booking view of the household, for a
// partner the masked one.
func (k *Keeper) Open(ctx context.Context, r vault.OpenRequest) (vault.Opened, error) {
	var v partners.Visitor
	var sealed, place []byte // the number's last digits: opened after the entries
	o, err := k.open(ctx, func(t *txn, o *release.Opening) (err error) {
		if v, err = k.partners.Visit(t.Txn, r.Holder, vault.ScopeSignIn, true); err != nil || v.House == "" {
			return err
		}
		h, err := t.Household(v.House)
		if err != nil {
			return err
		}
		sealed, place = h.Last4, k.keys.ContactAAD("last4", string(v.House))
		people, records, err := signin.MembersOf(h, r.Records, true)
		if err != nil {
			return err
		}
		if r.Remembered && slices.ContainsFunc(people, func(p id.Person) bool { _, ok := records[p]; return !ok }) {
			return fault.New(fault.Conflict, "members", "the household has other members now")
		}
		c := v.Claim(release.Claim{View: viewBooking, Role: "holder"})
		if v.Partner != "" || v.Bearer.Cooling {
			c.View, sealed = partners.ViewMasked, nil
		}
		return t.Release(o, people, records, c)
	})
	if err != nil {
		return vault.Opened{}, err
	}
	var last4 []byte
	if len(sealed) > 0 { // a person without a mobile has none
		if last4, err = k.keys.Contact.Open(nil, nil, sealed, place); err != nil {
			return vault.Opened{}, state.Integrity(state.Households, "a number does not open")
		}
	}
	if o.ViewID == "" {
		o.ViewID = release.NewViewID()
	}
	out := vault.Opened{Waiting: v.Bearer.Cooling && v.Partner == "", Masked: v.Bearer.Cooling || v.Partner != "" && !ablate.Off(ablate.PartnerScope), ViewRef: k.release.ViewRef(o.ViewID), Receipts: o.Receipts, People: []vault.Person{}}
	for _, p := range o.People {
		view, err := k.bookingView(p)
		if err != nil {
			return vault.Opened{}, err
		}
		view.MobileLast4 = string(last4)
		out.People = append(out.People, v.Shown(view))
	}
	return out, nil
}

func (k *Keeper) bookingView(p release.Person) (vault.Person, error) {
	doc, err := p.Identity(k.keys)
	if err != nil {
		return vault.Person{}, err
	}
	doses, err := p.Doses(k.keys)
	if err != nil {
		return vault.Person{}, err
	}
	v := vault.Person{Person: p.ID, Reference: doc.Reference, Name: doc.Name, BirthYear: doc.BirthYear, GenderID: doc.GenderID,
		IDType: doc.IDType, IDLast4: doc.IDLast4, Comorbidity: doc.Comorbidity}
	v.Joined, v.Draws = p.Row.Joined, drawsOf(p.Row)
	history := release.Given(doses)
	v.Status = rules.Status(history)
	for _, d := range doses {
		if !d.Counts() {
			continue
		}
		v.Product = d.Product
		switch d.Sequence {
		case 1:
			v.Dose1 = d.Day()
		case 2:
			v.Dose2 = d.Day()
		}
	}
	return v, nil
}

// Openings implements the vault's word: a person's own access history. Reading
// it is an opening too.
func (k *Keeper) Openings(ctx context.Context, r vault.OpeningsRequest) (vault.Openings, error) {
	if r.Limit < 1 || r.Limit > 200 {
		r.Limit = 50
	}
	var rows []state.Entry
	var who map[id.Person]id.Reference
	var viewID string
	var withheld []id.Reference
	var oldest int64 // when the oldest of them was registered
	receipts, err := k.update(ctx, func(t *txn) error {
		rows, who, viewID, withheld, oldest = nil, map[id.Person]id.Reference{}, release.NewViewID(), nil, k.now().UnixMilli()
		house, bearer, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		permit := k.permits.Own(permits.Holder, viewOpenings)
		if !permit.Shows(viewOpenings) {
			return permits.Denied()
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		found := r.Person == ""
		for _, m := range signin.ActiveMembers(h) {
			if r.Person != "" && r.Person != m.Person {
				continue
			}
			found = true
			tag := k.keys.PersonTag(m.Person)
			p, err := t.Person(m.Person)
			if err != nil {
				return err
			}
			if err := t.guarded(bearer, house, m.Person, p); fault.Is(err, fault.Forbidden) && r.Person == "" {
				withheld = append(withheld, p.Reference)
				continue
			} else if err != nil {
				return err
			}
			who[m.Person], oldest = p.Reference, min(oldest, p.Created)
			page, err := t.Tx.ByPerson(ctx, tag, r.Before, r.Limit)
			if err != nil {
				return err
			}
			rows = append(rows, page...)
			t.Append(engine.Entry{Kind: "opening", Person: m.Person, House: house, View: viewOpenings, Role: permits.Holder, ViewID: viewID, Policy: permit.Policies()})
		}
		if !found {
			return signin.NotYours()
		}
		gaps, err := t.Tx.ByPerson(ctx, k.keys.PersonTag(gapsTopic), r.Before, r.Limit)
		rows = append(rows, gaps...)
		return err
	})
	if err != nil {
		return vault.Openings{}, err
	}
	out := vault.Openings{ViewRef: k.release.ViewRef(viewID), Receipts: receipts, Entries: []vault.Opening{}, Withheld: withheld}
	sortNewest(rows)
	for _, row := range rows[:min(len(rows), r.Limit)] {
		e, err := k.eng.OpenEntry(row)
		if err != nil {
			return vault.Openings{}, err
		}
		if e.Kind == kindGap && (e.At < oldest || len(who) == 0) {
			continue // before anybody of them was here
		}
		o := vault.Opening{Index: e.Index, At: e.At, Person: e.Person, Reference: who[e.Person], Kind: e.Kind, View: e.View, Role: e.Role, Place: e.Place, Reason: e.Reason}
		if e.ViewID != "" {
			o.ViewRef = k.release.ViewRef(e.ViewID)
		}
		if e.Kind == kindGap {
			first, err := strconv.ParseInt(e.Reason, 10, 64)
			if err != nil {
				return vault.Openings{}, state.Integrity("entry", "a gap's entry is malformed")
			}
			o.Reason, o.Lost = "", &vault.LostEntries{First: first, Last: first + e.Lost - 1}
		}
		out.Entries = append(out.Entries, o)
	}
	return out, nil
}
