package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"tikakosh/internal/fault"
)

// MaxMessage bounds one request or answer of the vault's socket, in bytes.
const MaxMessage = 4 << 20

// The methods of the vault's socket. Each names who may call it in the
// keeper's table; a caller that is not listed gets fault.Forbidden.
const (
	MethodRequestCode  = "code.request"
	MethodConfirmCode  = "code.confirm"
	MethodMembership   = "session.membership"
	MethodEndSession   = "session.end"
	MethodEnrol        = "person.enrol"
	MethodCommitted    = "person.committed"
	MethodOpen         = "person.open"
	MethodRemove       = "person.remove"
	MethodOpenings     = "person.openings"
	MethodCertificate  = "person.certificate"
	MethodBook         = "booking.book"
	MethodCancel       = "booking.cancel"
	MethodSlip         = "booking.slip"
	MethodRelease      = "booking.release"
	MethodSettled      = "booking.settled"
	MethodUnfinished   = "work.unfinished"
	MethodOpenSession  = "staff.session"
	MethodDose         = "staff.dose"
	MethodStaffEnrol   = "staff.enrol"
	MethodStaffDisable = "staff.disable"
	MethodKeys         = "keys"
	MethodStatus       = "status"
	MethodSeed         = "demo.seed"
)

// Failure is the form of an error on the vault's socket.
type Failure struct {
	Kind         fault.Kind
	Code         string
	Text         string
	RetryAfterMS int64
}

// Client calls the vault. It is safe for concurrent use. Every method returns
// the vault's fault kinds, or fault.Unavailable when the vault cannot be
// reached, or fault.Unknown when the request was sent and no usable answer
// came: a mutation may then have happened; repeat it with the same key.
type Client struct {
	http *http.Client
	base string
}

// NewClient makes a client over an HTTP client whose transport leads to the
// vault (ipc.HTTPClient).
func NewClient(h *http.Client, base string) *Client { return &Client{http: h, base: base} }

func call[Req, Resp any](ctx context.Context, c *Client, method string, req Req) (resp Resp, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return resp, fault.Wrap(fault.Internal, err, "vault request")
	}
	if len(body) > MaxMessage {
		return resp, fault.New(fault.Invalid, "size", "the vault request is too large")
	}
	var sent atomic.Bool // from the moment there was a connection
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/"+method, bytes.NewReader(body))
	if err != nil {
		return resp, fault.Wrap(fault.Internal, err, "vault request")
	}
	hr.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(hr)
	if err != nil {
		var known *fault.Error
		if errors.As(err, &known) && known.Kind == fault.Unavailable && known.Code == CodeAway { // the way says that nothing was done
			return resp, known
		}
		return resp, transportFault(sent.Load())
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, MaxMessage+1))
	if err != nil {
		return resp, transportFault(true)
	}
	if res.StatusCode != http.StatusOK {
		var f Failure
		if json.Unmarshal(raw, &f) != nil || f.Kind == "" {
			return resp, transportFault(true)
		}
		return resp, &fault.Error{Kind: f.Kind, Code: f.Code, Text: f.Text, RetryAfter: time.Duration(f.RetryAfterMS) * time.Millisecond}
	}
	if err := json.Unmarshal(raw, &resp); err != nil {
		return resp, transportFault(true)
	}
	return resp, nil
}

// transportFault drops the cause's text: a URL error could quote a request.
func transportFault(sent bool) error {
	if sent {
		return &fault.Error{Kind: fault.Unknown, Code: CodeAway, Text: "the vault gave no usable answer", RetryAfter: time.Second}
	}
	return &fault.Error{Kind: fault.Unavailable, Code: CodeAway, Text: "the vault cannot be reached", RetryAfter: time.Second}
}

// RequestCode sends a one-time code to a mobile.
func (c *Client) RequestCode(ctx context.Context, r CodeRequest) (CodeIssued, error) {
	return call[CodeRequest, CodeIssued](ctx, c, MethodRequestCode, r)
}

// ConfirmCode turns a right answer into a session; fault.Invalid USRAUT0014 otherwise.
func (c *Client) ConfirmCode(ctx context.Context, r CodeAnswer) (Session, error) {
	return call[CodeAnswer, Session](ctx, c, MethodConfirmCode, r)
}

// Membership tells what a bearer stands for; fault.Unauthorized when it is not live.
func (c *Client) Membership(ctx context.Context, h Holder) (Membership, error) {
	return call[Holder, Membership](ctx, c, MethodMembership, h)
}

// EndSession revokes a bearer. Ending an ended session is no error.
func (c *Client) EndSession(ctx context.Context, h Holder) error {
	_, err := call[Holder, Empty](ctx, c, MethodEndSession, h)
	return err
}

