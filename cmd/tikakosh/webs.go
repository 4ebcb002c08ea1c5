package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"tikakosh/internal/supervise"
)

// listenAlso opens the further addresses of the API.
func (in *installation) listenAlso(ctx context.Context) error {
	var lc net.ListenConfig
	for _, addr := range in.flags.AlsoListen {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("a further address of the API: %w", err)
		}
		in.also = append(in.also, ln)
	}
	return nil
}

// closeAlso closes them.
func (in *installation) closeAlso() {
	for _, ln := range in.also {
		_ = ln.Close()
	}
}

// moreWebs describes a web process for each further address. They are the web
// role too: the same rights, the same door to the vault.
func (in *installation) moreWebs(args []string, vaultEnd *os.File) (roles []supervise.Role, files []*os.File, err error) {
	for i, ln := range in.also {
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			return nil, files, err
		}
		files = append(files, f)
		r := in.role("web", args, []string{"vault", "api"}, []*os.File{vaultEnd, f})
		r.Name = fmt.Sprint("web", i+2)
		roles = append(roles, r)
	}
	return roles, files, nil
}
