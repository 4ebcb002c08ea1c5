package custody

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"tikakosh/internal/fault"
)

// SharesFile is the file in the key folder that holds the wrapping key and the
// id-tag keys, each sealed under a key that only enough shares together give.
const SharesFile = "shares.json"

// maxShares bounds how many shares a key is split into.
const maxShares = 32

// Share is one part of the start-up key: as long as fewer than Need of them come
// together, they say nothing about it (Shamir). Set names the splitting.
type Share struct {
	Set   [4]byte
	Need  int
	Index int
	value [32]byte
}

const (
	shareVersion = 1
	shareBytes   = 1 + 4 + 1 + 1 + 32 + 4 // version, set, need, index, value, check
)

func shareText(s Share) string {
	raw := append([]byte{shareVersion}, s.Set[:]...)
	raw = append(raw, byte(s.Need), byte(s.Index))
	raw = append(raw, s.value[:]...)
	sum := sha256.Sum256(raw)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(raw, sum[:4]...))
	var groups []string
	for len(text) > 5 {
		groups, text = append(groups, text[:5]), text[5:]
	}
	return strings.Join(append(groups, text), "-")
}

// ParseShare reads a share as a person types it: spaces, hyphens and small
// letters do not matter, and a mistyped character is found. fault.Invalid.
func ParseShare(text string) (Share, error) {
	bad := fault.New(fault.Invalid, "share", "this is not a share, or one character of it is wrong")
	text = strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, text))
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(raw) != shareBytes || raw[0] != shareVersion {
		return Share{}, bad
	}
	sum := sha256.Sum256(raw[:shareBytes-4])
	if string(sum[:4]) != string(raw[shareBytes-4:]) {
		return Share{}, bad
	}
	s := Share{Set: [4]byte(raw[1:5]), Need: int(raw[5]), Index: int(raw[6]), value: [32]byte(raw[7:39])}
	if s.Need < 2 || s.Index < 1 || s.Index > maxShares || shareText(s) != strings.Join(groupsOf(text), "-") {
		return Share{}, bad
	}
	return s, nil
}

func groupsOf(text string) (out []string) {
	for len(text) > 5 {
		out, text = append(out, text[:5]), text[5:]
	}
	return append(out, text)
}

// sealedKeys is the content of SharesFile.
type sealedKeys struct {
	Set  string
	Need int
	Of   int
	Keys map[string][]byte // "root", "idtag-N": sealed under the start-up key
}

func (s sealedKeys) aad(name string) []byte {
	return []byte("tikakosh/shares/v1\x00" + s.Set + "\x00" + strconv.Itoa(s.Need) + "\x00" + name)
}

// Split makes the keys of a new installation, or takes those over that lie in
// files in dir, under a start-up key of which any need of the n shares that it
// gives to show are enough. The shares are kept nowhere: what is lost of them is
// lost. Key files that were taken over go when show has returned without an error,
// not before, so that whatever ends it early loses no key; copies of them elsewhere
// still open everything. fault.Conflict when dir's keys are in shares already.
func Split(dir string, need, n int, show func(shares []string) error) (err error) {
	var shares []string
	if need < 2 || n < need || n > maxShares {
		return fault.Newf(fault.Invalid, "shares", "a key is split into at most %d shares, of which at least two and at most all are needed", maxShares)
	}
	if _, err := os.Stat(filepath.Join(dir, SharesFile)); !errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "root-1.key")); err == nil {
			return fault.New(fault.Conflict, "shares", "a splitting broke off, and the key files are still there: remove "+filepath.Join(dir, SharesFile)+" and split again")
		}
		return fault.New(fault.Conflict, "shares", "the keys are in shares already")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "key folder")
	}
	if err := closedFolder(dir); err != nil {
		return err
	}
	keys, files, err := keysToSplit(dir)
	if err != nil {
		return err
	}
	secret := group.Ristretto255.RandomNonZeroScalar(rand.Reader)
	sealed := sealedKeys{Need: need, Of: n, Keys: map[string][]byte{}}
	var set [4]byte
	rand.Read(set[:])
	sealed.Set = hex.EncodeToString(set[:])
	startUp, err := startUpKey(secret, sealed.Set)
	if err != nil {
		return err
	}
	aead, err := aeadOf(startUp)
	if err != nil {
		return err
	}
	for name, key := range keys {
		sealed.Keys[name] = aead.Seal(nil, nil, key, sealed.aad(name))
	}
	for _, part := range secretsharing.New(rand.Reader, uint(need-1), secret).Share(uint(n)) {
		value, err := part.Value.MarshalBinary()
		if err != nil || len(value) != 32 {
			return fault.Wrap(fault.Internal, err, "a share has no form")
		}
		shares = append(shares, shareText(Share{Set: set, Need: need, Index: len(shares) + 1, value: [32]byte(value)}))
	}
	if err := sealed.write(dir, os.Link); err != nil {
		return err
	}
	if err := show(shares); err != nil {
		return errors.Join(err, os.Remove(filepath.Join(dir, SharesFile)))
	}
	for _, f := range files {
		if err := removeKeyFile(f); err != nil {
			return err
		}
	}
	return nil
}

// keysToSplit are the keys in dir's files, or new ones where there are none.
func keysToSplit(dir string) (keys map[string][]byte, files []string, err error) {
	files, err = filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		return nil, nil, fault.Wrap(fault.Unavailable, err, "key folder")
	}
	if len(files) == 0 {
		return map[string][]byte{"root": randomKey(), "idtag-1": randomKey()}, nil, nil
	}
	f, err := OpenFile(dir, false)
	if err != nil {
		return nil, nil, err
	}
	keys = map[string][]byte{}
	for version, key := range f.tags {
		keys["idtag-"+strconv.Itoa(version)] = key
	}
	keys["root"], err = keyFile(filepath.Join(dir, "root-1.key"), false)
	return keys, files, err
}

