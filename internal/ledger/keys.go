package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/fault"
)

// algEd25519 is the algorithm byte of a plain Ed25519 key (C2SP signed-note).
const algEd25519 = 1

// NoteKeys makes the signer and the text of the verifier key (C2SP signed-note)
// of an Ed25519 key under the log's origin. An origin with a space or "+", an
// empty one or one longer than MaxOrigin is fault.Invalid.
func NoteKeys(origin string, key ed25519.PrivateKey) (note.Signer, string, error) {
	skey, vkey, err := noteText(origin, key)
	if err != nil {
		return nil, "", err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, "", fault.New(fault.Invalid, "origin", "the ledger's origin cannot name a key")
	}
	return signer, vkey, nil
}

// GenerateKey makes a new checkpoint key from 32 bytes of random and returns its
// texts: skey for note.NewSigner, to be kept secret, and vkey to be published.
// fault.Invalid for an origin that cannot name a key, fault.Unavailable when
// random fails.
func GenerateKey(origin string, random io.Reader) (skey, vkey string, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return "", "", fault.Wrap(fault.Unavailable, err, "random source")
	}
	key := ed25519.NewKeyFromSeed(seed)
	if _, _, err := NoteKeys(origin, key); err != nil {
		return "", "", err
	}
	return noteText(origin, key)
}

func noteText(origin string, key ed25519.PrivateKey) (skey, vkey string, err error) {
	if len(key) != ed25519.PrivateKeySize {
		return "", "", fault.New(fault.Invalid, "key", "a checkpoint key is an Ed25519 key")
	}
	if origin == "" || len(origin) > MaxOrigin || strings.Contains(origin, "+") {
		return "", "", fault.New(fault.Invalid, "origin", "the ledger's origin cannot name a key")
	}
	pub := append([]byte{algEd25519}, key.Public().(ed25519.PublicKey)...)
	h := sha256.Sum256(append([]byte(origin+"\n"), pub...)) // key id: signed-note, "Signatures"
	hash := binary.BigEndian.Uint32(h[:4])
	skey = fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, hash, base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, key.Seed()...)))
	return skey, fmt.Sprintf("%s+%08x+%s", origin, hash, base64.StdEncoding.EncodeToString(pub)), nil
}

// LogVerifier reads the text of a log's verifier key; fault.Invalid when it is
// malformed.
func LogVerifier(vkey string) (note.Verifier, error) {
	v, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the ledger's verifier key")
	}
	return v, nil
}

// WitnessVerifier reads the text of a witness's verifier key for timestamped
// cosignatures (C2SP tlog-cosignature, cosignature/v1); fault.Invalid when it is
// malformed.
func WitnessVerifier(vkey string) (note.Verifier, error) {
	v, err := fnote.NewVerifierForCosignatureV1(strings.TrimSpace(vkey))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "a witness's verifier key")
	}
	return v, nil
}
