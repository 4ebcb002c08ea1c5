package supervise

import (
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// openExecutable opens the running program for its children. Folders above it
// may be closed to their users (`go run` builds in a folder of mode 0700), which
// running it from the descriptor does not mind; a file that others may not
// execute is copied into memory once, sealed against change.
func openExecutable(roles []Role) (*os.File, error) {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the program's own file")
	}
	info, err := exe.Stat()
	if err != nil {
		_ = exe.Close()
		return nil, fault.Wrap(fault.Internal, err, "the program's own file")
	}
	others := slices.ContainsFunc(roles, func(r Role) bool { return r.Separate })
	if !others || info.Mode().Perm()&0o001 != 0 {
		return exe, nil
	}
	defer exe.Close()
	return inMemory(exe)
}

// inMemory copies a program into an anonymous file (memfd_create(2)) that
// everybody may run and nobody can change.
func inMemory(program io.Reader) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("tikakosh", flags|unix.MFD_EXEC)
	if err != nil { // before Linux 6.3 there was no such flag and no need of it
		fd, err = unix.MemfdCreate("tikakosh", flags)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the program's file is not executable for the roles' users (chmod o+x), and there is no memory to copy it to")
	}
	f := os.NewFile(uintptr(fd), "tikakosh")
	_, err = io.Copy(f, program)
	if err == nil {
		err = f.Chmod(0o755)
	}
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		_ = f.Close()
		return nil, fault.Wrap(fault.Internal, err, "the program's copy in memory")
	}
	// An executable file must not be open for writing: open it again.
	again, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	_ = f.Close()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the program's copy in memory")
	}
	return again, nil
}

// keepDescriptors marks all descriptors of this process close-on-exec, so that
// what a shell or service manager left open does not reach the roles.
func keepDescriptors() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "open descriptors")
	}
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= 3 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
