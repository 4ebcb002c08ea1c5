package portal

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// Wishes keeps who wants to hear of free places.
type Wishes interface {
	Add(ctx context.Context, h vault.Holder, w scheduling.Wish) (string, error)
	List(ctx context.Context, h vault.Holder) ([]scheduling.Wish, error)
	Drop(ctx context.Context, h vault.Holder, wish string) error
}

// maxWishes is how many a household may have; the vault's bound.
const maxWishes = 3

func notifyRoutes() []Route {
	return []Route{
		mine("/notify", "notify", notifyForm, "pin", "district"),
		act("/notify", "notify.add", addWish, "pin", "district", "dose", "vaccine", "weeks"),
		act("/notify/end", "notify.end", endWish, "wish"),
	}
}

func notifyForm(c *Ctx) error { return c.askWish(http.StatusOK, view.NotifyPage{}) }

// district is the one of the form, and its name; 0 for none.
func (c *Ctx) district() (int, string) {
	n, ok := catalogue.Count(c.form.Get("district"), 1<<30)
	d, known := c.s.cfg.Places.District(n)
	if !ok || !known {
		return 0, ""
	}
	return n, c.local(d.Name, d.NameHi)
}

// askWish lists the wishes and asks for another, with what was typed.
func (c *Ctx) askWish(status int, x view.NotifyPage) error {
	all, err := c.s.cfg.Holding.Wishes.List(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	for _, w := range all {
		x.Wishes = append(x.Wishes, view.WishLine{ID: w.ID, Text: c.wishText(w), Until: c.say.T("notify.until", "Day", c.say.Day(civil.Of(time.UnixMilli(w.Until).UTC())))})
	}
	x.Full = len(all) >= maxWishes
	if x.PIN.Value == "" {
		x.PIN.Value = c.form.Get("pin")
	}
	if n, name := c.district(); n != 0 {
		x.District, x.Area = strconv.Itoa(n), name
	}
	pick := func(value, text, field, first string) view.Option {
		have := c.form.Get(field)
		return view.Option{Value: value, Text: text, Chosen: have == value || have == "" && first == value}
	}
	for _, d := range []string{"1", "2", "3"} {
		x.Doses = append(x.Doses, pick(d, c.say.T("book.dose_n", "N", d), "dose", "1"))
	}
	for _, p := range rules.Products() {
		x.Vaccines = append(x.Vaccines, pick(p.Code, p.Code, "vaccine", ""))
	}
	for _, w := range [][2]string{{"1", "notify.weeks_1"}, {"4", "notify.weeks_4"}, {"8", "notify.weeks_8"}} {
		x.Weeks = append(x.Weeks, pick(w[0], c.say.T(w[1]), "weeks", "4"))
	}
	p := c.page("notify.title")
	p.KeepForm, p.Wrong = "notify", status == http.StatusUnprocessableEntity
	if x.Full {
		p.KeepForm = ""
	}
	return c.render(status, view.Notify(p, x))
}

func (c *Ctx) wishText(w scheduling.Wish) string {
	text, where := "notify.what_pin", w.PIN
	if w.District != 0 {
		text, where = "notify.what_district", strconv.Itoa(w.District)
		if d, ok := c.s.cfg.Places.District(w.District); ok {
			where = c.local(d.Name, d.NameHi)
		}
	}
	vaccine := w.Product
	if vaccine == "" {
		vaccine = c.say.T("notify.any")
	}
	return c.say.T(text, "Where", where, "Dose", w.Dose, "Vaccine", vaccine)
}

// addWish asks to be told.
func addWish(c *Ctx) error {
	if c.keep {
		return c.askWish(http.StatusOK, view.NotifyPage{})
	}
	w := scheduling.Wish{}
	var x view.NotifyPage
	if w.District, _ = c.district(); w.District == 0 {
		pin, ok := catalogue.PIN(c.form.Get("pin"))
		key, _ := strconv.ParseInt(pin, 10, 64)
		switch {
		case !ok:
			x.PIN.Wrong = "find.pin_wrong"
		case len(c.s.cfg.Search.Centres(scheduling.ByPIN, key)) == 0:
			x.PIN.Wrong = "notify.unknown"
		}
		w.PIN = pin
	}
	var ok bool
	if w.Dose, ok = catalogue.Count(c.form.Get("dose"), 9); !ok || w.Dose < 1 {
		x.Dose.Wrong = "book.dose_none"
	}
	weeks, _ := catalogue.Count(c.form.Get("weeks"), 8)
	if v := c.form.Get("vaccine"); v != "" {
		p, known := rules.LookupProduct(v)
		if !known {
			return fault.New(fault.Invalid, "vaccine", "no such vaccine")
		}
		w.Product = p.Code
	}
	if x.PIN.Wrong != "" || x.Dose.Wrong != "" {
		return c.askWish(http.StatusUnprocessableEntity, x)
	}
	day := civil.Of(c.begin.In(statistics.India())).AddDays(7 * max(1, weeks))
	w.Until = day.In(time.UTC).AddDate(0, 0, 1).UnixMilli() - 1
	_, err := c.s.cfg.Holding.Wishes.Add(c.r.Context(), c.holder, w)
	switch {
	case fault.CodeOf(err) == "wish":
		x.PIN.Wrong = "notify.twice"
	case fault.CodeOf(err) == "wishes":
		return c.askWish(http.StatusUnprocessableEntity, x)
	case err != nil:
		return err
	default:
		x.Note = "notify.added"
		return c.askWish(http.StatusOK, x)
	}
	return c.askWish(http.StatusUnprocessableEntity, x)
}

// endWish ends one.
func endWish(c *Ctx) error {
	if c.keep {
		return c.askWish(http.StatusOK, view.NotifyPage{})
	}
	wish := c.form.Get("wish")
	if !id.Valid(wish) {
		return fault.New(fault.Invalid, "wish", "no such wish")
	}
	if err := c.s.cfg.Holding.Wishes.Drop(c.r.Context(), c.holder, wish); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return c.askWish(http.StatusOK, view.NotifyPage{Note: "notify.ended"})
}
