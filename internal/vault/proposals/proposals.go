// Package proposals is what a proposal among staff says, as one text (ADR 36). Whoever
// approves it signs the SHA-256 of the text they read together with the proposal's id, and
// the vault compares it with what it would carry out: who carries the texts can show one
// proposal in another's place, and has no approval by it.
package proposals

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// Says is everything that a proposal says, of whatever kind; each fills what it is about.
// Now is what is in force, Then what would be: who decides sees the difference of the two.
type Says struct {
	Kind       string          `json:"kind"`
	By         string          `json:"proposed_by"`
	Member     string          `json:"member_id,omitempty"`
	Name       string          `json:"name,omitempty"`
	Grant      string          `json:"grant,omitempty"`
	Device     string          `json:"device_id,omitempty"`
	Department json.RawMessage `json:"department,omitempty"`
	Centre     int64           `json:"center_id,omitempty"`
	On         bool            `json:"on,omitempty"`
	Digest     string          `json:"digest,omitempty"` // of a change, or of a department's configuration, as others show it

	Budgets    map[string]int    `json:"budgets,omitempty"`
	BudgetsNow map[string]int    `json:"budgets_in_force,omitempty"`
	Files      map[string]string `json:"files,omitempty"`
	FilesNow   map[string]string `json:"files_in_force,omitempty"`
}

// Text is what is said, as JSON: the same for the same proposal always. Clients show what
// they read in it and nothing else.
func (s Says) Text() (string, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // it is no part of a page, and policies are full of && and <
	if err := enc.Encode(s); err != nil {
		return "", fault.Wrap(fault.Internal, err, "a proposal's text")
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// Digest is the SHA-256 of a text in hex: what an approval names it by.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Read is why an approval is not one of this text: fault.Forbidden "another" where digest
// is that of another one; nil where it was read.
func Read(text, digest string) error {
	if digest == Digest(text) || ablate.Off(ablate.ProposalText) {
		return nil
	}
	return fault.New(fault.Forbidden, "another", "this proposal says something else than what you approved; read it again")
}
