package vault

import "tikakosh/internal/id"

// The scopes of a partner: what a person's one-time consent can allow it.
const (
	// ScopeSignIn: a code gives the partner the masked view of the person's
	// household (initials, status, the last four of the reference number).
	ScopeSignIn = "auth"
	// ScopeStatus: a code tells the partner, once, how many doses of 0, 1, 2 the
	// person of a name has.
	ScopeStatus = "status"
	// ScopeCertificate: a sign-in also lets the partner download the certificate
	// of a person whose whole reference number it was given.
	ScopeCertificate = "certificate"
)

// PartnerCall is a partner's request as it arrived: its x-api-key and its DPoP
// proof. Of a signed URL the query is a part. Neither suffices alone: the key
// can be replayed by whoever carries it, and the proof is taken once.
type PartnerCall struct {
	Key    string
	Signed Signed
}

// PartnerCodeRequest asks for a code that gives a partner something. Scope is
// ScopeSignIn or ScopeStatus; number and name are read from the signed body.
type PartnerCodeRequest struct {
	Partner  PartnerCall
	Scope    string
	Language string
}

// PartnerCodeAnswer answers a code; txnId and otp are read from the signed body.
type PartnerCodeAnswer struct {
	Partner PartnerCall
	Scope   string
}

// StatusPullRequest asks for the vaccination status that a person consented to
// tell. Records holds every member's record as the registry has it.
type StatusPullRequest struct {
	Holder  Holder
	Records []Record
}

// StatusTold is the answer: 0 none, 1 some, 2 all doses. Signed is a compact JWS
// of it (ES256 under the certificate key) without name or number.
type StatusTold struct {
	Status   int
	Signed   string
	ViewRef  string
	Receipts []string
}

// PartnerEnrolRequest enrols a partner (operator only). KeyHash is SHA-256 of
// its x-api-key; Hourly bounds its codes in an hour, 0 being the default.
type PartnerEnrolRequest struct {
	Name      string
	Scopes    []string
	PublicJWK []byte
	KeyHash   Hash
	Hourly    int64
}

// PartnerEnrolled names the new partner.
type PartnerEnrolled struct {
	Partner id.Partner
	Receipt string
}

// PartnerDisableRequest ends a partner's access at once.
type PartnerDisableRequest struct{ Partner id.Partner }

// PartnerListed is one partner as the operator sees it. Since is in Unix
// milliseconds.
type PartnerListed struct {
	Partner id.Partner
	Name    string
	Scopes  []string
	Hourly  int64
	Active  bool
	Since   int64

	Suspended bool // since a restore behind the ledger, until it is confirmed
}

// PartnerList is every partner, in order of their ids.
type PartnerList struct{ Partners []PartnerListed }
