package keeper_test

import (
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/test/harness"
)

// How a word that the web role may say proves whose it is.
const (
	bySignature = "a request that staff signed"
	byPartner   = "a request that a partner signed"
	byBearer    = "a holder's bearer"
	byAnswer    = "an answer that only somebody else knows: a code, a card's PIN, a sealed request"
	byItself    = "what it carries, one by one: below, or in TestWriteOnlyRefused"
	byNobody    = "nobody: it opens nothing of anybody"
)

// provenWord is one word as a captured web role says it on its own. A URL without a method
// is asked by GET.
type provenWord struct {
	by   string
	url  string
	body any
	more map[string]any
}

const apiURL = "http://127.0.0.1/api"

// someCard is of the form of a card.
const someCard = "TIKA1"

// someID is an id of nobody and nothing.
const someID = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"

// provenWords are all words of the web role. One that is missing here fails the test.
func (r *rig) provenWords(offer vault.Offer) map[string]provenWord {
	staff := func(path string, body any) provenWord {
		return provenWord{by: bySignature, url: apiURL + path, body: body}
	}
	holder := func(more map[string]any) provenWord { return provenWord{by: byBearer, more: more} }
	nobody := provenWord{by: byNobody}
	row := map[string]any{"row_id": "AAAA", "reason": "left"}
	ref := string(id.NewReference())
	given := doseBody(offer, id.Reference(ref), "1234", 1)
	given["source"], given["country"], given["dose_date"] = "abroad", "FR", r.today().AddDays(-200).Indian()
	tracking := "12345678901"
	tracking += string('0' + id.VerhoeffDigit(tracking))
	correction := map[string]any{"kind": "revoke", "center_id": 7, "event_id": someID, "beneficiary_reference_id": ref, "reason": "never given"}
	approval := maps.Clone(correction)
	approval["correction_id"] = someID
	return map[string]provenWord{
		vault.MethodOpenSession: staff("/v3/staff/sessions", sessionBody(offer)),
		vault.MethodDose:        staff("/v2/vaccinator/beneficiaries/vaccinate", doseBody(offer, id.Reference(ref), "1234", 1)),
		vault.MethodWalkIn:      staff("/v2/vaccinator/beneficiaries/new", walkInBody(1)),
		vault.MethodWalkInBook: {by: bySignature, url: apiURL + "/v2/vaccinator/onspots/schedule", more: map[string]any{"Hold": "hold-1", "Offer": offer, "Record": vault.Record{Person: someID}},
			body: map[string]any{"dose": 1, "session_id": offer.Session, "slot": offer.Slot, "beneficiaries": []any{ref}, "card": ""}},
		vault.MethodStaffView:        staff(vault.RouteStaffView, nil),
		vault.MethodStaffCertificate: staff(vault.RouteStaffCertificate, nil),
		vault.MethodStaffCode:        staff("/v3/staff/code", map[string]any{"beneficiary_reference_id": ref}),
		vault.MethodStaffCheck:       staff("/v3/staff/sessions", map[string]any{}),
		vault.MethodUnmatched:        staff("/v3/staff/unmatched", map[string]any{"center_id": 7}),
		vault.MethodPropose:          staff(vault.RouteCorrections, correction),
		vault.MethodApprove:          staff(vault.RouteCorrections, approval),
		vault.MethodCorrections:      staff("/v3"+vault.RouteCorrections+"?center_id=7", nil),
		vault.MethodRecordGiven:      staff("/v3/staff/doses", given),
		vault.MethodDayList:          staff("/v3/staff/day-list", map[string]any{"center_id": 7, "session_id": "s"}),
		vault.MethodRosterRow:        staff("/v3/staff/day-list/open", row),
		vault.MethodRosterOpen:       staff("/v3/staff/day-list/open", row),
		vault.MethodVisitClose:       staff("/v3/staff/visits/close", row),
		vault.MethodTripped:          staff("/v3"+vault.RouteTripped+"?center_id=7", nil),
		vault.MethodTrippedSeen:      staff("/v3/staff/tripped/seen", map[string]any{"alert_id": someID, "note": "seen"}),
		vault.MethodGlassPropose:     staff("/v3"+vault.RouteGlass, map[string]any{"beneficiary_reference_id": ref, "reason": "unconscious"}),
		vault.MethodGlassApprove:     staff("/v3"+vault.RouteGlassApprove, map[string]any{"request_id": someID, "about": "reference " + ref, "reason": "unconscious"}),
		vault.MethodGlassWhom:        staff("/v3"+vault.RouteGlassOpen, map[string]any{"request_id": someID}),
		vault.MethodGlassOpen:        staff("/v3"+vault.RouteGlassOpen, map[string]any{"request_id": someID}),
		vault.MethodGlassList:        staff("/v3"+vault.RouteGlassWaiting, nil),

		vault.MethodPartnerCode:    {by: byPartner, url: apiURL + "/v3/partner/code", body: map[string]any{"mobile": "0000000461"}},
		vault.MethodPartnerConfirm: {by: byPartner, url: apiURL + "/v3/partner/confirm", body: map[string]any{"txnId": someID, "otp": sha("123456")}},

		vault.MethodMembership:  {by: byBearer, url: "bare"},
		vault.MethodEndSession:  {by: byItself},
		vault.MethodEmailState:  {by: byBearer, url: "bare"},
		vault.MethodEmailDrop:   {by: byBearer, url: "bare"},
		vault.MethodDevices:     {by: byBearer, url: "bare"},
		vault.MethodEnrol:       holder(map[string]any{"Key": "k", "Identity": asha(1), "Consent": consentOne}),
		vault.MethodOpen:        holder(nil),
		vault.MethodRemove:      holder(nil),
		vault.MethodOpenings:    holder(nil),
		vault.MethodCertificate: holder(nil),
		vault.MethodDoses:       holder(nil),
		vault.MethodAnswerDose:  holder(map[string]any{"Event": someID, "Confirm": true}),
		vault.MethodBook:        holder(map[string]any{"Dose": 1, "Hold": "hold-1", "Offer": offer, "Records": []vault.Record{{Person: someID}}}),
		vault.MethodBookMany:    {by: byItself},
		vault.MethodCancel:      holder(nil),
		vault.MethodSlip:        holder(nil),
		vault.MethodChances:     holder(nil),
		vault.MethodNewCard:     holder(nil),
		vault.MethodShowCard:    holder(map[string]any{"Card": someCard, "PIN": "123456"}),
		vault.MethodLink:        holder(map[string]any{"Card": someCard, "PIN": "123456"}),
		vault.MethodMerge:       holder(map[string]any{"Keep": vault.Record{Person: "a"}, "Merge": vault.Record{Person: "b"}}),
		vault.MethodLeave:       holder(nil),
		vault.MethodLeaveUndo:   holder(nil),
		vault.MethodDeviceEnd:   holder(map[string]any{"ID": "x"}),
		vault.MethodDeviceCode:  holder(nil),
		vault.MethodPINSet:      holder(map[string]any{"PIN": "482913"}),
		vault.MethodPINGive:     holder(map[string]any{"PIN": "482913"}),
		vault.MethodPINEnd:      holder(nil),
		vault.MethodEmailCode:   holder(map[string]any{"Email": "a@mail.example"}),
		vault.MethodWish:        holder(map[string]any{"ID": someID, "Until": r.clock().Add(time.Hour).UnixMilli()}),
		vault.MethodUnwish:      holder(nil),
		vault.MethodStatusPull:  holder(nil),

		vault.MethodRelinkPropose: staff("/v3"+vault.RouteRelink, map[string]any{"beneficiary_reference_id": ref, "photo_id_type": 6, "photo_id_number": "ABCDE1234F",
			"mobile_number": "0000000463", "reason": "the old phone was lost"}),
		vault.MethodRelinkApprove:   staff("/v3"+vault.RouteRelinkApprove, map[string]any{"request_id": someID, "about": "reference " + ref, "reason": "the old phone was lost"}),
		vault.MethodRelinkStaffStop: staff("/v3"+vault.RouteRelinkStop, map[string]any{"request_id": someID, "reason": "not theirs"}),
		vault.MethodRelinkList:      {by: byBearer, url: "bare"},
		vault.MethodRelinkStop:      holder(map[string]any{"Request": someID}),
		vault.MethodRelinkFinish:    holder(map[string]any{"Reference": ref}),

		vault.MethodShareMake: holder(map[string]any{"Person": someID, "Days": 1}),
		vault.MethodShareList: holder(map[string]any{"Person": someID}),
		vault.MethodShareEnd:  holder(map[string]any{"Person": someID, "ID": someID}),
		vault.MethodShareFind: {by: byAnswer, more: map[string]any{"Token": "x", "Origin": "o"}},
		vault.MethodShareOpen: {by: byAnswer, more: map[string]any{"Token": "x", "Origin": "o"}},

		vault.MethodRequestMake:     holder(map[string]any{"Key": "k", "Kind": vault.RequestOpening, "Entry": 1, "Detail": vault.RequestDetail{Text: "who was it"}}),
		vault.MethodRequestList:     holder(nil),
		vault.MethodRequestWithdraw: holder(map[string]any{"Tracking": tracking}),
		vault.MethodRequestWaiting:  staff("/v3"+vault.RouteRequests, nil),
		vault.MethodRequestRead:     staff("/v3"+vault.RouteRequestRead, map[string]any{"tracking_number": tracking}),
		vault.MethodRequestDecide:   staff("/v3"+vault.RouteRequestDecide, map[string]any{"tracking_number": tracking, "outcome": vault.RequestRefused, "reason": "no"}),

		vault.MethodExport: holder(nil),

		vault.MethodSessionExtend: holder(nil),

		vault.MethodRequestCode:   {by: byAnswer, more: map[string]any{"Mobile": "x"}},
		vault.MethodConfirmCode:   {by: byAnswer, more: map[string]any{"Txn": someID, "Digest": sha("123456"), "Origin": "o"}},
		vault.MethodCardSession:   {by: byAnswer, more: map[string]any{"Card": someCard, "PIN": "123456", "Origin": "o"}},
		vault.MethodEmailConfirm:  {by: byAnswer, more: map[string]any{"Holder": map[string]any{"Bearer": "x.y.z"}, "Txn": someID, "Digest": sha("123456")}},
		vault.MethodDeviceConfirm: {by: byAnswer, more: map[string]any{"Holder": map[string]any{"Bearer": "x.y.z"}, "Txn": someID, "Digest": sha("123456")}},
		vault.MethodRequestTrack:  {by: byAnswer, more: map[string]any{"Number": "x", "Origin": "o"}},
		vault.MethodLeaveStatus:   {by: byAnswer, more: map[string]any{"Tracking": someID}},

		vault.MethodAccept: {by: byItself},

		vault.MethodCommitted:   nobody,
		vault.MethodSettled:     nobody,
		vault.MethodSettledMany: nobody,
		vault.MethodRelease:     nobody,
		vault.MethodRevocations: nobody,
		vault.MethodStaffNames:  nobody,
		vault.MethodSecondActs:  nobody,
		vault.MethodDepartments: nobody,
		vault.MethodRules:       nobody,
		vault.MethodKeys:        nobody,
		vault.MethodStatus:      nobody,
	}
}

