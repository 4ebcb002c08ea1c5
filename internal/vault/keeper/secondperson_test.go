package keeper_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// enrolled enrols a staff key of a human.
func (r *rig) enrolled(role string, centre id.Centre, name, person string) harness.StaffKey {
	r.t.Helper()
	k, err := harness.NewStaffKey(role, int64(centre))
	if err != nil {
		r.t.Fatal(err)
	}
	got, err := r.k.EnrolStaff(r.t.Context(), vault.StaffEnrolRequest{Name: name, Person: person, Role: role, Centre: centre, PublicJWK: jwk(r.t, k)})
	if err != nil {
		r.t.Fatal(err)
	}
	k.Staff = string(got.Staff)
	return k
}

func (r *rig) waitingAt(k harness.StaffKey, correction string) (vault.Corrections, error) {
	url := fmt.Sprintf("%s?center_id=%d", correctionsURL, k.Centre)
	if correction != "" {
		url += "&correction_id=" + correction
	}
	return r.k.Corrections(r.t.Context(), vault.CorrectionsRequest{Signed: r.signGet(k, url, vault.Evidence{})})
}

func (c *centre) propose(manager harness.StaffKey, body map[string]any) string {
	c.t.Helper()
	got, err := c.k.Propose(c.t.Context(), vault.ProposeRequest{Signed: c.sign(manager, correctionsURL, body), Person: c.person})
	if err != nil {
		c.t.Fatal(err)
	}
	return got.Correction
}

func (c *centre) approve(second harness.StaffKey, body any) error {
	_, err := c.k.Approve(c.t.Context(), vault.ApproveRequest{Signed: c.sign(second, correctionsURL+"/approve", body), Person: c.person, Record: c.records(c.person)[0]})
	return err
}

