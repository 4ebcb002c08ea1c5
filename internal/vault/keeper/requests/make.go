package requests

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// viewDoses is every dose event of a person, opened to them to find the centre of one.
const viewDoses = "all dose events"

// textMost bounds what a person writes, and what they are answered, in bytes: some 500
// characters of an Indian script.
const textMost = 1500

// Words brings a text of several lines to what can be put on a page; fault.Invalid when
// it is empty, too long, or has characters that are not seen.
func Words(text, field string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" || len(text) > textMost || !utf8.ValidString(text) {
		return "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: "+field+" (some words, at most 1500 bytes)")
	}
	for _, word := range strings.Fields(text) { // each in the bounds of what a page shows
		if !rules.Printable(word) {
			return "", fault.New(fault.Invalid, "USRRES0001", field+" has characters that cannot be shown")
		}
	}
	return text, nil
}

// Checked holds a request's form; fault.Invalid.
func Checked(r vault.RequestMake, today civil.Date) (vault.RequestMake, error) {
	var err error
	bad := func(text string) (vault.RequestMake, error) {
		return r, fault.New(fault.Invalid, "USRRES0001", text)
	}
	if r.Key == "" || len(r.Key) > 200 {
		return r, fault.New(fault.Internal, "key", "a request needs an idempotency key")
	}
	if r.Detail.Text, err = Words(r.Detail.Text, "text"); err != nil {
		return r, err
	}
	f := &r.Detail
	details := f.Name != "" || f.BirthYear != 0 || f.BirthDate != "" || f.GenderID != 0
	dose := f.Vaccine != "" || f.Batch != "" || f.Dose != 0 || f.Date != ""
	switch {
	case !slices.Contains([]string{vault.RequestOpening, vault.RequestMember, vault.RequestMove, vault.RequestDetails, vault.RequestDose, vault.RequestRevoke}, r.Kind):
		return bad("kind is opening, member, move, details, dose or revoke")
	case (r.Kind == vault.RequestOpening) != (r.Entry > 0):
		return bad("Input parameter missing: index (of the entry of the access history)")
	case (r.Kind == vault.RequestDose || r.Kind == vault.RequestRevoke) != (r.Event != ""):
		return bad("Input parameter missing: event_id")
	case r.Event != "" && !id.Valid(string(r.Event)):
		return bad("event_id is not an id of a dose event, as the list of doses has it")
	case (r.Kind == vault.RequestDetails) != details:
		return bad("who asks for a correction says what is right: name, birth_year, birth_date or gender_id")
	case (r.Kind == vault.RequestDose) != dose:
		return bad("a correction says what is right: vaccine, vaccine_batch, dose or date")
	case r.Centre < 0 || (r.Centre != 0 && r.Kind != vault.RequestDetails):
		return bad("center_id belongs to a correction of name, birth or gender")
	}
	return r, checkDetail(f, today)
}

// checkDetail holds what is said to be right against the forms of names and days.
func checkDetail(f *vault.RequestDetail, today civil.Date) (err error) {
	invalid := func(text string) error { return fault.New(fault.Invalid, "USRRES0001", text) }
	if f.Name != "" {
		if f.Name, err = rules.NormalizeName(f.Name); err != nil {
			return err
		}
	}
	birth := rules.Birth{Year: f.BirthYear}
	if f.BirthDate != "" {
		if birth.Date, err = civil.ParseIndian(f.BirthDate); err != nil {
			return err
		}
		if birth.Year == 0 {
			birth.Year, f.BirthYear = birth.Date.Year, birth.Date.Year
		}
	}
	if birth.Year != 0 {
		if err := birth.Check(today); err != nil {
			return err
		}
	}
	if f.GenderID != 0 && !rules.ValidGender(f.GenderID) {
		return invalid("gender_id is not one of the listed genders")
	}
	if f.Vaccine != "" {
		if _, ok := rules.LookupProduct(f.Vaccine); !ok {
			return fault.New(fault.Invalid, "unknown_product", "vaccine is not one of the listed products")
		}
	}
	if f.Batch != "" {
		if f.Batch, err = rules.ParseLot(f.Batch); err != nil {
			return err
		}
	}
	if f.Dose < 0 || f.Dose > 9 {
		return invalid("Input parameter missing: dose")
	}
	if f.Date != "" {
		_, err = civil.ParseIndian(f.Date)
	}
	return err
}

