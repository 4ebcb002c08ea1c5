package presence

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/state"
)

// historyAge is how far back the list of what was done goes. The ledger has all.
const historyAge = 400 * 24 * time.Hour

// List implements the vault's word: what waits at the asker's centre for a second member
// of staff, or, for managers and privacy officers, what was done within their place. The
// latter names nobody. Each is an entry.
func (d *Desk) List(ctx context.Context, r vault.GlassAct) (vault.GlassList, error) {
	u, err := url.Parse(r.Signed.URL)
	if err != nil || len(r.Signed.Body) > 0 {
		return vault.GlassList{}, otherRequest()
	}
	after := u.Query().Get("after")
	if after != "" && !id.Valid(after) {
		return vault.GlassList{}, fault.New(fault.Invalid, "USRRES0001", "after is the id of the last entry of the page before")
	}
	var out vault.GlassList
	receipts, err := d.Update(ctx, func(t *Txn) (err error) {
		out = vault.GlassList{Rows: []vault.GlassRow{}}
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(u.Path, vault.RouteGlassWaiting):
			return t.waiting(staff, row, &out)
		case strings.HasSuffix(u.Path, vault.RouteGlass):
			return t.done(staff, row, after, &out)
		}
		return otherRequest()
	})
	out.Receipts = receipts
	return out, err
}

// waiting is what a second member of staff of the centre can approve, as it is asked.
func (t *Txn) waiting(staff id.Staff, row state.Staff, out *vault.GlassList) error {
	permit := t.d.cfg.Permits.May(row, policy.GlassWaiting, row.Centre, policy.Facts{})
	if !permit.Allowed() {
		return permits.Refused("only who works at the centre sees what waits there")
	}
	all, err := t.d.cfg.Centre.OpenToday(t.Txn, row.Centre)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		w := Worker{Staff: staff, Session: all[0]}
		if out.Left, err = budgets.GlassLeft(t, t.Place(w)); err != nil {
			return err
		}
	}
	now := t.d.cfg.Now()
	latest, err := t.latest(row.Centre)
	if err != nil {
		return err
	}
	for _, one := range latest {
		p, _, err := engine.Get[state.Presence](t, state.Presences, one.ID)
		if err != nil {
			return err
		}
		mine := p.By == staff
		live := p.State == state.PresenceWaiting || (mine && p.State == state.PresenceApproved)
		if p.Centre != row.Centre || !live || now.UnixMilli() >= p.Expires {
			continue
		}
		v := viewOf(one.ID, p, staff)
		if v.About, v.Reason, err = t.Said(one.ID, p); err != nil {
			return err
		}
		out.Rows = append(out.Rows, v)
	}
	t.Append(engine.Entry{Kind: "list", View: "break-glass that waits", Role: row.Role, Actor: string(staff), Reason: strconv.Itoa(len(out.Rows)) + " rows", Policy: permit.Policies()})
	return nil
}

// done is what was asked for and what became of it, within the asker's place.
func (t *Txn) done(staff id.Staff, row state.Staff, after string, out *vault.GlassList) error {
	now := t.d.cfg.Now()
	may := map[id.Centre]policy.Permit{}
	asks := func(c id.Centre) (policy.Permit, error) {
		if p, ok := may[c]; ok {
			return p, nil
		}
		at, err := t.d.cfg.Office.CentrePlace(t.Txn.Txn.Txn, c)
		may[c] = t.d.cfg.Permits.MayAt(row, policy.GlassList, at, policy.Facts{})
		return may[c], err
	}
	// Who may not see any list is told so, also where it is empty.
	place := row.Grant.Scope
	if row.Session == "" {
		place = access.AtCentre(0, 0, row.Centre)
	}
	own := t.d.cfg.Permits.MayAt(row, policy.GlassList, place, policy.Facts{})
	var err error
	if !own.Allowed() {
		return permits.Refused("the privacy officer of the place, or the manager of the centre, sees that")
	}
	out.After, err = t.each(max(after, Since(now.Add(-historyAge))), func(name string, p state.Presence) (bool, error) {
		permit, err := asks(p.Centre)
		if err != nil || !permit.Allowed() {
			return false, err
		}
		v := viewOf(name, p, staff)
		if _, v.Reason, err = t.Said(name, p); err != nil {
			return false, err
		}
		if v.Expires > 0 && now.UnixMilli() >= v.Expires && (v.State == state.PresenceWaiting || v.State == state.PresenceApproved || v.State == state.PresencePending) {
			v.State = "expired"
		}
		out.Rows = append(out.Rows, v)
		return len(out.Rows) >= listPage, nil
	})
	if err != nil {
		return err
	}
	t.Append(engine.Entry{Kind: "list", View: "break-glass", Role: row.Role, Actor: string(staff), Reason: strconv.Itoa(len(out.Rows)) + " rows", Policy: own.Policies()})
	return nil
}

// each calls fn for every request after an id, the oldest first, until it says that it has
// enough. next is the id to go on after, "" at the end: not only when there is enough, but
// also when many were looked at that are not the asker's, so that nobody's list is cut short
// by others' requests, and none takes the vault for long.
func (t *Txn) each(after string, fn func(name string, p state.Presence) (enough bool, err error)) (next string, err error) {
	for range lookMost / listPage {
		rows, err := t.Tx.Scan(t.Ctx, state.Presences, after, listPage)
		if err != nil {
			return "", err
		}
		for _, s := range rows {
			if !id.Valid(s.Key) { // of the centres' lists, behind all requests
				return "", nil
			}
			p, _, err := engine.Get[state.Presence](t, state.Presences, s.Key)
			if err != nil {
				return "", err
			}
			after = s.Key
			if enough, err := fn(s.Key, p); err != nil || enough {
				return after, err
			}
		}
		if len(rows) < listPage {
			return "", nil
		}
	}
	return after, nil
}

func viewOf(name string, p state.Presence, staff id.Staff) vault.GlassRow {
	return vault.GlassRow{ID: name, Kind: p.Kind, State: p.State, Centre: p.Centre, Place: p.Place, By: p.By, Second: p.Second, Mine: p.By == staff,
		At: p.At, Agreed: p.Agreed, Done: p.Done, Expires: p.Expires, Due: p.Due}
}
