package keeper_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/requests"
)

func (r *rig) track(number, origin string) (vault.Tracked, error) {
	r.t.Helper()
	return r.k.Asked().Track(r.t.Context(), vault.TrackRequest{Number: number, Origin: origin})
}

// TestTrack: a number alone, without a session, tells state and times, also when the person has
// left and when they are erased; and nothing of the person, the kind or the words.
func TestTrack(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	wrong := func(m *vault.RequestMake) {
		m.Entry = c.entryOf(c.holder, c.person, "opening", "access history")
		m.Detail.Text = "secret words"
	}
	asked := must[vault.Request](t)(c.asks(c.holder, c.person, vault.RequestOpening, "k", wrong))
	if digits := strings.ReplaceAll(asked.Tracking, "-", ""); len(digits) != 16 {
		t.Errorf("%q has not the random digits that guessing needs", asked.Tracking)
	}
	first := must[vault.Tracked](t)(c.track(strings.ReplaceAll(asked.Tracking, "-", " "), "o"))
	if first != (vault.Tracked{State: vault.RequestReceived, At: asked.At, Due: asked.Due}) {
		t.Errorf("%+v", first)
	}
	raw, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{"secret", string(c.ref), string(c.person), asked.Kind} {
		if strings.Contains(string(raw), no) {
			t.Errorf("it tells %q: %s", no, raw)
		}
	}
	left := must[vault.Left](t)(c.k.Leave(t.Context(), vault.LeaveRequest{Holder: c.holder, Record: c.records(c.person)[0]}))
	if got := must[vault.Tracked](t)(c.track(asked.Tracking, "o")); got.State != vault.RequestReceived {
		t.Errorf("after leaving: %+v", got)
	}
	if got := must[vault.Tracked](t)(c.track(strings.ToLower(left.Tracking), "o")); !got.Leave || got.State != vault.LeaveHidden || got.Due != left.Erase {
		t.Errorf("the leave: %+v", got)
	}
	for range 2 { // the week to come back, then the year
		c.advance(366 * 24 * time.Hour)
		if _, err := c.k.Leavers(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := must[vault.Tracked](t)(c.track(asked.Tracking, "o")); got.State != vault.RequestWithdrawn || got.Done == 0 {
		t.Errorf("after the erasure: %+v", got)
	}
	if got := must[vault.Tracked](t)(c.track(left.Tracking, "o")); got.State != vault.LeaveErased {
		t.Errorf("the leave after the erasure: %+v", got)
	}
	c.audit()
}

// TestTrackGuesses: what is none has one answer, whatever it looks like; a network that guesses
// waits, also for what is there, and others do not.
func TestTrackGuesses(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 1)
	asked := must[vault.Request](t)(r.asks(h, people[0], vault.RequestOpening, "k", func(m *vault.RequestMake) { m.Entry = r.entryOf(h, people[0], "opening", "access history") }))
	var said string
	for _, number := range []string{"", "0000-0000-0003", "0000000000000000", asked.Tracking[:14], "who/" + string(people[0]), "due/0000000000", "TL" + strings.Repeat("A", 32), strings.Repeat("1", 500), "none", "at/"} {
		_, err := r.track(number, "o")
		if said == "" && err != nil {
			said = err.Error()
		}
		if !fault.Is(err, fault.NotFound) || err.Error() != said {
			t.Errorf("%.20q: %v", number, err)
		}
	}
	for i := range 20 {
		if _, err := r.track(fmt.Sprintf("%016d", i), "o"); !fault.Is(err, fault.NotFound) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if _, err := r.track("0000000000000000", "o"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("after 30 guesses: %v", err)
	}
	if _, err := r.track(asked.Tracking, "o"); !fault.Is(err, fault.RateLimited) || fault.RetryAfter(err) <= 0 {
		t.Errorf("a guesser finds one: %v", err)
	}
	if got, err := r.track(asked.Tracking, "other"); err != nil || got.State != vault.RequestReceived {
		t.Errorf("somebody else: %+v %v", got, err)
	}
	r.advance(time.Hour)
	if _, err := r.track(asked.Tracking, "o"); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// TestTrackingForms: numbers of before are still those of their people.
func TestTrackingForms(t *testing.T) {
	for text, ok := range map[string]bool{"1234-5678-9010": true, "1234 5678 9010": true, "1234-5678-9011": false, "1234-5678-9012-3456": false, "": false, "12": false} {
		plain, err := requests.ParseTracking(text)
		if (err == nil) != ok {
			t.Errorf("%q: %q %v", text, plain, err)
		}
		if ok && requests.Shown(plain) != "1234-5678-9010" {
			t.Errorf("%q is shown as %q", text, requests.Shown(plain))
		}
	}
}
