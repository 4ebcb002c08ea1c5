package presence

import (
	"context"
	"net/url"
	"strconv"
	"strings"

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

// watcher is told who may not see what tripped.
func watcher() error {
	return permits.Refused("the manager of the centre, or the privacy officer of the place, sees that")
}

// TrippedAsked reads of a signed address which centre is meant; 0: all within the asker's
// place. fault.Unauthorized, fault.Invalid.
func TrippedAsked(s vault.Signed) (id.Centre, error) {
	u, err := url.Parse(s.URL)
	if err != nil || !strings.HasSuffix(u.Path, vault.RouteTripped) || len(s.Body) > 0 {
		return 0, otherRequest()
	}
	text := u.Query().Get("center_id")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id")
	}
	return id.Centre(n), nil
}

// Tripped implements the vault's word: why members of staff are asked for codes, and what
// else those who watch are to see: of one centre, or of all within the asker's place. It
// names nobody who came, and is an entry.
func (d *Desk) Tripped(ctx context.Context, r vault.TrippedRequest) (vault.Tripped, error) {
	centre, err := TrippedAsked(r.Signed)
	if err != nil {
		return vault.Tripped{}, err
	}
	var out vault.Tripped
	receipts, err := d.Update(ctx, func(t *Txn) (err error) {
		out = vault.Tripped{Rows: []vault.TrippedRow{}}
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		permit, err := t.watches(row, centre, policy.StaffTripped)
		if err != nil {
			return err
		}
		rows, err := budgets.Tripped(t, centre)
		if err != nil {
			return err
		}
		sees := map[id.Centre]bool{centre: centre != 0}
		for _, w := range rows {
			if _, asked := sees[w.Centre]; !asked {
				_, no := t.watches(row, w.Centre, policy.StaffTripped)
				if no != nil && !fault.Is(no, fault.Forbidden) {
					return no
				}
				sees[w.Centre] = no == nil
			}
			if sees[w.Centre] {
				out.Rows = append(out.Rows, vault.TrippedRow{ID: w.ID, At: w.At, Why: w.Why, Staff: w.Staff, Centre: w.Centre, Times: w.N, SeenBy: w.SeenBy, SeenAt: w.SeenAt})
			}
		}
		t.Append(engine.Entry{Kind: "list", View: "what tripped", Role: row.Role, Actor: string(staff), Reason: strconv.Itoa(len(out.Rows)) + " rows", Policy: permit.Policies()})
		return nil
	})
	out.Receipts = receipts
	return out, err
}

// watches asks whether somebody may do that about a centre; 0 is their own place.
func (t *Txn) watches(row state.Staff, c id.Centre, do policy.Action) (policy.Permit, error) {
	at := row.Grant.Scope
	var err error
	switch {
	case c != 0:
		at, err = t.d.cfg.Office.CentrePlace(t.Txn.Txn.Txn, c)
	case row.Session == "":
		at = access.AtCentre(0, 0, row.Centre)
	}
	permit := t.d.cfg.Permits.MayAt(row, do, at, policy.Facts{})
	if err == nil && !permit.Allowed() {
		err = watcher()
	}
	return permit, err
}

// ParseSeen reads the body of who has seen to what tripped; fault.Invalid.
func ParseSeen(raw []byte) (alert, note string, err error) {
	var f struct {
		Alert string `json:"alert_id"`
		Note  string `json:"note"`
	}
	if err := Read(raw, &f); err != nil {
		return "", "", err
	}
	note, err = ReasonText(f.Note)
	if err == nil && !id.Valid(f.Alert) {
		err = fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: alert_id")
	}
	return f.Alert, note, err
}

// Acknowledge implements the vault's word: somebody who watches has seen to what tripped,
// with a note that the ledger keeps. Nothing is taken off the list.
func (d *Desk) Acknowledge(ctx context.Context, r vault.SeenRequest) (vault.Done, error) {
	alert, note, err := ParseSeen(r.Signed.Body)
	if err != nil {
		return vault.Done{}, err
	}
	receipts, err := d.Update(ctx, func(t *Txn) error {
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		found, ok, err := budgets.Find(t, alert, row.Centre)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "alert", "no such entry is on the list, or it is too old")
		}
		permit, err := t.watches(row, found.Centre, policy.StaffTrippedSeen)
		if err != nil {
			return err
		}
		t.Append(engine.Entry{Kind: "tripped", View: "seen to: " + found.Why, Role: row.Role, Actor: string(staff), Reason: note, Evidence: alert, Policy: permit.Policies()})
		return budgets.Seen(t, found, staff, d.cfg.Now().UnixMilli())
	})
	if err != nil {
		return vault.Done{}, err
	}
	return vault.Done{Receipt: first(receipts)}, nil
}

func first(of []string) string {
	if len(of) == 0 {
		return ""
	}
	return of[0]
}
