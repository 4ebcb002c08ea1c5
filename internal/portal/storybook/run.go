package storybook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Run serves the stories of a book on ln until ctx ends.
func Run(ctx context.Context, ln net.Listener, book *Book) error {
	srv := &http.Server{Handler: book, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
