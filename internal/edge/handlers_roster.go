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
	TrippedSeen(ctx context.Context, r vault.SeenRequest) (vault.Done, error)
}

func rosterRoutes() []Route {
	post := func(path, action string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: Staff, Action: action, Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		post("/api/v3/staff/day-list", "staff.list", dayList),
		post("/api/v3/staff/day-list/open", "staff.list.open", openRow),
		post("/api/v3/staff/tripped/seen", "staff.tripped.seen", trippedSeen),
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

// tripped lists why members of staff are asked for codes, and what else those who watch
// are to see: GET, of one centre with ?center_id=, or of all within the asker's place. The
// vault reads the address itself, as it was signed.
func tripped(c *Ctx) error {
	if text := c.r.URL.Query().Get("center_id"); text != "" {
		if n, err := strconv.ParseInt(text, 10, 64); err != nil || n <= 0 {
			return missing("center_id")
		}
	}
	got, err := c.s.cfg.Rosters.Tripped(c.r.Context(), vault.TrippedRequest{Signed: c.staff})
	if err != nil {
		return err
	}
	type row struct {
		ID     string `json:"alert_id"`
		At     string `json:"at"`
		Why    string `json:"why"`
		Staff  string `json:"staff"`
		Centre int64  `json:"center_id"`
		Times  int    `json:"times"`
		SeenBy string `json:"seen_by,omitempty"`
		SeenAt string `json:"seen_at,omitempty"`
	}
	out := struct {
		Rows     []row    `json:"tripped"`
		Receipts []string `json:"receipts"`
	}{[]row{}, append([]string{}, got.Receipts...)}
	for _, r := range got.Rows {
		w := row{ID: r.ID, At: instant(r.At), Why: r.Why, Staff: string(r.Staff), Centre: int64(r.Centre), Times: r.Times, SeenBy: string(r.SeenBy)}
		if r.SeenAt > 0 {
			w.SeenAt = instant(r.SeenAt)
		}
		out.Rows = append(out.Rows, w)
	}
	return c.json(out)
}

// trippedSeen notes that somebody has seen to what tripped: POST {alert_id, note}.
func trippedSeen(c *Ctx) error {
	var in struct {
		Alert string `json:"alert_id"`
		Note  string `json:"note"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Alert == "" {
		return missing("alert_id")
	}
	if in.Note == "" {
		return missing("note")
	}
	done, err := c.s.cfg.Rosters.TrippedSeen(c.r.Context(), vault.SeenRequest{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.json(struct {
		Receipt string `json:"receipt"`
	}{done.Receipt})
}
