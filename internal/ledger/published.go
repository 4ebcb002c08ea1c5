package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/tessera/api/layout"

	"tikakosh/internal/fault"
)

// PublishedCheckpoint returns the newest checkpoint in a log's folder as it is
// published, and how many entries it covers. It verifies nothing.
// fault.Unavailable when there is none yet.
func PublishedCheckpoint(dir string) (text string, size int64, err error) {
	raw, err := files(dir).checkpoint()
	if err != nil {
		return "", 0, err
	}
	size, err = CheckpointSize(raw)
	return string(raw), size, err
}

// CheckpointSize is how many entries a checkpoint says that it covers. It verifies nothing.
// fault.Integrity when it has another form.
func CheckpointSize(checkpoint []byte) (int64, error) {
	lines := strings.SplitN(string(checkpoint), "\n", 3)
	if len(lines) == 3 {
		if size, err := strconv.ParseInt(lines[1], 10, 64); err == nil && size >= 0 {
			return size, nil
		}
	}
	return 0, fault.New(fault.Integrity, "checkpoint", "the published checkpoint is malformed")
}

// PublishedEntries returns the commitments of entries first to first+n-1 of a log of size entries,
// as its folder publishes them, and fewer where the log ends. It verifies nothing.
// fault.Invalid for what is no range of it; fault.Unavailable or fault.Integrity for its files.
func PublishedEntries(dir string, size, first int64, n int) ([]Commitment, error) {
	if first < 0 || first > size || n < 0 || n > layout.EntryBundleWidth {
		return nil, fault.New(fault.Invalid, "range", "no such entries")
	}
	var out []Commitment
	for at, end := uint64(first), uint64(min(first+int64(n), size)); at < end; {
		leaves, name, err := files(dir).leaves(at/layout.EntryBundleWidth, uint64(size))
		if err != nil {
			return nil, err
		}
		from := at % layout.EntryBundleWidth
		if from >= uint64(len(leaves)) {
			return nil, fault.Newf(fault.Integrity, "truncated", "%s is too short", name)
		}
		for _, leaf := range leaves[from:min(uint64(len(leaves)), from+end-at)] {
			c, err := ParseLeaf(leaf)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
			at++
		}
	}
	return out, nil
}

// PublishedFiles are the names of all files that a copy of a log of size entries needs beside its
// checkpoint, as C2SP tlog-tiles has them.
func PublishedFiles(size int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		for level := uint64(0); ; level++ {
			nodes := uint64(size) >> (8 * level)
			if nodes == 0 {
				return
			}
			for i := uint64(0); i*layout.TileWidth < nodes; i++ {
				width := uint8(min(nodes-i*layout.TileWidth, layout.TileWidth) % layout.TileWidth)
				if (level == 0 && !yield(layout.EntriesPath(i, width))) || !yield(layout.TilePath(level, i, width)) {
					return
				}
			}
		}
	}
}

// Integrated returns how many entries a log's own folder holds, which may be more
// than its newest checkpoint covers; 0 for a copy of the public files, which has no
// such state. It verifies nothing.
func Integrated(dir string) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(dir, stateDir, "treeState"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "ledger files")
	}
	var s struct {
		Size uint64 `json:"size"`
	}
	if json.Unmarshal(raw, &s) != nil {
		return 0, fault.New(fault.Integrity, "state", "the state beside the ledger's files is malformed")
	}
	return s.Size, nil
}
