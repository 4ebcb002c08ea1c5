package keeper_test

import (
	"testing"

	"tikakosh/internal/vault"
)

// TestToldOfOwnActs: the household is told when somebody with its code or card makes a card,
// deletes a person or lets one leave: it may be somebody else. The message has no place for
// anything of the person.
func TestToldOfOwnActs(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	for _, kind := range []string{"card-made", "removed", "left"} {
		if sent := c.messages(kind, 0); len(sent) != 0 {
			t.Fatalf("%s before anything was done: %+v", kind, sent)
		}
	}
	told := func(kind string) {
		t.Helper()
		sent := c.messages(kind, 1)
		if len(sent) != 1 || sent[0].Mobile == "" || len(sent[0].Params) != 0 {
			t.Errorf("%s: %+v", kind, sent)
		}
	}
	h, people := c.family("0000000209", 2)
	must[vault.NewCard](t)(c.k.NewCard(t.Context(), vault.NewCardRequest{Holder: h, Person: people[0]}))
	told("card-made")
	if _, err := c.k.Remove(t.Context(), vault.RemoveRequest{Holder: h, Record: c.records(people[1])[0]}); err != nil {
		t.Fatal(err)
	}
	told("removed")
	must[vault.Left](t)(c.k.Leave(t.Context(), vault.LeaveRequest{Holder: c.holder, Record: c.records(c.person)[0]}))
	told("left")
}

// TestToldOfTakenBack: whoever has a household's code, and no device that could be new, takes back
// the complaint about themselves; the household hears of it, once.
func TestToldOfTakenBack(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 1)
	asked := must[vault.Request](t)(r.asks(h, people[0], vault.RequestOpening, "k", func(m *vault.RequestMake) { m.Entry = r.entryOf(h, people[0], "opening", "access history") }))
	other, _ := r.family("0000000202", 1)
	if _, err := r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: other, Tracking: asked.Tracking}); err == nil || len(r.messages("taken-back", 0)) != 0 {
		t.Fatalf("a stranger takes it back: %v", err)
	}
	thief := r.signIn("0000000201")
	for range 2 {
		must[vault.Request](t)(r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: thief, Tracking: asked.Tracking}))
	}
	if sent := r.messages("taken-back", 1); len(sent) != 1 || sent[0].Mobile == "" || len(sent[0].Params) != 0 {
		t.Errorf("told: %+v", sent)
	}
	r.audit()
}
