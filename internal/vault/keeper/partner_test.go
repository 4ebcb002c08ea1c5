package keeper_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/test/harness"
)

// ally is an enrolled partner.
type ally struct {
	r   *rig
	id  id.Partner
	key harness.StaffKey
	api string
}

func (r *rig) ally(name string, hourly int64, scopes ...string) ally {
	r.t.Helper()
	k, err := harness.NewStaffKey("", 0)
	if err != nil {
		r.t.Fatal(err)
	}
	a := ally{r: r, key: k, api: id.Secret(32)}
	got, err := r.k.EnrolPartner(r.t.Context(), vault.PartnerEnrolRequest{Name: name, Scopes: scopes, PublicJWK: jwk(r.t, k), KeyHash: vault.Hash(sha256.Sum256([]byte(a.api))), Hourly: hourly})
	if err != nil {
		r.t.Fatal(err)
	}
	a.id = got.Partner
	return a
}

const address = "https://api.example.test/x"

// call signs a request with a bearer ("" for none).
func (a ally) call(url, bearer string, body any) vault.PartnerCall {
	a.r.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			a.r.t.Fatal(err)
		}
	}
	claims := harness.Claims("POST", url, raw, a.r.clock())
	if bearer != "" {
		sum := sha256.Sum256([]byte(bearer))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof, err := a.key.Sign(claims)
	if err != nil {
		a.r.t.Fatal(err)
	}
	return vault.PartnerCall{Key: a.api, Signed: vault.Signed{Method: "POST", URL: url, Body: raw, Proof: proof}}
}

