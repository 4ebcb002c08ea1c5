package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// anchorFile keeps the digests of the vault's shelves in a file (keeper.AnchorFile).
type anchorFile struct{ path string }

// Load implements keeper.AnchorFile.
func (f anchorFile) Load() ([]byte, error) {
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save implements keeper.AnchorFile.
func (f anchorFile) Save(b []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(f.path), ".anchors-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(b)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
