// Package ways has the rules of how a household signs in (ADR 39): which device is new to
// it, how long a new one sees a masked view, when a number has been idle for so long that a
// code to it proves nothing, and what a household's PIN may be. It reads and changes rows in
// memory; it holds no key and stores nothing.
package ways

import (
	"slices"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/vault/state"
)

// The times of ADR 39. Kept is design.md 5's, Cooling and Idle are defence.md's (R57, R59).
const (
	Kept    = 90 * 24 * time.Hour  // how long after its last code a way is enrolled
	Cooling = 24 * time.Hour       // how long a new one is not trusted
	Idle    = 180 * 24 * time.Hour // after which a code alone opens nothing
	// Grain is how exact the times are that a sign-in leaves behind: a row that grants is
	// written once a week and not with every code. A way ends up to a week early; a
	// household is idle up to a week late.
	Grain   = 7 * 24 * time.Hour
	MaxWays = 8
	// MaxNets is how many networks of clients without a key are remembered.
	MaxNets = 4
	// MaxFormer is how many households that a number led to are remembered.
	MaxFormer = 3
)

// Partner begins the key of a partner's way.
const Partner = "partner/"

// IsDevice reports whether a way is a device's key.
func IsDevice(key string) bool { return key != "" && !strings.HasPrefix(key, Partner) }

// Verdict is what a right code on a way means.
type Verdict struct {
	Cooling bool // the session sees masked views only
	New     bool // the household has not seen this way, or not for 90 days: it is told
	Changed bool // the row is to be stored
	Known   bool // the household's own way before this code
}

// Worth reports whether a household has anything to protect: somebody who is, or was,
// registered there.
func Worth(h state.Household) bool {
	return slices.ContainsFunc(h.Members, func(m state.Member) bool { return m.State != state.Removed })
}

// Alone reports whether a code to the number proves nothing any more: the household has
// been idle for too long, and the way it was confirmed on is none that was ever trusted
// here. began is when idleness began to be counted, for rows from before that.
func Alone(h state.Household, key string, began, now int64) bool {
	seen := h.Seen
	if seen == 0 {
		seen = max(h.Created, began)
	}
	if !Worth(h) || now-seen <= (Idle+Grain).Milliseconds() {
		return false
	}
	i := find(h, key)
	return !IsDevice(key) || i < 0 || h.Ways[i].Until != 0
}

// Guarded reports whether a new way has to wait: the household has a firm device of its own,
// or a PIN, to tell itself from a stranger with its number.
func Guarded(h state.Household, now int64) bool {
	return HasPIN(h, now) || slices.ContainsFunc(h.Ways, func(w state.Way) bool { return IsDevice(w.Key) && firm(w, now) })
}

// Firm reports whether a way is more than one code: it was there at the first registration,
// a card, the other channel or the PIN spoke for it, or a day has gone by in which the
// household was told and did not end it. What shuts others out takes one that is firm: else
// whoever has one code could lock a household out of its own record.
func Firm(h state.Household, key string, now int64) bool {
	i := find(h, key)
	return ablate.Off(ablate.FirstDay) || (i >= 0 && firm(h.Ways[i], now))
}

func firm(w state.Way, now int64) bool {
	return enrolled(w, now) && (w.Firm || now-w.Since >= Cooling.Milliseconds() || ablate.Off(ablate.FirstDay))
}

// enrolled reports whether a way is trusted now.
func enrolled(w state.Way, now int64) bool {
	return w.Until == 0 && now-w.Last < Kept.Milliseconds()
}

func find(h state.Household, key string) int {
	return slices.IndexFunc(h.Ways, func(w state.Way) bool { return w.Key == key })
}

// Judge says what a right code on a way is worth and notes it in the row. Nothing waits
// where there is nothing to protect, or nothing to tell the household from a stranger by:
// then a client without a key is as good as it was.
func Judge(h *state.Household, key string, now int64) (v Verdict) {
	defer func() { v.Changed = touch(h, now) || v.Changed }()
	guarded, pin := Guarded(*h, now), HasPIN(*h, now)
	switch i := find(*h, key); {
	case !Worth(*h) || !guarded:
		if !IsDevice(key) {
			return Verdict{} // nothing is written down for a client without a key
		}
		if i >= 0 && enrolled(h.Ways[i], now) {
			return Verdict{Known: true, Changed: used(h, i, now)}
		}
		// The first device, or the first after all others ran out: there is no other to ask.
		return Verdict{New: Worth(*h), Known: i >= 0 && h.Ways[i].Until == 0, Changed: put(h, state.Way{Key: key, Since: now, Last: now, Firm: !Worth(*h)}, now)}
	case pin && !IsDevice(key):
		return Verdict{Cooling: true} // whoever has no key is nobody that a PIN can be asked of once
	case i < 0 || now-h.Ways[i].Last >= Kept.Milliseconds():
		return Verdict{Cooling: true, New: true, Changed: put(h, state.Way{Key: key, Since: now, Last: now, Until: now + Cooling.Milliseconds()}, now)}
	case h.Ways[i].Until == 0:
		return Verdict{Known: true, Changed: used(h, i, now)}
	case pin || now < h.Ways[i].Until:
		return Verdict{Cooling: true, Changed: used(h, i, now)}
	default:
		h.Ways = slices.Clone(h.Ways)
		h.Ways[i].Until, h.Ways[i].Last = 0, now
		return Verdict{Changed: true}
	}
}

