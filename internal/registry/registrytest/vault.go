// Package registrytest holds what the tests of the registry and scheduling
// services share: a vault in memory that keeps the promises of the vault's
// words and nothing else, a migrated database in a temporary directory, and
// ways to make either fail at a chosen step.
package registrytest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

var (
	_ registry.Vault   = (*Vault)(nil)
	_ scheduling.Vault = (*Vault)(nil)
	_ registry.Vault   = (*vault.Client)(nil)
	_ scheduling.Vault = (*vault.Client)(nil)
)

// StaffProof is the proof of a staff request that the vault takes.
const StaffProof = "staff"

// Vault is a vault in memory. The zero value is not usable; see NewVault.
// Before and After may be set to make a call fail without or after its effect;
// PageLimit, to make the pages of unfinished work small; Refuse, to refuse the
// reports about a hold.
type Vault struct {
	registry.DoseWords   // nil: their tests are against the real vault
	registry.Corrections // nil
	Before, After        func(method string) error
	PageLimit            int
	Refuse               func(id.Hold) error

	mu       sync.Mutex
	now      func() time.Time
	house    map[string]id.Household
	people   map[id.Person]*person
	keys     map[string]enrolment
	seals    map[string]*seal
	presence map[presenceKey]*presence
	doses    map[string]vault.DoseSealed
	tasks    map[task]int64
	entries  []vault.Opening
	draws    map[id.Session]string
}

type person struct {
	house     id.Household
	slot      int
	ref       id.Reference
	who       vault.Identity
	committed bool
	gone      bool
	seq       int64
	chain     vault.Hash
	doses     int
}

type seal struct {
	parts  vault.Seal
	prev   int64
	done   bool
	dose   bool
	proof  string
	person id.Person
}

type presenceKey struct {
	person id.Person
	hold   id.Hold
}

type presence struct {
	offer vault.Offer
	dose  int
	state string // "live", "cancelled", "given", "released", "moved"
	from  id.Hold
}

// task is work whose end in the registry has not been reported; each kind is
// reported on its own. A removal has no hold.
type task struct {
	kind   string
	hold   id.Hold
	person id.Person
}

// enrolment is what an enrolment's key stands for, for keyLife.
type enrolment struct {
	vault.Enrolled
	body string
	at   time.Time
}

// keyLife is how long the vault keeps an enrolment's key.
const keyLife = 24 * time.Hour

// bearerLife is how long a bearer lives, counted from when it is shown.
const bearerLife = 15 * time.Minute

// NewVault makes an empty vault.
func NewVault(now func() time.Time) *Vault {
	return &Vault{now: now, house: map[string]id.Household{}, people: map[id.Person]*person{}, keys: map[string]enrolment{},
		seals: map[string]*seal{}, presence: map[presenceKey]*presence{}, doses: map[string]vault.DoseSealed{}, tasks: map[task]int64{}}
}

// SignIn makes a household whose bearer is the given text.
func (v *Vault) SignIn(bearer string) vault.Holder {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.house[bearer] = id.Household(id.New())
	return vault.Holder{Bearer: bearer}
}

func (v *Vault) enter(method string) (func(*error), error) {
	if v.Before != nil {
		if err := v.Before(method); err != nil {
			return nil, err
		}
	}
	v.mu.Lock()
	return func(err *error) {
		v.mu.Unlock()
		if *err == nil && v.After != nil {
			*err = v.After(method)
		}
	}, nil
}

func (v *Vault) holder(h vault.Holder) (id.Household, error) {
	hh, ok := v.house[h.Bearer]
	if !ok {
		return "", fault.New(fault.Unauthorized, "bearer", "no session")
	}
	return hh, nil
}

func (v *Vault) members(hh id.Household) []vault.Member {
	var out []vault.Member
	for p, d := range v.people {
		if d.house == hh && !d.gone {
			out = append(out, vault.Member{Person: p, Slot: d.slot, Pending: !d.committed})
		}
	}
	slices.SortFunc(out, func(a, b vault.Member) int { return a.Slot - b.Slot })
	return out
}

