package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// answering is a database that answers with its error and counts what it is asked.
type answering struct {
	err            error
	views, updates int
	closed         bool
}

func (a *answering) Update(context.Context, func(sqldb.Tx) error) error { a.updates++; return a.err }
func (a *answering) View(context.Context, func(sqldb.Tx) error) error   { a.views++; return a.err }
func (a *answering) Close() error                                       { a.closed = true; return nil }
func (a *answering) KeepsRows() bool                                    { return true }

// TestPrefer: views go to the replica while it answers, everything else to the
// database itself.
func TestPrefer(t *testing.T) {
	away, own := &fault.Error{Kind: fault.Unavailable, Code: "x"}, errors.New("own")
	for _, c := range []struct {
		err  error
		want error
		main int
	}{{nil, nil, 0}, {own, own, 0}, {away, nil, 1}} {
		read, db := &answering{err: c.err}, &answering{}
		p := sqldb.Prefer(read, db)
		if err := p.View(t.Context(), nil); !errors.Is(err, c.want) || read.views != 1 || db.views != c.main {
			t.Errorf("%v: %v; %d and %d views", c.err, err, read.views, db.views)
		}
		if err := p.Update(t.Context(), nil); err != nil || read.updates != 0 || db.updates != 1 {
			t.Errorf("an update went to the replica: %v", err)
		}
		if !sqldb.KeepsRows(p) {
			t.Error("the database below is not found")
		}
		if err := p.Close(); err != nil || !read.closed || !db.closed {
			t.Error("not both are closed")
		}
	}
}
