package keeper

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"strconv"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// blobSchema is the schema of the sealed documents; it is in the associated data.
const blobSchema = 1

// identity is the sealed identity of a person. There is no id number in it.
type identity struct {
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
}

// consent is a sealed consent event.
type consent struct {
	Schema   int
	Event    id.Event
	Version  string
	Language string
	Purpose  string
	By       string
	At       int64
}

// dataKey unwraps a person's data key.
func (k *Keeper) dataKey(person id.Person, p state.Person) (cipher.AEAD, error) {
	keys := k.keys.now()
	if ablate.Off(ablate.AEADBinding) {
		return keys.epochs[keys.epochName], nil
	}
	epoch := keys.epochs[p.Epoch]
	if epoch == nil {
		return nil, integrity(state.Persons, "a data key is wrapped under an epoch key that is destroyed")
	}
	raw, err := epoch.Open(nil, nil, p.Wrapped, k.dataKeyAAD(person, p.Epoch))
	if err != nil {
		return nil, integrity(state.Persons, "a data key does not open")
	}
	return newAEAD(raw)
}

// newDataKey makes a person's data key, wrapped under the current epoch key.
func (k *Keeper) newDataKey(person id.Person) (epoch string, wrapped []byte) {
	return k.wrapDataKey(person, randomBytes(32))
}

func (k *Keeper) wrapDataKey(person id.Person, raw []byte) (epoch string, wrapped []byte) {
	keys := k.keys.now()
	return keys.epochName, keys.epochs[keys.epochName].Seal(nil, nil, raw, k.dataKeyAAD(person, keys.epochName))
}

func (k *Keeper) dataKeyAAD(person id.Person, epoch string) []byte {
	return []byte("tikakosh/data-key/v1\x00" + epoch + "\x00" + string(person))
}

// partAAD binds a blob to realm, person, part, version and schema (design.md 4).
func (k *Keeper) partAAD(person id.Person, part vault.Part, version int) []byte {
	if ablate.Off(ablate.AEADBinding) {
		return nil
	}
	return []byte("tikakosh/part/v1\x00" + strconv.Itoa(int(k.keys.realm)) + "\x00" + string(person) + "\x00" + string(part) +
		"\x00" + strconv.Itoa(version) + "\x00" + strconv.Itoa(blobSchema))
}

// sealPart seals one document as the next part of a person.
func (k *Keeper) sealPart(person id.Person, key cipher.AEAD, seq int64, part vault.Part, version int, doc any) (vault.Sealed, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return vault.Sealed{}, fault.Wrap(fault.Internal, err, "sealed document")
	}
	body := append([]byte{1}, raw...)
	if !ablate.Off(ablate.Sealing) {
		body = key.Seal([]byte{1}, nil, raw, k.partAAD(person, part, version))
	}
	return vault.Sealed{Seq: seq, Part: part, Version: version, Hash: sha256.Sum256(body), Body: body}, nil
}

func (k *Keeper) openPart(person id.Person, key cipher.AEAD, s vault.Sealed, doc any) error {
	if len(s.Body) < 2 || s.Body[0] != 1 {
		return altered("a sealed part has no known form")
	}
	raw := s.Body[1:]
	if !ablate.Off(ablate.Sealing) {
		var err error
		if raw, err = key.Open(nil, nil, raw, k.partAAD(person, s.Part, s.Version)); err != nil {
			return altered("a sealed part does not open in its place")
		}
	}
	if err := json.Unmarshal(raw, doc); err != nil {
		return altered("a sealed part is malformed")
	}
	return nil
}

func altered(text string) error {
	return fault.New(fault.Integrity, "record", text+"; nothing was released. Run `tikakosh ledger audit`")
}

// matchRecord compares a record with the person's head. It returns the index of
// the pending seal that the record shows as stored, or -1.
func (k *Keeper) matchRecord(person id.Person, p state.Person, rec vault.Record) (int, error) {
	if ablate.Off(ablate.HeadCheck) {
		return -1, nil
	}
	chain := vault.ChainStart(k.keys.realm, person)
	reached := p.Seq == 0 && chain == p.Chain
	for i, s := range rec.Parts {
		if s.Seq != int64(i)+1 {
			return -1, altered("the parts of a person are not complete")
		}
		if s.Body != nil && sha256.Sum256(s.Body) != s.Hash {
			return -1, altered("a sealed part was edited")
		}
		chain = vault.ChainNext(chain, s)
		if s.Seq == p.Seq && chain == p.Chain {
			reached = true
		}
	}
	if !reached {
		return -1, altered("the parts of a person do not match the vault's head: edited, swapped, rolled back or deleted")
	}
	if int64(len(rec.Parts)) == p.Seq {
		return -1, nil
	}
	for i, s := range p.Pending {
		if s.Base == p.Seq && s.Chain == chain {
			return i, nil
		}
	}
	return -1, altered("a part is stored that the vault never sealed")
}

// advance moves the head over pending seal i and ends what waited for it.
func (t *txn) advance(person id.Person, p *state.Person, i int) error {
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
	if err := t.endSeals(p); err != nil {
		return err
	}
	if err := t.counting(person, s); err != nil {
		return err
	}
	if s.Merge != "" {
		if err := t.finishMerge(p, s); err != nil {
			return err
		}
	}
	if s.Revokes != "" {
		if err := t.revokeCertificates(person, p.Household, s.Revokes); err != nil {
			return err
		}
	}
	t.append(entry{Kind: "committed", Person: person, View: "stored", Role: "system", Seal: noteOf(s.ID, s.Parts)})
	return nil
}

// endSeals forgets what is pending: it was stored, superseded or given up.
func (t *txn) endSeals(p *state.Person) error {
	for _, s := range p.Pending {
		if err := t.tx.EndTask(t.ctx, "seal/"+s.ID); err != nil {
			return err
		}
		if s.Merge != "" {
			if err := t.tx.EndTask(t.ctx, mergeTask(s.ID)); err != nil {
				return err
			}
		}
	}
	p.Pending = nil
	return nil
}

// addSeal makes pending what was sealed on top of the head.
func (t *txn) addSeal(person id.Person, p *state.Person, seal state.Seal, e entry) error {
	if busy, err := t.merging(*p); err != nil || busy {
		return cmpErr(err, errMerging())
	}
	chain := p.Chain
	for _, part := range seal.Parts {
		chain = vault.ChainNext(chain, part)
	}
	seal.Base, seal.Chain, seal.At = p.Seq, chain, t.k.now().UnixMilli()
	p.Pending = append(p.Pending, seal)
	e.Kind, e.Person, e.Seal = "sealed", person, noteOf(seal.ID, seal.Parts)
	t.append(e)
	return t.tx.AddTask(t.ctx, state.Task{ID: "seal/" + seal.ID, Kind: "seal", Person: person, Ref: seal.ID, Since: seal.At})
}

// current returns the body of each part's current version.
func current(rec vault.Record) map[vault.Part]vault.Sealed {
	out := map[vault.Part]vault.Sealed{}
	for _, s := range rec.Parts {
		if old, ok := out[s.Part]; !ok || s.Version > old.Version {
			out[s.Part] = s
		}
	}
	return out
}

func hashOf(body []byte) vault.Hash { return sha256.Sum256(body) }
