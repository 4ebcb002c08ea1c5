package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/machine"
)

// Clock checks that the machine's clock is disciplined and near its reference.
func Clock() Check {
	return One("clock", func(context.Context) Result { return judgeClock(machine.ReadClock()) })
}

func judgeClock(c machine.Clock) Result {
	const do = "install and start chrony (apt-get install chrony) with your authority's servers; in India the servers of NIC or NPL, or ones traceable to them"
	// More is an alarm of the running service too (defence.md R91).
	const most = 2 * time.Second
	switch {
	case c.Err != nil:
		return Concern(do, "the kernel does not tell the clock's state: %v", c.Err)
	case c.Offset.Abs() > most:
		return Bad(do, "the clock is %v off", c.Offset)
	case !c.Synchronised:
		return Concern(do, "the kernel's clock is not synchronised (service: %s)", c.Service)
	case c.Service == "none found":
		return Concern("have the machine that sets this one's clock documented; the log says \"none found\"", "synchronised, but no time service was found here (in a container the host sets the clock)")
	case len(c.Servers) == 0:
		return Concern("name the servers in the service's configuration, so that the log can say them", "synchronised by %s, servers unknown", c.Service)
	}
	return Good("synchronised by %s with %s; offset %v, error at most %v", c.Service, strings.Join(c.Servers, ", "), c.Offset, c.MaxError)
}

// Entropy checks that the kernel's random generator is seeded: it must answer
// without waiting.
func Entropy() Check {
	return One("entropy", func(context.Context) Result {
		b := make([]byte, 32)
		if _, err := unix.Getrandom(b, unix.GRND_NONBLOCK); err != nil {
			return Bad("wait until the machine has gathered entropy, or install haveged or a virtio random device", "the kernel's random generator is not ready: %v", err)
		}
		return Good("the kernel's random generator is seeded")
	})
}

// Disk checks the room of a folder's disk.
func Disk(name, path string, least uint64) Check {
	return One("disk "+name, func(context.Context) Result {
		d, err := machine.ReadDisk(existing(path))
		if err != nil {
			return Bad("check the path", "%s: %v", path, err)
		}
		text := fmt.Sprintf("%s: %.1f GB of %.1f GB free", path, float64(d.Free)/1e9, float64(d.Size)/1e9)
		switch {
		case d.Free < least:
			return Bad("make room, or put the folder on a larger disk", "%s, at least %.1f GB are wanted", text, float64(least)/1e9)
		case d.Ratio() < 0.2:
			return Concern("make room in time: at a tenth an alarm rings", "%s, less than a fifth", text)
		case d.Files > 0 && d.FreeFiles < 10_000:
			return Bad("make room for files, or format with more index nodes", "%s, but only %d more files", text, d.FreeFiles)
		}
		return Good("%s", text)
	})
}

// existing is the nearest folder above path that exists.
func existing(path string) string {
	for path != filepath.Dir(path) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

// Sync checks that a sync reaches the disk and how long it takes: what answers in
// a few microseconds has not been anywhere. now measures.
func Sync(path string, now func() time.Time) Check {
	return One("sync", func(context.Context) Result {
		times, err := syncTimes(existing(path), now)
		if err != nil {
			return Bad("give the data folder to the user that runs this, or choose another --data", "a probe file cannot be written: %v", err)
		}
		return judgeSync(existing(path), times)
	})
}

func judgeSync(path string, times []time.Duration) Result {
	slices.Sort(times)
	half, most := times[len(times)/2], times[len(times)-1]
	var fs unix.Statfs_t
	const memory = 0x01021994 // TMPFS_MAGIC
	switch {
	case unix.Statfs(path, &fs) == nil && fs.Type == memory:
		return Bad("put the data folder on a disk", "%s is in memory: everything is lost with the machine", path)
	case half < 15*time.Microsecond:
		return Bad("switch off write-back caching without a battery, \"nobarrier\" or eatmydata, and check that the virtual disk honours flushes", "a sync takes %v: it does not reach a disk, and acknowledged data would be lost in a power cut", half)
	case half > 20*time.Millisecond:
		return Concern("use a faster disk: each commit waits for a sync", "a sync takes %v (longest of %d: %v)", half, len(times), most)
	}
	return Good("a sync takes %v (longest of %d: %v)", half, len(times), most)
}

// syncTimes overwrites and syncs a block again and again.
func syncTimes(dir string, now func() time.Time) (times []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".tikakosh-doctor-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a probe file that stays does no harm
	defer f.Close()
	block := make([]byte, 4096)
	for i := range 40 {
		block[0] = byte(i)
		begin := now()
		if _, err := f.WriteAt(block, 0); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		times = append(times, now().Sub(begin))
	}
	return times, nil
}

// OpenFiles checks the limit of open files, which connections use up.
func OpenFiles(least uint64) Check {
	return One("open files", func(context.Context) Result {
		var r unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
			return Concern("check with ulimit -n", "the limit cannot be read: %v", err)
		}
		if r.Max < least {
			return Concern(fmt.Sprintf("LimitNOFILE=%d in the unit, or ulimit -n", least), "at most %d open files: each connection needs one or two", r.Max)
		}
		return Good("at most %d", r.Max)
	})
}

