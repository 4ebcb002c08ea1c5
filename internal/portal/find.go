package portal

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
)

// stripDays is how many days the strip above a list reaches, and listMost how many centres a
// page of it has.
const (
	stripDays = 14
	listMost  = 20
	nearMost  = 12
	ageMost   = 130
)

// findFields are what a search may have in its address: nothing about anybody.
func findFields() []string {
	return []string{"pin", "state", "district", "day", "fee", "vaccine", "age", "dose", "all", "from"}
}

func findRoutes() []Route {
	near := page("/find/near", "find.near", findNear, "lat", "long")
	near.Method, near.BodyLimit = "POST", bodySmall
	return []Route{
		page("/find", "find", find, findFields()...),
		page("/centre/{centre}", "find.centre", centre, "all"),
		near,
		{Method: "GET", Path: "/find/near", Audience: edge.Public, Action: "find.near", Rate: edge.RateSearch, Handler: find},
	}
}

// The ways to a booking that are not a search by PIN code: its page leads back there.
const (
	wayDistrict = "district"
	wayCentre   = "centre"
	wayMove     = "move" // from the appointment that is moved
)

// wayOf is the way of a search; "" by PIN code.
func wayOf(by scheduling.By) string {
	if by == scheduling.ByDistrict {
		return wayDistrict
	}
	return ""
}

// wayBack is the page that led to the booking of a centre's session.
func wayBack(way string, x scheduling.Centre, day civil.Date) string {
	switch way {
	case wayCentre:
		return "/centre/" + strconv.FormatInt(int64(x.ID), 10)
	case wayDistrict:
		return "/find?district=" + strconv.Itoa(x.DistrictID) + "&day=" + day.String()
	}
	return "/find?pin=" + x.PIN + "&day=" + day.String()
}

// wanted is what a search is narrowed to.
type wanted struct {
	fee, vaccine string
	age, dose    int // age -1: any
	all          bool
}

// find asks where, or lists the centres there.
func find(c *Ctx) error {
	q := c.form
	switch {
	case q.Get("district") != "":
		n, ok := catalogue.Count(q.Get("district"), 1<<30)
		d, known := c.s.cfg.Places.District(n)
		if !ok || !known {
			return fault.New(fault.NotFound, "district", "no such district")
		}
		return c.results(scheduling.ByDistrict, int64(n), c.say.T("find.in_district", "District", c.local(d.Name, d.NameHi)))
	case q.Has("pin"):
		pin, ok := catalogue.PIN(q.Get("pin"))
		if !ok {
			return c.ask(view.Field{Value: q.Get("pin"), Wrong: "find.pin_wrong"}, view.Field{})
		}
		key, _ := strconv.ParseInt(pin, 10, 64)
		return c.results(scheduling.ByPIN, key, c.say.T("find.in_pin", "PIN", pin))
	case q.Has("district") && q.Get("state") != "", q.Get("state") != "":
		return c.askDistrict(q.Get("state"), q.Has("district"))
	case q.Has("state"):
		return c.ask(view.Field{}, view.Field{Wrong: "find.state_wrong"})
	}
	return c.ask(view.Field{}, view.Field{})
}

// local is a name in the page's language where there is one: as a language file says it, or
// in Hindi as the list of names has it.
func (c *Ctx) local(name, hindi string) string {
	if own := c.say.Named(name); own != name {
		return own
	}
	if c.say.Code == "hi" && hindi != "" {
		return hindi
	}
	return name
}

// ask shows the questions, with what was wrong with the answers.
func (c *Ctx) ask(pin, state view.Field) error {
	f := view.FindPage{PIN: pin, State: state}
	for _, s := range c.s.cfg.Places.States() {
		f.States = append(f.States, view.Option{Value: strconv.Itoa(s.ID), Text: c.local(s.Name, s.NameHi)})
	}
	f.Tiles = c.stateTiles()
	p := c.page("find.title")
	status := http.StatusOK
	if pin.Wrong != "" || state.Wrong != "" {
		p.Wrong, status = true, http.StatusUnprocessableEntity
	}
	return c.render(status, view.Find(p, f))
}

func (c *Ctx) askDistrict(state string, tried bool) error {
	n, _ := catalogue.Count(state, 1<<30)
	s, known := c.s.cfg.Places.State(n)
	if !known {
		return fault.New(fault.NotFound, "state", "no such state")
	}
	f := view.FindPage{StateName: c.local(s.Name, s.NameHi), StateID: strconv.Itoa(s.ID)}
	for _, d := range c.s.cfg.Places.Districts(n) {
		f.Districts = append(f.Districts, view.Option{Value: strconv.Itoa(d.ID), Text: c.local(d.Name, d.NameHi)})
	}
	p := c.page("find.title")
	status := http.StatusOK
	if tried {
		f.District.Wrong, p.Wrong, status = "find.district_wrong", true, http.StatusUnprocessableEntity
	}
	return c.render(status, view.Find(p, f))
}

