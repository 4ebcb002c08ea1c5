package portal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Bookings holds and books places (ADR 45).
type Bookings interface {
	Appointments(ctx context.Context, people []id.Person) (map[id.Person][]scheduling.Appointment, error)
	Terms(ctx context.Context, session id.Session) (scheduling.Session, scheduling.Centre, error)
	Chances(ctx context.Context, h vault.Holder, session id.Session, old id.Hold, refs []id.Reference) (map[id.Person]vault.Chance, error)
	Reserve(ctx context.Context, h vault.Holder, in scheduling.BookInput) (scheduling.Reserved, error)
	Confirm(ctx context.Context, h vault.Holder, in scheduling.BookInput) (scheduling.Applied, error)
}

// Moves changes and shows what is booked.
type Moves interface {
	ReserveMove(ctx context.Context, h vault.Holder, in scheduling.MoveInput) (scheduling.Reserved, error)
	ConfirmMove(ctx context.Context, h vault.Holder, in scheduling.MoveInput) (id.Hold, error)
	LetGo(ctx context.Context, h vault.Holder) error
	Cancel(ctx context.Context, h vault.Holder, hold id.Hold, refs []id.Reference) error
	Slip(ctx context.Context, h vault.Holder, hold id.Hold) (scheduling.SlipView, error)
}

// Past is what appointments were before they were moved.
type Past interface {
	Former(ctx context.Context, a scheduling.Appointment) ([]scheduling.Former, error)
}

// othersMost is how many other sessions are offered when places are gone, and othersDays how
// far ahead.
const (
	othersMost = 6
	othersDays = stripDays
	dosesAsked = 4 // the doses that a session on a new device may ask for
)

// codeBooked is the vault's code for who has a live appointment.
const codeBooked = "APPOIN0022"

// partyFields are the boxes of a household's people: one for each place of it.
func partyFields() []string { return []string{"p1", "p2", "p3", "p4", "p5", "p6"} }

func bookRoutes() []Route {
	fields := append([]string{"key", "slot", "dose", "move", "from"}, partyFields()...)
	return append([]Route{
		mine("/book/{session}", "book", bookForm, "move", "from"),
		act("/book/{session}", "book.hold", hold, fields...),
		act("/book/{session}/confirm", "book.confirm", confirm, append(slices.Clone(fields), "until")...),
		act("/book/leave", "book.leave", letGo),
	}, bookingRoutes()...)
}

// booking is one booking on its way through the pages.
type booking struct {
	session scheduling.Session
	centre  scheduling.Centre
	house   registry.Household
	booked  map[id.Person][]scheduling.Appointment
	chances map[id.Person]vault.Chance

	key, slot string
	way       string // how they came here: what the link back leads to
	dose      int
	chosen    map[id.Person]bool
	moving    scheduling.Appointment // of no Hold: none
	movers    []id.Person

	who, time, doseField view.Field
	lost                 string
	others               []view.OtherPlace
}

// begin reads what the pages of a booking have in common.
func (c *Ctx) beginBooking() (*booking, error) {
	b := &booking{key: c.form.Get("key"), slot: c.form.Get("slot"), way: c.form.Get("from"), chosen: map[id.Person]bool{}}
	if !slices.Contains([]string{"", wayDistrict, wayCentre, wayMove}, b.way) {
		return nil, fault.New(fault.Invalid, "from", "an unknown way")
	}
	var err error
	if b.session, b.centre, err = c.s.cfg.Holding.Bookings.Terms(c.r.Context(), id.Session(c.r.PathValue("session"))); err != nil {
		return nil, err
	}
	if b.house, err = c.household(); err != nil {
		return nil, err
	}
	if b.booked, err = c.appointments(b.house); err != nil {
		return nil, err
	}
	if move := c.form.Get("move"); move != "" {
		if err := c.findMoving(b, move); err != nil {
			return nil, err
		}
	}
	if b.chances, err = c.chances(b.house, b.session.ID, b.moving.Hold); err != nil {
		return nil, err
	}
	if !id.Valid(b.key) {
		b.key = id.New()
	}
	b.dose, _ = strconv.Atoi(c.form.Get("dose"))
	for _, f := range partyFields() {
		if h := c.form.Get(f); h != "" {
			p, err := member(c, h, b.house.People, func(p vault.Person) id.Reference { return p.Reference })
			if err != nil {
				return nil, err
			}
			b.chosen[p.Person] = true
		}
	}
	// Of an appointment of one person, that one moves; of several, first everybody who may.
	alone := len(b.movers) == 1 && len(b.chosen) == 0
	for _, p := range b.movers {
		if alone || c.route.Method == http.MethodGet && b.chances[p].OK {
			b.chosen[p] = true
		}
	}
	return b, nil
}

