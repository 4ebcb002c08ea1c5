package vault

import (
	"crypto/hpke"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// InboxItem is a staff request that waits, sealed, until the vault takes it.
// Received is when the web role took it, in Unix milliseconds.
type InboxItem struct {
	Signed   Signed
	Received int64
}

// inboxInfo binds a sealed item to realm, event and purpose (RFC 9180 info).
func inboxInfo(realm id.Realm, event id.Event) []byte {
	return []byte("tikakosh/inbox/v1\x00" + strconv.Itoa(int(realm)) + "\x00" + string(event))
}

// The suite of the inbox: RFC 9180 with a hybrid of ML-KEM-768 and X25519, so
// that what is copied today does not open when one of the two falls.
func inboxSuite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// InboxKeyPair makes the inbox's key pair from 32 secret bytes, always the same
// one.
func InboxKeyPair(secret []byte) (hpke.PrivateKey, error) {
	kem, _, _ := inboxSuite()
	key, err := kem.DeriveKeyPair(secret)
	return key, fault.Wrap(fault.Internal, err, "inbox key")
}

// SealInbox seals an item to the vault's public inbox key. Only the vault opens
// it; who sealed it cannot.
func SealInbox(public []byte, realm id.Realm, event id.Event, item InboxItem) ([]byte, error) {
	kem, kdf, aead := inboxSuite()
	key, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the vault's inbox key")
	}
	raw, err := json.Marshal(item)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "inbox item")
	}
	sealed, err := hpke.Seal(key, kdf, aead, inboxInfo(realm, event), raw)
	return sealed, fault.Wrap(fault.Internal, err, "inbox item")
}

// OpenInbox opens an item with the vault's key. fault.Invalid: it was made for
// another key, realm or event, or altered.
func OpenInbox(key hpke.PrivateKey, realm id.Realm, event id.Event, sealed []byte) (item InboxItem, err error) {
	_, kdf, aead := inboxSuite()
	raw, err := hpke.Open(key, kdf, aead, inboxInfo(realm, event), sealed)
	if err != nil || json.Unmarshal(raw, &item) != nil {
		return item, fault.New(fault.Invalid, "inbox", "a recorded dose does not open: it was altered, or sealed for another vault")
	}
	return item, nil
}

// InboxEvent names the dose of a signed request. The same request has the same
// name, so that a repetition is stored once; the signature is left out, because
// ECDSA has two for one text.
func InboxEvent(proof string) id.Event {
	if i := strings.LastIndexByte(proof, '.'); i >= 0 {
		proof = proof[:i]
	}
	sum := sha256.Sum256([]byte("tikakosh/inbox-event/v1\x00" + proof))
	u := uuid.UUID(sum[:16])
	u[6] = u[6]&0x0f | 0x80 // version 8, RFC 9562 section 5.8
	u[8] = u[8]&0x3f | 0x80
	return id.Event(u.String())
}
