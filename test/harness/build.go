package harness

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Root is the folder that holds go.mod, found from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
		dir = up
	}
}

// The two builds under test.
const (
	Plain    = ""         // what is released: no control can be switched off
	Ablation = "ablation" // test build: TIKAKOSH_ABLATE names controls to switch off
)

// Builder builds the binary once per kind and process. The zero value is ready;
// it is safe for concurrent use.
type Builder struct {
	mu   sync.Mutex
	dir  string
	made map[string]string
}

// Path returns the binary of one kind (Plain or Ablation), built now if need
// be. Go's build cache makes an unchanged binary cheap.
func (b *Builder) Path(tags string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.made[tags]; p != "" {
		return p, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "tikakosh-build-"); err != nil {
			return "", err
		}
		b.made = map[string]string{}
		if err := watchSources(root); err != nil {
			return "", err
		}
	}
	p, err := build(root, b.dir, tags)
	if err == nil {
		b.made[tags] = p
	}
	return p, err
}

// Close removes the binaries.
func (b *Builder) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// build links into a folder that all test processes share, one at a time, and
// gives this process its own hard link: a later build replaces the name, not
// the file that runs.
func build(root, own, tags string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	shared := filepath.Join(cache, "tikakosh-test", strings.ReplaceAll(strings.Trim(root, "/"), "/", "_"))
	if err := os.MkdirAll(shared, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(shared, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	name := "tikakosh"
	if tags != "" {
		name += "-" + tags
	}
	made := filepath.Join(shared, name)
	cmd := exec.Command("go", "build", "-tags", tags, "-o", made, "./cmd/tikakosh")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -tags %q: %w\n%s", tags, err, out)
	}
	mine := filepath.Join(own, name)
	if os.Link(made, mine) == nil {
		return mine, nil
	}
	raw, err := os.ReadFile(made) // another file system: copy
	if err != nil {
		return "", err
	}
	return mine, os.WriteFile(mine, raw, 0o755)
}

// watchSources opens every source folder, so that `go test` knows that its
// cached result depends on them: it cannot see what a subprocess reads.
func watchSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "tmp") {
			return fs.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}

// Main is the body of a TestMain: it runs the tests and removes what the
// builder and the servers left.
func Main(m *testing.M, b *Builder) int {
	code := m.Run()
	if err := b.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		return max(code, 1)
	}
	return code
}