// findMoving finds the appointment to be moved by its handle, and whose it is.
func (c *Ctx) findMoving(b *booking, handle string) error {
	for _, p := range b.house.People {
		for _, a := range b.booked[p.Person] {
			if c.handle(id.Reference(a.Hold)) == handle {
				b.moving = a
				b.movers = append(b.movers, p.Person)
			}
		}
	}
	if b.moving.Hold == "" {
		return c.movedOn(b.booked, handle)
	}
	return nil
}

// bookForm asks who is to be booked and when.
func bookForm(c *Ctx) error {
	b, err := c.beginBooking()
	if err != nil {
		return c.orMoved(err)
	}
	if len(b.session.Slots) == 1 {
		b.slot = b.session.Slots[0]
	}
	may := 0
	for _, p := range b.house.People {
		if b.chances[p.Person].OK {
			may++
		}
	}
	if may == 1 && b.moving.Hold == "" { // there is nobody else to choose
		for _, p := range b.house.People {
			b.chosen[p.Person] = b.chances[p.Person].OK
		}
	}
	return c.showBooking(http.StatusOK, b)
}

// at is a day and time in words.
func (c *Ctx) at(day civil.Date, slot string) string {
	return c.say.T("book.at", "Day", c.say.LongDay(day), "Time", strings.ReplaceAll(slotTime(slot), "–", "\u2060–\u2060")) // in one piece
}

func (c *Ctx) bookingLine(a scheduling.Appointment) view.BookingLine {
	return view.BookingLine{Href: "/booking/" + c.handle(id.Reference(a.Hold)), When: c.at(a.Day, a.Slot), Where: a.Place.Name}
}

// placeOf is where and when a session is.
func (c *Ctx) placeOf(s scheduling.Session, x scheduling.Centre, slot string) view.Place {
	out := view.Place{Centre: x.Name, Address: x.Address, Day: c.say.LongDay(s.Day), Vaccine: s.Product, Fee: c.say.T("book.free")}
	if slot != "" {
		out.Time = slotTime(slot)
	}
	if s.Fee > 0 {
		out.Fee = "₹" + catalogue.Number(int64(s.Fee))
	}
	if at := time.UnixMilli(s.DrawAt); s.DrawAt > 0 && at.After(c.begin) {
		out.Draw = c.say.T("book.draw_at", "At", c.say.Clock(at))
	}
	return out
}

func (c *Ctx) showBooking(status int, b *booking) error {
	left := b.session.SlotsLeft(c.begin)
	if len(left) == 0 {
		b.lost, b.others = "book.lost_closed", c.otherPlaces(b)
	}
	x := view.BookPage{Action: "/book/" + url.PathEscape(string(b.session.ID)), Place: c.placeOf(b.session, b.centre, ""), Key: b.key, Who: b.who, Time: b.time, Dose: b.doseField,
		None: len(b.house.People) == 0, Lost: b.lost, Others: b.others, From: b.way, Find: wayBack(b.way, b.centre, b.session.Day)}
	x.Add = "/account/add?session=" + url.QueryEscape(string(b.session.ID))
	if b.way != "" {
		x.Add += "&from=" + b.way
	}
	if c.s.has("/notify") {
		x.Notify = "/notify?pin=" + b.centre.PIN
		if b.way == wayDistrict {
			x.Notify = "/notify?district=" + strconv.Itoa(b.centre.DistrictID)
		}
	}
	if x.Choose = len(b.movers) > 1; b.way == wayMove && b.moving.Hold != "" {
		x.Find = "/booking/" + c.handle(id.Reference(b.moving.Hold)) + "/move"
	}
	if b.moving.Hold != "" {
		x.Move, x.Moving = c.handle(id.Reference(b.moving.Hold)), c.at(b.moving.Day, b.moving.Slot)+", "+b.moving.Place.Name
	}
	for i, p := range b.house.People {
		if b.moving.Hold == "" || slices.Contains(b.movers, p.Person) {
			one, may := c.bookPerson(b, partyFields()[i%maxPeople], p)
			if may || b.moving.Hold != "" && !x.Choose {
				x.People = append(x.People, one)
			} else {
				x.Not = append(x.Not, one)
			}
		}
	}
	for _, s := range left {
		x.Times = append(x.Times, view.Option{Value: s, Text: slotTime(s), Chosen: s == b.slot})
	}
	if b.house.Masked {
		for n := range dosesAsked {
			d := strconv.Itoa(n + 1)
			x.Doses = append(x.Doses, view.Option{Value: d, Text: c.say.T("book.dose_n", "N", d), Chosen: d == strconv.Itoa(b.dose)})
		}
	}
	x.Keep = c.kept(b, false)
	title := "book.title"
	if b.moving.Hold != "" {
		title = "book.move_title"
	}
	p := c.page(title)
	p.KeepForm, p.Wrong = "book", status == http.StatusUnprocessableEntity
	return c.render(status, view.Book(p, x))
}

