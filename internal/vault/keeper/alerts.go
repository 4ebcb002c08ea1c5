package keeper

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// alertLife is how long a message about free places is worth sending.
const alertLife = time.Hour

// Wish implements the vault's word.
func (k *Keeper) Wish(ctx context.Context, r vault.WishRequest) (vault.Empty, error) {
	now := k.now()
	last := now.AddDate(0, 0, vault.MaxWishDays).UnixMilli()
	if len(r.ID) != 36 || r.Until <= now.UnixMilli() || r.Until > last || len(r.Known) > 10*vault.MaxWishes {
		return vault.Empty{}, fault.New(fault.Invalid, "until", "a wish to hear of free places stands for at most 60 days")
	}
	_, err := k.update(ctx, func(t *txn) error {
		house, _, err := t.Early(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		if len(h.Mobile) == 0 {
			return fault.New(fault.Invalid, "mobile", "messages go to a mobile; link one to this registration before asking for them")
		}
		row, _, err := engine.Get[state.Alert](t, state.Alerts, string(house))
		if err != nil {
			return err
		}
		kept := slices.DeleteFunc(row.Wishes, func(w state.Wish) bool {
			return w.Until <= now.UnixMilli() || w.ID == r.ID || !slices.Contains(r.Known, w.ID)
		})
		if len(kept) >= vault.MaxWishes {
			return fault.New(fault.Conflict, "wishes", "this household has three such wishes already; delete one first")
		}
		row.Wishes = append(kept, state.Wish{ID: r.ID, Until: r.Until})
		return engine.Put(t, state.Alerts, string(house), row, last)
	})
	return vault.Empty{}, err
}

// Unwish implements the vault's word.
func (k *Keeper) Unwish(ctx context.Context, r vault.UnwishRequest) (vault.Empty, error) {
	_, err := k.update(ctx, func(t *txn) error {
		house, _, err := t.Early(r.Holder)
		if err != nil {
			return err
		}
		row, ok, err := engine.Get[state.Alert](t, state.Alerts, string(house))
		if err != nil || !ok {
			return err
		}
		row.Wishes = slices.DeleteFunc(row.Wishes, func(w state.Wish) bool { return w.ID == r.ID })
		return engine.Put(t, state.Alerts, string(house), row, k.now().AddDate(0, 0, vault.MaxWishDays).UnixMilli())
	})
	return vault.Empty{}, err
}

// Tell implements the vault's word. Whoever calls it can send one fixed text to
// a household that asked for it, three times a day, and no word of their own:
// the centre's name is the one its manager signed.
func (k *Keeper) Tell(ctx context.Context, r vault.TellRequest) (vault.Told, error) {
	var out vault.Told
	now := k.now()
	_, err := k.update(ctx, func(t *txn) error {
		out = vault.Told{}
		row, ok, err := engine.Get[state.Alert](t, state.Alerts, string(r.Household))
		if err != nil {
			return err
		}
		i := slices.IndexFunc(row.Wishes, func(w state.Wish) bool { return w.ID == r.ID && w.Until > now.UnixMilli() })
		if out.Gone = !ok || i < 0; out.Gone {
			return nil
		}
		if r.Day.Before(k.today("UTC").AddDays(-1)) || r.Day.After(k.today("UTC").AddDays(vault.MaxWishDays+1)) {
			return fault.New(fault.Invalid, "day", "places are told of for days to come")
		}
		n, err := t.Count(noticeDay, "alert", string(r.Household), 1)
		if err != nil || n > vault.MaxToldDaily && !ablate.Off(ablate.NoticeBounds) {
			return err
		}
		key, err := t.notice(state.Notice{ID: "places/" + r.ID + "/" + itoa(now.UnixMilli()), Household: r.Household, Kind: noticePlaces, Centre: r.Centre, Day: r.Day}, 0, alertLife)
		out.Told = key != ""
		return err
	})
	return out, err
}
