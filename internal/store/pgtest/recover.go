package pgtest

import (
	"database/sql"
	"errors"
	"os"
	"time"
)

// Archive is a folder for a server's write-ahead log, and the settings that make a
// server keep it there.
func Archive(t TB) (dir string, settings []string) {
	t.Helper()
	dir = ownFolder(t, "tikakosh-wal-")
	return dir, []string{"archive_mode=on", "archive_command='test ! -f " + dir + "/%f && cp %p " + dir + "/%f.part && mv " + dir + "/%f.part " + dir + "/%f'"}
}

// ownFolder is a temporary folder of the user that servers run as.
func ownFolder(t TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Geteuid() != 0 {
		return dir
	}
	who, err := ordinary()
	if err == nil {
		err = os.Chown(dir, int(who.Uid), int(who.Gid))
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}

// Base copies a server's files while it runs, as pg_basebackup does, without the
// write-ahead log; its folder is removed at the end of the test.
func (s *Server) Base(t TB) string {
	t.Helper()
	dir := ownFolder(t, "tikakosh-base-")
	if out, err := s.place.command("pg_basebackup", "-D", dir+"/data", "-d", s.base.String(), "-X", "none", "-c", "fast", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir + "/data"
}

// Point names the present point of the server's log and waits until the archive has
// it.
func (s *Server) Point(t TB, name string) {
	t.Helper()
	err := s.exec("SELECT pg_create_restore_point('" + name + "')")
	if err == nil {
		err = s.archived()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// archived ends the log's current file and waits until it is in the archive.
func (s *Server) archived() error {
	db, err := sql.Open("pgx", s.base.String())
	if err != nil {
		return err
	}
	defer db.Close()
	var file string
	if err := db.QueryRow("SELECT pg_walfile_name(pg_switch_wal())").Scan(&file); err != nil {
		return err
	}
	for range 300 {
		var done bool
		if err := db.QueryRow("SELECT COALESCE(last_archived_wal >= $1, false) FROM pg_stat_archiver", file).Scan(&done); err != nil || done {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the archive does not get the log's files")
}

// Recovered starts a server in the place of s, which is down, from a Base and an
// archive: up to a named point, "" for the end of the archive.
func (s *Server) Recovered(t TB, base, archive, point string) *Server {
	t.Helper()
	p, err := newPlace()
	if err != nil {
		t.Fatalf("%v", err)
	}
	p.port = s.place.port
	if out, err := p.command("/bin/cp", "-a", base, p.dir+"/data").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	settings := []string{"restore_command='cp " + archive + "/%f %p'", "recovery_target_action=promote"}
	if point != "" {
		settings = append(settings, "recovery_target_name='"+point+"'")
	}
	err = p.configure(settings)
	if err == nil {
		err = p.signal()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	r, err := p.run()
	if err == nil {
		t.Cleanup(r.Stop)
		err = r.promoted()
	}
	if err != nil {
		raw, _ := os.ReadFile(p.dir + "/log")
		t.Fatalf("%v\n%s", err, raw)
	}
	return r
}

// signal makes the file that starts a recovery.
func (p *place) signal() error {
	file := p.dir + "/data/recovery.signal"
	err := os.WriteFile(file, nil, 0o600)
	if err == nil && p.who != nil {
		err = os.Chown(file, int(p.who.Uid), int(p.who.Gid))
	}
	return err
}

// promoted waits until a recovery has ended.
func (s *Server) promoted() error {
	db, err := sql.Open("pgx", s.base.String())
	if err != nil {
		return err
	}
	defer db.Close()
	for range 600 {
		var still bool
		if err = db.QueryRow("SELECT pg_is_in_recovery()").Scan(&still); err == nil && !still {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.Join(errors.New("the recovery does not end"), err)
}
