package keeper_test

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestCardOnce: a form that is pressed twice, or whose answer was lost, makes one card; it is shown
// again for ten minutes, and that is an entry. A card that was replaced does not come back by it.
func TestCardOnce(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 2)
	make1 := func(p int, key string) (vault.NewCard, error) {
		return r.k.NewCard(t.Context(), vault.NewCardRequest{Holder: h, Person: people[p], Key: key})
	}
	first := must[vault.NewCard](t)(make1(0, "form-1"))
	again := must[vault.NewCard](t)(make1(0, "form-1"))
	if first.Card != again.Card || first.PIN != again.PIN || len(first.PIN) != 6 {
		t.Errorf("pressed twice: %+v and %+v", first, again)
	}
	if sent := r.messages("card-made", 1); len(sent) != 1 {
		t.Errorf("told %d times", len(sent))
	}
	if got := strings.Join(r.history(h, people[0]), "\n"); strings.Count(got, "card: issued") != 1 || strings.Count(got, "card: shown again") != 1 || strings.Contains(got, "card: replaced") {
		t.Errorf("%s", got)
	}
	other := must[vault.NewCard](t)(make1(1, "form-1"))
	if other.Card == first.Card || other.PIN == first.PIN && other.Card == first.Card {
		t.Error("two people have one card")
	}
	card := must[vault.Session](t)(r.k.CardSession(t.Context(), vault.CardAnswer{Card: first.Card, PIN: first.PIN, Origin: "192.0.2.0/24"}))
	if card.Bearer == "" {
		t.Error("the card opens nothing")
	}
	second := must[vault.NewCard](t)(make1(0, "form-2"))
	if second.Card == first.Card {
		t.Error("another form makes the same card")
	}
	if _, err := make1(0, "form-1"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a card that was replaced comes back: %v", err)
	}
	if a, b := must[vault.NewCard](t)(make1(1, "")), must[vault.NewCard](t)(make1(1, "")); a.Card == b.Card {
		t.Error("without a key two cards are one")
	}
	r.advance(11 * time.Minute)
	h = r.signIn("0000000201")
	if _, err := make1(0, "form-2"); err == nil { // an adult's own card guards them by now
		t.Error("shown again after eleven minutes")
	}
	if _, err := make1(0, strings.Repeat("x", 201)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a long key: %v", err)
	}
	r.audit()
}

// TestShareOnce: the same for links.
func TestShareOnce(t *testing.T) {
	s := newShared(t)
	make1 := func(days int, key string) (vault.ShareMade, error) {
		return s.l.Make(t.Context(), vault.ShareMakeRequest{Holder: s.holder, Person: s.person, Days: days, Key: key})
	}
	first := must[vault.ShareMade](t)(make1(7, "form-1"))
	again := must[vault.ShareMade](t)(make1(7, "form-1"))
	if first.Token != again.Token || first.Share.ID != again.Share.ID || len(s.list()) != 1 {
		t.Errorf("pressed twice: %+v and %+v, %d links", first, again, len(s.list()))
	}
	if err := s.use(again.Token, strangers); err != nil {
		t.Error(err)
	}
	if sent := s.messages("link-made", 1); len(sent) != 1 {
		t.Errorf("told %d times", len(sent))
	}
	if longer := must[vault.ShareMade](t)(make1(30, "form-1")); longer.Token == first.Token {
		t.Error("30 days are 7")
	}
	if _, err := s.l.End(t.Context(), vault.ShareEndRequest{Holder: s.holder, Person: s.person, ID: first.Share.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := make1(7, "form-1"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a link that was ended comes back: %v", err)
	}
	must[vault.ShareMade](t)(make1(7, "form-2"))
	s.advance(11 * time.Minute)
	s.holder = s.signIn("0000000050")
	if _, err := make1(7, "form-2"); !fault.Is(err, fault.Conflict) {
		t.Errorf("shown again after eleven minutes: %v", err)
	}
}

// TestEndedLinkStaysEnded: a form that is sent once more when its link has ended long ago, and is
// forgotten, makes another link: whoever was given the old one is not let in again.
func TestEndedLinkStaysEnded(t *testing.T) {
	s := newShared(t)
	make1 := func() vault.ShareMade {
		return must[vault.ShareMade](t)(s.l.Make(t.Context(), vault.ShareMakeRequest{Holder: s.holder, Person: s.person, Days: 7, Key: "form-1"}))
	}
	first := make1()
	if _, err := s.l.End(t.Context(), vault.ShareEndRequest{Holder: s.holder, Person: s.person, ID: first.Share.ID}); err != nil {
		t.Fatal(err)
	}
	s.advance(45 * 24 * time.Hour)
	s.holder = s.signIn("0000000050")
	if again := make1(); again.Token == first.Token || s.use(first.Token, strangers) == nil {
		t.Error("a link that was ended opens again")
	}
}
