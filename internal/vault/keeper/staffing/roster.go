package staffing

import (
	"slices"
	"strconv"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

const (
	rosterMost  = 200 // members of a centre's day
	rosterAhead = 92  // days
)

// rosterer checks that the actor puts a centre's roster, and returns the centre's place.
func (t *txn) rosterer(a *actor, do policy.Action, c id.Centre) (access.Scope, error) {
	place, err := t.centrePlace(c)
	if err != nil {
		return place, err
	}
	if t.may(a, do, policy.Facts{}, place) != nil || !access.MayGrant(a.grants(), access.Grant{Role: access.Vaccinator, Scope: place}) {
		return place, fault.New(fault.Forbidden, "role", "the centre's manager, or who stands over them, puts its roster")
	}
	return place, nil
}

func (t *txn) putRoster(a *actor, body []byte) error {
	var f struct {
		Member string    `json:"member_id"`
		Centre id.Centre `json:"center_id"`
		Date   string    `json:"date"`
		On     *bool     `json:"on"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	day, err := civil.ParseIndian(f.Date)
	if err != nil {
		return err
	}
	today := civil.Of(t.k.now().UTC())
	if f.Centre <= 0 || f.On == nil || day.Before(today.AddDays(-1)) || today.AddDays(rosterAhead).Before(day) {
		return fault.New(fault.Invalid, "USRRES0001", "a roster has member_id, center_id, on, and a date from today to 92 days ahead")
	}
	place, err := t.rosterer(a, policy.StaffRosterPut, f.Centre)
	if err != nil {
		return err
	}
	m, err := t.staffMember(f.Member)
	if err != nil {
		return err
	}
	works := slices.ContainsFunc(m.Grants, func(g access.Grant) bool { return g.Scope == place })
	if m.State != state.MemberActive || !works {
		return fault.New(fault.Conflict, "member", "this member does not work at that centre")
	}
	key := dayKey(f.Centre, day)
	row, _, err := engine.Get[state.Roster](t, state.Rosters, key)
	if err != nil {
		return err
	}
	i := slices.Index(row.Members, f.Member)
	view := "put on the roster"
	switch {
	case *f.On == (i >= 0):
		return nil // as it is
	case *f.On && len(row.Members) >= rosterMost:
		return fault.New(fault.Conflict, "many", "the roster of that day is full")
	case *f.On:
		row.Members = append(row.Members, f.Member)
	default:
		row.Members, view = slices.Delete(row.Members, i, i+1), "taken off the roster"
	}
	t.Append(a.entry(view, key, f.Member))
	return engine.Put(t, state.Rosters, key, row, 0)
}

func (t *txn) roster(a *actor, centre, date string, out *vault.StaffActed) error {
	n, err := strconv.ParseInt(centre, 10, 64)
	if err != nil || n <= 0 {
		return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id")
	}
	day, err := civil.ParseIndian(date)
	if err != nil {
		return err
	}
	if _, err := t.rosterer(a, policy.StaffRoster, id.Centre(n)); err != nil {
		return err
	}
	row, _, err := engine.Get[state.Roster](t, state.Rosters, dayKey(id.Centre(n), day))
	if err != nil {
		return err
	}
	out.Centre, out.Day, out.Members = n, day.Indian(), []vault.StaffMember{}
	for _, member := range row.Members {
		m, err := t.staffMember(member)
		if err != nil {
			return err
		}
		v, err := t.k.viewMember(member, m)
		if err != nil {
			return err
		}
		out.Members = append(out.Members, v)
	}
	t.Append(a.entry("roster shown", dayKey(id.Centre(n), day), ""))
	return nil
}

// Rostered keeps of a centre's open sessions those of days on whose roster the member
// is.
func (k *Office) Rostered(on engine.Transaction, staff id.Staff, row state.Staff, open []state.OpenSession) ([]state.OpenSession, error) {
	var out []state.OpenSession
	for _, s := range open {
		ok, err := k.RosteredOn(on, staff, row, s.Centre, s.Day)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// RosteredOn reports whether a member is on a centre's roster of a day. A machine's key
// is rostered at its own centre, on every day; that it is its own the policies see.
func (k *Office) RosteredOn(on engine.Transaction, staff id.Staff, row state.Staff, c id.Centre, day civil.Date) (bool, error) {
	if row.Session == "" || ablate.Off(ablate.RosterCheck) {
		return true, nil
	}
	r, _, err := engine.Get[state.Roster](on, state.Rosters, dayKey(c, day))
	return slices.Contains(r.Members, string(staff)), err
}

// NotRostered tells a member that nobody put them on the roster.
func NotRostered() error {
	return fault.New(fault.Forbidden, "roster", "you are not on this centre's roster today; its manager puts you there")
}
