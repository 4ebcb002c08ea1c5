package scheduling

import (
	"context"
	"log/slog"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Wish is where and for what a household wants to hear of free places: in a
// district or at a PIN code, for a dose, of any vaccine or one. Until is Unix
// milliseconds.
type Wish struct {
	Household id.Household
	ID        string
	District  int
	PIN       string
	Dose      int
	Product   string
	Until     int64
}

// fits says whether places of a session at a centre are what is wished for.
func (w Wish) fits(c Centre, s Session) bool {
	return (w.District == 0 || w.District == c.DistrictID) && (w.PIN == "" || w.PIN == c.PIN) && (w.Product == "" || w.Product == s.Product)
}

// WishStore keeps wishes in their household's bucket.
type WishStore interface {
	// PutWish stores a wish; one that is there stays.
	PutWish(ctx context.Context, w Wish) error
	// Wishes returns a household's wishes, at most ten.
	Wishes(ctx context.Context, h id.Household) ([]Wish, error)
	// DropWish removes a wish. Removing it twice is no error.
	DropWish(ctx context.Context, h id.Household, wish string) error
}

// AllWishes reads wishes across all buckets. Only the worker has it.
type AllWishes interface {
	// LiveWishes returns wishes that stand at now and come after a cursor, by
	// household and id.
	LiveWishes(ctx context.Context, now int64, cursor Wish, limit int) ([]Wish, error)
}

// WishLeave is the vault's part of it; *vault.Client satisfies it.
type WishLeave interface {
	Membership(ctx context.Context, h vault.Holder) (vault.Membership, error)
	Wish(ctx context.Context, r vault.WishRequest) error
	Unwish(ctx context.Context, r vault.UnwishRequest) error
}

// Alerts serves wishes of holders. It is safe for concurrent use.
type Alerts struct {
	store WishStore
	vault WishLeave
	now   func() time.Time
}

// NewAlerts makes the service.
func NewAlerts(st WishStore, v WishLeave, now func() time.Time) *Alerts { return &Alerts{st, v, now} }

// Add stores a wish of the holder's household and returns its id. The vault's
// leave comes first: one without a row is forgotten at the next wish.
func (a *Alerts) Add(ctx context.Context, h vault.Holder, w Wish) (string, error) {
	live, house, err := a.live(ctx, h)
	if err != nil {
		return "", err
	}
	w.Household, w.ID = house, id.New()
	var known []string
	for _, one := range live {
		if one.District == w.District && one.PIN == w.PIN && one.Dose == w.Dose && one.Product == w.Product {
			return "", fault.New(fault.Invalid, "wish", "this household has asked for this already")
		}
		known = append(known, one.ID)
	}
	if err := a.vault.Wish(ctx, vault.WishRequest{Holder: h, ID: w.ID, Until: w.Until, Known: known}); err != nil {
		return "", err
	}
	return w.ID, a.store.PutWish(ctx, w)
}

// List returns the wishes of the holder's household that stand. A partner's session
// is of the same household: where its people look for places is not what they
// consented to, and it gets a fault.Forbidden.
func (a *Alerts) List(ctx context.Context, h vault.Holder) ([]Wish, error) {
	if h.Partner != nil {
		return nil, fault.New(fault.Forbidden, "scope", "the person's consent does not cover this for a partner")
	}
	live, _, err := a.live(ctx, h)
	return live, err
}

func (a *Alerts) live(ctx context.Context, h vault.Holder) (out []Wish, house id.Household, err error) {
	m, err := a.vault.Membership(ctx, h)
	if err != nil {
		return nil, "", err
	}
	all, err := a.store.Wishes(ctx, m.Household)
	for _, w := range all {
		if w.Until > a.now().UnixMilli() {
			out = append(out, w)
		}
	}
	return out, m.Household, err
}

// Drop ends a wish: first the leave, then the row.
func (a *Alerts) Drop(ctx context.Context, h vault.Holder, wish string) error {
	m, err := a.vault.Membership(ctx, h)
	if err != nil {
		return err
	}
	if err := a.vault.Unwish(ctx, vault.UnwishRequest{Holder: h, ID: wish}); err != nil {
		return err
	}
	return a.store.DropWish(ctx, m.Household, wish)
}

// Teller tells households; *vault.Client satisfies it.
type Teller interface {
	Tell(ctx context.Context, r vault.TellRequest) (vault.Told, error)
}

// wishPage is how many rows one read brings, and watchDays how far ahead the
// watcher looks.
const (
	wishPage  = 500
	watchDays = 30
)

// Watcher looks for places that have become free and has the vault tell those
// who asked. It remembers what was free at its last look; after a start the
// first look tells nobody. Only the worker has it.
type Watcher struct {
	listing Listing
	wishes  AllWishes
	store   WishStore
	vault   Teller
	log     *slog.Logger
	free    map[id.Session][2]bool
}

// NewWatcher makes a watcher.
func NewWatcher(l Listing, w AllWishes, st WishStore, v Teller, log *slog.Logger) *Watcher {
	return &Watcher{listing: l, wishes: w, store: st, vault: v, log: log}
}

// opened is a session with places of a pool that were not there before.
type opened struct {
	centre Centre
	s      Session
	pools  [2]bool
}

// Look finds what has opened since the last look and returns how many
// households were told.
func (w *Watcher) Look(ctx context.Context, now time.Time) (told int, err error) {
	fresh, err := w.changes(ctx, now)
	if err != nil || len(fresh) == 0 {
		return 0, err
	}
	for cursor, more := (Wish{}), true; more; {
		page, err := w.wishes.LiveWishes(ctx, now.UnixMilli(), cursor, wishPage)
		if err != nil {
			return told, err
		}
		for _, one := range page {
			cursor = one
			i := firstFit(one, fresh)
			if i < 0 {
				continue
			}
			got, err := w.vault.Tell(ctx, vault.TellRequest{Household: one.Household, ID: one.ID, Centre: fresh[i].s.Centre, Day: fresh[i].s.Day})
			switch {
			case err != nil:
				w.log.Warn("a wish was not told", "kind", fault.KindOf(err))
			case got.Gone:
				if err := w.store.DropWish(ctx, one.Household, one.ID); err != nil {
					return told, err
				}
			case got.Told:
				told++
			}
		}
		more = len(page) == wishPage
	}
	return told, nil
}

func firstFit(w Wish, fresh []opened) int {
	for i, o := range fresh {
		if o.pools[pool(w.Dose)-1] && w.fits(o.centre, o.s) {
			return i
		}
	}
	return -1
}

// changes compares the sessions to come with the last look.
func (w *Watcher) changes(ctx context.Context, now time.Time) (out []opened, err error) {
	today := civil.Of(now.UTC())
	free := map[id.Session][2]bool{}
	for cursor, more := (Session{}), true; more; {
		page, err := w.listing.Sessions(ctx, today, today.AddDays(watchDays), cursor, wishPage)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			cursor = s
			has := [2]bool{s.free(1) > 0, s.free(2) > 0}
			free[s.ID] = has
			had := w.free[s.ID]
			if pools := [2]bool{has[0] && !had[0], has[1] && !had[1]}; w.free != nil && (pools[0] || pools[1]) {
				out = append(out, opened{s: s, pools: pools})
			}
		}
		more = len(page) == wishPage
	}
	w.free = free
	return out, w.name(ctx, out)
}

// name finds the centres of what has opened.
func (w *Watcher) name(ctx context.Context, fresh []opened) error {
	if len(fresh) == 0 {
		return nil
	}
	centres := map[id.Centre]Centre{}
	for after, more := id.Centre(0), true; more; {
		page, err := w.listing.Centres(ctx, after, wishPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			after, centres[c.ID] = c.ID, c
		}
		more = len(page) == wishPage
	}
	for i := range fresh {
		fresh[i].centre = centres[fresh[i].s.Centre]
	}
	return nil
}
