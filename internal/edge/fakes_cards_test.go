package edge

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

func (b *backend) by2(s vault.Signed) error { b.signed = s; return b.word() }

func (b *backend) WalkIn(_ context.Context, s vault.Signed) (vault.WalkedIn, error) {
	return vault.WalkedIn{Enrolled: vault.Enrolled{Reference: id.NewReference()}, Card: "TK1:", PIN: "123456"}, b.by2(s)
}

func (b *backend) NewCard(_ context.Context, h vault.Holder, _ id.Reference, _ string) (vault.NewCard, error) {
	return vault.NewCard{Card: "TK1:", PIN: "123456"}, b.by(h)
}

func (b *backend) Link(_ context.Context, r vault.LinkRequest) (id.Reference, error) {
	return id.NewReference(), b.by(r.Holder)
}

func (b *backend) Merge(_ context.Context, h vault.Holder, _, _ id.Reference) error { return b.by(h) }

func (b *backend) StaffView(_ context.Context, r vault.StaffViewRequest) (vault.StaffView, error) {
	return vault.StaffView{ViewRef: "AAAAAAAAAAAAA"}, b.by2(r.Signed)
}

func (b *backend) StaffCertificate(_ context.Context, r vault.StaffViewRequest) (vault.Certificate, error) {
	return vault.Certificate{}, b.by2(r.Signed)
}

func (b *backend) StaffCode(_ context.Context, r vault.StaffCodeRequest) (vault.StaffCode, error) {
	return vault.StaffCode{Txn: id.New()}, b.by2(r.Signed)
}

func (b *backend) CardSession(context.Context, vault.CardAnswer) (vault.Session, error) {
	return vault.Session{Bearer: "x"}, b.word()
}

func (b *backend) ShowCard(_ context.Context, r vault.ShowCardRequest) error { return b.by(r.Holder) }

// onSite is the backend as the service of walk-ins.
type onSite struct{ b *backend }

func (o onSite) Book(_ context.Context, s vault.Signed, _ scheduling.BookInput) (id.Hold, error) {
	return id.Hold(id.New()), o.b.by2(s)
}

func noCard(string, string, id.Reference) ([]byte, error) { return []byte("%PDF-"), nil }

// wisher is the backend as the service of alerts.
type wisher struct{ b *backend }

func (w wisher) Add(_ context.Context, h vault.Holder, _ scheduling.Wish) (string, error) {
	return id.New(), w.b.by(h)
}

func (w wisher) List(_ context.Context, h vault.Holder) ([]scheduling.Wish, error) {
	return []scheduling.Wish{{ID: id.New(), District: 1, Dose: 1}}, w.b.by(h)
}

func (w wisher) Drop(_ context.Context, h vault.Holder, _ string) error { return w.b.by(h) }

// mailed is the backend as the vault's other channel.
type mailed struct{ b *backend }

func (m mailed) EmailCode(_ context.Context, r vault.EmailRequest) (vault.CodeIssued, error) {
	return vault.CodeIssued{Txn: id.New(), Held: 1}, m.b.by(r.Holder)
}

func (m mailed) EmailConfirm(_ context.Context, r vault.EmailAnswer) error { return m.b.by(r.Holder) }

func (m mailed) EmailState(_ context.Context, h vault.Holder) (vault.EmailState, error) {
	return vault.EmailState{Confirmed: true, Since: 1}, m.b.by(h)
}

func (m mailed) EmailDrop(_ context.Context, h vault.Holder) error { return m.b.by(h) }

// deviceful is the backend as the vault's devices and PIN.
type deviceful struct{ b *backend }

func (d deviceful) Devices(_ context.Context, h vault.Holder) (vault.DeviceList, error) {
	return vault.DeviceList{PIN: vault.PINEnding, Ends: 1, Devices: []vault.Device{{ID: "x", Kind: "device", State: vault.DeviceWaiting, Since: 1, Last: 1, Until: 1}}}, d.b.by(h)
}

func (d deviceful) DeviceEnd(_ context.Context, r vault.DeviceEndRequest) error {
	return d.b.by(r.Holder)
}

func (d deviceful) DeviceCode(_ context.Context, r vault.DeviceCodeRequest) (vault.CodeIssued, error) {
	return vault.CodeIssued{Txn: id.New()}, d.b.by(r.Holder)
}

func (d deviceful) DeviceConfirm(_ context.Context, r vault.DeviceAnswer) error {
	return d.b.by(r.Holder)
}

func (d deviceful) PINSet(_ context.Context, r vault.PINRequest) error { return d.b.by(r.Holder) }

func (d deviceful) PINGive(_ context.Context, r vault.PINAnswer) error { return d.b.by(r.Holder) }

func (d deviceful) PINEnd(_ context.Context, r vault.PINEndRequest) (vault.PINEnded, error) {
	return vault.PINEnded{Ends: 1}, d.b.by(r.Holder)
}

