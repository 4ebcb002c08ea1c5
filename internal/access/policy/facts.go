package policy

import (
	"tikakosh/internal/access"
)

// Action is what somebody asks to do: the name of an edge route of staff, or a word of
// the vault. The schema says on what each one acts and which facts count.
type Action string

// The actions.
const (
	StaffSession      Action = "staff.session"
	StaffDose         Action = "staff.dose"
	StaffDoseRecord   Action = "staff.dose.record"
	StaffUnmatched    Action = "staff.doses.unmatched"
	StaffWalkIn       Action = "staff.walkin"
	StaffView         Action = "staff.view"
	StaffBook         Action = "staff.book"
	StaffCertificate  Action = "staff.certificate"
	StaffCode         Action = "staff.code"
	StaffList         Action = "staff.list"
	StaffListOpen     Action = "staff.list.open"
	StaffVisitClose   Action = "staff.visit.close"
	StaffTripped      Action = "staff.tripped"
	StaffTrippedSeen  Action = "staff.tripped.seen"
	GlassPropose      Action = "staff.glass.propose"
	GlassApprove      Action = "staff.glass.approve"
	GlassOpen         Action = "staff.glass.open"
	GlassWaiting      Action = "staff.glass.waiting"
	GlassList         Action = "staff.glass.list"
	Requests          Action = "staff.requests"
	RequestOpening    Action = "staff.request.opening" // reads and answers one about an opening, or somebody unknown
	RequestRecord     Action = "staff.request.record"  // or about what is written down of somebody
	RelinkPropose     Action = "staff.relink.propose"
	RelinkApprove     Action = "staff.relink.approve"
	RelinkStop        Action = "staff.relink.stop"
	CorrectionPropose Action = "staff.correction.propose"
	CorrectionApprove Action = "staff.correction.approve"
	Corrections       Action = "staff.corrections"
	PersonOpen        Action = "person.open" // every release of anything sealed about a person, to themself, a partner, or the vault
	StaffOpen         Action = "staff.open"  // every such release to staff
	RestoreApprove    Action = "restore.approve"
	PolicyPropose     Action = "policy.propose"
	PolicyApprove     Action = "policy.approve"
	RosterModePropose Action = "roster-mode.propose"
	RosterModeApprove Action = "roster-mode.approve"
	RosterModeEnd     Action = "roster-mode.end"
	ChangeEnforce     Action = "change.enforce" // the vault puts into force what two people agreed on
)

// The actions of members of staff among themselves (ADR 31).
const (
	StaffMe           Action = "staff.me"
	StaffSignOut      Action = "staff.sign-out"
	StaffGrantChoose  Action = "staff.grant.choose"
	StaffNonce        Action = "staff.nonce"
	StaffDeviceLink   Action = "staff.device.link"
	StaffDeviceEnd    Action = "staff.device.end"
	StaffSessionsEnd  Action = "staff.sessions.end"
	StaffInvite       Action = "staff.invite"
	StaffGrantPropose Action = "staff.grant.propose"
	StaffGrantEnd     Action = "staff.grant.end"
	StaffRecover      Action = "staff.recover"
	StaffDisable      Action = "staff.member.disable"
	StaffApprove      Action = "staff.approve"
	StaffWithdraw     Action = "staff.withdraw"
	StaffProposals    Action = "staff.proposals"
	StaffMembers      Action = "staff.members"
	StaffMember       Action = "staff.member"
	StaffRosterPut    Action = "staff.roster.put"
	StaffRoster       Action = "staff.roster"
)

func identityActions() []Action {
	return []Action{StaffMe, StaffSignOut, StaffGrantChoose, StaffNonce, StaffDeviceLink, StaffDeviceEnd, StaffSessionsEnd, StaffInvite, StaffGrantPropose,
		StaffGrantEnd, StaffRecover, StaffDisable, StaffApprove, StaffWithdraw, StaffProposals, StaffMembers, StaffMember, StaffRosterPut, StaffRoster}
}

