package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"tikakosh/internal/backup"
	"tikakosh/internal/doctor"
	"tikakosh/internal/machine"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
)

// checkBackups looks whether the worker can make its sets.
func (c *doctorCmd) checkBackups(_ context.Context, in *installation) []doctor.Result {
	to := c.BackupTo
	if to == "" {
		return []doctor.Result{doctor.Concern("--backup-to FOLDER --backup-recipient age1… (docs/OPERATIONS.md 6), or a schedule of your own for `tikakosh backup`", "no backups are scheduled")}
	}
	var out []doctor.Result
	if len(c.BackupRecipient) == 0 {
		out = append(out, doctor.Bad("--backup-recipient age1…: `age-keygen -o FILE` prints one; keep FILE off this machine", "--backup-to without a recipient: sets are always encrypted"))
	} else if _, err := backup.Recipients(c.BackupRecipient); err != nil {
		out = append(out, doctor.Bad("give the public key that age-keygen printed, age1…", "--backup-recipient: %s", message(err)))
	}
	if within(to, c.Data) {
		out = append(out, doctor.Bad("choose a folder elsewhere, best on another disk", "%s lies inside the data folder: what destroys that takes the sets along, and a copy of it would hold them", to))
	}
	info, err := os.Stat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(to)); err != nil {
			return append(out, doctor.Bad("make the folder above it; `run` makes this one for the worker", "%s is not there, nor what it should lie in", to))
		}
		out = append(out, doctor.Good("%s is made at the start, for the worker", to))
	case err != nil:
		return append(out, doctor.Bad("correct the path", "%v", err))
	case !info.IsDir():
		return append(out, doctor.Bad("give a folder", "%s is no folder", to))
	default:
		out = append(out, in.writableByWorker(to, info)...)
	}
	return append(out, c.roomForBackups(to)...)
}

// within reports whether a path, which need not exist, lies in a folder, links
// followed.
func within(path, folder string) bool {
	real := func(p string) string {
		abs, err := filepath.Abs(p)
		if err != nil {
			return p
		}
		for rest := ""; ; {
			if got, err := filepath.EvalSymlinks(abs); err == nil {
				return filepath.Join(got, rest)
			}
			up := filepath.Dir(abs)
			if up == abs {
				return filepath.Join(abs, rest)
			}
			abs, rest = up, filepath.Join(filepath.Base(abs), rest)
		}
	}
	rel, err := filepath.Rel(real(folder), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// writableByWorker looks whether the user who makes the sets may write there, and
// nobody else.
func (in *installation) writableByWorker(to string, info fs.FileInfo) (out []doctor.Result) {
	const kept = "under systemd the unit writes its own folders only: ReadWritePaths= in a drop-in"
	owner, ok := info.Sys().(*syscall.Stat_t)
	who := in.ids("worker")
	switch {
	case in.separate && ok && (int(owner.Uid) != who.uid || info.Mode().Perm()&0o300 != 0o300):
		out = append(out, doctor.Bad("chown "+strconv.Itoa(who.uid)+" "+to+" && chmod 0700 "+to+"; "+kept, "%s is not the worker's (user %d), who makes the sets", to, who.uid))
	case !in.separate && unix.Access(to, unix.W_OK|unix.X_OK) != nil:
		out = append(out, doctor.Bad("let this user write there, or choose another --backup-to", "%s may not be written by this user, who makes the sets", to))
	default:
		out = append(out, doctor.Good("%s is writable for who makes the sets (%s)", to, kept))
	}
	if info.Mode().Perm()&0o022 != 0 {
		out = append(out, doctor.Bad("chmod go-w "+to, "others may write in %s (mode %04o): they could replace or delete sets", to, info.Mode().Perm()))
	}
	return out
}

// roomForBackups looks whether the sets that are kept fit, and survive the data's
// disk. On PostgreSQL the databases' sizes are not asked.
func (c *doctorCmd) roomForBackups(to string) (out []doctor.Result) {
	at := to
	for {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	d, err := machine.ReadDisk(at)
	if err != nil {
		return []doctor.Result{doctor.Bad("check the path", "%s: %v", to, err)}
	}
	l := layout{c.Data}
	one := uint64(leastSet)
	for _, path := range []string{l.registryDB(), l.vaultDB()} {
		if info, err := os.Stat(path); err == nil {
			one += uint64(info.Size())
		}
	}
	keep := max(uint64(c.BackupKeep), 1)
	if d.Free < one*keep {
		out = append(out, doctor.Bad("make room, keep fewer (--backup-keep), or choose another folder", "%s: %.1f GB are free, %d sets of up to %.2f GB are to be kept", to, float64(d.Free)/1e9, keep, float64(one)/1e9))
	} else {
		out = append(out, doctor.Good("%s: %.1f GB free for %d sets of up to %.2f GB today", to, float64(d.Free)/1e9, keep, float64(one)/1e9))
	}
	var a, b unix.Stat_t
	data := c.Data
	for unix.Stat(data, &b) != nil && data != filepath.Dir(data) {
		data = filepath.Dir(data)
	}
	if unix.Stat(at, &a) == nil && a.Dev == b.Dev {
		out = append(out, doctor.Concern("copy the sets to another site (docs/OPERATIONS.md 6)", "%s is on the data's own disk", to))
	}
	return out
}

// leastSet is what a set of an empty installation may take, in bytes, generously.
const leastSet = 50e6

// serverSettings looks at what a server's durability depends on.
func serverSettings(ctx context.Context, name string, db sqldb.DB) (out []doctor.Result) {
	all, err := postgres.Settings(ctx, db)
	if err != nil {
		return []doctor.Result{doctor.Concern("look at SHOW fsync, full_page_writes, synchronous_commit, wal_level yourself", "%s: its settings cannot be read: %s", name, message(err))}
	}
	good := ""
	for _, s := range all {
		switch {
		case s.Fatal:
			out = append(out, doctor.Bad(s.Do, "%s: %s = %s: %s", name, s.Name, s.Value, s.Wrong))
		case s.Wrong != "":
			out = append(out, doctor.Concern(s.Do, "%s: %s = %q: %s", name, s.Name, s.Value, s.Wrong))
		default:
			good += " " + s.Name + "=" + s.Value
		}
	}
	return append(out, doctor.Good("%s:%s", name, good))
}
