package ledger

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/tlog"

	"tikakosh/internal/fault"
)

// Report is what Verify found.
type Report struct {
	Origin     string
	Size       uint64 // entries that the checkpoint covers
	Root       tlog.Hash
	Signatures int       // cosignatures beside the log's own; OpenCheckpoint verifies them
	Time       time.Time // of the checkpoint's file, UTC; nothing attests to it
}

// Verify checks the files in dir alone: the checkpoint's signature under vkey, or
// under a key that the changes beside it lead to from vkey (Trusted),
// the form of every leaf, every tile against the hashes of what lies below it,
// the narrower files that readers of older checkpoints fetch, and the root (RFC
// 6962 2.1) recomputed from the leaves. It returns
// fault.Integrity naming the first file or entry that is wrong,
// fault.Unavailable for unreadable files, fault.Invalid for a malformed vkey. It
// needs 10 KB of memory per tree level, reads each file once, and may run while
// the log is being written.
func Verify(ctx context.Context, dir, vkey string) (Report, error) {
	return VerifyWith(ctx, dir, vkey)
}

// VerifyWith is Verify for a reader who has changes of the log's key from
// elsewhere too, as when the files in dir are older than vkey.
func VerifyWith(ctx context.Context, dir, vkey string, known ...[]Transition) (Report, error) {
	var rep Report
	if _, err := LogVerifier(vkey); err != nil {
		return rep, err
	}
	raw, err := files(dir).checkpoint()
	if err != nil {
		return rep, err
	}
	chain, err := files(dir).keychain() // after the checkpoint: it may be one change ahead
	if err != nil {
		return rep, err
	}
	trusted, err := TrustedAmong(vkey, append(known, chain)...)
	if err != nil {
		return rep, err
	}
	cp, err := OpenTrusted(raw, trusted)
	if err != nil {
		return rep, err
	}
	rep = Report{Origin: cp.Origin, Size: cp.Size, Root: cp.Root, Signatures: cp.Unknown}
	if info, err := os.Stat(filepath.Join(dir, layout.CheckpointPath)); err == nil {
		rep.Time = info.ModTime().UTC()
	}
	c := treeCheck{dir: files(dir), size: cp.Size, tree: rangeFactory().NewEmptyRange(0)}
	for first := uint64(0); first < cp.Size; first += layout.EntryBundleWidth {
		if err := ctx.Err(); err != nil {
			return rep, fault.Wrap(fault.Unavailable, err, "verification stopped")
		}
		if err := c.addBundle(ctx, first/layout.EntryBundleWidth); err != nil {
			return rep, err
		}
	}
	if err := c.finish(ctx); err != nil {
		return rep, err
	}
	root, err := rootOf(c.tree)
	if err == nil && root != cp.Root {
		err = fault.Newf(fault.Integrity, "root", "the checkpoint's root %s is not the root %s of its %d entries: an entry was changed, removed or added", cp.Root, root, cp.Size)
	}
	return rep, err
}

// treeCheck recomputes the tiles of a log from its leaves, in one pass.
type treeCheck struct {
	dir    files
	size   uint64
	tree   *compact.Range
	levels []tileSoFar
	older  []func() error
}

// tileSoFar is the tile of one level that is being filled.
type tileSoFar struct {
	index  uint64
	hashes []byte
}

func (c *treeCheck) addBundle(ctx context.Context, bundle uint64) error {
	leaves, name, err := c.dir.leaves(bundle, c.size)
	if err != nil {
		return err
	}
	for i, leaf := range leaves {
		if _, err := ParseLeaf(leaf); err != nil {
			return fault.Newf(fault.Integrity, "leaf", "entry %d in %s has another form", bundle*layout.EntryBundleWidth+uint64(i), name)
		}
		h := rfc6962.DefaultHasher.HashLeaf(leaf)
		if err := c.tree.Append(h, nil); err != nil {
			return fault.Wrap(fault.Internal, err, "root")
		}
		if err := c.push(ctx, 0, h); err != nil {
			return err
		}
	}
	c.older = append(c.older, func() error {
		return c.dir.older(layout.EntriesPath(bundle, 0), func(w int) []byte { return bundleText(leaves, w) })
	})
	if len(leaves) < layout.EntryBundleWidth {
		return nil // its tile is compared in finish
	}
	return c.checkOlder()
}

// checkOlder compares older partial files, after the newest, so that the error
// names what a changed entry no longer matches.
func (c *treeCheck) checkOlder() error {
	for _, check := range c.older {
		if err := check(); err != nil {
			return err
		}
	}
	c.older = nil
	return nil
}

// push adds a hash to the tile of a level; a full tile is checked and its root
// goes to the level above.
func (c *treeCheck) push(ctx context.Context, level int, hash []byte) error {
	if level == len(c.levels) {
		c.levels = append(c.levels, tileSoFar{})
	}
	t := &c.levels[level]
	t.hashes = append(t.hashes, hash...)
	if len(t.hashes) < layout.TileWidth*tlog.HashSize {
		return nil
	}
	if err := c.check(ctx, level, 0); err != nil {
		return err
	}
	r := rangeFactory().NewEmptyRange(0)
	for i := range layout.TileWidth {
		if err := r.Append(t.hashes[i*tlog.HashSize:(i+1)*tlog.HashSize], nil); err != nil {
			return fault.Wrap(fault.Internal, err, "root")
		}
	}
	root, err := rootOf(r)
	if err != nil {
		return err
	}
	t.index++
	t.hashes = nil // the range above keeps what it was given
	return c.push(ctx, level+1, root[:])
}

// finish checks the tiles that are not full.
func (c *treeCheck) finish(ctx context.Context) error {
	for level, t := range c.levels {
		if n := len(t.hashes) / tlog.HashSize; n > 0 {
			if err := c.check(ctx, level, uint8(n)); err != nil {
				return err
			}
		}
	}
	return c.checkOlder()
}

// check compares the tile file with the hashes below it.
func (c *treeCheck) check(ctx context.Context, level int, width uint8) error {
	t := c.levels[level]
	raw, err := c.dir.tile(ctx, uint64(level), t.index, width)
	if err != nil {
		return err
	}
	for i := 0; i < len(t.hashes); i += tlog.HashSize {
		if string(raw[i:i+tlog.HashSize]) == string(t.hashes[i:i+tlog.HashSize]) {
			continue
		}
		name, at := layout.TilePath(uint64(level), t.index, width), t.index*layout.TileWidth+uint64(i/tlog.HashSize)
		if level == 0 {
			return fault.Newf(fault.Integrity, "tile", "entry %d in %s does not have the hash in %s", at, layout.EntriesPath(t.index, width), name)
		}
		return fault.Newf(fault.Integrity, "tile", "hash %d in %s is not that of %s", i/tlog.HashSize, name, layout.TilePath(uint64(level-1), at, 0))
	}
	c.older = append(c.older, func() error {
		return c.dir.older(layout.TilePath(uint64(level), t.index, 0), func(w int) []byte { return upTo(t.hashes, w*tlog.HashSize) })
	})
	return nil
}
