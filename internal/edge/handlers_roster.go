package edge

import (
	"context"
	"strconv"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Rosters is the day's list of a centre, and what trips.
type Rosters interface {
	List(ctx context.Context, signed vault.Signed, c id.Centre, session id.Session) (vault.DayList, error)
	Open(ctx context.Context, signed vault.Signed) (vault.RosterOpened, error)
	VisitClose(ctx context.Context, r vault.VisitCloseRequest) (vault.Done, error)
	Tripped(ctx context.Context, r vault.TrippedRequest) (vault.Tripped, error)
}

func rosterRoutes() []Route {
	post := func(path, action string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: Staff, Action: action, Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		post("/api/v3/staff/day-list", "staff.list", dayList),
		post("/api/v3/staff/day-list/open", "staff.list.open", openRow),
		post("/api/v3/staff/visits/close", "staff.visit.close", closeVisit),
		{Method: "GET", Path: "/api/v3/staff/tripped", Audience: Staff, Action: "staff.tripped", Rate: RateSelf, ContentType: typeJSON, Handler: tripped},
	}
}

// dayList is the list of a session that is open today: POST {center_id, session_id}, because
// what it is of is signed.
func dayList(c *Ctx) error {
	var in struct {
		Centre  loose  `json:"center_id"`
		Session string `json:"session_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(in.Centre), 10, 64)
	if err != nil || n <= 0 {
		return missing("center_id")
	}
	if in.Session == "" || len(in.Session) > 100 {
		return missing("session_id")
	}
	got, err := c.s.cfg.Rosters.List(c.r.Context(), c.staff, id.Centre(n), id.Session(in.Session))
	if err != nil {
		return err
	}
	type row struct {
		Slot    string `json:"slot"`
		Number  int    `json:"number"`
		Initial string `json:"initial,omitempty"`
		LastTwo string `json:"reference_last2,omitempty"`
		Row     string `json:"row_id,omitempty"`
	}
	out := struct {
		Mode     string   `json:"mode"`
		Rows     []row    `json:"rows"`
		ViewRef  string   `json:"view_ref,omitempty"`
		Receipts []string `json:"receipts"`
	}{got.Mode, []row{}, got.ViewRef, append([]string{}, got.Receipts...)}
	for _, r := range got.Rows {
		out.Rows = append(out.Rows, row(r))
	}
	if got.ViewRef != "" {
		c.shown(got.ViewRef)
	}
	return c.json(out)
}

// openRow opens a row with nothing shown: POST {row_id, nonce}, with the assertion of a
// passkey over this request. It answers as V2, without appointments.
func openRow(c *Ctx) error {
	var in struct {
		Row   string `json:"row_id"`
		Nonce string `json:"nonce"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Row == "" {
		return missing("row_id")
	}
	v, err := c.s.cfg.Rosters.Open(c.r.Context(), c.staff)
	if err != nil {
		return err
	}
	v.Person.MobileLast4 = ""
	c.shown(v.ViewRef)
	return c.json(struct {
		wireBeneficiary
		Warn     bool     `json:"close_visits"`
		ViewRef  string   `json:"view_ref"`
		Receipts []string `json:"receipts"`
	}{wirePerson(v.Person, nil), v.Warn, v.ViewRef, append([]string{}, v.Receipts...)})
}

// closeVisit ends a visit without a dose: POST {row_id, reason}.
func closeVisit(c *Ctx) error {
	var in struct {
		Row    string `json:"row_id"`
		Reason string `json:"reason"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Row == "" {
		return missing("row_id")
	}
	done, err := c.s.cfg.Rosters.VisitClose(c.r.Context(), vault.VisitCloseRequest{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.json(struct {
		Receipt string `json:"receipt"`
	}{done.Receipt})
}

// tripped lists why members of staff of a centre are asked for codes, to its manager: GET
// ?center_id=. The vault reads the address itself, as it was signed.
func tripped(c *Ctx) error {
	if n, err := strconv.ParseInt(c.r.URL.Query().Get("center_id"), 10, 64); err != nil || n <= 0 {
		return missing("center_id")
	}
	got, err := c.s.cfg.Rosters.Tripped(c.r.Context(), vault.TrippedRequest{Signed: c.staff})
	if err != nil {
		return err
	}
	type row struct {
		At    string `json:"at"`
		Why   string `json:"why"`
		Staff string `json:"staff"`
		Times int    `json:"times"`
	}
	out := struct {
		Rows     []row    `json:"tripped"`
		Receipts []string `json:"receipts"`
	}{[]row{}, append([]string{}, got.Receipts...)}
	for _, r := range got.Rows {
		out.Rows = append(out.Rows, row{instant(r.At), r.Why, string(r.Staff), r.Times})
	}
	return c.json(out)
}
