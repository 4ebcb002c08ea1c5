package journey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tikakosh/test/harness"
)

// TestDraw: six people ask for two places that are drawn. Everybody is told a
// number, and a stranger who has only what is published finds the checkpoint
// signed, computes the draw again, and gets the same winners.
func TestDraw(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	day := s.Later()[0]
	at := s.Now().Add(5 * time.Second)
	s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET draw_at = %d, cap1 = taken1 + 2 WHERE session = '%s'", at.UnixMilli(), day.Session))
	type entrant struct {
		c      *harness.Client
		mobile string
		ref    string
		number int
		hold   string
	}
	var all []entrant
	for i := range 6 {
		c, mobile := s.Holder()
		e := entrant{c: c, mobile: mobile, ref: c.Enrol("Asha Test")}
		for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			a := c.Must("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{e.ref}})
			var got struct {
				Hold  string `json:"appointment_confirmation_no"`
				Entry int    `json:"draw_entry"`
			}
			if err := json.Unmarshal(a.Body, &got); err != nil || (a.Status != 202 && time.Since(begin) > 3*time.Second) {
				t.Fatalf("enter: %s", a.Text())
			}
			if e.number, e.hold = got.Entry, got.Hold; a.Status == 202 {
				break
			}
		}
		if e.number != i+1 || len(c.Beneficiaries()[0].Appointments) != 0 {
			t.Errorf("entry %d has number %d", i+1, e.number)
		}
		all = append(all, e)
	}
	var d struct {
		State, Digest, Receipt, Checkpoint, Seed string
		Entries                                  int
		Commitments                              []string
		Order, Won                               []int
	}
	for begin := time.Now(); d.State != "drawn"; time.Sleep(200 * time.Millisecond) {
		a := s.Client().Must("GET", "/v3/draws/"+day.Session, nil)
		if err := json.Unmarshal(a.Body, &d); err != nil || time.Since(begin) > 30*time.Second {
			t.Fatalf("%v %s", err, a.Text())
		}
	}
	var keys struct {
		VKey string `json:"ledger_vkey"`
	}
	if err := json.Unmarshal(s.Client().Must("GET", "/v3/keys", nil).Body, &keys); err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(keys.VKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open([]byte(d.Checkpoint), note.VerifierList(verifier)); err != nil {
		t.Errorf("the checkpoint of the draw is not signed by the ledger: %v", err)
	}
	sum := func(lines ...string) string {
		h := sha256.Sum256([]byte(strings.Join(lines, "\n")))
		return hex.EncodeToString(h[:])
	}
	if sum(append([]string{"tikakosh/draw/v1", day.Session}, d.Commitments...)...) != d.Digest {
		t.Error("the digest is not that of the commitments")
	}
	if sum("tikakosh/draw-seed/v1", d.Digest, d.Checkpoint) != d.Seed {
		t.Error("the seed does not follow from digest and checkpoint")
	}
	turn := func(n int) string {
		m := hmac.New(sha256.New, []byte(d.Seed))
		fmt.Fprint(m, n)
		return string(m.Sum(nil))
	}
	order := []int{1, 2, 3, 4, 5, 6}
	sort.Slice(order, func(i, j int) bool { return turn(order[i]) < turn(order[j]) })
	won := slices.Sorted(slices.Values(order[:2]))
	if !slices.Equal(order, d.Order) || !slices.Equal(won, d.Won) {
		t.Errorf("published order %v and winners %v; computed %v, %v", d.Order, d.Won, order, won)
	}
	for _, e := range all {
		if d.Commitments[e.number-1] != sum("tikakosh/draw-entry/v1", e.hold) {
			t.Errorf("entry %d is not in the draw", e.number)
		}
		drawTold(t, s, e.c, e.mobile, e.hold, slices.Contains(won, e.number))
		appointments := e.c.Beneficiaries()[0].Appointments
		if booked := len(appointments) == 1 && appointments[0].ID == e.hold; booked != slices.Contains(won, e.number) {
			t.Errorf("entry %d: %+v, winners %v", e.number, appointments, won)
		}
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}

// drawTold checks what one entrant is told: by message, and on the own record.
func drawTold(t *testing.T, s *harness.Server, c *harness.Client, mobile, hold string, won bool) {
	t.Helper()
	want := map[bool]string{true: "won", false: "no_place"}[won]
	if own := c.Beneficiaries()[0].Draws; len(own) != 1 || own[0].ID != hold || own[0].Result != want {
		t.Errorf("the own record says %+v, want %s", own, want)
	}
	told := s.AwaitMessages(mobile, 1, 10*time.Second)
	if len(told) != 2 || strings.Contains(told[0].Text, "no place for your request") == won {
		t.Errorf("%s was told %q", want, told)
	}
}
