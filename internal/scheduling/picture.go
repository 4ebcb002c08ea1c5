package scheduling

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tikakosh/internal/civil"
)

// By says by what a search goes.
type By int

// What a search goes by: the key is the PIN as a number, or the number of the
// district, the centre or the state.
const (
	ByPIN By = iota
	ByDistrict
	ByCentre
	ByState
)

type areaKey struct {
	by  By
	key int64
}

// Area is a part of the picture that is searched as one. Its version changes
// whenever something in it does, which is how an answer made earlier is known
// to be still right.
type Area struct {
	version atomic.Uint64
	centres []*centreEntry // by number
}

// Version is the number of the area's present state.
func (a *Area) Version() uint64 { return a.version.Load() }

// Question is a search in one area. Days counts from Day; Product "" asks for
// all; Free leaves out sessions without a free place.
type Question struct {
	By      By
	Key     int64
	Day     civil.Date
	Days    int
	Product string
	Free    bool
}

// Found is the answer to a question. Area is nil when there is none by that key
// or the picture holds none of those days; else the answer is right as long as the area has this
// Version and until the instant Until, zero meaning for ever.
type Found struct {
	List    []CentreDay
	Area    *Area
	Version uint64
	Until   time.Time
}

// dayKey orders days as numbers.
func dayKey(d civil.Date) int { return d.Year*10_000 + int(d.Month)*100 + d.Day }

func pinKey(pin string) int64 {
	n, err := strconv.ParseInt(pin, 10, 32)
	if err != nil {
		return -1
	}
	return n
}

// Ask answers a question from the picture. Centres come in order of their
// number; the list is never nil.
func (a *Availability) Ask(q Question) Found {
	now := a.now()
	until := q.Day.AddDays(q.Days)
	out := Found{List: []CentreDay{}}
	if first, last := a.days(now); q.Day.After(last) || !first.Before(until) {
		return out
	}
	from, to := dayKey(q.Day), dayKey(until)
	a.mu.RLock()
	defer a.mu.RUnlock()
	out.Area = a.areas[areaKey{q.By, q.Key}]
	if out.Area == nil {
		return out
	}
	out.Version = out.Area.version.Load()
	for _, c := range out.Area.centres {
		var found []Listed
		for _, e := range c.sessions {
			if e.day < from || e.day >= to || (q.Product != "" && e.s.Product != q.Product) {
				continue
			}
			if now.Before(e.closes) && (out.Until.IsZero() || e.closes.Before(out.Until)) {
				out.Until = e.closes
			}
			if l := e.listed(now); !q.Free || l.Available() >= 1 {
				found = append(found, l)
			}
		}
		if len(found) > 0 {
			out.List = append(out.List, CentreDay{Centre: c.c, Sessions: found})
		}
	}
	return out
}

// StateOf is a state with centres, as its centres name it.
type StateOf struct {
	ID   int
	Name string
}

// States lists the states that have centres, by number.
func (a *Availability) States() []StateOf {
	out := []StateOf{}
	a.mu.RLock()
	for k, area := range a.areas {
		if k.by == ByState && len(area.centres) > 0 {
			out = append(out, StateOf{int(k.key), area.centres[0].c.State})
		}
	}
	a.mu.RUnlock()
	slices.SortFunc(out, func(x, y StateOf) int { return cmp.Compare(x.ID, y.ID) })
	return out
}

// Centres lists the centres of an area, by number.
func (a *Availability) Centres(by By, key int64) []Centre {
	out := []Centre{}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if area := a.areas[areaKey{by, key}]; area != nil {
		for _, e := range area.centres {
			out = append(out, e.c)
		}
	}
	return out
}

// Span is how many days the picture holds, from Since on.
func (a *Availability) Span() (since civil.Date, days int) {
	first, last := a.days(a.now())
	return first, last.DaysSince(first) + 1
}

// touch marks the areas of a centre as changed.
func (c *centreEntry) touch() {
	for _, a := range c.in {
		a.version.Add(1)
	}
}

// place puts a centre into the areas its terms name. The caller holds mu.
func (a *Availability) place(e *centreEntry) {
	for i, k := range [len(e.in)]areaKey{{ByCentre, int64(e.c.ID)}, {ByPIN, pinKey(e.c.PIN)}, {ByDistrict, int64(e.c.DistrictID)}, {ByState, int64(e.c.StateID)}} {
		area := a.areas[k]
		if area == nil {
			area = &Area{}
			a.areas[k] = area
		}
		at, _ := slices.BinarySearchFunc(area.centres, e, func(x, y *centreEntry) int { return cmp.Compare(x.c.ID, y.c.ID) })
		area.centres = slices.Insert(area.centres, at, e)
		e.in[i] = area
	}
	e.touch()
}

