package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"tikakosh/internal/id"
	"tikakosh/internal/portal/calendar"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

func bookingRoutes() []Route {
	return []Route{
		mine("/booking/{booking}", "booking", showSlip, "new"),
		mine("/booking/{booking}/calendar.ics", "booking.calendar", calendarFile),
		mine("/booking/{booking}/slip.pdf", "booking.pdf", slipPDF),
		mine("/booking/{booking}/move", "booking.move", moveForm),
		mine("/booking/{booking}/cancel", "booking.cancel", cancelForm),
		act("/booking/{booking}/cancel", "booking.cancel", cancel, partyFields()...),
	}
}

// ourBooking finds the appointment of the address among those of the household, and whose it is.
func (c *Ctx) ourBooking() (h registry.Household, people []vault.Person, a scheduling.Appointment, err error) {
	if h, err = c.household(); err != nil {
		return h, nil, a, err
	}
	booked, err := c.appointments(h)
	if err != nil {
		return h, nil, a, err
	}
	for _, p := range h.People {
		for _, one := range booked[p.Person] {
			if c.handle(id.Reference(one.Hold)) == c.r.PathValue("booking") {
				people, a = append(people, p), one
			}
		}
	}
	if len(people) == 0 {
		err = c.movedOn(booked, c.r.PathValue("booking"))
	}
	return h, people, a, err
}

// mapOf is where a centre is on a map elsewhere, "" where its place is not known.
func mapOf(x scheduling.Centre) string {
	if x.Lat == 0 && x.Long == 0 {
		return ""
	}
	return fmt.Sprintf("https://www.openstreetmap.org/?mlat=%.4f&mlon=%.4f#map=15/%.4f/%.4f", x.Lat, x.Long, x.Lat, x.Long)
}

func (c *Ctx) placeOfBooking(a scheduling.Appointment) view.Place {
	return c.placeOf(scheduling.Session{Day: a.Day, Product: a.Product}, a.Place, a.Slot)
}

// showSlip shows an appointment with its codes.
func showSlip(c *Ctx) error {
	_, _, a, err := c.ourBooking()
	if err != nil {
		return c.orMoved(err)
	}
	v, err := c.s.cfg.Holding.Moves.Slip(c.r.Context(), c.holder, a.Hold)
	if err != nil {
		return err
	}
	here := "/booking/" + c.handle(id.Reference(a.Hold))
	x := view.BookingPage{Done: doneText(c.form.Get("new")), Number: string(a.Hold), Place: c.placeOfBooking(a), Codes: true, Calendar: here + "/calendar.ics",
		PDF: here + "/slip.pdf", Move: here + "/move", Cancel: here + "/cancel", Map: mapOf(a.Place)}
	if terms, _, err := c.s.cfg.Holding.Bookings.Terms(c.r.Context(), a.Session); err == nil {
		x.Place.Fee = c.placeOf(terms, a.Place, "").Fee
	}
	for _, p := range v.People {
		part := view.SlipPart{Name: p.Name, Reference: string(p.Reference), Dose: strconv.Itoa(p.Dose), Code: p.Code}
		if part.QR, part.Side, err = qrPath(string(p.Reference) + "-" + p.Code); err != nil {
			return err
		}
		x.People = append(x.People, part)
	}
	return c.render(http.StatusOK, view.Booking(c.page("book.slip"), x))
}

// slipPDF is the slip on paper.
func slipPDF(c *Ctx) error {
	_, _, a, err := c.ourBooking()
	if err != nil {
		return c.orMoved(err)
	}
	v, err := c.s.cfg.Holding.Moves.Slip(c.r.Context(), c.holder, a.Hold)
	if err != nil {
		return err
	}
	doc, err := c.s.cfg.Holding.SlipPDF(v)
	if err != nil {
		return err
	}
	return c.file("application/pdf", "appointment-slip.pdf", doc)
}

// calendarFile is an appointment as a file for a calendar: where and when, and nobody's name,
// number or code, because calendars are copied to other people's machines. An appointment that
// was moved is the same event at another time.
func calendarFile(c *Ctx) error {
	_, _, a, err := c.ourBooking()
	if err != nil {
		return c.orMoved(err)
	}
	former, err := c.s.cfg.Holding.Past.Former(c.r.Context(), a)
	if err != nil {
		return err
	}
	doc, err := calendar.Write(a, former, c.say.T("book.ics"), c.say.T("book.bring"), c.begin)
	if err != nil {
		return err
	}
	return c.file("text/calendar; charset=utf-8", "appointment.ics", doc)
}