// bookPerson is one person with what the vault says of them here, and whether they may be
// booked.
func (c *Ctx) bookPerson(b *booking, field string, p vault.Person) (out view.BookPerson, may bool) {
	out = view.BookPerson{Field: field, Value: c.handle(p.Reference), Name: p.Name, Chosen: b.chosen[p.Person]}
	if b.house.Masked {
		out.Note = c.say.T("book.new_device_may")
		return out, true
	}
	ch := b.chances[p.Person]
	if ch.OK {
		out.Note = c.say.T("book.may", "Dose", ch.Dose)
		return out, true
	}
	switch ch.Code {
	case rules.CodeTooEarly:
		out.Note = c.say.T("book.no_early", "Dose", ch.Dose, "Day", c.say.Day(ch.Earliest))
	case rules.CodeTooYoung:
		out.Note = c.say.T("book.no_young")
	case rules.CodeTooOld:
		out.Note = c.say.T("book.no_old")
	case rules.CodeOtherProduct:
		out.Note = c.say.T("book.no_product")
	case rules.CodeComplete:
		out.Note = c.say.T("book.no_complete")
	case codeBooked:
		out.Note = c.say.T("book.no_booked")
		for _, a := range b.booked[p.Person] {
			if a.Programme == b.session.Programme && (a.Session != b.session.ID || len(b.session.Slots) > 1) {
				out.Move = "/book/" + url.PathEscape(string(b.session.ID)) + "?move=" + c.handle(id.Reference(a.Hold))
				out.MoveText = c.say.T("book.move_this", "When", c.at(a.Day, a.Slot))
			}
		}
	default:
		out.Note = c.say.T("book.no_other")
	}
	return out, false
}

// kept are the hidden fields of what was chosen; with all set of everything.
func (c *Ctx) kept(b *booking, all bool) (out []view.Hidden) {
	for i, p := range b.house.People {
		if b.chosen[p.Person] {
			out = append(out, view.Hidden{Name: partyFields()[i%maxPeople], Value: c.handle(p.Reference)})
		}
	}
	if b.dose > 0 {
		out = append(out, view.Hidden{Name: "dose", Value: strconv.Itoa(b.dose)})
	}
	if b.way != "" {
		out = append(out, view.Hidden{Name: "from", Value: b.way})
	}
	if all {
		out = append(out, view.Hidden{Name: "key", Value: b.key}, view.Hidden{Name: "slot", Value: b.slot})
		if b.moving.Hold != "" {
			out = append(out, view.Hidden{Name: "move", Value: c.handle(id.Reference(b.moving.Hold))})
		}
	}
	return out
}

// judge looks at what was chosen; it says what is wrong beside the field.
func (b *booking) judge() bool {
	dose := 0
	for _, p := range b.house.People {
		if !b.chosen[p.Person] || b.house.Masked {
			continue
		}
		ch := b.chances[p.Person]
		switch {
		case !ch.OK && ch.Code != codeBooked: // who is booked may be so by this very form, half done: the service knows
			b.who.Wrong = "book.who_changed"
		case dose != 0 && ch.Dose != dose:
			b.who.Wrong = "book.who_mixed"
		}
		dose = ch.Dose
	}
	if !b.house.Masked {
		b.dose = dose
	} else if b.dose < 1 || b.dose > dosesAsked {
		b.doseField.Wrong = "book.dose_none"
	}
	if len(b.party()) == 0 {
		b.who.Wrong = "book.who_none"
		if b.moving.Hold != "" {
			b.who.Wrong = "book.move_none"
		}
	}
	if !slices.Contains(b.session.Slots, b.slot) {
		b.time.Wrong = "book.time_none"
	}
	return b.who.Wrong == "" && b.time.Wrong == "" && b.doseField.Wrong == ""
}