// TestSecondPersonIsAnother: two keys of one human do not approve each other, with
// the number of the member of staff or with the name alone; the second person finds
// what waits, and the person it names sees that it was shown.
func TestSecondPersonIsAnother(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	event := c.events(c.holder, c.person)[0].Event
	first, again := c.enrolled("manager", 7, "Asha  Staff", ""), c.enrolled("manager", 7, "asha staff", "")
	numbered, also := c.enrolled("manager", 7, "Ravi Staff", "E-17"), c.enrolled("manager", 7, "R. Staff", "e-17")
	third := c.enrolled("manager", 7, "Asha Staff", "E-18")
	for name, pair := range map[string][2]harness.StaffKey{"one name": {first, again}, "one number": {numbered, also}} {
		body := c.correctionBody("revoke", event, c.ref, nil)
		body["correction_id"] = c.propose(pair[0], c.correctionBody("revoke", event, c.ref, nil))
		if err := c.approve(pair[1], body); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
		got, err := c.waitingAt(pair[1], "")
		if err != nil || len(got.Waiting) == 0 || len(got.Receipts) != 1 {
			t.Fatalf("%+v %v", got, err)
		}
		for _, w := range got.Waiting {
			if w.Body != "" || w.Kind != "revoke" || (string(w.By) == pair[0].Staff) != w.Mine || w.Expires-w.At != (30*24*time.Hour).Milliseconds() || w.NotBefore != w.At {
				t.Errorf("%s: %+v", name, w)
			}
		}
	}
	list, err := c.waitingAt(third, "")
	if err != nil || len(list.Waiting) != 2 || list.Waiting[0].Mine || list.ViewRef != "" {
		t.Fatalf("%+v %v", list, err)
	}
	for name, k := range map[string]harness.StaffKey{"a vaccinator": c.vaccinator, "another centre's": c.staff("manager", 8)} {
		k.Centre = 7
		if _, err := c.waitingAt(k, ""); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := c.enrolled("manager", 8, "Uma Staff", "")
	if _, err := c.waitingAt(other, list.Waiting[0].ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a proposal of another centre: %v", err)
	}
	one, err := c.waitingAt(third, list.Waiting[0].ID)
	if err != nil || len(one.Waiting) != 1 || one.ViewRef == "" || !strings.Contains(one.Waiting[0].Body, string(event)) {
		t.Fatalf("%+v %v", one, err)
	}
	seen, err := c.k.Openings(t.Context(), vault.OpeningsRequest{Holder: c.holder, Limit: 200})
	if err != nil || !slices.ContainsFunc(seen.Entries, func(o vault.Opening) bool {
		return o.Kind == "opening" && o.Role == "manager" && o.ViewRef == one.ViewRef
	}) {
		t.Errorf("the person does not see that the proposal was shown: %v", err)
	}
	if err := c.approve(third, json.RawMessage(one.Waiting[0].Body)); err != nil {
		t.Errorf("the body as it was shown: %v", err)
	}
	if got, err := c.waitingAt(third, ""); err != nil || len(got.Waiting) != 1 {
		t.Errorf("after the approval: %+v %v", got, err)
	}
	c.advance(31 * 24 * time.Hour)
	if got, err := c.waitingAt(third, ""); err != nil || len(got.Waiting) != 0 {
		t.Errorf("after a month: %+v %v", got, err)
	}
	acts, err := c.k.SecondPersonActs(t.Context(), vault.SecondPersonRequest{})
	if err != nil || len(acts.Acts) != 0 {
		t.Errorf("a centre with enough staff is on the public list: %+v %v", acts, err)
	}
	c.audit()
}

// TestSmallCentre: with fewer than three people a proposal waits a day and is on the
// public list, which names nobody.
func TestSmallCentre(t *testing.T) {
	c := newCentre(t, nil)
	w := c.write(c.vaccinator, c.without(nil))
	got, err := c.handOver(w, c.person)
	if err != nil {
		t.Fatal(err)
	}
	c.store(got.Seal, true)
	keys, err := c.k.StaffCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range keys.Staff { // whoever opened the session
		if s.Centre == 7 && string(s.Staff) != c.vaccinator.Staff {
			if _, err := c.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: s.Staff}); err != nil {
				t.Fatal(err)
			}
		}
	}
	manager := c.enrolled("manager", 7, "Asha Staff", "E-1")
	c.enrolled("vaccinator", 7, "Asha Staff", "E-1") // a second key makes no third person
	ask := func() map[string]any {
		return c.correctionBody("confirm", w.event, c.ref, map[string]any{"person_seen": true})
	}
	name := c.propose(manager, ask())
	body := ask()
	body["correction_id"] = name
	err = c.approve(c.vaccinator, body)
	if !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "wait" || fault.RetryAfter(err) != 24*time.Hour {
		t.Fatalf("at once: %v, wait %v", err, fault.RetryAfter(err))
	}
	public := func() vault.SecondPersonAct {
		t.Helper()
		acts, err := c.k.SecondPersonActs(t.Context(), vault.SecondPersonRequest{})
		if err != nil || len(acts.Acts) != 1 || acts.More {
			t.Fatalf("%+v %v", acts, err)
		}
		return acts.Acts[0]
	}
	if a := public(); a.ID != name || a.Centre != 7 || a.Kind != "confirm" || a.NotBefore-a.At != (24*time.Hour).Milliseconds() || a.Done != 0 {
		t.Errorf("%+v", a)
	}
	c.advance(24*time.Hour - time.Second)
	if err := c.approve(c.vaccinator, body); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second early: %v", err)
	}
	c.advance(time.Second)
	if err := c.approve(c.vaccinator, body); err != nil {
		t.Errorf("after a day: %v", err)
	}
	if a := public(); a.Done != c.clock().UnixMilli() {
		t.Errorf("carried out: %+v", a)
	}
	if acts, err := c.k.SecondPersonActs(t.Context(), vault.SecondPersonRequest{After: name}); err != nil || len(acts.Acts) != 0 {
		t.Errorf("the next page: %+v %v", acts, err)
	}
	c.enrolled("vaccinator", 7, "Ravi Staff", "E-3") // three now
	next := c.propose(manager, c.correctionBody("revoke", w.event, c.ref, nil))
	if list, err := c.waitingAt(manager, ""); err != nil || len(list.Waiting) != 1 || list.Waiting[0].ID != next || list.Waiting[0].NotBefore != list.Waiting[0].At {
		t.Errorf("%+v %v", list, err)
	}
	c.audit()
}

// TestProposalOfAnEndedKey: what a key proposed that was ended since, perhaps because
// it was stolen, is approved by nobody.
func TestProposalOfAnEndedKey(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	stolen, second := c.enrolled("manager", 7, "Stolen", "E-1"), c.enrolled("manager", 7, "Second", "E-2")
	c.enrolled("manager", 7, "Third", "E-3")
	body := c.correctionBody("revoke", c.events(c.holder, c.person)[0].Event, c.ref, nil)
	body["correction_id"] = c.propose(stolen, body)
	if _, err := c.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: id.Staff(stolen.Staff)}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, c.approve(second, body), fault.Conflict)
	if ev := c.events(c.holder, c.person); ev[0].Status != "confirmed" {
		t.Errorf("%+v", ev)
	}
}
