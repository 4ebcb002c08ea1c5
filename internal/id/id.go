// Package id holds the typed opaque identifiers of the registry, the storage
// bucket derived from them, and the numbers people see.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"math/big"
	"strings"

	"github.com/google/uuid"

	"tikakosh/internal/fault"
)

// Realm numbers a programme owner; keys, ledger and reference ids are per
// realm. The default is 1.
type Realm int

// DefaultRealm is the realm of a single installation.
const DefaultRealm Realm = 1

// Person, Household, Centre and Session are opaque random ids (UUID text).
// They carry no meaning and grant nothing.
type (
	Person    string
	Household string
	Session   string
	Hold      string
	Event     string
	Staff     string
	Partner   string
)

// Centre is CoWIN's integer centre number.
type Centre int64

// New returns a random UUID (version 4) as text.
func New() string { return uuid.Must(uuid.NewRandom()).String() }

// NewOrdered returns a UUID version 7 (RFC 9562 5.7) for child rows, whose
// time order keeps inserts local. It is not secret.
func NewOrdered() string { return uuid.Must(uuid.NewV7()).String() }

// Valid reports whether s is a canonical lower-case UUID.
func Valid(s string) bool {
	if len(s) != 36 {
		return false
	}
	u, err := uuid.Parse(s)
	return err == nil && u.String() == s
}

// BucketCount is the number of storage buckets (14 bits).
const BucketCount = 1 << 14

// Bucket returns the storage bucket of an owning id: the first 14 bits of
// SHA-256 of its text. It is stored in each row and never computed by SQL.
func Bucket(owner string) int {
	h := sha256.Sum256([]byte(owner))
	return int(binary.BigEndian.Uint16(h[:2]) >> 2)
}

// Bucket of the person's rows.
func (p Person) Bucket() int { return Bucket(string(p)) }

// Bucket of the household's rows.
func (h Household) Bucket() int { return Bucket(string(h)) }

// Bucket of the centre's rows (sessions, holds, stock).
func (c Centre) Bucket() int { return Bucket("centre/" + big.NewInt(int64(c)).String()) }

// Reference is the 14-digit number a person is called by. It is a name, never
// evidence: 13 random digits and a Verhoeff check digit.
type Reference string

// NewReference draws a reference id; the first digit is never 0.
func NewReference() Reference {
	n, err := rand.Int(rand.Reader, big.NewInt(9_000_000_000_000))
	if err != nil {
		panic("id: the system random source failed: " + err.Error())
	}
	s := n.Add(n, big.NewInt(1_000_000_000_000)).String()
	return Reference(s + string('0'+VerhoeffDigit(s)))
}

// ParseReference checks form and check digit. It returns a fault.Invalid.
func ParseReference(s string) (Reference, error) {
	if len(s) != 14 || !allDigits(s) || !VerhoeffValid(s) {
		return "", fault.New(fault.Invalid, "reference", "a reference id has 14 digits and its check digit must match")
	}
	return Reference(s), nil
}

// Bucket of the row that maps the reference id to its person.
func (r Reference) Bucket() int { return Bucket("ref/" + string(r)) }

func allDigits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// Secret returns n random bytes as lower-case base32 without padding.
func Secret(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
