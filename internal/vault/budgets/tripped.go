package budgets

import (
	"slices"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// How many of the newest are kept for a centre's manager and for the privacy officer. The
// ledger has all.
const (
	keptOfCentre = 100
	keptOfAll    = 300
)

// Tripped lists what tripped, the newest first: of a centre for its manager, of all (0)
// for the privacy officer.
func Tripped(rows Rows, c id.Centre) ([]state.Tripped, error) {
	key := watchedAll
	if c != 0 {
		key = watchKey(c)
	}
	row, _, err := rows.Get(key)
	out := slices.Clone(row.Tripped)
	slices.Reverse(out)
	return out, err
}

// tripped notes something for those who watch.
func (b book) tripped(why budget.Reason) error {
	return Note(b.rows, b.at, string(why))
}

// Note puts something on the lists of those who watch: the same of one member of staff
// within an hour is one row that counts.
func Note(rows Rows, at Place, why string) error {
	name := id.New()
	for key, keep := range map[string]int{watchedAll: keptOfAll, watchKey(at.Centre): keptOfCentre} {
		row, _, err := rows.Get(key)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(row.Tripped, func(t state.Tripped) bool {
			return t.Why == why && t.Staff == at.Staff && t.Centre == at.Centre && hourOf(t.At) == hourOf(at.Now)
		})
		if i >= 0 {
			row.Tripped[i].N++
		} else {
			row.Tripped = append(row.Tripped[max(0, len(row.Tripped)-keep+1):], state.Tripped{At: at.Now, Why: why, Staff: at.Staff, Centre: at.Centre, N: 1, ID: name})
		}
		if err := rows.Put(key, row); err != nil {
			return err
		}
	}
	return nil
}

// Find is what tripped under an id: among the newest of all, or of a centre.
func Find(rows Rows, name string, c id.Centre) (state.Tripped, bool, error) {
	for _, key := range []string{watchedAll, watchKey(c)} {
		row, _, err := rows.Get(key)
		if err != nil {
			return state.Tripped{}, false, err
		}
		if i := slices.IndexFunc(row.Tripped, func(t state.Tripped) bool { return t.ID == name }); i >= 0 && name != "" {
			return row.Tripped[i], true, nil
		}
	}
	return state.Tripped{}, false, nil
}

// Seen notes on both lists who has seen to something that tripped. The last one counts.
func Seen(rows Rows, w state.Tripped, by id.Staff, now int64) error {
	for _, key := range []string{watchedAll, watchKey(w.Centre)} {
		row, _, err := rows.Get(key)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(row.Tripped, func(t state.Tripped) bool { return t.ID == w.ID })
		if i < 0 {
			continue
		}
		row.Tripped[i].SeenBy, row.Tripped[i].SeenAt = by, now
		if err := rows.Put(key, row); err != nil {
			return err
		}
	}
	return nil
}
