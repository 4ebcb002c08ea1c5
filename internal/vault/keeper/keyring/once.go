package keyring

import (
	"encoding/binary"
	"fmt"
	"time"
)

// OnceFor is how long a form that makes a secret may be sent again for the same secret.
const OnceFor = 10 * time.Minute

// Once are n bytes that only this vault makes, and makes again for the same words: the secret of
// what a form makes, so that the form can be sent twice though the secret is kept nowhere. what
// names the kind of secret; one of the words is a random key of the form. n is 32 at most.
func (k *Ring) Once(n int, what string, words ...string) []byte {
	parts := [][]byte{k.RealmBytes(), []byte("once"), []byte(what)}
	for _, w := range words {
		parts = append(parts, []byte(w))
	}
	return k.MAC(PurposeMatch, parts...)[:n]
}

// OncePIN are six digits, likewise.
func (k *Ring) OncePIN(what string, words ...string) string {
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(k.Once(8, what+" pin", words...))%1_000_000)
}