// narrowed reads what a search is narrowed to; a wrong age comes back as what to say.
func (c *Ctx) narrowed() (w wanted, age view.Field, err error) {
	q := c.form
	w = wanted{fee: q.Get("fee"), vaccine: q.Get("vaccine"), age: -1, all: q.Get("all") == "1"}
	known := func(code string) bool {
		return slices.ContainsFunc(rules.Products(), func(p rules.Product) bool { return p.Code == code })
	}
	if !slices.Contains([]string{"", "free", "paid"}, w.fee) || !slices.Contains([]string{"", "1", "2"}, q.Get("dose")) || !slices.Contains([]string{"", "1"}, q.Get("all")) ||
		(w.vaccine != "" && !known(w.vaccine)) {
		return w, age, fault.New(fault.Invalid, "filter", "an unknown choice")
	}
	w.dose, _ = strconv.Atoi(q.Get("dose"))
	if age.Value = q.Get("age"); strings.TrimSpace(age.Value) != "" {
		n, ok := catalogue.Count(age.Value, ageMost)
		if !ok {
			age.Wrong = "find.age_wrong"
		} else {
			w.age = n
		}
	}
	return w, age, nil
}

// fits reports whether a session is of what is wanted, and free how many places it has for it.
func (w wanted) fits(s *scheduling.Listed, paid bool) bool {
	return (w.fee == "" || paid == (w.fee == "paid")) && (w.vaccine == "" || s.Product == w.vaccine) &&
		(w.age < 0 || (w.age >= s.MinAge && (s.MaxAge == 0 || w.age <= s.MaxAge)))
}

func (w wanted) free(s *scheduling.Listed) int {
	switch w.dose {
	case 1:
		return s.Available1
	case 2:
		return s.Available2
	}
	return s.Available()
}

// results lists the centres of a place on one day, below the strip of its days.
func (c *Ctx) results(by scheduling.By, key int64, heading string) error {
	w, age, err := c.narrowed()
	if err != nil {
		return err
	}
	from := 0
	if text := c.form.Get("from"); text != "" {
		n, ok := catalogue.Count(text, 1<<20)
		if !ok {
			return fault.New(fault.Invalid, "from", "a number is wanted")
		}
		from = n
	}
	today := c.today()
	found := c.search(scheduling.Question{By: by, Key: key, Day: today, Days: stripDays})
	free := map[civil.Date]int{}
	for i := range found.List {
		d := &found.List[i]
		for j := range d.Sessions {
			if s := &d.Sessions[j]; w.fits(s, d.Centre.Paid) {
				free[s.Day] += w.free(s)
			}
		}
	}
	day := chosenDay(c.form.Get("day"), today, free)
	x := view.ResultsPage{Heading: heading, Back: "/find", DayName: c.say.LongDay(day), Filters: c.filters(w, age), NotThere: "find.none"}
	for i := range stripDays {
		if d := today.AddDays(i); free[d] > 0 || w.all || d == day && len(free) > 0 {
			x.Days = append(x.Days, c.dayOf(d, day, free[d]))
		}
	}
	cards, count := c.cards(found.List, day, w, wayOf(by), from)
	if x.Centres, x.Count = cards, int64(count); count > from+listMost {
		x.More = c.with("from", strconv.Itoa(from+listMost))
	}
	if found.Area == nil {
		x.NotThere = "find.no_centre"
	}
	if c.s.has("/notify") {
		x.Notify = "/notify"
		switch by {
		case scheduling.ByPIN:
			x.Notify += "?pin=" + strconv.FormatInt(key, 10)
		case scheduling.ByDistrict:
			x.Notify += "?district=" + strconv.FormatInt(key, 10)
		}
	}
	p := c.page("")
	p.Title = heading
	status := http.StatusOK
	if age.Wrong != "" {
		p.Wrong, status = true, http.StatusUnprocessableEntity
	}
	return c.render(status, view.Results(p, x))
}

// chosenDay is the day asked for or, where none is, the first with places.
func chosenDay(asked string, today civil.Date, free map[civil.Date]int) civil.Date {
	if d, err := civil.ParseISO(asked); err == nil && !d.Before(today) && d.Before(today.AddDays(stripDays)) {
		return d
	}
	for i := range stripDays {
		if d := today.AddDays(i); free[d] > 0 {
			return d
		}
	}
	return today
}

