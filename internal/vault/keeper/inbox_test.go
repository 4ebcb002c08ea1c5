package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// item is a dose without evidence as the web role seals it.
func (c *centre) item(k harness.StaffKey, changes map[string]any, edit func(*vault.InboxItem)) vault.AcceptRequest {
	c.t.Helper()
	body := c.body(changes)
	if changes["security_code"] == nil {
		delete(body, "security_code")
	}
	it := vault.InboxItem{Signed: c.sign(k, doseURL, body), Received: c.clock().UnixMilli()}
	if edit != nil {
		edit(&it)
	}
	keys, err := c.k.Keys(c.t.Context(), vault.Empty{})
	if err != nil {
		c.t.Fatal(err)
	}
	event := vault.InboxEvent(it.Signed.Proof)
	sealed, err := vault.SealInbox(keys.Inbox, keys.Realm, event, it)
	if err != nil {
		c.t.Fatal(err)
	}
	return vault.AcceptRequest{Event: event, Sealed: sealed, Person: c.person, Record: c.records(c.person)[0]}
}

func (c *centre) accept(r vault.AcceptRequest, want string) vault.Accepted {
	c.t.Helper()
	got, err := c.k.AcceptDose(c.t.Context(), r)
	if err != nil || got.Verdict != want {
		c.t.Fatalf("%+v %v, want %s", got.Verdict, err, want)
	}
	return got
}

// TestAcceptedOnce: an item may be handed over any number of times, before and
// after it is stored, and when another change was first; it is one dose.
func TestAcceptedOnce(t *testing.T) {
	c := newCentre(t, nil)
	r := c.item(c.vaccinator, nil, nil)
	first, again := c.accept(r, vault.InboxSealed), c.accept(r, vault.InboxSealed)
	if len(first.Seal.Parts) != 1 || first.Seal.ID != again.Seal.ID {
		t.Fatalf("%+v, then %+v", first.Seal, again.Seal)
	}
	d, err := c.dose(c.vaccinator, c.person, c.body(nil)) // a rival is stored first
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	r.Record = c.records(c.person)[0]
	next := c.accept(r, vault.InboxSealed)
	if len(next.Seal.Parts) != 1 || next.Seal.ID == first.Seal.ID {
		t.Fatalf("overtaken and lost: %+v", next.Seal)
	}
	c.store(next.Seal, true)
	r.Record = c.records(c.person)[0]
	if got := c.accept(r, vault.InboxSealed); len(got.Seal.Parts) != 0 {
		t.Errorf("a dose twice: %+v", got.Seal)
	}
	twin := c.item(c.vaccinator, nil, nil) // the same dose, signed anew
	if got := c.accept(twin, vault.InboxSealed); len(got.Seal.Parts) != 0 {
		t.Errorf("the same dose twice: %+v", got.Seal)
	}
	o, err := c.k.Doses(t.Context(), vault.DosesRequest{Holder: c.holder, Records: c.records(c.person)})
	if err != nil || len(o.Events) != 2 || o.Events[1].Status != "unconfirmed" {
		t.Fatalf("%+v %v", o.Events, err)
	}
	c.audit()
}

// TestNobodysDose: what fits nobody, waited too long, or whose author was
// dismissed meanwhile is the manager's to judge, however often it is asked.
func TestNobodysDose(t *testing.T) {
	c := newCentre(t, nil)
	none := c.item(c.vaccinator, nil, nil)
	none.Person, none.Record = "", vault.Record{}
	stranger := c.register("0000000052", 52)
	other := c.item(c.vaccinator, nil, nil)
	other.Person, other.Record = stranger.person, c.records(stranger.person)[0]
	old := c.item(c.vaccinator, map[string]any{"dose_date": c.today().AddDays(-3).Indian()}, nil)
	for range 2 {
		c.accept(none, vault.InboxNobody)
		c.accept(other, vault.InboxNobody)
		c.accept(old, vault.InboxNobody)
	}
	late := c.item(c.vaccinator, nil, nil)
	c.advance(25 * time.Hour)
	c.accept(late, vault.InboxNobody)
	ended := c.item(c.vaccinator, nil, nil)
	if _, err := c.k.DisableStaff(t.Context(), vault.StaffDisableRequest{Staff: id.Staff(c.vaccinator.Staff)}); err != nil {
		t.Fatal(err)
	}
	c.accept(ended, vault.InboxNobody)
	c.audit()
}

// TestForgedItem: who holds the inbox's public key, as the web role does, seals
// whatever it likes; the vault takes only what a vaccinator of the centre signed.
func TestForgedItem(t *testing.T) {
	c := newCentre(t, nil)
	unknown, err := harness.NewStaffKey("vaccinator", int64(testCentre))
	if err != nil {
		t.Fatal(err)
	}
	moved := c.item(c.vaccinator, nil, nil)
	moved.Event = id.Event(id.New())
	for name, r := range map[string]vault.AcceptRequest{
		"a key nobody enrolled":    c.item(unknown, nil, nil),
		"a manager":                c.item(c.manager, nil, nil),
		"another body":             c.item(c.vaccinator, nil, func(it *vault.InboxItem) { it.Signed.Body = append(it.Signed.Body, ' ') }),
		"another address":          c.item(c.vaccinator, nil, func(it *vault.InboxItem) { it.Signed.URL += "x" }),
		"another time":             c.item(c.vaccinator, nil, func(it *vault.InboxItem) { it.Received -= time.Hour.Milliseconds() }),
		"from the future":          c.item(c.vaccinator, nil, func(it *vault.InboxItem) { it.Received += time.Hour.Milliseconds() }),
		"sealed for another event": moved,
		"not sealed to this vault": {Event: moved.Event, Sealed: make([]byte, 2000), Person: c.person, Record: c.records(c.person)[0]},
		"no dose":                  c.item(c.vaccinator, map[string]any{"vaccine": "WATER"}, nil),
	} {
		got, err := c.k.AcceptDose(t.Context(), r)
		if err != nil || got.Verdict != vault.InboxRefused || len(got.Seal.Parts) != 0 {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	c.audit()
}

// TestInboxClock: a dose that was acknowledged is not refused for good because
// the vault's clock is behind the web role's; it waits.
func TestInboxClock(t *testing.T) {
	c := newCentre(t, nil)
	r := c.item(c.vaccinator, nil, nil)
	c.advance(-10 * time.Minute)
	if got, err := c.k.AcceptDose(t.Context(), r); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("%+v %v", got, err)
	}
	c.advance(10 * time.Minute)
	c.accept(r, vault.InboxSealed)
	c.audit()
}
