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