// with is the page's own address with one field changed.
func (c *Ctx) with(name, value string) string {
	q := url.Values{}
	for k, v := range c.form {
		if k != "lang" && k != "from" && len(v) > 0 && v[0] != "" {
			q.Set(k, v[0])
		}
	}
	q.Set(name, value)
	return c.r.URL.EscapedPath() + "?" + q.Encode()
}

func (c *Ctx) dayOf(d, shown civil.Date, free int) view.Day {
	weekday, number, _ := c.say.ShortDay(d)
	out := view.Day{Weekday: weekday, Day: number, Label: c.say.LongDay(d) + ", " + c.say.N("find.places", int64(free))}
	if free > 0 {
		out.Places = few(free)
	}
	if d != shown {
		out.Href = c.with("day", d.String())
	}
	return out
}

// filters is the form above a list, as it was filled.
func (c *Ctx) filters(w wanted, age view.Field) view.Filters {
	f := view.Filters{Action: c.r.URL.EscapedPath(), Fee: w.fee, Age: age, All: w.all}
	if w.dose > 0 {
		f.Dose = strconv.Itoa(w.dose)
	}
	f.Any = w.fee != "" || w.vaccine != "" || w.dose > 0 || w.age >= 0 || w.all
	for _, name := range []string{"pin", "state", "district", "day"} {
		if v := c.form.Get(name); v != "" {
			f.Keep = append(f.Keep, view.Hidden{Name: name, Value: v})
		}
	}
	for _, p := range rules.Products() {
		f.Vaccines = append(f.Vaccines, view.Option{Value: p.Code, Text: p.Code, Chosen: p.Code == w.vaccine})
	}
	return f
}

// cards are the centres that have something on a day, those with most places first, from the
// from-th on as many as a page shows; count is how many there are. Only what is shown is put
// into words.
func (c *Ctx) cards(list []scheduling.CentreDay, day civil.Date, w wanted, way string, from int) (out []view.CentreCard, count int) {
	shown := func(s *scheduling.Listed, paid bool) bool {
		return s.Day == day && w.fits(s, paid) && (w.free(s) > 0 || w.all)
	}
	type counted struct{ at, free int }
	all := make([]counted, 0, len(list))
	for i := range list {
		one, any := counted{at: i}, false
		for j := range list[i].Sessions {
			if s := &list[i].Sessions[j]; shown(s, list[i].Centre.Paid) {
				one.free, any = one.free+w.free(s), true
			}
		}
		if any {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b counted) int { return cmp.Compare(b.free, a.free) })
	for _, x := range all[min(from, len(all)):min(from+listMost, len(all))] {
		d := &list[x.at]
		card := c.card(d.Centre)
		for j := range d.Sessions {
			if s := &d.Sessions[j]; shown(s, d.Centre.Paid) {
				card.Slots = append(card.Slots, c.slot(s, w, way))
			}
		}
		out = append(out, card)
	}
	return out, len(all)
}

func (c *Ctx) card(x scheduling.Centre) view.CentreCard {
	return view.CentreCard{Name: x.Name, Address: x.Address, Href: "/centre/" + strconv.FormatInt(int64(x.ID), 10), Paid: x.Paid}
}

// ages says for whom a session is.
func (c *Ctx) ages(s scheduling.Session) string {
	if s.MaxAge > 0 {
		return c.say.T("find.ages", "From", s.MinAge, "To", s.MaxAge)
	}
	return c.say.T("find.age_from", "From", s.MinAge)
}

// slot is a session on a page that was come to in a way: its booking leads back there.
func (c *Ctx) slot(s *scheduling.Listed, w wanted, way string) view.Slot {
	out := view.Slot{Vaccine: s.Product, Ages: c.ages(s.Session), Full: w.free(s) == 0, Closed: len(s.Slots) == 0}
	if s.Fee > 0 {
		out.Fee = "₹" + catalogue.Number(int64(s.Fee))
	}
	if s.Available1 > 0 && w.dose != 2 {
		out.Dose1 = c.say.N("find.first", int64(s.Available1))
	}
	if s.Available2 > 0 && w.dose != 1 {
		out.Dose2 = c.say.N("find.further", int64(s.Available2))
	}
	for _, at := range s.Slots {
		out.Times = append(out.Times, slotTime(at))
	}
	if s.DrawAt > 0 {
		if at := time.UnixMilli(s.DrawAt); at.After(c.begin) {
			out.Draw = c.say.T("find.draw", "At", c.say.Clock(at))
		}
	}
	if c.s.has("/book/{session}") {
		out.Book = "/book/" + url.PathEscape(string(s.ID))
		if way != "" {
			out.Book += "?from=" + way
		}
	}
	return out
}

