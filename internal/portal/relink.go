package portal

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// Relinks is what a household can do about a lost phone or a changed number (ADR 41): say no
// at the old number, take the person over at the new one.
type Relinks interface {
	RelinkList(ctx context.Context, h vault.Holder) (vault.RelinkList, error)
	RelinkStop(ctx context.Context, r vault.RelinkStopRequest) (vault.Done, error)
	Finish(ctx context.Context, h vault.Holder, ref id.Reference) (id.Reference, error)
}

// Linker brings the person of a card under a mobile.
type Linker interface {
	Link(ctx context.Context, r vault.LinkRequest) (id.Reference, error)
}

const relinkPath = "/account/relink"

func relinkRoutes() []Route {
	return phones([]Route{
		mine(relinkPath, "relink", relinkPage),
		act(relinkPath, "relink.finish", takeOver, "reference"),
		act(relinkPath+"/card", "relink.card", linkByCard).secret("card", "pin"),
		act(relinkPath+"/stop", "relink.stop", stopRelink, "move"),
	})
}

// moving is the page: what waits of the household's people, and the way to take somebody over.
func (c *Ctx) moving(status int, x view.RelinkPage) error {
	list, err := c.s.cfg.Relinks.RelinkList(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	names := map[id.Reference]string{}
	if len(list.Rows) > 0 {
		h, err := c.household()
		if err != nil {
			return err
		}
		for _, p := range h.People {
			names[p.Reference] = p.Name
		}
	}
	at := func(ms int64) string {
		t := time.UnixMilli(ms).In(statistics.India())
		return c.say.Clock(t)
	}
	for _, r := range list.Rows {
		x.Waits = append(x.Waits, view.Moving{Name: names[r.Reference], Place: r.Place, From: at(r.From), Handle: c.handle(id.Reference(r.ID))})
	}
	p := c.page("relink.title")
	x.Scan = c.scanner(p)
	p.KeepForm, p.Wrong = "take-over", x.Reference.Wrong != "" || x.Card.Wrong != "" || x.PIN.Wrong != ""
	return c.render(status, view.Relink(p, x))
}

// leaving reports whether somebody under this mobile is to be moved to another one.
func (c *Ctx) leaving() (bool, error) {
	if c.s.cfg.Relinks == nil {
		return false, nil
	}
	list, err := c.s.cfg.Relinks.RelinkList(c.r.Context(), c.holder)
	return len(list.Rows) > 0, err
}

func relinkPage(c *Ctx) error { return c.moving(http.StatusOK, view.RelinkPage{}) }

// takeOver takes the person of a reference number over to this mobile.
func takeOver(c *Ctx) error {
	x := view.RelinkPage{Reference: view.Field{Value: strings.TrimSpace(c.form.Get("reference"))}}
	if c.keep {
		return c.moving(http.StatusOK, x)
	}
	digits, ok := catalogue.Digits(x.Reference.Value, 14)
	ref, err := id.ParseReference(digits)
	if !ok || err != nil {
		x.Reference.Wrong = "relink.number_wrong"
		return c.moving(http.StatusUnprocessableEntity, x)
	}
	_, err = c.s.cfg.Relinks.Finish(c.r.Context(), c.holder, ref)
	if err == nil {
		return c.movedHere()
	}
	if x.Reference.Wrong = notMoved(err); x.Reference.Wrong == "" {
		return err
	}
	return c.moving(http.StatusUnprocessableEntity, x)
}

func (c *Ctx) movedHere() error {
	return c.render(http.StatusOK, view.Done(c.page("relink.done"), view.DonePage{Title: "relink.done", Text: "relink.done_text", Href: "/account", Way: "book.to_account"}))
}

// linkByCard brings the person of a card under this mobile: who has no mobile, or no longer one.
func linkByCard(c *Ctx) error {
	x := view.RelinkPage{Card: view.Field{Value: c.form.Get("card")}}
	if c.keep {
		return c.moving(http.StatusOK, x)
	}
	pin, ok := c.cardTyped(&x.Card, &x.PIN)
	if !ok {
		return c.moving(http.StatusUnprocessableEntity, x)
	}
	_, err := c.s.cfg.Linker.Link(c.r.Context(), vault.LinkRequest{Holder: c.holder, Card: x.Card.Value, PIN: pin})
	switch {
	case err == nil:
		return c.movedHere()
	case fault.CodeOf(err) == "CARD":
		x.PIN.Wrong = "sign.card_wrong"
	case fault.Is(err, fault.Full):
		x.Card.Wrong = "relink.full"
	default:
		if x.Card.Wrong = notMoved(err); x.Card.Wrong == "" {
			return err
		}
	}
	return c.moving(http.StatusUnprocessableEntity, x)
}

// notMoved is why somebody was not taken over, as the id of a message; "" for what is no
// answer of the vault's about this.
func notMoved(err error) string {
	why := map[string]string{"relink": "relink.none", "wait": "relink.early", "lapsed": "relink.lapsed", "adult": "relink.adult", "id-in-use": "relink.twice",
		"household": "relink.full", "linked": "relink.linked", "NEWDEVICE": "relink.device", "card": "relink.by_card"}[fault.CodeOf(err)]
	if fault.Is(err, fault.RateLimited) && why != "" {
		return "relink.many"
	}
	return why
}

// stopRelink says no.
func stopRelink(c *Ctx) error {
	if c.keep {
		return c.moving(http.StatusOK, view.RelinkPage{})
	}
	list, err := c.s.cfg.Relinks.RelinkList(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	r, err := member(c, c.form.Get("move"), list.Rows, func(r vault.RelinkWaits) id.Reference { return id.Reference(r.ID) })
	if err == nil {
		_, err = c.s.cfg.Relinks.RelinkStop(c.r.Context(), vault.RelinkStopRequest{Holder: c.holder, Request: r.ID})
	}
	if fault.Is(err, fault.NotFound) { // stopped a moment ago, or over
		return c.moving(http.StatusOK, view.RelinkPage{Note: "relink.gone"})
	}
	if err != nil {
		return err
	}
	return c.render(http.StatusOK, view.Done(c.page("relink.stopped"), view.DonePage{Title: "relink.stopped", Text: "relink.stopped_text", Href: "/account", Way: "book.to_account"}))
}