// lastCode waits for a partner's code.
func (r *rig) lastCode(mobile string) keeper.Notice {
	r.t.Helper()
	for range 400 {
		r.mu.Lock()
		for _, n := range slices.Backward(r.sent) {
			if n.Mobile == mobile && strings.HasPrefix(n.Template, "code-") {
				r.mu.Unlock()
				return n
			}
		}
		r.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	r.t.Fatal("no code came")
	return keeper.Notice{}
}

// consent takes the consent of a number for a scope, of a name for a status.
func (a ally) consent(mobile, scope, name string) vault.Session {
	a.r.t.Helper()
	a.r.forget()
	body := map[string]any{"mobile": mobile}
	if scope == vault.ScopeStatus {
		body = map[string]any{"mobile_number": mobile, "full_name": name}
	}
	iss, err := a.r.k.PartnerCode(a.r.t.Context(), vault.PartnerCodeRequest{Partner: a.call(address, "", body), Scope: scope, Language: "en"})
	if err != nil {
		a.r.t.Fatal(err)
	}
	s, err := a.confirm(scope, iss.Txn, a.r.lastCode(mobile).Params["code"])
	if err != nil {
		a.r.t.Fatal(err)
	}
	return s
}

func (a ally) confirm(scope, txn, code string) (vault.Session, error) {
	return a.r.k.PartnerConfirm(a.r.t.Context(), vault.PartnerCodeAnswer{Partner: a.call(address, "", map[string]any{"otp": sha(code), "txnId": txn}), Scope: scope})
}

func (a ally) holder(bearer, url string) vault.Holder {
	call := a.call(url, bearer, nil)
	return vault.Holder{Bearer: bearer, Partner: &call}
}

// pull brings the records of people and asks for the status.
func (a ally) pull(bearer string, people ...id.Person) (vault.StatusTold, error) {
	return a.r.k.StatusPull(a.r.t.Context(), vault.StatusPullRequest{Holder: a.holder(bearer, address), Records: a.r.records(people...)})
}

// doses is a name with how many doses its bearer has.
type doses struct {
	name string
	n    int
}

// seeded is a household of people, in order.
func (r *rig) seeded(mobile string, all ...doses) (people []id.Person) {
	r.t.Helper()
	house := vault.SeedHousehold{Mobile: mobile}
	for i, d := range all {
		m := vault.SeedMember{Identity: asha(int(mobile[9]-'0')*100 + i), Consent: consentOne}
		m.Identity.Name = d.name
		for n := range d.n {
			m.Doses = append(m.Doses, vault.SeedDose{Product: "COVAXIN", Lot: "L1", Sequence: n + 1, Given: civil.Date{Year: 2026, Month: time.Month(1 + 2*n), Day: 1},
				Centre: 7, CentreName: "Test PHC", District: "D", State: "S", Vaccinator: "V"})
		}
		house.Members = append(house.Members, m)
	}
	got, err := r.k.Seed(r.t.Context(), vault.SeedRequest{Households: []vault.SeedHousehold{house}})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range got.People {
		r.store(p.Seal, p.Seal.ID != "")
		people = append(people, p.Seal.Person)
	}
	return people
}

func TestEnrolPartner(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	a := r.ally("Test Clinic (North) & Sons", 0, "auth", "status", "auth")
	pub, hash := jwk(t, a.key), vault.Hash{1}
	fresh, err := harness.NewStaffKey("", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]vault.PartnerEnrolRequest{
		"no name":        {Scopes: []string{"auth"}, PublicJWK: jwk(t, fresh), KeyHash: hash},
		"a link":         {Name: "evil.example", Scopes: []string{"auth"}, PublicJWK: jwk(t, fresh), KeyHash: hash},
		"a code":         {Name: "Test 123456", Scopes: []string{"auth"}, PublicJWK: jwk(t, fresh), KeyHash: hash},
		"a line":         {Name: "Test\nClinic", Scopes: []string{"auth"}, PublicJWK: jwk(t, fresh), KeyHash: hash},
		"no scope":       {Name: "Test", PublicJWK: jwk(t, fresh), KeyHash: hash},
		"another scope":  {Name: "Test", Scopes: []string{"list"}, PublicJWK: jwk(t, fresh), KeyHash: hash},
		"no sign-in":     {Name: "Test", Scopes: []string{"certificate"}, PublicJWK: jwk(t, fresh), KeyHash: hash},
		"no key":         {Name: "Test", Scopes: []string{"auth"}, KeyHash: hash},
		"no API key":     {Name: "Test", Scopes: []string{"auth"}, PublicJWK: jwk(t, fresh)},
		"too many codes": {Name: "Test", Scopes: []string{"auth"}, PublicJWK: jwk(t, fresh), KeyHash: hash, Hourly: 1 << 40},
	} {
		if _, err := r.k.EnrolPartner(ctx, bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = r.k.EnrolPartner(ctx, vault.PartnerEnrolRequest{Name: "Again", Scopes: []string{"auth"}, PublicJWK: pub, KeyHash: hash})
	wantKind(t, err, fault.Conflict)
	list, err := r.k.Partners(ctx)
	if err != nil || len(list.Partners) != 1 || list.Partners[0].Partner != a.id || list.Partners[0].Hourly != 2000 || !slices.Equal(list.Partners[0].Scopes, []string{"auth", "status"}) {
		t.Errorf("%+v %v", list, err)
	}
	_, err = r.k.DisablePartner(ctx, vault.PartnerDisableRequest{Partner: "none"})
	wantKind(t, err, fault.NotFound)
	if dump := r.dump("partner"); strings.Contains(dump, a.api) {
		t.Error("the vault keeps the API key itself")
	}
	if err := r.reopen(); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
	r.exec("UPDATE partner SET content = CAST(replace(CAST(content AS TEXT), 'status', 'STATUS') AS BLOB)")
	wantKind(t, r.reopen(), fault.Integrity)
}

// TestPartnerProof: what makes a request a partner's, each missing in turn.
func TestPartnerProof(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	a, b := r.ally("Test Clinic", 0, "auth"), r.ally("Test Shop", 0, "auth")
	body := map[string]any{"mobile": "0000000701"}
	ask := func(c vault.PartnerCall) error {
		_, err := r.k.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: c, Scope: vault.ScopeSignIn})
		return err
	}
	good := a.call(address, "", body)
	if err := ask(good); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*vault.PartnerCall)) vault.PartnerCall { c := a.call(address, "", body); f(&c); return c }
	for name, c := range map[string]vault.PartnerCall{
		"replayed":         good,
		"another's key":    change(func(c *vault.PartnerCall) { c.Key = b.api }),
		"no key":           change(func(c *vault.PartnerCall) { c.Key = "" }),
		"no proof":         change(func(c *vault.PartnerCall) { c.Signed.Proof = "" }),
		"another body":     change(func(c *vault.PartnerCall) { c.Signed.Body = []byte(`{"mobile":"0000000702"}`) }),
		"another address":  change(func(c *vault.PartnerCall) { c.Signed.URL += "?x=1" }),
		"another method":   change(func(c *vault.PartnerCall) { c.Signed.Method = "GET" }),
		"with a bearer":    a.call(address, "bearer", body),
		"another's proof":  {Key: a.api, Signed: b.call(address, "", body).Signed},
		"nobody's partner": ally{r: r, key: mustKey(t), api: a.api}.call(address, "", body),
	} {
		if err := ask(c); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := a.call(address, "", body)
	r.advance(2 * time.Minute)
	wantKind(t, ask(old), fault.Forbidden)
	if _, err := r.k.DisablePartner(ctx, vault.PartnerDisableRequest{Partner: a.id}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, ask(a.call(address, "", body)), fault.Forbidden)
}

