package keyring

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// BlindIndex is the keyed pseudorandom name of a mobile number: HMAC-SHA-256
// under the index key, 128 bits (blocks.md 4.2).
func (k *Ring) BlindIndex(mobile string) string {
	return k.indexUnder(k.Now().index(), mobile)
}

func (k *Ring) indexUnder(key []byte, mobile string) string {
	if ablate.Off(ablate.IndexKey) {
		sum := sha256.Sum256([]byte(mobile))
		return hex.EncodeToString(sum[:])
	}
	return hex.EncodeToString(mac(key, k.RealmBytes(), []byte("mobile"), []byte(mobile))[:16])
}

// ContactAAD binds what the contact key seals to what it is and whose.
func (k *Ring) ContactAAD(what, owner string) []byte {
	return []byte("tikakosh/contact/v1\x00" + strconv.Itoa(int(k.Realm)) + "\x00" + what + "\x00" + owner)
}

// OldIndexes are the names of a number under index keys that are being replaced.
func (k *Ring) OldIndexes(mobile string) []string {
	if ablate.Off(ablate.KeyHistory) {
		return nil
	}
	var out []string
	current := k.BlindIndex(mobile)
	for _, key := range k.Now().indexes[1:] {
		if name := k.indexUnder(key, mobile); name != current {
			out = append(out, name)
		}
	}
	return out
}

// Tags are the keyed duplicate tags of one id number: under the current
// version of the key, and under older ones that still count.
type Tags struct {
	Current string
	Old     []string
}

// Is reports whether a stored tag is one of them.
func (i Tags) Is(tag string) bool {
	for _, o := range i.Old {
		if o == tag {
			return tag != ""
		}
	}
	return i.Current == tag
}

// Oldest is the tag that stays the same through a change.
func (i Tags) Oldest() string {
	if len(i.Old) > 0 {
		return i.Old[0]
	}
	return i.Current
}

// Tags makes the tags of an id number; the number itself is dropped right
// after.
func (k *Ring) Tags(idType int, canonical string) (out Tags, err error) {
	raw, err := json.Marshal([]any{int(k.Realm), idType, canonical})
	if err != nil {
		return out, fault.Wrap(fault.Internal, err, "id tag")
	}
	for i, version := range k.Now().tags {
		tag, err := k.Provider.Tag(version, raw)
		if err != nil {
			return out, err
		}
		text := hex.EncodeToString(append([]byte{byte(version)}, tag...))
		if i == 0 {
			out.Current = text
			continue
		}
		out.Old = append(out.Old, text)
	}
	return out, nil
}

// PersonTag is the keyed name under which the ledger's entries of a person, or of a topic, are found.
func (k *Ring) PersonTag(p id.Person) []byte {
	return k.MAC(PurposePersonTag, k.RealmBytes(), []byte(p))[:16]
}

// MatchIndex is a keyed name of a mobile number that no index has and that never changes.
func (k *Ring) MatchIndex(mobile string) string { return k.indexUnder(k.sym[PurposeMatch], mobile) }

// HumanTag stands for a member of staff, whatever keys they have: keyed, so that the
// database names nobody.
func (k *Ring) HumanTag(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return hex.EncodeToString(k.MAC(PurposeMatch, k.RealmBytes(), []byte("staff person"), []byte(text))[:16])
}
