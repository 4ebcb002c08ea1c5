package keeper

import (
	"cmp"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/requests"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// newRequests makes the part for what people ask about their own records (ADR 42).
func (k *Keeper) newRequests() *requests.Desk {
	rest := requestDesk{k}
	return requests.New(requests.Config{Keys: k.keys, Release: k.release, Office: k.office, Permits: k.permits, Holders: rest, Others: rest, Holdings: rest, Numbers: rest, Devices: rest, Now: k.now, Log: k.log,
		With: k.released}, k.eng)
}

// boundRequests keeps a household from filling the lists of those who answer.
var boundRequests = bound{"request", boundDay, 10, "too many requests from this number today; please try again tomorrow"}

// boundExports: each is an opening of everything.
var boundExports = bound{"export", boundDay, 10, "too many files from this number today; please try again tomorrow"}

// requestDesk is what that part asks of the rest of the vault.
type requestDesk struct{ k *Keeper }

func (c requestDesk) in(t *release.Txn) *txn { return c.k.on(t) }

// Member implements requests.Holders.
func (c requestDesk) Member(on *release.Txn, h vault.Holder, person id.Person, apart bool) (id.Household, state.Person, error) {
	t := c.in(on)
	m, err := t.mine(h, person)
	if err == nil && apart {
		if m.bearer.Person != "" {
			return m.house, m.person, signin.CardCannot()
		}
		err = t.notNew(m.row, m.bearer, "take people off this list")
	}
	return m.house, m.person, err
}

// notNew refuses a device in its first day what cannot be seen in time by the others.
func (t *txn) notNew(row state.Household, bearer state.Bearer, what string) error {
	if bearer.Way == "" { // no device: nothing tells it from the household (ADR 39), which is told
		return nil
	}
	if ok, err := t.Firm(row, bearer); err != nil || !ok {
		return cmp.Or[error](err, fault.New(fault.Forbidden, "FIRSTDAY", "This device came here less than a day ago. It can "+what+" tomorrow, or when a card or the other channel has confirmed it"))
	}
	return nil
}

// Firm implements requests.Devices. A card's session has no device that could be new.
func (c requestDesk) Firm(on *release.Txn, h vault.Holder) error {
	t := c.in(on)
	house, bearer, err := t.Live(h)
	if err != nil || bearer.Person != "" {
		return err
	}
	row, err := t.Household(house)
	if err != nil {
		return err
	}
	return t.notNew(row, bearer, "take requests back")
}

// Members implements requests.Holders.
func (c requestDesk) Members(on *release.Txn, h vault.Holder) (id.Household, []id.Person, bool, error) {
	t := c.in(on)
	house, bearer, err := t.Live(h)
	if err != nil {
		return "", nil, false, err
	}
	row, err := t.Household(house)
	if err != nil {
		return "", nil, false, err
	}
	var people []id.Person
	for _, m := range signin.ActiveMembers(row) {
		people = append(people, m.Person)
	}
	people, _, err = t.unguarded(bearer, house, people)
	return house, people, bearer.Person != "", err
}

// Within implements requests.Holders.
func (c requestDesk) Within(on *release.Txn, house id.Household) error {
	return c.in(on).within(boundRequests, house)
}

// Apart implements requests.Holders: the person gets a household of their own, as one who
// was registered without a mobile has. Their record, card and appointments stay theirs.
func (c requestDesk) Apart(on *release.Txn, house id.Household, person id.Person) (id.Household, error) {
	t := c.in(on)
	if err := t.holdsNoPlace(person); err != nil {
		return "", err
	}
	alone := id.Household(id.New())
	if err := engine.Put(t, state.Households, string(alone), state.Household{Created: t.k.now().UnixMilli()}, 0); err != nil {
		return "", err
	}
	if err := t.rehouse(house, alone, person, "taken off the list of a mobile"); err != nil {
		return "", err
	}
	_, err := t.notice(state.Notice{ID: "apart/" + string(alone), Household: house, Kind: noticeApart}, 0, noticeLife)
	return alone, err
}

// holdsNoPlace refuses somebody without a dose who has an appointment, or waits for a draw:
// a household that put them apart would have a place free for the next one, and one mobile
// as many appointments as it likes.
func (t *txn) holdsNoPlace(person id.Person) error {
	p, err := t.Person(person)
	if err != nil || ablate.Off(ablate.BookingBounds) || slices.ContainsFunc(parts(p), release.IsDose) {
		return err
	}
	for _, b := range p.Bookings {
		if pendingDraw(b) && !t.over(b) {
			return fault.New(fault.Conflict, "booked", "cancel the appointment before taking the person off the list")
		}
	}
	return nil
}

// Back implements requests.Holders.
func (c requestDesk) Back(on *release.Txn, apart, house id.Household, person id.Person) error {
	t := c.in(on)
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	if p.Household != apart || (p.State != state.Active && p.State != state.Pending) {
		return fault.New(fault.Conflict, "late", "this can no longer be undone; with their card the person can be linked to a mobile again")
	}
	return t.rehouse(apart, house, person, "back on the list of a mobile")
}

// rehouse moves a person's place from one household to another. Nothing is sealed anew:
// membership is this row of the vault; the registry's follows by a task.
func (t *txn) rehouse(from, to id.Household, person id.Person, view string) error {
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	if busy, err := t.Merging(p); err != nil || busy {
		return cmp.Or(err, release.ErrMerging())
	}
	if p.State == state.Pending {
		return fault.New(fault.Conflict, "record", "the record changed meanwhile; try again")
	}
	old, err := t.Household(from)
	if err != nil {
		return err
	}
	h, err := t.Household(to)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(old.Members, func(m state.Member) bool { return m.Person == person && m.State == state.Active })
	if i < 0 {
		return state.Integrity(state.Households, "a person is not in their household")
	}
	tag := old.Members[i].IDTag
	slot, err := t.freeSlot(to, &h, keyring.Tags{Current: tag})
	if err != nil {
		return err
	}
	now := t.k.now().UnixMilli()
	old.Members[i].State, old.Members[i].IDTag = state.Removed, ""
	h.Members = append(h.Members, state.Member{Slot: slot, Person: person, State: state.Active, IDTag: tag, Since: now})
	if err := engine.Put(t, state.Households, string(from), old, 0); err != nil {
		return err
	}
	if err := engine.Put(t, state.Households, string(to), h, 0); err != nil {
		return err
	}
	if err := t.dropTag(tag, person); err != nil {
		return err
	}
	if p.Flags, err = t.useTag(keyring.Tags{Current: tag}, to, person, now); err != nil {
		return err
	}
	p.Household = to
	t.Append(engine.Entry{Kind: "linked", Person: person, House: to, View: view, Role: "holder"})
	if err := t.Tx.AddTask(t.Ctx, state.Task{ID: linkTask(person), Kind: vault.WorkLink, Person: person, Since: now}); err != nil {
		return err
	}
	return engine.Put(t, state.Persons, string(person), p, 0)
}

// SamePerson implements requests.Others.
func (c requestDesk) SamePerson(on *release.Txn, a, b id.Staff) (bool, error) {
	return c.in(on).samePerson(a, b)
}

// StaffRow implements requests.Others.
func (c requestDesk) StaffRow(on *release.Txn, s id.Staff) (state.Staff, bool, error) {
	return c.in(on).staffRow(s)
}

// Corrected implements requests.Others.
func (c requestDesk) Corrected(on *release.Txn, correction string) (id.Person, id.Event, string, error) {
	t := c.in(on)
	row, ok, err := engine.Get[state.Correction](t, state.Corrections, correction)
	if err != nil {
		return "", "", "", err
	}
	if !ok || row.State != state.CorrectionDone || len(row.Body) == 0 {
		return "", "", "", fault.New(fault.NotFound, "correction", "no such correction was carried out: a second member of staff approves it first")
	}
	body, err := c.k.keys.Contact.Open(nil, nil, row.Body, c.k.keys.ContactAAD("correction", correction))
	if err != nil {
		return "", "", "", state.Integrity(state.Corrections, "a proposal does not open")
	}
	f, err := parseCorrection(body)
	return row.Person, f.Event, f.Kind, err
}

// Tell implements requests.Others.
func (c requestDesk) Tell(on *release.Txn, n state.Notice) error {
	_, err := c.in(on).notice(n, 0, noticeLife)
	return err
}

// requestMethods are the words of that part.
func (k *Keeper) requestMethods() []method {
	web, p := []Caller{CallerWeb}, k.asked
	return []method{
		{vault.MethodRequestMake, web, bind(p.Make)},
		{vault.MethodRequestList, web, bind(p.List)},
		{vault.MethodRequestWithdraw, web, bind(p.Withdraw)},
		{vault.MethodRequestTrack, web, bind(p.Track)},
		{vault.MethodRequestWaiting, web, bind(p.Waiting)},
		{vault.MethodRequestRead, web, bind(p.Read)},
		{vault.MethodRequestDecide, web, bind(p.Decide)},
		{vault.MethodExport, web, bind(p.Export)},
	}
}

// Exported implements requests.Holdings.
func (c requestDesk) Exported(on *release.Txn, house id.Household) error {
	return c.in(on).within(boundExports, house)
}

// trackMisses is how many numbers that are none a network looks up in an hour.
const trackMisses = 30

// Looked implements requests.Numbers.
func (c requestDesk) Looked(on *release.Txn, origin string, found bool) (wait error, err error) {
	t, now := c.in(on), c.k.now()
	miss, hit := int64(1), int64(0)
	if found {
		miss, hit = 0, 1
	}
	if _, err := t.Count(time.Hour, "track-right", origin, hit); err != nil { // as much work as for a miss
		return nil, err
	}
	n, err := t.Count(time.Hour, "track-wrong", origin, miss)
	if err == nil && n > trackMisses && !ablate.Off(ablate.TrackGuesses) {
		wait = &fault.Error{Kind: fault.RateLimited, Code: "bound", Text: "too many numbers from here that are none; please try again later", RetryAfter: now.Truncate(time.Hour).Add(time.Hour).Sub(now)}
	}
	return wait, err
}

// Departed implements requests.Numbers.
func (c requestDesk) Departed(on *release.Txn, number string) (vault.LeaveStatus, bool, error) {
	return c.in(on).departed(number)
}

// Certificates implements requests.Holdings.
func (c requestDesk) Certificates(on *release.Txn, person id.Person) ([]int64, error) {
	out, now := []int64{}, c.k.now().UnixMilli()
	for n := 0; ; n++ {
		page, ok, err := engine.Get[state.IssuedPage](on, state.Issued, issuedKey(person, n))
		if err != nil || !ok {
			return out, err
		}
		for _, one := range page.List {
			if one.Expires > now {
				out = append(out, one.Expires)
			}
		}
	}
}

// Held implements requests.Holdings. In a card's session the mobile is not theirs.
func (c requestDesk) Held(on *release.Txn, h vault.Holder) (func() (vault.ExportHousehold, error), error) {
	t := c.in(on)
	house, bearer, err := t.Live(h)
	if err != nil {
		return nil, err
	}
	row, err := t.Household(house)
	if err != nil {
		return nil, err
	}
	out := vault.ExportHousehold{Created: row.Created, Devices: []vault.Device{}}
	if bearer.Person != "" {
		return func() (vault.ExportHousehold, error) { return out, nil }, nil
	}
	now := c.k.now().UnixMilli()
	out.Language, out.EmailSince, out.Seen, out.PIN = cmp.Or(row.Language, "en"), row.EmailSince, row.Seen, ways.HasPIN(row, now)
	for _, w := range ways.Listed(row, now) {
		out.Devices = append(out.Devices, vault.Device{Kind: signin.KindOf(w.Key), Since: w.Since, Last: w.Last})
	}
	return func() (vault.ExportHousehold, error) {
		for _, one := range []struct {
			sealed []byte
			what   string
			into   *string
		}{{row.Last4, "last4", &out.MobileLast4}, {row.Email, "email", &out.Email}} {
			if len(one.sealed) == 0 {
				continue
			}
			text, err := c.k.keys.Contact.Open(nil, nil, one.sealed, c.k.keys.ContactAAD(one.what, string(house)))
			if err != nil {
				return out, state.Integrity(state.Households, "what is held of a mobile does not open")
			}
			*one.into = string(text)
		}
		return out, nil
	}, nil
}
