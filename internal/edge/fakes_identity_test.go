package edge

import (
	"context"

	"tikakosh/internal/vault"
)

func (b *backend) StaffBegin(_ context.Context, r vault.StaffAct) (vault.StaffCeremony, error) {
	b.signed = r.Signed
	return vault.StaffCeremony{ID: txn, Kind: "setup", Options: []byte(`{}`), Expires: 1}, b.word()
}

func (b *backend) StaffAct(_ context.Context, r vault.StaffAct) (vault.StaffActed, error) {
	b.signed = r.Signed
	return vault.StaffActed{}, b.word()
}

func (b *backend) IDToken(context.Context, string, string, string) (string, error) {
	return "a.b.c", b.word()
}
