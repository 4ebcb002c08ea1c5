package keeper_test

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// counted are the true cells, by their keys.
func (r *rig) counted() map[string]state.Stat {
	r.t.Helper()
	out, err := r.k.Counted(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

const doseOne = "dose/COVISHIELD/1/2/"

const correctionsURL = "https://api.test/api/v3/staff/corrections"

func (r *rig) doses1() (n int64) {
	for key, s := range r.counted() {
		if strings.HasPrefix(key, doseOne) {
			n += s.N
		}
	}
	return n
}

// TestCounted: a dose is counted when it is stored, not before, and once however
// often that is reported; a restart forgets nothing; a revocation takes it back. What
// waits says nothing in clear.
func TestCounted(t *testing.T) {
	c := newCentre(t, nil)
	c.staff("vaccinator", testCentre) // with three people nothing waits
	registered := statistics.Cell{Band: statistics.From45}.Key()
	if got := c.counted()[registered].N; got != 1 { // born in 1980
		t.Errorf("%d registrations counted", got)
	}
	if got, err := c.rig.dose(c.vaccinator, c.person, c.body(nil)); err != nil {
		t.Fatal(err)
	} else if n := c.doses1(); n != 0 {
		t.Errorf("%d doses counted before one is stored", n)
	} else if text := c.dump("person"); !strings.Contains(text, `"Count"`) || strings.Contains(text, doseOne) {
		t.Error("what waits to be counted is missing, or in clear")
	} else {
		if again, err := c.rig.dose(c.vaccinator, c.person, c.body(nil)); err != nil || again.Seal.ID != got.Seal.ID {
			t.Fatal(err)
		}
		c.store(got.Seal, true)
		c.close()
		if err := c.open(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{got.Seal.ID}}); err != nil && !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
		}
	}
	if n := c.doses1(); n != 1 {
		t.Fatalf("%d doses counted", n)
	}
	if text := c.dump("person"); strings.Contains(text, `"Count"`) {
		t.Error("what was counted is kept")
	}
	for key, s := range c.counted() {
		if strings.HasPrefix(key, doseOne) && (s.AsOf(s.Day) != 0 || s.AsOf(s.Day.AddDays(1)) != 1 || s.Day != c.today()) {
			t.Errorf("%s: %+v", key, s)
		}
	}
	c.revokeFirst(t)
	if n := c.doses1(); n != 0 {
		t.Errorf("%d doses counted after one was revoked", n)
	}
	c.audit()
}

// revokeFirst has two people of the centre revoke the person's dose.
func (c *centre) revokeFirst(t *testing.T) {
	t.Helper()
	doses, err := c.k.Doses(t.Context(), vault.DosesRequest{Holder: c.holder, Records: c.records(c.person)})
	if err != nil || len(doses.Events) != 1 || doses.Events[0].Status != rules.StatusConfirmed {
		t.Fatalf("%+v, %v", doses.Events, err)
	}
	body := map[string]any{"kind": "revoke", "center_id": int64(testCentre), "event_id": doses.Events[0].Event, "beneficiary_reference_id": c.ref, "reason": "not given"}
	p, err := c.k.Propose(t.Context(), vault.ProposeRequest{Signed: c.sign(c.manager, correctionsURL, body)})
	if err != nil {
		t.Fatal(err)
	}
	body["correction_id"] = p.Correction
	second := c.staff("vaccinator", testCentre)
	a, err := c.k.Approve(t.Context(), vault.ApproveRequest{Signed: c.sign(second, correctionsURL, body), Person: c.person, Record: c.records(c.person)[0]})
	if err != nil {
		t.Fatal(err)
	}
	c.store(a.Seal, true)
}

// TestStatisticsOfMidnight: what is published is rounded, and as of the last midnight
// in India: asking again during the day shows nothing new.
func TestStatisticsOfMidnight(t *testing.T) {
	r := newRig(t)
	all := func() statistics.Figures {
		t.Helper()
		s, err := r.k.Statistics(t.Context(), vault.Empty{})
		if err != nil || s.Published.Day != r.today().AddDays(-1) {
			t.Fatal(s, err)
		}
		return s.Published.Sum(statistics.Area{})
	}
	one := doses{"Asha Test", 1}
	for i := range 12 {
		r.seeded("01000000"+string(rune('0'+i/10))+string(rune('0'+i%10)), one)
	}
	if f := all(); f != (statistics.Figures{}) {
		t.Errorf("shown on the day itself: %+v", f)
	}
	r.advance(24 * time.Hour)
	if f := all(); f.Doses != 10 || f.First != 10 || f.Covaxin != 10 || f.Registered != 10 {
		t.Errorf("%+v", f)
	}
	for i := range 9 {
		r.seeded("020000000"+string(rune('0'+i)), one)
	}
	r.advance(time.Hour)
	if f := all(); f.Doses != 10 {
		t.Errorf("shown before midnight: %+v", f)
	}
	r.advance(24 * time.Hour)
	if f := all(); f.Doses != 20 || f.Registered != 20 {
		t.Errorf("%+v", f)
	}
	r.exec(`UPDATE stat SET content = CAST(replace(CAST(content AS TEXT), '"N":21', '"N":99') AS BLOB)`)
	if _, err := r.k.Statistics(t.Context(), vault.Empty{}); !fault.Is(err, fault.Integrity) {
		t.Errorf("an edited count: %v", err)
	}
}

// wantCounted compares what is counted with doses by number, in any state.
func (r *rig) wantCounted(when string, first, second int64) {
	r.t.Helper()
	var got [3]int64
	for key, s := range r.counted() {
		if c, ok := statistics.ParseKey(key); ok && c.Dose > 0 {
			if s.N < 0 {
				r.t.Errorf("%s: %s is %d", when, key, s.N)
			}
			got[c.Dose] += s.N
		}
	}
	if got[1] != first || got[2] != second {
		r.t.Errorf("%s: %d first and %d second doses are counted, want %d and %d", when, got[1], got[2], first, second)
	}
}
