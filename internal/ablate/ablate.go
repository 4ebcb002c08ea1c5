// Package ablate names every security control that a test build can switch
// off, so that each attack test can show the attack succeeding without its
// control. In every other build Off is the constant false and the compiler
// removes the branches.
package ablate

// Control is the name of one security control.
type Control string

// The controls, one list. docs/redteam.json maps attacks to them.
const (
	OTPTries       Control = "otp-tries"        // three tries per code
	OTPNumberLimit Control = "otp-number-limit" // codes per number and origin
	OTPGuessBudget Control = "otp-guess-budget" // failed guesses, whole system
	OTPSingleUse   Control = "otp-single-use"   // a confirmed code is spent
	OTPExpiry      Control = "otp-expiry"       // three minutes by the vault's clock
	OTPBinding     Control = "otp-binding"      // code bound to its transaction id
	OTPDevice      Control = "otp-device"       // code bound to the device key that asked for it
	OTPAtomic      Control = "otp-atomic"       // try and claim in one transaction
	OTPUniform     Control = "otp-uniform"      // same answer for known and unknown numbers
	OTPFormat      Control = "otp-format"       // exactly one string of 64 hex digits
	SMSFixedText   Control = "sms-fixed-text"   // no caller's text in a message
	OneLiveBooking Control = "one-live-booking" // per person and programme
	BookingBounds  Control = "booking-bounds"   // how often a household books, cancels, registers
	HoldBounds     Control = "hold-bounds"      // one hold of a household at a time, and how many may come to nothing
	Capacity       Control = "capacity"         // conditional update on places
	SearchLimit    Control = "search-limit"     // public searches per origin
	AEADBinding    Control = "aead-binding"     // associated data of sealed parts
	HeadCheck      Control = "head-check"       // registry rows must match the vault's head
	RowMAC         Control = "row-mac"          // MAC over rows that grant
	GuardAnchor    Control = "guard-anchor"     // digest of granting rows anchored in the ledger
	ReceiptFirst   Control = "receipt-first"    // ledger entry durable before plaintext
	Sealing        Control = "sealing"          // identity and events sealed before the registry sees them
	IndexKey       Control = "index-key"        // blind index under a secret key
	DebugRoutes    Control = "debug-routes"     // no profiling routes in the listener
	JWTAlg         Control = "jwt-alg"          // one fixed bearer algorithm
	Ownership      Control = "ownership"        // membership checked by the vault on every person
	LogEscape      Control = "log-escape"       // structured, escaped logs
	LogOrder       Control = "log-order"        // statements about log files follow those on the ledger
	Normalise      Control = "normalise"        // one canonical form of numbers and names
	ErrorText      Control = "error-text"       // errors carry a request id only
	VaultProof     Control = "vault-proof"      // the vault checks end-user proof itself
	DBSync         Control = "db-sync"          // every commit is synced
	ProofReplay    Control = "proof-replay"     // a signed staff request is taken once
	CardScope      Control = "card-scope"       // a card's session is for its person alone
	CardTries      Control = "card-tries"       // wrong PINs lock a card
	StaffEvidence  Control = "staff-evidence"   // staff open a person only on that person's evidence
	Revocation     Control = "revocation"       // revoked certificates are refused
	CertSignature  Control = "cert-signature"   // a certificate is what its key signed
	SecondPerson   Control = "second-person"    // nobody approves what he proposed
	SmallCells     Control = "small-cells"      // counts are published rounded down to tens
	AdultCard      Control = "adult-card"       // an adult's own card guards what is theirs from the rest of the household
	StaffFirst     Control = "staff-first"      // a staff request is proven before anything is read for it
	WriteOnly      Control = "write-only"       // a dose without evidence is kept unread, whoever it names
)

// The controls of what others may do with a person's consent.
const (
	PartnerScope Control = "partner-scope" // a partner's session does what the person consented to and no more
	PartnerProof Control = "partner-proof" // a partner signs its requests; its key alone is none
	ConsentOnce  Control = "consent-once"  // a consented status is told once
	BindDeclared Control = "bind-declared" // of a body only the fields a route declares are read; our own routes refuse others
)

// The controls of several processes.
const (
	VaultLease Control = "vault-lease" // a vault that lost the lease stores nothing
)

// The controls of messages.
const (
	SendOnce     Control = "send-once"     // a code that a gateway may have is not sent again
	NoticeBounds Control = "notice-bounds" // how many messages of a kind a household gets in a day
	EmailBounds  Control = "email-bounds"  // how many codes go to one e-mail address
)

