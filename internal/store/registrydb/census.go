package registrydb

import (
	"context"
	"database/sql"

	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/store/sqldb"
)

var _ registry.Census = (*Scatter)(nil)

// Everybody implements registry.Census.
func (s *Scatter) Everybody(ctx context.Context, after id.Person, limit int) (out []id.Person, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "everybody", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, p *id.Person) error { return r.Scan((*string)(p)) },
			`SELECT person FROM person WHERE person > $1 ORDER BY person LIMIT $2`, string(after), limit)
		return err
	})
	return out, err
}
