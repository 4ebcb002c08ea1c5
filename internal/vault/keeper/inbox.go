package keeper

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

const (
	// inboxLife is how long a dose may wait for the vault: a day of outage is
	// recorded, an older proof is none.
	inboxLife = 24 * time.Hour
	// inboxSkew is how far the time the web role notes may be from the proof's.
	inboxSkew = 2 * time.Minute
	// unconfirmedKept bounds the digests by which a dose told twice is known.
	unconfirmedKept = 20
	// staffUnconfirmed is how many doses without evidence one vaccinator may record
	// in a day (UTC): twice a full session of 200.
	staffUnconfirmed = 400
)

// StaffNames implements the vault's word.
func (k *Keeper) StaffNames(ctx context.Context, _ vault.Empty) (vault.StaffNames, error) {
	out := vault.StaffNames{Names: []id.Staff{}}
	now := k.now().UnixMilli()
	err := k.store.View(ctx, func(tx state.Tx) error {
		out.Names = out.Names[:0]
		for after := ""; ; {
			rows, err := tx.Scan(ctx, state.StaffKeys, after, 500)
			if err != nil {
				return err
			}
			for _, r := range rows {
				var s state.Staff
				if json.Unmarshal(r.Content, &s) == nil && s.Active {
					out.Names = append(out.Names, id.Staff(r.Key))
				}
				after = r.Key
			}
			if len(rows) < 500 {
				break
			}
		}
		for after := ""; ; { // what a session may do, and whether it lives, its acts ask
			rows, err := tx.Scan(ctx, state.StaffSessions, after, 500)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r.Expires > now {
					out.Names = append(out.Names, id.Staff(r.Key))
				}
				after = r.Key
			}
			if len(rows) < 500 {
				return nil
			}
		}
	})
	return out, err
}

// late verifies a staff request that waited sealed: like proven, but the proof's
// time is held against when it came in. It may be asked again for the same
// request: the event is named by the proof, so that the same request is the same
// dose. stale says that it is the manager's to judge: it waited too long, or the
// credential was ended meanwhile; used that this very request was seen before, not
// another one under its proof id.
func (t *txn) late(item vault.InboxItem) (staff id.Staff, row state.Staff, stale, used bool, err error) {
	staff, claims, row, err := t.Parts(item.Signed)
	if err != nil {
		return "", row, false, false, err
	}
	received := time.UnixMilli(item.Received)
	if err := claims.Match(item.Signed); err != nil {
		return "", row, false, false, err
	}
	if d := received.Sub(time.Unix(claims.Issued, 0)); d > proof.ProofWindow+inboxSkew || d < -proof.ProofWindow-inboxSkew {
		return "", row, false, false, proof.Bad("the proof's time is not that of its arrival")
	}
	wait := t.k.now().Sub(received)
	if wait < -inboxSkew { // a clock is wrong, perhaps ours: it waits, as it was acknowledged
		return "", row, false, false, fault.New(fault.Unavailable, "clock", "the request is from the future")
	}
	live := row.Active || (row.Lapsed && received.UnixMilli() < row.Until) // a session whose time ended while the vault was away
	stale = wait > inboxLife || !live
	key := string(staff) + "/" + claims.ID
	mark := t.k.proofs.ProofMark(claims)
	before, found, err := engine.Get[state.Counter](t, state.Replays, key)
	if err != nil || found {
		return staff, row, stale, found && before.N == mark, err
	}
	return staff, row, stale, false, engine.Put(t, state.Replays, key, state.Counter{N: mark}, t.k.now().Add(2*inboxLife).UnixMilli())
}

// AcceptDose implements the vault's word: a dose that was recorded write-only. It
// is sealed into the person's record as not confirmed; nothing of the record is
// opened, and nothing leaves (I9).
func (k *Keeper) AcceptDose(ctx context.Context, r vault.AcceptRequest) (vault.Accepted, error) {
	key, err := k.keys.InboxKey()
	if err != nil {
		return vault.Accepted{}, err
	}
	item, err := vault.OpenInbox(key, k.keys.Realm, r.Event, r.Sealed)
	if err != nil {
		k.log.Warn("alarm: a sealed dose does not open", "alarm", "inbox")
		return vault.Accepted{Verdict: vault.InboxRefused}, nil //nolint:nilerr // the verdict is the answer
	}
	facts, err := parseDose(item.Signed.Body)
	if err != nil || vault.InboxEvent(item.Signed.Proof) != r.Event {
		k.log.Warn("alarm: a sealed dose is not one that waits for a person", "alarm", "inbox")
		return vault.Accepted{Verdict: vault.InboxRefused}, nil //nolint:nilerr // the verdict is the answer
	}
	if facts.code != "" || facts.shown.Card != "" { // a one-time code cannot be judged later
		if got, done, err := k.acceptShown(ctx, r, item, facts); err != nil || done {
			return got, err
		}
	}
	var out vault.Accepted
	receipts, err := k.update(ctx, func(t *txn) (err error) {
		out, err = t.accept(r, item, facts)
		return err
	})
	if fault.Is(err, fault.Unauthorized) || fault.Is(err, fault.Forbidden) {
		k.log.Warn("alarm: a sealed dose is not a vaccinator's", "alarm", "inbox")
		return vault.Accepted{Verdict: vault.InboxRefused}, nil
	}
	if err == nil {
		out.Seal.Receipt = done(receipts).Receipt
	}
	return out, err
}

