package edge

import (
	"context"
	"strconv"
	"strings"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Requests is what people ask about their own records, and who answers it (ADR 42).
type Requests interface {
	Make(ctx context.Context, ref id.Reference, r vault.RequestMake) (vault.Request, error)
	List(ctx context.Context, h vault.Holder) (vault.RequestList, error)
	Withdraw(ctx context.Context, h vault.Holder, tracking string) (vault.Request, error)
	StaffRequests
}

// StaffRequests is the part of those who answer.
type StaffRequests interface {
	RequestWaiting(ctx context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error)
	RequestRead(ctx context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error)
	RequestDecide(ctx context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error)
}

func requestRoutes() []Route {
	const staff = "/api/v3" + vault.RouteRequests
	post := func(path string, a Audience, action string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	get := func(path string, a Audience, action string, h func(*Ctx) error) Route {
		return Route{Method: "GET", Path: path, Audience: a, Action: action, Rate: RateSelf, ContentType: typeJSON, Handler: h}
	}
	return []Route{
		post("/api/v3/requests", Holder, "person.request", makeRequest),
		get("/api/v3/requests", Holder, "person.requests", listRequests),
		post("/api/v3/requests/withdraw", Holder, "person.request.withdraw", withdrawRequest),
		get(staff, Staff, "staff.requests", staffRequests),
		post(staff+"/read", Staff, "staff.request.read", readRequest),
		post(staff+"/decide", Staff, "staff.request.decide", decideRequest),
	}
}

// wireDetail is what a request says, in its form and in its answer.
type wireDetail struct {
	Text      string `json:"text"`
	Name      string `json:"name,omitempty"`
	BirthYear int    `json:"birth_year,omitempty"`
	BirthDate string `json:"birth_date,omitempty"`
	GenderID  int    `json:"gender_id,omitempty"`
	Vaccine   string `json:"vaccine,omitempty"`
	Batch     string `json:"vaccine_batch,omitempty"`
	Dose      int    `json:"dose,omitempty"`
	Date      string `json:"date,omitempty"`
}

func wireDetailOf(d vault.RequestDetail) wireDetail { return wireDetail(d) }

type wireRequest struct {
	Tracking  string     `json:"tracking_number"`
	Kind      string     `json:"kind"`
	State     string     `json:"state"`
	Outcome   string     `json:"outcome,omitempty"`
	Answer    string     `json:"answer,omitempty"`
	Reference string     `json:"beneficiary_reference_id,omitempty"`
	Asked     wireDetail `json:"asked"`
	At        string     `json:"made_at"`
	Due       string     `json:"answer_by"`
	Taken     string     `json:"read_at,omitempty"`
	Done      string     `json:"done_at,omitempty"`
	Undo      string     `json:"undo_until,omitempty"`
	Receipt   string     `json:"receipt,omitempty"`
}

func optional(ms int64) string {
	if ms == 0 {
		return ""
	}
	return instant(ms)
}

func requestWire(r vault.Request) wireRequest {
	return wireRequest{Tracking: r.Tracking, Kind: r.Kind, State: r.State, Outcome: r.Outcome, Answer: r.Answer, Reference: string(r.Reference), Asked: wireDetailOf(r.Detail),
		At: instant(r.At), Due: instant(r.Due), Taken: optional(r.Taken), Done: optional(r.Done), Undo: optional(r.Undo), Receipt: r.Receipt}
}

// makeRequest asks for something: POST {kind, beneficiary_reference_id, text, …}. Without
// a request_key the same words on one day are the same request.
func makeRequest(c *Ctx) error {
	var in struct {
		Key       string   `json:"request_key"`
		Kind      string   `json:"kind"`
		Reference loose    `json:"beneficiary_reference_id"`
		Index     *int64   `json:"index"`
		Event     string   `json:"event_id"`
		Centre    loose    `json:"center_id"`
		Text      string   `json:"text"`
		Name      personal `json:"name"`
		BirthYear loose    `json:"birth_year"`
		BirthDate personal `json:"birth_date"`
		GenderID  loose    `json:"gender_id"`
		Vaccine   string   `json:"vaccine"`
		Batch     string   `json:"vaccine_batch"`
		Dose      loose    `json:"dose"`
		Date      string   `json:"date"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	if in.Kind == "" {
		return missing("kind")
	}
	r := vault.RequestMake{Holder: c.holder, Key: in.Key, Kind: in.Kind, Event: id.Event(in.Event),
		Detail: vault.RequestDetail{Text: in.Text, Name: string(in.Name), BirthDate: string(in.BirthDate), Vaccine: in.Vaccine, Batch: in.Batch, Date: in.Date}}
	if r.Key == "" {
		r.Key = "on " + civil.Of(c.s.cfg.Now()).String()
	}
	if in.Index != nil {
		r.Entry = *in.Index
	}
	centre := 0
	for _, n := range []struct {
		name string
		text loose
		into *int
	}{{"center_id", in.Centre, &centre}, {"birth_year", in.BirthYear, &r.Detail.BirthYear}, {"gender_id", in.GenderID, &r.Detail.GenderID}, {"dose", in.Dose, &r.Detail.Dose}} {
		if n.text == "" {
			continue
		}
		if *n.into, err = strconv.Atoi(string(n.text)); err != nil || *n.into <= 0 {
			return missing(n.name)
		}
	}
	r.Centre = id.Centre(centre)
	if (r.Kind == vault.RequestOpening) != (r.Entry > 0) {
		return missing("index (of the entry of the access history)")
	}
	if len(r.Key) > 200 {
		return missing("request_key")
	}
	got, err := c.s.cfg.Requests.Make(c.r.Context(), ref, r)
	if err != nil {
		return err
	}
	return c.json(requestWire(got))
}

// listRequests is what the household, or the card's person, asked for.
func listRequests(c *Ctx) error {
	got, err := c.s.cfg.Requests.List(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	out := struct {
		Requests []wireRequest `json:"requests"`
		ViewRef  string        `json:"view_ref"`
		Receipts []string      `json:"receipts"`
	}{[]wireRequest{}, got.ViewRef, append([]string{}, got.Receipts...)}
	for _, r := range got.Requests {
		out.Requests = append(out.Requests, requestWire(r))
	}
	c.shown(got.ViewRef)
	return c.json(out)
}

// withdrawRequest takes one back: POST {tracking_number}.
func withdrawRequest(c *Ctx) error {
	var in struct {
		Tracking string `json:"tracking_number"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Tracking == "" || len(in.Tracking) > 40 {
		return missing("tracking_number")
	}
	got, err := c.s.cfg.Requests.Withdraw(c.r.Context(), c.holder, in.Tracking)
	if err != nil {
		return err
	}
	return c.json(requestWire(got))
}

type wireStaffRequest struct {
	Tracking  string       `json:"tracking_number"`
	Kind      string       `json:"kind"`
	State     string       `json:"state"`
	Outcome   string       `json:"outcome,omitempty"`
	Centre    int64        `json:"center_id,omitempty"`
	At        string       `json:"made_at"`
	Due       string       `json:"answer_by"`
	Overdue   bool         `json:"overdue"`
	Taken     string       `json:"read_at,omitempty"`
	TakenBy   string       `json:"read_by,omitempty"`
	Asked     *wireDetail  `json:"asked,omitempty"`
	Reference string       `json:"beneficiary_reference_id,omitempty"`
	Event     string       `json:"event_id,omitempty"`
	Opened    *wireOpening `json:"opened,omitempty"`
	Actor     string       `json:"opened_by,omitempty"`
}

func (c *Ctx) staffRequests(got vault.StaffRequests) error {
	out := struct {
		Rows     []wireStaffRequest `json:"requests"`
		After    string             `json:"after,omitempty"`
		ViewRef  string             `json:"view_ref,omitempty"`
		Receipts []string           `json:"receipts"`
	}{[]wireStaffRequest{}, got.After, got.ViewRef, append([]string{}, got.Receipts...)}
	for _, r := range got.Rows {
		w := wireStaffRequest{Tracking: r.Tracking, Kind: r.Kind, State: r.State, Outcome: r.Outcome, Centre: int64(r.Centre), At: instant(r.At), Due: instant(r.Due), Overdue: r.Overdue,
			Taken: optional(r.Taken), TakenBy: string(r.TakenBy), Reference: string(r.Reference), Event: string(r.Event), Actor: string(r.Actor)}
		if r.Detail.Text != "" {
			d := wireDetailOf(r.Detail)
			w.Asked = &d
		}
		if e := r.Opened; e != nil {
			w.Opened = &wireOpening{Index: e.Index, At: instant(e.At), Local: local(e.At), Kind: e.Kind, View: e.View, Role: e.Role, Place: e.Place, Reason: e.Reason}
		}
		out.Rows = append(out.Rows, w)
	}
	if got.ViewRef != "" {
		c.shown(got.ViewRef)
	}
	return c.json(out)
}

// staffRequests is what waits within the asker's place; the vault reads the address
// itself, as it was signed.
func staffRequests(c *Ctx) error {
	if v := c.r.URL.Query().Get("after"); v != "" && (len(v) > 80 || !strings.HasPrefix(v, "at/")) {
		return fault.New(fault.Invalid, "USRRES0001", "after is what the page before said")
	}
	got, err := c.s.cfg.Requests.RequestWaiting(c.r.Context(), vault.StaffRequestAct{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.staffRequests(got)
}

// readRequest shows one: POST {tracking_number}.
func readRequest(c *Ctx) error {
	var in struct {
		Tracking string `json:"tracking_number"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Tracking == "" {
		return missing("tracking_number")
	}
	got, err := c.s.cfg.Requests.RequestRead(c.r.Context(), vault.StaffRequestAct{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.staffRequests(got)
}

// decideRequest answers one: POST {tracking_number, outcome, reason, correction_id}.
func decideRequest(c *Ctx) error {
	var in struct {
		Tracking   string `json:"tracking_number"`
		Outcome    string `json:"outcome"`
		Reason     string `json:"reason"`
		Correction string `json:"correction_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{{"tracking_number", in.Tracking}, {"outcome", in.Outcome}, {"reason", in.Reason}} {
		if f.text == "" {
			return missing(f.name)
		}
	}
	got, err := c.s.cfg.Requests.RequestDecide(c.r.Context(), vault.StaffRequestAct{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.staffRequests(got)
}
