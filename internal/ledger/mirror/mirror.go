// Package mirror copies what a registry publishes of its ledger, for whoever verifies it on a
// machine of their own. It wants no account and no rights.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tikakosh/internal/ledger"
)

// Bounds of what a registry may send, and how long for one file.
const (
	fileMost = 1 << 20
	fileTime = 30 * time.Second
)

// Copy brings the ledger that is published at an address, as in https://vaccination.example/ledger,
// into a folder, which is made when missing, and returns how many entries it has in how many files.
// Files of an earlier copy stay. It verifies nothing: ledger.Verify does. Its errors are the
// network's and the disk's, and say which file.
func Copy(ctx context.Context, client *http.Client, url, dir string) (entries int64, files int, err error) {
	base := strings.TrimSuffix(url, "/") + "/"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, 0, err
	}
	point, err := fetch(ctx, client, base+"checkpoint")
	if err != nil {
		return 0, 0, err
	}
	chain, err := fetch(ctx, client, base+ledger.KeychainFile)
	if err != nil && !errors.Is(err, errNone) {
		return 0, 0, err
	}
	if entries, err = ledger.CheckpointSize(point); err != nil {
		return 0, 0, err
	}
	for name := range ledger.PublishedFiles(entries) {
		if err := keep(ctx, client, base+name, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return 0, files, err
		}
		files++
	}
	if len(chain) > 0 {
		if err := write(filepath.Join(dir, ledger.KeychainFile), chain); err != nil {
			return 0, files, err
		}
	}
	return entries, files, write(filepath.Join(dir, "checkpoint"), point)
}

// keep fetches a file that never changes, unless it is there.
func keep(ctx context.Context, client *http.Client, url, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	raw, err := fetch(ctx, client, url)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return write(path, raw)
}

// write puts a file there whole or not at all: what is there is not fetched again.
func write(path string, raw []byte) error {
	part := path + ".part"
	err := os.WriteFile(part, raw, 0o644)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

var errNone = errors.New("there is no such file")

func fetch(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: an address begins with https://: %w", url, err)
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", url, errNone)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: the registry answers %s; try again later", url, res.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, fileMost+1))
	if err == nil && len(raw) > fileMost {
		err = fmt.Errorf("%s: no file of a ledger is that large", url)
	}
	return raw, err
}
