//go:build cgo

// Command tikakosh-hsm keeps the vault's wrapping keys in an HSM. It is the one
// program of ours that loads a maker's PKCS #11 library (and so needs cgo), in a
// process of its own: the vault asks it over an inherited socket and never sees
// the PIN. `tikakosh run --keys pkcs11:…` starts it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ipc"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault/custody"
)

// fdsVariable names this program's inherited descriptors, as in `tikakosh`.
const fdsVariable = "TIKAKOSH_FDS"

// exitBroken ends the process after the token's library failed: what a library
// keeps in memory after that is nobody's guess, so a new process begins anew.
const exitBroken = 3

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("role", "hsm")
	if err := run(log); err != nil {
		fmt.Fprintln(os.Stderr, "tikakosh-hsm:", err)
		if k := fault.KindOf(err); k == fault.Invalid || k == fault.Forbidden {
			os.Exit(supervise.ExitConfig) // trying a PIN again would lock the token
		}
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	supervise.WatchParent(stop)
	if len(os.Args) != 2 {
		return fault.New(fault.Invalid, "keys", "started by `tikakosh run --keys pkcs11:…`, with that text alone")
	}
	where, err := custody.ParsePKCS11(os.Args[1])
	if err != nil {
		return err
	}
	if err := supervise.Harden(supervise.HardenOpts{}); err != nil {
		return err
	}
	end, pinFile := inherited("hsm"), inherited("pin")
	if end == nil || pinFile == nil {
		return fault.New(fault.Invalid, "keys", "started by `tikakosh run --keys pkcs11:…`, which hands over socket and PIN")
	}
	var pin [256]byte
	n, err := pinFile.ReadAt(pin[:], 0) // a process that is started again reads it again
	if n == 0 {
		return fault.Wrap(fault.Invalid, err, "no PIN")
	}
	t, err := openToken(where, string(pin[:n]))
	clear(pin[:])
	if err != nil {
		return err
	}
	defer t.close()
	ln, err := ipc.Listen(end, "vault")
	if err != nil {
		return err
	}
	srv := &ipc.Server{Logger: log,
		Handler: custody.Handler(t, t.open, func(err error) {
			if errors.Is(err, errBroken) {
				log.Error("the token failed; starting again", "error", err.Error())
				time.AfterFunc(50*time.Millisecond, func() { os.Exit(exitBroken) }) // the answer goes out first
			}
		})}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	supervise.Ready()
	log.Info("token ready", "token", where.Token)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end2, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return srv.Shutdown(end2)
}

func inherited(name string) *os.File {
	for _, pair := range strings.Split(os.Getenv(fdsVariable), ",") {
		n, v, _ := strings.Cut(pair, "=")
		if fd, err := strconv.Atoi(v); n == name && err == nil && fd >= 3 {
			return os.NewFile(uintptr(fd), name)
		}
	}
	return nil
}
