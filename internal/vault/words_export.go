package vault

import (
	"context"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// MethodExport is the word for everything that is held of a household's people.
const MethodExport = "export.own"

// ExportRequest asks for it. Records holds every member's record.
type ExportRequest struct {
	Holder  Holder
	Records []Record
}

// Export is everything that is held of the holder's household and its people, in the
// clear, for them. Times in Unix milliseconds. Withheld are adults whose own card has to
// be shown first. Not in it: keyed tags, MACs and wrapped keys, which say nothing of
// anybody, and whether a document is in use elsewhere, which is nobody's to learn.
type Export struct {
	At        int64
	Household ExportHousehold
	People    []ExportPerson
	Withheld  []id.Reference
	ViewRef   string
	Receipts  []string
}

// ExportHousehold is what is held of the mobile. It is empty in a card's session, but for
// Created.
type ExportHousehold struct {
	MobileLast4 string
	Created     int64
	Language    string // of messages
	Email       string
	EmailSince  int64
	Seen        int64 // when a code was last completed, exact to a week
	PIN         bool
	Devices     []Device
}

// ExportPerson is what is held of one person.
type ExportPerson struct {
	Reference    id.Reference
	Name         string
	NameLocal    string
	BirthYear    int
	BirthDate    string
	GenderID     int
	IDType       int
	IDLast4      string
	Comorbidity  bool
	Guardian     string
	Registered   int64
	Consents     []ExportConsent
	Doses        []ExportDose
	Appointments []ExportVisit
	Certificates []int64 // when each that is in force ends
	Card         int64   // when the card was made; 0: there is none
	Joined       int     // registrations that ended in this one
	Openings     []Opening
	OpeningsMore bool // there are older ones: /openings has all
	Requests     []Request
}

// ExportConsent is a consent that was given.
type ExportConsent struct {
	Version, Language, Purpose, By string
	At                             int64
}

// ExportDose is one dose event. Versions is how often it was sealed: the first time, and
// with each change.
type ExportDose struct {
	Event               id.Event
	Product, Lot        string
	Sequence            int
	Day                 civil.Date
	Place, District     string
	Vaccinator          string
	Source, Country     string
	Status, Reason      string
	Recorded, ChangedAt int64
	Versions            int
}

// ExportVisit is an appointment that the vault knows of.
type ExportVisit struct {
	Centre    id.Centre
	Day       civil.Date
	Slot      string
	Product   string
	Dose      int
	State     string
	Booked    int64
	Programme string
}

// Export gives it out. It is counted and entered as an opening of each person.
func (c *Client) Export(ctx context.Context, r ExportRequest) (Export, error) {
	return call[ExportRequest, Export](ctx, c, MethodExport, r)
}
