package vault

import "context"

// The methods about cards, their people and what staff open on evidence.
const (
	MethodWalkIn           = "staff.walkin"
	MethodCardSession      = "card.session"
	MethodNewCard          = "card.new"
	MethodShowCard         = "card.show"
	MethodLink             = "person.link"
	MethodMerge            = "person.merge"
	MethodStaffView        = "staff.view"
	MethodStaffCertificate = "staff.certificate"
	MethodStaffCode        = "staff.code"
	MethodStaffCheck       = "staff.check"
	MethodWalkInBook       = "staff.book"
)

// WalkIn registers somebody without a mobile on a vaccinator's signed request.
// fault.Conflict when the same registration was made a moment ago and its card is in use.
func (c *Client) WalkIn(ctx context.Context, r WalkInRequest) (WalkedIn, error) {
	return call[WalkInRequest, WalkedIn](ctx, c, MethodWalkIn, r)
}

// CardSession signs the person of a card in; fault.Invalid, always the same, when card or
// PIN are not right.
func (c *Client) CardSession(ctx context.Context, r CardAnswer) (Session, error) {
	return call[CardAnswer, Session](ctx, c, MethodCardSession, r)
}

// NewCard replaces the card of a person of the holder's household.
func (c *Client) NewCard(ctx context.Context, r NewCardRequest) (NewCard, error) {
	return call[NewCardRequest, NewCard](ctx, c, MethodNewCard, r)
}

// ShowCard shows an adult's card and PIN in a session of their household by mobile;
// fault.Invalid, always the same, when they are not right or somebody else's.
func (c *Client) ShowCard(ctx context.Context, r ShowCardRequest) error {
	_, err := call[ShowCardRequest, Done](ctx, c, MethodShowCard, r)
	return err
}

// Link moves the person of a card into the holder's household. Repeating it answers
// the same.
func (c *Client) Link(ctx context.Context, r LinkRequest) (Linked, error) {
	return call[LinkRequest, Linked](ctx, c, MethodLink, r)
}

// Merge joins two registrations of one person. Repeating it before the seal is
// stored answers the same seal.
func (c *Client) Merge(ctx context.Context, r MergeRequest) (MergeSealed, error) {
	return call[MergeRequest, MergeSealed](ctx, c, MethodMerge, r)
}

// StaffView releases the verification view of a person who showed the staff member that
// it is them; fault.NotFound otherwise, always the same.
func (c *Client) StaffView(ctx context.Context, r StaffViewRequest) (StaffView, error) {
	return call[StaffViewRequest, StaffView](ctx, c, MethodStaffView, r)
}

// StaffCertificate is StaffView for the certificate.
func (c *Client) StaffCertificate(ctx context.Context, r StaffViewRequest) (Certificate, error) {
	return call[StaffViewRequest, Certificate](ctx, c, MethodStaffCertificate, r)
}

// StaffCode sends a code to a person's household, if there is one.
func (c *Client) StaffCode(ctx context.Context, r StaffCodeRequest) (StaffCode, error) {
	return call[StaffCodeRequest, StaffCode](ctx, c, MethodStaffCode, r)
}

// StaffCheck tells where the staff member of a signed request works; the proof is not
// spent.
func (c *Client) StaffCheck(ctx context.Context, r StaffCheckRequest) (StaffChecked, error) {
	return call[StaffCheckRequest, StaffChecked](ctx, c, MethodStaffCheck, r)
}

// WalkInBook lets a person who is at the centre take a held place of its open session.
func (c *Client) WalkInBook(ctx context.Context, r WalkInBookRequest) (Booked, error) {
	return call[WalkInBookRequest, Booked](ctx, c, MethodWalkInBook, r)
}
