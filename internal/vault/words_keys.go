package vault

import (
	"cmp"
	"context"
)

// The methods of the key inventory; the operator's.
const (
	MethodKeyList   = "keys.list"
	MethodKeyRotate = "keys.rotate"
)

// The kinds of keys that change while the vault serves.
const (
	KeyToken       = "token"       // signs bearers
	KeyCertificate = "certificate" // signs certificates
	KeyEpoch       = "epoch"       // wraps people's data keys
	KeyLedger      = "ledger"      // signs checkpoints
	KeyIndex       = "index"       // names mobile numbers
	KeyIDTag       = "id-tag"      // tags id numbers
)

// KeyInfo is one version of one key. Times are Unix milliseconds.
type KeyInfo struct {
	Purpose string
	Key     string // its id
	Version int
	Custody string
	Created int64
	State   string // package state has the words
	Since   int64  // in that state
	Until   int64  `json:",omitempty"` // how long an old one verifies; 0: for ever
	Uses    string
}

// Compare orders keys by purpose and version.
func (a KeyInfo) Compare(b KeyInfo) int {
	return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Version, b.Version))
}

// KeyList is the inventory: what keys there are and were, and no key.
type KeyList struct {
	Custody string
	Keys    []KeyInfo
}

// KeyRotateRequest asks for the next version of a key. Compromised (id-tag only):
// what the older versions made is worth nothing any more and is removed.
type KeyRotateRequest struct {
	Kind        string
	Compromised bool
}

// KeyRotated names the new version.
type KeyRotated struct{ Key string }

// ListKeys lists every key.
func (c *Client) ListKeys(ctx context.Context) (KeyList, error) {
	return call[Empty, KeyList](ctx, c, MethodKeyList, Empty{})
}

// RotateKey begins a change of a key; the vault ends it by itself. Not
// idempotent: after fault.Unknown look at ListKeys.
func (c *Client) RotateKey(ctx context.Context, r KeyRotateRequest) (KeyRotated, error) {
	return call[KeyRotateRequest, KeyRotated](ctx, c, MethodKeyRotate, r)
}
