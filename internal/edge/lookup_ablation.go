//go:build ablation

package edge

import (
	"context"

	"tikakosh/internal/ablate"
	"tikakosh/internal/vault"
)

// lookupRoutes has V3 as CoWIN is described to have had it, for the comparison in
// docs/BOT.md: a number in, the people of its household out. It is in a test build alone.
func lookupRoutes() []Route {
	if !ablate.Off(ablate.Lookup) {
		return nil
	}
	return []Route{{Method: "GET", Path: "/api/v2/vaccinator/beneficiaries/findByMobile", Audience: Staff, Action: "staff.view", Rate: RateSelf, ContentType: typeJSON, Handler: findByMobile}}
}

func findByMobile(c *Ctx) error {
	by, ok := c.s.cfg.Rosters.(interface {
		FindByMobile(ctx context.Context, signed vault.Signed, mobile string) (vault.Looked, error)
	})
	if !ok {
		return missing("mobile_number")
	}
	got, err := by.FindByMobile(c.r.Context(), c.staff, c.r.URL.Query().Get("mobile_number"))
	if err != nil {
		return err
	}
	out := struct {
		People   []wireBeneficiary `json:"beneficiaries"`
		ViewRef  string            `json:"view_ref"`
		Receipts []string          `json:"receipts"`
	}{[]wireBeneficiary{}, got.ViewRef, append([]string{}, got.Receipts...)}
	for _, p := range got.People {
		out.People = append(out.People, wirePerson(p, nil))
	}
	c.shown(got.ViewRef)
	return c.json(out)
}
