// Package vault embeds the migrations of the vault's database, forward only.
package vault

import "embed"

// FS holds the migration files.
//
//go:embed *.sql
var FS embed.FS
