package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/dates"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// Holding is what the pages of an account and of booking ask; the services are the same as
// the API's.
type Holding struct {
	People   People
	Bookings Bookings
	Moves    Moves
	Past     Past
	Cards    NewCards
	Wishes   Wishes
	// SlipPDF sets a slip on paper.
	SlipPDF func(scheduling.SlipView) ([]byte, error)
}

// People is the registry of people, to who is signed in.
type People interface {
	Household(ctx context.Context, h vault.Holder) (registry.Household, error)
	Enrol(ctx context.Context, h vault.Holder, key string, who vault.Identity, consent vault.Consent) (id.Reference, error)
	Remove(ctx context.Context, h vault.Holder, ref id.Reference) error
}

// NewCards makes cards.
type NewCards interface {
	NewCard(ctx context.Context, h vault.Holder, ref id.Reference, key string) (vault.NewCard, error)
}

// maxPeople is how many people a mobile may have.
const maxPeople = scheduling.MaxParty

func accountRoutes() []Route {
	return append([]Route{
		mine("/account", "account", account, "added", "removed"),
		mine("/account/add", "person.add", addForm, "session", "from").phone(),
		act("/account/add", "person.add", add, "key", "session", "from", "name", "gender", "year", "day", "month", "kind", "id", "guardian", "agree").phone(),
		mine("/p/{who}", "person", person),
		mine("/p/{who}/remove", "person.remove", askRemove),
		act("/p/{who}/remove", "person.remove", remove, "sure"),
		mine("/p/{who}/card", "person.card", askCard),
		act("/p/{who}/card", "person.card", newCard, "key"),
	}, append(bookRoutes(), phones(notifyRoutes())...)...)
}

// household opens the household's view, and notes what the session may see.
func (c *Ctx) household() (registry.Household, error) {
	h, err := c.s.cfg.Holding.People.Household(c.r.Context(), c.holder)
	c.waiting = h.Waiting
	return h, err
}

// own opens the household and finds the one of the address in it.
func (c *Ctx) own() (registry.Household, vault.Person, error) {
	h, err := c.household()
	if err != nil {
		return h, vault.Person{}, err
	}
	p, err := member(c, c.r.PathValue("who"), h.People, func(p vault.Person) id.Reference { return p.Reference })
	return h, p, err
}

// appointments are those of a household, by person; none for a session that sees initials.
func (c *Ctx) appointments(h registry.Household) (map[id.Person][]scheduling.Appointment, error) {
	if h.Masked {
		return nil, nil
	}
	var people []id.Person
	for _, p := range h.People {
		people = append(append(people, p.Person), p.Joined...)
	}
	all, err := c.s.cfg.Holding.Bookings.Appointments(c.r.Context(), people)
	if err != nil {
		return nil, err
	}
	out := map[id.Person][]scheduling.Appointment{}
	for _, p := range h.People {
		for _, one := range append([]id.Person{p.Person}, p.Joined...) {
			for _, a := range all[one] {
				if a.State == scheduling.Live {
					out[p.Person] = append(out[p.Person], a)
				}
			}
		}
	}
	return out, nil
}

// chances are what the vault says comes next for each, with a session whether they may be
// booked there; nothing for a session that sees initials.
func (c *Ctx) chances(h registry.Household, session id.Session, old id.Hold) (map[id.Person]vault.Chance, error) {
	if h.Masked || len(h.People) == 0 {
		return nil, nil
	}
	var refs []id.Reference
	for _, p := range h.People {
		refs = append(refs, p.Reference)
	}
	return c.s.cfg.Holding.Bookings.Chances(c.r.Context(), c.holder, session, old, refs)
}

