package keeper

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/loose"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// evidenceRoster is a place in the day's list and a fresh assertion of the member of staff:
// nothing that the person showed.
const evidenceRoster = "roster"

// viewDayList is who is expected: slot, initial, and the last two digits of the reference.
const viewDayList = "list of the day"

// listsPerDay is how often a member of staff has the list of one session in a day: the list
// names many, and once is enough but for a browser that lost it.
const listsPerDay = 5

// rosterBody is the signed body of what is asked about a day's list.
type rosterBody struct {
	Centre  loose.Text `json:"center_id"`
	Session id.Session `json:"session_id"`
	Row     string     `json:"row_id"`
	Reason  string     `json:"reason"`
	Nonce   string     `json:"nonce"` // of the fresh assertion
}

// parseRoster reads such a body; which fields are needed is the caller's to know.
func parseRoster(body []byte) (f rosterBody, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if len(body) > 8192 || dec.Decode(&f) != nil || dec.More() || len(f.Session) > 100 || len(f.Row) > 200 || len(f.Nonce) > 200 {
		return f, fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	return f, nil
}

// atWork is a vaccinator with an open session, and the session that is asked for.
func (t *txn) atWork(s vault.Signed, wanted id.Session, do policy.Action) (staff id.Staff, row state.Staff, session state.OpenSession, policies string, err error) {
	staff, row, sessions, facts, err := t.staffAtWork(s)
	if err != nil {
		return staff, row, session, "", err
	}
	permit := t.k.permits.May(row, do, row.Centre, facts)
	if !permit.Allowed() {
		return staff, row, session, "", notAtWork(permit, "only a vaccinator of the centre opens a record")
	}
	i := slices.IndexFunc(sessions, func(o state.OpenSession) bool { return wanted == "" || o.Session == wanted })
	if i < 0 {
		return staff, row, session, "", fault.New(fault.NotFound, "session", "that session is not open at this centre today")
	}
	return staff, row, sessions[i], permit.Policies(), nil
}

// rosterMode reports whether a centre opens from its list.
func (t *txn) rosterMode(c id.Centre) (bool, error) {
	on, err := budgets.Roster(budgetRows{t}, c)
	if err == nil && on {
		var older []string
		older, err = t.k.changes.Older(t.Engine())
		on = len(older) == 0 // else nobody knows whether it was let open as much as the copy says
	}
	return on || ablate.Off(ablate.RosterMode), err
}

// DayList implements the vault's word.
func (k *Keeper) DayList(ctx context.Context, r vault.DayListRequest) (vault.DayList, error) {
	f, err := parseRoster(r.Signed.Body)
	if err == nil && (f.Session == "" || f.Row != "" || len(r.People) > vault.MaxDayList) {
		err = fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: session_id")
	}
	if err != nil {
		return vault.DayList{}, err
	}
	var l listing
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		l = listing{mode: vault.DayListCode}
		var err error
		var row state.Staff
		var policies string
		if l.staff, row, l.session, policies, err = t.atWork(r.Signed, f.Session, policy.StaffList); err != nil {
			return err
		}
		on, err := t.rosterMode(l.session.Centre)
		if err != nil {
			return err
		}
		n, err := t.Count(staffWindow, "day-list", string(l.staff)+"/"+string(l.session.Session)+"/"+l.session.Day.String(), 1)
		if err != nil {
			return err
		}
		if n > listsPerDay {
			return &fault.Error{Kind: fault.RateLimited, Code: "list", Text: "you have had this list five times today; work on with the one you have, or by code",
				RetryAfter: t.k.now().Truncate(staffWindow).Add(staffWindow).Sub(t.k.now())}
		}
		people, records, err := t.expected(r.People, &l)
		if err != nil {
			return err
		}
		c := release.Claim{View: viewDayList, Role: roleVaccinator, Actor: string(l.staff), Place: l.session.Name, Reason: evidenceRoster, Evidence: string(l.session.Session),
			Permit: t.k.permits.Opens(row, row.Centre, viewDayList, policy.Facts{Open: true, Rostered: true, Listed: on, Evidence: policy.EvidenceRoster})}
		if !on {
			t.Append(engine.Entry{Kind: "list", View: viewDayList, Role: c.Role, Actor: c.Actor, Place: c.Place, Reason: vault.DayListCode, Policy: policies})
			return nil
		}
		l.mode = vault.DayListRoster
		return t.Release(o, people, records, c)
	})
	if err != nil {
		return vault.DayList{}, err
	}
	return k.dayList(o, l)
}

