package postgres

import (
	"testing"

	"tikakosh/internal/store/pgtest"
)

func TestSettingsJudged(t *testing.T) {
	for _, c := range []struct {
		name, value  string
		wrong, fatal bool
	}{
		{"fsync", "on", false, false}, {"fsync", "off", true, true}, {"full_page_writes", "off", true, true}, {"synchronous_commit", "off", true, true},
		{"synchronous_commit", "local", true, true}, {"synchronous_commit", "remote_apply", false, false}, {"wal_level", "minimal", true, false}, {"wal_level", "logical", false, false},
		{"archive_mode", "off", true, false}, {"archive_mode", "on", false, false}, {"synchronous_standby_names", "", true, false}, {"synchronous_standby_names", "two", false, false},
		{"data_checksums", "off", true, false},
	} {
		if got := judge(c.name, c.value); (got.Wrong != "") != c.wrong || (got.Do != "") != c.wrong || got.Fatal != c.fatal {
			t.Errorf("%s = %s: %+v", c.name, c.value, got)
		}
	}
}

// TestSettingsPostgres reads them from servers that were started with bad ones.
func TestSettingsPostgres(t *testing.T) {
	if !pgtest.On() {
		return
	}
	s, err := pgtest.Start("fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	db, err := Open(t.Context(), s.Empty(t), Options{Name: "test", ReadOnly: true, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := Settings(t.Context(), db)
	if err != nil || len(got) != 7 {
		t.Fatalf("%v %+v", err, got)
	}
	by := map[string]Setting{}
	for _, one := range got {
		by[one.Name] = one
	}
	if !by["fsync"].Fatal || !by["full_page_writes"].Fatal || by["wal_level"].Wrong == "" || by["synchronous_commit"].Wrong != "" {
		t.Errorf("%+v", got)
	}
}
