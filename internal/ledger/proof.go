package ledger

import (
	"context"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tikakosh/internal/fault"
)

// Proof shows that an entry is in the log of a checkpoint (RFC 6962 2.1.1).
type Proof struct {
	Index      uint64
	Hashes     []tlog.Hash
	Checkpoint []byte // signed note
}

// InclusionProof builds the proof of entry index in the newest checkpoint of the
// files in dir. fault.NotFound when that does not cover the entry yet,
// fault.Integrity when files are damaged. Nothing is verified: VerifyInclusion
// does, and needs no trust in dir.
func InclusionProof(ctx context.Context, dir string, index uint64) (Proof, error) {
	raw, cp, err := newest(dir)
	if err != nil {
		return Proof{}, err
	}
	if index >= cp.Size {
		return Proof{}, fault.Newf(fault.NotFound, "unpublished", "no checkpoint covers entry %d yet", index)
	}
	pb, err := client.NewProofBuilder(ctx, cp.Size, files(dir).tile)
	if err != nil {
		return Proof{}, fault.Wrap(fault.Integrity, err, "the ledger's tiles")
	}
	nodes, err := pb.InclusionProof(ctx, index)
	if err != nil {
		return Proof{}, fault.Wrap(fault.Integrity, err, "the ledger's tiles")
	}
	hashes, err := toHashes(nodes)
	return Proof{Index: index, Hashes: hashes, Checkpoint: raw}, err
}

// VerifyInclusion checks the proof's checkpoint under the log's key and that it
// covers commitment c at the proof's index; fault.Integrity otherwise.
func VerifyInclusion(p Proof, owner note.Verifier, c Commitment) (Checkpoint, error) {
	cp, err := OpenCheckpoint(p.Checkpoint, owner, nil, 0)
	if err != nil {
		return cp, err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(LeafData(c))
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size, leaf, toBytes(p.Hashes), cp.Root[:]); err != nil {
		return cp, fault.Newf(fault.Integrity, "inclusion", "the ledger of %d entries does not hold this entry at %d: %v", cp.Size, p.Index, err)
	}
	return cp, nil
}

// ConsistencyProof builds the proof (RFC 6962 2.1.2) that the newest checkpoint
// of the files in dir continues the log of size entries. fault.Invalid when the
// log is smaller than that. Verify it with VerifyConsistency.
func ConsistencyProof(ctx context.Context, dir string, size uint64) ([]tlog.Hash, error) {
	_, cp, err := newest(dir)
	if err != nil {
		return nil, err
	}
	return consistency(ctx, dir, size, cp.Size)
}

func consistency(ctx context.Context, dir string, from, to uint64) ([]tlog.Hash, error) {
	if from > to {
		return nil, fault.Newf(fault.Invalid, "size", "the ledger has %d entries, fewer than %d", to, from)
	}
	if from == 0 || from == to {
		return nil, nil
	}
	pb, err := client.NewProofBuilder(ctx, to, files(dir).tile)
	if err != nil {
		return nil, fault.Wrap(fault.Integrity, err, "the ledger's tiles")
	}
	nodes, err := pb.ConsistencyProof(ctx, from, to)
	if err != nil {
		return nil, fault.Wrap(fault.Integrity, err, "the ledger's tiles")
	}
	return toHashes(nodes)
}

// VerifyConsistency checks that now continues old: nothing of it was changed or
// removed. Both must have been opened with OpenCheckpoint. The fault.Integrity
// names both sizes and roots; its code is "origin" for checkpoints of two logs,
// "truncated" for a now that is smaller, "split" for two histories of one size
// and "consistency" for any other.
func VerifyConsistency(old, now Checkpoint, hashes []tlog.Hash) error {
	wrong := func(code, text string) error {
		return fault.Newf(fault.Integrity, code, "%s: %s with %d entries and root %s, against %s with %d entries and root %s",
			text, old.Origin, old.Size, old.Root, now.Origin, now.Size, now.Root)
	}
	switch {
	case old.Origin != now.Origin:
		return wrong("origin", "the checkpoints are of different ledgers")
	case now.Size < old.Size:
		return wrong("truncated", "the ledger was truncated")
	case now.Size == old.Size && now.Root != old.Root:
		return wrong("split", "the ledger has two histories")
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, now.Size, toBytes(hashes), old.Root[:], now.Root[:]); err != nil {
		return wrong("consistency", "the ledger's history was rewritten")
	}
	return nil
}

// VerifyAgainst checks that the newest checkpoint of the files in dir continues
// old, a checkpoint that somebody kept (a signed note), both signed under vkey.
// It returns both. Faults as OpenCheckpoint and VerifyConsistency; tiles that
// cannot prove it are a fault.Integrity too.
func VerifyAgainst(ctx context.Context, dir, vkey string, old []byte) (was, now Checkpoint, err error) {
	v, err := LogVerifier(vkey)
	if err != nil {
		return was, now, err
	}
	if was, err = OpenCheckpoint(old, v, nil, 0); err != nil {
		return was, now, err
	}
	raw, err := files(dir).checkpoint()
	if err != nil {
		return was, now, err
	}
	if now, err = OpenCheckpoint(raw, v, nil, 0); err != nil {
		return was, now, err
	}
	var hashes []tlog.Hash
	if was.Size <= now.Size {
		if hashes, err = consistency(ctx, dir, was.Size, now.Size); err != nil {
			return was, now, err
		}
	}
	return was, now, VerifyConsistency(was, now, hashes)
}

// newest reads the checkpoint of dir without verifying it.
func newest(dir string) ([]byte, Checkpoint, error) {
	raw, err := files(dir).checkpoint()
	if err != nil {
		return nil, Checkpoint{}, err
	}
	cp, err := bodyOf(string(raw))
	return raw, cp, err
}

func toHashes(nodes [][]byte) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(nodes))
	for i, n := range nodes {
		if len(n) != tlog.HashSize {
			return nil, fault.New(fault.Internal, "proof", "a proof node is no SHA-256 hash")
		}
		out[i] = tlog.Hash(n)
	}
	return out, nil
}

func toBytes(hashes []tlog.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}