func mustKey(t *testing.T) harness.StaffKey {
	t.Helper()
	k, err := harness.NewStaffKey("", 0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPartnerCodes: a code works for the partner and the purpose it was sent for,
// and its message says so.
func TestPartnerCodes(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	const mobile = "0000000703"
	a, b := r.ally("Test Clinic", 3, "auth", "status", "certificate"), r.ally("Test Shop", 0, "auth", "status")
	send := func() (string, keeper.Notice) {
		t.Helper()
		r.forget()
		iss, err := r.k.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: a.call(address, "", map[string]any{"mobile_number": mobile, "full_name": "Asha Test"}), Scope: vault.ScopeStatus})
		if err != nil {
			t.Fatal(err)
		}
		return iss.Txn, r.lastCode(mobile)
	}
	txn, n := send()
	if n.Template != "code-status" || n.Params["partner"] != "Test Clinic" {
		t.Errorf("the message is %+v", n)
	}
	code := n.Params["code"]
	_, err := b.confirm(vault.ScopeStatus, txn, code)
	wantKind(t, err, fault.Unauthorized)
	_, err = a.confirm(vault.ScopeSignIn, txn, code)
	wantKind(t, err, fault.Unauthorized)
	_, err = r.k.ConfirmCode(ctx, vault.CodeAnswer{Txn: txn, Digest: sha(code)})
	wantKind(t, err, fault.Unauthorized)
	if _, err = a.confirm(vault.ScopeStatus, txn, code); err != nil {
		t.Errorf("the right partner and purpose: %v", err)
	}
	_, err = a.confirm(vault.ScopeStatus, txn, code)
	wantKind(t, err, fault.Invalid) // spent

	r.forget()
	iss, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.confirm(vault.ScopeSignIn, iss.Txn, r.code(mobile))
	wantKind(t, err, fault.Unauthorized) // a holder's code gives a partner nothing

	r.forget()
	if _, err := r.k.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: a.call(address, "", map[string]any{"mobile": 703}), Scope: vault.ScopeSignIn}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no number: %v", err)
	}
	if _, err := r.k.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: a.call(address, "", map[string]any{"mobile": mobile}), Scope: vault.ScopeSignIn}); err != nil {
		t.Fatal(err)
	}
	if n := r.lastCode(mobile); n.Template != "code-certificate" {
		t.Errorf("the message of a sign-in with certificates is %q", n.Template)
	}
	send()
	_, err = r.k.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: a.call(address, "", map[string]any{"mobile": "0000000704"}), Scope: vault.ScopeSignIn})
	wantKind(t, err, fault.RateLimited) // three an hour
	_, err = r.k.PartnerCode(ctx, vault.PartnerCodeRequest{Partner: b.call(address, "", map[string]any{"mobile": "0000000704"}), Scope: vault.ScopeSignIn})
	if err != nil {
		t.Errorf("one partner's budget is another's: %v", err)
	}
	if r.count("household") != 0 {
		t.Error("a partner's sign-in registers a number")
	}
	if dump := r.dump("challenge", "bearer", "quota"); strings.Contains(dump, "Asha") || strings.Contains(dump, mobile) {
		t.Error("the vault keeps the name or the number in clear")
	}
}