// check compares a record with the person's head, or with a pending seal on
// top of it.
func (v *Vault) check(r vault.Record) error {
	bad := fault.New(fault.Integrity, "head", "a record does not match its head")
	d := v.people[r.Person]
	if d == nil {
		return bad
	}
	chain := vault.ChainStart(id.DefaultRealm, r.Person)
	okAt := d.seq == 0 && len(r.Parts) == 0
	for i, p := range r.Parts {
		if p.Seq != int64(i)+1 || (p.Body != nil && sha256.Sum256(p.Body) != p.Hash) {
			return bad
		}
		chain = vault.ChainNext(chain, p)
		switch {
		case p.Seq == d.seq:
			if chain != d.chain {
				return bad
			}
			okAt = true
		case p.Seq > d.seq:
			if !v.pending(r.Person, p) {
				return bad
			}
			okAt = true
		}
	}
	if !okAt || int64(len(r.Parts)) < d.seq {
		return bad
	}
	return nil
}

func (v *Vault) pending(p id.Person, part vault.Sealed) bool {
	for _, s := range v.seals {
		if s.person == p && !s.done && slices.ContainsFunc(s.parts.Parts, func(x vault.Sealed) bool { return x.Seq == part.Seq && x.Hash == part.Hash }) {
			return true
		}
	}
	return false
}

func (v *Vault) seal(p id.Person, prev int64, parts ...vault.Part) *seal {
	s := &seal{prev: prev, person: p, parts: vault.Seal{ID: id.NewOrdered(), Person: p, Receipt: "receipt"}}
	for i, name := range parts {
		body := make([]byte, 40)
		rand.Read(body)
		s.parts.Parts = append(s.parts.Parts, vault.Sealed{Seq: prev + int64(i) + 1, Part: name, Version: 1, Hash: sha256.Sum256(body), Body: body})
	}
	v.seals[s.parts.ID] = s
	return s
}

// SealMore seals one more part of a person, as another writer would.
func (v *Vault) SealMore(p id.Person) vault.Seal {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seal(p, v.people[p].seq, vault.Part("consent/"+id.NewOrdered())).parts
}

// Membership implements the vault's word.
func (v *Vault) Membership(_ context.Context, h vault.Holder) (out vault.Membership, err error) {
	done, err := v.enter("Membership")
	if err != nil {
		return out, err
	}
	defer done(&err)
	hh, err := v.holder(h)
	if err != nil {
		return out, err
	}
	return vault.Membership{Household: hh, Members: v.members(hh), ExpiresAt: v.now().Add(bearerLife).UnixMilli()}, nil
}

// Enrol implements the vault's word. After a day a key is forgotten and the id
// number alone refuses a second enrolment.
func (v *Vault) Enrol(_ context.Context, r vault.EnrolRequest) (out vault.Enrolled, err error) {
	done, err := v.enter("Enrol")
	if err != nil {
		return out, err
	}
	defer done(&err)
	hh, err := v.holder(r.Holder)
	if err != nil {
		return out, err
	}
	key, body := string(hh)+"/"+r.Key, fmt.Sprint(r.Identity, r.Consent)
	if e, ok := v.keys[key]; ok && v.now().Before(e.at.Add(keyLife)) {
		switch d := v.people[e.Seal.Person]; {
		case e.body != body:
			return out, fault.New(fault.Conflict, "key", "the key came with another request")
		case d.gone:
			return out, fault.New(fault.NotFound, "person", "not a member")
		case d.committed:
			e.Seal = vault.Seal{Person: e.Seal.Person}
		}
		return e.Enrolled, nil
	}
	taken := map[int]bool{}
	for _, m := range v.members(hh) {
		taken[m.Slot] = true
		if v.people[m.Person].who.IDNumber == r.Identity.IDNumber {
			return out, fault.New(fault.Conflict, "id-in-use", "already in this household")
		}
	}
	slot := 1
	for taken[slot] {
		slot++
	}
	if slot > 6 {
		return out, fault.New(fault.Full, "members", "six members")
	}
	p := id.Person(id.New())
	v.people[p] = &person{house: hh, slot: slot, ref: id.NewReference(), who: r.Identity}
	s := v.seal(p, 0, vault.PartIdentity, vault.PartConsentPrefix+vault.Part(id.NewOrdered()))
	out = vault.Enrolled{Seal: s.parts, Reference: v.people[p].ref, Household: hh, Slot: slot}
	v.keys[key] = enrolment{out, body, v.now()}
	return out, nil
}