// listing is a day's list on its way.
type listing struct {
	mode    string
	staff   id.Staff
	session state.OpenSession
	slots   map[id.Person]string
}

// expected are those of the people brought who have a live booking in the session that the
// vault itself knows of.
func (t *txn) expected(brought []vault.Record, l *listing) (people []id.Person, records map[id.Person]vault.Record, err error) {
	l.slots, records = map[id.Person]string{}, map[id.Person]vault.Record{}
	for _, rec := range brought {
		p, ok, err := engine.Get[state.Person](t, state.Persons, string(rec.Person))
		if err != nil {
			return nil, nil, err
		}
		i := -1
		if ok && p.State == state.Active {
			i = bookedIn(p, l.session)
		}
		if _, twice := records[rec.Person]; i < 0 || twice {
			continue
		}
		l.slots[rec.Person], records[rec.Person] = p.Bookings[i].Offer.Slot, rec
		people = append(people, rec.Person)
	}
	return people, records, nil
}

// bookedIn is the place of a live booking in a session of this day, or -1.
func bookedIn(p state.Person, s state.OpenSession) int {
	return slices.IndexFunc(p.Bookings, func(b state.Booking) bool {
		return b.State == state.Live && b.Offer.Centre == s.Centre && b.Offer.Session == s.Session && b.Offer.Day == s.Day
	})
}

// dayList makes the list of what was released. People who do not exist are on it, too, in
// no way that shows.
func (k *Keeper) dayList(o *release.Opening, l listing) (vault.DayList, error) {
	out := vault.DayList{Mode: l.mode, Rows: []vault.DayRow{}, Receipts: o.Receipts}
	type row struct {
		vault.DayRow
		order string
	}
	var rows []row
	add := func(person id.Person, slot, initial, reference string) {
		r := row{order: slot + "/" + hex.EncodeToString(k.keys.MAC(keyring.PurposeMatch, []byte("list order"), []byte(person), []byte(l.session.Day.String()))[:8])}
		r.Slot = slot
		if l.mode == vault.DayListRoster {
			r.Initial, r.LastTwo, r.Row = initial, reference[max(0, len(reference)-2):], k.sealRow(l, person)
		}
		rows = append(rows, r)
	}
	if l.mode == vault.DayListRoster {
		out.ViewRef = k.release.ViewRef(o.ViewID)
		for _, p := range o.People {
			doc, err := p.Identity(k.keys)
			if err != nil {
				return vault.DayList{}, err
			}
			add(p.ID, l.slots[p.ID], initialOf(doc.Name), string(doc.Reference))
		}
		for _, ph := range k.phantoms(l.session, l.slots) {
			add(ph.id, ph.slot, initialOf(ph.Name), ph.Reference)
		}
	} else {
		for person, slot := range l.slots {
			add(person, slot, "", "")
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.order, b.order) })
	for i, r := range rows {
		r.Number = i + 1
		out.Rows = append(out.Rows, r.DayRow)
	}
	return out, nil
}

func initialOf(name string) string {
	for _, r := range name {
		return string(r)
	}
	return ""
}

// rowPlace binds a row to the member of staff, the session and the day: it opens nothing
// for anybody else or later.
func (k *Keeper) rowPlace(staff id.Staff, s state.OpenSession) []byte {
	return k.keys.ContactAAD("roster row", string(staff)+"/"+state.OpenSessionKey(s.Centre, s.Session, s.Day))
}

func (k *Keeper) sealRow(l listing, person id.Person) string {
	return base64.RawURLEncoding.EncodeToString(k.keys.Contact.Seal(nil, nil, []byte(person), k.rowPlace(l.staff, l.session)))
}

// rowOf is whom a row names, and the session it is of. ok is false for a row of somebody
// else, another centre or another day, and for what is none.
func (t *txn) rowOf(staff id.Staff, sessions []state.OpenSession, text string) (person id.Person, s state.OpenSession, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", s, false
	}
	for _, s := range sessions {
		if p, err := t.k.keys.Contact.Open(nil, nil, raw, t.k.rowPlace(staff, s)); err == nil {
			return id.Person(p), s, true
		}
	}
	return "", s, false
}

