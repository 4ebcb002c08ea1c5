package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// TestCodeWaits: a code that no gateway takes at once waits, its request is told
// so, and it comes once and signs in; the same for a number that is known.
func TestCodeWaits(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Limits.CodesWait = 100 * time.Millisecond })
	r.signIn("0000000101")
	r.forget()
	var down atomic.Bool
	down.Store(true)
	var tries atomic.Int64
	r.mu.Lock()
	r.route = func(_ context.Context, n keeper.Notice) error {
		tries.Add(1)
		if !n.Once || n.Deadline > r.clock().Add(5*time.Second).UnixMilli() {
			t.Errorf("%+v", n)
		}
		if down.Load() {
			return fault.New(fault.Unavailable, "courier", "down")
		}
		return nil
	}
	r.mu.Unlock()
	var txns []string
	for _, mobile := range []string{"0000000101", "0000000102"} {
		begin := time.Now()
		got, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
		if err != nil || got.Txn == "" || got.Held != r.clock().Add(160*time.Second).UnixMilli() {
			t.Fatalf("%+v %v", got, err)
		}
		if d := time.Since(begin); d < 90*time.Millisecond || d > 3*time.Second {
			t.Errorf("answered after %s", d)
		}
		txns = append(txns, got.Txn)
	}
	before := tries.Load()
	for range 200 {
		if tries.Load() > before+4 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	down.Store(false)
	r.messages("code", 2)
	time.Sleep(300 * time.Millisecond)
	sent := r.messages("code", 2)
	if len(sent) != 2 || sent[0].ID == sent[1].ID {
		t.Fatalf("%d messages", len(sent))
	}
	for i, mobile := range []string{"0000000101", "0000000102"} {
		for _, n := range sent {
			if n.Mobile != mobile {
				continue
			}
			if s, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: txns[i], Digest: sha(n.Params["code"]), Origin: "192.0.2.0/24"}); err != nil || s.Bearer == "" {
				t.Errorf("%v", err)
			}
		}
	}
	if strings.Contains(r.log(), "000000010") {
		t.Error("the log holds the number")
	}
}

// TestCodeWaitsInVain: what no gateway took in time is given up with an alarm, is
// never sent later, and does not count against its number.
func TestCodeWaitsInVain(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Limits.CodesWait = 50 * time.Millisecond })
	r.mu.Lock()
	r.lose = 1 << 30
	r.mu.Unlock()
	for range 5 {
		if got, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000102", Origin: "192.0.2.0/24"}); err != nil || got.Held == 0 {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if _, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000102", Origin: "192.0.2.0/24"}); !fault.Is(err, fault.RateLimited) {
		t.Fatalf("the sixth while five wait: %v", err)
	}
	r.advance(170 * time.Second)
	for range 400 {
		if strings.Count(r.log(), "alarm=codes") == 5 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	r.mu.Lock()
	r.lose = 0
	r.mu.Unlock()
	time.Sleep(300 * time.Millisecond)
	if got := r.messages("code", 0); len(got) != 0 || strings.Count(r.log(), "alarm=codes") != 5 {
		t.Errorf("%d were sent late, %d alarms", len(got), strings.Count(r.log(), "alarm=codes"))
	}
	r.signIn("0000000102")
}

// TestCodeUnsureWhileWaiting: a try of a waiting code that may have gone out is
// the last one.
func TestCodeUnsureWhileWaiting(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Limits.CodesWait = 50 * time.Millisecond })
	var unsure atomic.Int64
	var down atomic.Bool
	down.Store(true)
	r.mu.Lock()
	r.route = func(context.Context, keeper.Notice) error {
		if down.Load() {
			return fault.New(fault.Unavailable, "courier", "down")
		}
		unsure.Add(1)
		return fault.New(fault.Unknown, "courier", "the connection broke")
	}
	r.mu.Unlock()
	const n = 20
	for i := range n {
		if _, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: fmt.Sprintf("00000002%02d", i), Origin: "192.0.2.0/24"}); err != nil {
			t.Fatal(err)
		}
	}
	down.Store(false)
	time.Sleep(1500 * time.Millisecond)
	if unsure.Load() != n {
		t.Errorf("%d tries that may have gone out, want %d", unsure.Load(), n)
	}
}