// said is a word's request with a proof.
func said(w provenWord, s vault.Signed, bearer string) []byte {
	body := maps.Clone(w.more)
	if body == nil {
		body = map[string]any{}
	}
	holder := map[string]any{"Bearer": bearer, "Origin": "o"}
	switch {
	case w.by == bySignature:
		body["Signed"] = s
	case w.by == byPartner:
		body["Partner"] = map[string]any{"Key": "x", "Signed": s}
	case w.by == byBearer && w.url == "bare":
		body = holder
	case w.by == byBearer:
		body["Holder"] = holder
	}
	return mustJSON(body)
}

// TestEveryWordIsProven: a captured web role says each word of the vault that it may say,
// with a proof that it made itself or took from another request. None is taken (R45).
func TestEveryWordIsProven(t *testing.T) {
	r := staffRig(t)
	words := r.provenWords(r.offer("COVISHIELD"))
	manager := r.staff("manager", 7)
	h := r.k.Handler(keeper.CallerWeb)
	genuine := r.signIn("0000000462").Bearer
	parts := strings.Split(genuine, ".")
	bearers := map[string]string{"none": "", "no token": "x.y.z", "without a signature": parts[0] + "." + parts[1] + ".", "another's claims": parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + parts[2]}
	for _, m := range r.k.Words(keeper.CallerWeb) {
		w, ok := words[m]
		switch {
		case strings.HasPrefix(m, vault.MethodIdentity) && m != vault.MethodDepartments: // their acts are below
			continue
		case !ok:
			t.Errorf("%s is not among the words of this test: say how it proves whose it is", m)
			continue
		}
		refused := func(what string, body []byte, want fault.Kind) {
			t.Helper()
			if code, f := post(h, m, body); code == http.StatusOK || f.Kind != want {
				t.Errorf("%s, %s: %d %+v", m, what, code, f)
			}
		}
		switch w.by {
		case bySignature, byPartner:
			want := fault.Unauthorized
			if w.by == byPartner {
				want = fault.Forbidden // one answer for a wrong key and a wrong proof
			}
			for what, s := range r.forgeries(manager, w.url, w.body) {
				refused(what, said(w, s, ""), want)
			}
		case byBearer:
			for what, b := range bearers {
				refused(what, said(w, vault.Signed{}, b), fault.Unauthorized)
			}
		case byAnswer:
			if code, f := post(h, m, said(w, vault.Signed{}, "")); code == http.StatusOK {
				t.Errorf("%s: taken, %+v", m, f)
			}
		}
		delete(words, m)
	}
	for m := range words {
		t.Errorf("%s is no word of the web role's", m)
	}
	for what, b := range bearers {
		item := vault.BookRequest{Holder: vault.Holder{Bearer: b}, Hold: "hold-1", Dose: 1, Offer: r.offer("COVISHIELD"), Records: []vault.Record{{Person: someID}}}
		got, err := r.k.BookMany(t.Context(), vault.BookManyRequest{Items: []vault.BookRequest{item}})
		if err != nil || len(got.Items) != 1 || got.Items[0].Failed == nil || got.Items[0].Failed.Kind != fault.Unauthorized {
			t.Errorf("a booking among many with %s: %+v %v", what, got, err)
		}
		if _, err := r.k.EndSession(t.Context(), vault.Holder{Bearer: b}); err != nil {
			t.Error(err) // nothing is ended, and nothing is told
		}
	}
	if _, err := r.k.Membership(t.Context(), vault.Holder{Bearer: genuine, Origin: "192.0.2.0/24"}); err != nil {
		t.Errorf("the holder's session: %v", err)
	}
}

