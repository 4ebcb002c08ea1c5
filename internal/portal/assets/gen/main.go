// Command gen writes the folder dist of the portal's assets from src: each file under a
// name that has its digest, and beside it the same compressed with Brotli and gzip, so that
// a server only chooses. go generate runs it in the folder above.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/andybalholm/brotli"
)

// shipped are the files of src that a browser gets; the rest is what they are made from.
var shipped = []string{"portal.css", "portal-rtl.css", "portal.js", "key.js", "sign.js", "session.js", "scan.js", "share.js", "verify.js", "hc1.js", "worker.js", "zxing.js", "zxing.wasm", "icon.svg"}

func main() {
	if err := run("src", "dist"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	manifest := map[string]string{}
	for _, name := range shipped {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(raw)
		ext := filepath.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:5]) + ext
		manifest[name] = hashed
		br, gz, err := compressed(raw)
		if err != nil {
			return err
		}
		for end, body := range map[string][]byte{"": raw, ".br": br, ".gz": gz} {
			if err := os.WriteFile(filepath.Join(to, hashed+end), body, 0o644); err != nil {
				return err
			}
		}
	}
	raw, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "manifest.json"), append(raw, '\n'), 0o644)
}

// compressed gives both forms, as small as they get.
func compressed(raw []byte) (br, gz []byte, err error) {
	var b, g bytes.Buffer
	bw := brotli.NewWriterLevel(&b, brotli.BestCompression)
	gw, err := gzip.NewWriterLevel(&g, gzip.BestCompression)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{bw, gw} {
		if _, err := w.Write(raw); err != nil {
			return nil, nil, err
		}
		if err := w.Close(); err != nil {
			return nil, nil, err
		}
	}
	return b.Bytes(), g.Bytes(), nil
}
