package keeper

import (
	"context"

	"tikakosh/internal/vault"
)

// Words of parts, as tests call them.

// RotateKey and ListKeys are the words of the part that changes keys.
func (k *Keeper) RotateKey(ctx context.Context, r vault.KeyRotateRequest) (vault.KeyRotated, error) {
	return k.turns.Rotate(ctx, r)
}

func (k *Keeper) ListKeys(ctx context.Context, _ vault.Empty) (vault.KeyList, error) {
	return k.turns.List(ctx, vault.Empty{})
}

// Statistics and Recount are the words of the part that counts.
func (k *Keeper) Statistics(ctx context.Context, r vault.Empty) (vault.Statistics, error) {
	return k.figures.Statistics(ctx, r)
}

func (k *Keeper) Recount(ctx context.Context, r vault.RecountRequest) (vault.Recounted, error) {
	return k.figures.Recount(ctx, r)
}

// The words of how a household signs in.

func (k *Keeper) RequestCode(ctx context.Context, r vault.CodeRequest) (vault.CodeIssued, error) {
	return k.signin.RequestCode(ctx, r)
}

func (k *Keeper) ConfirmCode(ctx context.Context, r vault.CodeAnswer) (vault.Session, error) {
	return k.signin.ConfirmCode(ctx, r)
}

func (k *Keeper) ExtendSession(ctx context.Context, r vault.ExtendRequest) (vault.Session, error) {
	return k.signin.ExtendSession(ctx, r)
}

func (k *Keeper) Devices(ctx context.Context, r vault.Holder) (vault.DeviceList, error) {
	return k.signin.Devices(ctx, r)
}

func (k *Keeper) DeviceEnd(ctx context.Context, r vault.DeviceEndRequest) (vault.Empty, error) {
	return k.signin.DeviceEnd(ctx, r)
}

func (k *Keeper) DeviceCode(ctx context.Context, r vault.DeviceCodeRequest) (vault.CodeIssued, error) {
	return k.signin.DeviceCode(ctx, r)
}

func (k *Keeper) DeviceConfirm(ctx context.Context, r vault.DeviceAnswer) (vault.Empty, error) {
	return k.signin.DeviceConfirm(ctx, r)
}

func (k *Keeper) PINSet(ctx context.Context, r vault.PINRequest) (vault.Empty, error) {
	return k.signin.PINSet(ctx, r)
}

func (k *Keeper) PINGive(ctx context.Context, r vault.PINAnswer) (vault.Empty, error) {
	return k.signin.PINGive(ctx, r)
}

func (k *Keeper) PINEnd(ctx context.Context, r vault.PINEndRequest) (vault.PINEnded, error) {
	return k.signin.PINEnd(ctx, r)
}

func (k *Keeper) EmailCode(ctx context.Context, r vault.EmailRequest) (vault.CodeIssued, error) {
	return k.signin.EmailCode(ctx, r)
}

func (k *Keeper) EmailConfirm(ctx context.Context, r vault.EmailAnswer) (vault.Empty, error) {
	return k.signin.EmailConfirm(ctx, r)
}

func (k *Keeper) EmailState(ctx context.Context, r vault.Holder) (vault.EmailState, error) {
	return k.signin.EmailState(ctx, r)
}

func (k *Keeper) EmailDrop(ctx context.Context, r vault.Holder) (vault.Empty, error) {
	return k.signin.EmailDrop(ctx, r)
}

// The words of partners.

func (k *Keeper) PartnerCode(ctx context.Context, r vault.PartnerCodeRequest) (vault.CodeIssued, error) {
	return k.partners.Code(ctx, r)
}

func (k *Keeper) PartnerConfirm(ctx context.Context, r vault.PartnerCodeAnswer) (vault.Session, error) {
	return k.partners.Confirm(ctx, r)
}

func (k *Keeper) StatusPull(ctx context.Context, r vault.StatusPullRequest) (vault.StatusTold, error) {
	return k.partners.StatusPull(ctx, r)
}

func (k *Keeper) EnrolPartner(ctx context.Context, r vault.PartnerEnrolRequest) (vault.PartnerEnrolled, error) {
	return k.partners.Enrol(ctx, r)
}

func (k *Keeper) DisablePartner(ctx context.Context, r vault.PartnerDisableRequest) (vault.Done, error) {
	return k.partners.Disable(ctx, r)
}

func (k *Keeper) Partners(ctx context.Context) (vault.PartnerList, error) {
	return k.partners.List(ctx, vault.Empty{})
}

// The words about the program itself.

func (k *Keeper) StaffClient(ctx context.Context, r vault.Empty) (vault.StaffClientShown, error) {
	return k.notary.StaffClient(ctx, r)
}

func (k *Keeper) SealLogs(ctx context.Context, r vault.LogSeal) (vault.LogSealed, error) {
	return k.notary.SealLogs(ctx, r)
}

func (k *Keeper) NewestLogSeal(ctx context.Context, r vault.LogExport) (vault.LogSealed, error) {
	return k.notary.NewestLogSeal(ctx, r)
}

func (k *Keeper) SignLogExport(ctx context.Context, r vault.LogExport) (vault.LogSealed, error) {
	return k.notary.SignLogExport(ctx, r)
}
