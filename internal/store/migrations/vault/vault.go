// Package vault embeds the migrations of the vault's database, forward only, for
// each engine with the same numbers, tables and columns.
package vault

import (
	"embed"
	"io/fs"
)

// FS holds the migration files for SQLite.
//
//go:embed *.sql
var FS embed.FS

//go:embed postgres/*.sql
var postgres embed.FS

// Postgres holds the migration files for PostgreSQL, at the root of the file
// system.
func Postgres() fs.FS {
	sub, err := fs.Sub(postgres, "postgres")
	if err != nil { // the name is valid
		return embed.FS{}
	}
	return sub
}
