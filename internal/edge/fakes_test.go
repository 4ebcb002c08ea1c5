package edge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// fixedNow is when every test of this package takes place.
var fixedNow = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// backend stands in for vault and registry: every word answers err, or a small
// genuine value. It counts what reached it.
type backend struct {
	mu     sync.Mutex
	err    error
	calls  int
	panics bool
	holder vault.Holder
	signed vault.Signed
	staff  []id.Staff
	fresh  string        // the name of a key that is not among staff yet
	asked  int           // questions whether a request is a staff member's
	wait   chan struct{} // when not nil, Status waits for it
}

func (b *backend) word() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.panics {
		panic("inner text of a panic")
	}
	return b.err
}

func (b *backend) by(h vault.Holder) error { b.holder = h; return b.word() }

func (b *backend) RequestCode(context.Context, vault.CodeRequest) (vault.CodeIssued, error) {
	return vault.CodeIssued{Txn: id.New()}, b.word()
}

func (b *backend) ConfirmCode(context.Context, vault.CodeAnswer) (vault.Session, error) {
	return vault.Session{Bearer: "x"}, b.word()
}

func (b *backend) PartnerCode(_ context.Context, r vault.PartnerCodeRequest) (vault.CodeIssued, error) {
	b.signed = r.Partner.Signed
	return vault.CodeIssued{Txn: id.New()}, b.word()
}

func (b *backend) PartnerConfirm(_ context.Context, r vault.PartnerCodeAnswer) (vault.Session, error) {
	b.signed = r.Partner.Signed
	return vault.Session{Bearer: "x"}, b.word()
}

func (b *backend) VaccinationStatus(_ context.Context, h vault.Holder) (vault.StatusTold, error) {
	b.signed = h.Partner.Signed
	return vault.StatusTold{ViewRef: "AAAAAAAAAAAAA"}, b.by(h)
}

// reporter is the published figures.
type reporter struct{ *backend }

func (b reporter) Reports(_ context.Context, until civil.Date) (last, before statistics.Published, err error) {
	cell := statistics.Cell{State: "Delhi", Product: "COVISHIELD", Dose: 1, Gender: 2}
	last.Day, before.Day = until.AddDays(-1), until.AddDays(-2)
	old := cell
	cell.N, old.N = 30, 10
	last.Cells, before.Cells = []statistics.Cell{cell, {Band: statistics.From18, N: 50}}, []statistics.Cell{old}
	return last, before, b.word()
}

func (b *backend) EndSession(_ context.Context, h vault.Holder) error { return b.by(h) }

func (b *backend) OpenSession(_ context.Context, r vault.OpenSessionRequest) (vault.Done, error) {
	b.signed = r.Signed
	return vault.Done{}, b.word()
}

func (b *backend) Status(context.Context) (vault.Status, error) {
	if b.wait != nil {
		<-b.wait
	}
	return vault.Status{Ready: true}, b.word()
}

func (b *backend) Household(_ context.Context, h vault.Holder) (registry.Household, error) {
	return registry.Household{People: []registry.Beneficiary{{Name: "Asha Test"}}, ViewRef: "AAAAAAAAAAAAA"}, b.by(h)
}

func (b *backend) Enrol(_ context.Context, h vault.Holder, _ string, _ vault.Identity, _ vault.Consent) (id.Reference, error) {
	return id.NewReference(), b.by(h)
}

// leaver is the backend as the service of people who leave.
type leaver struct{ *backend }

func (b leaver) Leave(ctx context.Context, h vault.Holder, _ id.Reference, release func(context.Context, id.Person) error) (vault.Left, error) {
	if err := release(ctx, id.Person(txn)); err != nil {
		return vault.Left{}, err
	}
	return vault.Left{Tracking: "TLAAAA"}, b.by(h)
}

func (b leaver) Undo(_ context.Context, h vault.Holder, _ id.Reference) error { return b.by(h) }

func (b leaver) Status(context.Context, string) (vault.LeaveStatus, error) {
	return vault.LeaveStatus{State: vault.LeaveKept}, b.word()
}

func (b *backend) Remove(_ context.Context, h vault.Holder, _ id.Reference) error { return b.by(h) }

