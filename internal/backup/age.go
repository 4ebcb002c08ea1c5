package backup

import (
	"io"
	"strings"

	"filippo.io/age"

	"tikakosh/internal/fault"
)

// maxKeyText bounds a file of recipients or identities.
const maxKeyText = 64 << 10

// Recipients reads age recipients ("age1…"). At least one is wanted; a secret key
// among them is refused, so that it does not end up where recipients are kept.
func Recipients(texts []string) ([]age.Recipient, error) {
	var out []age.Recipient
	for _, t := range texts {
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(t)), "AGE-SECRET-KEY-") {
			return nil, fault.New(fault.Invalid, "recipient", "a recipient is an age public key (age1…), this is a secret key: keep it away from this machine")
		}
		r, err := age.ParseRecipients(strings.NewReader(t))
		if err != nil {
			return nil, fault.New(fault.Invalid, "recipient", "a recipient is an age public key (age1…), as `age-keygen` prints it")
		}
		out = append(out, r...)
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "recipient", "a backup needs a recipient (age1…)")
	}
	return out, nil
}

// Encrypt returns a writer that encrypts to the recipients. Close ends it and must
// be called; it leaves w open.
func Encrypt(w io.Writer, to []age.Recipient) (io.WriteCloser, error) {
	e, err := age.Encrypt(w, to...)
	return e, fault.Wrap(fault.Internal, err, "encrypting the backup")
}

// Identities reads a file of age identities.
func Identities(r io.Reader) ([]age.Identity, error) {
	ids, err := age.ParseIdentities(io.LimitReader(r, maxKeyText))
	if err != nil {
		return nil, fault.New(fault.Invalid, "identity", "the identity file holds no age secret key (AGE-SECRET-KEY-…), as `age-keygen -o FILE` writes it")
	}
	return ids, nil
}

// Decrypt opens what Encrypt made.
func Decrypt(r io.Reader, with []age.Identity) (io.Reader, error) {
	d, err := age.Decrypt(r, with...)
	if err != nil {
		return nil, fault.New(fault.Forbidden, "identity", "the backup does not open with this identity: it was made for another recipient")
	}
	return d, nil
}