// lister is the backend as the day's list.
type lister struct{ b *backend }

func (l lister) List(_ context.Context, s vault.Signed, _ id.Centre, _ id.Session) (vault.DayList, error) {
	return vault.DayList{Mode: vault.DayListRoster, ViewRef: "AAAAAAAAAAAAA", Rows: []vault.DayRow{{Slot: "a", Number: 1, Initial: "A", LastTwo: "01", Row: "x"}}}, l.b.by2(s)
}

func (l lister) Open(_ context.Context, s vault.Signed) (vault.RosterOpened, error) {
	return vault.RosterOpened{StaffView: vault.StaffView{ViewRef: "AAAAAAAAAAAAA"}}, l.b.by2(s)
}

func (l lister) VisitClose(_ context.Context, r vault.VisitCloseRequest) (vault.Done, error) {
	return vault.Done{}, l.b.by2(r.Signed)
}

func (l lister) Tripped(_ context.Context, r vault.TrippedRequest) (vault.Tripped, error) {
	return vault.Tripped{Rows: []vault.TrippedRow{{Why: "outcomes", Times: 1}}}, l.b.by2(r.Signed)
}

// glazier is the backend as break-glass.
type glazier struct{ b *backend }

func (g glazier) Propose(_ context.Context, s vault.Signed, _ id.Reference) (vault.Glass, error) {
	return vault.Glass{ID: id.New(), About: "card 1234", Reason: "x", Expires: 1}, g.b.by2(s)
}

func (g glazier) GlassApprove(_ context.Context, r vault.GlassAct) (vault.Glass, error) {
	return vault.Glass{ID: id.New(), About: "card 1234", Reason: "x", Expires: 1}, g.b.by2(r.Signed)
}

func (g glazier) Open(_ context.Context, s vault.Signed) (vault.StaffView, error) {
	return vault.StaffView{ViewRef: "AAAAAAAAAAAAA"}, g.b.by2(s)
}

func (g glazier) GlassList(_ context.Context, r vault.GlassAct) (vault.GlassList, error) {
	return vault.GlassList{Rows: []vault.GlassRow{{ID: id.New(), Kind: "break-glass", State: "done", At: 1}}, After: id.New()}, g.b.by2(r.Signed)
}

func (l lister) TrippedSeen(_ context.Context, r vault.SeenRequest) (vault.Done, error) {
	return vault.Done{}, l.b.by2(r.Signed)
}

// mover is the backend as re-linking.
type mover struct{ b *backend }

func (m mover) Propose(_ context.Context, s vault.Signed, _ id.Reference) (vault.Glass, error) {
	return vault.Glass{ID: id.New(), About: "card ending 1234", Reason: "x", Expires: 1}, m.b.by2(s)
}

func (m mover) RelinkApprove(_ context.Context, r vault.GlassAct) (vault.Glass, error) {
	return vault.Glass{ID: id.New(), About: "card ending 1234", Reason: "x", Expires: 1, Due: 1}, m.b.by2(r.Signed)
}

func (m mover) RelinkStaffStop(_ context.Context, r vault.GlassAct) (vault.Done, error) {
	return vault.Done{}, m.b.by2(r.Signed)
}

func (m mover) RelinkList(_ context.Context, h vault.Holder) (vault.RelinkList, error) {
	return vault.RelinkList{Rows: []vault.RelinkWaits{{ID: id.New(), At: 1, From: 1, Until: 1}}}, m.b.by(h)
}

func (m mover) RelinkStop(_ context.Context, r vault.RelinkStopRequest) (vault.Done, error) {
	return vault.Done{}, m.b.by(r.Holder)
}

func (m mover) Finish(_ context.Context, h vault.Holder, ref id.Reference) (id.Reference, error) {
	return ref, m.b.by(h)
}

// sharer makes links for the household that is there.
type sharer struct{ b *backend }

func (d sharer) Make(_ context.Context, h vault.Holder, ref id.Reference, days int, _ string) (vault.ShareMade, error) {
	return vault.ShareMade{Token: "AAAAAAAAAAAAAAAAAAAAAA", Share: vault.Share{ID: "x", Made: 1, Expires: 2, Live: true}}, d.b.by(h)
}

func (d sharer) List(_ context.Context, h vault.Holder, _ id.Reference) (vault.ShareList, error) {
	return vault.ShareList{Shares: []vault.Share{{ID: "x", Made: 1, Expires: 2, Ended: 1, Uses: 1, Last: 1}}}, d.b.by(h)
}

func (d sharer) End(_ context.Context, h vault.Holder, _ id.Reference, _ string) error {
	return d.b.by(h)
}

func (d sharer) Open(context.Context, string, string, string) (vault.ShareOpened, error) {
	return vault.ShareOpened{Certificate: vault.Certificate{PDF: []byte("%PDF-x"), ViewRef: "VVVVVVVVVVVVV"}, Expires: 2}, d.b.word()
}