// account lists the people under this mobile.
func account(c *Ctx) error {
	h, err := c.household()
	if err != nil {
		return err
	}
	booked, err := c.appointments(h)
	if err != nil {
		return err
	}
	next, err := c.chances(h, "", "")
	if err != nil {
		return err
	}
	x := view.AccountPage{Add: len(h.People) < maxPeople && !c.byCard, Card: c.byCard}
	switch {
	case c.form.Get("added") == "1":
		x.Note = "account.added"
	case c.form.Get("removed") == "1":
		x.Note = "account.removed"
	}
	for _, p := range h.People {
		x.People = append(x.People, c.personCard(p, h, booked[p.Person], next[p.Person]))
	}
	if len(h.People) > 0 {
		x.Links = append(x.Links, view.Link{Href: "/find", Icon: "place", Title: "account.find", Text: "account.find_text"})
	}
	if alert, err := c.leaving(); err != nil {
		return err
	} else if alert {
		x.Links = append([]view.Link{{Href: relinkPath, Icon: "wait", Title: "relink.alert", Text: "relink.alert_text"}}, x.Links...)
	}
	x.Links = append(x.Links, c.ways(view.Link{Href: "/notify", Icon: "wait", Title: "account.notify", Text: "account.notify_text"},
		view.Link{Href: "/requests", Icon: "book", Title: "account.requests", Text: "account.requests_text"},
		view.Link{Href: "/account/devices", Icon: "lock", Title: "account.devices", Text: "account.devices_text"},
		view.Link{Href: relinkPath, Icon: "person", Title: "relink.link", Text: "relink.link_text"},
		view.Link{Href: "/export", Icon: "book", Title: "export.title", Text: "export.link_text"},
		view.Link{Href: "/leave", Icon: "ask", Title: "leave.back_title", Text: "leave.undo_days"})...)
	return c.render(http.StatusOK, view.Account(c.page("account.title"), x))
}

// ways are those of the links that lead to a page there is.
func (c *Ctx) ways(links ...view.Link) (out []view.Link) {
	for _, l := range links {
		if c.s.has(l.Href) && !(c.byCard && c.s.phoneOnly(l.Href)) {
			out = append(out, l)
		}
	}
	return out
}

func (c *Ctx) personCard(p vault.Person, h registry.Household, booked []scheduling.Appointment, next vault.Chance) view.PersonCard {
	out := view.PersonCard{Name: p.Name, Good: p.Status == rules.Vaccinated, Status: c.say.T(statusText(p.Status))}
	if h.Masked {
		return out
	}
	out.Href = "/p/" + c.handle(p.Reference)
	for _, a := range booked {
		out.Bookings = append(out.Bookings, c.bookingLine(a))
	}
	for _, d := range p.Draws {
		switch d.Result {
		case vault.DrawNoPlace:
			if !d.Offer.Day.Before(civil.Of(c.begin.In(statistics.India()))) {
				out.Bookings = append(out.Bookings, view.BookingLine{When: c.at(d.Offer.Day, d.Offer.Slot), Where: c.centreName(d.Offer.Centre), Note: c.say.T("account.draw_no_place")})
			}
		case vault.DrawWaiting:
			out.Bookings = append(out.Bookings, view.BookingLine{When: c.at(d.Offer.Day, d.Offer.Slot), Where: c.centreName(d.Offer.Centre), Note: c.say.T("account.draw_waiting", "At", c.say.Clock(time.UnixMilli(d.DrawAt)))})
		}
	}
	if len(out.Bookings) == 0 {
		out.Next = c.nextText(next.Due)
	}
	return out
}

func statusText(status string) string {
	switch status {
	case rules.Vaccinated:
		return "account.status_done"
	case rules.PartiallyVaccinated:
		return "account.status_part"
	}
	return "account.status_none"
}

// nextText says what the vault said comes next.
func (c *Ctx) nextText(d vault.Due) string {
	switch {
	case d.State == rules.DueNow && d.Product == "":
		return c.say.T("account.next_now", "Dose", d.Dose)
	case d.State == rules.DueNow:
		return c.say.T("account.next_product", "Dose", d.Dose, "Vaccine", d.Product)
	case d.State == rules.DueNotYet:
		return c.say.T("account.next_from", "Dose", d.Dose, "Vaccine", d.Product, "Day", c.say.Day(d.Earliest))
	case d.State == rules.DueOverdue:
		return c.say.T("account.next_late", "Dose", d.Dose, "Vaccine", d.Product, "Day", c.say.Day(d.Until))
	case d.State == rules.DueDone:
		return c.say.T("account.next_done")
	case d.State == rules.DueNone:
		return c.say.T("account.next_none")
	}
	return ""
}

