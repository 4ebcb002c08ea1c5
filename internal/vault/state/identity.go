package state

import (
	"tikakosh/internal/access"
	"tikakosh/internal/vault"
)

// The tables of staff who are people (ADR 31).
const (
	StaffMembers   Table = "staff_member"   // by member id; anchored
	StaffProposals Table = "staff_proposal" // by ordered id; anchored
	StaffAreas     Table = "staff_area"     // by place; anchored
	Rosters        Table = "staff_roster"   // by centre and day; anchored
	StaffSessions  Table = "staff_session"  // by thumbprint; leads to the member, grants nothing
	Ceremonies     Table = "staff_ceremony" // by random id
)

// The states of a member.
const (
	MemberInvited   = "invited"
	MemberActive    = "active"
	MemberDisabled  = "disabled"
	MemberSuspended = "suspended" // after a restore, until the operator confirms them
)

// StaffMember is a human who works here. Name is sealed. What they sign in with and
// where they are signed in is in the same row, so that one change ends all of it.
type StaffMember struct {
	Name     []byte
	Human    string // keyed tag: two members of one tag are one human
	State    string
	Since    int64
	Grants   []access.Grant
	Devices  []StaffDevice
	Sessions []StaffSession

	// Of a member who signs in at their department (ADR 37): which one, and that it said
	// itself that they left.
	Department string `json:",omitempty"`
	Left       bool   `json:",omitempty"`
}

// The states of a device.
const (
	DevicePending = "pending" // waits for another human
	DeviceActive  = "active"
	DeviceEnded   = "ended"
)

// StaffDevice is one passkey of a member. The credential's id and key are public.
type StaffDevice struct {
	ID         string
	Credential []byte
	Key        []byte // COSE
	Count      int64
	Copyable   bool
	Copied     bool
	State      string
	Since      int64
	Last       int64
}

// StaffSession is a key that a browser made and a passkey let in: live until Expires,
// unless it was idle or Ended (0: nobody ended it). It acts under one grant.
type StaffSession struct {
	Key     string // RFC 7638 thumbprint
	JWK     []byte
	Device  string // or "department:" and the id of the one at which it began
	Grant   access.Grant
	Began   int64
	Expires int64
	Ended   int64
}

// SessionUse leads from a session's key to its member and says when it was last used.
// It grants nothing: an older one only makes the session idle sooner.
type SessionUse struct {
	Member string
	Last   int64
}

// The kinds of a proposal, and of the links that come of it.
const (
	ProposeSetup      = "setup"
	ProposeInvitation = "invitation"
	ProposeGrant      = "grant"
	ProposeDevice     = "device"
	ProposeRecovery   = "recovery"
)

// The states of a proposal.
const (
	ProposalWaiting   = "waiting"
	ProposalApproved  = "approved"
	ProposalUsed      = "used"
	ProposalWithdrawn = "withdrawn"
)

// StaffProposal is what one human wants and another one approves. Secret is a keyed
// MAC of its link's.
type StaffProposal struct {
	Kind      string
	Member    string       `json:",omitempty"`
	Grant     access.Grant `json:",omitzero"`
	Device    string       `json:",omitempty"`
	By        string       // member id, or "operator"
	Second    string       `json:",omitempty"`
	At        int64
	NotBefore int64
	Expires   int64
	State     string
	Secret    []byte `json:",omitempty"`

	// Of a department's configuration: whose, and its digest.
	Department string `json:",omitempty"`
	Digest     string `json:",omitempty"`

	Alone bool `json:",omitempty"` // nobody else could approve: the operator may, after the wait
}

// StaffArea is a place: where it lies, as the first grant there said, and who holds a
// grant at exactly it.
type StaffArea struct {
	State    int `json:",omitempty"`
	District int `json:",omitempty"`
	Members  []string
}

// Roster says who of the staff works at a centre on a day.
type Roster struct{ Members []string }

// Ceremony is a challenge of the vault's: of a sign-in, of an enrolment, or a nonce for
// one signed act. It is good once, for the session key it was made for, and within the
// process that made it.
type Ceremony struct {
	Kind      string
	Key       string // thumbprint that begin was signed by
	Challenge []byte
	Member    string `json:",omitempty"`
	Name      []byte `json:",omitempty"` // sealed: of a set-up
	Proposal  string `json:",omitempty"`

	Department string `json:",omitempty"` // at which the sign-in is

	Run     vault.Hash // of the process that made it
	Expires int64
	Used    bool
}
