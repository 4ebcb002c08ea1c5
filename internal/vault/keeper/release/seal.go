package release

import (
	"crypto/sha256"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Identity is the sealed identity of a person. There is no id number in it.
type Identity struct {
	Schema      int
	Reference   id.Reference
	Name        string
	NameLocal   string `json:",omitempty"`
	BirthYear   int
	BirthDate   string `json:",omitempty"`
	GenderID    int
	IDType      int
	IDLast4     string
	Comorbidity bool
	Guardian    string `json:",omitempty"`
	Created     int64

	// Of the last correction by two people: its id, whose keys, and when.
	Change    string `json:",omitempty"`
	ChangedBy string `json:",omitempty"`
	ChangedAt int64  `json:",omitempty"`
}

// Consent is a sealed consent event.
type Consent struct {
	Schema   int
	Event    id.Event
	Version  string
	Language string
	Purpose  string
	By       string
	At       int64
}

// MatchRecord compares a record with the person's head. It returns the index of
// the pending seal that the record shows as stored, or -1.
func (k *Desk) MatchRecord(person id.Person, p state.Person, rec vault.Record) (int, error) {
	if ablate.Off(ablate.HeadCheck) {
		return -1, nil
	}
	chain := vault.ChainStart(k.keys.Realm, person)
	reached := p.Seq == 0 && chain == p.Chain
	for i, s := range rec.Parts {
		if s.Seq != int64(i)+1 {
			return -1, keyring.Altered("the parts of a person are not complete")
		}
		if s.Body != nil && sha256.Sum256(s.Body) != s.Hash {
			return -1, keyring.Altered("a sealed part was edited")
		}
		chain = vault.ChainNext(chain, s)
		if s.Seq == p.Seq && chain == p.Chain {
			reached = true
		}
	}
	if !reached {
		return -1, keyring.Altered("the parts of a person do not match the vault's head: edited, swapped, rolled back or deleted")
	}
	if int64(len(rec.Parts)) == p.Seq {
		return -1, nil
	}
	for i, s := range p.Pending {
		if s.Base == p.Seq && s.Chain == chain {
			return i, nil
		}
	}
	return -1, keyring.Altered("a part is stored that the vault never sealed")
}

// Advance moves the head over pending seal i and ends what waited for it.
func (t *Txn) Advance(person id.Person, p *state.Person, i int) error {
	s := p.Pending[i]
	p.Seq += int64(len(s.Parts))
	p.Chain = s.Chain
	if p.Parts == nil {
		p.Parts = map[vault.Part]int{}
	}
	for _, part := range s.Parts {
		p.Parts[part.Part] = part.Version
	}
	if p.State == state.Pending {
		p.State = state.Active
	}
	for b := range p.Bookings {
		if s.Hold != "" && p.Bookings[b].Hold == s.Hold && p.Bookings[b].State == state.Live {
			p.Bookings[b].State = state.Spent
		}
	}
	if err := t.EndSeals(p); err != nil {
		return err
	}
	if err := t.Stored(person, p, s); err != nil {
		return err
	}
	t.Append(engine.Entry{Kind: "committed", Person: person, View: "stored", Role: "system", Seal: engine.NoteOf(s.ID, s.Parts)})
	return nil
}

// EndSeals forgets what is pending: it was stored, superseded or given up.
func (t *Txn) EndSeals(p *state.Person) error {
	for _, s := range p.Pending {
		if err := t.Tx.EndTask(t.Ctx, "seal/"+s.ID); err != nil {
			return err
		}
		if s.Merge != "" {
			if err := t.Tx.EndTask(t.Ctx, MergeTask(s.ID)); err != nil {
				return err
			}
		}
	}
	p.Pending = nil
	return nil
}

// AddSeal makes pending what was sealed on top of the head.
func (t *Txn) AddSeal(person id.Person, p *state.Person, seal state.Seal, e engine.Entry) error {
	busy, err := t.Merging(*p)
	if err == nil && busy {
		err = ErrMerging()
	}
	if err != nil {
		return err
	}
	chain := p.Chain
	for _, part := range seal.Parts {
		chain = vault.ChainNext(chain, part)
	}
	seal.Base, seal.Chain, seal.At = p.Seq, chain, t.k.now().UnixMilli()
	p.Pending = append(p.Pending, seal)
	e.Kind, e.Person, e.Seal = "sealed", person, engine.NoteOf(seal.ID, seal.Parts)
	t.Append(e)
	return t.Tx.AddTask(t.Ctx, state.Task{ID: "seal/" + seal.ID, Kind: "seal", Person: person, Ref: seal.ID, Since: seal.At})
}

// Current returns the body of each part's current version.
func Current(rec vault.Record) map[vault.Part]vault.Sealed {
	out := map[vault.Part]vault.Sealed{}
	for _, s := range rec.Parts {
		if old, ok := out[s.Part]; !ok || s.Version > old.Version {
			out[s.Part] = s
		}
	}
	return out
}

// HashOf is the hash of a sealed part.
func HashOf(body []byte) vault.Hash { return sha256.Sum256(body) }

// PendingLife is how long a seal may stay without stored rows before it counts as abandoned.
const PendingLife = 24 * time.Hour

// UnderWay are a person's seals that may still be stored.
func UnderWay(p state.Person, now time.Time) (out []state.Seal) {
	since := now.Add(-PendingLife).UnixMilli()
	for _, s := range p.Pending {
		if s.At > since {
			out = append(out, s)
		}
	}
	return out
}