// person shows one person and the ways on.
func person(c *Ctx) error {
	h, p, err := c.own()
	if err != nil {
		return err
	}
	if h.Masked {
		return c.see("/account")
	}
	booked, err := c.appointments(h)
	if err != nil {
		return err
	}
	next, err := c.chances(registry.Household{People: []registry.Beneficiary{p}}, "", "")
	if err != nil {
		return err
	}
	here := "/p/" + c.handle(p.Reference)
	x := view.PersonPage{Person: c.personCard(p, h, booked[p.Person], next[p.Person])}
	year := strconv.Itoa(p.BirthYear)
	x.Facts = []view.Detail{{Term: "account.reference", Is: string(p.Reference), Number: true}, {Term: "account.year", Is: year, Number: true},
		{Term: "account.gender", Is: c.say.T(genderText(p.GenderID))},
		{Term: "account.kind", Is: c.choice(rules.IDTypes(), p.IDType) + " …" + p.IDLast4}}
	if p.MobileLast4 != "" {
		x.Facts = append(x.Facts, view.Detail{Term: "account.mobile", Is: p.MobileLast4, Number: true})
	}
	if p.Product != "" {
		x.Facts = append(x.Facts, view.Detail{Term: "account.vaccine", Is: p.Product, Number: true})
	}
	for _, d := range []struct {
		term string
		day  civil.Date
	}{{"account.dose1", p.Dose1}, {"account.dose2", p.Dose2}} {
		if !d.day.IsZero() {
			x.Facts = append(x.Facts, view.Detail{Term: d.term, Is: c.say.Day(d.day)})
		}
	}
	x.Facts = append(x.Facts, view.Detail{Term: "account.view", Is: h.ViewRef, Number: true})
	for _, l := range []view.Link{{Href: "/certificate", Icon: "check", Title: "account.certificate", Text: "account.certificate_text"},
		{Href: "/seen", Icon: "eye", Title: "account.seen", Text: "account.seen_text"},
		{Href: "/card", Icon: "card", Title: "account.card", Text: "account.card_text"},
		{Href: "/ask", Icon: "book", Title: "account.ask", Text: "account.ask_text"},
		{Href: "/leave", Icon: "lock", Title: "account.leave", Text: "account.leave_text"},
		{Href: "/remove", Icon: "no", Title: "account.remove", Text: "account.remove_text"}} {
		if l.Href == "/remove" && p.Status != rules.NotVaccinated {
			continue // leaving is for them
		}
		if c.s.has("/p/{who}"+l.Href) || c.s.has("/p/{handle}"+l.Href) {
			l.Href = here + l.Href
			x.Links = append(x.Links, l)
		}
	}
	return c.render(http.StatusOK, view.Person(c.page("account.who"), x))
}

// choice is the text of an entry of a list, in Hindi where the page is.
func (c *Ctx) choice(list []rules.Choice, n int) string {
	for _, one := range list {
		if one.ID == n {
			return c.local(one.Text, one.TextHi)
		}
	}
	return ""
}

// genderText is the id of a gender's text.
func genderText(n int) string {
	switch n {
	case 1:
		return "account.gender_1"
	case 2:
		return "account.gender_2"
	}
	return "account.gender_3"
}

// addForm asks for a person's details.
func addForm(c *Ctx) error {
	return c.askPerson(http.StatusOK, view.AddPage{Key: id.New(), Session: sessionField(c.form), From: c.way()})
}

// sessionField is the session to be booked afterwards, "" when it is none.
func sessionField(form url.Values) string {
	if s := form.Get("session"); id.Valid(s) {
		return s
	}
	return ""
}

// way is how somebody came to the booking of a session; "" for a search by PIN code.
func (c *Ctx) way() string {
	if w := c.form.Get("from"); w == wayDistrict || w == wayCentre {
		return w
	}
	return ""
}

func (c *Ctx) askPerson(status int, x view.AddPage) error {
	for _, g := range rules.Genders() {
		n := strconv.Itoa(g.ID)
		x.Genders = append(x.Genders, view.Option{Value: n, Text: c.say.T(genderText(g.ID)), Chosen: x.Gender.Value == n})
	}
	for _, k := range rules.IDTypes() {
		n := strconv.Itoa(k.ID)
		x.Kinds = append(x.Kinds, view.Option{Value: n, Text: c.local(k.Text, k.TextHi), Chosen: x.Kind.Value == n})
	}
	for i, m := range c.say.Months() {
		n := strconv.Itoa(i + 1)
		x.Months = append(x.Months, view.Option{Value: n, Text: m, Chosen: x.Month.Value == n})
	}
	text := consentText()
	x.Consent, x.ConsentLang = text.Text, "en"
	if c.say.Code == "hi" {
		x.Consent, x.ConsentLang = text.TextHi, "hi"
	}
	p := c.page("account.add_title")
	p.KeepForm, p.Wrong = "add", status == http.StatusUnprocessableEntity
	return c.render(status, view.Add(p, x))
}