// Actions lists every action.
func Actions() []Action {
	return append([]Action{StaffSession, StaffUnmatched, CorrectionPropose, Corrections, CorrectionApprove, StaffDose, StaffDoseRecord, StaffWalkIn, StaffView,
		StaffBook, StaffCertificate, StaffCode, StaffList, StaffListOpen, StaffVisitClose, StaffTripped, StaffTrippedSeen, GlassPropose, GlassApprove, GlassOpen, GlassWaiting, GlassList, RelinkPropose, RelinkApprove, RelinkStop, Requests, RequestOpening, RequestRecord, StaffOpen, PersonOpen, RestoreApprove, PolicyPropose, PolicyApprove,
		RosterModePropose, RosterModeApprove, RosterModeEnd, ChangeEnforce}, identityActions()...)
}

// Credential is what a member of staff signed in with.
type Credential string

// The credentials.
const (
	Machine Credential = "machine" // an enrolled device key
	Passkey Credential = "passkey" // a human's session
)

// Principal is who asks. The zero value is nobody, who may do nothing.
type Principal struct {
	kind       string // Cedar's entity type; "" for Nobody
	role       access.Role
	credential Credential
	scope      access.Scope
}

// kindStaff is Cedar's entity type of staff.
const kindStaff = "Staff"

// Staff is a member of staff in one role: that of the grant they act under.
func Staff(g access.Grant, c Credential) Principal {
	return Principal{kind: kindStaff, role: g.Role, credential: c, scope: g.Scope}
}

// Holder is a household's session, or a card's.
func Holder() Principal { return Principal{kind: "Holder"} }

// Partner is an application that acts on a person's consent.
func Partner() Principal { return Principal{kind: "Partner"} }

// System is the vault itself.
func System() Principal { return Principal{kind: "System"} }

// Evidence is what was brought to show that a person is there. The zero value is none.
type Evidence string

// The kinds of evidence. Correction is that of a proposed correction, not of a presence.
const (
	NoEvidence         Evidence = "none"
	EvidenceCode       Evidence = "security code"
	EvidenceCard       Evidence = "card"
	EvidenceOneTime    Evidence = "one-time code"
	EvidenceRoster     Evidence = "roster"
	EvidenceBreakGlass Evidence = "break-glass"
	EvidenceCorrection Evidence = "correction"
)

// Facts are what the vault established about a request. The zero value establishes
// nothing. Which of them count for an action the schema says.
type Facts struct {
	Open     bool     // a session is open at the centre on the day in question
	Rostered bool     // and the one who asks is rostered to it
	Listed   bool     // roster mode is approved for the centre and the person is on its list of the day
	Fresh    bool     // a passkey was used for this very request
	Second   bool     // another human stands behind it too
	Waited   bool     // the delay between proposal and approval is over
	Own      bool     // the person is the household's own, or consented; of staff: it is about themself, or what they proposed
	Other    bool     // it is about another human of the staff
	Evidence Evidence // what was brought
	View     string   // which fields are asked for, in the words of the schema's View or StaffView
}

// Missing is the first thing a refused request lacks. A refusal for the role or the
// place says nothing of what else is missing.
type Missing string

// What can be missing, in the order in which it is looked for.
const (
	MissingNothing  Missing = ""         // it was allowed
	MissingRole     Missing = "role"     // whatever else was true, this role may not
	MissingPlace    Missing = "place"    // the role is held elsewhere
	MissingOwn      Missing = "own"      // not this household's person
	MissingSession  Missing = "session"  // no session is open
	MissingRoster   Missing = "roster"   // not rostered to it
	MissingEvidence Missing = "evidence" // nothing was brought that opens this
	MissingListed   Missing = "listed"
	MissingFresh    Missing = "fresh"
	MissingSecond   Missing = "second"
	MissingWait     Missing = "wait"
	MissingOther    Missing = "other" // it is about themself
	MissingSense    Missing = "sense" // the question or a policy is in error: denied, and an alarm
)
