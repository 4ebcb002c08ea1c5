package keeper_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/keeperdb"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// rig is one vault on a real database, with a courier that keeps messages
// and a clock that tests move.
type rig struct {
	t    testing.TB
	dir  string
	db   sqldb.DB
	st   state.Store
	k    *keeper.Keeper
	mu   sync.Mutex
	sent []keeper.Notice
	lose int // messages to lose
	// route, if set, stands for the courier's until it says nil.
	route func(context.Context, keeper.Notice) error
	now   time.Time
	regs  map[id.Person][]vault.Sealed // what a registry would hold
	cfg   keeper.Config
	wrap  func(state.Store) state.Store // lets a test stand between vault and store
	logs  bytes.Buffer
	stop  func()
}

// Write collects the vault's log.
func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.Write(p)
}

func (r *rig) log() string { r.mu.Lock(); defer r.mu.Unlock(); return r.logs.String() }

func (r *rig) Send(ctx context.Context, n keeper.Notice) error {
	r.mu.Lock()
	route := r.route
	r.mu.Unlock()
	if route != nil {
		if err := route(ctx, n); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lose > 0 {
		r.lose--
		return fault.New(fault.Unavailable, "courier", "the message was lost")
	}
	r.sent = append(r.sent, n)
	return nil
}

// count is how many rows a table has.
func (r *rig) count(table string) (n int) {
	r.t.Helper()
	err := r.db.View(r.t.Context(), func(tx sqldb.Tx) error {
		return tx.QueryRow(r.t.Context(), "SELECT count(*) FROM "+table).Scan(&n)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// dump is every key and content of some tables as text.
func (r *rig) dump(tables ...string) string {
	r.t.Helper()
	var b strings.Builder
	for _, table := range tables {
		err := r.db.View(r.t.Context(), func(tx sqldb.Tx) error {
			rows, err := tx.Query(r.t.Context(), "SELECT key, content FROM "+table)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var key string
				var content []byte
				if err := rows.Scan(&key, &content); err != nil {
					return err
				}
				fmt.Fprintf(&b, "%s %s %s\n", table, key, content)
			}
			return rows.Err()
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return b.String()
}

// exec changes the vault's database behind its back.
func (r *rig) exec(q string, args ...any) {
	r.t.Helper()
	if err := r.db.Update(r.t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(r.t.Context(), q, args...); return err }); err != nil {
		r.t.Fatal(err)
	}
}

func execErr(r *rig, q string) error {
	return r.db.Update(r.t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(r.t.Context(), q); return err })
}

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func newRig(t testing.TB) *rig { return rigWith(t, nil) }

// rigWith starts a vault whose configuration a test changed.
func rigWith(t testing.TB, change func(*rig)) *rig {
	r := &rig{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC), regs: map[id.Person][]vault.Sealed{}}
	r.cfg = keeper.Config{Realm: 1, Origin: "test.example/ledger", Issuer: "Test", DemoNumbers: true, Demo: true, NoBounds: true}
	r.cfg.Limits, r.cfg.Fonts = keeper.DefaultLimits(), encode.DefaultFonts()
	if change != nil {
		change(r)
	}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() })
	return r
}

func (r *rig) path() string { return filepath.Join(r.dir, "vault.db") }

func (r *rig) open() error {
	ctx, cancel := context.WithCancel(context.Background())
	db, err := sqlite.Open(ctx, r.path(), sqlite.Options{})
	if err != nil {
		cancel()
		return err
	}
	r.db = db
	if err := migrate(ctx, db, vaultmigrations.FS); err != nil {
		cancel()
		return err
	}
	r.st = keeperdb.New(db, 1)
	fresh, err := keeper.Fresh(ctx, r.st)
	if err != nil {
		cancel()
		return err
	}
	p, err := custody.OpenFile(filepath.Join(r.dir, "keys"), fresh)
	if err != nil {
		cancel()
		return err
	}
	if r.wrap != nil {
		r.st = r.wrap(r.st)
	}
	r.k, err = keeper.Open(ctx, r.cfg, r.st, p, r, r.clock, slog.New(slog.NewTextHandler(r, nil)))
	if err != nil {
		cancel()
		_ = db.Close()
		return err
	}
	done := make(chan struct{})
	go func() { defer close(done); r.k.Run(ctx) }()
	r.stop = func() { cancel(); <-done }
	return nil
}

func (r *rig) close() {
	if r.stop != nil {
		r.stop()
		_ = r.db.Close()
		r.stop = nil
	}
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }

func (r *rig) advance(d time.Duration) { r.mu.Lock(); r.now = r.now.Add(d); r.mu.Unlock() }

func sha(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// code waits for the last code sent to a mobile.
func (r *rig) code(mobile string) string {
	for range 200 {
		r.mu.Lock()
		for _, n := range slices.Backward(r.sent) {
			if n.Mobile == mobile && n.Template == "code" {
				r.mu.Unlock()
				return n.Params["code"]
			}
		}
		r.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	r.t.Fatal("no code came")
	return ""
}

func (r *rig) forget() { r.mu.Lock(); r.sent = nil; r.mu.Unlock() }

func (r *rig) signIn(mobile string) vault.Holder {
	r.t.Helper()
	r.forget()
	ctx := r.t.Context()
	iss, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := r.k.ConfirmCode(ctx, vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: "192.0.2.0/24"})
	if err != nil {
		r.t.Fatal(err)
	}
	return vault.Holder{Bearer: s.Bearer, Origin: "192.0.2.0/24"}
}

func asha(n int) vault.Identity {
	return vault.Identity{Name: "Asha Test", BirthYear: 1980, GenderID: 2, IDType: 6, IDNumber: fmt.Sprintf("ABCDE%04dF", n)}
}

var consentOne = vault.Consent{Version: "1", Language: "en", Purpose: "registration"}

func (r *rig) enrol(h vault.Holder, key string, in vault.Identity) vault.Enrolled {
	r.t.Helper()
	e, err := r.k.Enrol(r.t.Context(), vault.EnrolRequest{Holder: h, Key: key, Identity: in, Consent: consentOne})
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// store plays the registry: it keeps the parts and reports them.
func (r *rig) store(s vault.Seal, report bool) {
	r.t.Helper()
	r.regs[s.Person] = append(r.regs[s.Person], s.Parts...)
	if report {
		if _, err := r.k.Committed(r.t.Context(), vault.CommittedRequest{Seals: []string{s.ID}}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) records(people ...id.Person) []vault.Record {
	var out []vault.Record
	for _, p := range people {
		out = append(out, vault.Record{Person: p, Parts: slices.Clone(r.regs[p])})
	}
	return out
}

func (r *rig) all() iter.Seq2[vault.Record, error] {
	return func(yield func(vault.Record, error) bool) {
		for p := range r.regs {
			if !yield(r.records(p)[0], nil) {
				return
			}
		}
	}
}

func (r *rig) audit(want ...string) {
	r.t.Helper()
	rep, err := r.k.Audit(r.t.Context(), r.all())
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for _, f := range rep.Findings {
		got = append(got, f.Kind)
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("audit found %+v, want %v", rep.Findings, want)
	}
}

func wantKind(t testing.TB, err error, k fault.Kind) {
	t.Helper()
	if !fault.Is(err, k) {
		t.Fatalf("got %v, want kind %s", err, k)
	}
}