func (t *txn) accept(r vault.AcceptRequest, item vault.InboxItem, f parsedDose) (vault.Accepted, error) {
	p, known, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil {
		return vault.Accepted{}, err
	}
	part := vault.Part(vault.PartDosePrefix + string(r.Event))
	if known {
		if out, ok := sealedAs(r.Person, p, part); ok {
			return out, nil
		}
	}
	staff, row, stale, again, err := t.late(item)
	if err != nil {
		return vault.Accepted{}, err
	}
	rostered, err := t.k.office.RosteredOn(t, staff, row, f.centre, f.day)
	if err != nil {
		return vault.Accepted{}, err
	}
	permit := t.k.permits.May(row, policy.StaffDose, f.centre, policy.Facts{Rostered: rostered})
	switch {
	case permit.Allowed():
	case permit.Missing() == policy.MissingRoster: // nothing is dropped: the manager and a second person see whose it is
		return vault.Accepted{Verdict: vault.InboxNobody}, nil
	case permit.Missing() == policy.MissingPlace: // mistyped: its own centre works on it
		return vault.Accepted{Verdict: vault.InboxNobody, Centre: row.Centre}, nil
	default:
		return vault.Accepted{}, permits.Refused("only a vaccinator of the centre records its doses")
	}
	doc, today, err := t.unconfirmed(r.Event, item, staff, f)
	if err != nil {
		return vault.Accepted{}, err
	}
	if d := f.day.DaysSince(today); d > 0 || d < -1 {
		stale = true // a dose is recorded on its day or the day after
	}
	if stale || !known || p.Reference != f.reference || (p.State != state.Active && p.State != state.Pending) {
		if !again {
			err = t.fromStock(staff, f.centre, f.day, f.product.Code)
		}
		return vault.Accepted{Verdict: vault.InboxNobody}, err
	}
	n, err := t.Count(staffWindow, "staff-unconfirmed", string(staff), 1)
	if err != nil {
		return vault.Accepted{}, err
	}
	if n > staffUnconfirmed { // it waits; nothing that was acknowledged is refused for being many
		return vault.Accepted{}, fault.New(fault.RateLimited, "many", "too many doses without evidence today")
	}
	told := t.k.givenDigest(r.Person, "", f)
	if toldBefore(p, told, r.Event) { // the same dose, signed anew because no answer came
		return vault.Accepted{Verdict: vault.InboxSealed, Seal: vault.Seal{Person: r.Person}}, nil
	}
	if i, err := t.k.release.MatchRecord(r.Person, p, r.Record); err != nil {
		return vault.Accepted{}, err
	} else if i >= 0 {
		if err := t.Advance(r.Person, &p, i); err != nil {
			return vault.Accepted{}, err
		}
	}
	if p.State == state.Pending {
		return vault.Accepted{}, fault.New(fault.Conflict, "pending", "the registration is not stored yet")
	}
	if mark := told + "/" + string(r.Event); !slices.Contains(p.Told, mark) {
		p.Told = append(p.Told[max(0, len(p.Told)-unconfirmedKept+1):], mark)
	}
	if err := t.holdEvent(r.Event, r.Person); fault.Is(err, fault.Conflict) { // it was assigned meanwhile
		return vault.Accepted{Verdict: vault.InboxSealed, Seal: vault.Seal{Person: r.Person}}, nil
	} else if err != nil {
		return vault.Accepted{}, err
	}
	if err := t.eventNotice(p.Household, string(r.Event), doc); err != nil { // it waits for the person, who has to know
		return vault.Accepted{}, err
	}
	if err := t.visitEnded(p, r.Person, doc.Centre, doc.GivenDay, budget.GaveDose); err != nil {
		return vault.Accepted{}, err
	}
	if err := t.fromStock(staff, f.centre, f.day, f.product.Code); err != nil {
		return vault.Accepted{}, err
	}
	seal, err := t.sealDoc(r.Person, &p, part, 1, doc, state.Seal{}, engine.Entry{View: "dose recorded, not confirmed", Role: roleVaccinator, Actor: string(staff), Place: doc.CentreName, Policy: permit.Policies()})
	if err != nil {
		return vault.Accepted{}, err
	}
	return vault.Accepted{Verdict: vault.InboxSealed, Seal: seal}, nil
}

