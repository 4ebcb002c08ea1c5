package keeper

import (
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/sharing"
	"tikakosh/internal/vault/state"
)

// newSharing makes the part for links that open a certificate (ADR 43).
func (k *Keeper) newSharing() *sharing.Links {
	return sharing.New(sharing.Config{Keys: k.keys, Release: k.release, Desk: shareDesk{k}, Now: k.now, With: k.released}, k.eng)
}

// shareDesk is what that part asks of the rest of the vault.
type shareDesk struct{ k *Keeper }

func (d shareDesk) in(t *release.Txn) *txn { return d.k.on(t) }

// Mine implements sharing.Desk: as for the certificate itself, and not for a partner.
func (d shareDesk) Mine(on *release.Txn, h vault.Holder, person id.Person) (id.Household, error) {
	m, err := d.in(on).mine(h, person)
	return m.house, err
}

// Counted implements sharing.Desk.
func (d shareDesk) Counted(on *release.Txn, window time.Duration, what, key string, n int64) (int64, time.Time, error) {
	total, err := on.Count(window, what, key, n)
	return total, d.k.now().Truncate(window).Add(window), err
}

// Tell implements sharing.Desk.
func (d shareDesk) Tell(on *release.Txn, house id.Household, link string) error {
	_, err := d.in(on).notice(state.Notice{ID: "link/" + link, Household: house, Kind: noticeLink}, 0, noticeLife)
	return err
}

// Issue implements sharing.Desk.
func (d shareDesk) Issue(on *release.Txn, person id.Person, viewID string) error {
	return d.in(on).issue(person, viewID)
}

// Certificate implements sharing.Desk.
func (d shareDesk) Certificate(o *release.Opening) (vault.Certificate, error) {
	return d.k.certificateOf(o)
}

// endShares ends every link after a restore: one may have been ended in the entries that were
// lost, and a new one is made in a moment.
func (t *txn) endShares() error {
	now, n := t.k.now().UnixMilli(), 0
	_, err := eachRow(t, state.Shares, func(_ string, row *state.Share) (changed bool, err error) {
		for i, x := range row.Links {
			if x.Ended == 0 && now < x.Expires {
				row.Links[i].Ended, changed = now, true
				n++
			}
		}
		return changed, nil
	})
	if err == nil && n > 0 {
		t.Append(engine.Entry{Kind: "share", View: "links ended after a restore", Role: permits.System, Reason: itoa(int64(n))})
	}
	return err
}

// shareMethods are the words of that part.
func (k *Keeper) shareMethods() []method {
	web, s := []Caller{CallerWeb}, k.shares
	return []method{
		{vault.MethodShareMake, web, bind(s.Make)},
		{vault.MethodShareList, web, bind(s.List)},
		{vault.MethodShareEnd, web, bind(s.End)},
		{vault.MethodShareFind, web, bind(s.Find)},
		{vault.MethodShareOpen, web, bind(s.Open)},
	}
}
