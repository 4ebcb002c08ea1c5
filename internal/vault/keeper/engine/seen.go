package engine

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"tikakosh/internal/vault/state"
)

// How many rows the vault remembers of the tables that are not kept whole.
const (
	grantingLimit = 200_000 // households, persons, id tags
	passingLimit  = 500_000 // rows that expire
)

// sighting is the highest version of a row this process has committed or read,
// when the row may go, and when it was remembered, counted in sightings.
type sighting struct {
	version, expires int64
	at               uint64
}

// rowID stands for a row's name in memory: two hashes under seeds that only this
// process knows, so that nobody can choose names that collide.
type rowID [16]byte

// memory is what this process knows of rows, so that none goes back or
// disappears under it. Staff keys, open sessions and mobile indexes are kept
// whole: they are read far more often than written, so that a row put back
// after its use leaves no other trace. Of the rest some are kept, and one goes
// for each that comes when there are too many.
type memory struct {
	count atomic.Uint64 // how many times a row was remembered
	swept atomic.Int64  // housekeeping dropped what expired before this time
	seeds [2]maphash.Seed

	mu      sync.Mutex
	rows    map[state.Table]map[rowID]sighting // by class, under the class's first table
	revoked map[string]int64                   // ended bearers by row key, until they expire
}

func newMemory() *memory {
	return &memory{rows: map[state.Table]map[rowID]sighting{state.StaffKeys: {}, state.Persons: {}, state.Bearers: {}}, revoked: map[string]int64{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

func (m *memory) id(name string) (out rowID) {
	for i, seed := range m.seeds {
		binary.LittleEndian.PutUint64(out[8*i:], maphash.String(seed, name))
	}
	return out
}

// class is the map a table's rows are in and how many it may have (0: all).
func class(t state.Table) (state.Table, int) {
	switch t {
	case state.StaffKeys, state.OpenSessions, state.MobileIndexes, state.Partners, state.KeyStates,
		state.StaffMembers, state.StaffProposals, state.StaffAreas, state.Rosters, state.StaffDepartments:
		return state.StaffKeys, 0
	case state.Households, state.Persons, state.IDTags, state.Cards:
		return state.Persons, grantingLimit
	}
	return state.Bearers, passingLimit
}

func tableOf(name string) state.Table {
	t, _, _ := strings.Cut(name, "/")
	return state.Table(t)
}

// gone says whether housekeeping may have dropped the row.
func (m *memory) gone(s sighting, now int64) bool {
	return s.expires > 0 && s.expires < max(now, m.swept.Load())
}

// last is the version of a row that a snapshot must at least show which began
// after so many sightings, or 0 when nothing is known about it: a row
// remembered later may rightly look older there, and one that has expired may
// be gone or made anew.
func (m *memory) last(t state.Table, key string, began uint64, now int64) int64 {
	name := m.id(rowName(t, key))
	m.mu.Lock()
	defer m.mu.Unlock()
	c, _ := class(t)
	s := m.rows[c][name]
	if s.at > began || m.gone(s, now) {
		return 0
	}
	return s.version
}

// remember keeps the versions that a committed transaction saw. Fresh rows were
// made anew, so their count of versions began again.
func (m *memory) remember(seen map[string]sighting, fresh map[string]bool, now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, s := range seen {
		c, limit := class(tableOf(name))
		rows, at := m.rows[c], m.id(name)
		old, known := rows[at]
		if s.version <= old.version && !fresh[name] && !m.gone(old, now) {
			continue
		}
		if !known && limit > 0 {
			for other := range rows { // in no order
				if len(rows) < limit {
					break
				}
				delete(rows, other)
			}
		}
		s.at = m.count.Add(1)
		rows[at] = s
	}
}

// learn takes rows in that were compared at or after the start, unless something newer is
// known of them, and reports whether the class of their table has room for more.
func (m *memory) learn(t state.Table, rows []state.Stored) (more bool) {
	c, limit := class(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.rows[c]
	for _, r := range rows {
		if limit > 0 && len(known) >= limit {
			return false
		}
		name := m.id(rowName(t, r.Key))
		if old, ok := known[name]; ok && old.version >= r.Version {
			continue
		}
		known[name] = sighting{version: r.Version, expires: r.Expires, at: m.count.Add(1)}
	}
	return true
}

// forget drops what expired before a time.
func (m *memory) forget(before int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, s := range m.rows[state.Bearers] {
		if s.expires > 0 && s.expires < before {
			delete(m.rows[state.Bearers], name)
		}
	}
	for key, until := range m.revoked {
		if until < before {
			delete(m.revoked, key)
		}
	}
}

// revoke remembers an ended bearer until no bearer of its time can be live.
func (m *memory) revoke(key string, until int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revoked[key] = until
}

// ended lists the row keys of the bearers that have ended, in order.
func (m *memory) ended() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.revoked))
}

func (m *memory) isRevoked(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.revoked[key]
	return ok
}

// drop forgets rows that were removed.
func (m *memory) drop(names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		c, _ := class(tableOf(name))
		delete(m.rows[c], m.id(name))
	}
}
