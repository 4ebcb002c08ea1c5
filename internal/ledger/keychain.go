package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/fault"
)

// KeychainFile is the file beside the checkpoint that holds every change of the
// log's key.
const KeychainFile = "keychain"

// VKeyFile is the file beside the checkpoint that holds the verifier key in force.
const VKeyFile = "vkey"

// maxKeychain bounds that file, in bytes: some 3,000 changes.
const maxKeychain = 2 << 20

const transitionHeader = "tikakosh/ledger-key/v1"

// Keys are what a log's checkpoints are signed with: the key in force, and every
// change that led to it (Keychain).
type Keys struct {
	Key   ed25519.PrivateKey
	Chain []byte
}

// Transition is the statement that a log goes on under another key. Checkpoints
// of at most Size entries are the old key's, larger ones the new key's.
type Transition struct {
	Origin   string
	Size     uint64
	Old, New string // verifier keys
}

// SignTransition is a note (C2SP signed-note) that says from what size on the
// log's key is another one, signed by both: the old key hands over, the new one
// takes over. fault.Invalid for an origin or key that cannot sign.
func SignTransition(origin string, size uint64, before, after ed25519.PrivateKey) ([]byte, error) {
	first, oldKey, err := NoteKeys(origin, before)
	if err != nil {
		return nil, err
	}
	second, newKey, err := NoteKeys(origin, after)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%s\n%s\n%d\n%s\n%s\n", transitionHeader, origin, size, oldKey, newKey)
	raw, err := note.Sign(&note.Note{Text: text}, first, second)
	return raw, fault.Wrap(fault.Internal, err, "signing a change of keys")
}

// Keychain is the content of KeychainFile: the changes of a log's key, oldest
// first.
func Keychain(notes [][]byte) []byte {
	texts := make([]string, len(notes))
	for i, n := range notes {
		texts[i] = string(n)
	}
	raw, err := json.Marshal(texts)
	if err != nil { // texts always marshal
		return []byte("[]")
	}
	return append(raw, '\n')
}

// ParseKeychain reads a keychain and verifies both signatures of every change,
// and that each takes over from the one before it. fault.Integrity for anything
// else. Whom to trust is the caller's: see Trusted.
func ParseKeychain(raw []byte) ([]Transition, error) {
	bad := func(format string, a ...any) error {
		return fault.Newf(fault.Integrity, "keychain", "the list of the ledger's keys is wrong: "+format, a...)
	}
	var texts []string
	if len(raw) > maxKeychain || json.Unmarshal(raw, &texts) != nil {
		return nil, bad("malformed")
	}
	var out []Transition
	for i, text := range texts {
		t, err := parseTransition([]byte(text))
		if err != nil {
			return nil, bad("change %d: %v", i+1, err)
		}
		if i > 0 && (t.Old != out[i-1].New || t.Origin != out[i-1].Origin || t.Size < out[i-1].Size) {
			return nil, bad("change %d does not take over from the one before it", i+1)
		}
		out = append(out, t)
	}
	return out, nil
}

func parseTransition(raw []byte) (t Transition, err error) {
	head, _, _ := bytes.Cut(raw, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) != 5 || lines[0] != transitionHeader {
		return t, errors.New("another form")
	}
	size, err := strconv.ParseUint(lines[2], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[2] {
		return t, errors.New("no size")
	}
	t = Transition{Origin: lines[1], Size: size, Old: lines[3], New: lines[4]}
	before, err := LogVerifier(t.Old)
	if err != nil {
		return t, err
	}
	after, err := LogVerifier(t.New)
	if err != nil {
		return t, err
	}
	if before.Name() != t.Origin || after.Name() != t.Origin || t.Old == t.New {
		return t, errors.New("keys of another log")
	}
	n, err := note.Open(raw, note.VerifierList(before, after))
	if err != nil || len(n.Sigs) != 2 {
		return t, errors.New("not signed by both keys")
	}
	return t, nil
}

// Trusted is the keys that a reader who trusts vkey may believe, and up to (and
// from) what size each signs: the changes lead from it to newer ones and back to
// older ones. Without changes it is that key alone, for any size.
func Trusted(vkey string, chain []Transition) ([]TrustedKey, error) {
	vkey = strings.TrimSpace(vkey)
	v, err := LogVerifier(vkey)
	if err != nil {
		return nil, err
	}
	keys := []string{}
	for i, t := range chain {
		if i == 0 {
			keys = append(keys, t.Old)
		}
		keys = append(keys, t.New)
	}
	found := false
	for _, k := range keys {
		found = found || k == vkey
	}
	if !found {
		return []TrustedKey{{VKey: vkey, Verifier: v, To: ^uint64(0)}}, nil
	}
	out := make([]TrustedKey, len(keys))
	for i, k := range keys {
		out[i].VKey = k
		if out[i].Verifier, err = LogVerifier(k); err != nil {
			return nil, err
		}
		out[i].To = ^uint64(0)
		if i < len(chain) {
			out[i].To = chain[i].Size
		}
		if i > 0 {
			out[i].From = chain[i-1].Size
		}
	}
	return out, nil
}

// TrustedAmong is Trusted by the longest of several lists of changes that names
// vkey: a copy of a log may know fewer changes than its reader, or more.
func TrustedAmong(vkey string, chains ...[]Transition) ([]TrustedKey, error) {
	var best []TrustedKey
	for _, chain := range append([][]Transition{nil}, chains...) {
		keys, err := Trusted(vkey, chain)
		if err != nil {
			return nil, err
		}
		if len(keys) > len(best) {
			best = keys
		}
	}
	return best, nil
}

// PublishedKeychain returns the list of key changes beside a log's files as it is
// published, nil when there is none. It verifies nothing.
func PublishedKeychain(dir string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, KeychainFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return raw, fault.Wrap(fault.Unavailable, err, "list of the ledger's keys")
}

// PublishedChanges is the list of key changes beside a log's files, read and
// verified (ParseKeychain), as VerifyWith takes it: none when dir is "" or has none.
func PublishedChanges(dir string) ([][]Transition, error) {
	if dir == "" {
		return nil, nil
	}
	chain, err := files(dir).keychain()
	if err != nil || chain == nil {
		return nil, err
	}
	return [][]Transition{chain}, nil
}

// TrustedKey verifies checkpoints of From to To entries.
type TrustedKey struct {
	VKey     string // text of the verifier key
	Verifier note.Verifier
	From, To uint64
}

// OpenTrusted verifies a checkpoint by whichever trusted key may sign its size.
func OpenTrusted(raw []byte, keys []TrustedKey) (Checkpoint, error) {
	var first error
	for _, k := range keys {
		c, err := OpenCheckpoint(raw, k.Verifier, nil, 0)
		switch {
		case err == nil && c.Size >= k.From && c.Size <= k.To:
			return c, nil
		case err == nil:
			return c, fault.Newf(fault.Integrity, "checkpoint", "a checkpoint of %d entries is signed by a key that was not the ledger's at that size", c.Size)
		case first == nil:
			first = err
		}
	}
	return Checkpoint{}, first
}

// keychain reads the changes beside a log's files; none when there is no file.
func (f files) keychain() ([]Transition, error) {
	raw, err := PublishedKeychain(string(f))
	if err != nil || raw == nil {
		return nil, err
	}
	return ParseKeychain(raw)
}
