package presence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// Ask is the signed body of a request: whom, in one of three ways, and why.
type Ask struct {
	Nonce     string `json:"nonce"`
	Reference string `json:"beneficiary_reference_id"`
	Card      string `json:"card"`
	Row       string `json:"row_id"`
	Reason    string `json:"reason"`
}

// Approval is the signed body of the second member of staff: which request, and what it
// said when they read it.
type Approval struct {
	Nonce   string `json:"nonce"`
	Request string `json:"request_id"`
	About   string `json:"about"`
	Reason  string `json:"reason"`
}

// maxBody is more than the longest honest body.
const maxBody = 4096

// Read reads a body whose fields are all known; fault.Invalid.
func Read(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if len(raw) > maxBody || dec.Decode(into) != nil || dec.More() {
		return fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	return nil
}

// ParseAsk reads the body of a request; fault.Invalid where it does not name exactly one
// person in one way, or gives no reason.
func ParseAsk(raw []byte) (f Ask, ref id.Reference, err error) {
	if err := Read(raw, &f); err != nil {
		return f, "", err
	}
	ways := 0
	for _, text := range []string{f.Reference, f.Card, f.Row} {
		if text != "" {
			ways++
		}
	}
	if ways != 1 || len(f.Row) > 200 {
		return f, "", fault.New(fault.Invalid, "USRRES0001", "one of beneficiary_reference_id, card and row_id says whom it is about")
	}
	if f.Card != "" {
		_, err = vault.ParseCard(f.Card)
	}
	if f.Reference != "" {
		ref, err = id.ParseReference(f.Reference)
	}
	if err == nil {
		f.Reason, err = ReasonText(f.Reason)
	}
	return f, ref, err
}

// ParseApproval reads the second member's body; fault.Invalid.
func ParseApproval(raw []byte) (f Approval, err error) {
	if err := Read(raw, &f); err != nil {
		return f, err
	}
	if f.About == "" || len(f.About) > 100 {
		return f, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: about")
	}
	f.Reason, err = ReasonText(f.Reason)
	return f, err
}

// Propose implements the vault's word: one member of staff asks. Whether there is such a
// person is not told.
func (d *Desk) Propose(ctx context.Context, r vault.GlassRequest) (vault.Glass, error) {
	f, ref, err := ParseAsk(r.Signed.Body)
	if err != nil {
		return vault.Glass{}, err
	}
	var out vault.Glass
	var refused error
	receipts, err := d.Update(ctx, func(t *Txn) (err error) {
		out, refused = vault.Glass{ID: id.NewOrdered(), Reason: f.Reason}, nil
		w, err := t.AtWork(r.Signed, policy.GlassPropose)
		if err != nil {
			return err
		}
		if refused, err = t.Asking(w, r.Signed); err != nil || refused != nil {
			return err
		}
		if err := t.MayAsk(w); err != nil {
			return err
		}
		person, p, err := t.Named(w, f, ref, r.Person)
		if err != nil {
			return err
		}
		left, err := budgets.GlassLeft(t, t.Place(w))
		if err != nil {
			return err
		}
		if left == 0 {
			refused, err = t.Exhausted(w, state.PresenceGlass, person, f.Reason)
			return err
		}
		out.About = aboutOf(f, ref, p)
		now := d.cfg.Now()
		out.Expires = now.Add(glassWait).UnixMilli()
		e, err := t.About(w.Entry(state.PresenceGlass, "asked for", f.Reason, out.ID), person)
		if err != nil {
			return err
		}
		t.Append(e)
		if err := t.Waits(out.ID, w.Session.Centre); err != nil {
			return err
		}
		return t.Keep(out.ID, state.Presence{Kind: state.PresenceGlass, State: state.PresenceWaiting, Centre: w.Session.Centre, Place: w.Session.Name, Day: w.Session.Day,
			Zone: w.Session.Zone, By: w.Staff, Session: w.Row.Session, Person: person, About: t.Seal("about", out.ID, out.About), Reason: t.Seal("reason", out.ID, f.Reason),
			At: now.UnixMilli(), Expires: out.Expires})
	})
	if err = firstErr(err, refused); err != nil {
		return vault.Glass{}, err
	}
	out.Receipts = receipts
	return out, nil
}

// MayAsk bounds a member's day: requests, and wrong codes and numbers.
func (t *Txn) MayAsk(w Worker) error {
	wrong, until, err := t.d.cfg.Centre.Counted(t.Txn, "staff-wrong", w.Staff, 0)
	if err != nil {
		return err
	}
	n, _, err := t.d.cfg.Centre.Counted(t.Txn, "staff-glass", w.Staff, 1)
	if err != nil {
		return err
	}
	if int(wrong) >= t.d.cfg.Wrong || n > glassAsks {
		return &fault.Error{Kind: fault.RateLimited, Code: "codes", Text: "too many wrong codes and numbers, or requests, of yours today; a colleague has to go on",
			RetryAfter: until.Sub(t.d.cfg.Now())}
	}
	return nil
}

// Named is who a request is about; "" when that is nobody.
func (t *Txn) Named(w Worker, f Ask, ref id.Reference, found id.Person) (id.Person, state.Person, error) {
	person := found
	if f.Reference == "" {
		var err error
		if person, err = t.d.cfg.Centre.Named(t.Txn, w.Staff, w.All, f.Card, f.Row); err != nil {
			return "", state.Person{}, err
		}
	}
	if person == "" {
		return "", state.Person{}, nil
	}
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(person))
	if err != nil {
		return "", p, err
	}
	if !ok || (p.State != state.Active && p.State != state.Pending) || (f.Reference != "" && p.Reference != ref) {
		return "", state.Person{}, nil
	}
	return person, p, nil
}

