package portal

import (
	"errors"
	"net/http"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// movedOn is the error of an address whose appointment is there no more: to is what it became,
// empty where nothing tells of it (it was cancelled, is over, or never was).
type movedOn struct{ to []scheduling.Appointment }

// Error implements error.
func (m *movedOn) Error() string { return "no such appointment of this household" }

// Unwrap makes it a fault.NotFound.
func (m *movedOn) Unwrap() error { return fault.New(fault.NotFound, "appointment", m.Error()) }

// movedOn looks for what became of an appointment among those that took another's place. Its
// error is for orMoved, or one of the services.
func (c *Ctx) movedOn(booked map[id.Person][]scheduling.Appointment, handle string) error {
	out := &movedOn{}
	for _, list := range booked {
		for _, a := range list {
			if slices.ContainsFunc(out.to, func(o scheduling.Appointment) bool { return o.Hold == a.Hold }) {
				continue
			}
			former, err := c.s.cfg.Holding.Past.Former(c.r.Context(), a)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(former, func(f scheduling.Former) bool { return c.handle(id.Reference(f.Hold)) == handle }) {
				out.to = append(out.to, a)
			}
		}
	}
	slices.SortFunc(out.to, func(a, b scheduling.Appointment) int { return a.Day.Compare(b.Day) })
	return out
}

// orMoved answers an address whose appointment is there no more with what became of it; another
// error stays one.
func (c *Ctx) orMoved(err error) error {
	var m *movedOn
	if !errors.As(err, &m) {
		return err
	}
	status, x := http.StatusNotFound, view.GonePage{Title: "book.gone", Text: "book.gone_text"}
	if len(m.to) > 0 {
		status, x.Title, x.Text = http.StatusOK, "book.moved", "book.moved_text"
	}
	for _, a := range m.to {
		x.Now = append(x.Now, c.bookingLine(a))
	}
	return c.render(status, view.Gone(c.page(x.Title), x))
}

// suits says whether a person's appointment may move to a session, as far as a page can tell from
// what the vault said comes next and from the year of birth: it leaves out only what the vault
// would certainly refuse.
func suits(s scheduling.Listed, a scheduling.Appointment, p vault.Person, due vault.Due) bool {
	age := s.Day.Year - p.BirthYear // at most; who has a birthday still to come is a year younger
	switch {
	case s.Programme != a.Programme:
		return false
	case age < s.MinAge, s.MaxAge > 0 && age-1 > s.MaxAge:
		return false
	case s.ID == a.Session && !slices.ContainsFunc(s.Slots, func(slot string) bool { return slot != a.Slot }):
		return false
	case a.Programme != rules.ProgrammeCOVID || due.Dose != a.Dose: // what comes next is of that programme's next dose
		return true
	}
	return (due.Product == "" || s.Product == due.Product) && (due.Earliest.IsZero() || !s.Day.Before(due.Earliest))
}
