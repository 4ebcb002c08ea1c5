package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// knownMax bounds the bearers remembered; one goes for each that comes then.
const knownMax = 50_000

// household is what this process has seen of a bearer's household.
type household struct {
	id      id.Household
	people  map[id.Reference]id.Person
	members []vault.Member // all of them, or none
	expires int64          // the bearer's
}

// known remembers the households that the vault has told for live bearers, so
// that a booking under a rush asks the vault once and not three times. It grants
// nothing: what it leads to is held, and the vault decides anew on every
// booking. Bearers are kept as keyed digests.
type known struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]household

	once sync.Once
	salt [32]byte // of this process: what stays in memory tells no bearer's hash
}

// key is the name of a bearer in the map.
func (k *known) key(h vault.Holder) (out [sha256.Size]byte) {
	k.once.Do(func() { rand.Read(k.salt[:]) })
	d := sha256.New()
	d.Write(k.salt[:])
	d.Write([]byte(h.Bearer))
	d.Sum(out[:0])
	return out
}

func (k *known) get(h vault.Holder, now int64) (household, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.by[k.key(h)]
	return v, ok && now < v.expires
}

// put remembers the people seen under a bearer, beside those seen before.
func (k *known) put(h vault.Holder, m vault.Membership, people map[id.Reference]id.Person) {
	if m.ExpiresAt == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil {
		k.by = map[[sha256.Size]byte]household{}
	}
	for other := range k.by { // in no order
		if len(k.by) < knownMax {
			break
		}
		delete(k.by, other)
	}
	k.by[k.key(h)] = household{id: m.Household, people: people, members: slices.Clone(m.Members), expires: m.ExpiresAt}
}

// enrolled remembers a person who has just come, and the household with them.
func (k *known) enrolled(h vault.Holder, e vault.Enrolled, now int64) {
	people := map[id.Reference]id.Person{}
	if old, ok := k.get(h, now); ok {
		maps.Copy(people, old.people)
	}
	people[e.Reference] = e.Seal.Person
	k.put(h, vault.Membership{Household: e.Household, Members: e.Members, ExpiresAt: e.ExpiresAt}, people)
}

func (k *known) forget(h vault.Holder) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.by, k.key(h))
}

// Members returns the holder's household and members of it by reference number,
// in the order asked, as this process last saw them, or else as the vault says.
// It proves nothing about anybody who has left since: the vault's own check of
// a booking does. fault.NotFound, always the same, when somebody is unknown or
// not a member.
func (s *Service) Members(ctx context.Context, h vault.Holder, refs []id.Reference) (id.Household, []id.Person, error) {
	people := make([]id.Person, len(refs))
	if v, ok := s.known.get(h, s.now().UnixMilli()); ok {
		all := true
		for i, r := range refs {
			people[i] = v.people[r]
			all = all && people[i] != ""
		}
		if all {
			return v.id, people, nil
		}
	}
	m, rows, err := s.resolved(ctx, h, refs)
	if err != nil {
		return "", nil, err
	}
	for i, r := range rows {
		people[i] = r.Person
	}
	return m.Household, people, nil
}

// resolved is resolve with the membership it was found in.
func (s *Service) resolved(ctx context.Context, h vault.Holder, refs []id.Reference) (vault.Membership, []PersonRow, error) {
	m, err := s.vault.Membership(ctx, h)
	if fault.Is(err, fault.Unauthorized) {
		s.known.forget(h)
	}
	if err != nil {
		return m, nil, err
	}
	rows, err := s.among(ctx, h, m, refs)
	return m, rows, err
}
