package edge

import (
	"context"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Relinks moves one person to a new number (ADR 41): staff's part.
type Relinks interface {
	Propose(ctx context.Context, signed vault.Signed, ref id.Reference) (vault.Glass, error)
	RelinkApprove(ctx context.Context, r vault.GlassAct) (vault.Glass, error)
	RelinkStaffStop(ctx context.Context, r vault.GlassAct) (vault.Done, error)
	RelinkHolders
}

// RelinkHolders is the part of whoever has the old number or the new one.
type RelinkHolders interface {
	RelinkList(ctx context.Context, h vault.Holder) (vault.RelinkList, error)
	RelinkStop(ctx context.Context, r vault.RelinkStopRequest) (vault.Done, error)
	Finish(ctx context.Context, h vault.Holder, ref id.Reference) (id.Reference, error)
}

func relinkRoutes() []Route {
	const path, own = "/api/v3" + vault.RouteRelink, "/api/v3/relink"
	post := func(path, action string, a Audience, r Rate, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: r, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		post(path, "staff.relink.propose", Staff, RateSelf, relinkPropose),
		post(path+"/approve", "staff.relink.approve", Staff, RateSelf, relinkApprove),
		post(path+"/stop", "staff.relink.stop", Staff, RateSelf, relinkStaffStop),
		{Method: "GET", Path: own, Audience: Holder, Action: "relink.list", Rate: RateSelf, ContentType: typeJSON, Handler: relinkList},
		post(own+"/stop", "relink.stop", Holder, RateSelf, relinkStop),
		post(own+"/finish", "relink.finish", Holder, RateCode, relinkFinish),
	}
}

// relinkPropose asks to move somebody to a new number: POST {nonce, beneficiary_reference_id
// or card, photo_id_type, photo_id_number, mobile_number, reason}, with the assertion of a
// passkey over this request.
func relinkPropose(c *Ctx) error {
	var in struct {
		Nonce     string   `json:"nonce"`
		Reference string   `json:"beneficiary_reference_id"`
		Card      personal `json:"card"`
		IDType    int      `json:"photo_id_type"`
		IDNumber  personal `json:"photo_id_number"`
		Mobile    personal `json:"mobile_number"`
		Reason    string   `json:"reason"`
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
	for _, f := range []struct{ name, text string }{{"photo_id_number", string(in.IDNumber)}, {"mobile_number", string(in.Mobile)}, {"reason", in.Reason}} {
		if f.text == "" {
			return missing(f.name)
		}
	}
	got, err := c.s.cfg.Relinks.Propose(c.r.Context(), c.staff, ref)
	if err != nil {
		return err
	}
	return c.json(glassWire(got))
}

// relinkApprove is the second member of staff's: POST {nonce, request_id, about, reason}, as
// in glassApprove. The answer says from when on the person can be taken over.
func relinkApprove(c *Ctx) error {
	if err := approval(c); err != nil {
		return err
	}
	got, err := c.s.cfg.Relinks.RelinkApprove(c.r.Context(), vault.GlassAct{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.json(struct {
		wireGlass
		Due string `json:"from_at"`
	}{glassWire(got), instant(got.Due)})
}

// approval reads the body of a second member of staff.
func approval(c *Ctx) error {
	var in struct {
		Nonce   string `json:"nonce"`
		Request string `json:"request_id"`
		About   string `json:"about"`
		Reason  string `json:"reason"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{{"request_id", in.Request}, {"about", in.About}, {"reason", in.Reason}} {
		if f.text == "" {
			return missing(f.name)
		}
	}
	return nil
}

// relinkStaffStop stops one: POST {request_id, reason}.
func relinkStaffStop(c *Ctx) error {
	var in struct {
		Request string `json:"request_id"`
		Reason  string `json:"reason"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Request == "" {
		return missing("request_id")
	}
	if strings.TrimSpace(in.Reason) == "" {
		return missing("reason")
	}
	done, err := c.s.cfg.Relinks.RelinkStaffStop(c.r.Context(), vault.GlassAct{Signed: c.staff})
	if err != nil {
		return err
	}
	return c.json(receiptOf(done))
}

type wireReceipt struct {
	Receipt string `json:"receipt"`
}

func receiptOf(d vault.Done) wireReceipt { return wireReceipt{d.Receipt} }

type wireMoving struct {
	ID        string `json:"request_id"`
	Reference string `json:"beneficiary_reference_id"`
	Centre    int64  `json:"center_id"`
	Place     string `json:"place"`
	At        string `json:"approved_at"`
	From      string `json:"from_at"`
	Until     string `json:"until_at"`
}

// relinkList is what waits of the holder's people: GET.
func relinkList(c *Ctx) error {
	got, err := c.s.cfg.Relinks.RelinkList(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	out := struct {
		Rows []wireMoving `json:"relinks"`
	}{[]wireMoving{}}
	for _, r := range got.Rows {
		out.Rows = append(out.Rows, wireMoving{r.ID, string(r.Reference), int64(r.Centre), r.Place, instant(r.At), instant(r.From), instant(r.Until)})
	}
	return c.json(out)
}

// relinkStop is the old number's no, or the card's: POST {request_id}.
func relinkStop(c *Ctx) error {
	var in struct {
		Request string `json:"request_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Request == "" {
		return missing("request_id")
	}
	if len(in.Request) > 100 {
		return fault.New(fault.Invalid, "USRRES0001", "request_id is the id of one that waits")
	}
	done, err := c.s.cfg.Relinks.RelinkStop(c.r.Context(), vault.RelinkStopRequest{Holder: c.holder, Request: in.Request})
	if err != nil {
		return err
	}
	return c.json(receiptOf(done))
}

// relinkFinish takes a person over to the number of the session: POST
// {beneficiary_reference_id}.
func relinkFinish(c *Ctx) error {
	var in struct {
		Reference string `json:"beneficiary_reference_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(in.Reference)
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Relinks.Finish(c.r.Context(), c.holder, ref)
	if err != nil {
		return err
	}
	return c.json(map[string]string{"beneficiary_reference_id": string(got)})
}
