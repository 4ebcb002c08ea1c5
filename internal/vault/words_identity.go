package vault

import "encoding/json"

// RouteIdentity is where the routes of staff who are people begin (ADR 31). What they
// are called behind it the vault reads from the signed address: the web role cannot
// pass a request for one act off as one for another.
const RouteIdentity = "/api/v3/staff/identity"

// The acts of staff identities: the end of the route, and of the method's name on the
// vault's socket.
const (
	ActEnrolBegin   = "enrol/begin"
	ActEnrolFinish  = "enrol/finish"
	ActSignInBegin  = "sign-in/begin"
	ActSignInFinish = "sign-in/finish"
	ActSignOut      = "sign-out"

	ActDepartmentBegin  = "department/begin" // of a sign-in at a department (ADR 37)
	ActDepartmentFinish = "department/finish"

	ActMe          = "me"
	ActGrantChosen = "session/grant"
	ActSessionsEnd = "sessions/end"
	ActNonce       = "nonce"
	ActDeviceLink  = "devices/link"
	ActDeviceEnd   = "devices/end"
	ActInvite      = "invitations"
	ActGrant       = "grants"
	ActGrantEnd    = "grants/end"
	ActRecover     = "recovery"
	ActApprove     = "approve"
	ActWithdraw    = "withdraw"
	ActProposals   = "proposals"
	ActMembers     = "members"
	ActMember      = "members/one"
	ActDisable     = "members/disable"
	ActRosterPut   = "roster"
	ActRoster      = "roster" // by GET; ActRosterPut by POST
	ActChange      = "changes"
	ActChangeShown = "changes/one"
)

// MaxChange bounds, in bytes, the body of a proposed change: it holds all policies.
const MaxChange = 256 << 10

// The kinds of a change (ADR 36).
const (
	ChangeRosterMode = "roster-mode" // whether a centre opens people from its day's list
	ChangeBudgets    = "budgets"
	ChangePolicies   = "policies"
)

// StaffAct is a signed request of a member of staff. Everything it asks is in what was
// signed.
type StaffAct struct {
	Signed Signed
	Token  string `json:",omitempty"` // of a sign-in at a department: its ID token, which the vault verifies itself
}

// StaffCeremony is a question of the vault's: to a passkey, or for the next signed act
// (a nonce). Options are WebAuthn's. Expires in Unix milliseconds.
type StaffCeremony struct {
	ID      string
	Kind    string
	Options json.RawMessage
	Expires int64
}

// StaffSession is a signed-in browser. Times in Unix milliseconds.
type StaffSession struct {
	ID      string // the key's RFC 7638 thumbprint
	Device  string
	Grant   string
	Began   int64
	Last    int64
	Expires int64
	Idle    int64 // when it ends if nothing is asked before
	Current bool
}

// StaffDevice is a passkey of a member.
type StaffDevice struct {
	ID       string
	State    string
	Since    int64
	Last     int64
	Copyable bool
}

// StaffMember is a human of the staff. Grants are texts ROLE@PLACE.
type StaffMember struct {
	ID     string
	Name   string
	State  string
	Since  int64
	Grants []string
}

// StaffProposal is what waits for a second human. Times in Unix milliseconds.
type StaffProposal struct {
	ID        string
	Kind      string
	Member    string
	Name      string
	Grant     string
	Device    string
	By        string
	Mine      bool
	At        int64
	NotBefore int64
	Expires   int64
	State     string
	Text      string `json:",omitempty"` // what it says, as who approves it signs its digest; of policies and budgets it is shown alone

	// Of a department's configuration: what is to come into force; Digest is its digest.
	Department json.RawMessage `json:",omitempty"`

	// Of a change (ADR 36), which is about no member.
	Centre int64
	On     bool
	Digest string
	Force  int64 // when it comes into force, once approved, in Unix milliseconds
}

// ChangeShown is what a change would put into force, and what is in force.
type ChangeShown struct {
	Budgets map[string]int
	Now     map[string]int

	Files    map[string]string // policies, by file name
	FilesNow map[string]string
	Policies bool // Files are what it is about
}

// StaffActed is the answer to every act of staff identities; each fills what it is
// about and leaves the rest empty. Link is shown this once.
type StaffActed struct {
	Proposal string
	Kind     string
	Member   string
	Device   string
	State    string
	Link     string
	From     int64 // from when on it can be approved, in Unix milliseconds
	Expires  int64
	Ended    int // sessions that ended by it
	Force    int64
	Change   *ChangeShown
	Text     string `json:",omitempty"` // of a change that is shown

	Session   *StaffSession
	Person    *StaffMember
	Devices   []StaffDevice
	Sessions  []StaffSession
	Members   []StaffMember
	Proposals []StaffProposal
	More      bool
	Centre    int64
	Day       string // dd-mm-yyyy
	Receipts  []string
}

// StaffOperatorRequest is what the machine's operator asks about staff identities.
type StaffOperatorRequest struct {
	Member   string
	Proposal string
	Reason   string
}

// StaffClientShown is the staff client that the vault last put on the ledger: the SHA-256
// of its bundle in hex, "" for none, when (Unix milliseconds) and as which entry.
type StaffClientShown struct {
	Sum   string
	At    int64
	Index int64
}