func (s sealedKeys) write(dir string, place func(from, to string) error) error {
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "sealed keys")
	}
	return writeNew(filepath.Join(dir, SharesFile), append(raw, '\n'), place)
}

func readSealed(dir string) (s sealedKeys, err error) {
	if err := closedFolder(dir); err != nil {
		return s, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, SharesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, Missing("file " + filepath.Join(dir, SharesFile))
	}
	if err != nil {
		return s, fault.Wrap(fault.Unavailable, err, "sealed keys")
	}
	if err := json.Unmarshal(raw, &s); err != nil || s.Need < 2 {
		return s, fault.New(fault.Integrity, "key", "the file of sealed keys is malformed")
	}
	return s, nil
}

// startUpKey is the key that the shared secret gives (RFC 5869).
func startUpKey(secret group.Scalar, set string) ([]byte, error) {
	raw, err := secret.MarshalBinary()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "start-up key")
	}
	key, err := hkdf.Key(sha256.New, raw, []byte(set), "tikakosh/start-up-key/v1", keyBytes)
	return key, fault.Wrap(fault.Internal, err, "start-up key")
}

// Collector takes shares until there are enough. It is safe for concurrent use.
type Collector struct {
	dir    string
	mu     sync.Mutex
	sealed sealedKeys
	have   map[int]Share
	opened *Shares
}

// NewCollector waits for shares of the keys in dir.
func NewCollector(dir string) (*Collector, error) {
	sealed, err := readSealed(dir)
	if err != nil {
		return nil, err
	}
	return &Collector{dir: dir, sealed: sealed, have: map[int]Share{}}, nil
}

// Offer takes one share and says how many are there of how many. fault.Invalid for
// a share that is mistyped or of another splitting. When enough do not open the
// keys, all are given up and fault.Integrity says so.
func (c *Collector) Offer(text string) (have, need int, err error) {
	s, err := ParseShare(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	need = c.sealed.Need
	if err == nil && (hex.EncodeToString(s.Set[:]) != c.sealed.Set || s.Need != need) {
		err = fault.New(fault.Invalid, "share", "this share belongs to another splitting")
	}
	if err != nil || c.opened != nil {
		return len(c.have), need, err
	}
	c.have[s.Index] = s
	if len(c.have) < need {
		return len(c.have), need, nil
	}
	c.opened, err = c.open()
	have = len(c.have)
	clear(c.have)
	if err != nil {
		have = 0
	}
	return have, need, err
}

// Opened is the custody that the shares opened, or nil while some are wanting.
func (c *Collector) Opened() *Shares {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

// Waiting is how many shares are there of how many.
func (c *Collector) Waiting() (have, need int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.have), c.sealed.Need
}

func (c *Collector) open() (*Shares, error) {
	wrong := fault.New(fault.Integrity, "share", "these shares do not open the keys; all of them have to be given again")
	var parts []secretsharing.Share
	for i, s := range c.have {
		value := group.Ristretto255.NewScalar()
		if err := value.UnmarshalBinary(s.value[:]); err != nil {
			return nil, wrong
		}
		parts = append(parts, secretsharing.Share{ID: group.Ristretto255.NewScalar().SetUint64(uint64(i)), Value: value})
	}
	secret, err := secretsharing.Recover(uint(c.sealed.Need-1), parts)
	if err != nil {
		return nil, wrong
	}
	startUp, err := startUpKey(secret, c.sealed.Set)
	if err != nil {
		return nil, err
	}
	out := &Shares{dir: c.dir, sealed: c.sealed, startUp: startUp, soft: soft{tags: map[int][]byte{}}}
	aead, err := aeadOf(startUp)
	if err != nil {
		return nil, err
	}
	for name, blob := range c.sealed.Keys {
		key, err := aead.Open(nil, nil, blob, c.sealed.aad(name))
		if err != nil {
			return nil, wrong
		}
		if name == "root" {
			if out.root, err = aeadOf(key); err != nil {
				return nil, err
			}
			continue
		}
		version, err := strconv.Atoi(strings.TrimPrefix(name, "idtag-"))
		if err != nil {
			return nil, fault.New(fault.Integrity, "key", "the file of sealed keys is malformed")
		}
		out.tags[version] = key
	}
	if out.root == nil {
		return nil, Missing("the sealed wrapping key")
	}
	return out, nil
}

// Shares is custody whose keys were opened by enough shares; they and the
// start-up key are in this process's memory alone.
type Shares struct {
	soft
	dir     string
	startUp []byte
	sealed  sealedKeys
}

// MakeTagKey implements Provider.
func (s *Shares) MakeTagKey(version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tags[version] != nil {
		return nil
	}
	aead, err := aeadOf(s.startUp)
	if err != nil {
		return err
	}
	name, key := "idtag-"+strconv.Itoa(version), randomKey()
	s.sealed.Keys[name] = aead.Seal(nil, nil, key, s.sealed.aad(name))
	if err := s.sealed.write(s.dir, os.Rename); err != nil {
		delete(s.sealed.Keys, name)
		return err
	}
	s.tags[version] = key
	return nil
}

// DestroyTagKey implements Provider.
func (s *Shares) DestroyTagKey(version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := "idtag-" + strconv.Itoa(version)
	if s.sealed.Keys[name] == nil {
		return nil
	}
	kept := s.sealed.Keys[name]
	delete(s.sealed.Keys, name)
	if err := s.sealed.write(s.dir, os.Rename); err != nil {
		s.sealed.Keys[name] = kept
		return err
	}
	delete(s.tags, version)
	return nil
}
