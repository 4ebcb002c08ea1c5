package signin

import (
	"encoding/hex"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// netTag names a network within one household: no two households' tags can be compared.
func (k *Desk) netTag(house id.Household, origin string) string {
	return hex.EncodeToString(k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("network"), []byte(house), []byte(origin))[:6])
}

// firstOpened counts a household, once an hour, that something new to it is about to open: a device, or a
// client without a key from a network that it did not come from. When the hour has had too many of
// them, in the household's district or in all, it waits as a new device of a guarded household
// does (ADR 39): whoever reads the messages of a whole network opens no more than that.
func (t *Txn) firstOpened(house id.Household, h *state.Household, ch state.Challenge, origin string, v *ways.Verdict) error {
	net := t.k.netTag(house, origin)
	near := ch.Device == "" && ways.Near(*h, net)
	if !ways.Worth(*h) || v.Cooling || v.Known || near {
		return nil
	}
	district, err := t.districtOf(*h)
	if err != nil {
		return err
	}
	v.Changed = true
	now := t.k.now()
	hour := now.Truncate(time.Hour).UnixMilli()
	if h.Counted == hour && !ablate.Off(ablate.NewOnce) { // a second key opens no more than the first did
		t.knownFrom(h, ch, net)
		return nil
	}
	over, last, err := t.k.cfg.NewDevices.Spend(rows{t}, district, now.UnixMilli())
	if err != nil {
		return err
	}
	if last {
		t.k.log.Warn("alarm: new devices open too many households this hour; further ones wait", "alarm", "new-devices", "district", district)
	}
	if over && !ablate.Off(ablate.NewBreaker) {
		v.Cooling = true
		ways.Hold(h, ch.Device, now.Truncate(time.Hour).Add(time.Hour).UnixMilli())
		t.Append(engine.Entry{Kind: "household", House: house, View: "new devices held for an hour", Role: "system", Reason: district})
		return nil
	}
	h.Counted = hour
	t.knownFrom(h, ch, net)
	return nil
}

// knownFrom remembers where a client without a key came from.
func (t *Txn) knownFrom(h *state.Household, ch state.Challenge, net string) {
	if ch.Device == "" {
		ways.Met(h, net)
	}
}

// districtOf is where the household was booked last, as the manager who opened that session
// signed it; "" where it never was.
func (t *Txn) districtOf(h state.Household) (string, error) {
	var last state.Booking
	for _, m := range h.Members {
		if m.State == state.Removed {
			continue
		}
		p, err := t.Person(m.Person)
		if err != nil {
			return "", err
		}
		for _, b := range p.Bookings {
			if b.At > last.At && b.Offer.Session != "" {
				last = b
			}
		}
	}
	if last.Offer.Session == "" {
		return "", nil
	}
	s, ok, err := engine.Get[state.OpenSession](t, state.OpenSessions, state.OpenSessionKey(last.Offer.Centre, last.Offer.Session, last.Offer.Day))
	if err != nil || !ok {
		return "", err
	}
	return s.State + "/" + s.District, nil
}