// The controls of staff who are people (ADR 31).
const (
	PasskeyProof Control = "passkey-proof" // a sign-in is signed by the member's passkey
	SessionKey   Control = "session-key"   // a session is its key: who names it without signing with it has nothing
	SessionLife  Control = "session-life"  // a session ends: 8 hours, 15 minutes idle
	SessionsEnd  Control = "sessions-end"  // any change of what a member signs in with, or may do, ends all their sessions
	SecondDevice Control = "second-device" // another human approves a further device
	RosterCheck  Control = "roster"        // records open at a centre on whose roster today one is
	ProofTime    Control = "proof-time"    // a proof is good for a minute
	StaffPage    Control = "staff-page"    // the staff client is in nobody's frame and runs its own files only
)

// The controls of staff who sign in at their department (ADR 37).
const (
	OIDCSignature Control = "oidc-signature" // an ID token is signed by a key of the provider's, with that key's algorithm
	OIDCIssuer    Control = "oidc-issuer"    // it is by this issuer
	OIDCAudience  Control = "oidc-audience"  // it is for this client and no other
	OIDCNonce     Control = "oidc-nonce"     // it answers the question that this session's key asked
	OIDCFactor    Control = "oidc-factor"    // the person was just asked for a phishing-resistant factor
	OIDCCeiling   Control = "oidc-ceiling"   // it gives no role above the department's ceiling
	OIDCLeaver    Control = "oidc-leaver"    // who left is out at once, whatever sessions they have
	OIDCSecond    Control = "oidc-second"    // a department's configuration adds nothing without a second person and a day
)

// KeyHistory: what an earlier key named, wrapped or signed stays good through a
// change of keys.
const KeyHistory Control = "key-history"

// The controls of staff.
const (
	Policy Control = "policy" // what the policies do not permit is refused
)

// The controls of copies and of leaving.
const (
	LeaveHides    Control = "leave-hides"    // who has left is no member of the household
	StatusLink    Control = "status-link"    // root follows no link in a role's folder
	BackupSeal    Control = "backup-seal"    // a backup set is what the vault signed
	RestoreGap    Control = "restore-gap"    // an older copy goes live only when two people approve
	ErasureReplay Control = "erasure-replay" // an older copy erases again who was erased since
	EraseFinal    Control = "erase-final"    // older sets stop opening who was erased since
	GapSuspends   Control = "gap-suspends"   // what ended in a gap does not come back with the older copy
)

// The controls of openings from the day's list, and of presence.
const (
	Presence       Control = "presence"        // a code opens at the booking's own centre and on its own day
	RosterMode     Control = "roster-mode"     // a centre opens from its list only where two people allowed it
	FreshAssertion Control = "fresh-assertion" // an opening from the list needs a passkey touched for it
	PendingCap     Control = "pending-cap"     // how many people are open and not closed
	NoDoseCap      Control = "no-dose-cap"     // how many visits of a day end without a dose
	StepUp         Control = "step-up"         // openings that end without a dose ask for codes
	ConfirmedOnly  Control = "confirmed-only"  // only the holder's confirmation earns an opening
	BudgetStrict   Control = "budget-strict"   // a budget is judged and spent in the opening's transaction
	Phantoms       Control = "phantoms"        // a list has people who do not exist
	StockAlarm     Control = "stock-alarm"     // more doses than vials are seen
	RosterAlert    Control = "roster-alert"    // work at a centre on whose roster one is not is seen
)

// The controls of pages.
const (
	CrossSite    Control = "cross-site"    // a form of another site, or of nobody says where, is refused
	FormToken    Control = "form-token"    // a browser that says nothing of a form's origin has to hold a token of the page
	SessionFresh Control = "session-fresh" // a sign-in takes nothing of what the browser had before
	NameForm     Control = "name-form"     // a name has no markup and no mark that turns what stands beside it
	FormulaCells Control = "formula-cells" // no cell of a table is taken for a formula
)

// Lookup: nobody finds a person by a number. A test build without it answers staff as CoWIN
// is described to have done; no other build holds the code that does.
const Lookup Control = "lookup"

// The controls of what lets staff open more (R44).
const (
	ChangeDelay  Control = "change-delay"  // what two people agreed on waits for a day
	PolicyFolder Control = "policy-folder" // a start with other policies does not put them into force
	ProposalText Control = "proposal-text" // an approval is of the text that was read
)

