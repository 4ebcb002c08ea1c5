package ledger

import (
	"context"
	"slices"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/tlog"

	"tikakosh/internal/fault"
)

// Roots returns the root (RFC 6962 2.1) of the first leaves of a source for each of
// the sizes: whether a copy of a database carries a checkpoint is told by it. The
// sizes need not be sorted. fault.Integrity when the source has fewer leaves than
// the largest, or one of another form.
func Roots(ctx context.Context, src Source, sizes ...uint64) (map[uint64]tlog.Hash, error) {
	sizes = slices.Clone(sizes)
	slices.Sort(sizes)
	out := map[uint64]tlog.Hash{}
	tree := rangeFactory().NewEmptyRange(0)
	for _, size := range sizes {
		for tree.End() < size {
			leaves, err := src.Leaves(ctx, tree.End(), int(min(size-tree.End(), batchSize)))
			if err != nil {
				return nil, err
			}
			if len(leaves) == 0 {
				return nil, fault.Newf(fault.Integrity, "short", "the ledger has %d entries, not %d", tree.End(), size)
			}
			for _, l := range leaves {
				if _, err := ParseLeaf(l); err != nil {
					return nil, fault.Newf(fault.Integrity, "leaf", "ledger entry %d has another form", tree.End())
				}
				if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(l), nil); err != nil {
					return nil, fault.Wrap(fault.Internal, err, "root")
				}
			}
		}
		root, err := rootOf(tree)
		if err != nil {
			return nil, err
		}
		out[size] = root
	}
	return out, nil
}

// PublishedLeaves reads the leaves from index from on, up to size, from a folder
// of a log's public files. It verifies nothing; Verify does.
func PublishedLeaves(dir string, from, size uint64) ([][]byte, error) {
	var out [][]byte
	for at := from; at < size; {
		bundle := at / layout.EntryBundleWidth
		leaves, _, err := files(dir).leaves(bundle, size)
		if err != nil {
			return nil, err
		}
		out = append(out, leaves[at-bundle*layout.EntryBundleWidth:]...)
		at = (bundle + 1) * layout.EntryBundleWidth
	}
	return out, nil
}