// TestEveryActIsProven is the same for the acts of members of staff, which are one word:
// of each the name is in the signed address.
func TestEveryActIsProven(t *testing.T) {
	r := staffRig(t)
	d := r.national()
	answer := map[string]any{"ceremony": someID, "credential": map[string]any{"id": "x"}}
	newcomers := map[string]map[string]any{vault.ActEnrolBegin: {"link": someID}, vault.ActEnrolFinish: answer, vault.ActSignInBegin: {}, vault.ActSignInFinish: answer,
		vault.ActDepartmentBegin: {"department": "health"}, vault.ActDepartmentFinish: {"ceremony": someID, "department": "health", "code": "x", "verifier": "x"}}
	gets := map[string]string{vault.ActMe: "", vault.ActProposals: "", vault.ActMembers: "", vault.ActMember: "?member_id=" + someID, vault.ActChangeShown: "?proposal_id=" + someID}
	for _, act := range r.acts() {
		url, body := identityURL+act, any(map[string]any{"nonce": someID})
		if query, ok := gets[act]; ok {
			url, body = url+query, nil
		}
		form, newcomer := newcomers[act]
		if newcomer {
			body = form
		}
		for what, s := range r.forgeries(d.key, url, body) {
			if newcomer && what == "a key that nobody enrolled" {
				continue // it is anybody's to begin; what they bring decides (TestSignInRules, TestInvitations)
			}
			var err error
			if act == vault.ActNonce || strings.HasSuffix(act, "/begin") {
				_, err = r.k.Office().StaffBegin(t.Context(), vault.StaffAct{Signed: s})
			} else {
				_, err = r.k.Office().StaffAct(t.Context(), vault.StaffAct{Signed: s})
			}
			if !fault.Is(err, fault.Unauthorized) {
				t.Errorf("%s, %s: %v", act, what, err)
			}
		}
	}
	if _, err := d.get(vault.ActMe); err != nil {
		t.Errorf("the member's own request: %v", err)
	}
}

