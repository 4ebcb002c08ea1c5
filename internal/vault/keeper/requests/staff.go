package requests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// listPage is how many places are read for one page of the list.
const listPage = 200

// Answer is the signed body of who answers a request.
type Answer struct {
	Tracking   string `json:"tracking_number"`
	Outcome    string `json:"outcome"`
	Reason     string `json:"reason"`
	Correction string `json:"correction_id"`
}

// ParseAnswer reads it, and with decide unset the shorter body of who reads a request;
// fault.Invalid.
func ParseAnswer(raw []byte, decide bool) (f Answer, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if len(raw) > 4096 || dec.Decode(&f) != nil || dec.More() {
		return f, fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	if f.Tracking, err = ParseTracking(f.Tracking); err != nil {
		return f, err
	}
	if !decide {
		if f.Outcome != "" || f.Reason != "" || f.Correction != "" {
			err = fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
		}
		return f, err
	}
	if f.Outcome != vault.RequestGranted && f.Outcome != vault.RequestRefused {
		return f, fault.New(fault.Invalid, "USRRES0001", "outcome is granted or refused")
	}
	if f.Correction != "" && !id.Valid(f.Correction) {
		return f, fault.New(fault.Invalid, "USRRES0001", "correction_id is not an id of a correction")
	}
	f.Reason, err = Words(f.Reason, "reason")
	return f, err
}

// at checks that a signed request is for that address, and returns its query.
func at(s vault.Signed, route string) (url.Values, error) {
	u, err := url.Parse(s.URL)
	if err != nil || !strings.HasSuffix(u.Path, route) {
		return nil, proof.Bad("the proof is for another request")
	}
	return u.Query(), nil
}

// own is the place of who asks: of their grant, or of their machine's centre.
func (t *txn) own(row state.Staff) (access.Scope, error) {
	if row.Session != "" {
		return row.Grant.Scope, nil
	}
	return t.d.cfg.Office.CentrePlace(t.Txn.Txn.Txn, row.Centre)
}

// Waiting implements the vault's word: what waits within the asker's place for somebody
// like them. It names nobody, and is an entry.
func (d *Desk) Waiting(ctx context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error) {
	q, err := at(r.Signed, vault.RouteRequests)
	if err != nil || len(r.Signed.Body) > 0 {
		return vault.StaffRequests{}, firstErr(err, proof.Bad("the proof is for another request"))
	}
	after := q.Get("after")
	if after != "" && !strings.HasPrefix(after, "at/") {
		return vault.StaffRequests{}, fault.New(fault.Invalid, "USRRES0001", "after is what the page before said")
	}
	var out vault.StaffRequests
	receipts, err := d.update(ctx, func(t *txn) error {
		out = vault.StaffRequests{Rows: []vault.StaffRequest{}}
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		place, err := t.own(row)
		if err != nil {
			return err
		}
		permit := d.cfg.Permits.MayAt(row, policy.Requests, place, policy.Facts{})
		if !permit.Allowed() {
			return permits.Refused("the manager of the centre, the district's administrator and the privacy officer of the place answer requests")
		}
		if err := t.waiting(row, place, after, &out); err != nil {
			return err
		}
		t.Append(engine.Entry{Kind: "list", View: "requests that wait", Role: row.Role, Actor: string(staff), Reason: strconv.Itoa(len(out.Rows)) + " rows", Policy: permit.Policies()})
		return nil
	})
	out.Receipts = receipts
	return out, err
}

// waiting reads the lists of the places that a place covers. A page ends within a list or
// with it: after is the list's name, then "#" and the last tracking number that was looked at
// where more of that list is to come.
func (t *txn) waiting(row state.Staff, place access.Scope, after string, out *vault.StaffRequests) error {
	key, last, within := strings.Cut(after, "#")
	if place.Level() == access.LevelCentre { // also where nobody knew in which district it lies
		keys := []string{placeKey(place.State(), place.District(), place.Centre()), placeKey(0, 0, place.Centre())}
		if place.State() == 0 {
			keys = keys[:1]
		}
		i := slices.Index(keys, key)
		if i < 0 {
			i, last = 0, ""
		} else if !within {
			i++
		}
		for ; i < len(keys); i++ {
			if full, err := t.listed(row, keys[i], last, out); err != nil || full {
				return err
			}
			last = ""
			if len(out.Rows) >= listMost && i+1 < len(keys) {
				out.After = keys[i]
				return nil
			}
		}
		return nil
	}
	prefix := "at/"
	if place.Level() >= access.LevelState {
		prefix += fmt.Sprintf("%06d/", place.State())
	}
	if place.Level() == access.LevelDistrict {
		prefix += fmt.Sprintf("%06d/", place.District())
	}
	if within && strings.HasPrefix(key, prefix) {
		if full, err := t.listed(row, key, last, out); err != nil || full {
			return err
		}
	}
	rows, err := t.Tx.Scan(t.Ctx, state.Requests, max(key, prefix), listPage)
	if err != nil {
		return err
	}
	for i, s := range rows {
		if !strings.HasPrefix(s.Key, prefix) {
			return nil
		}
		if full, err := t.listed(row, s.Key, "", out); err != nil || full {
			return err
		}
		if len(out.Rows) >= listMost || i == listPage-1 {
			out.After = s.Key
			return nil
		}
	}
	return nil
}

// listed adds what waits at one place, from the one after last on, and says where to go on
// when the page is full. When last was answered meanwhile the list begins anew.
func (t *txn) listed(row state.Staff, key, last string, out *vault.StaffRequests) (full bool, err error) {
	list, _, err := t.get(key)
	if err != nil {
		return false, err
	}
	from := slices.Index(list.Open, last) + 1
	for i := from; i < len(list.Open); i++ {
		if i > from && len(out.Rows) >= listMost {
			out.After = key + "#" + list.Open[i-1]
			return true, nil
		}
		r, err := t.request(list.Open[i])
		if err != nil {
			return false, err
		}
		// That it is their own act shows when they read it.
		if t.d.cfg.Permits.MayAt(row, subject(r.Kind), placeOf(r), policy.Facts{Other: true}).Allowed() {
			out.Rows = append(out.Rows, t.row(list.Open[i], r))
		}
	}
	return false, nil
}

func (t *txn) row(tracking string, r state.Request) vault.StaffRequest {
	return vault.StaffRequest{Tracking: Shown(tracking), Kind: r.Kind, State: r.State, Outcome: r.Outcome, Centre: r.Centre, At: r.At, Due: r.Due, Taken: r.Taken, TakenBy: r.TakenBy,
		Overdue: open(r) && t.d.cfg.Now().UnixMilli() >= r.Due}
}

// answers reads a request that the signer may answer.
func (t *txn) answers(staff id.Staff, row state.Staff, tracking string) (state.Request, policy.Permit, error) {
	r, err := t.request(tracking)
	if err != nil {
		return r, policy.Permit{}, err
	}
	other := true
	if r.Actor != "" && !ablate.Off(ablate.RequestOther) {
		same, err := t.d.cfg.Others.SamePerson(t.Txn, r.Actor, staff)
		if err != nil {
			return r, policy.Permit{}, err
		}
		other = !same
	}
	permit := t.d.cfg.Permits.MayAt(row, subject(r.Kind), placeOf(r), policy.Facts{Other: other})
	switch {
	case permit.Allowed():
		return r, permit, nil
	case permit.Missing() == policy.MissingOther:
		return r, permit, fault.New(fault.Forbidden, "own", "somebody else answers what is about you")
	case permit.Missing() == policy.MissingPlace:
		return r, permit, unknown()
	}
	return r, permit, permits.Refused("the manager of the centre, the district's administrator and the privacy officer of the place answer requests")
}

// readAfter is how long a request that has ended can be read by those who answer such.
const readAfter = 30 * 24 * time.Hour

// Read implements the vault's word: what one request says and what its answer takes. The
// person sees who read it; whoever reads it first has it in hand.
func (d *Desk) Read(ctx context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error) {
	if _, err := at(r.Signed, vault.RouteRequestRead); err != nil {
		return vault.StaffRequests{}, err
	}
	f, err := ParseAnswer(r.Signed.Body, false)
	if err != nil {
		return vault.StaffRequests{}, err
	}
	var out vault.StaffRequests
	var row state.Request
	viewID := release.NewViewID()
	receipts, err := d.update(ctx, func(t *txn) error {
		out = vault.StaffRequests{ViewRef: d.cfg.Release.ViewRef(viewID)}
		staff, who, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		var permit policy.Permit
		if row, permit, err = t.answers(staff, who, f.Tracking); err != nil {
			return err
		}
		if row.Done > 0 && d.cfg.Now().Sub(time.UnixMilli(row.Done)) > readAfter {
			return unknown() // its words are for who answers it; a number that was kept opens them no more
		}
		if row.State == vault.RequestReceived {
			row.State, row.Taken, row.TakenBy = vault.RequestInHand, d.cfg.Now().UnixMilli(), staff
			if err := t.put(f.Tracking, row); err != nil {
				return err
			}
		}
		e, err := t.about(engine.Entry{Kind: "opening", View: "a request of theirs", Role: who.Role, Actor: string(staff), Reason: row.Kind, Evidence: f.Tracking, ViewID: viewID,
			Policy: permit.Policies()}, row.Person)
		t.Append(e)
		return err
	})
	if err != nil {
		return vault.StaffRequests{}, err
	}
	out.Receipts = receipts
	err = d.eng.View(ctx, func(et *engine.Txn) error { // what is sealed opens when its entry is durable
		v, err := d.in(et).read(f.Tracking, row)
		out.Rows = []vault.StaffRequest{v}
		return err
	})
	return out, err
}

// read is a request with what its answer takes, and no more.
func (t *txn) read(tracking string, r state.Request) (vault.StaffRequest, error) {
	v := t.row(tracking, r)
	v.Actor = r.Actor
	if err := t.unseal("details", tracking, r.Details, &v.Detail); err != nil {
		return v, err
	}
	if r.Person != "" && record(r.Kind) { // a correction names both
		p, err := t.Person(r.Person)
		if err != nil {
			return v, err
		}
		v.Reference, v.Event = p.Reference, r.Event
	}
	if r.Entry > 0 {
		e, err := t.entry(r.Entry - 1)
		if err != nil {
			return v, err
		}
		v.Opened = &vault.Opening{Index: e.Index, At: e.At, Kind: e.Kind, View: e.View, Role: e.Role, Place: e.Place, Reason: e.Reason}
	}
	return v, nil
}

// Decide implements the vault's word: a request is answered, in words. What is granted
// about a record names the correction that two people carried out.
func (d *Desk) Decide(ctx context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error) {
	if _, err := at(r.Signed, vault.RouteRequestDecide); err != nil {
		return vault.StaffRequests{}, err
	}
	f, err := ParseAnswer(r.Signed.Body, true)
	if err != nil {
		return vault.StaffRequests{}, err
	}
	var out vault.StaffRequests
	receipts, err := d.update(ctx, func(t *txn) error {
		out = vault.StaffRequests{}
		staff, who, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		row, permit, err := t.answers(staff, who, f.Tracking)
		if err != nil {
			return err
		}
		if !open(row) {
			return fault.New(fault.Conflict, "decided", "this request was answered already")
		}
		if err := t.carriedOut(row, f); err != nil {
			return err
		}
		if row.Answer, err = t.seal("answer", f.Tracking, f.Reason); err != nil {
			return err
		}
		row.State, row.Outcome, row.Change, row.Done, row.DoneBy = vault.RequestDecided, f.Outcome, f.Correction, d.cfg.Now().UnixMilli(), staff
		e, err := t.about(engine.Entry{Kind: "request", View: "answered: " + f.Outcome, Role: who.Role, Actor: string(staff), Reason: row.Kind, Evidence: f.Tracking, Policy: permit.Policies()}, row.Person)
		if err != nil {
			return err
		}
		t.Append(e)
		out.Rows = []vault.StaffRequest{t.row(f.Tracking, row)}
		return firstErr(t.closed(f.Tracking, row), t.put(f.Tracking, row), t.tell(f.Tracking, row))
	})
	out.Receipts = receipts
	return out, err
}

// AskedAt reports whether somebody asks for their details to be corrected at a centre.
func (d *Desk) AskedAt(on *release.Txn, person id.Person, centre id.Centre) (bool, error) {
	t := &txn{on, d}
	list, _, err := t.get(whoKey(person))
	if err != nil {
		return false, err
	}
	for _, tracking := range list.Open {
		r, ok, err := t.get(tracking)
		if err != nil {
			return false, err
		}
		if ok && r.Kind == vault.RequestDetails && r.Centre == centre && open(r) {
			return true, nil
		}
	}
	return false, nil
}

// carriedOut holds a grant about a record against the correction that it names.
func (t *txn) carriedOut(r state.Request, f Answer) error {
	wants := record(r.Kind) && f.Outcome == vault.RequestGranted
	switch {
	case !wants && f.Correction != "":
		return fault.New(fault.Invalid, "USRRES0001", "correction_id belongs to a correction that was granted")
	case !wants:
		return nil
	case f.Correction == "":
		return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: correction_id (of the correction that two of you carried out)")
	}
	person, event, kind, err := t.d.cfg.Others.Corrected(t.Txn, f.Correction)
	if err != nil {
		return err
	}
	want := map[string]string{vault.RequestRevoke: "revoke", vault.RequestDose: "correct", vault.RequestDetails: "details"}[r.Kind]
	if person != r.Person || event != r.Event || kind != want {
		return fault.New(fault.Conflict, "correction", "that correction is not what this request asks for")
	}
	return nil
}

// tell writes the message that there is an answer, to the household that asked, or whom
// it is about now.
func (t *txn) tell(tracking string, r state.Request) error {
	house := r.House
	if r.Apart == "" && r.Person != "" {
		p, err := t.Person(r.Person)
		if err != nil {
			return err
		}
		house = p.Household
	}
	return t.d.cfg.Others.Tell(t.Txn, state.Notice{ID: "request/" + tracking, Household: house, Kind: state.NoticeAnswered, Request: Shown(tracking)})
}
