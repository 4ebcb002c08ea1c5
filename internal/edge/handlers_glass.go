package edge

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Glass is break-glass: two members of staff for somebody who cannot show anything.
type Glass interface {
	Propose(ctx context.Context, signed vault.Signed, ref id.Reference) (vault.Glass, error)
	GlassApprove(ctx context.Context, r vault.GlassAct) (vault.Glass, error)
	Open(ctx context.Context, signed vault.Signed) (vault.StaffView, error)
	GlassList(ctx context.Context, r vault.GlassAct) (vault.GlassList, error)
}

func glassRoutes() []Route {
	const path = "/api/v3" + vault.RouteGlass
	post := func(path, action string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: Staff, Action: action, Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	get := func(path, action string, h func(*Ctx) error) Route {
		return Route{Method: "GET", Path: path, Audience: Staff, Action: action, Rate: RateSelf, ContentType: typeJSON, Handler: h}
	}
	return []Route{
		post(path, "staff.glass.propose", glassPropose),
		post(path+"/approve", "staff.glass.approve", glassApprove),
		post(path+"/open", "staff.glass.open", glassOpen),
		get(path+"/waiting", "staff.glass.waiting", glassList),
		get(path, "staff.glass.list", glassList),
	}
}

type wireGlass struct {
	ID       string   `json:"request_id"`
	About    string   `json:"about"`
	Reason   string   `json:"reason"`
	Expires  string   `json:"expires_at"`
	Receipts []string `json:"receipts"`
}

func glassWire(g vault.Glass) wireGlass {
	return wireGlass{g.ID, g.About, g.Reason, instant(g.Expires), append([]string{}, g.Receipts...)}
}

// glassPropose asks to open somebody: POST {nonce, beneficiary_reference_id or card or
// row_id, reason}, with the assertion of a passkey over this request.
func glassPropose(c *Ctx) error {
	var in struct {
		Nonce     string `json:"nonce"`
		Reference string `json:"beneficiary_reference_id"`
		Card      string `json:"card"`
		Row       string `json:"row_id"`
		Reason    string `json:"reason"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	var ref id.Reference
	if in.Reference != "" {
		var err error
		if ref, err = reference(in.Reference); err != nil {
			return err
		}
	}
	if in.Reason == "" {
		return missing("reason")
	}
	got, err := c.s.cfg.Glass.Propose(c.r.Context(), c.staff, ref)
	if err != nil {
		return err
	}
	return c.json(glassWire(got))
}

// glassApprove is the second member of staff's: POST {nonce, request_id, about, reason},
// with the assertion of their passkey, signed by their own session or by that of who asked.
func glassApprove(c *Ctx) error {
	if err := approval(c); err != nil {
		return err
	}
	got, err := c.s.cfg.Glass.GlassApprove(c.r.Context(), vault.GlassAct{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.json(glassWire(got))
}

// glassOpen shows the person, once: POST {request_id}. It answers as V2, without
// appointments.
func glassOpen(c *Ctx) error {
	var in struct {
		Request string `json:"request_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Request == "" {
		return missing("request_id")
	}
	v, err := c.s.cfg.Glass.Open(c.r.Context(), c.staff)
	if err != nil {
		return err
	}
	v.Person.MobileLast4 = ""
	c.shown(v.ViewRef)
	return c.json(struct {
		wireBeneficiary
		ViewRef  string   `json:"view_ref"`
		Receipts []string `json:"receipts"`
	}{wirePerson(v.Person, nil), v.ViewRef, append([]string{}, v.Receipts...)})
}

type wireGlassRow struct {
	ID      string `json:"request_id"`
	Kind    string `json:"kind"`
	State   string `json:"state"`
	Centre  int64  `json:"center_id"`
	Place   string `json:"place"`
	About   string `json:"about,omitempty"`
	Reason  string `json:"reason"`
	By      string `json:"proposed_by"`
	Second  string `json:"approved_by,omitempty"`
	Mine    bool   `json:"mine"`
	At      string `json:"proposed_at"`
	Agreed  string `json:"approved_at,omitempty"`
	Done    string `json:"done_at,omitempty"`
	Expires string `json:"expires_at,omitempty"`
	Due     string `json:"from_at,omitempty"`
}

// glassList is what waits at the asker's centre (…/waiting), or what was done within
// their place; the vault reads the address itself, as it was signed.
func glassList(c *Ctx) error {
	if v := c.r.URL.Query().Get("after"); v != "" && !id.Valid(v) {
		return fault.New(fault.Invalid, "USRRES0001", "after is the id of the last entry of the page before")
	}
	got, err := c.s.cfg.Glass.GlassList(c.r.Context(), vault.GlassAct{Signed: c.staff})
	if err != nil {
		return err
	}
	at := func(ms int64) string {
		if ms == 0 {
			return ""
		}
		return instant(ms)
	}
	out := struct {
		Rows     []wireGlassRow `json:"requests"`
		Left     int            `json:"left_today"`
		After    string         `json:"after,omitempty"`
		Receipts []string       `json:"receipts"`
	}{[]wireGlassRow{}, got.Left, got.After, append([]string{}, got.Receipts...)}
	for _, r := range got.Rows {
		out.Rows = append(out.Rows, wireGlassRow{r.ID, r.Kind, r.State, int64(r.Centre), r.Place, r.About, r.Reason, string(r.By), string(r.Second), r.Mine,
			at(r.At), at(r.Agreed), at(r.Done), at(r.Expires), at(r.Due)})
	}
	return c.json(out)
}
