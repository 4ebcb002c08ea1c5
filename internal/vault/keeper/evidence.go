package keeper

import (
	"crypto/hmac"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// The kinds of evidence that a person is at a centre.
const (
	evidenceCode = "security code"
	evidenceCard = "card"
	evidenceOTP  = "one-time code"
)

// evidence is what a person showed, and was found right. Ref names it on the
// ledger; booking is the place of the booking whose code it was, or -1.
type evidence struct {
	kind    string
	ref     string
	booking int
}

// personEvidence checks what a person showed a staff member of a centre, inside
// the transaction that acts on it: the security code of a live booking in a
// session open there today (for the product, when they have several; "" any),
// their live card, or a one-time code that this staff member asked for. A wrong
// security code or one-time code is a try and is counted: in p for a code,
// which the caller puts also when it refuses. Wrong evidence is ok false and no
// error.
func (t *txn) personEvidence(staff id.Staff, centre id.Centre, product string, person id.Person, p *state.Person, ev vault.Evidence) (got evidence, ok bool, err error) {
	got.booking = -1
	if p.State != state.Pending && p.State != state.Active {
		return got, false, nil
	}
	switch {
	case ev.Code != "":
		i, session, err := t.openBooking(*p, centre, product)
		if err != nil || i < 0 {
			return got, false, err
		}
		i, ok = t.rightCodeFor(person, p, session, ev.Code)
		if ok {
			got = evidence{kind: evidenceCode, ref: string(p.Bookings[i].Hold), booking: i}
		}
		return got, ok, nil
	case ev.Card != "":
		got.kind = evidenceCard
		got.ref, ok, err = t.cardShown(person, *p, ev.Card)
		return got, ok, err
	case ev.Txn != "":
		got.kind, got.ref = evidenceOTP, codes.Key(ev.Txn)
		ok, err = t.codeShown(staff, person, ev)
		return got, ok, err
	}
	return got, false, nil
}

// cardShown reports whether a card's text is the person's live card. The first
// time it is shown is an entry: from then on the card is in its person's hands.
func (t *txn) cardShown(person id.Person, p state.Person, text string) (ref string, ok bool, err error) {
	secret, err := vault.ParseCard(text)
	if err != nil {
		return "", false, nil //nolint:nilerr // a card that was misread is no evidence
	}
	key := t.k.cardKey(secret)
	card, found, err := engine.Get[state.Card](t, state.Cards, key)
	if err != nil || !found {
		return "", false, err
	}
	if card.State != state.CardLive || card.Person != person || p.Card != key {
		return "", false, nil
	}
	if !card.Used {
		card.Used = true
		t.Append(engine.Entry{Kind: "card", Person: person, House: p.Household, View: "shown for the first time", Role: "system", Evidence: key})
		if err := engine.Put(t, state.Cards, key, card, 0); err != nil {
			return "", false, err
		}
	}
	return key, true, nil
}

// cardKey names a card's row: a keyed MAC of its secret.
func (k *Keeper) cardKey(s vault.CardSecret) string {
	return hex.EncodeToString(k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("card"), s[:])[:16])
}

// codeShown reports whether the answer is to a code that this staff member
// asked to be sent for this person. It is good once and has three tries.
func (t *txn) codeShown(staff id.Staff, person id.Person, ev vault.Evidence) (bool, error) {
	key := codes.Key(ev.Txn)
	ch, ok, err := engine.Get[state.Challenge](t, state.Challenges, key)
	if err != nil || !ok || ch.Person == "" {
		return false, err
	}
	now := t.k.now().UnixMilli()
	dead := ch.State != state.ChallengeOpen || now >= ch.Expires || ch.Tries >= codes.Tries || ch.Staff != staff || ch.Person != person
	right := !dead && hmac.Equal(ch.Code, t.k.codes.MAC(evidencePrefix+ev.Txn, ev.Digest))
	ch.Tries++
	switch {
	case right:
		ch.State, ch.Code = state.ChallengeUsed, nil
	case ch.Tries >= codes.Tries:
		ch.State, ch.Code = state.ChallengeDead, nil
	}
	if right {
		if err := t.k.codes.RefundNamed(t.Engine(), ch.Index, key); err != nil {
			return false, err
		}
	}
	return right, engine.Put(t, state.Challenges, key, ch, ch.Sent+codes.Kept.Milliseconds())
}

