package redteam

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// linked is somebody with a dose and a link to their certificate for a day.
func linked(t *testing.T, s *harness.Server) (c *harness.Client, ref, token, link string) {
	t.Helper()
	c, mobile := s.Holder()
	ref = c.Enrol("Asha Link")
	s.Vaccinate(c, mobile, ref)
	a := c.Must("POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref, "days": 1})
	if token, link = a.Field("token"), a.Field("id"); token == "" {
		t.Fatalf("a link: %s", a.Text())
	}
	return c, ref, token, link
}

// byLink opens with a secret, from a network of its own.
func byLink(s *harness.Server, token string) harness.Answer {
	return s.Client().Must("POST", "/v3/shares/open", map[string]any{"token": token})
}

func certified(a harness.Answer) bool { return bytes.HasPrefix(a.Body, []byte("%PDF-")) }

// TestW1ShareLink: who once had a link opens the certificate after it was ended or its day is
// over; who has none guesses. What opens nothing has one answer, and every use is on the
// person's list.
func TestW1ShareLink(t *testing.T) {
	t.Parallel()
	run(t, "W1",
		trial{name: "ended and expired", off: []string{"share-ends"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			c, ref, token, link := linked(t, s)
			if a := byLink(s, token); !certified(a) {
				t.Fatalf("the link: %s", a.Text())
			}
			uses := 0
			for _, o := range c.Openings() {
				if o.View == "certificate" && o.Reason == "share link" {
					uses++
				}
			}
			if uses != 1 {
				t.Errorf("%d uses on the person's list", uses)
			}
			if a := c.Must("POST", "/v3/shares/end", map[string]any{"beneficiary_reference_id": ref, "id": link}); a.Status != http.StatusNoContent {
				t.Fatalf("its end: %s", a.Text())
			}
			ended := byLink(s, token)
			if certified(ended) {
				return true, "an ended link"
			}
			_, _, second, _ := linked(t, s)
			s.Forward(24*time.Hour + time.Minute)
			expired := byLink(s, second)
			if certified(expired) {
				return true, "an expired link"
			}
			for what, token := range map[string]string{"guessed": "AAAAAAAAAAAAAAAAAAAAAA", "cut": token[:20], "the reference number": ref, "the link's name": link} {
				if a := byLink(s, token); a.Status != ended.Status || !bytes.Equal(a.Body, ended.Body) || a.Status != http.StatusNotFound {
					t.Errorf("%s: %s, and an ended one %s", what, a.Text(), ended.Text())
				}
			}
			if !bytes.Equal(expired.Body, ended.Body) {
				t.Errorf("expired: %s", expired.Text())
			}
			return false, "one answer, 404, to what was ended, expired, cut and guessed"
		}},
		trial{name: "guesses", off: []string{"share-guesses"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			thief := s.Client()
			n := 0
			for ; n < 130; n++ {
				if a := thief.Must("POST", "/v3/shares/open", map[string]any{"token": fmt.Sprintf("AAAAAAAAAAAAAAAAAAA%02dA", n%100)}); a.Status == http.StatusTooManyRequests {
					break
				}
			}
			return n > 100, fmt.Sprintf("%d guesses were judged in an hour", n)
		}})
}