// aboutOf is how the second member of staff reads whom it is about: a number in full
// where the first one typed it, else its last digits.
func aboutOf(f Ask, ref id.Reference, p state.Person) string {
	end := func(n int) string { return string(p.Reference)[max(0, len(p.Reference)-n):] }
	switch {
	case f.Reference != "":
		return "reference " + string(ref)
	case f.Card != "":
		return "card " + end(4)
	default:
		return "row " + end(2)
	}
}

// Approve implements the vault's word: another human, at their own device or at the same
// screen, agrees to what was asked, word for word.
func (d *Desk) Approve(ctx context.Context, r vault.GlassAct) (vault.Glass, error) {
	f, err := ParseApproval(r.Signed.Body)
	if err != nil {
		return vault.Glass{}, err
	}
	var out vault.Glass
	var refused error
	receipts, err := d.Update(ctx, func(t *Txn) (err error) {
		out, refused = vault.Glass{ID: f.Request, About: f.About, Reason: f.Reason}, nil
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		touch, no, err := d.cfg.Office.Touched(t.Txn.Txn.Txn, staff, row, r.Signed)
		if refused = no; err != nil || refused != nil {
			return err
		}
		p, err := t.Request(state.PresenceGlass, f.Request, state.PresenceWaiting)
		if err != nil {
			return err
		}
		w, err := t.Second(touch, p, policy.GlassApprove)
		if err != nil {
			return err
		}
		about, reason, err := t.Said(f.Request, p)
		if err != nil {
			return err
		}
		if left, err := budgets.GlassLeft(t, t.Place(w)); err != nil || left == 0 {
			if err == nil {
				refused, err = t.Exhausted(w, state.PresenceGlass, p.Person, reason)
			}
			return err
		}
		if (about != f.About || reason != f.Reason) && !ablate.Off(ablate.GlassWords) {
			e, err := t.About(w.Entry("refusal", View, "break-glass: another request than the one that was read", f.Request), p.Person)
			t.Append(e)
			refused = fault.New(fault.Forbidden, "another", "this request says something else than what you approved; read it again")
			return firstErr(err, budgets.Note(t, t.Place(w), "bait"))
		}
		now := d.cfg.Now()
		p.State, p.Second, p.Agreed, p.Expires = state.PresenceApproved, touch.Staff, now.UnixMilli(), now.Add(glassWait).UnixMilli()
		out.Expires = p.Expires
		e, err := t.About(w.Entry(state.PresenceGlass, "approved by a second member of staff", reason, f.Request), p.Person)
		t.Append(e)
		return firstErr(err, t.Keep(f.Request, p))
	})
	if err = firstErr(err, refused); err != nil {
		return vault.Glass{}, err
	}
	out.Receipts = receipts
	return out, nil
}

