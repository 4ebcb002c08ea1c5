package keeper

import (
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/relink"
	"tikakosh/internal/vault/state"
)

// relinkTries is how many wrong reference numbers a household gives in a day (UTC), looking
// for somebody who waits for its number.
const relinkTries = 10

// newRelink makes the part for lost phones and changed numbers (ADR 41).
func (k *Keeper) newRelink() *relink.Desk {
	return relink.New(relink.Config{Absent: k.absent, Keys: k.keys, Office: k.office, Permits: k.permits, Centre: centreDesk{k}, House: houseDesk{k}, Now: k.now,
		Wrong: k.cfg.Limits.WrongStaffCodes, Demo: k.cfg.DemoNumbers}, k.eng)
}

// houseDesk is what that part asks of the rest of the vault.
type houseDesk struct{ k *Keeper }

func (d houseDesk) in(t *release.Txn) *txn { return d.k.on(t) }

// Holder implements relink.House.
func (d houseDesk) Holder(on *release.Txn, h vault.Holder, early bool) (id.Household, state.Bearer, error) {
	if early {
		return d.in(on).Early(h)
	}
	return d.in(on).Live(h)
}

// Move implements relink.House.
func (d houseDesk) Move(on *release.Txn, h vault.Holder, to id.Household, person id.Person, p state.Person) (vault.Place, error) {
	t := d.in(on)
	place, err := t.moves(to, person, p, false)
	if err == nil && p.Card != "" { // it may be lost: they have a new one made
		err = t.noteShown(h, person, p.Card)
	}
	return place, err
}

// Minor implements relink.House.
func (d houseDesk) Minor(person id.Person, p state.Person) (bool, error) {
	return d.k.minor(person, p)
}

// Tell implements relink.House.
func (d houseDesk) Tell(on *release.Txn, n state.Notice, after time.Duration) (bool, error) {
	key, err := d.in(on).notice(n, after, noticeLife)
	return key != "", err
}

// Tried implements relink.House.
func (d houseDesk) Tried(on *release.Txn, house id.Household, n int64) (time.Duration, error) {
	total, err := on.Count(noticeDay, "relink", string(house), n)
	if err != nil || total < relinkTries {
		return 0, err
	}
	now := d.k.now()
	return now.Truncate(noticeDay).Add(noticeDay).Sub(now), nil
}

// sayRelink fills the message to the number of before; nothing is said of what no longer
// waits.
func (t *txn) sayRelink(v state.Notice, place string) (params map[string]string, ok bool, err error) {
	_, name, _ := strings.Cut(v.ID, "/")
	p, ok, err := engine.Get[state.Presence](t, state.Presences, name)
	if err != nil || !ok || p.State != state.PresencePending {
		return nil, false, err
	}
	due := time.UnixMilli(p.Due).In(t.k.zone(v.Zone))
	return map[string]string{"date": civil.Of(due).Indian(), "time": due.Format("15:04"), "centre": place}, true, nil
}

// relinkMethods are the words of that part.
func (k *Keeper) relinkMethods() []method {
	web, r := []Caller{CallerWeb}, k.relinks
	return []method{
		{vault.MethodRelinkPropose, web, bind(r.Propose)},
		{vault.MethodRelinkApprove, web, bind(r.Approve)},
		{vault.MethodRelinkStaffStop, web, bind(r.StaffStop)},
		{vault.MethodRelinkList, web, bind(r.List)},
		{vault.MethodRelinkStop, web, bind(r.Stop)},
		{vault.MethodRelinkFinish, web, bind(r.Finish)},
	}
}
