package keyring

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

// BlobSchema is the schema of the sealed documents; it is in the associated data.
const BlobSchema = 1

// DataKey unwraps a person's data key.
func (k *Ring) DataKey(person id.Person, p state.Person) (cipher.AEAD, error) {
	keys := k.Now()
	if ablate.Off(ablate.AEADBinding) {
		return keys.Epochs[keys.EpochName], nil
	}
	epoch := keys.Epochs[p.Epoch]
	if epoch == nil {
		return nil, state.Integrity(state.Persons, "a data key is wrapped under an epoch key that is destroyed")
	}
	raw, err := epoch.Open(nil, nil, p.Wrapped, k.DataKeyAAD(person, p.Epoch))
	if err != nil {
		return nil, state.Integrity(state.Persons, "a data key does not open")
	}
	return newAEAD(raw)
}

// NewDataKey makes a person's data key, wrapped under the current epoch key.
func (k *Ring) NewDataKey(person id.Person) (epoch string, wrapped []byte) {
	return k.WrapDataKey(person, RandomBytes(32))
}

// WrapDataKey wraps a person's data key under the current epoch key, which it names.
func (k *Ring) WrapDataKey(person id.Person, raw []byte) (epoch string, wrapped []byte) {
	keys := k.Now()
	return keys.EpochName, keys.Epochs[keys.EpochName].Seal(nil, nil, raw, k.DataKeyAAD(person, keys.EpochName))
}

// DataKeyAAD binds a wrapped data key to its epoch key and person.
func (k *Ring) DataKeyAAD(person id.Person, epoch string) []byte {
	return []byte("tikakosh/data-key/v1\x00" + epoch + "\x00" + string(person))
}

// partAAD binds a blob to realm, person, part, version and schema (design.md 4).
func (k *Ring) partAAD(person id.Person, part vault.Part, version int) []byte {
	if ablate.Off(ablate.AEADBinding) {
		return nil
	}
	return []byte("tikakosh/part/v1\x00" + strconv.Itoa(int(k.Realm)) + "\x00" + string(person) + "\x00" + string(part) +
		"\x00" + strconv.Itoa(version) + "\x00" + strconv.Itoa(BlobSchema))
}

// SealPart seals one document as the next part of a person.
func (k *Ring) SealPart(person id.Person, key cipher.AEAD, seq int64, part vault.Part, version int, doc any) (vault.Sealed, error) {
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

// OpenPart opens a sealed document in its place. fault.Integrity: it is not the one that was
// sealed there.
func (k *Ring) OpenPart(person id.Person, key cipher.AEAD, s vault.Sealed, doc any) error {
	if len(s.Body) < 2 || s.Body[0] != 1 {
		return Altered("a sealed part has no known form")
	}
	raw := s.Body[1:]
	if !ablate.Off(ablate.Sealing) {
		var err error
		if raw, err = key.Open(nil, nil, raw, k.partAAD(person, s.Part, s.Version)); err != nil {
			return Altered("a sealed part does not open in its place")
		}
	}
	if err := json.Unmarshal(raw, doc); err != nil {
		return Altered("a sealed part is malformed")
	}
	return nil
}

// Altered is the error of sealed parts that are not what the vault sealed.
func Altered(text string) error {
	return fault.New(fault.Integrity, "record", text+"; nothing was released. Run `tikakosh ledger audit`")
}
