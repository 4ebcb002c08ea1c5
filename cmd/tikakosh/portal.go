package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/ledger"
	"tikakosh/internal/portal"
	"tikakosh/internal/portal/storybook"
	"tikakosh/internal/scheduling/places"
)

// servePortal puts the pages beside the API.
func servePortal(srv *edge.Server, r *registryRole, reports portal.Reports, where *places.Places, l layout, log *slog.Logger) error {
	pages, err := portal.New(portal.Config{Door: srv, Search: r.bookings, Reports: reports, Places: where, Version: version, Now: r.now, Logger: log,
		Checkpoint: func() (string, int64, error) { return ledger.PublishedCheckpoint(l.ledger()) }})
	if err != nil {
		return err
	}
	srv.ServePages(pages)
	return nil
}

type storybookCmd struct {
	Listen string `default:"127.0.0.1:8090" help:"Address."`
}

// Run shows every screen of the portal without a database, until it is interrupted.
func (c *storybookCmd) Run() error {
	book, err := storybook.New()
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
	fmt.Fprintf(os.Stdout, "screens http://%s/\n", ln.Addr())
	srv := &http.Server{Handler: book, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = srv.Shutdown(end)
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
