package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	altcha "github.com/altcha-org/altcha-lib-go"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// Fixed by design.md 10.
const (
	codeLife   = 3 * time.Minute
	codeTries  = 3
	quotaSpan  = 24 * time.Hour
	workNumber = 50_000 // upper bound of the proof of work, about 10 ms of one core
)

// codeMAC binds a code to its transaction and to this run of the vault: a
// challenge from before a start may have been set back, so its code is void.
func (k *Keeper) codeMAC(txnID, digest string) []byte {
	if ablate.Off(ablate.OTPBinding) {
		txnID = ""
	}
	return k.keys.MAC(keyring.PurposeCode, k.run, []byte(txnID), []byte(digest))
}

func challengeKey(txnID string) string {
	sum := sha256.Sum256([]byte("tikakosh/txn\x00" + txnID))
	return hex.EncodeToString(sum[:])
}

// RequestCode implements the vault's word: the work done is the same whether
// or not the number is known; nothing is looked up.
func (k *Keeper) RequestCode(ctx context.Context, r vault.CodeRequest) (vault.CodeIssued, error) {
	mobile, err := rules.ParseMobile(r.Mobile, k.cfg.DemoNumbers)
	if err != nil {
		return vault.CodeIssued{}, err
	}
	if ablate.Off(ablate.Normalise) {
		mobile = r.Mobile
	}
	index := k.keys.BlindIndex(mobile)
	if ablate.Off(ablate.OTPUniform) {
		if err := k.tellUnknown(ctx, index); err != nil {
			return vault.CodeIssued{}, err
		}
	}
	txnID, code := id.New(), newCode()
	now := k.now()
	row := state.Challenge{Index: index, Origin: r.Origin, Sent: now.UnixMilli(), Expires: now.Add(codeLife).UnixMilli(), State: state.ChallengeOpen}
	if r.Chosen {
		row.Speaks = r.Language
	}
	key := challengeKey(txnID)
	row.Mobile = k.keys.Contact.Seal(nil, nil, []byte(mobile), k.keys.ContactAAD("challenge", key))
	row.Last4 = k.keys.Contact.Seal(nil, nil, []byte(mobile[max(0, len(mobile)-4):]), k.keys.ContactAAD("challenge-last4", key))
	row.Code = k.codeMAC(txnID, digestOf(code))

	var issued vault.CodeIssued
	var refused error
	_, err = k.update(ctx, func(t *txn) error {
		issued, refused = vault.CodeIssued{Txn: txnID}, nil
		asked, err := t.askWork(r.Work, r.Origin)
		if err != nil || asked != "" {
			issued = vault.CodeIssued{Challenge: asked}
			return err
		}
		if row.Device, err = t.deviceOf(r.Device); err != nil {
			return err
		}
		if refused, err = t.spendCodeBudgets(codeAsk{index, mobile, r.Origin, key, row.Device}, int64(k.cfg.Limits.PerPrefix)); err != nil || refused != nil {
			return err
		}
		return engine.Put(t, state.Challenges, key, row, now.Add(quotaSpan).UnixMilli())
	})
	if err != nil || refused != nil || issued.Challenge != "" {
		if err == nil {
			err = refused
		}
		return issued, err
	}
	if issued.Held, err = k.post.SendCode(ctx, Notice{ID: key, Mobile: mobile, Template: "code", Language: r.Language, Deadline: row.Expires,
		Params: map[string]string{"code": code, "host": k.cfg.Host}}, index, key); err != nil {
		return vault.CodeIssued{}, err
	}
	return issued, nil
}

// tellUnknown is the oracle CoWIN's USRAUT0024 was; only in builds that switch
// controls off.
func (k *Keeper) tellUnknown(ctx context.Context, index string) error {
	return k.view(ctx, func(t *txn) error {
		_, ok, err := engine.Get[state.MobileIndex](t, state.MobileIndexes, index)
		if err == nil && !ok {
			return fault.New(fault.Invalid, "USRAUT0024", "Beneficiary Not Registered")
		}
		time.Sleep(3 * time.Millisecond)
		return err
	})
}

