package machine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTimeService(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
		from  []string
	}{
		"nothing": {nil, "none found", nil},
		"chrony": {map[string]string{"run/chrony/x": "", "etc/chrony/chrony.conf": "# server no.example\npool a.example iburst maxsources 4\nserver  b.example\nserverside c\nmakestep 1 3\n",
			"etc/chrony/sources.d/site.sources": "server c.example prefer\n"}, "chrony", []string{"a.example", "b.example", "c.example"}},
		"timesyncd": {map[string]string{"run/systemd/timesync/synchronized": "", "etc/systemd/timesyncd.conf": "[Time]\n#NTP=no.example\nNTP=a.example b.example\nFallbackNTP=c.example\n"},
			"systemd-timesyncd", []string{"a.example", "b.example", "c.example"}},
		"ntpd, not configured": {map[string]string{"run/ntpd.pid": "1"}, "ntpd", nil},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, servers := timeService(root); got != c.want || !slices.Equal(servers, c.from) {
			t.Errorf("%s: %s %q", name, got, servers)
		}
	}
}

func TestServersAreBounded(t *testing.T) {
	var text []byte
	for range 100 {
		text = append(text, "server a.example\n"...)
	}
	if got := timeServers(text, []string{"server"}); len(got) != 16 {
		t.Errorf("%d servers", len(got))
	}
}

func TestReads(t *testing.T) {
	if c := ReadClock(); c.Err != nil && c.Synchronised {
		t.Errorf("%+v", c)
	}
	d, err := ReadDisk(t.TempDir())
	if err != nil || d.Size == 0 || d.Ratio() < 0 || d.Ratio() > 1 {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := ReadDisk("/nobody/has/this"); err == nil {
		t.Error("a disk of a folder that is not there")
	}
	if (Disk{}).Ratio() != 0 {
		t.Error("the ratio of nothing")
	}
}
