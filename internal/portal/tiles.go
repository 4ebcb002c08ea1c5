package portal

import (
	"slices"
	"strconv"

	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/statistics"
)

// tileAt is where a state's tile lies: column and row from the north-west. The grid is our own
// work and no map: it shows every state and union territory alike, and no boundary.
type tileAt struct {
	short    string
	col, row int
}

// tilePlan places each state by its name. Dadra and Nagar Haveli and Daman and Diu are two
// numbers of the directory and one territory.
func tilePlan() map[string]tileAt {
	return map[string]tileAt{
		"Jammu and Kashmir": {"JK", 3, 1}, "Ladakh": {"LA", 4, 1},
		"Punjab": {"PB", 2, 2}, "Chandigarh": {"CH", 3, 2}, "Himachal Pradesh": {"HP", 4, 2}, "Uttarakhand": {"UK", 5, 2},
		"Rajasthan": {"RJ", 2, 3}, "Haryana": {"HR", 3, 3}, "Delhi": {"DL", 4, 3}, "Uttar Pradesh": {"UP", 5, 3}, "Bihar": {"BR", 6, 3}, "Sikkim": {"SK", 7, 3}, "Arunachal Pradesh": {"AR", 9, 3},
		"Gujarat": {"GJ", 2, 4}, "Madhya Pradesh": {"MP", 3, 4}, "Chhattisgarh": {"CG", 4, 4}, "Jharkhand": {"JH", 5, 4}, "West Bengal": {"WB", 6, 4}, "Meghalaya": {"ML", 7, 4}, "Assam": {"AS", 8, 4}, "Nagaland": {"NL", 9, 4},
		"Dadra and Nagar Haveli": {"DH", 1, 5}, "Maharashtra": {"MH", 2, 5}, "Telangana": {"TS", 3, 5}, "Odisha": {"OD", 4, 5}, "Tripura": {"TR", 7, 5}, "Mizoram": {"MZ", 8, 5}, "Manipur": {"MN", 9, 5},
		"Daman and Diu": {"DD", 1, 4}, "Goa": {"GA", 2, 6}, "Karnataka": {"KA", 3, 6}, "Andhra Pradesh": {"AP", 4, 6},
		"Lakshadweep": {"LD", 1, 7}, "Kerala": {"KL", 2, 7}, "Tamil Nadu": {"TN", 3, 7}, "Puducherry": {"PY", 4, 7}, "Andaman and Nicobar Islands": {"AN", 7, 7},
	}
}

// tiles is the map of states, shaded by quarters of those that have figures.
func (c *Ctx) tiles(p statistics.Published) ([]view.Tile, []view.Step) {
	sum := sumOf(p).doses
	var values []int64
	for name, n := range sum {
		if name != "" && n > 0 {
			values = append(values, n)
		}
	}
	slices.Sort(values)
	bound := func(step int) int64 { // the least of a step
		return values[(step-1)*len(values)/4]
	}
	plan := tilePlan()
	var out []view.Tile
	for _, s := range c.s.cfg.Places.States() {
		at, ok := plan[s.Name]
		if !ok {
			continue
		}
		t := view.Tile{Short: at.short, Col: at.col, Row: at.row, Name: c.local(s.Name, s.NameHi), Href: "/numbers?state=" + strconv.Itoa(s.ID), Value: c.say.T("numbers.few")}
		if n := sum[s.Name]; n > 0 {
			t.Value = catalogue.Number(n)
			for t.Step = 4; t.Step > 1 && n < bound(t.Step); t.Step-- {
			}
		}
		out = append(out, t)
	}
	steps := []view.Step{{Step: 0, Text: c.say.T("numbers.few")}}
	for step := 1; step <= 4 && len(values) >= 4; step++ {
		steps = append(steps, view.Step{Step: step, Text: c.say.T("numbers.from", "N", catalogue.Number(bound(step)))})
	}
	return out, steps
}

// stateTiles is the map of states of the search: a square leads to the districts.
func (c *Ctx) stateTiles() []view.Tile {
	plan := tilePlan()
	var out []view.Tile
	for _, s := range c.s.cfg.Places.States() {
		if at, ok := plan[s.Name]; ok {
			out = append(out, view.Tile{Short: at.short, Col: at.col, Row: at.row, Name: c.local(s.Name, s.NameHi), Href: "/find?state=" + strconv.Itoa(s.ID)})
		}
	}
	return out
}
