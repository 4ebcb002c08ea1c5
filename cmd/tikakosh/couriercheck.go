package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/notify"
)

type courierCheckCmd struct {
	Routes string `required:"" help:"Routes file."`
}

// Run reaches each route's gateway or mail server, and says what is wrong there
// and with the file.
func (c *courierCheckCmd) Run() error {
	routes, _, err := loadRoutes(c.Routes)
	if err != nil {
		return err
	}
	router, err := notify.NewRouter(routes, time.Now, logger("courier"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	results := router.Check(ctx)
	names, bad := slices.Sorted(maps.Keys(results)), 0
	for _, name := range names {
		if err := results[name]; err != nil {
			bad++
			fmt.Printf("route %s: %v\n", name, err)
			continue
		}
		fmt.Printf("route %s: bound and unbound\n", name)
	}
	missing := routes.Unregistered()
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		fmt.Printf("route %s: no template id for %s\n", name, strings.Join(missing[name], ", "))
	}
	switch {
	case bad > 0:
		return fmt.Errorf("%d of %d routes do not work", bad, len(names))
	case len(missing) > 0:
		return badConfig("messages without a template id are dropped by the register (DLT): register the texts of tikakosh courier templates and add their ids to template_ids")
	}
	return nil
}

type courierTemplatesCmd struct{}

// Run prints what an operator registers, with a tab between the columns.
func (*courierTemplatesCmd) Run() error {
	for _, r := range notify.Registrations() {
		fmt.Printf("%s\t%s\t%s\n", r.Template, r.Language, r.Text)
	}
	return nil
}