// RosterRow implements the vault's word. Nothing is written.
func (k *Keeper) RosterRow(ctx context.Context, r vault.RosterRowRequest) (vault.RosterRow, error) {
	f, err := parseRoster(r.Signed.Body)
	if err != nil {
		return vault.RosterRow{}, err
	}
	var out vault.RosterRow
	err = k.view(ctx, func(t *txn) error {
		out = vault.RosterRow{}
		t.ReadOnly()
		staff, _, sessions, _, err := t.staffAtWork(r.Signed)
		if err != nil {
			return err
		}
		if person, _, ok := t.rowOf(staff, sessions, f.Row); ok && !isPhantom(person) {
			out.Person = person
		}
		return nil
	})
	return out, err
}

// notFresh is told whoever opens from the list without having just touched their passkey.
func notFresh() error {
	return fault.New(fault.Forbidden, "FRESH", "opening from the list needs the passkey of a signed-in member of staff, touched for this very request; a machine's key opens by what the person shows")
}

// RosterOpen implements the vault's word: evidence, budget and entry in one transaction,
// then the plaintext.
func (k *Keeper) RosterOpen(ctx context.Context, r vault.RosterOpenRequest) (vault.RosterOpened, error) {
	f, err := parseRoster(r.Signed.Body)
	if err == nil && f.Row == "" {
		err = fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: row_id")
	}
	if err != nil {
		return vault.RosterOpened{}, err
	}
	early, err := k.budgetAhead(ctx, r, f)
	if err != nil {
		return vault.RosterOpened{}, err
	}
	var refused error
	var verdict budget.Verdict
	var session state.OpenSession
	var ghost, person id.Person
	var staff id.Staff
	var row state.Staff
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		refused, verdict, ghost = nil, budget.Verdict{}, ""
		var err error
		if staff, row, person, session, refused, err = t.listed(r.Signed, f); err != nil || refused != nil {
			return err
		}
		if isPhantom(person) {
			if verdict, refused, err = t.phantomOpened(staff, session, person); err == nil && refused == nil {
				ghost, o.ViewID = person, release.NewViewID()
			}
			return err
		}
		if r.Record.Person != person {
			return fault.New(fault.Conflict, "record", "the record is not that of the row")
		}
		verdict, refused, err = t.openRow(o, staff, row, session, person, r.Record, early)
		return err
	})
	switch {
	case err != nil:
		return vault.RosterOpened{}, err
	case refused != nil:
		return vault.RosterOpened{}, refused
	}
	if early != nil {
		k.countLate(ctx, staff, session, person)
	}
	out := vault.RosterOpened{Warn: verdict.Warn, StaffView: vault.StaffView{Centre: session.Centre, ViewRef: k.release.ViewRef(o.ViewID), Receipts: o.Receipts}}
	switch {
	case ghost != "":
		out.Person = k.ghost(session, ghost)
	case len(o.People) != 1:
		return vault.RosterOpened{}, notShown()
	default:
		out.Person, err = k.bookingView(o.People[0])
	}
	return out, err
}

// listed checks who asks, that they may open from the list, and whom the row names. A
// refusal that leaves a trace is returned apart from an error.
func (t *txn) listed(s vault.Signed, f rosterBody) (staff id.Staff, row state.Staff, person id.Person, session state.OpenSession, refused, err error) {
	staff, row, session, _, err = t.atWork(s, "", policy.StaffListOpen)
	if err != nil {
		return staff, row, "", session, nil, err
	}
	on, err := t.rosterMode(row.Centre)
	if err != nil {
		return staff, row, "", session, nil, err
	}
	if !on {
		return staff, row, "", session, nil, fault.New(fault.Forbidden, "NEEDCODE", "this centre opens by what the person shows: their code, card or a one-time code; in an emergency two members of staff break the glass together, twice a day each")
	}
	if !ablate.Off(ablate.FreshAssertion) {
		if err := t.k.fresh(t, s); err != nil {
			return staff, row, "", session, nil, err
		}
	}
	sessions, err := t.openToday(row.Centre)
	if err != nil {
		return staff, row, "", session, nil, err
	}
	person, session2, ok := t.rowOf(staff, sessions, f.Row)
	if !ok {
		return staff, row, "", session, t.elsewhere(staff, row, session, "", state.Person{}), nil
	}
	return staff, row, person, session2, nil, nil
}

