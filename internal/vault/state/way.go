package state

import "tikakosh/internal/id"

// Way is a way in which a household signs in (ADR 39). Key is the RFC 7638 thumbprint of
// a device's key, "" a client without one, "partner/…" a partner's. Times are Unix
// milliseconds; Last is exact to a week and never later than the code it stands for.
type Way struct {
	Key   string
	Since int64 // the first code
	Last  int64 // the last code
	Until int64 `json:",omitempty"` // not trusted before this time; 0: trusted
	Firm  bool  `json:",omitempty"` // something but a code spoke for it, or it was there at the first registration
}

// HousePIN is a household's own PIN: a keyed MAC over Salt and the digits. Wrong counts
// wrong ones since the last right one. Ends is when it goes, on demand of a session that
// did not give it; 0: it stays.
type HousePIN struct {
	MAC   []byte
	Salt  []byte
	Wrong int   `json:",omitempty"`
	Since int64 `json:",omitempty"`
	From  int64 `json:",omitempty"` // in force from then on; 0: at once
	Ends  int64 `json:",omitempty"`
}

// Former is a household that a number led to before it was idle for too long.
type Former struct {
	Household id.Household
	At        int64 // when a fresh code took the number from it
}
