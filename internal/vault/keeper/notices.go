package keeper

import (
	"slices"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/relink"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

const (
	noticeLife = post.Life
	noticeDay  = post.Day

	// openingWait is how long the message of an opening at a centre waits for the
	// dose: the message about the dose says the same and takes its place.
	openingWait = 2 * time.Minute
)

// The kinds of notices, which are the messages' templates.
const (
	noticeBooking  = "booking"
	noticeMoved    = "moved"
	noticeCancel   = "cancel"
	noticeDose     = "dose"
	noticeOpening  = "opening"
	noticeReminder = "reminder"
	noticeLinked   = "linked"
	noticePlaces   = "places"
	noticeSignIn   = post.SignIn
	noticeEmail    = post.EmailChanged
	noticeUndrawn  = "undrawn"
	noticeGlass    = state.PresenceGlass
	noticeAnswered = state.NoticeAnswered // a request was answered
	noticeBack     = state.NoticeTakenBack
	noticeApart    = "apart"            // a person was taken off the household's list
	noticeLink     = "link-made"        // to a certificate, for whoever has it
	noticeLeft     = "left"             // a person left the registry
	noticeRemoved  = "removed"          // a person without a dose was deleted
	noticeCard     = "card-made"        // a card was made with the holder's evidence
	noticeRelink   = relink.NoticeAsked // a person is to be moved to another number

	noticeNewDevice = signin.NoticeNewDevice
	noticePINEnds   = signin.NoticePINEnds
	noticePIN       = signin.NoticePIN
)

// notice writes a message's row into the transaction of the act that it tells of; see
// post.Office.
func (t *txn) notice(n state.Notice, after, life time.Duration) (key string, err error) {
	return t.k.post.Put(t.Engine(), n, after, life)
}

// saying fills the places of a message from the vault's own rows.
func (t *txn) saying(v state.Notice) (params map[string]string, ok bool, err error) {
	place := v.Place
	if place == "" && v.Centre != 0 {
		if place, err = t.placeName(v.Centre); err != nil {
			return nil, false, err
		}
	}
	switch v.Kind {
	case noticeBooking, noticeMoved, noticeCancel, noticeReminder, noticeUndrawn:
		return t.sayBooking(v)
	case noticeDose, noticePlaces:
		return map[string]string{"date": v.Day.Indian(), "centre": place}, true, nil
	case noticeOpening, noticeGlass:
		at := time.UnixMilli(v.At).In(t.k.zone(v.Zone))
		return map[string]string{"date": v.Day.Indian(), "time": at.Format("15:04"), "centre": place}, true, nil
	case noticeRelink:
		return t.sayRelink(v, place)
	case noticeSignIn, noticeNewDevice, noticePINEnds:
		at := time.UnixMilli(v.At).In(t.k.zone(v.Zone))
		return map[string]string{"date": civil.Of(at).Indian(), "time": at.Format("15:04")}, true, nil
	case noticeAnswered:
		return map[string]string{"tracking": v.Request}, true, nil
	case noticeLinked, noticeEmail, noticePIN, relink.NoticeStopped, relink.NoticeMoved, noticeApart, noticeLink, noticeLeft, noticeRemoved, noticeCard, noticeBack:
		return map[string]string{}, true, nil
	}
	return nil, false, state.Integrity(state.Notices, "a row of no known kind")
}

// sayBooking tells place, day and slot, and each person's code by the last four
// digits of their reference id. People who have no such appointment any more are
// left out, so that nobody is told of, or reminded of, what has ended.
func (t *txn) sayBooking(v state.Notice) (params map[string]string, ok bool, err error) {
	var people []string
	var b state.Booking
	for _, person := range v.Persons {
		p, err := t.Person(person)
		if err != nil {
			return nil, false, err
		}
		if p.Household != v.Household { // a hold's name is the web role's: two households may bear one
			continue
		}
		i := bookingOf(p, v.Hold)
		live := i >= 0 && p.Bookings[i].State == state.Live
		if i < 0 || live == (v.Kind == noticeCancel || v.Kind == noticeUndrawn) {
			continue
		}
		b = p.Bookings[i]
		ref := string(p.Reference)
		one := ref[max(0, len(ref)-4):]
		if live {
			one += ":" + t.k.securityCode(person, b)
		}
		people = append(people, one)
	}
	if len(people) == 0 {
		return nil, false, nil
	}
	slices.Sort(people)
	place, err := t.placeName(b.Offer.Centre)
	params = map[string]string{"date": b.Offer.Day.Indian(), "centre": place, "people": strings.Join(people, ",")}
	if v.Kind != noticeCancel && v.Kind != noticeUndrawn {
		params["slot"] = b.Offer.Slot
	}
	return params, true, err
}

// placeName is what messages call a centre, or "".
func (t *txn) placeName(c id.Centre) (string, error) {
	p, _, err := engine.Get[state.Place](t, state.Places, itoa(int64(c)))
	return p.Name, err
}

// notePlace keeps the name that a manager signed for a centre.
func (t *txn) notePlace(c id.Centre, name string) error {
	p, ok, err := engine.Get[state.Place](t, state.Places, itoa(int64(c)))
	if err != nil || ok && p.Name == name {
		return err
	}
	return engine.Put(t, state.Places, itoa(int64(c)), state.Place{Name: name}, 0)
}

// bookingNotices writes the message of a booking and the reminder of the day
// before.
func (t *txn) bookingNotices(house id.Household, hold, old id.Hold, offer vault.Offer, people []id.Person) error {
	n := state.Notice{ID: "book/" + string(hold), Household: house, Kind: noticeBooking, Hold: hold, Persons: people}
	if old != "" {
		n.Kind = noticeMoved
	}
	if _, err := t.notice(n, 0, noticeLife); err != nil {
		return err
	}
	if wait := remindAt(offer.Day, t.k.zone(offer.Zone)).Sub(t.k.now()); wait > reminderSense {
		n.ID, n.Kind = "remind/"+string(hold), noticeReminder
		_, err := t.notice(n, wait, reminderLife)
		return err
	}
	return nil
}

// The reminder goes out at ten in the morning of the day before, centre's time,
// for half a day, and only when the booking was not just made.
const (
	reminderHour  = 10
	reminderLife  = 12 * time.Hour
	reminderSense = 6 * time.Hour
)

func remindAt(day civil.Date, loc *time.Location) time.Time {
	return day.AddDays(-1).In(loc).Add(reminderHour * time.Hour)
}

// cancelNotice writes the message of a cancelled appointment.
func (t *txn) cancelNotice(house id.Household, hold id.Hold, people []id.Person) error {
	if len(people) == 0 {
		return nil
	}
	n := state.Notice{ID: "cancel/" + string(hold) + "/" + itoa(t.k.now().UnixMilli()), Household: house, Kind: noticeCancel, Hold: hold, Persons: people}
	_, err := t.notice(n, 0, noticeLife)
	return err
}

// openingNotice writes the message that a record was opened at a centre. It
// waits a little for the dose.
func (t *txn) openingNotice(enc *encounter, o *release.Opening) (err error) {
	for _, p := range o.People {
		n := state.Notice{ID: "opening/" + o.ViewID, Household: p.Row.Household, Kind: noticeOpening, Centre: enc.session.Centre,
			Place: enc.session.Name, Day: enc.session.Day, Zone: enc.session.Zone}
		if enc.told, err = t.notice(n, openingWait, noticeLife); err != nil {
			return err
		}
	}
	return nil
}

// eventNotice writes the message that an event was added to a record, or changed
// there, while the person was not at the centre to show anything.
func (t *txn) eventNotice(house id.Household, name string, d release.Dose) error {
	return t.doseNotice(house, name, encounter{session: state.OpenSession{Centre: d.Centre, Name: d.CentreName, Day: d.Day()}})
}

// doseNotice writes the message that a dose was recorded, in place of the one
// about the opening for it.
func (t *txn) doseNotice(house id.Household, seal string, enc encounter) error {
	if err := post.TakeBack(t.Engine(), enc.told); err != nil {
		return err
	}
	n := state.Notice{ID: "dose/" + seal, Household: house, Kind: noticeDose, Centre: enc.session.Centre, Place: enc.session.Name, Day: enc.session.Day}
	_, err := t.notice(n, 0, noticeLife)
	return err
}
