package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// backupFlags are shared by run and the worker.
type backupFlags struct {
	BackupTo    string        `name:"backup-to" help:"Folder for scheduled backups; made for the worker when missing. Wants --backup-recipient."`
	BackupEvery time.Duration `name:"backup-every" default:"24h" help:"How often a backup is made."`
	BackupKeep  int           `name:"backup-keep" default:"14" help:"How many of the newest sets stay in the folder."`
}

func (f backupFlags) args() []string {
	if f.BackupTo == "" {
		return nil
	}
	return []string{"--backup-to=" + f.BackupTo, "--backup-every=" + f.BackupEvery.String(), "--backup-keep=" + strconv.Itoa(f.BackupKeep)}
}

// DATA/status/backup.json is what the metrics show (backupStatus).
func (l layout) status() string { return filepath.Join(l.root, "status") }

func readBackupStatus(l layout) (s backupStatus) {
	raw, err := os.ReadFile(l.backupStatus())
	if err != nil || json.Unmarshal(raw, &s) != nil {
		return backupStatus{}
	}
	return s
}

// noteBackup changes the status file; one that cannot be written is the caller's
// to tell.
func noteBackup(l layout, change func(*backupStatus)) error {
	s := readBackupStatus(l)
	change(&s)
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if ablate.Off(ablate.StatusLink) {
		return os.WriteFile(l.backupStatus(), append(raw, '\n'), 0o644)
	}
	// The folder is the worker's and root writes here too: a name that nobody could
	// put a link at before.
	f, err := os.CreateTemp(filepath.Dir(l.backupStatus()), ".backup-*.new")
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), l.backupStatus())
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// backups makes a set every so often, counted from the last one also over a
// restart, and keeps the newest. A try that fails is repeated after a while.
func backups(ctx context.Context, f backupFlags, l layout, vault *http.Client, registry sqldb.DB, now func() time.Time, log *slog.Logger) {
	retry := min(f.BackupEvery, 5*time.Minute)
	b := backupJob{vault: vault, registry: registry, ledger: l.ledger(), now: now}
	due := time.UnixMilli(readBackupStatus(l).FinishedMS).Add(f.BackupEvery)
	for {
		wait := time.NewTimer(max(0, due.Sub(now())))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		begin := now()
		got, err := b.run(ctx, f.BackupTo)
		due = begin.Add(f.BackupEvery)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			due = now().Add(retry)
			hint := ""
			if fault.CodeOf(err) == codePlace {
				hint = fmt.Sprintf("--backup-to names a folder that is there and belongs to this role's user: chown %d %s; under systemd also ReadWritePaths=", os.Geteuid(), f.BackupTo)
			}
			log.Error("alarm: a scheduled backup failed, it will be tried again", "alarm", "backup", "kind", fault.KindOf(err), "code", fault.CodeOf(err), "hint", hint)
		} else {
			log.Info("backup made", "set", got.manifest.Set, "bytes", got.bytes, "ledger", got.manifest.LedgerSize, "ms", now().Sub(begin).Milliseconds())
			_, err = keepNewest(f.BackupTo, f.BackupKeep)
			if err != nil {
				log.Warn("old backups could not be removed")
			}
			err = nil
		}
		ok := err == nil
		if err := noteBackup(l, func(s *backupStatus) {
			if s.OK = ok; ok {
				s.FinishedMS, s.Bytes = now().UnixMilli(), got.bytes
			}
		}); err != nil {
			log.Warn("the backup's status file cannot be written")
		}
	}
}

// prepareBackups makes the worker's folders.
func (in *installation) prepareBackups() error {
	dirs := []string{in.layout.status()}
	if to := in.flags.BackupTo; to != "" {
		if len(in.flags.BackupRecipient) == 0 {
			return badConfig("--backup-to wants --backup-recipient age1…: a backup is always encrypted (`age-keygen -o FILE` prints one; keep FILE off this machine)")
		}
		if in.flags.BackupEvery < time.Second || in.flags.BackupKeep < 1 || time.Duration(in.flags.BackupKeep)*in.flags.BackupEvery > max(in.flags.EraseFinal, 24*time.Hour) {
			return badConfig("--backup-every is at least a second, --backup-keep at least one, and both together no more than --erase-final (%v): older sets open nobody any more", in.flags.EraseFinal)
		}
		dirs = append(dirs, to)
	}
	for _, dir := range dirs {
		mode := os.FileMode(0o755)
		if dir != in.layout.status() {
			mode = 0o750
		}
		err := os.Mkdir(dir, mode)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if dir == in.layout.status() {
			// The operator's role reads it, whatever the umask was (the unit's is
			// 027): else its figures say that no backup was ever made.
			if err := os.Chmod(dir, mode); err != nil {
				return err
			}
		}
		if err == nil && in.separate {
			who := in.ids("worker")
			if err := os.Chown(dir, who.uid, who.gid); err != nil {
				return err
			}
		}
	}
	return nil
}
