package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	lines := strings.SplitN(string(raw), "\n", 3)
	if len(lines) < 3 {
		return "", 0, fault.New(fault.Integrity, "checkpoint", "the published checkpoint is malformed")
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || size < 0 {
		return "", 0, fault.New(fault.Integrity, "checkpoint", "the published checkpoint is malformed")
	}
	return string(raw), size, nil
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
