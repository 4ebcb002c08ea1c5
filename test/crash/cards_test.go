package crash

import (
	"encoding/json"
	"fmt"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

// cardActs are the acts about people with a card.
func cardActs() []act {
	return []act{
		{name: "walk-in", points: []string{"walkin:after-vault", "enrol:after-person", "enrol:after-member"}, commits: map[string]int{"web": 4, "vault": 2},
			shared: map[string]int{"web": 1}, // as in enrol
			scene:  (*lane).household, do: walkIn, result: "beneficiary_reference_id", done: walkedIn},
		{name: "onspot", points: []string{"book:after-hold", "book:after-vault", "book:after-bind", "book:after-confirm", "open:after-receipt"},
			commits: map[string]int{"web": 4, "vault": 3}, scene: (*lane).there, do: onspot, result: "appointment_confirmation_no", done: booked, extra: true},
		{name: "link", points: []string{"link:after-vault", "link:after-member"}, commits: map[string]int{"web": 2, "vault": 2},
			scene: (*lane).carded, do: link, result: "beneficiary_reference_id", done: linked},
		{name: "merge", points: []string{"merge:after-vault", "merge:after-store", "open:after-receipt"}, commits: map[string]int{"web": 2, "vault": 3},
			scene: (*lane).twice, do: merge, done: merged, gone: true},
		{name: "new card", commits: map[string]int{"vault": 1}, scene: (*lane).person, do: newCard, done: oneCard},
	}
}

func (l *lane) signed(c *harness.Client, path string, body any) (harness.Answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return harness.Answer{}, err
	}
	proof, err := l.vaccinator.Sign(harness.Claims("POST", l.s.API+path, raw, l.s.Now()))
	if err != nil {
		return harness.Answer{}, err
	}
	return c.Do("POST", path, raw, "DPoP", proof)
}

const peopleQuery = "SELECT count(*) FROM person"

func walkIn(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	if w.people == "" {
		w.people = l.s.Cell(harness.VaultDB, "SELECT count(*) + 1 FROM person")
	}
	return l.signed(c, harness.WalkInPath, harness.Person{Name: "Asha Test", ID: w.id}.Form())
}

// walkedIn: exactly one person more, however often it was asked.
func walkedIn(l *lane, w *who) string {
	if n := l.s.Cell(harness.VaultDB, peopleQuery); n != w.people {
		return n + " people in the vault, want " + w.people
	}
	return ""
}

// there is somebody who walked in, with their card's session.
func (l *lane) there() *who {
	l.t.Helper()
	w := &who{card: l.s.WalkIn(harness.Person{Name: "Asha Test"})}
	w.c, w.ref = l.s.Client().ByCard(w.card), w.card.Reference
	return w
}

func onspot(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return l.signed(c, harness.OnspotPath, harness.OnspotForm(l.day, w.card, 1))
}

// carded is a household without people, and the card of somebody who walked in.
func (l *lane) carded() *who {
	l.t.Helper()
	w := l.household()
	w.card = l.s.WalkIn(harness.Person{Name: "Asha Test"})
	return w
}

func link(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", harness.LinkPath, map[string]any{"card": w.card.Text, "pin": w.card.PIN})
}

func linked(_ *lane, w *who) string {
	p, fault := look(w, 1, 0)
	if fault == "" && p.Reference != w.card.Reference {
		fault = "another person was linked"
	}
	return fault
}

// twice is a household in which one person is registered twice.
func (l *lane) twice() *who {
	l.t.Helper()
	w := l.person()
	w.other = w.c.Enrol("Asha Test")
	return w
}

func merge(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", harness.MergePath, map[string]any{"keep": w.ref, "merge": w.other})
}

func merged(_ *lane, w *who) string {
	p, fault := look(w, 1, 0)
	if fault == "" && p.Reference != w.ref {
		fault = "the other registration goes on"
	}
	return fault
}

func newCard(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": w.ref}, "Idempotency-Key", w.key)
}

// oneCard: however often it was asked, one card of theirs opens.
func oneCard(l *lane, w *who) string {
	person := l.s.PersonOf(w.ref)
	live := 0
	for _, row := range l.s.Column(harness.VaultDB, "SELECT content FROM card") {
		var card struct {
			Person id.Person
			State  string
		}
		if json.Unmarshal([]byte(row), &card) == nil && card.Person == id.Person(person) && card.State == state.CardLive {
			live++
		}
	}
	if live != 1 {
		return fmt.Sprintf("%d cards open, want one", live)
	}
	return ""
}
