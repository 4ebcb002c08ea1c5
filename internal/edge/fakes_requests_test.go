package edge

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// asker is the backend as what people ask.
type asker struct{ b *backend }

func (a asker) Make(_ context.Context, ref id.Reference, r vault.RequestMake) (vault.Request, error) {
	return vault.Request{Tracking: "1234-5678-9010", Kind: r.Kind, State: vault.RequestReceived, Reference: ref, Detail: r.Detail, At: 1, Due: 2}, a.b.by(r.Holder)
}

func (a asker) List(_ context.Context, h vault.Holder) (vault.RequestList, error) {
	return vault.RequestList{Requests: []vault.Request{{Tracking: "1234-5678-9010", Kind: vault.RequestMember, State: vault.RequestReceived, At: 1, Due: 2}}, ViewRef: "AAAAAAAAAAAAA"}, a.b.by(h)
}

func (a asker) Withdraw(_ context.Context, h vault.Holder, tracking string) (vault.Request, error) {
	return vault.Request{Tracking: tracking, Kind: vault.RequestMember, State: vault.RequestWithdrawn, At: 1, Due: 2}, a.b.by(h)
}

func (a asker) RequestWaiting(_ context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error) {
	return vault.StaffRequests{Rows: []vault.StaffRequest{{Tracking: "1234-5678-9010", Kind: vault.RequestMember, State: vault.RequestReceived, At: 1, Due: 2}}}, a.b.by2(r.Signed)
}

func (a asker) RequestRead(_ context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error) {
	return vault.StaffRequests{Rows: []vault.StaffRequest{{Tracking: "1234-5678-9010", Kind: vault.RequestOpening, State: vault.RequestInHand, At: 1, Due: 2,
		Detail: vault.RequestDetail{Text: "x"}, Opened: &vault.Opening{Kind: "opening"}}}, ViewRef: "AAAAAAAAAAAAA"}, a.b.by2(r.Signed)
}

func (a asker) RequestDecide(_ context.Context, r vault.StaffRequestAct) (vault.StaffRequests, error) {
	return vault.StaffRequests{Rows: []vault.StaffRequest{{Tracking: "1234-5678-9010", Kind: vault.RequestMember, State: vault.RequestDecided, At: 1, Due: 2}}}, a.b.by2(r.Signed)
}

func (a asker) Export(_ context.Context, h vault.Holder) (vault.Export, error) {
	return vault.Export{At: 1, ViewRef: "AAAAAAAAAAAAA", People: []vault.ExportPerson{{Name: "x"}}}, a.b.by(h)
}
