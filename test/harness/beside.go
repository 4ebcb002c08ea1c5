package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Second is a second machine of an installation on PostgreSQL: the same
// databases, a copy of the vault's keys, a data folder of its own.
type Second struct {
	Data  string
	ready chan *Server
}

// Second starts a second machine beside s, of the same build, with further
// arguments, and waits until its vault has come to the lease, where it waits.
func (s *Server) Second(b *Builder, args ...string) *Second {
	s.tb.Helper()
	data, err := os.MkdirTemp("", "tikakosh-data-")
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		s.tb.Fatal(err)
	}
	// Its keys are the only thing the second machine is given.
	if out, err := exec.Command("sh", "-c", `mkdir -m 700 "$2/vault" && cp -a "$1/vault/keys" "$2/vault/keys"`, "sh", s.Data, data).CombinedOutput(); err != nil {
		s.tb.Fatalf("%v\n%s", err, out)
	}
	two := &Second{Data: data, ready: make(chan *Server, 1)}
	go func() {
		two.ready <- Start(s.tb, b, Options{Beside: s, Data: data, Run: true, Tags: s.opt.Tags, Ablate: s.opt.Ablate, Args: args})
	}()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(data, "vault", "holder")); err == nil {
			return two
		}
		if time.Since(begin) > 30*time.Second {
			s.tb.Fatal("the second vault does not come to the lease")
		}
	}
}

// Serving waits until the second machine serves; nil when it does not in a
// while.
func (m *Second) Serving(wait time.Duration) *Server {
	select {
	case two := <-m.ready:
		return two
	case <-time.After(wait):
		return nil
	}
}
