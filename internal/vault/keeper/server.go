package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// Caller is a role as its socket proves it: whoever holds the other end of the
// socket pair the supervisor made for that role.
type Caller string

// The callers.
const (
	CallerWeb      Caller = "web"
	CallerWorker   Caller = "worker"
	CallerOperator Caller = "operator"
	CallerSeeder   Caller = "seeder"
)

// method is one row of the socket's table: who may call it, and what it does.
type method struct {
	name    string
	callers []Caller
	run     func(ctx context.Context, body []byte) (any, error)
}

// methods is the whole surface of the vault. There is no method that takes a
// mobile, a name or an id number and answers a person (I2).
func (k *Keeper) methods() []method {
	web, worker, operator, seeder := CallerWeb, CallerWorker, CallerOperator, CallerSeeder
	all := []Caller{web, worker, operator, seeder}
	return append(slices.Concat(k.cardMethods(), k.leaveMethods(), k.presenceMethods(), k.relinkMethods(), k.requestMethods(), k.lookupMethods(), k.deviceMethods(), k.shareMethods()), []method{
		{vault.MethodRequestCode, []Caller{web}, bind(k.signin.RequestCode)},
		{vault.MethodSessionExtend, []Caller{web}, bind(k.signin.ExtendSession)},
		{vault.MethodConfirmCode, []Caller{web}, bind(k.signin.ConfirmCode)},
		{vault.MethodMembership, []Caller{web}, bind(k.Membership)},
		{vault.MethodEndSession, []Caller{web}, bind(k.EndSession)},
		{vault.MethodEnrol, []Caller{web}, bind(k.Enrol)},
		{vault.MethodCommitted, []Caller{web, worker, seeder}, bind(k.Committed)},
		{vault.MethodOpen, []Caller{web}, bind(k.Open)},
		{vault.MethodRemove, []Caller{web}, bind(k.Remove)},
		{vault.MethodOpenings, []Caller{web}, bind(k.Openings)},
		{vault.MethodCertificate, []Caller{web}, bind(k.Certificate)},
		{vault.MethodRevocations, all, bind(k.Revocations)},
		{vault.MethodStaffNames, []Caller{web}, bind(k.StaffNames)},
		{vault.MethodAccept, []Caller{web, worker}, bind(k.AcceptDose)},
		{vault.MethodDoses, []Caller{web}, bind(k.Doses)},
		{vault.MethodAnswerDose, []Caller{web}, bind(k.AnswerDose)},
		{vault.MethodUnmatched, []Caller{web}, bind(k.Unmatched)},
		{vault.MethodPropose, []Caller{web}, bind(k.Propose)},
		{vault.MethodApprove, []Caller{web}, bind(k.Approve)},
		{vault.MethodCorrections, []Caller{web}, bind(k.Corrections)},
		{vault.MethodSecondActs, []Caller{web}, bind(k.SecondPersonActs)},
		{vault.MethodRecordGiven, []Caller{web}, bind(k.RecordGiven)},
		{vault.MethodBook, []Caller{web}, bind(k.Book)},
		{vault.MethodDrawn, []Caller{worker}, bind(k.Drawn)},
		{vault.MethodCloseDraw, []Caller{worker}, bind(k.CloseDraw)},
		{vault.MethodBookMany, []Caller{web}, bind(k.BookMany)},
		{vault.MethodSettledMany, []Caller{web, worker}, bind(func(ctx context.Context, r vault.SettledManyRequest) (vault.Empty, error) {
			return vault.Empty{}, k.SettledMany(ctx, r)
		})},
		{vault.MethodCancel, []Caller{web}, bind(k.Cancel)},
		{vault.MethodSlip, []Caller{web}, bind(k.Slip)},
		{vault.MethodChances, []Caller{web}, bind(k.Chances)},
		{vault.MethodRelease, []Caller{web, worker}, bind(k.Release)},
		{vault.MethodSettled, []Caller{web, worker}, bind(func(ctx context.Context, r vault.SettledRequest) (vault.Empty, error) {
			return vault.Empty{}, k.Settled(ctx, r)
		})},
		{vault.MethodUnfinished, []Caller{worker}, bind(k.Unfinished)},
		{vault.MethodOpenSession, []Caller{web}, bind(k.OpenSession)},
		{vault.MethodDose, []Caller{web}, bind(k.RecordDose)},
		{vault.MethodPartnerCode, []Caller{web}, bind(k.partners.Code)},
		{vault.MethodPartnerConfirm, []Caller{web}, bind(k.partners.Confirm)},
		{vault.MethodStatusPull, []Caller{web}, bind(k.partners.StatusPull)},
		{vault.MethodPartnerEnrol, []Caller{operator}, bind(k.partners.Enrol)},
		{vault.MethodPartnerDisable, []Caller{operator}, bind(k.partners.Disable)},
		{vault.MethodPartnerList, []Caller{operator}, bind(k.partners.List)},
		{vault.MethodStaffList, []Caller{operator}, bind(func(ctx context.Context, _ vault.Empty) (vault.StaffList, error) { return k.StaffCredentials(ctx) })},
		{vault.MethodResume, []Caller{operator}, bind(k.Resume)},
		{vault.MethodIdentityBegin, []Caller{web}, bind(k.office.StaffBegin)},
		{vault.MethodIdentityForAct, []Caller{web}, bind(k.office.StaffAct)},
		{vault.MethodStaffSetup, []Caller{operator}, bind(k.office.StaffSetup)},
		{vault.MethodStaffMembers, []Caller{operator}, bind(k.office.StaffMembers)},
		{vault.MethodStaffEnd, []Caller{operator}, bind(k.office.StaffEnd)},
		{vault.MethodStaffApprove, []Caller{operator}, bind(k.office.StaffApprove)},
		{vault.MethodStaffProposals, []Caller{operator}, bind(k.office.StaffProposals)},
		{vault.MethodStaffClient, []Caller{operator}, bind(k.notary.StaffClient)},
		{vault.MethodDepartments, []Caller{web}, bind(k.office.Departments)},
		{vault.MethodDepartmentSet, []Caller{operator}, bind(k.office.DepartmentSet)},
		{vault.MethodDepartmentEnd, []Caller{operator}, bind(k.office.DepartmentEnd)},
		{vault.MethodDepartmentList, []Caller{operator}, bind(k.office.DepartmentList)},
		{vault.MethodStaffSync, []Caller{operator}, bind(k.office.StaffSync)},
		{vault.MethodStaffEnrol, []Caller{operator}, bind(k.EnrolStaff)},
		{vault.MethodStaffDisable, []Caller{operator}, bind(k.DisableStaff)},
		{vault.MethodEmailCode, []Caller{web}, bind(k.signin.EmailCode)},
		{vault.MethodEmailConfirm, []Caller{web}, bind(k.signin.EmailConfirm)},
		{vault.MethodEmailState, []Caller{web}, bind(k.signin.EmailState)},
		{vault.MethodEmailDrop, []Caller{web}, bind(k.signin.EmailDrop)},
		{vault.MethodKeyList, []Caller{operator}, bind(k.turns.List)},
		{vault.MethodKeyRotate, []Caller{operator}, bind(k.turns.Rotate)},
		{vault.MethodWish, []Caller{web}, bind(k.Wish)},
		{vault.MethodUnwish, []Caller{web}, bind(k.Unwish)},
		{vault.MethodTell, []Caller{worker}, bind(k.Tell)},
		{vault.MethodLogSeal, []Caller{operator}, bind(k.notary.SealLogs)},
		{vault.MethodLogNewest, []Caller{operator}, bind(k.notary.NewestLogSeal)},
		{vault.MethodLogExport, []Caller{operator}, bind(k.notary.SignLogExport)},
		{vault.MethodSeed, []Caller{seeder}, bind(k.Seed)},
		{vault.MethodDayList, []Caller{web}, bind(k.DayList)},
		{vault.MethodRosterRow, []Caller{web}, bind(k.RosterRow)},
		{vault.MethodRosterOpen, []Caller{web}, bind(k.RosterOpen)},
		{vault.MethodVisitClose, []Caller{web}, bind(k.VisitClose)},
		{vault.MethodStatistics, []Caller{worker}, bind(k.figures.Statistics)},
		{vault.MethodRecount, []Caller{worker}, bind(k.figures.Recount)},
		{vault.MethodRules, all, bind(k.changes.Rules)},
		{vault.MethodKeys, all, bind(k.Keys)},
		{vault.MethodStatus, all, bind(k.Status)},
	}...)
}

