package state

// KeyStates is the table of which versions of a key there are and what each may
// still do, by purpose; anchored, so that no old version can be called back by
// editing the database. A key that has never changed has no row. The wrapped
// keys themselves are in KeyRing.
const KeyStates Table = "key_state"

// The states of a key's version; package keyset has the rules.
const (
	KeyNext      = "next"      // published, not yet used
	KeyCurrent   = "current"   // in use
	KeyOld       = "old"       // tried until nothing needs it
	KeyVerifies  = "verifies"  // the secret half is destroyed, the public one still verifies
	KeyDestroyed = "destroyed" // for good
)

// KeySet is the versions of the key of one purpose, oldest first.
type KeySet struct {
	Purpose  string
	Versions []KeyVersion
	Erased   int64 `json:",omitempty"` // of the row "erased" only: when somebody was first erased under the epoch key in use; Unix milliseconds
}

// KeyVersion is one of them. Times are Unix milliseconds.
type KeyVersion struct {
	Version int
	State   string
	Created int64
	Since   int64  // when it came into this state
	Until   int64  `json:",omitempty"` // how long it verifies; 0: for ever. Of a destroyed epoch key: how long custody keeps its half
	Custody string `json:",omitempty"` // the kind of custody that wraps or holds it
	Public  []byte `json:",omitempty"` // public half of a signing key (PKIX, DER)
	Note    []byte `json:",omitempty"` // of a ledger key: the change from its predecessor, signed by both
}
