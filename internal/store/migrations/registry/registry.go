// Package registry holds the migrations of the registry database, for each
// engine with the same numbers, tables and columns.
package registry

import (
	"embed"
	"io/fs"
)

// SQLite holds the goose migrations for SQLite, at the root of the file system.
//
//go:embed *.sql
var SQLite embed.FS

//go:embed postgres/*.sql
var postgres embed.FS

// Postgres holds the goose migrations for PostgreSQL, at the root of the file
// system.
func Postgres() fs.FS {
	sub, err := fs.Sub(postgres, "postgres")
	if err != nil { // the name is valid
		return embed.FS{}
	}
	return sub
}