// TestPartnerViews: a sign-in shows initials, status and the end of the reference
// number; a certificate is for whom the partner was told the number of; nothing
// else is open, and the person sees by whom what was opened.
func TestPartnerViews(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	const mobile = "0000000705"
	people := r.seeded(mobile, doses{"Asha Rani Test", 2}, doses{"Ravi Test", 0})
	a, b := r.ally("Test Clinic", 0, "auth", "certificate"), r.ally("Test Shop", 0, "auth")
	s := a.consent(mobile, vault.ScopeSignIn, "")
	if s.NewAccount {
		t.Error("a household with people is new")
	}
	subject := func(s vault.Session) string { t.Helper(); return claimsOf(t, s.Bearer).Subject }
	if again, other := a.consent(mobile, vault.ScopeSignIn, ""), b.consent(mobile, vault.ScopeSignIn, ""); subject(again) != subject(s) || subject(other) == subject(s) {
		t.Error("subjects are not pairwise: one for a partner and number, another for another partner")
	}
	open := func(h vault.Holder) (vault.Opened, error) {
		return r.k.Open(ctx, vault.OpenRequest{Holder: h, Records: r.records(people...)})
	}
	h := a.holder(s.Bearer, address)
	if m, err := r.k.Membership(ctx, h); err != nil || len(m.Members) != 2 {
		t.Fatalf("%+v %v", m, err)
	}
	got, err := open(h) // the same signed request, once
	if err != nil || !got.Masked || len(got.People) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	row, err := r.k.Person(ctx, people[0])
	if err != nil {
		t.Fatal(err)
	}
	want := vault.Person{Person: people[0], Name: "A. R. T.", Status: "Vaccinated", Reference: "**********" + row.Reference[10:]}
	if !reflect.DeepEqual(got.People[0], want) {
		t.Errorf("the masked view is %+v, want %+v", got.People[0], want)
	}
	_, err = open(h)
	wantKind(t, err, fault.Forbidden) // a proof is taken once
	for name, h := range map[string]vault.Holder{"bearer alone": {Bearer: s.Bearer}, "another partner": b.holder(s.Bearer, address),
		"signed for no bearer": {Bearer: s.Bearer, Partner: ptr(a.call(address, "", nil))}, "signed for another": {Bearer: s.Bearer, Partner: ptr(a.call(address, "x", nil))}} {
		if _, err := open(h); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.k.Membership(ctx, h); !fault.Is(err, fault.Forbidden) {
			t.Errorf("membership, %s: %v", name, err)
		}
	}
	certificate := func(who ally, s vault.Session, url string, p id.Person) error {
		doc, err := r.k.Certificate(ctx, vault.CertificateRequest{Holder: who.holder(s.Bearer, url), Record: r.records(p)[0], Language: "en"})
		if err == nil && len(doc.PDF) == 0 {
			t.Error("an empty certificate")
		}
		return err
	}
	url := address + "?beneficiary_reference_id=" + string(row.Reference)
	if err := certificate(a, s, url, people[0]); err != nil {
		t.Error(err)
	}
	wantKind(t, certificate(a, s, address, people[0]), fault.NotFound)
	wantKind(t, certificate(a, s, url, people[1]), fault.NotFound) // the web role brings another's record
	wantKind(t, certificate(b, b.consent(mobile, vault.ScopeSignIn, ""), url, people[0]), fault.Forbidden)

	none := a.holder(s.Bearer, address)
	for name, try := range map[string]func() error{
		"enrol": func() error {
			_, err := r.k.Enrol(ctx, vault.EnrolRequest{Holder: none, Key: "k", Identity: asha(999), Consent: consentOne})
			return err
		},
		"remove": func() error {
			_, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: none, Record: r.records(people[1])[0]})
			return err
		},
		"openings": func() error { _, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: none}); return err },
		"cancel": func() error {
			_, err := r.k.Cancel(ctx, vault.CancelRequest{Holder: none, Hold: "h", Persons: people})
			return err
		},
		"slip": func() error {
			_, err := r.k.Slip(ctx, vault.SlipRequest{Holder: none, Hold: "h", Records: r.records(people...)})
			return err
		},
		"book": func() error {
			_, err := r.k.Book(ctx, vault.BookRequest{Holder: none, Hold: "h", Dose: 1, Offer: vault.Offer{Product: "COVAXIN"}, Records: r.records(people[1])})
			return err
		},
		"status": func() error { _, err := a.pull(s.Bearer, people...); return err },
	} {
		if err := try(); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	seen := map[string]int{}
	history, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: r.signIn(mobile), Person: people[0], Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range history.Entries {
		if o.Role == "partner" {
			seen[o.Place+": "+o.View]++
		}
	}
	if seen["Test Clinic: masked booking view"] != 1 || seen["Test Clinic: certificate"] != 1 || len(seen) != 2 {
		t.Errorf("the person sees %v", seen)
	}
	if err := r.k.EndSessionOf(ctx, vault.Holder{Bearer: s.Bearer}); err != nil {
		t.Fatal(err)
	}
	_, err = open(a.holder(s.Bearer, address))
	wantKind(t, err, fault.Unauthorized)
	r.audit()
}

