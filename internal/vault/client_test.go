package vault_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/keeperdb"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
)

// outbox keeps the messages of the vault under test.
type outbox chan keeper.Notice

// Send implements keeper.Courier.
func (o outbox) Send(_ context.Context, n keeper.Notice) error {
	o <- n
	return nil
}

var now = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

// realVault starts the real vault on a real database and returns a client for
// each caller.
func realVault(t *testing.T) (func(keeper.Caller) *vault.Client, outbox) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	db, err := sqlite.Open(ctx, filepath.Join(dir, "vault.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Migrate(ctx, db, vaultmigrations.FS); err != nil {
		t.Fatal(err)
	}
	p, err := custody.OpenFile(filepath.Join(dir, "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	box := make(outbox, 100)
	cfg := keeper.Config{Realm: 1, Origin: "test.example/ledger", Issuer: "Test", Demo: true, DemoNumbers: true}
	k, err := keeper.Open(ctx, cfg, keeperdb.New(db, 1), p, box, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; _ = db.Close() })
	return func(c keeper.Caller) *vault.Client {
		srv := httptest.NewServer(k.Handler(c))
		t.Cleanup(srv.Close)
		return vault.NewClient(srv.Client(), srv.URL)
	}, box
}

// TestClientWalk says every word of the vault through the client, in the order
// people and roles say them.
func TestClientWalk(t *testing.T) {
	as, box := realVault(t)
	web, worker, operator, seeder := as(keeper.CallerWeb), as(keeper.CallerWorker), as(keeper.CallerOperator), as(keeper.CallerSeeder)
	ctx := t.Context()
	check := func(what string, err error, want fault.Kind) {
		t.Helper()
		if fault.KindOf(err) != want {
			t.Fatalf("%s: %v, want %q", what, err, want)
		}
	}
	issued, err := web.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000001", Origin: "192.0.2.0/24"})
	check("request", err, "")
	_, err = web.ConfirmCode(ctx, vault.CodeAnswer{Txn: issued.Txn, Digest: digest("wrong")})
	check("wrong code", err, fault.Invalid)
	if fault.CodeOf(err) != "USRAUT0014" || !strings.Contains(err.Error(), "Invalid OTP") {
		t.Errorf("code and text are lost: %v", err)
	}
	session, err := web.ConfirmCode(ctx, vault.CodeAnswer{Txn: issued.Txn, Digest: digest((<-box).Params["code"])})
	check("confirm", err, "")
	h := vault.Holder{Bearer: session.Bearer}
	in := vault.Identity{Name: "Asha Test", BirthYear: 1980, GenderID: 2, IDType: 6, IDNumber: "ABCDE0001F"}
	e, err := web.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "k", Identity: in, Consent: vault.Consent{Version: "1", Language: "en"}})
	check("enrol", err, "")
	rec := vault.Record{Person: e.Seal.Person, Parts: e.Seal.Parts}
	got, err := web.Committed(ctx, vault.CommittedRequest{Seals: []string{e.Seal.ID}})
	check("committed", err, "")
	if got.Advanced != 1 {
		t.Errorf("%+v", got)
	}
	m, err := web.Membership(ctx, h)
	check("membership", err, "")
	o, err := web.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{rec}})
	check("open", err, "")
	if len(m.Members) != 1 || len(o.People) != 1 || o.People[0].Name != in.Name || o.People[0].Reference != e.Reference {
		t.Errorf("%+v %+v", m, o)
	}
	broken := rec
	broken.Parts = broken.Parts[:1]
	_, err = web.Open(ctx, vault.OpenRequest{Holder: h, Records: []vault.Record{broken}})
	check("a cut record", err, fault.Integrity)
	hist, err := web.Openings(ctx, vault.OpeningsRequest{Holder: h})
	check("openings", err, "")
	if len(hist.Entries) != 3 {
		t.Errorf("%+v", hist)
	}
	_, err = web.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: rec})
	check("no certificate", err, fault.NotFound)
	offer := vault.Offer{Centre: 7, Session: "s", Day: civil.Of(now), Zone: "Asia/Kolkata", Slot: "x", Product: "COVISHIELD"}
	_, err = web.Book(ctx, vault.BookRequest{Holder: h, Hold: "h", Dose: 1, Offer: offer, Records: []vault.Record{rec}})
	check("book", err, "")
	_, err = web.Book(ctx, vault.BookRequest{Holder: h, Hold: "h2", Dose: 1, Offer: offer, Records: []vault.Record{rec}})
	check("book again", err, fault.Conflict)
	slip, err := web.Slip(ctx, vault.SlipRequest{Holder: h, Hold: "h", Records: []vault.Record{rec}})
	check("slip", err, "")
	if !reflect.DeepEqual(slip.Offer, offer) {
		t.Errorf("the offer came back as %+v", slip.Offer)
	}
	work, err := worker.Unfinished(ctx, vault.UnfinishedRequest{Before: now.UnixMilli() + 1})
	check("unfinished", err, "")
	if len(work.Work) != 1 || work.Work[0].Hold != "h" {
		t.Errorf("%+v", work)
	}
	persons := []id.Person{e.Seal.Person}
	_, err = web.Cancel(ctx, vault.CancelRequest{Holder: h, Hold: "h", Persons: persons})
	check("cancel", err, "")
	_, err = worker.Release(ctx, vault.ReleaseRequest{Hold: "h", Persons: persons})
	check("release", err, "")
	check("settled", worker.Settled(ctx, vault.SettledRequest{Kind: vault.WorkBook, Hold: "h", Persons: persons}), "")
	_, err = web.OpenSession(ctx, vault.OpenSessionRequest{})
	check("session", err, fault.Invalid)
	_, err = web.RecordDose(ctx, vault.DoseRequest{})
	check("dose", err, fault.Invalid)
	_, err = operator.EnrolStaff(ctx, vault.StaffEnrolRequest{})
	check("staff", err, fault.Invalid)
	_, err = operator.DisableStaff(ctx, vault.StaffDisableRequest{Staff: "nobody"})
	check("no staff", err, fault.NotFound)
	seeded, err := seeder.Seed(ctx, vault.SeedRequest{Households: []vault.SeedHousehold{{Mobile: "0000000002"}}})
	check("seed", err, "")
	keys, err := operator.Keys(ctx)
	check("keys", err, "")
	st, err := worker.Status(ctx)
	check("status", err, "")
	if len(seeded.People) != 0 || keys.Realm != 1 || len(keys.ReceiptKey) != 32 || !st.Ready || st.LedgerSize == 0 {
		t.Errorf("%+v %+v %+v", seeded, keys.Realm, st)
	}
	_, err = web.Remove(ctx, vault.RemoveRequest{Holder: h, Record: rec})
	check("remove", err, "")
	check("end", web.EndSession(ctx, h), "")
	_, err = web.Membership(ctx, h)
	check("ended", err, fault.Unauthorized)
}

