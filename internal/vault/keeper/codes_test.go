package keeper_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	altcha "github.com/altcha-org/altcha-lib-go"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// TestCodeBudgets spends each budget to its end and finds what it leaves free.
func TestCodeBudgets(t *testing.T) {
	request := func(r *rig, mobile, origin string) error {
		_, err := r.k.RequestCode(r.t.Context(), vault.CodeRequest{Mobile: mobile, Origin: origin})
		return err
	}
	const a, b, c = "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"
	type step struct {
		mobile, origin string
		times          int
		refused        bool
	}
	cases := []struct {
		name  string
		limit func(*keeper.Limits)
		steps []step
		wait  time.Duration // after which the last step is free
	}{
		{"number and origin", func(*keeper.Limits) {},
			[]step{{"0000000101", a, 5, false}, {"0000000101", b, 1, false}, {"0000000102", a, 1, false}, {"0000000101", a, 1, true}}, 24 * time.Hour},
		{"number", func(l *keeper.Limits) { l.PerOrigin, l.PerNumber = 3, 6 },
			[]step{{"0000000101", a, 3, false}, {"0000000101", b, 3, false}, {"0000000102", c, 1, false}, {"0000000101", c, 1, true}}, 24 * time.Hour},
		{"prefix", func(l *keeper.Limits) { l.PerPrefix = 3 },
			[]step{{"0000000101", a, 1, false}, {"0000000102", a, 1, false}, {"0000000103", a, 1, false}, {"0000000104", b, 1, false}, {"0000000105", a, 1, true}}, time.Hour},
		{"whole system", func(l *keeper.Limits) { l.Global = 2 },
			[]step{{"0000000101", a, 1, false}, {"0000000102", b, 1, false}, {"0000000103", c, 1, true}}, time.Hour},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			r := rigWith(t, func(r *rig) { x.limit(&r.cfg.Limits) })
			last := x.steps[len(x.steps)-1]
			for _, s := range x.steps {
				for range s.times {
					err := request(r, s.mobile, s.origin)
					if s.refused != fault.Is(err, fault.RateLimited) || (err != nil) != s.refused {
						t.Fatalf("%+v: %v", s, err)
					}
					if s.refused && (fault.CodeOf(err) != "USRAUT0018" || fault.RetryAfter(err) <= 0 || fault.RetryAfter(err) > x.wait) {
						t.Errorf("the refusal: %v, wait %v", err, fault.RetryAfter(err))
					}
				}
			}
			r.forget()
			r.advance(x.wait + time.Second)
			if err := request(r, last.mobile, last.origin); err != nil {
				t.Errorf("after %v: %v", x.wait, err)
			}
			r.code(last.mobile)
		})
	}
}

// TestCodeBudgetParallel sends many requests for one number at once.
func TestCodeBudgetParallel(t *testing.T) {
	r := newRig(t)
	var given atomic.Int64
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000101", Origin: "192.0.2.0/24"}); err == nil {
				given.Add(1)
			}
		})
	}
	wg.Wait()
	if given.Load() != 5 {
		t.Errorf("%d codes given, want 5", given.Load())
	}
}

// TestNumbersOfOldCustomers signs in, lets everything expire, and signs in
// twice more: rows that were dropped start anew.
func TestNumbersOfOldCustomers(t *testing.T) {
	r := newRig(t)
	for day := range 3 {
		for range 2 {
			h := r.signIn("0000000101")
			if _, err := r.k.Membership(t.Context(), h); err != nil {
				t.Fatalf("day %d: %v", day, err)
			}
		}
		r.advance(49 * time.Hour)
		r.k.Expire(t.Context())
		for _, table := range []string{"challenge", "quota", "counter", "bearer"} {
			if n := r.count(table); n != 0 {
				t.Fatalf("day %d: %d rows of %s outlive their time", day, n, table)
			}
		}
	}
}

