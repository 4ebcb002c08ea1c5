// Package budgets keeps the budgets of codeless openings in the vault's rows: it reads
// what internal/access/budget needs to decide, and writes what that says. It holds no key
// and knows no evidence; whoever calls it does so inside the transaction that also writes
// the ledger entry, so that an opening and its count stand or fall together.
package budgets

import (
	"bytes"
	"encoding/json"
	"strconv"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/budget"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// Rows are the rows of state.Budgets within one transaction. Get checks that a row is as
// the vault wrote it last; a row must be read before it is put.
type Rows interface {
	Get(key string) (row state.Budget, ok bool, err error)
	Put(key string, row state.Budget) error
}

// Place is where and by whom something happens. District is its state's and its own name,
// as the session's manager signed them.
type Place struct {
	Staff    id.Staff
	Centre   id.Centre
	District string
	Day      civil.Date // the session's day at the centre
	Now      int64      // Unix milliseconds
}

// The keys of the rows.
const (
	settingsKey = "settings"
	systemName  = "system"
	watchedAll  = "tripped"
)

// RosterPrefix begins the keys of the rows that say whether a centre opens from its day's
// list; the centre's number follows.
const RosterPrefix = "roster/"

func memberKey(s id.Staff) string  { return "member/" + string(s) }
func centreKey(c id.Centre) string { return "centre/" + strconv.FormatInt(int64(c), 10) }
func rosterKey(c id.Centre) string { return RosterPrefix + strconv.FormatInt(int64(c), 10) }
func hourKey(scope string) string  { return "hour/" + scope }
func pastKey(scope string) string  { return "past/" + scope }
func watchKey(c id.Centre) string  { return watchedAll + "/" + strconv.FormatInt(int64(c), 10) }
func districtName(d string) string { return "district/" + d }
func hourOf(ms int64) int64        { return ms / (60 * 60 * 1000) }
func dayNumber(day civil.Date) int { return day.DaysSince(civil.Date{Year: 1970, Month: 1, Day: 1}) }
func malformed(what string) error {
	return fault.New(fault.Integrity, "row", "vault table budget: "+what+" is malformed")
}
func scopeOf(n string) budget.Scope {
	return map[bool]budget.Scope{true: budget.OfSystem, false: budget.OfDistrict}[n == systemName]
}

// Settings are the figures in force: those that two people approved last, or the defaults.
func Settings(rows Rows) (budget.Settings, error) {
	s, _, err := InForce(rows)
	return without(s), err
}

// InForce are those figures, and since when, in Unix milliseconds; 0: the defaults.
func InForce(rows Rows) (s budget.Settings, since int64, err error) {
	row, ok, err := rows.Get(settingsKey)
	if err != nil || !ok {
		return budget.DefaultSettings(), 0, err
	}
	dec := json.NewDecoder(bytes.NewReader(row.State))
	dec.DisallowUnknownFields()
	if dec.Decode(&s) != nil {
		return s, 0, malformed("the settings")
	}
	return s, row.At, s.Validate()
}

// without lifts the limits that a test build switches off.
func without(s budget.Settings) budget.Settings {
	const none = 1 << 20
	if ablate.Off(ablate.PendingCap) {
		s.Pending = none
	}
	if ablate.Off(ablate.GlassCap) {
		s.BreakGlass = none
	}
	if ablate.Off(ablate.NoDoseCap) {
		s.NoDose = none
	}
	if ablate.Off(ablate.StepUp) {
		s.StepUpMilli = 2 * none
	}
	return s
}

// SetSettings puts figures into force. Who may, with whom and after what delay is the
// caller's to know (R44). fault.Invalid: they make no budget.
func SetSettings(rows Rows, s budget.Settings, by, second id.Staff, now int64) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if _, _, err := rows.Get(settingsKey); err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "budget settings")
	}
	return rows.Put(settingsKey, state.Budget{State: raw, By: by, Second: second, At: now})
}

// Roster reports whether a centre may open from its day's list; off unless two people
// switched it on.
func Roster(rows Rows, c id.Centre) (bool, error) {
	row, _, err := rows.Get(rosterKey(c))
	return row.On, err
}

// SetRoster lets a centre open from its day's list, or ends that. As with SetSettings, who
// may is the caller's to know.
func SetRoster(rows Rows, c id.Centre, on bool, by, second id.Staff, now int64) error {
	if _, _, err := rows.Get(rosterKey(c)); err != nil {
		return err
	}
	return rows.Put(rosterKey(c), state.Budget{On: on, By: by, Second: second, At: now})
}

// Apply decides about one event and stores what follows. The verdict is the answer, not an
// error. Where a member has never opened anybody from a list, a dose or a confirmation
// changes nothing and costs one read.
func Apply(rows Rows, at Place, kind budget.Kind, person budget.Tag) (budget.Verdict, error) {
	v, err := apply(rows, at, kind, person)
	if err == nil && kind == budget.GaveDose && ablate.Off(ablate.ConfirmedOnly) {
		return apply(rows, at, budget.Confirm, person)
	}
	return v, err
}

