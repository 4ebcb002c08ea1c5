package keeper

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/relink"
	"tikakosh/internal/vault/state"
)

const (
	noticeSenders = 32               // notices being sent at a time
	emailSenders  = 8                // so many of them at most are at a mail server
	noticeWindow  = 20_000           // notices in memory: in the queue, being sent, or waiting for their next try
	noticeTry     = 15 * time.Second // one try at the most
	noticeLife    = 24 * time.Hour
	noticeDay     = 24 * time.Hour
	noticeSweep   = 5 * time.Second // how often rows are looked for that no commit of this process brought
	noticeRetry   = 30 * time.Second

	// Rows of what is sent are deleted by the next transactions, so many by each,
	// or alone when none comes: a commit of their own would cost a sync.
	endWithOthers = 20
	endAlone      = time.Second

	// householdNotices is how many messages of a kind a household gets in a day
	// (UTC): six people booked three times. Each kind counts alone, so that
	// bookings made and cancelled over and over cannot silence a dose's message.
	householdNotices = 20

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
	noticeSignIn   = "signin"        // to the other channel alone
	noticeEmail    = "email-changed" // to the mobile and the address before
	noticeUndrawn  = "undrawn"
	noticeGlass    = state.PresenceGlass
	noticeAnswered = state.NoticeAnswered // a request was answered
	noticeApart    = "apart"              // a person was taken off the household's list
	noticeLink     = "link-made"          // to a certificate, for whoever has it
	noticeRelink   = relink.NoticeAsked   // a person is to be moved to another number

	noticeNewDevice = "newdevice" // a code was completed on a device that is new to the household
	noticePINEnds   = "pin-ends"  // somebody who did not give the PIN takes it away
	noticePIN       = "pin-changed"
)

// due is a notice whose row is committed: its key and when to try first.
type due struct {
	key  string
	when int64
}

// noticeKey makes keys that sort by the time they are due (13 digits of
// milliseconds last until the year 2286).
func noticeKey(when int64, messageID string) string { return fmt.Sprintf("%013d/%s", when, messageID) }

// notice writes a message's row into the transaction of the act that it tells
// of, within the household's budget of the day, and returns the row's key, ""
// when the budget is used up. after is how long it waits first. Nothing is
// opened: number and text are made when it is sent.
func (t *txn) notice(n state.Notice, after, life time.Duration) (key string, err error) {
	if may, err := t.mayTell(n.Household, n.Kind); err != nil || !may {
		return "", err
	}
	now := t.k.now()
	n.At = now.UnixMilli()
	when := now.Add(after).UnixMilli()
	key = noticeKey(when, n.ID)
	content, err := json.Marshal(n)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "notice")
	}
	row := state.Stored{Key: key, Version: 1, Content: content, Expires: now.Add(after + life).UnixMilli()}
	row.MAC = t.k.keys.RowMAC(state.Notices, row)
	switch err := t.Tx.Put(t.Ctx, state.Notices, row); {
	case fault.Is(err, fault.Conflict): // it is there
		return key, nil
	case err != nil:
		return "", err
	}
	t.After(func() { t.k.dispatch([]due{{key, when}}) })
	return key, nil
}

// unnotice takes a notice back that is not sent yet; one that is, stays sent.
func (t *txn) unnotice(key string) error {
	if key == "" {
		return nil
	}
	return t.Tx.Delete(t.Ctx, state.Notices, key)
}

// mayTell counts one more message of a kind to a household today and reports
// whether it is within the budget.
func (t *txn) mayTell(house id.Household, kind string) (bool, error) {
	n, err := t.countIn(noticeDay, "notice-"+kind, string(house), 1)
	if ablate.Off(ablate.NoticeBounds) {
		return true, err
	}
	if err == nil && n > householdNotices {
		t.k.log.Warn("message dropped: the household's budget of the day is used up", "template", kind)
	}
	return n <= householdNotices, err
}

// postroom holds the notices on their way. A key is in it from the moment it is
// queued until its row is gone, so that no sweep brings it twice.
type postroom struct {
	queue chan string
	mu    sync.Mutex
	keys  map[string]time.Duration // and how long each waits after its next failure
	out   map[string]bool          // messages that went out whose notice has another on its way
	ended []string                 // whose rows can go
	idle  bool                     // nothing took them since the last tick
	mails chan struct{}
}

func newPostroom() *postroom {
	return &postroom{queue: make(chan string, noticeWindow), keys: map[string]time.Duration{}, out: map[string]bool{}, mails: make(chan struct{}, emailSenders)}
}

// take makes room for a key; false when it is there or there is no room. What
// finds no room stays in its row, and a later sweep brings it.
func (p *postroom) take(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.keys[key]; there || len(p.keys) >= noticeWindow {
		return false
	}
	p.keys[key] = 50 * time.Millisecond
	return true
}

