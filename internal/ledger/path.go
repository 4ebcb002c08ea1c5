package ledger

import (
	"strconv"
	"strings"
)

// TilePath checks a requested path against the forms of C2SP tlog-tiles:
// "checkpoint", "keychain" (ours, Keychain), "tile/<L>/<N>[.p/<W>]" and "tile/entries/<N>[.p/<W>]", with no
// leading slash and no superfluous zeros. It returns the relative path to serve
// (the same text) and whether its content can never change; only checkpoint and
// keychain do. A path that is not ok must not be opened: the log's folder also holds
// the writer's state.
func TilePath(path string) (clean string, immutable, ok bool) {
	if path == "checkpoint" || path == KeychainFile {
		return path, false, true
	}
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, found := strings.Cut(rest, "/")
	if !ok || !found || len(path) > 128 || (level != "entries" && !decimal(level, 0, 63)) {
		return "", false, false
	}
	index, width, partial := strings.Cut(rest, ".p/")
	if partial && !decimal(width, 1, 255) || !tileIndex(index) {
		return "", false, false
	}
	return path, true, true
}

// decimal reports whether s is a number from low to high without leading zeros.
func decimal(s string, low, high int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= low && n <= high && strconv.Itoa(n) == s
}

// tileIndex checks <N>: groups of three digits, all but the last with an "x"
// before them, the first of several not zero. Six groups hold every bundle of a
// tree of 2^63 leaves.
func tileIndex(s string) bool {
	groups := strings.Split(s, "/")
	if len(groups) > 6 {
		return false
	}
	for i, g := range groups {
		if i < len(groups)-1 {
			x := strings.HasPrefix(g, "x")
			if g = strings.TrimPrefix(g, "x"); !x || (i == 0 && g == "000") {
				return false
			}
		}
		if len(g) != 3 || strings.Trim(g, "0123456789") != "" {
			return false
		}
	}
	return true
}
