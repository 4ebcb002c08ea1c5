//go:build powercut

package powercut

import (
	"strings"
	"testing"
)

func TestReplay(t *testing.T) {
	trace := strings.Join([]string{
		`100 10.5 pwrite64(7</d/x.db-wal>, "\x61\x62\x63", 3, 0) = 3 <0.01>`,
		`100 10.6 pwrite64(7</d/x.db-wal>, "\x64", 1, 3 <unfinished ...>`,
		`101 10.7 pwrite64(9</d/other>, "\x64", 1, 3) = 1 <0.01>`,
		`100 10.8 <... pwrite64 resumed>) = 1 <0.2>`,
		`100 11.0 fdatasync(7</d/x.db-wal>) = 0 <0.5>`,
		`101 11.2 pwrite64(7</d/x.db-wal>, "\x7a", 1, 0) = 1 <0.1>`,
	}, "\n")
	events, err := parse(strings.NewReader(trace))
	if err != nil || len(events) != 5 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	d, err := newDisk(map[string]string{"/d/x.db-wal": "/nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	// The last write returned before the sync did, and after it had begun.
	want := []string{"", "", "", "", "abcd"}
	for i, e := range events {
		d.apply(e)
		if got := string(d.content["/d/x.db-wal"]); got != want[i] {
			t.Errorf("after event %d: %q, want %q", i, got, want[i])
		}
	}
	if d.String() != "1 writes not synced" {
		t.Error(d)
	}
	if events[4].call != "fdatasync" || events[4].at != 11.5 {
		t.Errorf("the sync returned at %v", events[4].at)
	}
}
