//go:build !cgo

// Command tikakosh-hsm keeps the vault's wrapping keys in an HSM.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "tikakosh-hsm: built without cgo, which PKCS #11 needs: CGO_ENABLED=1 go build ./cmd/tikakosh-hsm")
	os.Exit(78)
}
