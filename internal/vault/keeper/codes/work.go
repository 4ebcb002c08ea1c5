package codes

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/altcha-org/altcha-lib-go"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// The counters of wrong answers in an hour: guesses that could have been right,
// of the whole system, and every wrong answer of an origin.
const (
	wrongGlobal = "wrong-code"
	wrongOrigin = "wrong-origin"
)

// Work returns a proof-of-work challenge when wrong answers of this hour, of
// the origin or else of the whole system, are over the budget and the request
// brings no solution (defence.md R03; per prefix before global, design.md 5).
func (d *Desk) Work(t *engine.Txn, solution, origin string) (string, error) {
	all, err := t.Count(time.Hour, wrongGlobal, "", 0)
	if err != nil {
		return "", err
	}
	own, err := t.Count(time.Hour, wrongOrigin, origin, 0)
	if err != nil {
		return "", err
	}
	lim := d.limits
	on := !ablate.Off(ablate.OTPGuessBudget)
	d.failing.Store(on && all >= lim.FailedGuesses)
	if !on || (all < lim.FailedGuesses && own < lim.FailedPrefix) {
		return "", nil
	}
	secret := hex.EncodeToString(d.keys.MAC(keyring.PurposeCode, []byte("work")))
	if done := workDone(solution, secret, d.now()); done != "" {
		_, spent, err := engine.Get[state.Counter](t, state.Replays, "work/"+done)
		if err != nil {
			return "", err
		}
		if !spent {
			return "", engine.Put(t, state.Replays, "work/"+done, state.Counter{N: 1}, d.now().Add(time.Hour).UnixMilli())
		}
	}
	expires := d.now().Add(10 * time.Minute)
	c, err := altcha.CreateChallenge(altcha.ChallengeOptions{HMACKey: secret, MaxNumber: workNumber, Expires: &expires})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "proof of work")
	}
	raw, err := json.Marshal(c)
	return string(raw), fault.Wrap(fault.Internal, err, "proof of work")
}

// workDone returns the challenge that a solution solves in time, or "". The
// solution's own text would not do as its name: one solution has many texts.
func workDone(solution, secret string, now time.Time) string {
	if len(solution) > 4096 {
		return ""
	}
	if ok, err := altcha.VerifySolution(solution, secret, false); err != nil || !ok {
		return ""
	}
	var p altcha.Payload
	raw, err := base64.StdEncoding.DecodeString(solution)
	if err != nil || json.Unmarshal(raw, &p) != nil {
		return ""
	}
	_, query, _ := strings.Cut(p.Salt, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	expires, err := strconv.ParseInt(params.Get("expires"), 10, 64)
	if err != nil || now.Unix() >= expires {
		return ""
	}
	return p.Challenge
}