// TestKnownAndUnknownNumbers compares everything a caller sees.
func TestKnownAndUnknownNumbers(t *testing.T) {
	r := newRig(t)
	r.register("0000000101", 1)
	shape := func(mobile string) string {
		var out []string
		add := func(what string, v any, err error) {
			raw, jerr := json.Marshal(v)
			if jerr != nil {
				t.Fatal(jerr)
			}
			out = append(out, fmt.Sprintf("%s %d bytes %v", what, len(raw), err))
		}
		for range 7 { // over the limit of five, one of them answered wrongly
			i, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
			add("request", i, err)
			s, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: id.New(), Digest: sha("nope")})
			add("other", s, err)
			if i.Txn != "" {
				s, err = r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: i.Txn, Digest: sha("nope")})
				add("wrong", s, err)
			}
		}
		return strings.Join(out, "\n")
	}
	if known, unknown := shape("0000000101"), shape("0000000102"); known != unknown {
		t.Errorf("a known number answers\n%s\nan unknown one\n%s", known, unknown)
	}
}

func TestMalformedAnswersAndNumbers(t *testing.T) {
	r := newRig(t)
	txn := ask(t, r, "0000000101")
	code := r.code("0000000101")
	for name, a := range map[string]vault.CodeAnswer{
		"the code itself":   {Txn: txn, Digest: code},
		"nothing":           {Txn: txn},
		"a long digest":     {Txn: txn, Digest: sha(code) + "0"},
		"upper-case hex":    {Txn: txn, Digest: strings.ToUpper(sha("x" + code))},
		"a short txn":       {Txn: txn[:35], Digest: sha(code)},
		"no txn":            {Digest: sha(code)},
		"another letter":    {Txn: txn[:35] + "g", Digest: sha("nope")},
		"the digest spaced": {Txn: txn, Digest: " " + sha(code)[1:]},
	} {
		_, err := r.k.ConfirmCode(t.Context(), a)
		if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, m := range []string{"", "12345", "000000000012", "+1 202 555 0100", "abcdefghij"} {
		if _, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: m}); !fault.Is(err, fault.Invalid) {
			t.Errorf("mobile %q: %v", m, err)
		}
	}
	strict := rigWith(t, func(r *rig) { r.cfg.DemoNumbers = false })
	if _, err := strict.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000101"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("production took a number that begins with 0: %v", err)
	}
}

// TestChallengeHoldsNoCode looks at what the database keeps of a code and its
// number, before and after it is used.
func TestChallengeHoldsNoCode(t *testing.T) {
	r := newRig(t)
	txn := ask(t, r, "0000000101")
	code := r.code("0000000101")
	look := func(when string) {
		t.Helper()
		dump := r.dump("challenge", "quota", "household", "mobile_index", "bearer", "counter")
		sum := sha256.Sum256([]byte("0000000101"))
		for name, what := range map[string]string{"code": code, "digest": sha(code), "mobile": "0000000101", "txn": txn, "plain hash of the mobile": hex.EncodeToString(sum[:16])} {
			if strings.Contains(dump, what) {
				t.Errorf("%s: the database holds the %s", when, name)
			}
		}
	}
	look("asked")
	if err := answer(r, txn, code); err != nil {
		t.Fatal(err)
	}
	look("answered")
	dump := r.dump("challenge")
	if !strings.Contains(dump, `"Code":null`) || !strings.Contains(dump, `"Mobile":null`) || !strings.Contains(dump, `"State":"used"`) {
		t.Errorf("a used challenge keeps its code or number: %s", dump)
	}
}

