package ledger

import (
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