// displace takes a centre out of its areas. An area stays, empty: answers made
// from it must see its version change.
func (e *centreEntry) displace() {
	e.touch()
	for _, area := range e.in {
		area.centres = slices.DeleteFunc(area.centres, func(x *centreEntry) bool { return x == e })
	}
}

// putCentre adds or changes a centre. The caller holds mu.
func (a *Availability) putCentre(c Centre) {
	e := a.centres[c.ID]
	switch {
	case e == nil:
		e = &centreEntry{c: c}
		a.centres[c.ID] = e
		a.place(e)
	case e.c == c:
	case e.c.PIN == c.PIN && e.c.DistrictID == c.DistrictID && e.c.StateID == c.StateID:
		e.c = c
		e.touch()
	default:
		e.displace()
		e.c = c
		a.place(e)
	}
}

func (a *Availability) dropCentre(e *centreEntry) {
	e.displace()
	for _, s := range e.sessions {
		delete(a.session, s.s.ID)
		delete(a.own, s)
	}
	delete(a.centres, e.c.ID)
}

// putSession adds or changes a session as the database tells it, and notes its
// centre in touched when its order there may be another. The caller holds mu.
func (a *Availability) putSession(s Session, touched map[*centreEntry]bool) {
	e := a.session[s.ID]
	if e != nil && e.added == [2]int{} && same(e.s, s) {
		return
	}
	loc, err := a.zone(s.Zone)
	c := a.centres[s.Centre]
	if err != nil || c == nil { // a zone gone since it was accepted cannot be judged
		if e != nil {
			a.dropSession(e)
		}
		return
	}
	if e == nil {
		e = &sessionEntry{centre: c}
		a.session[s.ID] = e
		c.sessions = append(c.sessions, e)
		touched[c] = true
	} else if e.s.Day != s.Day || e.s.Product != s.Product || e.s.MinAge != s.MinAge {
		touched[c] = true
	}
	delete(a.own, e)
	e.s, e.day, e.closes, e.added = s, dayKey(s.Day), s.closes(loc), [2]int{}
	c.touch()
}

func (a *Availability) dropSession(e *sessionEntry) {
	e.centre.sessions = slices.DeleteFunc(e.centre.sessions, func(x *sessionEntry) bool { return x == e })
	delete(a.session, e.s.ID)
	delete(a.own, e)
	e.centre.touch()
}

// arrange orders the sessions of centres.
func arrange(touched map[*centreEntry]bool) {
	for c := range touched {
		slices.SortFunc(c.sessions, func(x, y *sessionEntry) int {
			return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.s.Product, y.s.Product),
				cmp.Compare(x.s.MinAge, y.s.MinAge), cmp.Compare(x.s.ID, y.s.ID))
		})
	}
}

// same reports whether two states of a session are equal.
func same(x, y Session) bool {
	return x.ID == y.ID && x.Centre == y.Centre && x.Day == y.Day && x.Zone == y.Zone && x.Programme == y.Programme &&
		x.Product == y.Product && x.MinAge == y.MinAge && x.MaxAge == y.MaxAge && x.Cap1 == y.Cap1 && x.Cap2 == y.Cap2 &&
		x.Taken1 == y.Taken1 && x.Taken2 == y.Taken2 && x.Fee == y.Fee && x.BookingCloses == y.BookingCloses && x.DrawAt == y.DrawAt && slices.Equal(x.Slots, y.Slots)
}

func (a *Availability) zone(name string) (*time.Location, error) {
	if loc := a.zones[name]; loc != nil {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err == nil {
		a.zones[name] = loc
	}
	return loc, err
}

// compact lets sessions share what most of them have in common. The caller
// holds reading.
func (a *Availability) compact(sessions []Session) []Session {
	for i := range sessions {
		s := &sessions[i]
		for _, t := range []*string{&s.Zone, &s.Programme, &s.Product} {
			one, ok := a.texts[*t]
			if !ok {
				one = strings.Clone(*t)
				a.texts[one] = one
			}
			*t = one
		}
		key := strings.Join(s.Slots, "\n")
		list, ok := a.slots[key]
		if !ok {
			list = s.Slots
			a.slots[key] = list
		}
		s.Slots = list
	}
	return sessions
}
