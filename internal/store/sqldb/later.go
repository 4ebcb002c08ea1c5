package sqldb

import "context"

// AnyRows, as the number of rows that a statement of Later has to change, lets
// it change any.
const AnyRows = int64(-1)

// later is a Tx that can put a statement off.
type later interface {
	Later(ctx context.Context, want int64, otherwise error, query string, args ...any) error
}

// Later runs a write of which the caller needs to know nothing more than that the
// transaction ends without it only when it went well: it changed want rows
// (AnyRows: any number), or the transaction fails with the error otherwise. An
// engine that is asked over a wire sends it with the next statement that needs an
// answer, in order, so that its failure may be returned by a later statement or by
// Update; the others run it at once. What args point to is not kept.
func Later(ctx context.Context, tx Tx, want int64, otherwise error, query string, args ...any) error {
	if l, ok := tx.(later); ok {
		return l.Later(ctx, want, otherwise, query, args...)
	}
	n, err := tx.Exec(ctx, query, args...)
	if err == nil && want >= 0 && n != want {
		return otherwise
	}
	return err
}
