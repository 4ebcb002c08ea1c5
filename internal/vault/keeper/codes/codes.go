// Package codes is the vault's one-time codes (design.md 10, defence.md 4.2): how they are made and
// bound to one transaction and one run of the vault, how many a number, a network and the
// system get, how often an answer may be tried, and when work is asked first. What a code is
// for, and what follows a right one, is its callers'. The answer is the same for known and
// unknown numbers.
package codes

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"sync/atomic"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Limits are the budgets of one-time codes (defence.md 4.2).
type Limits struct {
	PerOrigin       int   // unconfirmed codes per number and origin in 24 h
	PerNumber       int   // unconfirmed codes per number in 24 h
	PerPrefix       int   // codes per origin network and hour
	Global          int   // codes of the whole system per hour
	FailedGuesses   int64 // wrong guesses per hour that switch the challenge on for everybody
	FailedAlarm     int64 // wrong guesses per hour that raise an alarm
	FailedPrefix    int64 // wrong answers per origin network and hour above which work is asked of it
	CodesWait       time.Duration
	HeldCodes       int // how many codes may wait for a gateway; 0 is 50,000, below 0 none
	WrongStaffCodes int // wrong booking codes per staff member and session day
}

// DefaultLimits are the figures of defence.md 4.2 and design.md 5. FailedPrefix
// is one wrong answer in ten of the codes that a network may ask for: a
// carrier's /24 with thousands of honest people behind it stays below, and above
// it they do the work of a moment and are not refused.
func DefaultLimits() Limits {
	return Limits{PerOrigin: 5, PerNumber: 20, PerPrefix: 2000, Global: 5_000_000, FailedGuesses: 5000, FailedAlarm: 1000, FailedPrefix: 200, WrongStaffCodes: 10}
}

// Fixed by design.md 10.
const (
	Life  = 3 * time.Minute
	Tries = 3
	// Kept is the window of a number's budget, and how long a challenge's row stays.
	Kept       = 24 * time.Hour
	workNumber = 50_000 // upper bound of the proof of work, about 10 ms of one core
)

// Desk judges the codes of one run of a vault. It is safe for concurrent use.
type Desk struct {
	keys    *keyring.Ring
	limits  Limits
	run     []byte // this process, in the MACs of its codes
	now     func() time.Time
	log     *slog.Logger
	failing atomic.Bool // proof of work is asked
}

// New returns a desk. Codes of another run of the vault are void.
func New(keys *keyring.Ring, limits Limits, run []byte, now func() time.Time, log *slog.Logger) *Desk {
	return &Desk{keys: keys, limits: limits, run: run, now: now, log: log}
}

// Failing reports whether work is asked of everybody.
func (d *Desk) Failing() bool { return d.failing.Load() }

// MAC binds a code to its transaction and to this run of the vault: a
// challenge from before a start may have been set back, so its code is void.
func (d *Desk) MAC(txnID, digest string) []byte {
	if ablate.Off(ablate.OTPBinding) {
		txnID = ""
	}
	return d.keys.MAC(keyring.PurposeCode, d.run, []byte(txnID), []byte(digest))
}

// Key names the row of a transaction's challenge.
func Key(txnID string) string {
	sum := sha256.Sum256([]byte("tikakosh/txn\x00" + txnID))
	return hex.EncodeToString(sum[:])
}

// Make makes a code: six digits.
func Make() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic("codes: the system random source failed: " + err.Error())
	}
	return fmt.Sprintf("%06d", n)
}

// Digest is what whoever answers a code sends of it.
func Digest(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// Outcome of an answer to a code.
type Outcome int

// The outcomes.
const (
	Wrong   Outcome = iota
	Unknown         // there is no such transaction
	Right
)

// Judge counts the try and compares. It writes the challenge back unless the
// answer is right: the caller spends it then.
func (d *Desk) Judge(t *engine.Txn, ch *state.Challenge, ok bool, r vault.CodeAnswer) (Outcome, error) {
	now := d.now().UnixMilli()
	if !ok {
		return Unknown, d.CountWrong(t, r.Origin, false)
	}
	dead := ch.State != state.ChallengeOpen && !(ch.State == state.ChallengeUsed && ablate.Off(ablate.OTPSingleUse))
	if now >= ch.Expires && !ablate.Off(ablate.OTPExpiry) {
		dead = true
	}
	if ch.Tries >= Tries && !ablate.Off(ablate.OTPTries) {
		dead = true
	}
	ch.Tries++
	right := !dead && hmac.Equal(ch.Code, d.MAC(r.Txn, r.Digest))
	if !right && ablate.Off(ablate.OTPBinding) {
		found, err := d.anyChallenge(t, r, ch)
		if err != nil || found {
			return Right, err
		}
	}
	if right {
		return Right, nil
	}
	if err := d.CountWrong(t, r.Origin, !dead); err != nil {
		return Wrong, err
	}
	if ch.Tries >= Tries && !ablate.Off(ablate.OTPTries) && ch.State == state.ChallengeOpen {
		ch.State, ch.Code = state.ChallengeDead, nil
	}
	return Wrong, engine.Put(t, state.Challenges, Key(r.Txn), *ch, ch.Sent+Kept.Milliseconds())
}

// CountWrong counts a wrong answer for its origin and, when it was a guess that
// could have been right, for the whole system. Of one origin the system counts
// at most a share: what goes beyond is answered by asking work of that origin,
// so that no single network can have work asked of everybody.
func (d *Desk) CountWrong(t *engine.Txn, origin string, guess bool) error {
	if _, err := t.Count(time.Hour, wrongOrigin, origin, 1); err != nil || !guess {
		return err
	}
	lim := d.limits
	own, err := t.Count(time.Hour, "wrong-guess", origin, 1)
	if err != nil || own > max(lim.FailedPrefix, lim.FailedGuesses/5) {
		return err
	}
	n, err := t.Count(time.Hour, wrongGlobal, "", 1)
	if err == nil && (n == lim.FailedAlarm || n == lim.FailedGuesses) {
		d.log.Warn("alarm: many wrong one-time codes this hour", "alarm", "failed-guesses", "count", n)
	}
	return err
}

// anyChallenge matches a code against every open transaction, as a code that is
// not bound to its transaction would. Only in builds that switch controls off.
func (d *Desk) anyChallenge(t *engine.Txn, r vault.CodeAnswer, ch *state.Challenge) (bool, error) {
	rows, err := t.Tx.Scan(t.Ctx, state.Challenges, "", 1000)
	if err != nil {
		return false, err
	}
	for _, s := range rows {
		var other state.Challenge
		if json.Unmarshal(s.Content, &other) == nil && hmac.Equal(other.Code, d.MAC(r.Txn, r.Digest)) {
			// Re-seal under this transaction's key so that admit opens it.
			mobile, err := d.keys.Contact.Open(nil, nil, other.Mobile, d.keys.ContactAAD("challenge", s.Key))
			if err != nil {
				return false, nil //nolint:nilerr // only builds that switch controls off come here
			}
			key := Key(r.Txn)
			ch.Index = other.Index
			ch.Mobile = d.keys.Contact.Seal(nil, nil, mobile, d.keys.ContactAAD("challenge", key))
			return true, nil
		}
	}
	return false, nil
}
