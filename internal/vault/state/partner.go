package state

import "tikakosh/internal/vault"

// Partners is the table of partner applications, by the thumbprint of their
// key; anchored.
const Partners Table = "partner"

// Partner is one enrolled partner application. Name is the operator's and is
// shown to people; it is not personal.
type Partner struct {
	Name   string
	Scopes []string
	JWK    []byte
	Key    vault.Hash // SHA-256 of the x-api-key, which is random
	Hourly int64      // codes per hour
	Active bool
	Since  int64

	Suspended int64 `json:",omitempty"` // when a restore behind the ledger took it out of use; 0: not so
}