// moveForm offers other days of the centre.
func moveForm(c *Ctx) error {
	_, people, a, err := c.ourBooking()
	if err != nil {
		return c.orMoved(err)
	}
	handle := c.handle(id.Reference(a.Hold))
	x := view.MovePage{Back: "/booking/" + handle, Place: c.placeOfBooking(a), Find: "/find?pin=" + a.Place.PIN}
	today := c.today()
	if x.Closed = !today.Before(a.Day); x.Closed {
		return c.render(http.StatusOK, view.Move(c.page("book.move_title"), x))
	}
	next, err := c.chances(registry.Household{People: people}, "", "")
	if err != nil {
		return err
	}
	found := c.search(scheduling.Question{By: scheduling.ByCentre, Key: int64(a.Centre), Day: today, Days: stripDays, Free: true})
	for _, d := range found.List {
		for _, s := range d.Sessions {
			free := s.Available1
			if scheduling.Pool(a.Dose) == 2 {
				free = s.Available2
			}
			var whom []string
			for _, p := range people {
				if suits(s, a, p, next[p.Person].Due) {
					whom = append(whom, p.Name)
				}
			}
			if free == 0 || len(whom) == 0 {
				continue
			}
			one := view.MoveDay{Href: "/book/" + url.PathEscape(string(s.ID)) + "?move=" + handle + "&from=" + wayMove, Day: c.say.LongDay(s.Day),
				Vaccine: s.Product, Note: c.ages(s.Session) + " · " + c.say.N("find.places", int64(free))}
			if len(whom) < len(people) {
				one.Only = whom
			}
			x.Days = append(x.Days, one)
		}
	}
	return c.render(http.StatusOK, view.Move(c.page("book.move_title"), x))
}

func cancelForm(c *Ctx) error { return c.askCancel(http.StatusOK, view.Field{}) }

// askCancel asks who is not coming.
func (c *Ctx) askCancel(status int, who view.Field) error {
	h, people, a, err := c.ourBooking()
	if err != nil {
		return c.orMoved(err)
	}
	here := "/booking/" + c.handle(id.Reference(a.Hold))
	x := view.CancelPage{Action: here + "/cancel", Back: here, Place: c.placeOfBooking(a), Who: who}
	for i, p := range h.People {
		if slices.ContainsFunc(people, func(o vault.Person) bool { return o.Person == p.Person }) {
			f := partyFields()[i%maxPeople]
			chosen := c.route.Method == http.MethodGet || c.form.Get(f) != ""
			x.People = append(x.People, view.BookPerson{Field: f, Value: c.handle(p.Reference), Name: p.Name, Chosen: chosen, Note: c.say.T("book.may", "Dose", a.Dose)})
		}
	}
	p := c.page("book.cancel_title")
	p.KeepForm, p.Wrong = "cancel", who.Wrong != ""
	return c.render(status, view.Cancel(p, x))
}

// cancel gives the places of those chosen back.
func cancel(c *Ctx) error {
	if c.keep {
		return c.askCancel(http.StatusOK, view.Field{})
	}
	_, people, a, err := c.ourBooking()
	if err != nil {
		return c.orMoved(err)
	}
	var refs []id.Reference
	for _, f := range partyFields() {
		if h := c.form.Get(f); h != "" {
			p, err := member(c, h, people, func(p vault.Person) id.Reference { return p.Reference })
			if err != nil {
				return err
			}
			refs = append(refs, p.Reference)
		}
	}
	if len(refs) == 0 {
		return c.askCancel(http.StatusUnprocessableEntity, view.Field{Wrong: "book.cancel_none"})
	}
	if err := c.s.cfg.Holding.Moves.Cancel(c.r.Context(), c.holder, a.Hold, refs); err != nil {
		return err
	}
	return c.render(http.StatusOK, view.Done(c.page("book.cancelled"), view.DonePage{Title: "book.cancelled", Text: "book.cancelled_text", Href: "/account", Way: "book.to_account"}))
}