// sealedAs answers for a part that is in the record or on its way there.
func sealedAs(person id.Person, p state.Person, part vault.Part) (vault.Accepted, bool) {
	out := vault.Accepted{Verdict: vault.InboxSealed, Seal: vault.Seal{Person: person}}
	if p.Parts[part] > 0 {
		return out, true
	}
	for _, s := range p.Pending {
		if s.Base == p.Seq && slices.ContainsFunc(s.Parts, func(x vault.Sealed) bool { return x.Part == part }) {
			out.Seal.ID, out.Seal.Parts = s.ID, s.Parts
			return out, true
		}
	}
	return out, false
}

// sealDoc seals one document on top of a person's head, with its entry, and puts
// the person. seal says what else waits for its being stored.
func (t *txn) sealDoc(person id.Person, p *state.Person, part vault.Part, version int, doc any, seal state.Seal, e engine.Entry) (vault.Seal, error) {
	key, err := t.k.keys.DataKey(person, *p)
	if err != nil {
		return vault.Seal{}, err
	}
	sealed, err := t.k.keys.SealPart(person, key, p.Seq+1, part, version, doc)
	if err != nil {
		return vault.Seal{}, err
	}
	seal.ID, seal.Parts = id.New(), []vault.Sealed{sealed}
	e.House = p.Household
	if err := t.AddSeal(person, p, seal, e); err != nil {
		return vault.Seal{}, err
	}
	return vault.Seal{ID: seal.ID, Person: person, Parts: seal.Parts}, engine.Put(t, state.Persons, string(person), *p, 0)
}

// toldBefore reports whether another event of the person's record says the same.
func toldBefore(p state.Person, told string, event id.Event) bool {
	return slices.ContainsFunc(p.Told, func(mark string) bool {
		digest, other, _ := strings.Cut(mark, "/")
		return digest == told && other != string(event) && p.Parts[vault.Part(vault.PartDosePrefix+other)] > 0
	})
}

// unconfirmed is the event of a dose that was recorded without evidence, and the
// day at its place when it came in. The place is that of a session opened there
// that day, where there was one.
func (t *txn) unconfirmed(event id.Event, item vault.InboxItem, staff id.Staff, f parsedDose) (release.Dose, civil.Date, error) {
	zone, name, district, st, err := t.placeOf(f.centre, f.day)
	if err != nil {
		return release.Dose{}, civil.Date{}, err
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	doc := release.Dose{Schema: keyring.BlobSchema, Centre: f.centre, CentreName: name, District: district, State: st, Vaccinator: f.by, Staff: staff,
		DoseEvent: rules.NewDoseEvent(event, f.product, f.lot, f.sequence, item.Received, zone, rules.SourceAdministered, string(staff))}
	today := doc.GivenDay
	doc.Status = rules.StatusUnconfirmed
	if f.day != today {
		doc.GivenDay, doc.Precision = f.day, rules.PrecisionDay
		doc.GivenAt = min(f.day.In(loc).Add(12*time.Hour).UnixMilli(), item.Received)
	}
	return doc, today, nil
}

// placeOf is where a centre's doses of a day were given, as its manager signed it.
func (t *txn) placeOf(c id.Centre, day civil.Date) (zone, name, district, st string, err error) {
	row, ok, err := engine.Get[state.OpenDay](t, state.OpenDays, openDayKey(c, day))
	if err != nil {
		return "", "", "", "", err
	}
	if ok {
		for _, sid := range row.Sessions {
			s, found, err := engine.Get[state.OpenSession](t, state.OpenSessions, state.OpenSessionKey(c, sid, day))
			if err != nil {
				return "", "", "", "", err
			}
			if found {
				return s.Zone, s.Name, s.District, s.State, nil
			}
		}
	}
	return signin.HomeZone, "Centre " + itoa(int64(c)), "", "", nil
}