// The controls of a holder's session in the portal (ADR 44).
const (
	HolderKey  Control = "holder-key"  // a session goes on only with the key that it was got on
	HolderHour Control = "holder-hour" // and no longer than an hour
)

// The controls of devices (ADR 39).
const (
	NewDevice   Control = "new-device"    // a device new to a household sees a masked view for a day
	PINTries    Control = "pin-tries"     // ten wrong PINs of a household lock it
	PINRemoval  Control = "pin-removal"   // a PIN that is not given goes a day later
	Recycled    Control = "recycled"      // after half a year a code alone opens nothing
	FirstDay    Control = "first-day"     // what shuts others out takes more than one code
	NewBreaker  Control = "new-breaker"   // how many households new devices open in an hour
	NewOnce     Control = "new-once"      // a household is counted once in that hour
	NewOffers   Control = "new-offers"    // how many offers a day a new device asks about
	OwnCodesCap Control = "own-codes-cap" // and how many such codes a day
	OwnCodes    Control = "own-codes"     // a household's own device gets a code though others used up the number's
)

// The controls of break-glass and re-linking.
const (
	GlassCap   Control = "glass-cap"   // two views by break-glass of a member of staff and day
	GlassWords Control = "glass-words" // who approves break-glass signs what was asked, word for word

	RelinkDelay    Control = "relink-delay"    // three days between two signatures and a new number
	RelinkDocument Control = "relink-document" // the document the person registered with
	RelinkStop     Control = "relink-stop"     // who has the old number stops it
	RelinkPerson   Control = "relink-person"   // one person, never the household
	RelinkNumber   Control = "relink-number"   // it ends at the number that two signed
	RelinkStands   Control = "relink-stands"   // both members of staff still work there when it ends
)

// The controls of what people ask for about their own records.
const (
	RequestOther Control = "request-other" // nobody answers what a person asks about that same member of staff's act
	DetailsPlace Control = "details-place" // only a centre that has to do with somebody corrects who they are
)

// The controls of links that open a certificate (ADR 43).
const (
	ShareEnds    Control = "share-ends"    // a link opens until its day, or until it is ended
	ShareGuesses Control = "share-guesses" // how many links that open nothing a network tries
	TrackGuesses Control = "track-guesses" // how many tracking numbers that are none a network tries
)

// All lists every control.
func All() []Control {
	return append([]Control{KeyHistory, GapSuspends, EraseFinal, Lookup, OTPDevice, NewDevice, PINTries, PINRemoval, Recycled, FirstDay, NewBreaker, NewOnce, NewOffers, OwnCodes, OwnCodesCap}, []Control{OTPTries, OTPNumberLimit, OTPGuessBudget, OTPSingleUse, OTPExpiry, OTPBinding, OTPAtomic, OTPUniform,
		OTPFormat, SMSFixedText, OneLiveBooking, BookingBounds, HoldBounds, Capacity, SearchLimit, AEADBinding, HeadCheck, RowMAC, GuardAnchor, ReceiptFirst,
		Sealing, IndexKey, DebugRoutes, JWTAlg, Ownership, LogEscape, LogOrder, Normalise, ErrorText, VaultProof, DBSync, ProofReplay,
		HolderKey, HolderHour, CardScope, CardTries, StaffEvidence, PartnerScope, PartnerProof, ConsentOnce, BindDeclared,
		Revocation, CertSignature, SecondPerson, SmallCells, SendOnce, NoticeBounds, EmailBounds, VaultLease,
		StaffFirst, Policy, AdultCard, WriteOnly, StatusLink, PasskeyProof, SessionKey, SessionLife, SessionsEnd, SecondDevice, RosterCheck, ProofTime, StaffPage, BackupSeal, LeaveHides, RestoreGap, ErasureReplay,
		OIDCSignature, OIDCIssuer, OIDCAudience, OIDCNonce, OIDCFactor, OIDCCeiling, OIDCLeaver, OIDCSecond,
		Presence, RosterMode, FreshAssertion, PendingCap, NoDoseCap, StepUp, ConfirmedOnly, BudgetStrict, Phantoms, StockAlarm, RosterAlert, ChangeDelay, PolicyFolder, ProposalText, GlassCap, GlassWords,
		RequestOther, DetailsPlace, ShareEnds, ShareGuesses, TrackGuesses,
		CrossSite, FormToken, SessionFresh, NameForm, FormulaCells,
		RelinkDelay, RelinkDocument, RelinkStop, RelinkPerson, RelinkNumber, RelinkStands,
	}...)
}