func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic("keeper: the system random source failed: " + err.Error())
	}
	return fmt.Sprintf("%06d", n)
}

func digestOf(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// spendCodeBudgets counts one more code for the number, the origin's network
// and the system, or says which budget is used up. The answer is the same for
// known and unknown numbers.
func (t *txn) spendCodeBudgets(a codeAsk, perOrigin int64) (refused, err error) {
	now := t.k.now()
	quota, err := t.quotaOf(a.index, a.mobile)
	if err != nil {
		return nil, err
	}
	var kept []state.QuotaSend
	sameOrigin, others, oldest := 0, 0, now.UnixMilli()
	for _, s := range quota.Sent {
		if s.At > now.Add(-quotaSpan).UnixMilli() {
			kept = append(kept, s)
			oldest = min(oldest, s.At)
			if s.Own {
				continue
			}
			if others++; s.Origin == a.origin {
				sameOrigin++
			}
		}
	}
	lim := t.k.cfg.Limits
	own := false
	if (sameOrigin >= lim.PerOrigin || others >= lim.PerNumber) && !ablate.Off(ablate.OTPNumberLimit) {
		if own, err = t.ownCode(a); err != nil {
			return nil, err
		}
		if own = own && len(kept)-others < lim.PerNumber; !own {
			return tooManyCodes(time.UnixMilli(oldest).Add(quotaSpan).Sub(now)), nil
		}
	}
	for _, c := range []struct {
		kind, key string
		max       int64
	}{{"code-prefix", a.origin, perOrigin}, {"code-global", "", int64(lim.Global)}} {
		n, err := t.Count(time.Hour, c.kind, c.key, 1)
		if err != nil {
			return nil, err
		}
		if n > c.max {
			return tooManyCodes(untilNextHour(now)), nil
		}
	}
	kept = append(kept, state.QuotaSend{At: now.UnixMilli(), Origin: a.origin, Challenge: a.challenge, Own: own})
	return nil, engine.Put(t, state.Quotas, a.index, state.Quota{Sent: kept}, now.Add(quotaSpan).UnixMilli())
}

// quotaOf is what was sent to a number, also under its name from before a change
// of the index key.
func (t *txn) quotaOf(index, mobile string) (state.Quota, error) {
	quota, _, err := engine.Get[state.Quota](t, state.Quotas, index)
	for _, name := range t.k.keys.OldIndexes(mobile) {
		if err != nil {
			break
		}
		var old state.Quota
		old, _, err = engine.Get[state.Quota](t, state.Quotas, name)
		for _, s := range old.Sent {
			if !slices.ContainsFunc(quota.Sent, func(o state.QuotaSend) bool { return o.Challenge == s.Challenge }) {
				quota.Sent = append(quota.Sent, s)
			}
		}
	}
	return quota, err
}

func tooManyCodes(wait time.Duration) error {
	wait = max(wait.Round(time.Second), time.Second)
	span := fmt.Sprintf("%d minutes", int(wait/time.Minute)+1)
	if wait > 2*time.Hour {
		span = fmt.Sprintf("%d hours", int((wait+time.Hour-time.Second)/time.Hour))
	}
	return &fault.Error{Kind: fault.RateLimited, Code: "USRAUT0018", RetryAfter: wait,
		Text: "Too many codes were requested. Wait " + span + ", or go to a vaccination centre."}
}

func untilNextHour(now time.Time) time.Duration {
	return now.Truncate(time.Hour).Add(time.Hour).Sub(now)
}

// The counters of wrong answers in an hour: guesses that could have been right,
// of the whole system, and every wrong answer of an origin.
const (
	wrongGlobal = "wrong-code"
	wrongOrigin = "wrong-origin"
)

// askWork returns a proof-of-work challenge when wrong answers of this hour, of
// the origin or else of the whole system, are over the budget and the request
// brings no solution (defence.md R03; per prefix before global, design.md 5).
func (t *txn) askWork(solution, origin string) (string, error) {
	all, err := t.Count(time.Hour, wrongGlobal, "", 0)
	if err != nil {
		return "", err
	}
	own, err := t.Count(time.Hour, wrongOrigin, origin, 0)
	if err != nil {
		return "", err
	}
	lim := t.k.cfg.Limits
	on := !ablate.Off(ablate.OTPGuessBudget)
	t.k.failing.Store(on && all >= lim.FailedGuesses)
	if !on || (all < lim.FailedGuesses && own < lim.FailedPrefix) {
		return "", nil
	}
	secret := hex.EncodeToString(t.k.keys.MAC(keyring.PurposeCode, []byte("work")))
	if done := workDone(solution, secret, t.k.now()); done != "" {
		_, spent, err := engine.Get[state.Counter](t, state.Replays, "work/"+done)
		if err != nil {
			return "", err
		}
		if !spent {
			return "", engine.Put(t, state.Replays, "work/"+done, state.Counter{N: 1}, t.k.now().Add(time.Hour).UnixMilli())
		}
	}
	expires := t.k.now().Add(10 * time.Minute)
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

// outcome of an answer to a code.
type outcome int

const (
	wrongCode outcome = iota
	unknownTxn
	rightCode
)

// ConfirmCode implements the vault's word. The try is counted and the code
// claimed in one transaction, so parallel answers get at most three tries and
// one success.
func (k *Keeper) ConfirmCode(ctx context.Context, r vault.CodeAnswer) (vault.Session, error) {
	if len(r.Digest) != 64 || len(r.Txn) != 36 {
		return vault.Session{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	var got outcome
	var mint func() (vault.Session, error)
	var isNew bool
	attempt := func(t *txn, ch state.Challenge, ok bool) (err error) {
		device, err := t.deviceOf(r.Device)
		if err != nil {
			return err
		}
		ok = ok && (ch.Device == "" || ch.Device == device || ablate.Off(ablate.OTPDevice))
		if got, err = t.judge(&ch, ok, r); err != nil || got == unknownTxn {
			return err
		}
		if got == wrongCode {
			return nil
		}
		mint, isNew, err = t.admit(ch, challengeKey(r.Txn), r.Origin)
		return err
	}
	var err error
	if ablate.Off(ablate.OTPAtomic) {
		err = k.confirmApart(ctx, r, attempt)
	} else {
		_, err = k.update(ctx, func(t *txn) error {
			t.Quiet = true // nobody is handed the receipt of a new household's entry
			ch, ok, err := engine.Get[state.Challenge](t, state.Challenges, challengeKey(r.Txn))
			if err != nil {
				return err
			}
			return attempt(t, ch, ok && ch.Partner == "") // a partner's code signs nobody else in
		})
	}
	return admitted(err, got, mint, isNew)
}

// admitted is the answer to a code, after the commit.
func admitted(err error, got outcome, mint func() (vault.Session, error), isNew bool) (vault.Session, error) {
	switch {
	case err != nil:
		return vault.Session{}, err
	case got == unknownTxn:
		return vault.Session{}, fault.New(fault.Unauthorized, "txn", "no such transaction")
	case got == wrongCode:
		return vault.Session{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	s, err := mint()
	s.NewAccount = isNew
	return s, err
}

// confirmApart reads the challenge in one transaction and judges in another:
// the race that OTPAtomic prevents. Only in builds that switch controls off.
func (k *Keeper) confirmApart(ctx context.Context, r vault.CodeAnswer, attempt func(*txn, state.Challenge, bool) error) error {
	var ch state.Challenge
	var ok bool
	if err := k.view(ctx, func(t *txn) (err error) {
		ch, ok, err = engine.Get[state.Challenge](t, state.Challenges, challengeKey(r.Txn))
		return err
	}); err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond)
	_, err := k.update(ctx, func(t *txn) error {
		if _, _, err := engine.Get[state.Challenge](t, state.Challenges, challengeKey(r.Txn)); err != nil {
			return err
		}
		return attempt(t, ch, ok)
	})
	return err
}

// judge counts the try and compares. It writes the challenge back unless the
// answer is right (admit does that).
func (t *txn) judge(ch *state.Challenge, ok bool, r vault.CodeAnswer) (outcome, error) {
	now := t.k.now().UnixMilli()
	if !ok {
		return unknownTxn, t.countWrong(r.Origin, false)
	}
	dead := ch.State != state.ChallengeOpen && !(ch.State == state.ChallengeUsed && ablate.Off(ablate.OTPSingleUse))
	if now >= ch.Expires && !ablate.Off(ablate.OTPExpiry) {
		dead = true
	}
	if ch.Tries >= codeTries && !ablate.Off(ablate.OTPTries) {
		dead = true
	}
	ch.Tries++
	right := !dead && hmac.Equal(ch.Code, t.k.codeMAC(r.Txn, r.Digest))
	if !right && ablate.Off(ablate.OTPBinding) {
		found, err := t.anyChallenge(r, ch)
		if err != nil || found {
			return rightCode, err
		}
	}
	if right {
		return rightCode, nil
	}
	if err := t.countWrong(r.Origin, !dead); err != nil {
		return wrongCode, err
	}
	if ch.Tries >= codeTries && !ablate.Off(ablate.OTPTries) && ch.State == state.ChallengeOpen {
		ch.State, ch.Code = state.ChallengeDead, nil
	}
	return wrongCode, engine.Put(t, state.Challenges, challengeKey(r.Txn), *ch, ch.Sent+quotaSpan.Milliseconds())
}

// countWrong counts a wrong answer for its origin and, when it was a guess that
// could have been right, for the whole system. Of one origin the system counts
// at most a share: what goes beyond is answered by asking work of that origin,
// so that no single network can have work asked of everybody.
func (t *txn) countWrong(origin string, guess bool) error {
	if _, err := t.Count(time.Hour, wrongOrigin, origin, 1); err != nil || !guess {
		return err
	}
	lim := t.k.cfg.Limits
	own, err := t.Count(time.Hour, "wrong-guess", origin, 1)
	if err != nil || own > max(lim.FailedPrefix, lim.FailedGuesses/5) {
		return err
	}
	n, err := t.Count(time.Hour, wrongGlobal, "", 1)
	if err == nil && (n == lim.FailedAlarm || n == lim.FailedGuesses) {
		t.k.log.Warn("alarm: many wrong one-time codes this hour", "alarm", "failed-guesses", "count", n)
	}
	return err
}

// anyChallenge matches a code against every open transaction, as a code that is
// not bound to its transaction would. Only in builds that switch controls off.
func (t *txn) anyChallenge(r vault.CodeAnswer, ch *state.Challenge) (bool, error) {
	rows, err := t.Tx.Scan(t.Ctx, state.Challenges, "", 1000)
	if err != nil {
		return false, err
	}
	for _, s := range rows {
		var other state.Challenge
		if json.Unmarshal(s.Content, &other) == nil && hmac.Equal(other.Code, t.k.codeMAC(r.Txn, r.Digest)) {
			// Re-seal under this transaction's key so that admit opens it.
			mobile, err := t.k.keys.Contact.Open(nil, nil, other.Mobile, t.k.keys.ContactAAD("challenge", s.Key))
			if err != nil {
				return false, nil //nolint:nilerr // only builds that switch controls off come here
			}
			key := challengeKey(r.Txn)
			ch.Index = other.Index
			ch.Mobile = t.k.keys.Contact.Seal(nil, nil, mobile, t.k.keys.ContactAAD("challenge", key))
			return true, nil
		}
	}
	return false, nil
}

// admit spends the challenge, gives its place in the quota back, finds or makes
// the household, and mints the session.
func (t *txn) admit(ch state.Challenge, key, origin string) (mint func() (vault.Session, error), isNew bool, err error) {
	mobile, err := t.k.keys.Contact.Open(nil, nil, ch.Mobile, t.k.keys.ContactAAD("challenge", key))
	if err != nil {
		return nil, false, state.Integrity(state.Challenges, "a challenge does not open")
	}
	last4, err := t.k.keys.Contact.Open(nil, nil, ch.Last4, t.k.keys.ContactAAD("challenge-last4", key))
	if err != nil {
		return nil, false, state.Integrity(state.Challenges, "a challenge does not open")
	}
	ch.State = state.ChallengeUsed
	if !ablate.Off(ablate.OTPSingleUse) {
		ch.Code, ch.Mobile, ch.Last4 = nil, nil, nil
	}
	if err := engine.Put(t, state.Challenges, key, ch, ch.Sent+quotaSpan.Milliseconds()); err != nil {
		return nil, false, err
	}
	if err := t.refundNumber(ch.Index, string(mobile), key); err != nil {
		return nil, false, err
	}
	house, isNew, v, err := t.householdOf(mobile, last4, ch, origin)
	if err != nil {
		return nil, false, err
	}
	if err := t.signInNotice(house, key, v.New); err != nil {
		return nil, false, err
	}
	row := state.Bearer{Household: house, Origin: origin, Way: ch.Device, Cooling: v.Cooling}
	mint, err = t.Mint(row, string(house), proof.ScopeHolder, proof.BearerLife)
	return mint, isNew, err
}

// refundNumber is refundQuota under every name that a number has or had when the
// code was sent.
func (t *txn) refundNumber(index, mobile, challenge string) error {
	names := append([]string{index, t.k.keys.BlindIndex(mobile)}, t.k.keys.OldIndexes(mobile)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := t.refundQuota(name, challenge); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) refundQuota(index, challenge string) error {
	quota, ok, err := engine.Get[state.Quota](t, state.Quotas, index)
	if err != nil || !ok {
		return err
	}
	kept := quota.Sent[:0]
	for _, s := range quota.Sent {
		if s.Challenge != challenge {
			kept = append(kept, s)
		}
	}
	return engine.Put(t, state.Quotas, index, state.Quota{Sent: kept}, t.k.now().Add(quotaSpan).UnixMilli())
}

// householdOf returns the household of a number, made on its first confirmed
// code, and what the code is worth on the way it came; messages come in the language that
// was asked for last. isNew is true while it has no members.
func (t *txn) householdOf(mobile, last4 []byte, ch state.Challenge, origin string) (house id.Household, isNew bool, v ways.Verdict, err error) {
	name, idx, ok, err := numbers.Find(t, t.k.keys, string(mobile))
	if err != nil {
		return "", false, v, err
	}
	now := t.k.now().UnixMilli()
	if ok {
		h, err := t.Household(idx.Household)
		if err != nil {
			return "", false, v, err
		}
		idle, err := t.idle(h, ch.Device)
		if err != nil {
			return "", false, v, err
		}
		if !idle {
			err = t.signedIn(idx.Household, h, ch, origin, &v)
			return idx.Household, len(activeMembers(h)) == 0, v, err
		}
		if err := t.detach(&idx, h); err != nil {
			return "", false, v, err
		}
	}
	idx.Household = id.Household(id.New())
	row := state.Household{Created: now, Language: ch.Speaks,
		Mobile: t.k.keys.Contact.Seal(nil, nil, mobile, t.k.keys.ContactAAD("mobile", string(idx.Household))),
		Last4:  t.k.keys.Contact.Seal(nil, nil, last4, t.k.keys.ContactAAD("last4", string(idx.Household)))}
	if v = ways.Judge(&row, ch.Device, now); ch.Device == "" {
		ways.Met(&row, t.k.netTag(idx.Household, origin))
	}
	if err := engine.Put(t, state.Households, string(idx.Household), row, 0); err != nil {
		return "", false, v, err
	}
	if err := engine.Put(t, state.MobileIndexes, name, idx, 0); err != nil {
		return "", false, v, err
	}
	t.Append(engine.Entry{Kind: "household", House: idx.Household, Role: "holder"})
	return idx.Household, true, v, nil
}

func activeMembers(h state.Household) []state.Member {
	var out []state.Member
	for _, m := range h.Members {
		if !hides(m) && (h.Only == "" || h.Only == m.Person) {
			out = append(out, m)
		}
	}
	return out
}

// giveBack returns the place of a code that was not sent to its number's budget.
func (k *Keeper) giveBack(ctx context.Context, index, challenge string) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer end()
	if _, err := k.update(ctx, func(t *txn) error { return t.refundQuota(index, challenge) }); err != nil {
		k.log.Warn("a code that was not sent stays counted", "kind", fault.KindOf(err))
	}
}