func apply(rows Rows, at Place, kind budget.Kind, person budget.Tag) (budget.Verdict, error) {
	e := budget.Event{Kind: kind, Person: person, Day: dayNumber(at.Day), Hour: hourOf(at.Now)}
	b := book{rows: rows, at: at}
	member, known, err := b.member()
	if err != nil {
		return budget.Verdict{}, err
	}
	after := kind == budget.GaveDose || kind == budget.Confirm
	if kind == budget.OpenShown || (after && !known) {
		return budget.Verdict{Outcome: budget.Allow}, nil
	}
	s, err := Settings(rows)
	if err != nil {
		return budget.Verdict{}, err
	}
	before := budget.Load{Member: member}
	if before.Centre, err = b.centre(); err != nil {
		return budget.Verdict{}, err
	}
	if kind == budget.OpenBare || kind == budget.Phantom {
		if before.District, err = b.hour(s, districtName(at.District)); err == nil {
			before.System, err = b.hour(s, systemName)
		}
		if err != nil {
			return budget.Verdict{}, err
		}
	}
	next, verdict := s.Decide(before, e)
	if err := b.save(before, next); err != nil {
		return budget.Verdict{}, err
	}
	if verdict.Alert {
		err = b.tripped(verdict.Why)
	}
	return verdict, err
}

// GlassLeft is how many openings by break-glass a member's session day has left.
func GlassLeft(rows Rows, at Place) (int, error) {
	s, err := Settings(rows)
	if err != nil {
		return 0, err
	}
	m, _, err := book{rows: rows, at: at}.member()
	if err != nil || m.Day < dayNumber(at.Day) {
		return s.BreakGlass, err
	}
	return max(0, s.BreakGlass-m.BreakGlass), nil
}

// book is the rows of one event.
type book struct {
	rows Rows
	at   Place
}

func (b book) member() (m budget.Member, known bool, err error) {
	row, ok, err := b.rows.Get(memberKey(b.at.Staff))
	if err != nil || !ok {
		return m, false, err
	}
	return m, true, m.UnmarshalBinary(row.State)
}

func (b book) centre() (c budget.Centre, err error) {
	row, _, err := b.rows.Get(centreKey(b.at.Centre))
	return budget.Centre{Day: row.Day, Codeless: row.Codeless, Confirmed: row.Confirmed, SteppedUp: row.SteppedUp}, err
}

// hour is a scope's hour, begun anew when the last one is over: then its count becomes
// history, in a row that is read and written once an hour.
func (b book) hour(s budget.Settings, scope string) (budget.Hour, error) {
	return hourRow(b.rows, s, scopeOf(scope), scope, hourOf(b.at.Now))
}

func hourRow(rows Rows, s budget.Settings, kind budget.Scope, scope string, hour int64) (budget.Hour, error) {
	row, _, err := rows.Get(hourKey(scope))
	if err != nil {
		return budget.Hour{}, err
	}
	h := budget.Hour{Hour: row.Hour, N: row.N, Limit: row.Limit}
	if h.Limit > 0 && hour <= h.Hour {
		return h, nil
	}
	old, ok, err := rows.Get(pastKey(scope))
	if err != nil {
		return h, err
	}
	var past budget.History
	if ok {
		if err := past.UnmarshalBinary(old.State); err != nil {
			return h, err
		}
	}
	h, past, _ = s.Roll(kind, h, past, hour)
	raw, err := past.MarshalBinary()
	if err != nil {
		return h, err
	}
	if err := rows.Put(pastKey(scope), state.Budget{State: raw}); err != nil {
		return h, err
	}
	return h, rows.Put(hourKey(scope), state.Budget{Hour: h.Hour, N: h.N, Limit: h.Limit})
}

func (b book) putHour(scope string, h budget.Hour) error {
	return b.rows.Put(hourKey(scope), state.Budget{Hour: h.Hour, N: h.N, Limit: h.Limit})
}

// save writes what differs.
func (b book) save(before, next budget.Load) error {
	was, err := before.Member.MarshalBinary()
	if err != nil {
		return err
	}
	is, err := next.Member.MarshalBinary()
	if err != nil {
		return err
	}
	if !bytes.Equal(was, is) {
		if err := b.rows.Put(memberKey(b.at.Staff), state.Budget{State: is}); err != nil {
			return err
		}
	}
	if c := next.Centre; c != before.Centre {
		if err := b.rows.Put(centreKey(b.at.Centre), state.Budget{Day: c.Day, Codeless: c.Codeless, Confirmed: c.Confirmed, SteppedUp: c.SteppedUp}); err != nil {
			return err
		}
	}
	if next.District != before.District {
		if err := b.putHour(districtName(b.at.District), next.District); err != nil {
			return err
		}
	}
	if next.System != before.System {
		return b.putHour(systemName, next.System)
	}
	return nil
}