// Second is the other human behind a request, at work at its centre today; do is what they
// approve it by.
func (t *Txn) Second(touch staffing.Touch, p state.Presence, do policy.Action) (w Worker, err error) {
	by, ok, err := t.d.cfg.Office.StaffRow(t, p.By)
	switch {
	case err != nil:
		return w, err
	case !ok || !by.Active:
		return w, fault.New(fault.Conflict, "ended", "who asked for this no longer works here")
	}
	other := by.Human != touch.Human || ablate.Off(ablate.SecondPerson)
	text := "somebody who works at this centre today, as its manager, vaccinator or verifier, stands by it"
	err = permits.Refused(text)
	for _, g := range touch.Grants {
		if g.Scope.Centre() != p.Centre {
			continue
		}
		w = Worker{Staff: touch.Staff, Row: state.Staff{Role: string(g.Role), Centre: p.Centre, Human: touch.Human, Active: true, Session: p.Session, Grant: g}}
		all, facts, no := t.open(w.Staff, w.Row)
		if no != nil {
			return w, no
		}
		facts.Second = other
		w.Permit = t.d.cfg.Permits.May(w.Row, do, p.Centre, facts)
		if err = notAtWork(w.Permit, text); err == nil {
			w.All, w.Session = all, all[0]
			return w, nil
		}
	}
	return w, err
}

// parseOpen reads the body of who sees an approved request through.
func parseOpen(raw []byte) (string, error) {
	var f struct {
		Request string `json:"request_id"`
	}
	if err := Read(raw, &f); err != nil {
		return "", err
	}
	if f.Request == "" {
		return "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: request_id")
	}
	return f.Request, nil
}

// mine reads an approved request of the session that asks.
func (t *Txn) mine(name string, staff id.Staff, row state.Staff) (state.Presence, error) {
	p, err := t.Request(state.PresenceGlass, name, state.PresenceApproved)
	if err == nil && (p.By != staff || p.Session != row.Session) {
		err = gone()
	}
	return p, err
}

// Whom implements the vault's word. Nothing is written.
func (d *Desk) Whom(ctx context.Context, r vault.GlassAct) (vault.GlassWhom, error) {
	name, err := parseOpen(r.Signed.Body)
	if err != nil {
		return vault.GlassWhom{}, err
	}
	var out vault.GlassWhom
	err = d.eng.View(ctx, func(et *engine.Txn) error {
		t := d.In(et)
		t.ReadOnly()
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		p, err := t.mine(name, staff, row)
		out = vault.GlassWhom{Person: p.Person}
		return err
	})
	return out, err
}

// Open implements the vault's word: the view, once, to the session that asked.
func (d *Desk) Open(ctx context.Context, r vault.GlassOpenRequest) (vault.StaffView, error) {
	name, err := parseOpen(r.Signed.Body)
	if err != nil {
		return vault.StaffView{}, err
	}
	var refused error
	var centre id.Centre
	o, err := d.cfg.Release.Open(ctx, func(et *engine.Txn, o *release.Opening) error {
		t := d.In(et)
		w, err := t.AtWork(r.Signed, policy.GlassOpen)
		if err != nil {
			return err
		}
		centre = w.Session.Centre
		refused, err = t.breakGlass(o, w, name, r.Record)
		return err
	})
	if err = firstErr(err, refused); err != nil {
		return vault.StaffView{}, err
	}
	if len(o.People) != 1 {
		return vault.StaffView{}, nobody()
	}
	shown, err := d.cfg.Centre.Shown(o.People[0])
	if err != nil {
		return vault.StaffView{}, err
	}
	return vault.StaffView{Person: shown, Centre: centre, ViewRef: d.cfg.Release.ViewRef(o.ViewID), Receipts: o.Receipts}, nil
}

