package vault

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"

	"tikakosh/internal/fault"
)

// The methods about the roles' logs. Only the operator's socket may call them.
const (
	MethodLogSeal   = "logs.seal"
	MethodLogExport = "logs.export"
	MethodLogNewest = "logs.newest"
)

// LogSeal asks the vault to put a statement about the roles' log files on the
// ledger. Log names the machine and folder they are of, in 16 hex digits: each has
// statements of its own. Number is one more than the last one's, Previous the last one's
// digest; both are zero (and empty) before the first. Digests are SHA-256.
type LogSeal struct {
	Log      string
	Number   int64
	Previous []byte
	Digest   []byte
}

// LogExport asks the vault to sign an export of the roles' logs, by the digest
// of its manifest.
type LogExport struct {
	Log    string
	Digest []byte
}

// LogSealed is the vault's signed word about a statement or an export. Of an
// export, Number and Newest are of the newest statement there is, so that a
// statement that is missing from the export's end is missed. Others is how many
// more logs the ledger knows. At is in UTC milliseconds. Index and Receipt are those of the ledger entry.
type LogSealed struct {
	Log       string
	Number    int64
	Digest    []byte
	Newest    []byte `json:",omitempty"`
	At        int64
	Export    bool
	Others    int
	Signature []byte
	Receipt   string
}

// SignedText is what Signature is over: a domain, then fixed-size fields.
func (s LogSealed) SignedText() []byte {
	b := []byte("tikakosh/logs/seal/v1\x00")
	if s.Export {
		b = []byte("tikakosh/logs/export/v1\x00")
	}
	b = append(b, byte(len(s.Log)))
	b = append(b, s.Log...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Number))
	b = binary.BigEndian.AppendUint64(b, uint64(s.At))
	for _, d := range [][]byte{s.Digest, s.Newest} {
		b = append(b, byte(len(d)))
		b = append(b, d...)
	}
	return b
}

// Verify checks the signature with the vault's receipt key: fault.Integrity when
// it is not that key's.
func (s LogSealed) Verify(key []byte) error {
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, s.SignedText(), s.Signature) {
		return fault.New(fault.Integrity, "log-seal", "the vault's signature is wrong")
	}
	return nil
}

// SealLogs puts a statement about log files on the ledger. fault.Conflict: it
// does not follow the last one, whose number and digest are in nobody's hands
// but the ledger's: statements are missing.
func (c *Client) SealLogs(ctx context.Context, r LogSeal) (LogSealed, error) {
	return call[LogSeal, LogSealed](ctx, c, MethodLogSeal, r)
}

// NewestLogSeal tells number and digest of a log's newest statement; it is not signed.
func (c *Client) NewestLogSeal(ctx context.Context, r LogExport) (LogSealed, error) {
	return call[LogExport, LogSealed](ctx, c, MethodLogNewest, r)
}

// SignLogExport records and signs an export of log files.
func (c *Client) SignLogExport(ctx context.Context, r LogExport) (LogSealed, error) {
	return call[LogExport, LogSealed](ctx, c, MethodLogExport, r)
}
