package journey

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestStaffClientCompared: what browsers get as the staff client is compared with the
// program's own and with the one on the ledger; a page that somebody changed on the way
// is found.
func TestStaffClientCompared(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	out, exit := s.Command("staff", "client", "--origin", s.StaffClient, "--data", s.Data)
	sums := regexp.MustCompile(`sha256:[0-9a-f]{64}\b`).FindAllString(out, -1)
	if exit != 0 || len(sums) != 3 || sums[0] != sums[1] || sums[1] != sums[2] {
		t.Fatalf("exit %d, %q", exit, out)
	}
	before, _ := s.Command("version")
	if !strings.Contains(before, sums[0]) {
		t.Errorf("the version says %q", before)
	}
	target, err := url.Parse(s.StaffClient)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path == "/" {
			r.Body = http.NoBody
			r.Header.Del("Content-Length")
			r.ContentLength = 0
		}
		return nil
	}
	thief := httptest.NewServer(proxy)
	defer thief.Close()
	if out, exit := s.Command("staff", "client", "--origin", thief.URL, "--data", s.Data); exit == 0 || !strings.Contains(out, "they differ") {
		t.Errorf("a page that was changed on the way: exit %d, %q", exit, out)
	}
	if out, _ := s.Command("doctor", "--data", s.Data, "--outbox", "127.0.0.1:0", "--staff-origin", "http://localhost:1", "--staff-origin", thief.URL); !strings.Contains(out, "browsers get another staff client at "+thief.URL) {
		t.Errorf("doctor: %q", out)
	}
	s.Stop()
	s.Up()
	again, _ := s.Command("staff", "client", "--origin", s.StaffClient, "--data", s.Data)
	if entry := regexp.MustCompile(`entry \d+`); entry.FindString(out) == "" || entry.FindString(out) != entry.FindString(again) {
		t.Errorf("a start with the same client is an entry: %q, then %q", out, again)
	}
}
