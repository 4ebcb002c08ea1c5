// Package relink is the part of the vault for a lost phone or a changed number (ADR 41):
// two members of staff who saw the person's document move one person, never a household, to
// a new number. Whose number it was is told at once and has three days to stop it. Nobody
// sees anything of the person by it; it ends when somebody who has the new number takes the
// person over.
package relink

import (
	"context"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// How long things of a re-link last (design.md 5, ADR 41).
const (
	askWait = 5 * time.Minute     // for the second member of staff
	Delay   = 72 * time.Hour      // in which the old number can stop it
	endWait = 7 * 24 * time.Hour  // in which the new number can take the person over
	again   = 48 * time.Hour      // when the old number is told a second time
	longest = 11 * 24 * time.Hour // more than all of them together
)

// The messages that it writes; their templates have the same names.
const (
	NoticeAsked   = "relink"
	NoticeStopped = "relink-stopped"
	NoticeMoved   = "relink-moved"
)

// House is what the vault knows besides, of households. Its methods act inside the
// transaction they are given; their errors are the store's.
type House interface {
	// Holder is the household of a session by mobile or card; early also of one that waits
	// on a new device. fault.Unauthorized, fault.Forbidden.
	Holder(on *release.Txn, h vault.Holder, early bool) (id.Household, state.Bearer, error)
	// Move brings one person from their household into another, whatever number they had,
	// and writes both rows and theirs. The session that asked sees from then on what the
	// person's card guards. fault.Conflict: there is no place, or the document is in use there.
	Move(on *release.Txn, h vault.Holder, to id.Household, person id.Person, p state.Person) (vault.Place, error)
	// Minor reports whether a person is certainly under 18 today.
	Minor(person id.Person, p state.Person) (bool, error)
	// Tell writes a message to a household, to be sent after a while; false when the
	// household was sent too many of its kind today.
	Tell(on *release.Txn, n state.Notice, after time.Duration) (bool, error)
	// Tried counts n wrong reference numbers of a household's and says for how long no
	// further one is taken, 0: it may go on.
	Tried(on *release.Txn, house id.Household, n int64) (time.Duration, error)
}

// Config is what the part needs.
type Config struct {
	Absent  *presence.Desk
	Keys    *keyring.Ring
	Office  *staffing.Office
	Permits permits.Asker
	Centre  presence.Centre
	House   House
	Now     func() time.Time
	Wrong   int  // how many wrong codes and numbers a member of staff has in a day
	Demo    bool // mobiles may begin with 0 to 5
}

// Desk is the part over one engine. It is safe for concurrent use.
type Desk struct {
	cfg Config
	eng *engine.Engine
}

// New makes the part.
func New(cfg Config, eng *engine.Engine) *Desk { return &Desk{cfg: cfg, eng: eng} }

// txn is one transaction of this part.
type txn struct {
	*presence.Txn
	d *Desk
}

func (d *Desk) update(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return d.cfg.Absent.Update(ctx, func(t *presence.Txn) error { return fn(&txn{t, d}) })
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Ask is the signed body of the first member of staff: whom, which document they saw, which
// number it is to be, and why.
type Ask struct {
	Nonce     string `json:"nonce"`
	Reference string `json:"beneficiary_reference_id"`
	Card      string `json:"card"`
	IDType    int    `json:"photo_id_type"`
	IDNumber  string `json:"photo_id_number"`
	Mobile    string `json:"mobile_number"`
	Reason    string `json:"reason"`
}

// asked is an Ask as it was understood: About is what the second member of staff reads.
type asked struct {
	whom   presence.Ask
	ref    id.Reference
	number string // of the document, canonical
	kind   int
	mobile string
	about  string
	reason string
}

// parse reads the body of a request; fault.Invalid where it does not name exactly one
// person, a document, a number and a reason.
func parse(raw []byte, demo bool) (out asked, err error) {
	var f Ask
	if err := presence.Read(raw, &f); err != nil {
		return out, err
	}
	if (f.Reference == "") == (f.Card == "") {
		return out, fault.New(fault.Invalid, "USRRES0001", "one of beneficiary_reference_id and card says whom it is about")
	}
	out.whom, out.kind = presence.Ask{Reference: f.Reference, Card: f.Card}, f.IDType
	var about string
	if f.Card != "" {
		card, err := vault.ParseCard(f.Card)
		if err != nil {
			return out, err
		}
		text := card.Text()
		about = "card ending " + text[len(text)-4:]
	} else {
		if out.ref, err = id.ParseReference(f.Reference); err != nil {
			return out, err
		}
		about = "reference " + string(out.ref)
	}
	if out.number, err = rules.ParseIDNumber(f.IDType, f.IDNumber); err != nil {
		return out, err
	}
	if out.mobile, err = rules.ParseMobile(f.Mobile, demo); err != nil {
		return out, err
	}
	if out.reason, err = presence.ReasonText(f.Reason); err != nil {
		return out, err
	}
	out.about = about + "; " + documentName(f.IDType) + " ending " + rules.Last4(out.number) + "; mobile " + out.mobile
	return out, nil
}

// ParseAsk is parse for whoever sends bytes: what the second member of staff would read.
func ParseAsk(raw []byte, demo bool) (about, reason string, err error) {
	out, err := parse(raw, demo)
	return out.about, out.reason, err
}

func documentName(kind int) string {
	for _, c := range rules.IDTypes() {
		if c.ID == kind {
			return c.Text
		}
	}
	return "document"
}

// Propose implements the vault's word: one member of staff asks. Whether there is such a
// person, and whose document that is, is not told.
func (d *Desk) Propose(ctx context.Context, r vault.GlassRequest) (vault.Glass, error) {
	f, err := parse(r.Signed.Body, d.cfg.Demo)
	if err != nil {
		return vault.Glass{}, err
	}
	tags, err := d.cfg.Keys.Tags(f.kind, f.number)
	if err != nil {
		return vault.Glass{}, err
	}
	var out vault.Glass
	var refused error
	receipts, err := d.update(ctx, func(t *txn) (err error) {
		out, refused = vault.Glass{ID: id.NewOrdered(), About: f.about, Reason: f.reason}, nil
		w, err := t.AtWork(r.Signed, policy.RelinkPropose)
		if err != nil {
			return err
		}
		if refused, err = t.Asking(w, r.Signed); err != nil || refused != nil {
			return err
		}
		if err := t.MayAsk(w); err != nil {
			return err
		}
		person, _, err := t.Named(w, f.whom, f.ref, r.Person)
		if err != nil {
			return err
		}
		if refused, err = t.hasLeft(w, w.Staff, person, f.reason); err != nil || refused != nil {
			return err
		}
		now := d.cfg.Now()
		out.Expires = now.Add(askWait).UnixMilli()
		e, err := t.About(w.Entry(state.PresenceRelink, "asked for", f.reason, out.ID), person)
		if err != nil {
			return err
		}
		t.Append(e)
		secret := state.Relink{Mobile: t.sealNumber(out.ID, f.mobile), Tags: append([]string{tags.Current}, tags.Old...)}
		if err := engine.Put(t, state.Relinks, out.ID, secret, out.Expires); err != nil {
			return err
		}
		if err := t.Waits(out.ID, w.Session.Centre); err != nil {
			return err
		}
		return t.Keep(out.ID, state.Presence{Kind: state.PresenceRelink, State: state.PresenceWaiting, Centre: w.Session.Centre, Place: w.Session.Name, Day: w.Session.Day,
			Zone: w.Session.Zone, By: w.Staff, Session: w.Row.Session, Person: person, About: t.Seal("about", out.ID, out.About), Reason: t.Seal("reason", out.ID, f.reason),
			At: now.UnixMilli(), Expires: out.Expires})
	})
	if err = firstErr(err, refused); err != nil {
		return vault.Glass{}, err
	}
	out.Receipts = receipts
	return out, nil
}

func (t *txn) sealNumber(name, mobile string) []byte {
	return t.d.cfg.Keys.Contact.Seal(nil, nil, []byte(mobile), t.d.cfg.Keys.ContactAAD("relink", name))
}

// number is the new number of a request.
func (t *txn) number(name string, r state.Relink) (string, error) {
	text, err := t.d.cfg.Keys.Contact.Open(nil, nil, r.Mobile, t.d.cfg.Keys.ContactAAD("relink", name))
	if err != nil {
		return "", state.Integrity(state.Relinks, "a number does not open")
	}
	return string(text), nil
}

// numberOf is a household's number; "" when it has none.
func (t *txn) numberOf(house id.Household) (string, error) {
	h, err := t.Household(house)
	if err != nil || len(h.Mobile) == 0 {
		return "", err
	}
	text, err := t.d.cfg.Keys.Contact.Open(nil, nil, h.Mobile, t.d.cfg.Keys.ContactAAD("mobile", string(house)))
	if err != nil {
		return "", state.Integrity(state.Households, "a number does not open")
	}
	return string(text), nil
}

// over ends a request: what was kept for it goes, and the person is free for another one.
func (t *txn) over(name string, p state.Presence, as string) error {
	p.State, p.Done = as, t.d.cfg.Now().UnixMilli()
	return firstErr(t.Tx.Delete(t.Ctx, state.Relinks, name), t.Keep(name, p))
}

// live is a person's request that two signed and that waits; "" for none.
func (t *txn) live(row state.Person) (string, state.Presence, error) {
	if row.Relink == "" {
		return "", state.Presence{}, nil
	}
	p, ok, err := engine.Get[state.Presence](t, state.Presences, row.Relink)
	if err != nil || !ok || p.State != state.PresencePending || t.d.cfg.Now().UnixMilli() >= p.Expires {
		return "", p, err
	}
	return row.Relink, p, nil
}

// stands reports whether both members of staff still work at the centre in a role that
// decides this.
func (t *txn) stands(p state.Presence) (bool, error) {
	if ablate.Off(ablate.RelinkStands) {
		return true, nil
	}
	for _, m := range []struct {
		who id.Staff
		do  policy.Action
	}{{p.By, policy.RelinkPropose}, {p.Second, policy.RelinkApprove}} {
		all, err := t.d.cfg.Office.Standing(t.Txn.Txn.Txn.Txn, string(m.who))
		if err != nil {
			return false, err
		}
		still := false
		for _, g := range all {
			row := state.Staff{Role: string(g.Grant.Role), Centre: p.Centre, Human: g.Human, Active: true, Session: p.Session, Grant: g.Grant}
			still = still || (g.Grant.Scope.Centre() == p.Centre &&
				t.d.cfg.Permits.May(row, m.do, p.Centre, policy.Facts{Open: true, Rostered: true, Second: true}).Allowed())
		}
		if !still {
			return false, nil
		}
	}
	return true, nil
}

// AfterGap is what a vault does that goes on from a copy behind its ledger: what waits may
// have been stopped in what was lost, so it lapses, and is asked for again.
func (d *Desk) AfterGap(et *engine.Txn) error {
	t := &txn{d.cfg.Absent.In(et), d}
	for after := presence.Since(d.cfg.Now().Add(-longest)); ; {
		rows, err := t.Tx.Scan(t.Ctx, state.Presences, after, pageOf)
		if err != nil {
			return err
		}
		for _, s := range rows {
			if after = s.Key; !id.Valid(s.Key) { // of the centres' lists, behind all requests
				return nil
			}
			p, _, err := engine.Get[state.Presence](t, state.Presences, s.Key)
			if err != nil {
				return err
			}
			if p.Kind != state.PresenceRelink || (p.State != state.PresencePending && p.State != state.PresenceWaiting) {
				continue
			}
			e, err := t.About(engine.Entry{Kind: state.PresenceRelink, View: "lapsed: after a restore", Role: permits.System, Place: p.Place, Evidence: s.Key}, p.Person)
			t.Append(e)
			if err := firstErr(err, t.over(s.Key, p, state.PresenceLapsed)); err != nil {
				return err
			}
		}
		if len(rows) < pageOf {
			return nil
		}
	}
}

const pageOf = 500 // rows read at once
