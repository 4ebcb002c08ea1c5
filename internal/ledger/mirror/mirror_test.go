package mirror

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tikakosh/internal/ledger"
)

// TestInterrupted: a copy that stops half way leaves no half file and no checkpoint, for a file
// that is there is not fetched again; the next copy goes on.
func TestInterrupted(t *testing.T) {
	cut := true
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		switch {
		case r.URL.Path == "/checkpoint":
			fmt.Fprint(w, "example/ledger/1\n3\nroot\n\n")
		case r.URL.Path == "/"+ledger.KeychainFile:
			http.NotFound(w, r)
		case cut && len(asked) > 3:
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "half")
		default:
			fmt.Fprint(w, "whole")
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	here := func() (out []string) {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				raw, _ := os.ReadFile(path)
				if name, _ := filepath.Rel(dir, path); name != "checkpoint" && string(raw) != "whole" {
					t.Errorf("%s holds %q", name, raw)
				}
				out = append(out, filepath.Base(path))
			}
			return nil
		})
		return out
	}
	if _, _, err := Copy(t.Context(), srv.Client(), srv.URL, dir); err == nil {
		t.Fatal("half a file is a copy")
	}
	if got := here(); len(got) != 1 || slices.Contains(got, "checkpoint") {
		t.Errorf("left behind: %q", got)
	}
	cut, asked = false, nil
	entries, files, err := Copy(t.Context(), srv.Client(), srv.URL, dir)
	if err != nil || entries != 3 || files != 2 {
		t.Fatalf("%d entries in %d files: %v", entries, files, err)
	}
	if got := here(); len(got) != 3 || len(asked) != 3 {
		t.Errorf("files %q after asking for %q", got, asked)
	}
	if err := write(filepath.Join(dir, "none", "x"), nil); err == nil {
		t.Error("a file in no folder was written")
	}
}
