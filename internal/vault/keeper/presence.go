package keeper

import (
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// newPresence makes the part for people who cannot show anything (ADR 38).
func (k *Keeper) newPresence() *presence.Desk {
	return presence.New(presence.Config{Keys: k.keys, Release: k.release, Office: k.office, Permits: k.permits, Centre: centreDesk{k}, Now: k.now,
		With: k.released, Wrong: k.cfg.Limits.WrongStaffCodes}, k.eng)
}

// centreDesk is what that part asks of the rest of the vault.
type centreDesk struct{ k *Keeper }

func (c centreDesk) in(t *release.Txn) *txn { return c.k.on(t) }

// OpenToday implements presence.Centre.
func (c centreDesk) OpenToday(on *release.Txn, centre id.Centre) ([]state.OpenSession, error) {
	return c.in(on).openToday(centre)
}

// Named implements presence.Centre.
func (c centreDesk) Named(on *release.Txn, staff id.Staff, sessions []state.OpenSession, card, row string) (id.Person, error) {
	t := c.in(on)
	if row != "" {
		person, s, ok := t.rowOf(staff, sessions, row)
		if ok && isPhantom(person) { // who asks learns of it as elsewhere: by nothing
			_, _, err := t.phantomOpened(staff, s, person)
			return "", err
		}
		return person, nil
	}
	secret, err := vault.ParseCard(card)
	if err != nil {
		return "", err
	}
	key := c.k.cardKey(secret)
	shown, ok, err := engine.Get[state.Card](t, state.Cards, key)
	if err != nil || !ok || shown.State != state.CardLive {
		return "", err
	}
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(shown.Person))
	if err != nil || !ok || p.Card != key {
		return "", err
	}
	return shown.Person, nil
}

// Tell implements presence.Centre.
func (c centreDesk) Tell(on *release.Txn, n state.Notice) error {
	_, err := c.in(on).notice(n, 0, noticeLife)
	return err
}

// Counted implements presence.Centre.
func (c centreDesk) Counted(on *release.Txn, what string, staff id.Staff, n int64) (int64, time.Time, error) {
	total, err := on.Count(staffWindow, what, string(staff), n)
	return total, c.k.now().Truncate(staffWindow).Add(staffWindow), err
}

// Shown implements presence.Centre.
func (c centreDesk) Shown(p release.Person) (vault.Person, error) { return c.k.bookingView(p) }

// presenceMethods are the words of that part.
func (k *Keeper) presenceMethods() []method {
	web, p := []Caller{CallerWeb}, k.absent
	return []method{
		{vault.MethodGlassPropose, web, bind(p.Propose)},
		{vault.MethodGlassApprove, web, bind(p.Approve)},
		{vault.MethodGlassWhom, web, bind(p.Whom)},
		{vault.MethodGlassOpen, web, bind(p.Open)},
		{vault.MethodGlassList, web, bind(p.List)},
		{vault.MethodTripped, web, bind(p.Tripped)},
		{vault.MethodTrippedSeen, web, bind(p.Acknowledge)},
	}
}
