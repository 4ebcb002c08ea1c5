package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ipc"
	"tikakosh/internal/metrics"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/patience"
)

// custodyRetry is how often a vault that waits for its keys asks custody again.
const custodyRetry = 500 * time.Millisecond

// door is the vault's sockets. They are served from the first moment on: until
// the vault has its database and its keys, every call is answered that it waits
// and for what.
type door struct {
	now     atomic.Pointer[vault.Failure] // the answer meanwhile; nil once the vault answers
	mu      sync.Mutex
	servers []server
	rooms   map[keeper.Caller]*atomic.Pointer[http.Handler]
	wg      sync.WaitGroup
	fail    context.CancelCauseFunc
	log     *slog.Logger
}

// openDoor listens on every inherited socket and the operator's. fail is called
// when a socket cannot be served any more.
func openDoor(ctx context.Context, l layout, fail context.CancelCauseFunc, log *slog.Logger) (*door, error) {
	d := &door{rooms: map[keeper.Caller]*atomic.Pointer[http.Handler]{}, fail: fail, log: log}
	d.now.Store(waitingFor(vault.CodeStarting))
	for name, caller := range map[string]keeper.Caller{"web": keeper.CallerWeb, "worker": keeper.CallerWorker, "seeder": keeper.CallerSeeder} {
		end, ok := inheritedIf(name)
		if !ok {
			continue
		}
		ln, err := ipc.Listen(end, name)
		if err != nil {
			return d, err
		}
		d.room(name, ln, caller)
	}
	admin, err := listenAdmin(ctx, l.adminSocket())
	if err != nil {
		return d, err
	}
	d.room("operator", admin, keeper.CallerOperator)
	return d, nil
}

func (d *door) room(name string, ln net.Listener, caller keeper.Caller) {
	p := &atomic.Pointer[http.Handler]{}
	waiting := http.Handler(http.HandlerFunc(d.waiting))
	p.Store(&waiting)
	d.rooms[caller] = p
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == patience.PingPath { // whoever answers lives
			w.WriteHeader(http.StatusNoContent)
			return
		}
		(*p.Load()).ServeHTTP(w, r)
	})
	if caller == keeper.CallerOperator { // a path in the file system: any HTTP client
		d.listen(name, ln, httpServer(h, d.log))
		return
	}
	d.listen(name, ln, &ipc.Server{Handler: h, Logger: d.log})
}

// server is what answers on one of the vault's sockets.
type server interface {
	Serve(ln net.Listener) error
	Shutdown(ctx context.Context) error
}

func httpServer(h http.Handler, log *slog.Logger) server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}

// listen serves one more socket until close.
func (d *door) listen(name string, ln net.Listener, srv server) {
	d.mu.Lock()
	d.servers = append(d.servers, srv)
	d.mu.Unlock()
	d.wg.Go(func() {
		if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.fail(fmt.Errorf("vault socket %s: %w", name, err))
		}
	})
}

// admit lets the vault itself answer from now on, each caller through wrap.
func (d *door) admit(k *keeper.Keeper, wrap func(keeper.Caller, http.Handler) http.Handler) {
	d.now.Store(nil)
	for caller, p := range d.rooms {
		h := wrap(caller, k.Handler(caller))
		p.Store(&h)
	}
}

// close lets calls under way finish, five seconds at most for each socket.
func (d *door) close() {
	for _, s := range d.servers {
		end, done := context.WithTimeout(context.Background(), 5*time.Second)
		_ = s.Shutdown(end)
		done()
	}
	d.wg.Wait()
}

// waitingFor says what a vault waits for: to an operator's command, and by its
// code to the edge, which has words of its own.
func waitingFor(code string) *vault.Failure {
	text := map[string]string{
		vault.CodeStarting: "the vault is starting",
		vault.CodeStandby:  "another machine's vault serves; this one stands by and takes over when that one is gone",
		vault.CodeShares:   "the vault waits for the shares of its key: tikakosh keys offer",
		vault.CodeCustody:  "the vault waits for its keys: their custodian does not answer",
		vault.CodeDatabase: "the vault waits for its database, which cannot be reached",
	}[code]
	return &vault.Failure{Kind: fault.Unavailable, Code: code, Text: text, RetryAfterMS: 2000}
}

// waits says from now on that the vault waits for something that others must
// bring, and lets the other roles start meanwhile: what needs no person goes on.
func (d *door) waits(code string) {
	if f := d.now.Load(); f != nil && f.Code != code {
		d.now.Store(waitingFor(code))
	}
	supervise.Ready()
}

// opens says that what was waited for has come, and that the vault starts.
func (d *door) opens() { d.now.Store(waitingFor(vault.CodeStarting)) }

// needs shows the operator what is waited for.
func (d *door) needs(ready *metrics.Ready) {
	for name, code := range map[string]string{"start of the vault": vault.CodeStarting, "lease (another machine serves)": vault.CodeStandby,
		"shares of the key": vault.CodeShares, "vault database": vault.CodeDatabase} {
		ready.Need(name, func(context.Context) error {
			if f := d.now.Load(); f != nil && f.Code == code {
				return fault.New(f.Kind, f.Code, f.Text)
			}
			return nil
		})
	}
}

func (d *door) waiting(w http.ResponseWriter, _ *http.Request) {
	f := d.now.Load()
	if f == nil { // it has just been admitted
		f = waitingFor(vault.CodeStarting)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(f)
}

// begin opens custody and, with it, the vault; while custody does not answer it
// is asked again, so that the service returns by itself.
func (c *vaultCmd) begin(ctx context.Context, l layout, d *door, fresh bool, log *slog.Logger, open func(p custody.Provider) (*keeper.Keeper, error)) (*keeper.Keeper, error) {
	hsm, _ := inheritedIf("hsm")
	said := false
	var shared custody.Provider // the shares are asked for once
	for {
		p, err := shared, error(nil)
		switch {
		case shared != nil:
		case c.Keys == custody.KindShares:
			p, err = waitForShares(ctx, l, func() { d.waits(vault.CodeShares) }, log)
			shared = p
		default:
			p, err = c.provider(l, hsm, fresh)
		}
		if err == nil {
			d.opens()
			var k *keeper.Keeper
			if k, err = open(p); err == nil {
				if said {
					log.Info("key custody answers")
				}
				return k, nil
			}
		}
		if fault.CodeOf(err) != "key-custody" || !fault.Is(err, fault.Unavailable) {
			return nil, err
		}
		if !said {
			log.Warn("alarm: key custody does not answer; the vault waits for it", "alarm", "key-custody", "error", message(err))
			said = true
		}
		d.waits(vault.CodeCustody)
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(custodyRetry):
		}
	}
}
