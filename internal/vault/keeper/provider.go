package keeper

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tikakosh/internal/fault"
)

// Provider is key custody: the keys that wrap everything else. An HSM keeps
// them inside; the file provider keeps them in files. Implementations are safe
// for concurrent use and return fault.Unavailable when custody cannot answer,
// fault.Integrity when a blob does not open.
type Provider interface {
	// Wrap encrypts a key under the root key, bound to name.
	Wrap(name string, key []byte) ([]byte, error)
	// Unwrap opens what Wrap made for the same name.
	Unwrap(name string, blob []byte) ([]byte, error)
	// Tag is HMAC-SHA-256 under the id-tag key, which never leaves custody. The
	// version names the key in use.
	Tag(data []byte) (tag []byte, version int, err error)
}

// FileProvider keeps the root key and the id-tag key in two files of mode 0600.
type FileProvider struct {
	root  cipher.AEAD
	idTag []byte
}

// OpenFileProvider reads the keys in dir. With create it makes those that do
// not exist: only over a database that is Fresh. It refuses (fault.Forbidden) a
// key file or folder that group or others can access.
func OpenFileProvider(dir string, create bool) (*FileProvider, error) {
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "key folder")
		}
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "key folder")
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "key folder")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fault.Newf(fault.Forbidden, "key-mode", "key folder %s is open to others (mode %04o): chmod 700 it", dir, info.Mode().Perm())
	}
	root, err := keyFile(filepath.Join(dir, "root-1.key"), create)
	if err != nil {
		return nil, err
	}
	tag, err := keyFile(filepath.Join(dir, "idtag-1.key"), create)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(root)
	if err != nil {
		return nil, err
	}
	return &FileProvider{root: aead, idTag: tag}, nil
}

func keyFile(path string, create bool) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		return createKeyFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.Integrity, "key-file", "key file %s is missing; no key was made in its place. Put it back from its backup", path)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "key file")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "key file")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fault.Newf(fault.Forbidden, "key-mode", "key file %s is open to others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != 32 {
		return nil, fault.Newf(fault.Invalid, "key-file", "key file %s does not hold 64 hex digits", path)
	}
	return key, nil
}

// createKeyFile writes a new key durably: a file under another name, which gets
// its own when the content is on disk, then the folder. A crash leaves no key
// file that is empty or half written, and a link takes no existing key's place.
func createKeyFile(path string) (key []byte, err error) {
	key = randomBytes(32)
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "new key file")
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		if err = os.Link(f.Name(), path); err == nil {
			err = syncDir(dir)
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "new key file")
	}
	return key, nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Wrap implements Provider.
func (p *FileProvider) Wrap(name string, key []byte) ([]byte, error) {
	return p.root.Seal(nil, nil, key, []byte("tikakosh/key/v1\x00"+name)), nil
}

// Unwrap implements Provider.
func (p *FileProvider) Unwrap(name string, blob []byte) ([]byte, error) {
	key, err := p.root.Open(nil, nil, blob, []byte("tikakosh/key/v1\x00"+name))
	if err != nil {
		return nil, fault.New(fault.Integrity, "key", "a wrapped key does not open: wrong root key or an altered row")
	}
	return key, nil
}

// Tag implements Provider.
func (p *FileProvider) Tag(data []byte) ([]byte, int, error) { return mac(p.idTag, data), 1, nil }

// newAEAD is AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D).
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cipher")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cipher")
	}
	return aead, nil
}

// mac is HMAC-SHA-256 (RFC 2104) over length-prefixed fields, so that no two
// lists of fields share an encoding.
func mac(key []byte, fields ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	var n [4]byte
	for _, f := range fields {
		n[0], n[1], n[2], n[3] = byte(len(f)>>24), byte(len(f)>>16), byte(len(f)>>8), byte(len(f))
		h.Write(n[:])
		h.Write(f)
	}
	return h.Sum(nil)
}