func (b *backend) Openings(_ context.Context, h vault.Holder, _ int64, _ int) (vault.Openings, error) {
	return vault.Openings{}, b.by(h)
}

func (b *backend) Certificate(_ context.Context, h vault.Holder, _ id.Reference, _ string) (vault.Certificate, error) {
	return vault.Certificate{}, b.by(h)
}

func (b *backend) RecordDose(_ context.Context, signed vault.Signed, _ id.Reference) error {
	b.signed = signed
	return b.word()
}

func (b *backend) Apply(_ context.Context, h vault.Holder, _ scheduling.BookInput) (scheduling.Applied, error) {
	return scheduling.Applied{Hold: id.Hold(id.New())}, b.by(h)
}

func (b *backend) DrawOf(context.Context, id.Session) (scheduling.DrawView, error) {
	return scheduling.DrawView{}, b.word()
}

func (b *backend) Cancel(_ context.Context, h vault.Holder, _ id.Hold, _ []id.Reference) error {
	return b.by(h)
}

func (b *backend) Reschedule(_ context.Context, h vault.Holder, _ scheduling.MoveInput) (id.Hold, error) {
	return id.Hold(id.New()), b.by(h)
}

func (b *backend) Slip(_ context.Context, h vault.Holder, _ id.Hold) (scheduling.SlipView, error) {
	return scheduling.SlipView{}, b.by(h)
}

func (b *backend) Appointments(context.Context, []id.Person) (map[id.Person][]scheduling.Appointment, error) {
	return nil, b.word()
}

func (b *backend) CheckOpening(context.Context, scheduling.Opening) error { return b.word() }

// noPlaces finds nothing; it needs neither vault nor database.
type noPlaces struct{}

func (noPlaces) Ask(scheduling.Question) scheduling.Found { return scheduling.Found{} }
func (noPlaces) States() []scheduling.StateOf {
	return []scheduling.StateOf{{ID: 27, Name: "Sample State"}}
}
func (noPlaces) Centres(scheduling.By, int64) []scheduling.Centre {
	return []scheduling.Centre{{ID: 1, StateID: 27}}
}
func (noPlaces) Span() (since civil.Date, days int) { return civil.Of(fixedNow), 1 }

func (noPlaces) Nearest(float64, float64, int) []scheduling.Centre { return nil }

// loaded is the reference data. It is parsed once for all rigs; it never changes.
var loaded = sync.OnceValues(places.Load)