// TestClientRefusals: what a role may not, and the time to wait.
func TestClientRefusals(t *testing.T) {
	as, _ := realVault(t)
	web, ctx := as(keeper.CallerWeb), t.Context()
	var err error
	for range 5 {
		if _, err = web.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000003"}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = web.RequestCode(ctx, vault.CodeRequest{Mobile: "0000000003"})
	if !fault.Is(err, fault.RateLimited) || fault.RetryAfter(err) != 24*time.Hour {
		t.Errorf("too many codes: %v, wait %v", err, fault.RetryAfter(err))
	}
	if _, err = web.Unfinished(ctx, vault.UnfinishedRequest{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the web role asks for the worker's list: %v", err)
	}
	if _, err = web.Seed(ctx, vault.SeedRequest{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the web role seeds: %v", err)
	}
}

func digest(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

func TestClientTooLarge(t *testing.T) {
	as, _ := realVault(t)
	_, err := as(keeper.CallerWeb).Open(t.Context(), vault.OpenRequest{Holder: vault.Holder{Bearer: strings.Repeat("x", vault.MaxMessage)}})
	if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "size" {
		t.Errorf("%v", err)
	}
}

// TestEveryKindCrosses sends each kind of fault over the wire and back.
func TestEveryKindCrosses(t *testing.T) {
	for _, k := range []fault.Kind{fault.Internal, fault.Invalid, fault.Unauthorized, fault.Forbidden, fault.NotFound, fault.Conflict, fault.Full,
		fault.RateLimited, fault.Unavailable, fault.Unknown, fault.Integrity} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprintf(w, `{"Kind":%q,"Code":"c","Text":"t","RetryAfterMS":1500}`, k)
		}))
		_, err := vault.NewClient(srv.Client(), srv.URL).Keys(t.Context())
		srv.Close()
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != k || f.Code != "c" || f.Text != "t" || f.RetryAfter != 1500*time.Millisecond {
			t.Errorf("%s came as %+v", k, err)
		}
	}
}

