package presence

import (
	"slices"
	"strconv"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// waitingAt is the key of the row that lists a centre's latest requests: whoever works there
// finds them, however many others ask elsewhere. It sorts behind every request's own key.
func waitingAt(c id.Centre) string { return "centre/" + strconv.FormatInt(int64(c), 10) }

// Waits puts a new request on its centre's list, and takes off it what is over.
func (t *Txn) Waits(name string, c id.Centre) error {
	row, _, err := engine.Get[state.Presence](t, state.Presences, waitingAt(c))
	if err != nil {
		return err
	}
	now := t.d.cfg.Now()
	row.Kind, row.Centre, row.At = state.PresenceIndex, c, now.UnixMilli()
	over := func(old state.PresenceAt) bool { return old.At <= now.Add(-2*glassWait).UnixMilli() }
	row.Latest = append(slices.DeleteFunc(slices.Clone(row.Latest), over), state.PresenceAt{ID: name, At: row.At})
	return t.Keep(waitingAt(c), row)
}

// latest are a centre's requests of the last minutes, the oldest first.
func (t *Txn) latest(c id.Centre) ([]state.PresenceAt, error) {
	row, _, err := engine.Get[state.Presence](t, state.Presences, waitingAt(c))
	return row.Latest, err
}