// consentText is the newest text of a registration.
func consentText() rules.ConsentText {
	var out rules.ConsentText
	for _, t := range rules.Consents() {
		if t.Purpose == "registration" {
			out = t
		}
	}
	return out
}

// add registers a person.
func add(c *Ctx) error {
	f := func(name string) view.Field { return view.Field{Value: c.form.Get(name)} }
	x := view.AddPage{Key: c.form.Get("key"), Session: sessionField(c.form), From: c.way(), Name: f("name"), Gender: f("gender"), Year: f("year"), Day: f("day"), Month: f("month"), Kind: f("kind"),
		ID: f("id"), Guardian: f("guardian"), Agreed: c.form.Get("agree") == "1"}
	if !id.Valid(x.Key) {
		x.Key = id.New()
	}
	if c.keep {
		return c.askPerson(http.StatusOK, x)
	}
	who, good := c.identity(&x)
	if !good {
		return c.askPerson(http.StatusUnprocessableEntity, x)
	}
	_, err := c.s.cfg.Holding.People.Enrol(c.r.Context(), c.holder, "p/"+x.Key, who, vault.Consent{Version: consentText().Version, Language: c.tongue(), Purpose: "registration"})
	switch {
	case fault.CodeOf(err) == "id-in-use":
		x.ID.Wrong = "account.id_used"
		return c.askPerson(http.StatusUnprocessableEntity, x)
	case fault.Is(err, fault.Full):
		x.Name.Wrong = "account.no_room"
		return c.askPerson(http.StatusUnprocessableEntity, x)
	case fault.Is(err, fault.Conflict): // the key came with other details: they were changed since
		x.Key = id.New()
		return c.askPerson(http.StatusOK, x)
	case err != nil:
		return err
	case x.Session != "":
		to := "/book/" + x.Session
		if x.From != "" {
			to += "?from=" + x.From
		}
		return c.see(to)
	}
	return c.see("/account?added=1")
}

// identity reads a person's details, and says beside each field what is wrong with it. The
// rules are the vault's own.
func (c *Ctx) identity(x *view.AddPage) (who vault.Identity, good bool) {
	wrong := func(f *view.Field, text string) { f.Wrong = text }
	var err error
	if who.Name, err = rules.NormalizeName(x.Name.Value); err != nil {
		wrong(&x.Name, "account.name_wrong")
	}
	if who.Guardian = strings.TrimSpace(x.Guardian.Value); who.Guardian != "" {
		if who.Guardian, err = rules.NormalizeName(who.Guardian); err != nil {
			wrong(&x.Guardian, "account.name_wrong")
		}
	}
	if who.GenderID, err = strconv.Atoi(x.Gender.Value); err != nil || !rules.ValidGender(who.GenderID) {
		wrong(&x.Gender, "account.gender_wrong")
	}
	today := c.today()
	who.BirthYear, x.Year.Wrong = dates.Year(x.Year.Value, today)
	who.BirthDate = birthDay(x, who.BirthYear, today)
	if who.IDType, err = strconv.Atoi(x.Kind.Value); err != nil || c.choice(rules.IDTypes(), who.IDType) == "" {
		wrong(&x.Kind, "account.kind_wrong")
	} else if who.IDNumber, err = rules.ParseIDNumber(who.IDType, x.ID.Value); err != nil {
		wrong(&x.ID, "account.id_wrong")
	}
	if !x.Agreed {
		wrong(&x.Agree, "account.agree_wrong")
	}
	for _, f := range []view.Field{x.Name, x.Gender, x.Year, x.Day, x.Month, x.Kind, x.ID, x.Guardian, x.Agree} {
		if f.Wrong != "" {
			return who, false
		}
	}
	return who, true
}

