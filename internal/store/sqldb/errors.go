package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"tikakosh/internal/fault"
)

// Result codes of SQLite (sqlite.org/rescode.html). The low byte of an
// extended code is its primary code.
const (
	liteBusy       = 5
	liteLocked     = 6
	liteNoMem      = 7
	liteReadOnly   = 8
	liteInterrupt  = 9
	liteIOErr      = 10
	liteCorrupt    = 11
	liteFull       = 13
	liteCantOpen   = 14
	liteProtocol   = 15
	liteConstraint = 19
	liteNotADB     = 26

	liteConstraintPrimaryKey = 1555
	liteConstraintUnique     = 2067
	liteConstraintRowID      = 2579
)

// SQLSTATE codes of PostgreSQL (its manual, appendix A).
const (
	pgUnique          = "23505"
	pgSerialization   = "40001"
	pgDeadlock        = "40P01"
	pgLockUnavailable = "55P03"
	pgAdminShutdown   = "57P01"
	pgCrashShutdown   = "57P02"
	pgCannotConnect   = "57P03"
	pgIdleSession     = "57P05"
	pgIdleInTx        = "25P03"
	pgReadOnly        = "25006"
	pgDataCorrupted   = "XX001"
	pgIndexCorrupted  = "XX002"
)

// liteCode returns SQLite's extended result code in err, or 0. The seam knows
// drivers by what their errors can say, not by their types.
func liteCode(err error) int {
	var c interface {
		error
		Code() int
	}
	if errors.As(err, &c) {
		return c.Code()
	}
	return 0
}

// pgState returns the SQLSTATE in err, or "".
func pgState(err error) string {
	var c interface {
		error
		SQLState() string
	}
	if errors.As(err, &c) {
		return c.SQLState()
	}
	return ""
}

// IsUnique reports whether err is a violated unique or primary key.
func IsUnique(err error) bool {
	switch liteCode(err) {
	case liteConstraintPrimaryKey, liteConstraintUnique, liteConstraintRowID:
		return true
	}
	return pgState(err) == pgUnique
}

// IsConstraint reports whether err is any violated constraint: unique, foreign
// key, CHECK, NOT NULL, a column's type, or a trigger's refusal.
func IsConstraint(err error) bool {
	return liteCode(err)&0xff == liteConstraint || strings.HasPrefix(pgState(err), "23")
}

// IsBusy reports whether err says that the whole transaction may be run again
// at once: lock and serialisation conflicts, deadlocks, a server going away
// before COMMIT.
func IsBusy(err error) bool {
	switch liteCode(err) & 0xff {
	case liteBusy, liteLocked, liteProtocol:
		return true
	}
	switch s := pgState(err); s {
	case pgSerialization, pgDeadlock, pgLockUnavailable, pgAdminShutdown, pgCrashShutdown, pgCannotConnect, pgIdleSession, pgIdleInTx:
		return true
	default:
		return strings.HasPrefix(s, "08")
	}
}

// retryAfter is the advice given with Unavailable.
const retryAfter = time.Second

// Classify gives a driver's error a fault kind; what says in English which
// step failed and holds no data. nil stays nil and a fault keeps its kind.
//
// Conflict (code "unique"): a unique key is taken. Unavailable with RetryAfter:
// busy, disk full or failing, server away, context ended. Integrity: the file
// is damaged. Internal: everything else, such as a bad statement, a violated
// CHECK or foreign key, or a write on a read-only handle.
func Classify(err error, what string) error {
	if err == nil {
		return nil
	}
	var fe *fault.Error
	if errors.As(err, &fe) {
		return fault.Wrap(fe.Kind, err, what)
	}
	f := &fault.Error{Kind: fault.Internal, Code: "database", Text: what, Err: discreet(err)}
	switch kindOf(err) {
	case fault.Conflict:
		f.Kind, f.Code = fault.Conflict, "unique"
	case fault.Integrity:
		f.Kind = fault.Integrity
	case fault.Unavailable:
		f.Kind, f.RetryAfter = fault.Unavailable, retryAfter
	}
	return f
}

func kindOf(err error) fault.Kind {
	switch {
	case IsUnique(err):
		return fault.Conflict
	case IsBusy(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return fault.Unavailable
	}
	switch liteCode(err) & 0xff {
	case liteNoMem, liteInterrupt, liteIOErr, liteFull, liteCantOpen:
		return fault.Unavailable
	case liteCorrupt, liteNotADB:
		return fault.Integrity
	case liteReadOnly:
		return fault.Internal
	}
	switch s := pgState(err); {
	case s == pgDataCorrupted || s == pgIndexCorrupted:
		return fault.Integrity
	case s == pgReadOnly:
		return fault.Internal
	case strings.HasPrefix(s, "53"), strings.HasPrefix(s, "57"), strings.HasPrefix(s, "58"):
		return fault.Unavailable // resources, intervention, system
	}
	return fault.Internal
}

// discreetError hides the text of a PostgreSQL error, which may quote a value.
// SQLite's texts name tables and columns only.
type discreetError struct {
	state string
	err   error
}

func (e *discreetError) Error() string { return "SQLSTATE " + e.state }
func (e *discreetError) Unwrap() error { return e.err }

func discreet(err error) error {
	if s := pgState(err); s != "" {
		return &discreetError{s, err}
	}
	return err
}

// Conflict turns a violated unique key into fault.Conflict with code and text
// and classifies every other error; nil stays nil.
func Conflict(err error, code, text string) error {
	if err != nil && IsUnique(err) {
		return &fault.Error{Kind: fault.Conflict, Code: code, Text: text, Err: discreet(err)}
	}
	return Classify(err, text)
}

// Unknown is the error of a failed COMMIT: the transaction may or may not be
// stored, its idempotency key tells.
func Unknown(err error) error {
	return &fault.Error{Kind: fault.Unknown, Code: "commit", Text: "the result of a commit is not known", Err: discreet(err)}
}