// deviceMethods are the methods about devices and the PIN.
func (k *Keeper) deviceMethods() []method {
	web, s := []Caller{CallerWeb}, k.signin
	return []method{
		{vault.MethodDevices, web, bind(s.Devices)},
		{vault.MethodDeviceEnd, web, bind(s.DeviceEnd)},
		{vault.MethodDeviceCode, web, bind(s.DeviceCode)},
		{vault.MethodDeviceConfirm, web, bind(s.DeviceConfirm)},
		{vault.MethodPINSet, web, bind(s.PINSet)},
		{vault.MethodPINGive, web, bind(s.PINGive)},
		{vault.MethodPINEnd, web, bind(s.PINEnd)},
	}
}

// EndSession implements the vault's word.
func (k *Keeper) EndSession(ctx context.Context, h vault.Holder) (vault.Empty, error) {
	_, err := k.update(ctx, func(t *txn) error { return t.EndSession(h) })
	return vault.Empty{}, err
}

func bind[Req, Resp any](fn func(context.Context, Req) (Resp, error)) func(context.Context, []byte) (any, error) {
	return func(ctx context.Context, body []byte) (any, error) {
		var req Req
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&req); err != nil {
			return nil, fault.New(fault.Invalid, "request", "the vault request is malformed")
		}
		return fn(ctx, req)
	}
}