// birthDay reads day and month of a birth, both or neither, and says beside the field what is
// wrong. year is 0 when it is wrong itself.
func birthDay(x *view.AddPage, year int, today civil.Date) civil.Date {
	day, month := strings.TrimSpace(x.Day.Value), strings.TrimSpace(x.Month.Value)
	switch {
	case day == "" && month == "":
		return civil.Date{}
	case day == "":
		x.Day.Wrong = "account.day_wrong"
		return civil.Date{}
	case month == "":
		x.Month.Wrong = "account.day_wrong"
		return civil.Date{}
	}
	d, _ := catalogue.Count(day, 99)
	m, _ := catalogue.Count(month, 99)
	if x.Day.Wrong = dates.Wrong(d, m, year, today); x.Day.Wrong != "" {
		return civil.Date{}
	}
	return civil.Date{Year: year, Month: time.Month(m), Day: d}
}

// askRemove is the first step of deleting a registration.
func askRemove(c *Ctx) error { return c.removal("", view.Field{}) }

// removal asks whether a registration goes, or says with no why it cannot.
func (c *Ctx) removal(no string, sure view.Field) error {
	h, p, err := c.own()
	if err != nil {
		return err
	}
	if h.Masked {
		return c.see("/account")
	}
	here := "/p/" + c.handle(p.Reference)
	status := http.StatusOK
	if no != "" || sure.Wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	if no == "" && p.Status != rules.NotVaccinated {
		no, sure.Wrong = "account.remove_dose", ""
	}
	page := c.page("account.remove_title")
	page.KeepForm, page.Wrong = "ask", sure.Wrong != ""
	return c.render(status, view.Ask(page, view.AskPage{Sure: sure, SureText: "account.remove_sure", Action: here + "/remove", Back: here, Name: p.Name, Title: "account.remove_title", Text: "account.remove_ask",
		Button: "account.remove_button", No: no}))
}

// remove is the second step.
func remove(c *Ctx) error {
	sure := view.Field{Value: c.form.Get("sure")}
	if c.keep {
		return c.removal("", sure)
	}
	if sure.Value != "yes" {
		sure.Wrong = "leave.sure_none"
		return c.removal("", sure)
	}
	_, p, err := c.own()
	if err == nil {
		err = c.s.cfg.Holding.People.Remove(c.r.Context(), c.holder, p.Reference)
	}
	switch {
	case fault.CodeOf(err) == "vaccinated":
		return c.removal("account.remove_dose", sure)
	case fault.CodeOf(err) == "booked":
		return c.removal("account.remove_booked", sure)
	case guarded(err):
		return c.removal("account.card_needed", sure)
	case err != nil:
		return err
	}
	return c.see("/account?removed=1")
}

// guarded says that an adult's card has to be shown first.
func guarded(err error) bool {
	return fault.Is(err, fault.Forbidden) && fault.CodeOf(err) == "CARDFIRST"
}

// askCard is the first step of a new card.
func askCard(c *Ctx) error { return c.askNewCard("", newRequestKey()) }

func (c *Ctx) askNewCard(no, key string) error {
	h, p, err := c.own()
	if err != nil {
		return err
	}
	if h.Masked {
		return c.see("/account")
	}
	here := "/p/" + c.handle(p.Reference)
	status := http.StatusOK
	if no != "" {
		status = http.StatusUnprocessableEntity
	}
	return c.render(status, view.Ask(c.page("account.card_ask_title"), view.AskPage{Action: here + "/card", Back: here, Name: p.Name, Title: "account.card_ask_title", Text: "account.card_ask",
		Button: "account.card_button", No: no, Again: no == "account.card_before", Hidden: []view.Hidden{{Name: "key", Value: key}}}))
}

// newCard makes a card and shows it, once: the page cannot be got again.
func newCard(c *Ctx) error {
	if c.keep {
		return c.askNewCard("", c.formKey())
	}
	_, p, err := c.own()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Holding.Cards.NewCard(c.r.Context(), c.holder, p.Reference, c.formKey())
	if guarded(err) {
		return c.askNewCard("account.card_needed", c.formKey())
	}
	if fault.CodeOf(err) == "made" { // sent again much later
		return c.askNewCard("account.card_before", newRequestKey())
	}
	if err != nil {
		return err
	}
	x := view.CardPage{Back: "/p/" + c.handle(p.Reference), Name: p.Name, Reference: string(p.Reference), Card: got.Card, PIN: got.PIN}
	if x.QR, x.Side, err = qrPath(got.Card); err != nil {
		return err
	}
	return c.render(http.StatusOK, view.Card(c.page("account.card_title"), x))
}
