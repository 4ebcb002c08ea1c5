package main

import (
	"cmp"
	"fmt"
	"slices"

	"tikakosh/internal/edge"
)

type surfaceCmd struct{}

// Run prints the route table, one route a line: method, path, audience and action,
// separated by tabs and sorted by path.
func (surfaceCmd) Run() error {
	routes := edge.Surface()
	slices.SortFunc(routes, func(a, b edge.Route) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	for _, r := range routes {
		fmt.Printf("%s\t%s\t%s\t%s\n", r.Method, r.Path, r.Audience, r.Action)
	}
	return nil
}
