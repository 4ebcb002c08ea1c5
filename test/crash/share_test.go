package crash

import (
	"encoding/json"

	"tikakosh/test/harness"
)

// shareActs are those about links that open a certificate.
func shareActs() []act {
	return []act{
		{name: "share", commits: map[string]int{"vault": 1}, scene: (*lane).person, do: share, done: isShared},
		{name: "end of a share", commits: map[string]int{"vault": 1}, scene: (*lane).shares, do: endShare, done: noShare, gone: true},
	}
}

// share makes a link. Asked for again it makes another one: of the first one nobody has the
// secret, so it opens nothing for anybody.
func share(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", "/v3/shares", map[string]any{"beneficiary_reference_id": w.ref})
}

// shares is somebody who made a link; its id is in old.
func (l *lane) shares() *who {
	l.t.Helper()
	w := l.person()
	a, err := share(l, w.c, w)
	if w.old = a.Field("id"); err != nil || w.old == "" {
		l.t.Fatalf("a link: %v %s", err, a.Text())
	}
	return w
}

func endShare(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", "/v3/shares/end", map[string]any{"beneficiary_reference_id": w.ref, "id": w.old})
}

// links are the states of a person's links.
func links(w *who) (live int, fault string) {
	a, err := w.c.Do("POST", "/v3/shares/list", map[string]any{"beneficiary_reference_id": w.ref})
	var out struct{ Shares []struct{ State string } }
	if err != nil || !a.OK() || json.Unmarshal(a.Body, &out) != nil {
		return 0, "no list of links: " + a.Text()
	}
	for _, s := range out.Shares {
		if s.State == "live" {
			live++
		}
	}
	return live, ""
}

func isShared(_ *lane, w *who) string {
	n, fault := links(w)
	if fault == "" && n == 0 {
		fault = "there is no link"
	}
	return fault
}

func noShare(_ *lane, w *who) string {
	n, fault := links(w)
	if fault == "" && n != 0 {
		fault = "the link still lives"
	}
	return fault
}