// TestProofOfWork makes the vault ask for work and does it.
func TestProofOfWork(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Limits.FailedGuesses, r.cfg.Limits.FailedAlarm = 6, 3 })
	ctx := t.Context()
	for i := range 2 {
		txn := ask(t, r, fmt.Sprintf("00000001%02d", i))
		for range 3 {
			wantKind(t, answer(r, txn, "nope"), fault.Invalid)
		}
	}
	if n := strings.Count(r.log(), "alarm=failed-guesses"); n != 2 {
		t.Errorf("%d alarms, want one at 3 and one at 6\n%s", n, r.log())
	}
	request := func(work string) vault.CodeIssued {
		t.Helper()
		i, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000199", Origin: "192.0.2.0/24", Work: work})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	asked := request("")
	if asked.Challenge == "" || asked.Txn != "" {
		t.Fatalf("%+v", asked)
	}
	if st, err := r.k.Status(ctx, vault.Empty{}); err != nil || !st.Challenge {
		t.Errorf("status %+v %v", st, err)
	}
	work := solve(t, asked.Challenge)
	for name, bad := range map[string]string{"nonsense": "nonsense", "empty JSON": "e30=", "altered": work[:len(work)-8] + "AAAAAAA="} {
		if i := request(bad); i.Txn != "" {
			t.Errorf("%s was taken as work", name)
		}
	}
	if i := request(work); i.Txn == "" || i.Challenge != "" {
		t.Fatalf("work was not taken: %+v", i)
	}
	spaced, err := base64.StdEncoding.DecodeString(work)
	if err != nil {
		t.Fatal(err)
	}
	for name, same := range map[string]string{"as it was": work, "with a line break": work + "\n", "with a space": base64Text(append([]byte(" "), spaced...))} {
		if i := request(same); i.Txn != "" {
			t.Errorf("work was taken twice, %s", name)
		}
	}
	late := solve(t, request("").Challenge)
	r.advance(10*time.Minute + time.Second)
	if i := request(late); i.Txn != "" {
		t.Error("work of an expired challenge was taken")
	}
	r.advance(time.Hour)
	if i := request(""); i.Txn == "" {
		t.Error("the next hour still asks for work")
	}
	if st, err := r.k.Status(ctx, vault.Empty{}); err != nil || st.Challenge {
		t.Errorf("status %+v %v", st, err)
	}
}

// TestWorkOfThePrefix: wrong answers have work asked of the network they come
// from, first and alone.
func TestWorkOfThePrefix(t *testing.T) {
	const guilty, other = "203.0.113.0/24", "192.0.2.0/24"
	asked := func(r *rig, origin string) bool {
		t.Helper()
		i, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000199", Origin: origin})
		if err != nil || (i.Txn == "") != (i.Challenge != "") {
			t.Fatalf("%+v %v", i, err)
		}
		return i.Challenge != ""
	}
	wrongTry := func(r *rig, txn, origin string) error {
		_, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: txn, Digest: sha("nope"), Origin: origin})
		return err
	}
	limits := func(r *rig) {
		r.cfg.Limits.FailedGuesses, r.cfg.Limits.FailedPrefix, r.cfg.Limits.FailedAlarm = 30, 4, 30
	}
	spray := func(r *rig, i int, origin string) string {
		txn := ask(t, r, fmt.Sprintf("00000001%02d", i))
		wantKind(t, wrongTry(r, txn, origin), fault.Invalid)
		return txn
	}
	t.Run("unknown transactions", func(t *testing.T) {
		r := rigWith(t, limits)
		for range 40 {
			wantKind(t, wrongTry(r, id.New(), guilty), fault.Unauthorized)
		}
		for i := range 40 { // more networks than the share of one covers
			wantKind(t, wrongTry(r, id.New(), fmt.Sprintf("198.51.%d.0/24", i)), fault.Unauthorized)
		}
		if !asked(r, guilty) || asked(r, other) || strings.Contains(r.log(), "alarm") {
			t.Errorf("guilty %v, other %v, %s", asked(r, guilty), asked(r, other), r.log())
		}
		st, err := r.k.Status(t.Context(), vault.Empty{})
		if err != nil || st.Challenge {
			t.Errorf("%+v %v", st, err)
		}
		r.advance(time.Hour)
		if asked(r, guilty) {
			t.Error("the next hour still asks")
		}
	})
	t.Run("dead and used challenges", func(t *testing.T) {
		r := rigWith(t, limits)
		dead := ask(t, r, "0000000101")
		for range 20 {
			wantKind(t, wrongTry(r, dead, guilty), fault.Invalid)
		}
		used := ask(t, r, "0000000102")
		if err := answer(r, used, r.code("0000000102")); err != nil {
			t.Fatal(err)
		}
		late := ask(t, r, "0000000103")
		r.advance(4 * time.Minute)
		for range 20 {
			wantKind(t, wrongTry(r, used, guilty), fault.Invalid)
			wantKind(t, wrongTry(r, late, guilty), fault.Invalid)
		}
		for i := range 40 { // more networks than the share of one covers
			wantKind(t, wrongTry(r, []string{dead, used, late}[i%3], fmt.Sprintf("198.51.%d.0/24", i)), fault.Invalid)
		}
		if !asked(r, guilty) || asked(r, other) {
			t.Error("answers that could not be right have work asked of everybody")
		}
	})
	t.Run("guesses of one network", func(t *testing.T) {
		r := rigWith(t, limits)
		for i := range 30 {
			spray(r, i, guilty)
		}
		if !asked(r, guilty) || asked(r, other) {
			t.Error("one network has work asked of everybody")
		}
	})
	t.Run("guesses of many networks", func(t *testing.T) {
		r := rigWith(t, limits)
		for i := range 30 {
			spray(r, i, fmt.Sprintf("198.51.%d.0/24", i))
		}
		if !asked(r, other) {
			t.Error("spraying from many networks goes on without work")
		}
	})
}

