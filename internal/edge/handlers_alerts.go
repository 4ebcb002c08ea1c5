package edge

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Alerts keeps who wants to hear of free places.
type Alerts interface {
	Add(ctx context.Context, h vault.Holder, w scheduling.Wish) (string, error)
	List(ctx context.Context, h vault.Holder) ([]scheduling.Wish, error)
	Drop(ctx context.Context, h vault.Holder, wish string) error
}

// alertRoutes let a household be told, by a message, of places that become free.
func alertRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/api/v3/alerts", Audience: Holder, Action: "alert.wish", Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: addAlert},
		{Method: "GET", Path: "/api/v3/alerts", Audience: Holder, Action: "alert.list", Rate: RateSelf, ContentType: typeJSON, Handler: listAlerts},
		{Method: "POST", Path: "/api/v3/alerts/delete", Audience: Holder, Action: "alert.unwish", Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: dropAlert},
	}
}

// wireAlert is a wish as clients see it.
type wireAlert struct {
	ID       string `json:"alert_id"`
	District int    `json:"district_id,omitempty"`
	PIN      string `json:"pincode,omitempty"`
	Dose     int    `json:"dose"`
	Vaccine  string `json:"vaccine,omitempty"`
	Until    string `json:"until"`
}

func addAlert(c *Ctx) error {
	var in struct {
		District int    `json:"district_id"`
		PIN      string `json:"pincode"`
		Dose     int    `json:"dose"`
		Vaccine  string `json:"vaccine"`
		Until    string `json:"until"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if (in.District == 0) == (in.PIN == "") {
		return missing("district_id or pincode, one of them")
	}
	if in.District < 0 || in.District > 1_000_000 {
		return wanted("district_id", "a number")
	}
	if n, err := strconv.ParseUint(in.PIN, 10, 32); in.PIN != "" && (err != nil || len(in.PIN) != 6 || n < 100_000) {
		return wanted("pincode", "a PIN code of six digits")
	}
	if err := c.knownPlace(in.District, in.PIN); err != nil {
		return err
	}
	if in.Dose < 1 || in.Dose > 9 {
		return wanted("dose", "a number")
	}
	w := scheduling.Wish{District: in.District, PIN: in.PIN, Dose: in.Dose}
	if in.Vaccine != "" {
		p, ok := rules.LookupProduct(in.Vaccine)
		if !ok {
			return fault.New(fault.Invalid, "unknown_product", "vaccine is not one of the listed products")
		}
		w.Product = p.Code
	}
	day, err := civil.ParseIndian(in.Until)
	if err != nil {
		return err
	}
	w.Until = day.In(time.UTC).AddDate(0, 0, 1).UnixMilli() - 1
	got, err := c.s.cfg.Alerts.Add(c.r.Context(), c.holder, w)
	if err != nil {
		return err
	}
	return c.json(map[string]string{"alert_id": got})
}

func listAlerts(c *Ctx) error {
	all, err := c.s.cfg.Alerts.List(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	out := []wireAlert{}
	for _, w := range all {
		out = append(out, wireAlert{w.ID, w.District, w.PIN, w.Dose, w.Product, civil.Of(time.UnixMilli(w.Until).UTC()).Indian()})
	}
	return c.json(map[string][]wireAlert{"alerts": out})
}

func dropAlert(c *Ctx) error {
	var in struct {
		ID string `json:"alert_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !id.Valid(in.ID) {
		return missing("alert_id")
	}
	if err := c.s.cfg.Alerts.Drop(c.r.Context(), c.holder, in.ID); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
