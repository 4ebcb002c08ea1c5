package ops

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tikakosh/test/harness"
)

// terminal makes a pseudo-terminal (pty(7)): what a program writes to tty is read from
// screen.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// setupLine is what a start said of the first administrator, without its first word.
func setupLine(log string) string {
	said := ""
	for line := range strings.Lines(log) {
		if rest, ok := strings.CutPrefix(line, "setup "); ok {
			said = strings.TrimSpace(rest)
		}
	}
	return said
}

// TestFirstStart: with nobody to administer it, `run` prints on a terminal the link that
// makes the first administrator, and anywhere else, where it would stay in a log, only the
// command that prints it. The link works once, and a start with an administrator prints
// neither.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	onScreen := true
	s := harness.Start(t, &b, harness.Options{Run: true, Args: []string{"--staff-listen", "127.0.0.1:0"}, Output: func() (r, w *os.File) {
		if onScreen {
			return terminal(t)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}})
	again := func(screen bool) string {
		before := len(s.Log())
		s.Stop()
		onScreen = screen
		s.Up()
		return setupLine(s.Log()[before:])
	}
	if said := setupLine(s.Log()); !strings.HasPrefix(said, "http") || !strings.Contains(said, "once") {
		t.Fatalf("on a terminal: %q", said)
	}
	if said := again(false); strings.Contains(said, "http") || !strings.Contains(said, "staff setup-link --data "+s.Data) {
		t.Errorf("into a log: %q", said)
	}
	said := again(true)
	link, _, _ := strings.Cut(said, " ")
	d := s.Desk()
	d.Must(d.Enrol(link, "Asha Test"))
	d.Must(d.SignIn(""))
	if other := s.Desk(); other.Enrol(link, "Ravi Test").OK() {
		t.Error("the link made a second administrator")
	}
	for _, screen := range []bool{true, false} {
		if said := again(screen); said != "" {
			t.Errorf("with an administrator: %q", said)
		}
	}
}
