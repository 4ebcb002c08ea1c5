package portal

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// Exports gives people what is held of them. Nothing of it is kept here.
type Exports interface {
	Export(ctx context.Context, h vault.Holder) (vault.Export, error)
}

func exportRoutes() []Route {
	return []Route{
		mine("/export", "export", exportPage),
		act("/export", "export.get", exportFile, "as"),
	}
}

func (c *Ctx) exporting() error {
	return c.render(http.StatusOK, view.Export(c.page("export.title"), "/account"))
}

// exportPage says what the file has.
func exportPage(c *Ctx) error { return c.exporting() }

// exportFile gives it out: a file for programs, or a page to read.
func exportFile(c *Ctx) error {
	if c.keep {
		return c.exporting()
	}
	e, err := c.s.cfg.Exports.Export(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	switch c.form.Get("as") {
	case "json":
		body, err := edge.ExportJSON(e)
		if err != nil {
			return err
		}
		c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		c.w.Header().Set("Content-Disposition", `attachment; filename="tikakosh.json"`)
		return c.send(body)
	case "page":
		return c.render(http.StatusOK, view.Exported(c.page("export.title"), c.exported(e)))
	}
	return fault.New(fault.Invalid, "as", "a file or a page is wanted")
}

// exported is the page to read.
func (c *Ctx) exported(e vault.Export) view.ExportedPage {
	yes := func(b bool) string {
		if b {
			return c.say.T("export.yes")
		}
		return c.say.T("export.no")
	}
	h := e.Household
	x := view.ExportedPage{Made: c.moment(e.At), ViewRef: e.ViewRef, Withheld: len(e.Withheld) > 0}
	house := view.ExportPart{Title: c.say.T("export.household")}
	house.Add(c.say.T("export.mobile"), h.MobileLast4).Add(c.say.T("export.since"), c.day(h.Created)).Add(c.say.T("export.language"), c.say.Named(h.Language)).Add(c.say.T("export.email"), h.Email).
		Add(c.say.T("export.pin"), yes(h.PIN)).Add(c.say.T("export.code_week"), c.day(h.Seen))
	for _, d := range h.Devices {
		house.Add(c.say.T("export.device"), c.say.Named(d.Kind)+", "+c.day(d.Since)+" – "+c.day(d.Last))
	}
	x.Parts = append(x.Parts, house)
	for _, p := range e.People {
		x.Parts = append(x.Parts, c.exportedPerson(p, yes)...)
	}
	return x
}

func (c *Ctx) exportedPerson(p vault.ExportPerson, yes func(bool) string) (out []view.ExportPart) {
	t := func(id string) string { return c.say.T(id) }
	who := view.ExportPart{Title: p.Name, Name: true}
	who.Add(t("export.name"), strings.TrimSpace(p.Name+" "+p.NameLocal)).Add(t("export.reference"), string(p.Reference)).Add(t("export.birth"), strings.TrimSpace(strconv.Itoa(p.BirthYear)+" "+p.BirthDate)).
		Add(t("ask.gender"), c.genderName(p.GenderID)).Add(t("export.document"), p.IDLast4).Add(t("export.illness"), yes(p.Comorbidity)).Add(t("export.guardian"), p.Guardian).
		Add(t("export.registered"), c.day(p.Registered)).Add(t("export.card"), c.day(p.Card))
	for _, k := range p.Consents {
		who.Add(t("export.consent"), c.say.Named(k.Purpose)+" ("+k.Version+", "+c.say.Named(k.Language)+"), "+c.day(k.At))
	}
	for _, until := range p.Certificates {
		who.Add(t("export.certificate"), c.day(until))
	}
	out = append(out, who)
	doses := view.ExportPart{Title: t("export.doses")}
	for _, d := range p.Doses {
		doses.Add(d.Product+" "+strconv.Itoa(d.Sequence)+", "+c.say.Day(d.Day), strings.Join([]string{d.Lot, d.Place, d.Vaccinator, c.say.Named(d.Status)}, ", "))
	}
	visits := view.ExportPart{Title: t("export.appointments")}
	for _, v := range p.Appointments {
		visits.Add(c.say.Day(v.Day)+", "+v.Slot, v.Product+" "+strconv.Itoa(v.Dose)+", "+c.say.Named(v.State))
	}
	openings := view.ExportPart{Title: t("seen.title")}
	for _, o := range p.Openings {
		if row := c.seenRow(o); row.What != "" {
			openings.Add(row.When, joined(row.What, row.By, row.Place, row.Reason))
		}
	}
	requests := view.ExportPart{Title: t("ask.mine")}
	for _, r := range p.Requests {
		requests.Add(r.Tracking+", "+c.day(r.At), r.Detail.Text+" "+r.Answer)
	}
	for _, part := range []view.ExportPart{doses, visits, openings, requests} {
		if len(part.Rows) > 0 {
			out = append(out, part)
		}
	}
	return out
}

func (c *Ctx) genderName(n int) string {
	if id := rightGender(n); id != "" {
		return c.say.T(id)
	}
	return ""
}

// joined lists what is not empty.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