// party is who was chosen, by reference number.
func (b *booking) party() (out []id.Reference) {
	for _, p := range b.house.People {
		if b.chosen[p.Person] {
			out = append(out, p.Reference)
		}
	}
	return out
}

// input is what is asked of the service. The key is of the page and of what was chosen on it:
// the same form sent twice is one booking, another choice on the same page is another.
func (b *booking) input() scheduling.BookInput {
	refs := b.party()
	parts := []string{string(b.session.ID), b.slot, strconv.Itoa(b.dose), string(b.moving.Hold)}
	for _, r := range refs {
		parts = append(parts, string(r))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return scheduling.BookInput{Dose: b.dose, Session: b.session.ID, Slot: b.slot, References: refs, Key: "p/" + b.key + "/" + hex.EncodeToString(sum[:8])}
}

func (b *booking) move() scheduling.MoveInput {
	in := b.input()
	out := scheduling.MoveInput{Old: b.moving.Hold, Session: in.Session, Slot: in.Slot, Key: in.Key}
	if slices.ContainsFunc(b.movers, func(p id.Person) bool { return !b.chosen[p] }) {
		out.References = in.References // the others keep theirs
	}
	return out
}

// hold holds the places and asks for the last press.
func hold(c *Ctx) error {
	b, err := c.beginBooking()
	if err != nil {
		return c.orMoved(err)
	}
	if c.keep {
		return c.showBooking(http.StatusOK, b)
	}
	if !b.judge() {
		return c.showBooking(http.StatusUnprocessableEntity, b)
	}
	var got scheduling.Reserved
	if b.moving.Hold != "" {
		got, err = c.s.cfg.Holding.Moves.ReserveMove(c.r.Context(), c.holder, b.move())
	} else {
		got, err = c.s.cfg.Holding.Bookings.Reserve(c.r.Context(), c.holder, b.input())
	}
	switch {
	case err != nil:
		return c.notHeld(b, err)
	case got.Booked:
		return c.booked(b, got.Hold)
	}
	return c.check(b, got.Until)
}

// check shows what is about to be booked.
func (c *Ctx) check(b *booking, until int64) error {
	x := view.CheckPage{Action: "/book/" + url.PathEscape(string(b.session.ID)) + "/confirm", Place: c.placeOf(b.session, b.centre, b.slot), Dose: c.say.T("book.dose_n", "N", b.dose), Keep: c.kept(b, true)}
	if until > 0 {
		x.Until = c.say.T("book.held", "At", c.say.Clock(time.UnixMilli(until)))
		x.Keep = append(x.Keep, view.Hidden{Name: "until", Value: strconv.FormatInt(until, 10)})
	}
	if b.moving.Hold != "" {
		x.Moving = c.at(b.moving.Day, b.moving.Slot) + ", " + b.moving.Place.Name
	}
	for _, p := range b.house.People {
		if b.chosen[p.Person] {
			x.People = append(x.People, p.Name)
		}
	}
	p := c.page("book.check")
	p.KeepForm = "check"
	return c.render(http.StatusOK, view.Check(p, x))
}

// notHeld shows the same page with what was chosen, why it cannot be, and other places.
func (c *Ctx) notHeld(b *booking, err error) error {
	var no *scheduling.Refusal
	switch {
	case errors.As(err, &no):
		b.who.Wrong = "book.who_changed"
		if ch, ok := b.chances[no.Chance.Person]; ok { // what the vault said since the page was asked for
			ch.OK, ch.Code, ch.Earliest = false, no.Chance.Code, no.Chance.Earliest
			b.chances[no.Chance.Person] = ch
		}
	case fault.Is(err, fault.Full):
		b.lost = "book.lost_full"
		b.others = c.otherPlaces(b)
	case fault.Is(err, fault.Invalid) && fault.CodeOf(err) == scheduling.CodeSlot:
		b.time.Wrong = "book.time_over"
	case fault.Is(err, fault.Invalid):
		b.who.Wrong = "book.who_changed"
	case fault.Is(err, fault.Conflict) && fault.CodeOf(err) == "hold":
		b.lost = "book.lost_again"
	case fault.Is(err, fault.Conflict), fault.Is(err, fault.NotFound) && b.moving.Hold != "":
		b.who.Wrong = "book.who_changed"
	default:
		return err
	}
	return c.showBooking(http.StatusUnprocessableEntity, b)
}

// otherPlaces are sessions near by of the same vaccine with enough places for the party.
func (c *Ctx) otherPlaces(b *booking) (out []view.OtherPlace) {
	today := c.today()
	pin, _ := strconv.ParseInt(b.centre.PIN, 10, 64)
	seen := map[id.Session]bool{}
	need := max(1, len(b.party()))
	for _, q := range []scheduling.Question{{By: scheduling.ByCentre, Key: int64(b.centre.ID)}, {By: scheduling.ByPIN, Key: pin}, {By: scheduling.ByDistrict, Key: int64(b.centre.DistrictID)}} {
		q.Day, q.Days = today, othersDays
		for _, d := range c.search(q).List {
			for _, s := range d.Sessions {
				free := s.Available1
				if scheduling.Pool(max(1, b.dose)) == 2 {
					free = s.Available2
				}
				if seen[s.ID] || s.ID == b.session.ID || free < need || s.Product != b.session.Product || len(out) == othersMost {
					continue
				}
				seen[s.ID] = true
				o := view.OtherPlace{Action: "/book/" + url.PathEscape(string(s.ID)), Where: d.Centre.Name, Day: c.say.LongDay(s.Day), Note: c.say.N("find.places", int64(free))}
				for _, at := range s.Slots {
					o.Times = append(o.Times, view.Option{Value: at, Text: slotTime(at)})
				}
				if len(o.Times) > 0 {
					out = append(out, o)
				}
			}
		}
	}
	return out
}

// confirm books.
func confirm(c *Ctx) error {
	b, err := c.beginBooking()
	var moved *movedOn
	switch {
	case errors.As(err, &moved) && len(moved.to) == 1 && !c.keep: // pressed twice
		return c.see("/booking/" + c.handle(id.Reference(moved.to[0].Hold)) + "?new=2")
	case err != nil:
		return c.orMoved(err)
	}
	until, _ := strconv.ParseInt(c.form.Get("until"), 10, 64)
	if c.keep {
		return c.check(b, until)
	}
	if b.moving.Hold != "" {
		if len(b.party()) == 0 {
			b.judge()
			return c.showBooking(http.StatusUnprocessableEntity, b)
		}
		hold, err := c.s.cfg.Holding.Moves.ConfirmMove(c.r.Context(), c.holder, b.move())
		if err != nil {
			return c.notHeld(b, err)
		}
		return c.booked(b, hold)
	}
	if b.dose < 1 || len(b.party()) == 0 || !slices.Contains(b.session.Slots, b.slot) {
		b.judge()
		return c.showBooking(http.StatusUnprocessableEntity, b)
	}
	got, err := c.s.cfg.Holding.Bookings.Confirm(c.r.Context(), c.holder, b.input())
	switch {
	case err != nil:
		return c.notHeld(b, err)
	case got.Entry > 0:
		return c.render(http.StatusOK, view.Done(c.page("book.entered"), view.DonePage{Title: "book.entered", Text: "book.entered_text", Href: "/account", Way: "book.to_account",
			Say: c.say.T("book.entered_say", "N", got.Entry, "At", c.say.Clock(time.UnixMilli(cmp.Or(got.DrawAt, b.session.DrawAt))))}))
	}
	return c.booked(b, got.Hold)
}

// booked leads to the slip. A session that sees initials gets no codes: it is told at once.
func (c *Ctx) booked(b *booking, hold id.Hold) error {
	how := "1"
	if b.moving.Hold != "" {
		how = "2"
	}
	if !b.house.Masked {
		return c.see("/booking/" + c.handle(id.Reference(hold)) + "?new=" + how)
	}
	x := view.BookingPage{Done: doneText(how), Number: string(hold), Place: c.placeOf(b.session, b.centre, b.slot), Map: mapOf(b.centre)}
	for _, p := range b.house.People {
		if b.chosen[p.Person] {
			x.People = append(x.People, view.SlipPart{Name: p.Name})
		}
	}
	return c.render(http.StatusOK, view.Booking(c.page("book.slip"), x))
}

func doneText(how string) string {
	switch how {
	case "1":
		return "book.done"
	case "2":
		return "book.done_move"
	}
	return ""
}

// letGo gives up what is held.
func letGo(c *Ctx) error {
	if !c.keep {
		if err := c.s.cfg.Holding.Moves.LetGo(c.r.Context(), c.holder); err != nil {
			return err
		}
	}
	return c.see("/account")
}
