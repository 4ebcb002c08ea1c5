package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/edge"
	"tikakosh/internal/ledger"
	"tikakosh/internal/portal"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/storybook"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
)

// servePortal puts the pages beside the API.
func servePortal(srv *edge.Server, r *registryRole, reports portal.Reports, where *places.Places, l layout, contact []string, log *slog.Logger) error {
	reach, err := contacts(contact)
	if err != nil {
		return err
	}
	pages, err := portal.New(portal.Config{Door: srv, Search: r.bookings, Reports: reports, Places: where, State: srv, Certificates: srv, Holding: holding(r), Sessions: r.vault, Papers: r.people, Unlock: r.vault, Relinks: registry.NewRelinks(r.people, r.vault), Linker: registry.NewCards(r.people, r.vault), Shares: registry.NewShares(r.people, r.vault), Live: srv.Live, PublicURL: srv.PublicURL(), Contact: reach, Version: version, Now: r.now, Logger: log,
		Records: r.people, Asking: registry.NewRequests(r.people, r.vault), Exports: registry.NewRequests(r.people, r.vault), Leaving: registry.NewLeaving(r.people, r.vault), Visits: r.bookings,
		Ways:       portal.Ways{Devices: r.vault, PINs: r.vault, Emails: r.vault},
		Checkpoint: func() (string, int64, error) { return ledger.PublishedCheckpoint(l.ledger()) },
		Leaves: func(size, first int64, n int) ([]ledger.Commitment, error) {
			return ledger.PublishedEntries(l.ledger(), size, first, n)
		}})
	if err == nil {
		srv.ServePages(pages)
	}
	return err
}

// contacts reads how the operator is reached.
func contacts(typed []string) (out []view.Contact, err error) {
	for _, one := range typed {
		c, err := portal.ParseContact(one)
		if err != nil {
			return nil, badConfig("--contact: %s", message(err))
		}
		out = append(out, c)
	}
	return out, nil
}

// holding is what the pages of an account ask: the services behind the API.
func holding(r *registryRole) portal.Holding {
	fonts := encode.DefaultFonts()
	return portal.Holding{People: r.people, Bookings: r.bookings, Moves: r.bookings, Past: r.bookings, Cards: registry.NewCards(r.people, r.vault), Wishes: r.alerts,
		SlipPDF: func(v scheduling.SlipView) ([]byte, error) { return slipPDF(v, r.now(), fonts) }}
}

type storybookCmd struct {
	Listen   string `default:"127.0.0.1:8090" help:"Address."`
	Language string `help:"A language file that is not part of the program yet, named CODE.json; or pseudo: English in brackets and 40 % longer."`
}

// Run shows every screen of the portal without a database, until it is interrupted.
func (c *storybookCmd) Run() error {
	book, err := c.book()
	if err != nil {
		return err
	}
	ctx, stop := roleContext()
	defer stop()
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return cannotListen("the storybook's address", "--listen", err)
	}
	fmt.Printf("screens http://%s/\n", ln.Addr())
	return storybook.Run(ctx, ln, book)
}

// book is the storybook, with the translator's language where one is given.
func (c *storybookCmd) book() (*storybook.Book, error) {
	var (
		file []byte
		err  error
	)
	code := catalogue.PseudoCode
	switch c.Language {
	case "":
		return storybook.New()
	case "pseudo":
		file, err = catalogue.Pseudo()
	default:
		code = strings.TrimSuffix(filepath.Base(c.Language), ".json")
		file, err = os.ReadFile(c.Language)
	}
	if err != nil {
		return nil, err
	}
	say, err := catalogue.LoadWith(code, file)
	if err != nil {
		return nil, err
	}
	return storybook.In(say)
}
