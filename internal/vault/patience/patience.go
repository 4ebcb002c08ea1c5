// Package patience is how long a role waits for the vault. A vault that is busy
// still answers something; one that hangs, or is not there, answers nothing at
// all. Way tells the two apart by that, so that a rush is waited out and a vault
// that is away is noticed within two seconds, whatever it was that took it away.
package patience

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// PingPath is answered by the vault's sockets themselves, before and after the
// vault has its keys: whoever answers it lives.
const PingPath = "/v1/ping"

// Times are how long is waited. Silence is counted in ticks of this process's own
// watch, not by the clock: a machine on which this process gets no turn either
// does not make the vault seem away.
type Times struct {
	Tick   time.Duration // between two looks
	Ask    int           // ticks of silence, with calls under way, after which the vault is asked whether it lives
	Silent int           // ticks of silence after which it is taken to be away
	Read   int           // ticks, longest for a call that changes nothing, from a vault that lives
	Act    int           // ticks, longest for an act that was sent to a vault that then fell silent
}

// DefaultTimes notice silence in 1.8 s. An act waits longer, because who gives it
// up does not know whether it was done: a machine that was paused for a moment
// makes no such doubt. Six seconds stay below the eight that a vaccinator waits
// before the dose is kept for later (edge).
func DefaultTimes() Times {
	return Times{Tick: 100 * time.Millisecond, Ask: 3, Silent: 18, Read: 100, Act: 60}
}

// retryAfter is what who is refused is told to wait: the vault is asked again
// each tick, and a restart takes a second or two.
const retryAfter = 2 * time.Second

// reads are the methods that may be given up at any time: what they change when
// they were carried out after all (an entry that something was shown, a code that
// was sent) is harmless when it is asked for again. What spends something is none:
// a one-time code that was taken, or a consent that was used, is refused the second
// time, so that whoever asks again must not have been told that nothing was done.
func reads() map[string]bool {
	out := map[string]bool{}
	for _, m := range []string{vault.MethodStatus, vault.MethodKeys, vault.MethodMembership, vault.MethodOpen, vault.MethodOpenings, vault.MethodCertificate,
		vault.MethodSlip, vault.MethodUnfinished, vault.MethodDoses, vault.MethodStaffNames, vault.MethodStaffCheck, vault.MethodStaffView, vault.MethodStaffCertificate,
		vault.MethodUnmatched, vault.MethodCorrections, vault.MethodSecondActs, vault.MethodEmailState, vault.MethodPartnerList,
		vault.MethodKeyList, vault.MethodRevocations, vault.MethodStaffList, vault.MethodLeaveStatus, vault.MethodLogNewest, vault.MethodStatistics,
		vault.MethodRequestCode, vault.MethodPartnerCode, vault.MethodEmailCode, vault.MethodShowCard, vault.MethodRosterRow, vault.MethodTripped, vault.MethodGlassWhom, vault.MethodGlassList, vault.MethodRelinkList, vault.MethodRequestList, vault.MethodRequestTrack, vault.MethodExport, vault.MethodRequestWaiting, vault.MethodRequestRead, vault.MethodDevices, vault.MethodShareList, vault.MethodShareFind, vault.MethodShareOpen, vault.MethodDeviceCode, vault.MethodRules, vault.MethodDepartments} {
		out["/v1/"+m] = true
	}
	return out
}

// Way is the way to the vault: an http.RoundTripper over the one that sends. While
// the vault is silent, calls are refused at once with fault.Unavailable; nothing of
// them was sent. A call of the kind that reads, under way when that begins, is
// refused likewise; an act is given up Times.Act after it began, and its sender
// cannot tell whether it was done. It is safe for concurrent use.
type Way struct {
	next  http.RoundTripper
	times Times
	log   *slog.Logger
	reads map[string]bool

	away    atomic.Bool
	heard   atomic.Uint64 // answers
	ticks   atomic.Int64  // looks so far
	pinging atomic.Bool

	mu   sync.Mutex
	open map[*call]bool // under way
}

// call is one call under way; read and begin do not change.
type call struct {
	read   bool
	begin  int64 // the tick
	cancel context.CancelFunc
	gone   atomic.Bool // given up by the watch
}

// New makes a way and watches it until ctx ends.
func New(ctx context.Context, next http.RoundTripper, times Times, log *slog.Logger) *Way {
	w := &Way{next: next, times: times, log: log, reads: reads(), open: map[*call]bool{}}
	go w.watch(ctx)
	return w
}

// Away reports whether the vault is silent.
func (w *Way) Away() bool { return w.away.Load() }

func silent() error {
	return &fault.Error{Kind: fault.Unavailable, Code: vault.CodeAway, Text: "the vault does not answer", RetryAfter: retryAfter}
}

// RoundTrip implements http.RoundTripper.
func (w *Way) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.away.Load() {
		return nil, silent()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // ipc's answers are whole when they are returned
	c := &call{read: w.reads[r.URL.Path], begin: w.ticks.Load(), cancel: cancel}
	w.mu.Lock()
	w.open[c] = true
	w.mu.Unlock()
	res, err := w.next.RoundTrip(r.WithContext(ctx))
	w.mu.Lock()
	delete(w.open, c)
	w.mu.Unlock()
	if err == nil {
		w.heard.Add(1)
		return res, nil
	}
	if c.gone.Load() && c.read {
		return nil, silent()
	}
	return nil, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (w *Way) CloseIdleConnections() {
	if n, ok := w.next.(interface{ CloseIdleConnections() }); ok {
		n.CloseIdleConnections()
	}
}

// watch looks each tick whether anything was answered.
func (w *Way) watch(ctx context.Context) {
	tick := time.NewTicker(w.times.Tick)
	defer tick.Stop()
	var heard uint64
	quiet := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := w.heard.Load()
		waiting := w.giveUp(w.ticks.Add(1))
		switch {
		case n != heard:
			heard, quiet = n, 0
			if w.away.CompareAndSwap(true, false) {
				w.log.Info("the vault answers again")
			}
		case waiting || w.away.Load():
			quiet++
		default:
			quiet = 0
		}
		if quiet >= w.times.Ask && w.pinging.CompareAndSwap(false, true) {
			go w.ping(ctx)
		}
		if quiet >= w.times.Silent && w.away.CompareAndSwap(false, true) {
			w.log.Warn("the vault does not answer; what needs it is refused at once until it does")
			w.giveUp(w.ticks.Load())
		}
	}
}

// giveUp ends the calls whose time is over and reports whether any is under way.
func (w *Way) giveUp(now int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		took := int(now - c.begin)
		if c.read && (w.away.Load() || took > w.times.Read) || !c.read && w.away.Load() && took > w.times.Act {
			c.gone.Store(true)
			c.cancel()
		}
	}
	return len(w.open) > 0
}

// pingTime bounds one ping; the next one makes a connection of its own when the
// one before has ended.
const pingTime = 10 * time.Second

// ping asks whether the vault lives; any answer is one.
func (w *Way) ping(ctx context.Context) {
	defer w.pinging.Store(false)
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vault"+PingPath, strings.NewReader("{}"))
	if err != nil {
		return
	}
	res, err := w.next.RoundTrip(r)
	if err != nil {
		return
	}
	_ = res.Body.Close()
	w.heard.Add(1)
}
