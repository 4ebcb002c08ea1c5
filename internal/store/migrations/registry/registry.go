// Package registry holds the migrations of the registry database.
package registry

import "embed"

// SQLite holds the goose migrations for SQLite, at the root of the file system.
//
//go:embed *.sql
var SQLite embed.FS
