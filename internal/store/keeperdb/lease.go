package keeperdb

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// How a lease lives. A vault that shows no sign of life for LeaseTime, by the
// clock of whoever waits, may be followed by another one.
const (
	LeaseTime  = 10 * time.Second
	leaseBeat  = 2 * time.Second // between two signs of life
	leaseWatch = time.Second     // between two looks of one who waits
)

// CodeLease is the code of the error of a vault that does not hold the lease.
const CodeLease = "lease"

// ErrLeaseLost is Keep's error when another vault has taken the lease.
var ErrLeaseLost = fault.New(fault.Forbidden, CodeLease, "another vault has taken over: this one ends")

// Lease is the right to write to a vault's database that several vaults can
// reach. It is a row of that database with a term: Guard, in every writing
// transaction, holds the row and compares the term, so that whoever lost the
// lease can no longer store anything, whatever it believes, and whoever takes
// it waits for the transaction that is under way. No clock of two machines is
// compared. Safe for concurrent use.
type Lease struct {
	db     sqldb.DB
	holder string
	term   atomic.Int64 // 0: not held

	// Waits hears, when it is set, why Take does not have the lease at once, and
	// each time that changes: nil for another vault that holds it, or the error of
	// a database that is away. It is set before Take.
	Waits func(err error)
}

// NewLease makes a lease that is not held yet. db is a handle of its own on the
// vault's database, without Guard. holder names the data folder of the vault,
// whose lock the caller holds: a process of the same name before this one is
// known to have ended, and its lease is taken at once.
func NewLease(db sqldb.DB, holder string) *Lease { return &Lease{db: db, holder: holder} }

// row is the stored lease.
type row struct {
	term, beat int64
	holder     string
}

func (l *Lease) read(ctx context.Context) (r row, err error) {
	err = l.db.Update(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO lease (name, term, holder, beat) VALUES ('vault', 0, '', 0) ON CONFLICT (name) DO NOTHING`)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT term, holder, beat FROM lease WHERE name = 'vault'`).Scan(&r.term, &r.holder, &r.beat)
	})
	return r, sqldb.Classify(err, "read the vault's lease")
}

// change runs a conditional update of the row and says whether it matched.
func (l *Lease) change(ctx context.Context, query string, args ...any) (bool, error) {
	var n int64
	err := l.db.Update(ctx, func(tx sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, query, args...)
		return err
	})
	return n == 1, sqldb.Classify(err, "change the vault's lease")
}

// Take waits until this vault holds the lease or ctx ends. log hears once that
// it waits. Errors of a database that is away are waited out as well.
func (l *Lease) Take(ctx context.Context, log *slog.Logger) error {
	var last row
	var silent time.Duration // how long the row has stayed as it is
	said := false
	tell := l.waits()
	for {
		r, err := l.read(ctx)
		switch {
		case err != nil && !fault.Is(err, fault.Unavailable):
			return err
		case err != nil:
			silent = 0 // nothing was seen
		case r != last:
			last, silent = r, 0
		}
		if err == nil && (r.holder == "" || r.holder == l.holder || silent >= LeaseTime) {
			ok, err := l.change(ctx, `UPDATE lease SET term = term + 1, holder = $1, beat = 0 WHERE name = 'vault' AND term = $2 AND beat = $3`, l.holder, r.term, r.beat)
			if ok {
				l.term.Store(r.term + 1)
				log.Info("this vault holds the lease", "term", r.term+1)
				return nil
			}
			if err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Unknown) {
				return err
			}
			silent = 0
		}
		tell(err)
		if err == nil && !said {
			said = true
			log.Info("another vault holds the lease; this one waits to take over")
		}
		rest(ctx, leaseWatch)
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.Unavailable, err, "wait for the vault's lease")
		}
		silent += leaseWatch
	}
}

// waits tells Waits what changed.
func (l *Lease) waits() func(err error) {
	told, last := false, fault.Kind("")
	return func(err error) {
		if kind := fault.KindOf(err); l.Waits != nil && (!told || kind != last) {
			told, last = true, kind
			l.Waits(err)
		}
	}
}

// Keep shows signs of life until ctx ends. It returns ErrLeaseLost when another
// vault has the lease; while the database is away it goes on trying.
func (l *Lease) Keep(ctx context.Context) error {
	for {
		ok, err := l.change(ctx, `UPDATE lease SET beat = beat + 1 WHERE name = 'vault' AND term = $1 AND holder = $2`, l.term.Load(), l.holder)
		if err == nil && !ok && ctx.Err() == nil && !ablate.Off(ablate.VaultLease) {
			l.term.Store(0)
			return ErrLeaseLost
		}
		if rest(ctx, leaseBeat); ctx.Err() != nil {
			return nil //nolint:nilerr // the caller ends it; the database may be away meanwhile
		}
	}
}

// Guard holds the lease's row from the transaction's first statement until its end,
// by an update that changes nothing, or refuses the transaction with Unavailable and CodeLease.
func (l *Lease) Guard(ctx context.Context, tx sqldb.Tx) error {
	if ablate.Off(ablate.VaultLease) {
		return nil
	}
	lost := &fault.Error{Kind: fault.Unavailable, Code: CodeLease, Text: "another vault has taken over", RetryAfter: time.Second}
	return sqldb.Later(ctx, tx, 1, lost, `UPDATE lease SET beat = beat WHERE name = 'vault' AND term = $1 AND holder = $2`, l.term.Load(), l.holder)
}

// Release gives the lease up, so that the next vault need not wait.
func (l *Lease) Release(ctx context.Context) error {
	term := l.term.Swap(0)
	if term == 0 {
		return nil
	}
	_, err := l.change(ctx, `UPDATE lease SET holder = '' WHERE name = 'vault' AND term = $1 AND holder = $2`, term, l.holder)
	return err
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