// acts are all acts there are, as their constants say: none can be left out.
func (r *rig) acts() (out []string) {
	r.t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../words_identity.go", nil, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Act") {
			return true
		}
		act, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, act)
		return true
	})
	if len(out) < 25 {
		r.t.Fatalf("only %q", out)
	}
	return out
}

// forgeries are requests of a member of staff's that they did not sign.
func (r *rig) forgeries(k harness.StaffKey, url string, body any) map[string]vault.Signed {
	r.t.Helper()
	method, raw := "GET", []byte(nil)
	if body != nil {
		method, raw = "POST", mustJSON(body)
	}
	own, err := harness.NewStaffKey("manager", k.Centre)
	if err != nil {
		r.t.Fatal(err)
	}
	claims := harness.Claims(method, url, raw, r.clock())
	sign := func(text string, err error) vault.Signed {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
		return vault.Signed{Method: method, URL: url, Body: raw, Proof: text}
	}
	out := map[string]vault.Signed{"no proof": sign("", nil), "a key that nobody enrolled": sign(own.Sign(claims)),
		"their public key, signed by another": sign(own.SignAs(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.JWK()}, claims))}
	for what, change := range map[string]map[string]any{"another method": {"htm": "PUT"}, "another address": {"htu": url + "/x"}, "another body": {"bh": "x"},
		"an old time": {"iat": r.clock().Add(-10 * time.Minute).Unix()}, "a later time": {"iat": r.clock().Add(10 * time.Minute).Unix()}, "no id": {"jti": ""}} {
		changed := harness.Claims(method, url, raw, r.clock())
		maps.Copy(changed, change)
		out[what] = sign(k.Sign(changed))
	}
	return out
}
