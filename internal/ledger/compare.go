package ledger

import (
	"bytes"
	"context"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"tikakosh/internal/fault"
)

const (
	// recheckAll is up to how many leaves a start compares every one with the
	// database: 100,000 take about a tenth of a second besides the queries.
	recheckAll = 100_000
	// recheckSome is how many bundles a start compares in a larger log: the newest
	// and others evenly spaced. The published root vouches for what was published.
	recheckSome = 64
)

// compare checks the files against the published checkpoint and the database
// before anything is written, and sets up the tree.
func (l *Log) compare(ctx context.Context, src Source, next uint64) error {
	if l.published.Size > next {
		return fault.Newf(fault.Integrity, "state", "the checkpoint has %d entries, the ledger's files only %d: older files were put back; rebuild them from the database", l.published.Size, next)
	}
	if err := l.compareRoot(ctx); err != nil {
		return err
	}
	tree, err := files(l.opt.Dir).rangeAt(ctx, next)
	if err != nil {
		return err
	}
	l.tree = tree
	want, err := rootOf(tree)
	if err != nil || next == 0 {
		return err
	}
	own := rangeFactory().NewEmptyRange(0)
	for _, b := range bundlesToCheck(next) {
		leaves, err := l.compareBundle(ctx, src, b, next)
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if next > recheckAll {
				break
			}
			if err := own.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
				return fault.Wrap(fault.Internal, err, "root")
			}
		}
	}
	if next > recheckAll {
		return nil
	}
	root, err := rootOf(own)
	if err == nil && root != want {
		err = fault.New(fault.Integrity, "root", "the ledger's tiles do not have the root of the database's entries; rebuild them from the database")
	}
	l.tree = own
	return err
}

// compareRoot checks that the tiles still carry the published checkpoint.
func (l *Log) compareRoot(ctx context.Context) error {
	if l.published.Size == 0 {
		return nil
	}
	tree, err := files(l.opt.Dir).rangeAt(ctx, l.published.Size)
	if err != nil {
		return err
	}
	root, err := rootOf(tree)
	if err == nil && root != l.published.Root {
		err = fault.Newf(fault.Integrity, "root", "the ledger's tiles do not have the root of the published checkpoint of %d entries", l.published.Size)
	}
	return err
}

// bundlesToCheck lists the newest bundle first when it leaves some out.
func bundlesToCheck(size uint64) []uint64 {
	n := (size + layout.EntryBundleWidth - 1) / layout.EntryBundleWidth
	if size <= recheckAll {
		all := make([]uint64, n)
		for i := range all {
			all[i] = uint64(i)
		}
		return all
	}
	some := []uint64{n - 1}
	for i := range uint64(recheckSome - 1) {
		some = append(some, i*n/(recheckSome-1))
	}
	return some
}

// compareBundle compares one bundle of the first size entries on disk with the
// database and returns its leaves.
func (l *Log) compareBundle(ctx context.Context, src Source, bundle, size uint64) ([][]byte, error) {
	stored, name, err := files(l.opt.Dir).leaves(bundle, size)
	if err != nil {
		return nil, err
	}
	first := bundle * layout.EntryBundleWidth
	have, err := src.Leaves(ctx, first, len(stored))
	if err != nil {
		return nil, err
	}
	for i, leaf := range stored {
		if i >= len(have) {
			return nil, fault.Newf(fault.Integrity, "ahead", "the ledger's files hold %d entries, the database only %d: an older database was put back. Restore the newest backup", size, first+uint64(len(have)))
		}
		if !bytes.Equal(leaf, have[i]) {
			return nil, fault.Newf(fault.Integrity, "differs", "ledger entry %d in %s is not the one in the database", first+uint64(i), name)
		}
	}
	return stored, nil
}