func ptr[T any](v T) *T { return &v }

// TestStatus: 0, 1 or 2 for the person of a name, once, with as many entries for
// a name that nobody has.
func TestStatus(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	const mobile = "0000000706"
	people := r.seeded(mobile, doses{"Asha Test", 2}, doses{"Ravi Test", 1}, doses{"Meera Test", 0}, doses{"Kiran Test", 2}, doses{"KIRAN  TEST", 1})
	a := r.ally("Test Clinic", 0, "status")
	entries := func() int64 { return r.k.LastNext() }
	wrote := map[int64]bool{}
	for name, want := range map[string]int{"Asha Test": 2, "asha test": 2, "ASHATEST": 2, "Ravi Test": 1, "Meera Test": 0, "Nobody Test": 0, "Asha": 0} {
		s := a.consent(mobile, vault.ScopeStatus, name)
		before := entries()
		got, err := a.pull(s.Bearer, people...)
		if err != nil || got.Status != want || got.ViewRef == "" || len(got.Receipts) != 1 {
			t.Errorf("%q: %+v %v", name, got, err)
		}
		wrote[entries()-before] = true
		_, err = a.pull(s.Bearer, people...)
		wantKind(t, err, fault.Unauthorized)
	}
	if len(wrote) != 1 {
		t.Errorf("the number of entries tells whether the name is known: %v", wrote)
	}
	if got, err := a.pull(a.consent(mobile, vault.ScopeStatus, "Kiran Test").Bearer, people...); err != nil || got.Status != 1 {
		t.Errorf("two people of one name: %+v %v", got, err)
	}
	if got, err := a.pull(a.consent("0000000707", vault.ScopeStatus, "Asha Test").Bearer); err != nil || got.Status != 0 {
		t.Errorf("a number that is not registered: %+v %v", got, err)
	}
	s := a.consent(mobile, vault.ScopeStatus, "Asha Test")
	_, err := a.pull(s.Bearer, people[1:]...)
	wantKind(t, err, fault.Integrity) // a record kept back: nothing is told, the consent stands
	if got, err := a.pull(s.Bearer, people...); err != nil || got.Status != 2 {
		t.Errorf("after a record was kept back: %+v %v", got, err)
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	_, err = a.pull(s.Bearer, people...)
	wantKind(t, err, fault.Unauthorized)
	late := a.consent(mobile, vault.ScopeStatus, "Asha Test")
	r.advance(11 * time.Minute)
	_, err = a.pull(late.Bearer, people...)
	wantKind(t, err, fault.Unauthorized)
	open := a.consent(mobile, vault.ScopeStatus, "Asha Test")
	_, err = r.k.Open(ctx, vault.OpenRequest{Holder: a.holder(open.Bearer, address), Records: r.records(people...)})
	wantKind(t, err, fault.Forbidden)
	told := 0
	history, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: r.signIn(mobile), Person: people[0], Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range history.Entries {
		if o.View == "vaccination status" && o.Role == "partner" && o.Place == "Test Clinic" {
			told++
		}
	}
	if told != 4 {
		t.Errorf("the person was told of %d answers about them, want 4", told)
	}
	if dump := r.dump("challenge", "bearer"); strings.Contains(dump, "Test") {
		t.Error("the vault keeps a name that was asked about")
	}
	r.audit()
}
