package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// readAll reads at most 4 MiB.
func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, 4<<20)) }

// digestOf is the SHA-256 of b in hex.
func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
