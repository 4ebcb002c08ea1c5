package supervise

import (
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ReadyVariable names the descriptor a role writes to when it is ready;
// ParentVariable the one that closes when the supervisor is gone.
const (
	ReadyVariable  = "TIKAKOSH_READY_FD"
	ParentVariable = "TIKAKOSH_PARENT_FD"
)

// programVariable names the descriptor that the program was run from, which the
// role does not need.
const programVariable = "TIKAKOSH_PROGRAM_FD"

const readyLine = "ready\n"

// lastWords is how long a role may take to end once its supervisor is gone.
const lastWords = 10 * time.Second

// Ready tells the supervisor that this role is ready. Outside a supervisor, and
// when called again, it does nothing.
func Ready() {
	if f := inheritedOnce(ReadyVariable); f != nil {
		_, _ = io.WriteString(f, readyLine) // a supervisor that is gone needs no answer
		f.Close()
	}
}

// WatchParent calls gone when the supervisor has died, also by SIGKILL: the
// other end of an inherited pipe closes then. A role that is still there ten
// seconds later is killed, so that none outlives its supervisor. Outside a
// supervisor, and when called again, it does nothing. A role calls it first of
// all.
func WatchParent(gone func()) {
	watchParent(gone, lastWords)
}

func watchParent(gone func(), last time.Duration) {
	if f := inheritedOnce(programVariable); f != nil {
		f.Close()
	}
	f := inheritedOnce(ParentVariable)
	if f == nil {
		return
	}
	go func() {
		_, _ = f.Read(make([]byte, 1)) // nobody writes: whatever ends this, the supervisor is gone
		f.Close()
		time.AfterFunc(last, func() { _ = unix.Kill(os.Getpid(), unix.SIGKILL) })
		gone()
	}()
}

// inheritedOnce returns the descriptor that a variable names, close-on-exec,
// and forgets the variable: a second use would hit whatever has the number by then.
func inheritedOnce(name string) *os.File {
	fd, err := strconv.Atoi(os.Getenv(name))
	if err != nil || fd < 3 {
		return nil
	}
	if os.Unsetenv(name) != nil {
		return nil
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}
