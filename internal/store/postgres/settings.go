package postgres

import (
	"context"

	"tikakosh/internal/store/sqldb"
)

// Setting is one setting of a server as this user sees it, and what is wrong
// with it: nothing when Do is empty. Fatal settings lose acknowledged data.
type Setting struct {
	Name, Value string
	Wrong, Do   string
	Fatal       bool
}

// Settings reads the settings of the server that what is stored depends on.
func Settings(ctx context.Context, db sqldb.DB) (out []Setting, err error) {
	err = db.View(ctx, func(tx sqldb.Tx) error {
		out = nil
		rows, err := tx.Query(ctx, `SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names', 'wal_level', 'archive_mode', 'data_checksums') ORDER BY name LIMIT 20`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, value string
			if err := rows.Scan(&name, &value); err != nil {
				return err
			}
			out = append(out, judge(name, value))
		}
		return rows.Err()
	})
	return out, sqldb.Classify(err, "read the server's settings")
}

// judge says what a value means for what is stored. fsync, full_page_writes and
// wal_level are the server's own; synchronous_commit is what our sessions have,
// which set it themselves.
func judge(name, value string) Setting {
	s := Setting{Name: name, Value: value}
	switch {
	case name == "fsync" && value != "on":
		s.Fatal, s.Wrong = true, "a power cut loses what was acknowledged, or the whole database"
		s.Do = "ALTER SYSTEM SET fsync = on; then SELECT pg_reload_conf()"
	case name == "full_page_writes" && value != "on":
		s.Fatal, s.Wrong = true, "a power cut can leave half a page, which nothing mends"
		s.Do = "ALTER SYSTEM SET full_page_writes = on; then SELECT pg_reload_conf()"
	case name == "synchronous_commit" && value != "on" && value != "remote_apply":
		s.Fatal, s.Wrong = true, "a commit is acknowledged before it is durable"
		s.Do = "a proxy or pooler in between changes our sessions' setting: connect without it, or let it pass synchronous_commit=on"
	case name == "wal_level" && value == "minimal":
		s.Wrong = "there can be no standby and no copying back to a point in time"
		s.Do = "ALTER SYSTEM SET wal_level = replica; then restart the server"
	case name == "archive_mode" && value == "off":
		s.Wrong = "the log is not archived: between two backup sets there is no point to go back to"
		s.Do = "set archive_mode = on and archive_command, or have a standby copy the log (pg_receivewal), unless the sets of `tikakosh backup` are enough"
	case name == "synchronous_standby_names" && value == "":
		s.Wrong = "a commit is on one server only: when its disk is lost, so is what was acknowledged since the last copy"
		s.Do = "for more than one clinic: a synchronous standby (docs/SCALE.md)"
	case name == "data_checksums" && value == "off":
		s.Wrong = "a page that the disk changed is not noticed"
		s.Do = "stop the server and run pg_checksums --enable"
	}
	return s
}
