package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"tikakosh/internal/fault"
)

// CardSecret is the random secret of a printed card (128 bits). Who has it and
// its PIN is the card's person; it is in the clear only on the card.
type CardSecret [16]byte

const (
	cardPrefix = "TK1:" // form 1
	cardCheck  = 4      // bytes of the check, against a misread code
	cardText   = 64     // longest text that is looked at
)

// cardBase32 is RFC 4648 base32 without padding: 20 bytes are exactly 32
// digits, and a QR code holds them in its alphanumeric mode.
func cardBase32() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// NewCardSecret draws a card's secret.
func NewCardSecret() (s CardSecret) {
	rand.Read(s[:])
	return s
}

// Text is the text of the card's QR code: "TK1:" and 32 base32 digits, of
// which the last are a check.
func (s CardSecret) Text() string {
	return cardPrefix + cardBase32().EncodeToString(append(s[:], s.check()...))
}

func (s CardSecret) check() []byte {
	sum := sha256.Sum256(append([]byte("tikakosh/card/v1\x00"), s[:]...))
	return sum[:cardCheck]
}

// ParseCard reads the text of a card as a scanner or a person gives it: small
// letters, spaces and hyphens do not matter. fault.Invalid, the same for
// everything that is not a card.
func ParseCard(text string) (s CardSecret, err error) {
	bad := fault.New(fault.Invalid, "card", "this is not a card of Tikakosh, or it was misread")
	if len(text) > cardText {
		return s, bad
	}
	text = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(text))
	digits, ok := strings.CutPrefix(text, cardPrefix)
	raw, derr := cardBase32().DecodeString(digits)
	if !ok || derr != nil || len(raw) != len(s)+cardCheck || cardBase32().EncodeToString(raw) != digits { // one text, one secret
		return s, bad
	}
	copy(s[:], raw)
	if subtle.ConstantTimeCompare(s.check(), raw[len(s):]) != 1 {
		return CardSecret{}, bad
	}
	return s, nil
}