// Near reports whether a client without a key comes from a network that the household has
// been seen in.
func Near(h state.Household, net string) bool { return slices.Contains(h.Nets, net) }

// Met remembers such a network.
func Met(h *state.Household, net string) {
	h.Nets = append([]string{net}, h.Nets[:min(len(h.Nets), MaxNets-1)]...)
}

// Hold lets a device wait that nothing but the breaker speaks against, until then.
func Hold(h *state.Household, key string, until int64) {
	if i := find(*h, key); i >= 0 && IsDevice(key) {
		h.Ways = slices.Clone(h.Ways)
		h.Ways[i].Until = until
	}
}

// Trust ends the waiting of a way: the other channel, a card or the PIN spoke for it. A
// client without a key is not trusted for longer than its session where there is a PIN. It
// reports whether the row is to be stored.
func Trust(h *state.Household, key string, now int64) bool {
	i := find(*h, key)
	switch {
	case !IsDevice(key) && (i < 0 || HasPIN(*h, now)), i >= 0 && h.Ways[i].Until == 0 && h.Ways[i].Firm:
		return false
	case i < 0: // there was no room for it to wait in
		return put(h, state.Way{Key: key, Since: now, Last: now, Firm: true}, now)
	}
	h.Ways = slices.Clone(h.Ways)
	h.Ways[i].Until, h.Ways[i].Last, h.Ways[i].Firm = 0, now, true
	return true
}

// End forgets a way and reports whether there was one. Its sessions end with it.
func End(h *state.Household, key string) bool {
	i := find(*h, key)
	if i >= 0 {
		h.Ways = slices.Delete(slices.Clone(h.Ways), i, i+1)
	}
	return i >= 0
}

// Has reports whether a way is still one of the household's.
func Has(h state.Household, key string) bool { return find(h, key) >= 0 }

// Listed are the ways that count, the newest first: enrolled ones and those that wait.
func Listed(h state.Household, now int64) (out []state.Way) {
	for _, w := range h.Ways {
		if now-w.Last < Kept.Milliseconds() {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b state.Way) int { return int(b.Since - a.Since) })
	return out
}

// HasPIN reports whether a household has a PIN that is in force and has not ended.
func HasPIN(h state.Household, now int64) bool {
	return h.PIN != nil && now >= h.PIN.From && (h.PIN.Ends == 0 || now < h.PIN.Ends)
}

// touch notes that a code was completed, once a week.
func touch(h *state.Household, now int64) bool {
	if h.Seen != 0 && now-h.Seen < Grain.Milliseconds() {
		return false
	}
	h.Seen = now
	return true
}

// used notes that a way was used, once a week.
func used(h *state.Household, i int, now int64) bool {
	if now-h.Ways[i].Last < Grain.Milliseconds() {
		return false
	}
	h.Ways = slices.Clone(h.Ways)
	h.Ways[i].Last = now
	return true
}

// put adds a way, or begins it anew. Where there is no room one goes that is not trusted,
// the oldest first; a trusted one goes for a trusted one alone, so that whoever only reads
// the household's messages cannot push its devices out. It reports whether it was put.
func put(h *state.Household, w state.Way, now int64) bool {
	rest := slices.DeleteFunc(slices.Clone(h.Ways), func(o state.Way) bool { return o.Key == w.Key })
	if len(rest) >= MaxWays {
		last := -1
		for i, o := range rest {
			if enrolled(o, now) && w.Until != 0 {
				continue
			}
			if last < 0 || rank(o, now) < rank(rest[last], now) || (rank(o, now) == rank(rest[last], now) && o.Last < rest[last].Last) {
				last = i
			}
		}
		if last < 0 {
			return false
		}
		rest = slices.Delete(rest, last, last+1)
	}
	h.Ways = append(rest, w)
	return true
}

// rank orders ways by how easily they go: those whose 90 days are over, those that wait,
// trusted ones.
func rank(w state.Way, now int64) int {
	switch {
	case now-w.Last >= Kept.Milliseconds():
		return 0
	case w.Until != 0:
		return 1
	}
	return 2
}