// Ports checks that addresses can be listened on.
func Ports(addresses map[string]string) Check {
	return Check{"ports", func(ctx context.Context) (out []Result) {
		names := make([]string, 0, len(addresses))
		for name := range addresses {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if addresses[name] == "" || addresses[name] == "off" {
				continue
			}
			var lc net.ListenConfig
			ln, err := lc.Listen(ctx, "tcp", addresses[name])
			switch {
			case errors.Is(err, unix.EADDRINUSE):
				out = append(out, Bad("stop what listens there (ss -ltnp), or give another address", "%s: %s is taken", name, addresses[name]))
			case errors.Is(err, unix.EACCES):
				out = append(out, Bad("use a port above 1023 behind a proxy, or start as root", "%s: %s may not be used by this user", name, addresses[name]))
			case err != nil:
				out = append(out, Bad("correct the address", "%s: %v", name, err))
			default:
				_ = ln.Close()
				out = append(out, Good("%s: %s is free", name, addresses[name]))
			}
		}
		return out
	}}
}

// Memory checks that keys and plaintext cannot reach a disk through swap or core
// dumps. The vault forbids its own dumps; swap is the machine's.
func Memory() Check {
	return Check{"memory", func(context.Context) (out []Result) {
		if raw, err := os.ReadFile("/proc/swaps"); err == nil {
			out = append(out, judgeSwap(string(raw)))
		}
		if raw, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err == nil {
			pattern := strings.TrimSpace(string(raw))
			var r unix.Rlimit
			_ = unix.Getrlimit(unix.RLIMIT_CORE, &r)
			if pattern != "" && r.Max != 0 {
				out = append(out, Concern("LimitCORE=0 in the unit, or kernel.core_pattern=|/bin/false (the vault forbids its own dumps; the web role's memory holds what passes through)", "core dumps go to %q", pattern))
			} else {
				out = append(out, Good("no core dumps"))
			}
		}
		if raw, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && strings.TrimSpace(string(raw)) == "0" {
			out = append(out, Concern("sysctl kernel.yama.ptrace_scope=1, in /etc/sysctl.d", "processes of one user may read each other's memory"))
		}
		return out
	}}
}

func judgeSwap(swaps string) Result {
	lines := strings.Split(strings.TrimSpace(swaps), "\n")
	if len(lines) < 2 {
		return Good("no swap")
	}
	for _, l := range lines[1:] {
		name, _, _ := strings.Cut(l, " ")
		if !strings.HasPrefix(name, "/dev/dm-") && !strings.HasPrefix(name, "/dev/zram") {
			return Concern("swapoff -a and take it out of /etc/fstab, or encrypt it", "swap on %s may put keys and plaintext on a disk", name)
		}
	}
	return Good("swap only on mapped or compressed devices: see that they are encrypted")
}

// Mode is what a file or folder of the data folder must be like. UID -1: not
// checked.
type Mode struct {
	Path string
	Most os.FileMode // permissions that may be there
	UID  int
}

// Modes checks modes and owners of what exists.
func Modes(wanted []Mode) Check {
	return Check{"modes", func(context.Context) (out []Result) {
		n := 0
		for _, w := range wanted {
			info, err := os.Lstat(w.Path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				out = append(out, Concern("run this as root", "%s cannot be looked at: %v", w.Path, err))
				continue
			}
			n++
			if info.Mode()&os.ModeSymlink != 0 {
				out = append(out, Bad("put the folder itself there (a bind mount is fine)", "%s is a symbolic link", w.Path))
				continue
			}
			if extra := info.Mode().Perm() &^ w.Most; extra != 0 {
				out = append(out, Bad(fmt.Sprintf("chmod %04o %s", info.Mode().Perm()&w.Most, w.Path), "%s has mode %04o: others may do what they must not", w.Path, info.Mode().Perm()))
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && w.UID >= 0 && int(st.Uid) != w.UID {
				out = append(out, Bad("chown "+strconv.Itoa(w.UID)+" "+w.Path, "%s belongs to user %d, not %d", w.Path, st.Uid, w.UID))
			}
		}
		if len(out) == 0 {
			out = append(out, Good("%d files and folders are as they should be (a new installation has none)", n))
		}
		return out
	}}
}