// Handler serves the vault's methods to one caller. Methods the caller may not
// use answer fault.Forbidden and are logged.
func (k *Keeper) Handler(caller Caller) http.Handler {
	mux := http.NewServeMux()
	for _, m := range k.methods() {
		if m.name == vault.MethodSeed && !k.cfg.Demo {
			continue
		}
		mux.HandleFunc("POST /v1/"+m.name, func(w http.ResponseWriter, r *http.Request) {
			if !slices.Contains(m.callers, caller) {
				k.log.Warn("alarm: a role called a method it may not", "alarm", "caller", "caller", caller, "method", m.name)
				fail(w, k.log, m.name, fault.New(fault.Forbidden, "caller", "this role may not call that"))
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, vault.MaxMessage))
			if err != nil {
				fail(w, k.log, m.name, fault.New(fault.Invalid, "size", "the vault request is too large"))
				return
			}
			if err := k.settled(r.Context(), m.name); err != nil {
				fail(w, k.log, m.name, err)
				return
			}
			defer k.proofs.Ahead(body)()
			answer, err := m.run(r.Context(), body)
			if err != nil {
				k.noteOffRoster(r.Context(), body, err)
				fail(w, k.log, m.name, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	return mux
}

// settled puts into force what is due, before anything is decided. What the vault says of
// itself does not wait for that.
func (k *Keeper) settled(ctx context.Context, method string) error {
	if method == vault.MethodKeys || method == vault.MethodStatus {
		return nil
	}
	return k.changes.Settle(ctx)
}

func fail(w http.ResponseWriter, log *slog.Logger, name string, err error) {
	f := failureOf(log, name, err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(f)
}
