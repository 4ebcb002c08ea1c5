package custody

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tikakosh/internal/fault"
)

// File keeps the wrapping key and the id-tag keys in files of mode 0600:
// root-1.key and idtag-N.key.
type File struct {
	soft
	dir string
}

// OpenFile reads the keys in dir. With create it makes those that do not exist:
// only for a database that is fresh. It refuses (fault.Forbidden) a key file or
// folder that group or others can access.
func OpenFile(dir string, create bool) (*File, error) {
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "key folder")
		}
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "key folder")
		}
	}
	if err := closedFolder(dir); err != nil {
		return nil, err
	}
	root, err := keyFile(filepath.Join(dir, "root-1.key"), create)
	if err != nil {
		return nil, err
	}
	f := &File{dir: dir, soft: soft{tags: map[int][]byte{}}}
	if f.root, err = aeadOf(root); err != nil {
		return nil, err
	}
	if create {
		if err := f.MakeTagKey(1); err != nil {
			return nil, err
		}
	}
	return f, f.readTags()
}

func closedFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "key folder")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fault.Newf(fault.Forbidden, "key-mode", "key folder %s is open to others (mode %04o): chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}

func tagName(version int) string { return fmt.Sprintf("id-tag key %d", version) }

func (f *File) tagFile(version int) string {
	return filepath.Join(f.dir, fmt.Sprintf("idtag-%d.key", version))
}

// readTags reads every id-tag key that is there; which ones must be is known to
// the vault, which asks each that is in use for a tag.
func (f *File) readTags() error {
	names, err := filepath.Glob(filepath.Join(f.dir, "idtag-*.key"))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "key folder")
	}
	if len(names) == 0 {
		return Missing("key file " + f.tagFile(1))
	}
	for _, name := range names {
		var version int
		if n, err := fmt.Sscanf(filepath.Base(name), "idtag-%d.key", &version); n != 1 || err != nil || name != f.tagFile(version) {
			continue
		}
		if f.tags[version], err = keyFile(name, false); err != nil {
			return err
		}
	}
	return nil
}

// MakeTagKey implements Provider.
func (f *File) MakeTagKey(version int) error {
	key, err := keyFile(f.tagFile(version), true)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tags[version] = key
	return nil
}

// DestroyTagKey implements Provider. The file is overwritten before it goes;
// what a file system or disk keeps of it beneath is beyond this program.
func (f *File) DestroyTagKey(version int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tags, version)
	return removeKeyFile(f.tagFile(version))
}

func removeKeyFile(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = file.WriteString(strings.Repeat("0", 2*keyBytes))
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return fault.Wrap(fault.Unavailable, err, "key file")
}

func keyFile(path string, create bool) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		return createKeyFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Missing("key file " + path)
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
	if err != nil || len(key) != keyBytes {
		return nil, fault.Newf(fault.Invalid, "key-file", "key file %s does not hold 64 hex digits", path)
	}
	return key, nil
}

// createKeyFile writes a new key durably.
func createKeyFile(path string) ([]byte, error) {
	key := randomKey()
	return key, writeNew(path, []byte(hex.EncodeToString(key)+"\n"), os.Link)
}

// writeNew writes a file durably: under another name, which gets its own when
// the content is on disk, then the folder. A crash leaves none that is empty or
// half written. With os.Link it takes no existing file's place.
func writeNew(path string, content []byte, place func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "new key file")
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		if err = place(f.Name(), path); err == nil {
			err = syncDir(dir)
		}
	}
	return fault.Wrap(fault.Unavailable, err, "new key file")
}