// Make implements the vault's word.
func (d *Desk) Make(ctx context.Context, r vault.RequestMake) (vault.Request, error) {
	r, err := Checked(r, civil.Of(d.cfg.Now()))
	if err != nil {
		return vault.Request{}, err
	}
	person := r.Record.Person
	apart := r.Kind == vault.RequestMember || r.Kind == vault.RequestMove
	centre := r.Centre
	var receipts []string
	if r.Event != "" || (r.Kind == vault.RequestDetails && len(r.Record.Parts) > 0) {
		if centre, receipts, err = d.centreOf(ctx, r); err != nil {
			return vault.Request{}, err
		}
	}
	if r.Kind == vault.RequestDetails && centre == 0 {
		return vault.Request{}, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id (the centre where you show your identity document)")
	}
	key, err := d.keyOf(r)
	if err != nil {
		return vault.Request{}, err
	}
	var out vault.Request
	more, err := d.update(ctx, func(t *txn) error {
		out = vault.Request{}
		house, p, err := d.cfg.Holders.Member(t.Txn, r.Holder, person, apart)
		if err != nil {
			return t.repeated(r, key, &out, err)
		}
		if done, err := t.before(whoKey(person), key, &out); err != nil || done {
			return err
		}
		if err := d.cfg.Holders.Within(t.Txn, house); err != nil {
			return err
		}
		return t.made(r, house, p, centre, key, &out)
	})
	if err != nil {
		return vault.Request{}, err
	}
	if out.Receipt = first(more); out.Receipt == "" {
		out.Receipt = first(receipts)
	}
	return out, nil
}

// keyOf tells a repeated request from another one; keyed, because what people write can
// be guessed.
func (d *Desk) keyOf(r vault.RequestMake) (string, error) {
	raw, err := json.Marshal(struct {
		Kind   string
		Person id.Person
		Entry  int64
		Event  id.Event
		Centre id.Centre
		Detail vault.RequestDetail
	}{r.Kind, r.Record.Person, r.Entry, r.Event, r.Centre, r.Detail})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "request")
	}
	mac := d.cfg.Keys.MAC(keyring.PurposeMatch, d.cfg.Keys.RealmBytes(), []byte("request"), []byte(r.Key), raw)
	return hex.EncodeToString(mac[:16]), nil
}

// before answers a repetition among the newest of a list.
func (t *txn) before(list, key string, out *vault.Request) (bool, error) {
	row, _, err := t.get(list)
	if err != nil {
		return false, err
	}
	for i, tracking := range slices.Backward(row.Open) {
		if len(row.Open)-i > repeatLook {
			break
		}
		r, ok, err := t.get(tracking)
		if err != nil {
			return false, err
		}
		if ok && r.Key == key {
			*out, err = t.shown(tracking, r)
			return true, err
		}
	}
	return false, nil
}

// repeated answers who takes somebody off the list for the second time: that person is
// no member any more.
func (t *txn) repeated(r vault.RequestMake, key string, out *vault.Request, refused error) error {
	if !fault.Is(refused, fault.NotFound) {
		return refused
	}
	house, _, card, err := t.d.cfg.Holders.Members(t.Txn, r.Holder)
	if err != nil || card {
		return firstErr(err, refused)
	}
	done, err := t.before(houseKey(house), key, out)
	if err == nil && !done {
		err = refused
	}
	return err
}

// made keeps a request, with what it does at once.
func (t *txn) made(r vault.RequestMake, house id.Household, p state.Person, centre id.Centre, key string, out *vault.Request) error {
	person := r.Record.Person
	now := t.d.cfg.Now()
	tracking, err := newTracking()
	if err != nil {
		return err
	}
	if _, taken, err := t.get(tracking); err != nil || taken {
		return firstErr(err, engine.ErrAgain)
	}
	row := state.Request{Kind: r.Kind, State: vault.RequestReceived, Person: person, House: house, Key: key, Event: r.Event, Centre: centre,
		At: now.UnixMilli(), Due: now.Add(answerBy(r.Kind)).UnixMilli()}
	if r.Kind == vault.RequestOpening {
		if err := t.opened(r.Entry, person, &row); err != nil {
			return err
		}
	} else if centre != 0 {
		at, err := t.d.cfg.Office.CentrePlace(t.Txn.Txn.Txn, centre)
		if err != nil {
			return err
		}
		row.CentreState, row.CentreDistrict = at.State(), at.District()
	}
	if row.Details, err = t.seal("details", tracking, r.Detail); err != nil {
		return err
	}
	t.Append(engine.Entry{Kind: "request", View: "asked: " + r.Kind, Role: permits.Holder, Person: person, House: house, Evidence: tracking})
	lists := []error{t.list(whoKey(person), tracking, true, keptOfPerson)}
	if r.Kind == vault.RequestMember || r.Kind == vault.RequestMove {
		if row.Apart, err = t.d.cfg.Holders.Apart(t.Txn, house, person); err != nil {
			return err
		}
		lists = append(lists, t.list(houseKey(house), tracking, true, keptOfPerson))
	}
	if r.Kind == vault.RequestMove { // done: nobody has to answer
		row.State, row.Outcome, row.Done = vault.RequestDecided, vault.RequestGranted, row.At
	} else {
		lists = append(lists, t.list(placeKey(row.CentreState, row.CentreDistrict, row.Centre), tracking, true, 0),
			t.list(hourKey(hourOf(row.Due)), tracking, true, 0))
	}
	if err := firstErr(append(lists, t.put(tracking, row))...); err != nil {
		return err
	}
	*out, err = t.shown(tracking, row)
	out.Reference = p.Reference
	return err
}