// evidencePrefix separates codes for staff from those that sign a holder in:
// neither can be given for the other.
const evidencePrefix = "staff/"

// staffAtWork checks a signed request of a member of staff, and finds the sessions
// that are open at their centre today and they are rostered to. What that allows is
// the policies' to say, by the facts. The proof is spent.
func (t *txn) staffAtWork(s vault.Signed) (staff id.Staff, row state.Staff, sessions []state.OpenSession, facts policy.Facts, err error) {
	if staff, row, err = t.Proven(s); err != nil {
		return "", row, nil, facts, err
	}
	open, err := t.openToday(row.Centre)
	if err == nil {
		sessions, err = t.k.office.Rostered(t, staff, row, open)
	}
	return staff, row, sessions, permits.AtWork(open, sessions), err
}

// notAtWork is why somebody may not do what they ask at their centre now; text is for
// whoever never may.
func notAtWork(permit policy.Permit, text string) error {
	switch permit.Missing() {
	case policy.MissingSession:
		return noOpenSession()
	case policy.MissingRoster:
		return staffing.NotRostered()
	default:
		return permits.Refused(text)
	}
}

// refusedBy names the policies that let somebody at work do what they do, and those by
// which it opens nobody who showed nothing that is right.
func (t *txn) refusedBy(act policy.Permit, row state.Staff, c id.Centre, view string) string {
	bare := t.k.permits.Opens(row, c, view, policy.Facts{Open: true, Rostered: true, Evidence: policy.NoEvidence})
	return strings.TrimSpace(act.Policies() + " " + bare.Policies())
}

// onRoster reports whether a member of staff is on a centre's roster of the day it is
// there now. A machine's key costs nothing.
func (t *txn) onRoster(staff id.Staff, row state.Staff, c id.Centre) (bool, error) {
	day := t.k.today(signin.HomeZone)
	if row.Session != "" {
		open, err := t.openToday(c)
		if err != nil {
			return false, err
		}
		if len(open) > 0 {
			day = open[0].Day
		}
	}
	return t.k.office.RosteredOn(t, staff, row, c, day)
}

// openToday returns the sessions that are open at a centre today, in its zone.
func (t *txn) openToday(c id.Centre) ([]state.OpenSession, error) {
	var out []state.OpenSession
	utc := t.k.today("UTC")
	for _, off := range []int{-1, 0, 1} { // today somewhere on Earth
		day := utc.AddDays(off)
		row, ok, err := engine.Get[state.OpenDay](t, state.OpenDays, openDayKey(c, day))
		if err != nil {
			return nil, err
		}
		if !ok || row.Day != day || t.k.today(row.Zone) != day {
			continue
		}
		for _, sid := range row.Sessions {
			s, ok, err := engine.Get[state.OpenSession](t, state.OpenSessions, state.OpenSessionKey(c, sid, day))
			if err != nil {
				return nil, err
			}
			if ok && s.Centre == c && s.Day == t.k.today(s.Zone) {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

func (t *txn) noteOpenDay(s state.OpenSession) error {
	key := openDayKey(s.Centre, s.Day)
	row, _, err := engine.Get[state.OpenDay](t, state.OpenDays, key)
	if err != nil || slices.Contains(row.Sessions, s.Session) || len(row.Sessions) >= maxOpenDay {
		return err
	}
	row.Day, row.Zone = s.Day, s.Zone
	row.Sessions = append(row.Sessions, s.Session)
	return engine.Put(t, state.OpenDays, key, row, t.k.now().Add(openDayLife).UnixMilli())
}

// How long the list of a day's sessions is kept, and how many it names.
const (
	openDayLife = 72 * time.Hour
	maxOpenDay  = 100
)

func openDayKey(c id.Centre, day civil.Date) string { return itoa(int64(c)) + "/" + day.String() }

// codeOf is the code a dose is recorded with: the one that was brought, or the
// booking's own when the person showed their card or a one-time code instead.
func (t *txn) codeOf(staff id.Staff, person id.Person, p *state.Person, booking int, f parsedDose) (string, error) {
	if f.shown == (vault.Evidence{}) || f.code != "" {
		return f.code, nil
	}
	b := p.Bookings[booking]
	if _, ok, err := t.personEvidence(staff, b.Offer.Centre, "", person, p, f.shown); err != nil || !ok {
		return "", err
	}
	return t.k.securityCode(person, b), nil
}