// TestBrokenConnections tells what certainly did not happen from what may have.
func TestBrokenConnections(t *testing.T) {
	answer := func(fn http.HandlerFunc) func(*testing.T) (*vault.Client, context.Context) {
		return func(t *testing.T) (*vault.Client, context.Context) {
			srv := httptest.NewServer(fn)
			t.Cleanup(srv.Close)
			return vault.NewClient(srv.Client(), srv.URL), t.Context()
		}
	}
	var calls atomic.Int64
	cases := map[string]struct {
		make func(*testing.T) (*vault.Client, context.Context)
		want fault.Kind
	}{
		"nobody listens": {func(t *testing.T) (*vault.Client, context.Context) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
			return vault.NewClient(http.DefaultClient, "http://"+l.Addr().String()), t.Context()
		}, fault.Unavailable},
		"cancelled before": {func(t *testing.T) (*vault.Client, context.Context) {
			c, ctx := answer(func(http.ResponseWriter, *http.Request) { calls.Add(1) })(t)
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return c, ctx
		}, fault.Unavailable},
		"dies with the request": {answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), fault.Unknown},
		"dies in the answer": {answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"Realm"`)
			panic(http.ErrAbortHandler)
		}), fault.Unknown},
		"no JSON": {answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }), fault.Unknown},
		"no kind": {answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), fault.Unknown},
		"an endless answer": {answer(func(w http.ResponseWriter, _ *http.Request) {
			line := []byte(strings.Repeat(" ", 1<<16))
			for range 100 {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}), fault.Unknown},
		"cancelled after": {func(t *testing.T) (*vault.Client, context.Context) {
			ctx, cancel := context.WithCancel(t.Context())
			c, _ := answer(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				cancel()
				<-r.Context().Done()
			})(t)
			return c, ctx
		}, fault.Unknown},
		"too slow": {func(t *testing.T) (*vault.Client, context.Context) {
			c, ctx := answer(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() })(t)
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			t.Cleanup(cancel)
			return c, ctx
		}, fault.Unknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, ctx := c.make(t)
			_, err := client.ConfirmCode(ctx, vault.CodeAnswer{Txn: "secret-transaction"})
			if !fault.Is(err, c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the error quotes the request: %v", err)
			}
		})
	}
	if calls.Load() != 0 {
		t.Error("a cancelled call was made")
	}
}

// TestHashText reads and writes the hex form of a hash and refuses every other.
func TestHashText(t *testing.T) {
	var h, back vault.Hash
	h[0], h[31] = 0xab, 0x01
	text, err := h.MarshalText()
	if err != nil || len(text) != 64 || !strings.HasPrefix(string(text), "ab00") {
		t.Fatalf("%s %v", text, err)
	}
	if err := back.UnmarshalText(text); err != nil || back != h {
		t.Errorf("%v %v", back, err)
	}
	for _, bad := range []string{"", "ab", string(text) + "00", strings.Repeat("zz", 32)} {
		if err := back.UnmarshalText([]byte(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestChain: the running hash depends on everything it covers.
func TestChain(t *testing.T) {
	s := vault.Sealed{Seq: 1, Part: "identity", Version: 1, Hash: vault.Hash{1}}
	start := vault.ChainStart(1, "p")
	seen := map[vault.Hash]string{}
	note := func(name string, h vault.Hash) {
		t.Helper()
		if was, ok := seen[h]; ok {
			t.Errorf("%s has the hash of %s", name, was)
		}
		seen[h] = name
	}
	with := func(change func(*vault.Sealed)) vault.Hash { x := s; change(&x); return vault.ChainNext(start, x) }
	note("start", start)
	note("another realm", vault.ChainStart(2, "p"))
	note("another person", vault.ChainStart(1, "q"))
	note("one part", vault.ChainNext(start, s))
	note("after another", vault.ChainNext(vault.ChainStart(1, "q"), s))
	note("another seq", with(func(s *vault.Sealed) { s.Seq = 2 }))
	note("another version", with(func(s *vault.Sealed) { s.Version = 2 }))
	note("another part", with(func(s *vault.Sealed) { s.Part = "identitx" }))
	note("a longer part", with(func(s *vault.Sealed) { s.Part = "identity\x01" }))
	note("another hash", with(func(s *vault.Sealed) { s.Hash[31] = 1 }))
	note("two parts", vault.ChainNext(vault.ChainNext(start, s), s))
	if with(func(s *vault.Sealed) { s.Body = []byte("x") }) != vault.ChainNext(start, s) {
		t.Error("the chain depends on the body apart from its hash")
	}
}