// rig is a server over a backend, with the key that signs its bearers.
type rig struct {
	*Server
	back *backend
	key  *ecdsa.PrivateKey
	logs *bytes.Buffer
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := (&jose.JSONWebKey{Key: &key.PublicKey}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	known, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	thumb, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := vault.InboxKeyPair(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{back: &backend{}, key: key, logs: &bytes.Buffer{}}
	r.back.staff = []id.Staff{id.Staff(base64.RawURLEncoding.EncodeToString(thumb))} // the bearer's key serves as a staff key too
	cfg := Config{Alerts: wisher{r.back}, Leaving: leaver{r.back}, Emails: mailed{r.back}, Devices: deviceful{r.back}, Reports: reporter{r.back}, Cards: r.back, CardCodes: r.back, WalkIns: onSite{r.back}, CardPDF: noCard, Codes: r.back, Second: r.back, Identities: r.back, Departments: r.back, Rosters: lister{r.back}, Glass: glazier{r.back}, Relinks: mover{r.back}, Requests: asker{r.back}, Exports: asker{r.back}, Shares: sharer{r.back}, Partners: r.back, People: r.back, Doses: r.back, Search: noPlaces{}, Bookings: r.back, Places: known, LedgerDir: t.TempDir(), PublicURL: "https://api.example",
		Slip: func(scheduling.SlipView) ([]byte, error) { return []byte("%PDF-"), nil },
		Keys: vault.Keys{BearerJWK: jwk, Inbox: inbox.PublicKey().Bytes(), Realm: 1, Certificates: []byte("{}")}, Now: func() time.Time { return fixedNow },
		Logger: slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&cfg)
	}
	if r.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// signToken signs claims as the vault does.
func signToken(t testing.TB, key any, alg jose.SignatureAlgorithm, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("tikakosh+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (r *rig) bearerText(t testing.TB) string {
	t.Helper()
	return signToken(t, r.key, jose.ES256, map[string]any{"exp": fixedNow.Add(time.Minute).Unix()})
}

// send serves one request; header holds names and values in turn.
func (r *rig) send(method, target, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// errorOf reads an answer in CoWIN's error shape.
func errorOf(t *testing.T, w *httptest.ResponseRecorder) (code, text string) {
	t.Helper()
	var e map[string]any
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	if err := dec.Decode(&e); err != nil || w.Header().Get("Content-Type") != typeJSON {
		t.Fatalf("status %d: %q is no error in JSON: %v", w.Code, w.Body, err)
	}
	code, ok1 := e["errorCode"].(string)
	text, ok2 := e["error"].(string)
	if !ok1 || !ok2 {
		t.Fatalf("status %d: %q lacks errorCode or error", w.Code, w.Body)
	}
	return code, text
}

func prefix(text string) func(*Config) {
	return func(c *Config) { c.Proxies = append(c.Proxies, netip.MustParsePrefix(text)) }
}

func (b *backend) Revocations(context.Context) (vault.RevocationList, error) {
	return vault.RevocationList{Number: 0, List: []byte("a.b.c")}, b.word()
}

func (b *backend) StaffNames(context.Context) (vault.StaffNames, error) {
	return vault.StaffNames{Names: b.staff}, b.askedOfStaff()
}

// StaffCheck knows, beside the names, one key that was enrolled a moment ago.
func (b *backend) StaffCheck(_ context.Context, r vault.StaffCheckRequest) (vault.StaffChecked, error) {
	if err := b.askedOfStaff(); err != nil {
		return vault.StaffChecked{}, err
	}
	if name, err := checkProof(r.Signed, fixedNow); err != nil || name != b.fresh {
		return vault.StaffChecked{}, fault.New(fault.Unauthorized, "proof", "no staff member's")
	}
	return vault.StaffChecked{Centre: 1, Role: "manager"}, nil
}

// askedOfStaff is word for what is asked about a request alone.
func (b *backend) askedOfStaff() error {
	err := b.word()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls--
	b.asked++
	return err
}

func (b *backend) WriteDose(context.Context, registry.Written, id.Reference) error { return b.word() }

func (b *backend) Doses(_ context.Context, h vault.Holder) (vault.Doses, error) {
	return vault.Doses{}, b.by(h)
}

func (b *backend) AnswerDose(_ context.Context, h vault.Holder, _ id.Reference, _ id.Event, _ bool, _ string) error {
	return b.by(h)
}

func (b *backend) Unmatched(_ context.Context, signed vault.Signed, _ id.Centre) (vault.Unmatched, error) {
	b.signed = signed
	return vault.Unmatched{}, b.word()
}

func (b *backend) Corrections(_ context.Context, r vault.CorrectionsRequest) (vault.Corrections, error) {
	b.signed = r.Signed
	return vault.Corrections{Waiting: []vault.WaitingCorrection{{ID: id.New(), Body: "{}"}}}, b.word()
}

func (b *backend) Rules(context.Context) (vault.Rules, error) {
	return vault.Rules{Policies: strings.Repeat("0", 64), Since: 1}, b.word()
}

func (b *backend) SecondPersonActs(context.Context, vault.SecondPersonRequest) (vault.SecondPersonActs, error) {
	return vault.SecondPersonActs{Acts: []vault.SecondPersonAct{{ID: id.New(), Centre: 1, Kind: "revoke"}}}, b.word()
}

func (b *backend) Propose(_ context.Context, signed vault.Signed, _ id.Reference) (vault.Proposed, error) {
	b.signed = signed
	return vault.Proposed{Correction: id.New()}, b.word()
}

func (b *backend) Approve(_ context.Context, signed vault.Signed, _ id.Centre, _ id.Event, _ id.Reference, _ bool) error {
	b.signed = signed
	return b.word()
}

func (b *backend) RecordGiven(_ context.Context, signed vault.Signed, _ id.Reference) error {
	b.signed = signed
	return b.word()
}
