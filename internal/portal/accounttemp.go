package portal

import (
	"net/http"

	"tikakosh/internal/portal/view"
)

// accountRoutes stands in for the pages of an account until they are here.
func accountRoutes() []Route {
	return []Route{mine("/account", "account", func(c *Ctx) error {
		return c.render(http.StatusOK, view.Trouble(c.page("nav.account"), view.ProblemPage{Heading: "nav.account", Text: "sign.done"}))
	})}
}