// opened finds the entry that looks wrong among those about the person, and whose it is
// and where: the privacy officer of that place answers.
func (t *txn) opened(index int64, person id.Person, row *state.Request) error {
	e, err := t.entry(index)
	if err != nil {
		return err
	}
	if e.Person != person {
		return noEntry()
	}
	row.Entry = index + 1
	if e.Actor == "" || e.Role == permits.Holder || e.Role == permits.Partner || e.Role == permits.System {
		return nil
	}
	row.Actor = id.Staff(e.Actor)
	s, ok, err := t.d.cfg.Others.StaffRow(t.Txn, row.Actor)
	if err != nil || !ok {
		return err
	}
	if s.Centre != 0 { // a machine's key
		at, err := t.d.cfg.Office.CentrePlace(t.Txn.Txn.Txn, s.Centre)
		row.Centre, row.CentreState, row.CentreDistrict = s.Centre, at.State(), at.District()
		return err
	}
	m, _, err := engine.Get[state.StaffMember](t, state.StaffMembers, e.Actor)
	for _, g := range m.Grants {
		if string(g.Role) == e.Role {
			row.Centre, row.CentreState, row.CentreDistrict = g.Scope.Centre(), g.Scope.State(), g.Scope.District()
			break
		}
	}
	return err
}

func noEntry() error {
	return fault.New(fault.NotFound, "entry", "no such entry in this person's access history")
}

// entry reads one from the ledger.
func (t *txn) entry(index int64) (engine.Entry, error) {
	rows, err := t.Tx.Entries(t.Ctx, index, 1)
	if err != nil {
		return engine.Entry{}, err
	}
	if len(rows) != 1 || rows[0].Index != index || len(rows[0].PersonTag) == 0 {
		return engine.Entry{}, noEntry()
	}
	return t.d.eng.OpenEntry(rows[0])
}

// centreOf opens the person's doses, to them, for the centre of the one that is meant: the
// newest where details are wrong.
func (d *Desk) centreOf(ctx context.Context, r vault.RequestMake) (id.Centre, []string, error) {
	person := r.Record.Person
	o, err := d.cfg.Release.Open(ctx, func(et *engine.Txn, o *release.Opening) error {
		t := d.in(et)
		if _, _, err := d.cfg.Holders.Member(t.Txn, r.Holder, person, false); err != nil {
			return err
		}
		return t.Release(o, []id.Person{person}, map[id.Person]vault.Record{person: r.Record}, release.Claim{View: viewDoses, Role: permits.Holder, Reason: "request"})
	})
	if err != nil {
		return 0, nil, err
	}
	if len(o.People) != 1 {
		return 0, nil, fault.New(fault.NotFound, "person", "no such person under this mobile")
	}
	if r.Event == "" {
		docs, err := o.People[0].Doses(d.cfg.Keys)
		centre := r.Centre
		for _, doc := range docs {
			if centre == 0 && doc.Centre != 0 && doc.Counts() {
				centre = doc.Centre
			}
		}
		return centre, o.Receipts, err
	}
	doc, _, err := o.People[0].Dose(d.cfg.Keys, r.Event)
	if err != nil {
		return 0, nil, err
	}
	switch doc.Status {
	case rules.StatusUnconfirmed:
		return 0, nil, fault.New(fault.Conflict, "unconfirmed", "this dose waits for your own answer: say there whether it is yours")
	case rules.StatusRevoked:
		return 0, nil, fault.New(fault.Conflict, "revoked", "this dose was revoked already")
	}
	return doc.Centre, o.Receipts, nil
}

// shown is a request as the person sees it.
func (t *txn) shown(tracking string, r state.Request) (vault.Request, error) {
	v := vault.Request{Tracking: Shown(tracking), Kind: r.Kind, State: r.State, Outcome: r.Outcome, At: r.At, Due: r.Due, Taken: r.Taken, Done: r.Done}
	err := firstErr(t.unseal("details", tracking, r.Details, &v.Detail), t.unseal("answer", tracking, r.Answer, &v.Answer))
	if r.Person != "" && err == nil {
		var p state.Person
		p, err = t.Person(r.Person)
		v.Reference = p.Reference
	}
	if r.Apart != "" && r.State != vault.RequestWithdrawn {
		v.Undo = r.At + undoTime.Milliseconds()
	}
	return v, err
}

