package vault

import (
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Evidence is what a person showed a member of staff: one of the booking's
// security code, the card (its PIN is not asked at a centre), or a one-time
// code sent to the household for this (Txn, and the lower-case hex SHA-256 of
// its digits). The zero value is none.
type Evidence struct {
	Code   string
	Card   string
	Txn    string
	Digest string
}

// ParseEvidence reads the X-Evidence header of staff requests without a body:
// "code 1234", "card TK1:…" or "otp <txnId> <digest>". An empty text is no
// evidence; fault.Invalid for another form. What it says is not judged here.
func ParseEvidence(text string) (e Evidence, err error) {
	bad := fault.New(fault.Invalid, "USRRES0001", "X-Evidence is a code, a card or an otp")
	if len(text) > 256 {
		return e, bad
	}
	f := strings.Fields(text)
	switch {
	case len(f) == 0:
	case f[0] == "code" && len(f) == 2 && len(f[1]) == 4:
		e.Code = f[1]
	case f[0] == "card" && len(f) == 2:
		e.Card = f[1]
	case f[0] == "otp" && len(f) == 3 && len(f[1]) == 36 && len(f[2]) == 64:
		e.Txn, e.Digest = f[1], f[2]
	default:
		return e, bad
	}
	return e, nil
}

// CardAnswer is a card with its PIN, as its person gives them. Origin is the
// caller's network.
type CardAnswer struct {
	Card   string
	PIN    string
	Origin string
}

// WalkInRequest registers somebody without a mobile on a vaccinator's signed
// request. Identity and consent are in the signed body; the vault reads them
// there.
type WalkInRequest struct{ Signed Signed }

// WalkedIn is the sealed new person with their card. Card and PIN exist in the
// clear only here.
type WalkedIn struct {
	Enrolled Enrolled
	Card     string
	PIN      string
}

// NewCardRequest asks for a new card for a person of the holder's household;
// the old one is void. The same Key within ten minutes is the same card, shown once more: a form
// that was pressed twice, an answer that was lost. "" is always a new one.
type NewCardRequest struct {
	Holder Holder
	Person id.Person
	Key    string
}

// NewCard is a printed card. Card and PIN exist in the clear only here.
type NewCard struct {
	Card    string
	PIN     string
	Receipt string
}

// ShowCardRequest shows, in a session by mobile, the card and PIN of an adult of
// that household, so that the session may see what the card guards.
type ShowCardRequest struct {
	Holder Holder
	Card   string
	PIN    string
}

// LinkRequest moves the person of a card into the household of the holder's
// mobile. ToMerge allows an id number that is in use there: the two will be
// merged.
type LinkRequest struct {
	Holder  Holder
	Card    string
	PIN     string
	ToMerge bool
}

// Linked says where the person has a place now. From is the household that
// ended. Done: it had the place before, and the registry was seen to store it.
type Linked struct {
	Person    id.Person
	Reference id.Reference
	Place     Place
	Receipt   string
}

// Place is a place in a household and since when (Unix milliseconds).
type Place struct {
	Household id.Household
	Slot      int
	Since     int64
}

// MergeRequest joins two registrations of one person of the holder's
// household: Merge ends, Keep goes on with the doses of both.
type MergeRequest struct {
	Holder Holder
	Keep   Record
	Merge  Record
}

// MergeSealed is what the registry stores of a merge: parts of the person who
// goes on. Without parts it has been stored before.
type MergeSealed struct {
	Seal   Seal
	Merged id.Person
}

// The ends of the addresses that a staff member signs for a person's view and
// certificate.
const (
	RouteStaffView        = "/vaccinator/beneficiaries/findByReferenceId"
	RouteStaffCertificate = "/vaccinator/certificate/download"
)

// StaffViewRequest asks for one person's verification view or certificate at a
// centre. The signed address names the person by reference number, and what they
// showed is signed in place of a body. Person and Record are what the registry
// has under the number, or nobody. Evidence is the vault's own reading of it.
type StaffViewRequest struct {
	Signed    Signed
	Reference id.Reference
	Person    id.Person
	Record    Record
	Evidence  Evidence `json:"-"`
	Language  string
}

// StaffView is the verification view: the booking view without a mobile. Centre
// is where it was released.
type StaffView struct {
	Person   Person
	Centre   id.Centre
	ViewRef  string
	Receipts []string
}

// StaffCodeRequest asks for a one-time code to be sent to a person's household,
// if there is one.
type StaffCodeRequest struct {
	Signed    Signed
	Reference id.Reference
	Person    id.Person
	Origin    string
}

// StaffCode names the transaction; it says nothing about whether a code went out.
type StaffCode struct{ Txn string }

// StaffCheckRequest asks whether a signed request is a staff member's, before
// work is done for it. The proof is not spent by it.
type StaffCheckRequest struct{ Signed Signed }

// StaffChecked says where the staff member works.
type StaffChecked struct {
	Centre id.Centre
	Role   string
}

// WalkInBookRequest asks the vault to let a person take a held place in the
// session that is open at the vaccinator's centre. Dose, session, slot, person
// and evidence are in the signed body; Hold becomes the appointment number.
type WalkInBookRequest struct {
	Signed Signed
	Hold   id.Hold
	Offer  Offer
	Record Record
}