// Enrol seals a new person into the holder's household. fault.Full at six
// members, fault.Conflict when the id is already in this household.
func (c *Client) Enrol(ctx context.Context, r EnrolRequest) (Enrolled, error) {
	return call[EnrolRequest, Enrolled](ctx, c, MethodEnrol, r)
}

// Committed reports stored seals. It is idempotent.
func (c *Client) Committed(ctx context.Context, r CommittedRequest) (CommittedAnswer, error) {
	return call[CommittedRequest, CommittedAnswer](ctx, c, MethodCommitted, r)
}

// Open releases the booking view of the holder's household; fault.Integrity
// when a record does not match its head (nothing is released).
func (c *Client) Open(ctx context.Context, r OpenRequest) (Opened, error) {
	return call[OpenRequest, Opened](ctx, c, MethodOpen, r)
}

// Remove deletes a registration; fault.Conflict after the first dose or while
// a booking is live.
func (c *Client) Remove(ctx context.Context, r RemoveRequest) (Done, error) {
	return call[RemoveRequest, Done](ctx, c, MethodRemove, r)
}

// Openings releases the holder's own access history.
func (c *Client) Openings(ctx context.Context, r OpeningsRequest) (Openings, error) {
	return call[OpeningsRequest, Openings](ctx, c, MethodOpenings, r)
}

// Certificate builds and signs the certificate of one person; fault.NotFound
// without a counted dose.
func (c *Client) Certificate(ctx context.Context, r CertificateRequest) (Certificate, error) {
	return call[CertificateRequest, Certificate](ctx, c, MethodCertificate, r)
}

// Book lets people take a held place: fault.Invalid with the rule's code when
// somebody may not have that dose, fault.Conflict when somebody has a live
// booking. All or none; repeating a hold answers the same.
func (c *Client) Book(ctx context.Context, r BookRequest) (Booked, error) {
	return call[BookRequest, Booked](ctx, c, MethodBook, r)
}

// Cancel gives bookings up; fault.NotFound when there is none.
func (c *Client) Cancel(ctx context.Context, r CancelRequest) (Done, error) {
	return call[CancelRequest, Done](ctx, c, MethodCancel, r)
}

// Slip releases the appointment slip with the security codes.
func (c *Client) Slip(ctx context.Context, r SlipRequest) (Slip, error) {
	return call[SlipRequest, Slip](ctx, c, MethodSlip, r)
}

// Release drops presence whose registry booking does not exist. Idempotent.
func (c *Client) Release(ctx context.Context, r ReleaseRequest) (Done, error) {
	return call[ReleaseRequest, Done](ctx, c, MethodRelease, r)
}

// Settled reports that the registry carried a booking or cancellation out. Idempotent.
func (c *Client) Settled(ctx context.Context, r SettledRequest) error {
	_, err := call[SettledRequest, Empty](ctx, c, MethodSettled, r)
	return err
}

// Unfinished lists work whose end the vault has not seen.
func (c *Client) Unfinished(ctx context.Context, r UnfinishedRequest) (Unfinished, error) {
	return call[UnfinishedRequest, Unfinished](ctx, c, MethodUnfinished, r)
}

// OpenSession opens a session day on a manager's signed request.
func (c *Client) OpenSession(ctx context.Context, r OpenSessionRequest) (Done, error) {
	return call[OpenSessionRequest, Done](ctx, c, MethodOpenSession, r)
}

// RecordDose seals a dose on a vaccinator's signed request and the person's
// booking code. Repeating it before the dose is committed answers the same seal.
func (c *Client) RecordDose(ctx context.Context, r DoseRequest) (DoseSealed, error) {
	return call[DoseRequest, DoseSealed](ctx, c, MethodDose, r)
}

// EnrolStaff enrols a staff device key (operator's socket only).
func (c *Client) EnrolStaff(ctx context.Context, r StaffEnrolRequest) (StaffEnrolled, error) {
	return call[StaffEnrolRequest, StaffEnrolled](ctx, c, MethodStaffEnrol, r)
}

// DisableStaff ends a staff credential (operator's socket only).
func (c *Client) DisableStaff(ctx context.Context, r StaffDisableRequest) (Done, error) {
	return call[StaffDisableRequest, Done](ctx, c, MethodStaffDisable, r)
}

// Keys returns the vault's public keys.
func (c *Client) Keys(ctx context.Context) (Keys, error) {
	return call[Empty, Keys](ctx, c, MethodKeys, Empty{})
}

// Status tells whether the vault is ready.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Empty, Status](ctx, c, MethodStatus, Empty{})
}

// Seed adds synthetic people; exists only in a vault started for a demo.
func (c *Client) Seed(ctx context.Context, r SeedRequest) (Seeded, error) {
	return call[SeedRequest, Seeded](ctx, c, MethodSeed, r)
}