// elsewhere refuses a row of another day, centre or member of staff, or of somebody who
// has no appointment here any more, and tells those who watch.
func (t *txn) elsewhere(staff id.Staff, row state.Staff, s state.OpenSession, person id.Person, p state.Person) error {
	unlisted := t.k.permits.Opens(row, s.Centre, viewVerify, policy.Facts{Open: true, Rostered: true, Fresh: true, Evidence: policy.EvidenceRoster})
	t.Append(engine.Entry{Kind: "refusal", Person: person, House: p.Household, View: viewVerify, Role: roleVaccinator, Actor: string(staff), Place: s.Name, Reason: "not on the list of this session", Policy: unlisted.Policies()})
	if err := budgets.Note(budgetRows{t}, t.budgetPlace(staff, s), "elsewhere"); err != nil {
		return err
	}
	return notShown()
}

// openRow opens a person from the list: the booking, the budget, the entry.
func (t *txn) openRow(o *release.Opening, staff id.Staff, row state.Staff, s state.OpenSession, person id.Person, rec vault.Record, early *budget.Verdict) (v budget.Verdict, refused, err error) {
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	if err != nil {
		return v, nil, err
	}
	i := -1
	if ok && p.State == state.Active {
		i = bookedIn(p, s)
	}
	if i < 0 {
		return v, t.elsewhere(staff, row, s, person, p), nil
	}
	if early != nil {
		v = *early
	} else if v, err = t.budgeted(staff, s, budget.OpenBare, person); err != nil {
		return v, nil, err
	}
	c := release.Claim{View: viewVerify, Role: roleVaccinator, Actor: string(staff), Place: s.Name, Reason: evidenceRoster, Evidence: string(p.Bookings[i].Hold),
		Permit: t.k.permits.Opens(row, s.Centre, viewVerify, policy.Facts{Open: true, Rostered: true, Listed: true, Fresh: true, Evidence: policy.EvidenceRoster})}
	if v.Outcome != budget.Allow {
		t.Append(engine.Entry{Kind: "refusal", Person: person, House: p.Household, View: c.View, Role: c.Role, Actor: c.Actor, Place: c.Place, Reason: evidenceRoster + ": " + string(v.Reason), Policy: c.Permit.Policies()})
		return v, needCode(v), nil
	}
	openedBy(&p.Bookings[i], staff)
	if err := engine.Put(t, state.Persons, string(person), p, 0); err != nil {
		return v, nil, err
	}
	if err := t.Release(o, []id.Person{person}, map[id.Person]vault.Record{person: rec}, c); err != nil {
		return v, nil, err
	}
	return v, nil, t.openingNotice(&encounter{session: s}, o)
}

// budgetAhead judges the budget on a snapshot before the opening's transaction, as a vault
// would that counts only about right. Only builds that switch that control off do; nil
// otherwise.
func (k *Keeper) budgetAhead(ctx context.Context, r vault.RosterOpenRequest, f rosterBody) (out *budget.Verdict, err error) {
	if !ablate.Off(ablate.BudgetStrict) {
		return nil, nil
	}
	err = k.view(ctx, func(t *txn) error {
		t.ReadOnly()
		staff, _, sessions, _, err := t.staffAtWork(r.Signed)
		if err != nil {
			return err
		}
		if person, s, ok := t.rowOf(staff, sessions, f.Row); ok && !isPhantom(person) {
			v, err := t.budgeted(staff, s, budget.OpenBare, person)
			out = &v
			return err
		}
		return nil
	})
	return out, err
}

// countLate counts what budgetAhead let pass.
func (k *Keeper) countLate(ctx context.Context, staff id.Staff, s state.OpenSession, person id.Person) {
	k.sleep(300)
	_, _ = k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "count", Role: "system"})
		_, err := t.budgeted(staff, s, budget.OpenBare, person)
		return err
	})
}