// seen are the requests that a session sees, the newest first: those about its people,
// and, in that of a mobile, about who was taken off its list.
func (t *txn) seen(h vault.Holder) (trackings []string, people []id.Person, house id.Household, err error) {
	house, people, card, err := t.d.cfg.Holders.Members(t.Txn, h)
	if err != nil {
		return nil, nil, "", err
	}
	var keys []string
	for _, p := range people {
		keys = append(keys, whoKey(p))
	}
	if !card {
		keys = append(keys, houseKey(house))
	}
	for _, key := range keys {
		row, _, err := t.get(key)
		if err != nil {
			return nil, nil, "", err
		}
		for _, tracking := range row.Open[max(0, len(row.Open)-listMost):] {
			if !slices.Contains(trackings, tracking) {
				trackings = append(trackings, tracking)
			}
		}
	}
	return trackings, people, house, nil
}

// List implements the vault's word. It is an opening of whom it is about.
func (d *Desk) List(ctx context.Context, r vault.RequestAct) (vault.RequestList, error) {
	var out vault.RequestList
	viewID := release.NewViewID()
	receipts, err := d.update(ctx, func(t *txn) error {
		out = vault.RequestList{Requests: []vault.Request{}, ViewRef: d.cfg.Release.ViewRef(viewID)}
		permit := d.cfg.Permits.Own(permits.Holder, View)
		if !permit.Shows(View) {
			return permits.Denied()
		}
		trackings, people, house, err := t.seen(r.Holder)
		if err != nil {
			return err
		}
		about := map[id.Person]bool{}
		for _, tracking := range trackings {
			row, err := t.request(tracking)
			if err != nil {
				return err
			}
			v, err := t.shown(tracking, row)
			if err != nil {
				return err
			}
			if out.Requests = append(out.Requests, v); slices.Contains(people, row.Person) {
				about[row.Person] = true
			}
		}
		slices.SortStableFunc(out.Requests, func(a, b vault.Request) int { return cmp.Compare(b.At, a.At) })
		out.Requests = out.Requests[:min(len(out.Requests), listMost)]
		for _, p := range people {
			if about[p] {
				t.Append(engine.Entry{Kind: "opening", Person: p, House: house, View: View, Role: permits.Holder, ViewID: viewID, Policy: permit.Policies()})
			}
		}
		return nil
	})
	out.Receipts = append([]string{}, receipts...)
	return out, err
}

// Withdraw implements the vault's word.
func (d *Desk) Withdraw(ctx context.Context, r vault.RequestAct) (vault.Request, error) {
	tracking, err := ParseTracking(r.Tracking)
	if err != nil {
		return vault.Request{}, err
	}
	var out vault.Request
	receipts, err := d.update(ctx, func(t *txn) error {
		seen, _, house, err := t.seen(r.Holder)
		if err != nil {
			return err
		}
		if !slices.Contains(seen, tracking) {
			return unknown()
		}
		// Somebody with a code would else take back the complaint about themselves.
		if err := d.cfg.Devices.Firm(t.Txn, r.Holder); err != nil {
			return err
		}
		row, err := t.request(tracking)
		if err != nil {
			return err
		}
		now := d.cfg.Now()
		switch {
		case row.State == vault.RequestWithdrawn: // said before
			out, err = t.shown(tracking, row)
			return err
		case !open(row) && row.Kind != vault.RequestMove:
			return fault.New(fault.Conflict, "decided", "this request was answered already")
		case row.Apart != "" && (row.House != house || now.UnixMilli() >= row.At+undoTime.Milliseconds()):
			return fault.New(fault.Conflict, "late", "this can no longer be undone; with their card the person can be linked to a mobile again")
		}
		if row.Apart != "" {
			if err := d.cfg.Holders.Back(t.Txn, row.Apart, house, row.Person); err != nil {
				return err
			}
		}
		if open(row) {
			if err := t.closed(tracking, row); err != nil {
				return err
			}
		}
		row.State, row.Outcome, row.Done = vault.RequestWithdrawn, "", now.UnixMilli()
		e, err := t.about(engine.Entry{Kind: "request", View: "withdrawn: " + row.Kind, Role: permits.Holder, Evidence: tracking}, row.Person)
		if err != nil {
			return err
		}
		t.Append(e)
		// Who cannot be told from the household can take back the complaint about themselves
		// (ADR 39): it hears of it.
		if err := t.d.cfg.Others.Tell(t.Txn, state.Notice{ID: "back/" + tracking, Household: house, Kind: state.NoticeTakenBack}); err != nil {
			return err
		}
		if err := t.put(tracking, row); err != nil {
			return err
		}
		out, err = t.shown(tracking, row)
		return err
	})
	out.Receipt = first(receipts)
	return out, err
}
