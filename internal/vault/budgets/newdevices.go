package budgets

import (
	"tikakosh/internal/access/budget"
	"tikakosh/internal/vault/state"
)

// NewDevices are the figures of the breaker on households that devices new to them open
// (ADR 39), in an hour.
type NewDevices struct {
	Percent       int // of the median of the same hour of the week
	Weeks         int // from how many weeks of history on
	DistrictFloor int // an hour that is never too many: the limit is not below it
	DistrictStart int // the limit while there is less history
	SystemFloor   int
	SystemStart   int
}

// DefaultNewDevices are our choice: three times what is usual, as a campaign doubles it; and
// figures at the start that a state's first day stays below.
func DefaultNewDevices() NewDevices {
	return NewDevices{Percent: 300, Weeks: 4, DistrictFloor: 100, DistrictStart: 10_000, SystemFloor: 1000, SystemStart: 200_000}
}

// settings are the figures in the words of the pure rules.
func (n NewDevices) settings() budget.Settings {
	return budget.Settings{BreakerPercent: n.Percent, BreakerWeeks: n.Weeks, DistrictFloor: n.DistrictFloor, DistrictStart: n.DistrictStart,
		SystemFloor: n.SystemFloor, SystemStart: n.SystemStart}
}

// newDevice begins the names of the breaker's rows.
const newDevice = "new-device/"

// Spend counts one more household that a device new to it opens, in a district ("" is not
// known) and in the whole system, unless this hour has had as many as it may: then over is
// true and nothing is counted. last is true for the last one of the hour.
func (n NewDevices) Spend(rows Rows, district string, now int64) (over, last bool, err error) {
	s, hour := n.settings(), hourOf(now)
	scopes := map[string]budget.Scope{newDevice + systemName: budget.OfSystem}
	if district != "" {
		scopes[newDevice+districtName(district)] = budget.OfDistrict
	}
	hours := map[string]budget.Hour{}
	for name, scope := range scopes {
		h, err := hourRow(rows, s, scope, name, hour)
		if err != nil {
			return false, false, err
		}
		hours[name] = h
		over = over || h.N >= h.Limit
	}
	if over {
		return true, false, nil
	}
	for name, h := range hours {
		h.N++
		last = last || h.N >= h.Limit
		if err := rows.Put(hourKey(name), state.Budget{Hour: h.Hour, N: h.N, Limit: h.Limit}); err != nil {
			return false, false, err
		}
	}
	return false, last, nil
}
