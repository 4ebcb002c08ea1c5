package keeperdb_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault/state"
)

// contender is one vault's view of a database that two can reach.
type contender struct {
	lease *keeperdb.Lease
	store *keeperdb.Store
}

func contend(t *testing.T, url, holder string) contender {
	t.Helper()
	open := func(o postgres.Options) sqldb.DB {
		db, err := postgres.Open(t.Context(), pgtest.As(url, "tikakosh_vault"), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	l := keeperdb.NewLease(open(postgres.Options{Connections: 2}), holder)
	return contender{l, keeperdb.New(open(postgres.Options{Serial: true, Guard: l.Guard}), 1)}
}

func (c contender) put(t *testing.T, key string) error {
	return c.store.Update(t.Context(), func(tx state.Tx) error { return tx.Put(t.Context(), state.Persons, row(key, 1)) })
}

func vaultURL(t *testing.T) string {
	t.Helper()
	return pgtest.Shared(t).Database(t, "vault", migrateVault)
}

// TestPostgresLease: two vaults on one database. One writes at a time; who lost
// the lease stores nothing, also in a transaction that began while it held it.
func TestPostgresLease(t *testing.T) {
	if !pgtest.On() {
		return
	}
	url, log := vaultURL(t), slog.New(slog.DiscardHandler)
	a, b := contend(t, url, "a"), contend(t, url, "b")
	if err := a.put(t, "before"); fault.CodeOf(err) != keeperdb.CodeLease {
		t.Errorf("without the lease: %v", err)
	}
	if err := a.lease.Take(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	if err := a.put(t, "one"); err != nil {
		t.Fatal(err)
	}
	keep, stop := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() { kept <- a.lease.Keep(keep) }()
	short, cancel := context.WithTimeout(t.Context(), keeperdb.LeaseTime+3*time.Second)
	defer cancel()
	if err := b.lease.Take(short, log); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("taken from one who lives: %v", err)
	}
	stop()
	if err := <-kept; err != nil {
		t.Fatal(err)
	}
	// a hangs in a transaction when its time is over: b waits for it to end. The
	// guard's statement travels with the first of the transaction.
	inside, over, told := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		told <- a.store.Update(t.Context(), func(tx state.Tx) error {
			if _, err := tx.Head(t.Context()); err != nil {
				return err
			}
			select {
			case <-inside:
			default:
				close(inside)
			}
			<-over
			return tx.Put(t.Context(), state.Persons, row("hung", 1))
		})
	}()
	<-inside
	time.AfterFunc(keeperdb.LeaseTime+2*time.Second, func() { close(over) })
	begin := time.Now()
	if err := b.lease.Take(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < keeperdb.LeaseTime || took > 30*time.Second {
		t.Errorf("taken over after %v", took)
	}
	if err := <-told; err != nil {
		t.Errorf("a transaction from before the change of hands: %v", err)
	}
	if err := a.put(t, "late"); fault.CodeOf(err) != keeperdb.CodeLease {
		t.Errorf("the one that lost the lease: %v", err)
	}
	if err := a.lease.Keep(t.Context()); !errors.Is(err, keeperdb.ErrLeaseLost) {
		t.Errorf("it is told: %v", err)
	}
	if err := b.put(t, "two"); err != nil {
		t.Fatal(err)
	}
	view(t, b.store, func(tx state.Tx) error {
		rows, err := tx.Scan(t.Context(), state.Persons, "", 10)
		if err != nil || len(rows) != 3 {
			t.Errorf("%d rows, want hung, one, two: %v", len(rows), err)
		}
		return err
	})
	// A clean end, and a new process of the same folder, wait for nobody.
	if err := b.lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := contend(t, url, "a")
		begin := time.Now()
		if err := c.lease.Take(t.Context(), log); err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	}
}