// solve does the work of a challenge as the browser's widget does.
func solve(t *testing.T, challenge string) string {
	t.Helper()
	var c altcha.Challenge
	if err := json.Unmarshal([]byte(challenge), &c); err != nil {
		t.Fatal(err)
	}
	s, err := altcha.SolveChallenge(c.Challenge, c.Salt, altcha.Algorithm(c.Algorithm), int(c.MaxNumber), 0, nil)
	if err != nil || s == nil {
		t.Fatalf("%v %v", s, err)
	}
	raw, err := json.Marshal(altcha.Payload{Algorithm: c.Algorithm, Challenge: c.Challenge, Number: int64(s.Number), Salt: c.Salt, Signature: c.Signature})
	if err != nil {
		t.Fatal(err)
	}
	return base64Text(raw)
}

// TestMessageRetried loses the first two messages and gets the third try's.
func TestMessageRetried(t *testing.T) {
	r := newRig(t)
	r.mu.Lock()
	r.lose = 2
	r.mu.Unlock()
	h := r.signIn("0000000101")
	if h.Bearer == "" {
		t.Fatal("no session")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lose != 0 || len(r.sent) != 1 {
		t.Errorf("%d losses left, %d messages", r.lose, len(r.sent))
	}
}

// TestCodeNotSent: while no gateway takes codes and no more may wait, each request is told so, and
// none counts against the number; the same for a number that is known.
func TestCodeNotSent(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Limits.CodesWait, r.cfg.Limits.HeldCodes = 100*time.Millisecond, -1 })
	r.signIn("0000000101")
	r.mu.Lock()
	r.lose = 1 << 30
	r.mu.Unlock()
	for i := range 14 {
		mobile := []string{"0000000101", "0000000102"}[i%2]
		begin := time.Now()
		got, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
		if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "OTPNOTSENT" || fault.RetryAfter(err) == 0 || got != (vault.CodeIssued{}) {
			t.Fatalf("%+v %v", got, err)
		}
		if d := time.Since(begin); d < 90*time.Millisecond || d > 3*time.Second {
			t.Errorf("answered after %s", d)
		}
	}
	if strings.Contains(r.log(), "000000010") {
		t.Error("the log holds the number")
	}
	r.mu.Lock()
	r.lose = 0
	r.mu.Unlock()
	r.signIn("0000000102")
}

// TestCodeUnsure: a code that may have been sent is tried once, its request is
// told so, and it counts against the number.
func TestCodeUnsure(t *testing.T) {
	r := newRig(t)
	var tries atomic.Int64
	r.mu.Lock()
	r.route = func(_ context.Context, n keeper.Notice) error {
		tries.Add(1)
		if !n.Once || n.Deadline > r.clock().Add(5*time.Second).UnixMilli() {
			t.Errorf("%+v", n)
		}
		return fault.New(fault.Unknown, "courier", "the connection broke")
	}
	r.mu.Unlock()
	for i := range 5 {
		_, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000101", Origin: "192.0.2.0/24"})
		if !fault.Is(err, fault.Unknown) || fault.CodeOf(err) != "OTPUNSURE" || tries.Load() != int64(i+1) {
			t.Fatalf("%d tries, %v", tries.Load(), err)
		}
	}
	if _, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: "0000000101", Origin: "192.0.2.0/24"}); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the sixth: %v", err)
	}
}