// later returns how long a key waits now and makes its next wait longer.
func (p *postroom) later(key string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.keys[key]
	p.keys[key] = min(2*wait, noticeRetry)
	return wait
}

// end says that a notice is done.
func (p *postroom) end(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, key)
}

// went says that one message of a notice is done, gone asks whether it is.
func (p *postroom) went(messageID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out[messageID] = true
}

func (p *postroom) gone(messageID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out[messageID]
}

// forget drops what went and gone know of a notice's messages.
func (p *postroom) forget(all []Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range all {
		delete(p.out, n.ID)
	}
}

// done hands out up to n ended keys for deletion; had is what the caller has
// from an attempt before.
func (p *postroom) done(had []string, n int) []string {
	if len(had) > 0 {
		return had
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = false
	n = min(n, len(p.ended))
	out := slices.Clone(p.ended[:n])
	p.ended = p.ended[n:]
	return out
}

// overdue is done for the tick: nothing at the first one after a transaction
// took some.
func (p *postroom) overdue(had []string) []string {
	p.mu.Lock()
	idle := p.idle || len(p.ended) > 500
	p.idle = true
	p.mu.Unlock()
	if !idle {
		return nil
	}
	out := p.done(had, 500)
	p.mu.Lock()
	p.idle = true
	p.mu.Unlock()
	return out
}

// deleted forgets keys whose rows are gone, or takes them back.
func (p *postroom) deleted(keys []string, ok bool) {
	if len(keys) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok {
		p.ended = append(p.ended, keys...)
		return
	}
	for _, key := range keys {
		delete(p.keys, key)
	}
}

// along lets rows of what is sent go in the commit of another transaction.
func (p *postroom) along() (take func(context.Context, state.Tx) error, taken func(committed bool)) {
	var ended []string
	return func(ctx context.Context, tx state.Tx) error {
		ended = p.done(ended, endWithOthers)
		return deleteNotices(ctx, tx, ended)
	}, func(committed bool) { p.deleted(ended, committed) }
}

// dispatch queues notices that a transaction wrote, those that are due.
func (k *Keeper) dispatch(told []due) {
	for _, d := range told {
		if d.when <= k.now().UnixMilli() && k.post.take(d.key) {
			k.post.queue <- d.key // has room: it is as long as the postroom
		}
	}
}

// runPost starts the senders, the sweep and the deletion of what is sent.
func (k *Keeper) runPost(ctx context.Context, wg *sync.WaitGroup) {
	ctx = context.WithValue(ctx, postWork{}, true)
	wg.Go(func() { k.sendNotices(ctx) })
	wg.Go(func() { k.endNotices(ctx) })
	wg.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-k.Ready(): // nothing is sent from rows that were not compared with the ledger
		}
		tick := time.NewTicker(noticeSweep)
		defer tick.Stop()
		for {
			k.sweepNotices(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// postWork marks the dispatcher's own transactions.
type postWork struct{}

// sweepNotices queues rows that are due: after a start, after a pause, and what
// was written to be sent later.
func (k *Keeper) sweepNotices(ctx context.Context) {
	const page = 500
	for after, more := "", true; more && ctx.Err() == nil; {
		more = false
		err := k.store.View(ctx, func(tx state.Tx) error {
			rows, err := tx.Scan(ctx, state.Notices, after, page)
			if err != nil {
				return err
			}
			limit := noticeKey(k.now().UnixMilli(), "~")
			for _, r := range rows {
				if after = r.Key; r.Key > limit {
					return nil
				}
				if k.post.take(r.Key) {
					k.post.queue <- r.Key
				}
			}
			more = len(rows) == page
			return nil
		})
		if err != nil {
			if ctx.Err() == nil {
				k.log.Warn("notices could not be read", "kind", fault.KindOf(err))
			}
			return
		}
	}
}

// sendNotices reads what is due and hands each to a sender of its own: as many at
// once as wait and as there are senders free, so that they share one reading, and so
// that no message waits, written out, for a sender. It returns when ctx has ended and every
// sender is done.
func (k *Keeper) sendNotices(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	free := make(chan struct{}, noticeSenders)
	for {
		var keys []string
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		select {
		case <-ctx.Done():
			return
		case key := <-k.post.queue:
			keys = append(keys, key)
		}
	gather:
		for {
			select {
			case free <- struct{}{}:
			default:
				break gather
			}
			select {
			case key := <-k.post.queue:
				keys = append(keys, key)
			default:
				<-free
				break gather
			}
		}
		for _, l := range k.written(ctx, keys) {
			sending.Go(func() {
				defer func() { <-free }()
				k.sendNotice(ctx, l)
			})
		}
	}
}

// sendNotice tries once each message of a notice that has not gone. What may still
// succeed is tried again after a while, and no sender waits for it.
func (k *Keeper) sendNotice(ctx context.Context, l letter) {
	if ctx.Err() != nil {
		return
	}
	if l.err != nil && !fault.Is(l.err, fault.Integrity) {
		k.again(ctx, l.key)
		return
	}
	if l.err != nil {
		k.log.Error("alarm: a notice cannot be trusted and is dropped", "alarm", "notice", "kind", fault.KindOf(l.err))
	}
	later := false
	for _, n := range l.all {
		if len(l.all) > 1 && k.post.gone(n.ID) {
			continue
		}
		wait := k.sendLetter(ctx, n)
		if ctx.Err() != nil {
			return
		}
		if later = later || wait; !wait && len(l.all) > 1 {
			k.post.went(n.ID)
		}
	}
	if later {
		k.again(ctx, l.key)
		return
	}
	k.post.forget(l.all)
	k.post.end(l.key)
}

// sendLetter tries one message and says whether it is worth another try.
func (k *Keeper) sendLetter(ctx context.Context, n Notice) (again bool) {
	if n.Email != "" { // a mail server that hangs holds up no message to a mobile
		select {
		case k.post.mails <- struct{}{}:
			defer func() { <-k.post.mails }()
		default:
			return true
		}
	}
	ablate.Crash("notice:composed")
	try, cancel := context.WithTimeout(ctx, noticeTry)
	err := k.courier.Send(try, n)
	cancel()
	ablate.Crash("notice:sent")
	if ctx.Err() != nil || err == nil {
		return false
	}
	if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Internal) && k.now().UnixMilli() <= n.Deadline {
		return true
	}
	k.log.Warn("message given up", "template", n.Template, "kind", fault.KindOf(err))
	return false
}

func (k *Keeper) again(ctx context.Context, key string) {
	time.AfterFunc(k.post.later(key), func() {
		if ctx.Err() == nil {
			k.post.queue <- key
		}
	})
}

// endNotices deletes the rows of what is done when no other transaction has
// taken them along.
func (k *Keeper) endNotices(ctx context.Context) {
	tick := time.NewTicker(endAlone)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for keys := k.post.overdue(nil); len(keys) > 0 && ctx.Err() == nil; keys = k.post.overdue(nil) {
			err := k.store.Update(ctx, func(tx state.Tx) error { return deleteNotices(ctx, tx, keys) })
			k.post.deleted(keys, err == nil)
			if err != nil {
				if ctx.Err() == nil {
					k.log.Warn("sent notices could not be deleted", "kind", fault.KindOf(err), "count", len(keys))
				}
				break
			}
		}
	}
}

func deleteNotices(ctx context.Context, tx state.Tx, keys []string) error {
	for _, key := range keys {
		if err := tx.Delete(ctx, state.Notices, key); err != nil {
			return err
		}
	}
	return nil
}

// letter is what a row becomes: its messages, to whom, in which language and what they
// say. There are none when nothing is to be sent any more.
type letter struct {
	key string
	all []Notice
	err error
}

// written makes the messages of rows in one reading. A household's number and
// address are opened to send messages only.
func (k *Keeper) written(ctx context.Context, keys []string) []letter {
	out := make([]letter, len(keys))
	err := k.view(ctx, func(t *txn) error {
		for i, key := range keys {
			out[i] = letter{key: key}
			out[i].all, out[i].err = t.letter(key)
		}
		return nil
	})
	for i := range out {
		if err != nil {
			out[i] = letter{key: keys[i], err: err}
		}
	}
	return out
}

func (t *txn) letter(key string) ([]Notice, error) {
	row, there, err := t.Tx.Get(t.Ctx, state.Notices, key)
	if err != nil || !there {
		return nil, err
	}
	var v state.Notice
	if !hmac.Equal(row.MAC, t.k.keys.RowMAC(state.Notices, row)) && !ablate.Off(ablate.RowMAC) || json.Unmarshal(row.Content, &v) != nil {
		return nil, state.Integrity(state.Notices, "a row's MAC does not match")
	}
	if row.Expires > 0 && t.k.now().UnixMilli() > row.Expires {
		t.k.log.Warn("message given up", "template", v.Kind, "kind", "expired")
		return nil, nil
	}
	h, err := t.Household(v.Household)
	if err != nil {
		return nil, err
	}
	n := Notice{ID: v.ID, Template: v.Kind, Language: h.Language, Deadline: row.Expires}
	params, said, err := t.saying(v)
	if err != nil || !said {
		return nil, err
	}
	n.Params = params
	return t.letters(v, h, n)
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
	case noticeLinked, noticeEmail, noticePIN, relink.NoticeStopped, relink.NoticeMoved, noticeApart, noticeLink:
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
	if err := t.unnotice(enc.told); err != nil {
		return err
	}
	n := state.Notice{ID: "dose/" + seal, Household: house, Kind: noticeDose, Centre: enc.session.Centre, Place: enc.session.Name, Day: enc.session.Day}
	_, err := t.notice(n, 0, noticeLife)
	return err
}