// SetReference makes a person's number collide with another's.
func (v *Vault) SetReference(p id.Person, r id.Reference) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.people[p].ref = r
	for k, e := range v.keys {
		if e.Seal.Person == p {
			e.Reference = r
			v.keys[k] = e
		}
	}
}

// Committed implements the vault's word.
func (v *Vault) Committed(_ context.Context, r vault.CommittedRequest) (out vault.CommittedAnswer, err error) {
	done, err := v.enter("Committed")
	if err != nil {
		return out, err
	}
	defer done(&err)
	for _, name := range r.Seals {
		s := v.seals[name]
		if s == nil || s.done {
			continue
		}
		d := v.people[s.person]
		if s.prev != d.seq {
			return out, fault.New(fault.Conflict, "head", "another seal was committed there")
		}
		if d.seq == 0 {
			d.chain = vault.ChainStart(id.DefaultRealm, s.person)
		}
		for _, p := range s.parts.Parts {
			d.chain, d.seq = vault.ChainNext(d.chain, p), p.Seq
		}
		s.done, d.committed = true, true
		if s.dose {
			d.doses++
		}
		out.Advanced++
	}
	return out, nil
}

// Open implements the vault's word.
func (v *Vault) Open(_ context.Context, r vault.OpenRequest) (out vault.Opened, err error) {
	done, err := v.enter("Open")
	if err != nil {
		return out, err
	}
	defer done(&err)
	hh, err := v.holder(r.Holder)
	if err != nil {
		return out, err
	}
	brought := map[id.Person]vault.Record{}
	for _, rec := range r.Records {
		brought[rec.Person] = rec
	}
	for _, m := range v.members(hh) {
		rec, ok := brought[m.Person]
		if !ok && m.Pending {
			continue
		}
		if err := v.check(rec); !ok || err != nil {
			return vault.Opened{}, fault.New(fault.Integrity, "head", "a record does not match its head")
		}
		d := v.people[m.Person]
		status := []string{"Not Vaccinated", "Partially Vaccinated", "Vaccinated"}[min(d.doses, 2)]
		out.People = append(out.People, vault.Person{Person: m.Person, Reference: d.ref, Name: d.who.Name, BirthYear: d.who.BirthYear, Status: status})
	}
	slices.SortFunc(out.People, func(a, b vault.Person) int { return strings.Compare(string(a.Person), string(b.Person)) })
	out.ViewRef, out.Receipts = id.New(), []string{"receipt"}
	return out, nil
}

// Openings implements the vault's word.
func (v *Vault) Openings(_ context.Context, r vault.OpeningsRequest) (out vault.Openings, err error) {
	done, err := v.enter("Openings")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if _, err := v.holder(r.Holder); err != nil {
		return out, err
	}
	return vault.Openings{ViewRef: fmt.Sprintf("%d/%d", r.Before, r.Limit), Entries: v.entries}, nil
}

// Certificate implements the vault's word.
func (v *Vault) Certificate(_ context.Context, r vault.CertificateRequest) (out vault.Certificate, err error) {
	done, err := v.enter("Certificate")
	if err != nil {
		return out, err
	}
	defer done(&err)
	if err := v.mine(r.Holder, r.Record); err != nil {
		return out, err
	}
	if v.people[r.Record.Person].doses == 0 {
		return out, fault.New(fault.NotFound, "certificate", "no counted dose")
	}
	return vault.Certificate{PDF: []byte("%PDF"), HC1: "HC1:", ViewRef: id.New()}, nil
}

// mine checks bearer, membership and record.
func (v *Vault) mine(h vault.Holder, recs ...vault.Record) error {
	hh, err := v.holder(h)
	if err != nil {
		return err
	}
	for _, rec := range recs {
		d := v.people[rec.Person]
		if d == nil || d.house != hh || d.gone {
			return fault.New(fault.NotFound, "person", "not a member")
		}
		if err := v.check(rec); err != nil {
			return err
		}
	}
	return nil
}
