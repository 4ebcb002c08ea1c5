package portal

import (
	"context"
	"net/http"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Leaving is how vaccinated people leave the registry (ADR 27).
type Leaving interface {
	Leave(ctx context.Context, h vault.Holder, ref id.Reference, release func(context.Context, id.Person) error) (vault.Left, error)
	Undo(ctx context.Context, h vault.Holder, ref id.Reference) error
}

// Visits are somebody's appointments, as far as leaving needs them.
type Visits interface {
	Appointments(ctx context.Context, people []id.Person) (map[id.Person][]scheduling.Appointment, error)
	Cancel(ctx context.Context, h vault.Holder, hold id.Hold, refs []id.Reference) error
}

func leaveRoutes() []Route {
	return []Route{
		mine("/p/{who}/leave", "leave", leaveSure),
		act("/p/{who}/leave", "leave.go", leave, "sure"),
		mine("/leave", "leave.back", comeBack),
		act("/leave/undo", "leave.undo", undoLeave, "reference"),
	}
}

func (c *Ctx) sure(status int, who vault.Person, sure view.Field) error {
	p := c.page("leave.title")
	p.KeepForm, p.Wrong = "leave", sure.Wrong != ""
	return c.render(status, view.LeaveSure(p, view.LeaveForm{Who: who.Name, Back: c.pageOf(who.Reference, "/ask"), Action: c.pageOf(who.Reference, "/leave"), Sure: sure}))
}

// leaveSure says what leaving is.
func leaveSure(c *Ctx) error {
	who, err := c.who()
	if err != nil {
		return err
	}
	return c.sure(http.StatusOK, who, view.Field{})
}

// leave hides somebody's record.
func leave(c *Ctx) error {
	who, err := c.who()
	if err != nil {
		return err
	}
	sure := view.Field{Value: c.form.Get("sure")}
	if c.keep {
		return c.sure(http.StatusOK, who, sure)
	}
	if sure.Value != "yes" {
		sure.Wrong = "leave.sure_none"
		return c.sure(http.StatusUnprocessableEntity, who, sure)
	}
	left, err := c.s.cfg.Leaving.Leave(c.r.Context(), c.holder, who.Reference, func(ctx context.Context, person id.Person) error {
		return c.giveUp(ctx, person, who.Reference)
	})
	switch {
	case fault.CodeOf(err) == "CARDFIRST":
		return c.refusedBy("ask.card_first")
	case fault.CodeOf(err) == "not-vaccinated":
		return c.refusedBy("leave.no_dose")
	case err != nil:
		return err
	}
	return c.render(http.StatusOK, view.Left(c.page("leave.done"), view.LeftPage{Tracking: left.Tracking, Undo: c.moment(left.Undo), Erase: c.day(left.Erase), Reference: string(who.Reference)}))
}

// giveUp cancels somebody's appointments.
func (c *Ctx) giveUp(ctx context.Context, person id.Person, ref id.Reference) error {
	booked, err := c.s.cfg.Visits.Appointments(ctx, []id.Person{person})
	if err != nil {
		return err
	}
	for _, a := range booked[person] {
		if a.State != scheduling.Live {
			continue
		}
		if err := c.s.cfg.Visits.Cancel(ctx, c.holder, a.Hold, []id.Reference{ref}); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

func (c *Ctx) comingBack(status int, x view.BackPage) error {
	x.Back = "/account"
	p := c.page("leave.back_title")
	p.KeepForm, p.Wrong = "undo", status != http.StatusOK
	return c.render(status, view.ComeBack(p, x))
}

func comeBack(c *Ctx) error { return c.comingBack(http.StatusOK, view.BackPage{}) }

// undoLeave brings somebody back whom the household knows by reference number.
func undoLeave(c *Ctx) error {
	x := view.BackPage{Reference: view.Field{Value: c.form.Get("reference")}}
	if c.keep {
		return c.comingBack(http.StatusOK, x)
	}
	digits, _ := catalogue.Digits(x.Reference.Value, 14)
	ref, err := id.ParseReference(digits)
	if err != nil {
		x.Reference.Wrong = "leave.reference_wrong"
		return c.comingBack(http.StatusUnprocessableEntity, x)
	}
	err = c.s.cfg.Leaving.Undo(c.r.Context(), c.holder, ref)
	switch {
	case fault.Is(err, fault.NotFound):
		x.Reference.Wrong = "leave.reference_none"
		return c.comingBack(http.StatusUnprocessableEntity, x)
	case fault.CodeOf(err) == "CARDFIRST":
		return c.refusedBy("ask.card_first")
	case err != nil:
		return err
	}
	return c.see("/requests?note=back")
}