func nobody() error { return fault.New(fault.NotFound, "person", "no such person here") }

// breakGlass spends a request and one of the day's openings, tells the person, and
// releases the view. A refusal is returned apart from an error.
func (t *Txn) breakGlass(o *release.Opening, w Worker, name string, rec vault.Record) (refused, err error) {
	p, err := t.mine(name, w.Staff, w.Row)
	if err != nil {
		return nil, err
	}
	if p.Centre != w.Session.Centre {
		return nil, gone()
	}
	if second, ok, err := t.d.cfg.Office.StaffRow(t, p.Second); err != nil || !ok || !second.Active {
		return fault.New(fault.Conflict, "ended", "who approved this no longer works here"), err
	}
	_, reason, err := t.Said(name, p)
	if err != nil {
		return nil, err
	}
	now := t.d.cfg.Now().UnixMilli()
	p.State, p.Done = state.PresenceRefused, now
	if p.Person == "" {
		n, _, err := t.d.cfg.Centre.Counted(t.Txn, "staff-wrong", w.Staff, 1)
		if err == nil && int(n) == t.d.cfg.Wrong {
			err = budgets.Note(t, t.Place(w), "codes")
		}
		t.Append(w.Entry("refusal", View, "break-glass: the number is nobody's", name))
		return nobody(), firstErr(err, t.Keep(name, p))
	}
	if rec.Person != p.Person {
		return nil, fault.New(fault.Conflict, "record", "the record is not that of the request")
	}
	if refused, err := t.Spend(w, p.Second, state.PresenceGlass, p.Person, reason); err != nil || refused != nil {
		return refused, firstErr(err, t.Keep(name, p))
	}
	p.State = state.PresenceDone
	if err := t.Keep(name, p); err != nil {
		return nil, err
	}
	c := release.Claim{Kind: state.PresenceGlass, View: View, Role: w.Row.Role, Actor: string(w.Staff), Place: w.Session.Name, Reason: reason, Evidence: name,
		Permit: t.d.cfg.Permits.Opens(w.Row, w.Session.Centre, View, policy.Facts{Open: true, Rostered: true, Fresh: true, Second: true, Evidence: policy.EvidenceBreakGlass})}
	if err := t.Release(o, []id.Person{p.Person}, map[id.Person]vault.Record{p.Person: rec}, c); err != nil {
		return nil, err
	}
	return nil, t.tell(o, w)
}

// Spend takes one of the day's openings of both members of staff: two colleagues who
// agree open no more than one of them may.
func (t *Txn) Spend(w Worker, second id.Staff, kind string, person id.Person, reason string) (refused, err error) {
	both := []Worker{w}
	if other := w; second != w.Staff {
		other.Staff = second
		both = append(both, other)
	}
	for _, x := range both {
		left, err := budgets.GlassLeft(t, t.Place(x))
		if err != nil {
			return nil, err
		}
		if left == 0 {
			return t.Exhausted(x, kind, person, reason)
		}
	}
	for _, x := range both {
		v, err := budgets.Apply(t, t.Place(x), budget.Glass, budget.Tag{})
		if err == nil && v.Outcome != budget.Allow {
			err = fault.New(fault.Internal, "budget", "break-glass was counted twice")
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// tell writes the message that the glass was broken: it waits for nothing.
func (t *Txn) tell(o *release.Opening, w Worker) error {
	for _, p := range o.People {
		n := state.Notice{ID: "glass/" + o.ViewID, Household: p.Row.Household, Kind: state.PresenceGlass, Centre: w.Session.Centre, Place: w.Session.Name, Day: w.Session.Day, Zone: w.Session.Zone}
		if err := t.d.cfg.Centre.Tell(t.Txn, n); err != nil {
			return err
		}
	}
	return nil
}

func otherRequest() error { return proof.Bad("the proof is for another request") }

// Since is where ordered ids of a time begin.
func Since(at time.Time) string {
	ms := at.UnixMilli()
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}