// slotTime is "09:00AM-11:00AM" as 09:00–11:00, or the text itself.
func slotTime(s string) string {
	from, to, ok := strings.Cut(s, "-")
	a, ok1 := clock24(strings.TrimSpace(from))
	b, ok2 := clock24(strings.TrimSpace(to))
	if !ok || !ok1 || !ok2 {
		return s
	}
	return a + "–" + b
}

// clock24 is "01:30PM" as 13:30. A page has many: package time's reading costs ten times as much.
func clock24(s string) (string, bool) {
	if len(s) != len("01:30PM") || s[2] != ':' || s[6] != 'M' || (s[5] != 'A' && s[5] != 'P') {
		return "", false
	}
	hour, err1 := strconv.Atoi(s[:2])
	minute, err2 := strconv.Atoi(s[3:5])
	if err1 != nil || err2 != nil || s[0] < '0' || s[3] < '0' || hour < 1 || hour > 12 || minute > 59 {
		return "", false
	}
	if hour %= 12; s[5] == 'P' {
		hour += 12
	}
	return string([]byte{byte('0' + hour/10), byte('0' + hour%10), ':', s[3], s[4]}), true
}

// findNear lists the centres nearest to a place. It comes in a form's body and goes nowhere:
// not into an address, a log or a page.
func findNear(c *Ctx) error {
	degrees := func(name string, most float64) (float64, bool) {
		v, err := strconv.ParseFloat(c.form.Get(name), 64)
		return v, err == nil && !math.IsNaN(v) && math.Abs(v) <= most
	}
	lat, ok1 := degrees("lat", 90)
	long, ok2 := degrees("long", 180)
	if !ok1 || !ok2 {
		return c.see("/find")
	}
	x := view.NearPage{}
	for _, n := range c.s.cfg.Search.Nearest(lat, long, nearMost) {
		card := c.card(n)
		card.Distance = c.say.T("find.km", "N", kilometres(lat, long, n.Lat, n.Long))
		x.Centres = append(x.Centres, card)
	}
	x.Count = int64(len(x.Centres))
	return c.render(http.StatusOK, view.Near(c.page("find.near_title"), x))
}

// kilometres between two places, near enough for a list (equirectangular, mean radius 6371 km).
func kilometres(lat1, long1, lat2, long2 float64) string {
	const rad = math.Pi / 180
	x := (long2 - long1) * rad * math.Cos((lat1+lat2)/2*rad)
	y := (lat2 - lat1) * rad
	d := 6371 * math.Hypot(x, y)
	if d < 10 {
		return fmt.Sprintf("%.1f", d)
	}
	return catalogue.Number(int64(math.Round(d)))
}

// centre shows one centre and its next days.
func centre(c *Ctx) error {
	n, err := strconv.ParseUint(c.r.PathValue("centre"), 10, 62)
	if err != nil {
		return fault.New(fault.NotFound, "centre", "no such centre")
	}
	list := c.s.cfg.Search.Centres(scheduling.ByCentre, int64(n))
	if len(list) == 0 {
		return fault.New(fault.NotFound, "centre", "no such centre")
	}
	x := list[0]
	district, state := x.District, x.State
	if d, ok := c.s.cfg.Places.District(x.DistrictID); ok {
		district = c.local(d.Name, d.NameHi)
	}
	if s, ok := c.s.cfg.Places.State(x.StateID); ok {
		state = c.local(s.Name, s.NameHi)
	}
	v := view.CentrePage{Name: x.Name, Address: x.Address, District: district, State: state, Paid: x.Paid, Hours: clock(x.Opens) + "–" + clock(x.Closes)}
	if x.Lat != 0 || x.Long != 0 {
		v.Map = fmt.Sprintf("https://www.openstreetmap.org/?mlat=%.4f&mlon=%.4f#map=15/%.4f/%.4f", x.Lat, x.Long, x.Lat, x.Long)
	}
	found := c.search(scheduling.Question{By: scheduling.ByCentre, Key: int64(n), Day: c.today(), Days: stripDays, Free: c.form.Get("all") != "1"})
	var last civil.Date
	for _, d := range found.List {
		for _, s := range d.Sessions {
			if s.Day != last {
				v.Days = append(v.Days, view.CentreDay{Name: c.say.LongDay(s.Day)})
				last = s.Day
			}
			day := &v.Days[len(v.Days)-1]
			day.Slots = append(day.Slots, c.slot(&s, wanted{age: -1}, wayCentre))
		}
	}
	p := c.page("")
	p.Title = x.Name
	return c.render(http.StatusOK, view.Centre(p, v))
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
