// Package api embeds the description of the public API, which is the contract
// that tests hold every answer against.
package api

import _ "embed"

// OpenAPI is the description in OpenAPI 3.0.3.
//
//go:embed openapi.yaml
var OpenAPI []byte
