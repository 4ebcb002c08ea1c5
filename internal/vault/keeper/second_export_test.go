package keeper

import (
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// ListAsked is listAsked for tests.
func ListAsked(s vault.Signed) (id.Centre, string, error) { return listAsked(s) }
