package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/tlog"

	"tikakosh/internal/fault"
)

// files reads a log's folder as a stranger would. Its errors name the file and
// are fault.Integrity, except for a folder that cannot be read.
type files string

func (d files) checkpoint() ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(string(d), layout.CheckpointPath))
	return raw, fault.Wrap(fault.Unavailable, err, "checkpoint")
}

// read returns the partial file, or the full one that has replaced it (C2SP
// tlog-tiles, "Partial Tiles"), and the name and width of what it found.
func (d files) read(partial, full string, width uint8) (raw []byte, name string, n int, err error) {
	name, n = partial, int(width)
	raw, err = os.ReadFile(filepath.Join(string(d), filepath.FromSlash(partial)))
	if width == 0 {
		n = layout.TileWidth
	} else if errors.Is(err, fs.ErrNotExist) {
		if whole, e := os.ReadFile(filepath.Join(string(d), filepath.FromSlash(full))); !errors.Is(e, fs.ErrNotExist) {
			raw, name, n, err = whole, full, layout.TileWidth, e
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, name, 0, fault.Newf(fault.Integrity, "missing", "%s is missing", name)
	}
	return raw, name, n, fault.Wrap(fault.Unavailable, err, "ledger files")
}

// tile reads a tile; its form is that of tessera's client.TileFetcherFunc.
func (d files) tile(_ context.Context, level, index uint64, width uint8) ([]byte, error) {
	raw, name, n, err := d.read(layout.TilePath(level, index, width), layout.TilePath(level, index, 0), width)
	if err == nil && len(raw) != n*tlog.HashSize {
		err = fault.Newf(fault.Integrity, "truncated", "%s has %d bytes instead of %d", name, len(raw), n*tlog.HashSize)
	}
	return raw, err
}

// leaves reads the entries of bundle index in a log of size entries, without
// those beyond size, and the name of their file.
func (d files) leaves(index, size uint64) ([][]byte, string, error) {
	width := layout.PartialTileSize(0, index, size)
	raw, name, n, err := d.read(layout.EntriesPath(index, width), layout.EntriesPath(index, 0), width)
	if err != nil {
		return nil, name, err
	}
	var bundle api.EntryBundle
	if err := bundle.UnmarshalText(raw); err != nil || len(bundle.Entries) != n {
		return nil, name, fault.Newf(fault.Integrity, "truncated", "%s does not hold %d entries", name, n)
	}
	want := int(min(size-index*layout.EntryBundleWidth, layout.EntryBundleWidth))
	return bundle.Entries[:want], name, nil
}

// older compares the partial files that were written for smaller trees, which
// readers of an older checkpoint still fetch, with what they must hold: want of
// a width, or nil when that is more than the checkpoint covers.
func (d files) older(full string, want func(width int) []byte) error {
	found, err := os.ReadDir(filepath.Join(string(d), filepath.FromSlash(full)+".p"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ledger files")
	}
	for _, f := range found {
		width, err := strconv.Atoi(f.Name())
		if err != nil || width < 1 || width >= layout.TileWidth {
			continue // no file of the log's: a temporary one of its writer
		}
		must := want(width)
		if must == nil {
			continue
		}
		name := full + ".p/" + f.Name()
		raw, err := os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // collected meanwhile
		}
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "ledger files")
		}
		if !bytes.Equal(raw, must) {
			return fault.Newf(fault.Integrity, "tile", "%s, written for a smaller tree, is not the beginning of %s", name, full)
		}
	}
	return nil
}

// upTo is the beginning of b, or nil when b is shorter.
func upTo(b []byte, n int) []byte {
	if n > len(b) {
		return nil
	}
	return b[:n]
}

// bundleText is the file of the first leaves of a bundle (C2SP tlog-tiles,
// "Log Entries": each with its length in two bytes), or nil when there are fewer.
func bundleText(leaves [][]byte, width int) []byte {
	if width > len(leaves) {
		return nil
	}
	out := []byte{}
	for _, l := range leaves[:width] {
		out = binary.BigEndian.AppendUint16(out, uint16(len(l)))
		out = append(out, l...)
	}
	return out
}

// rangeAt returns the compact range of the first size leaves from the tiles.
func (d files) rangeAt(ctx context.Context, size uint64) (*compact.Range, error) {
	nodes, err := client.FetchRangeNodes(ctx, size, d.tile)
	if err != nil {
		return nil, fault.Wrap(fault.Integrity, err, "the ledger's tiles")
	}
	r, err := rangeFactory().NewRange(0, size, nodes)
	return r, fault.Wrap(fault.Internal, err, "compact range")
}

func rangeFactory() *compact.RangeFactory {
	return &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
}

// rootOf returns the Merkle tree hash (RFC 6962 2.1) of a compact range from 0.
func rootOf(r *compact.Range) (tlog.Hash, error) {
	if r.End() == 0 {
		return tlog.Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	root, err := r.GetRootHash(nil)
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Hash{}, fault.New(fault.Internal, "root", "the root of the ledger cannot be computed")
	}
	return tlog.Hash(root), nil
}
