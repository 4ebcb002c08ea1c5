package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"

	"tikakosh/internal/edge"
	"tikakosh/internal/portal"
)

type surfaceCmd struct{}

// Run prints everything that the web role answers: surface.
func (surfaceCmd) Run() error { return surface(os.Stdout) }

// surface writes the route tables of the API and of the pages, one route a line: method, path,
// audience and action, separated by tabs and sorted by path; a page's line ends with another
// tab and the word page.
func surface(w io.Writer) error {
	type row struct{ method, path, audience, action, kind string }
	var rows []row
	for _, r := range edge.Surface() {
		rows = append(rows, row{r.Method, r.Path, string(r.Audience), r.Action, ""})
	}
	for _, r := range portal.Surface() {
		rows = append(rows, row{r.Method, r.Path, string(r.Audience), r.Action, "\tpage"})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method)) })
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s%s\n", r.method, r.path, r.audience, r.action, r.kind); err != nil {
			return err
		}
	}
	return nil
}
