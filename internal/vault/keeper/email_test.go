package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// askEmail asks for a code to an address and returns its transaction and code.
func (r *rig) askEmail(h vault.Holder, email string) (txn, code string) {
	r.t.Helper()
	r.forget()
	got, err := r.k.EmailCode(r.t.Context(), vault.EmailRequest{Holder: h, Email: email, Language: "hi"})
	if err != nil {
		r.t.Fatal(err)
	}
	sent := r.messages("code-email", 1)
	if len(sent) != 1 || sent[0].Mobile != "" || sent[0].Language != "hi" || !sent[0].Once {
		r.t.Fatalf("%+v", sent)
	}
	return got.Txn, sent[0].Params["code"]
}

func (r *rig) answerEmail(h vault.Holder, txn, code string) error {
	_, err := r.k.EmailConfirm(r.t.Context(), vault.EmailAnswer{Holder: h, Txn: txn, Digest: sha(code)})
	return err
}

// where tells where messages of a template went.
func where(all []keeper.Notice) (mobiles, emails []string) {
	for _, n := range all {
		if n.Email != "" {
			emails = append(emails, n.Email)
		} else {
			mobiles = append(mobiles, n.Mobile)
		}
	}
	return mobiles, emails
}

// TestEmail: an address gets a household's messages once a code sent to it came
// back from the same household; its change and end are told to it and the mobile.
func TestEmail(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000301", 1)
	stranger := r.signIn("0000000302")
	txn, code := r.askEmail(h, " Asha@Mail.Example ")
	if err := r.answerEmail(stranger, txn, code); !fault.Is(err, fault.Invalid) {
		t.Errorf("another household's answer: %v", err)
	}
	for _, as := range []string{txn, "email/" + txn[6:]} {
		if _, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: as, Digest: sha(code), Origin: "192.0.2.0/24"}); err == nil {
			t.Error("the code of an address signs in")
		}
	}
	if err := r.answerEmail(h, txn, code); err != nil {
		t.Fatal(err)
	}
	if err := r.answerEmail(h, txn, code); !fault.Is(err, fault.Invalid) {
		t.Errorf("the same code again: %v", err)
	}
	if dump := r.dump("household", "challenge", "notice", "counter"); strings.Contains(strings.ToLower(dump), "mail.example") {
		t.Error("the address lies open in the database")
	}
	got, err := r.k.EmailState(t.Context(), h)
	if err != nil || !got.Confirmed || got.Since != r.clock().UnixMilli() {
		t.Errorf("%+v %v", got, err)
	}
	if mobiles, emails := where(r.messages("email-changed", 1)); len(mobiles) != 1 || len(emails) != 0 {
		t.Errorf("the first address: told %v %v", mobiles, emails)
	}
	r.forget()
	h = r.signIn("0000000301")
	if mobiles, emails := where(r.messages("signin", 1)); len(mobiles) != 0 || len(emails) != 1 || emails[0] != "Asha@mail.example" {
		t.Errorf("of a sign-in: told %v %v", mobiles, emails)
	}
	r.mustBook(h, "hold-1", 1, r.site("COVISHIELD").offer, people[0])
	if mobiles, emails := where(r.messages("booking", 2)); len(mobiles) != 1 || len(emails) != 1 {
		t.Errorf("of a booking: told %v %v", mobiles, emails)
	}
	txn, code = r.askEmail(h, "other@mail.example")
	if err := r.answerEmail(h, txn, code); err != nil {
		t.Fatal(err)
	}
	if mobiles, emails := where(r.messages("email-changed", 2)); len(mobiles) != 1 || len(emails) != 1 || emails[0] != "Asha@mail.example" {
		t.Errorf("of a change: told %v %v", mobiles, emails)
	}
	r.forget()
	if _, err := r.k.EmailDrop(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if mobiles, emails := where(r.messages("email-changed", 2)); len(mobiles) != 1 || len(emails) != 1 || emails[0] != "other@mail.example" {
		t.Errorf("of the end: told %v %v", mobiles, emails)
	}
	if _, err := r.k.EmailDrop(t.Context(), h); err != nil {
		t.Error(err)
	}
	if got, err := r.k.EmailState(t.Context(), h); err != nil || got.Confirmed || got.Since != 0 {
		t.Errorf("%+v %v", got, err)
	}
	r.audit()
}

// TestEmailGuess: three tries, three minutes; a bearer of a card, of nobody, and
// what is no address are refused.
func TestEmailGuess(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000303")
	txn, code := r.askEmail(h, "a@mail.example")
	for i := range 3 {
		if err := r.answerEmail(h, txn, fmt.Sprint((int(code[0]-'0')+i+1)%10)+code[1:]); !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	}
	if err := r.answerEmail(h, txn, code); !fault.Is(err, fault.Invalid) {
		t.Errorf("right after three wrong: %v", err)
	}
	txn, code = r.askEmail(h, "a@mail.example")
	r.advance(3*time.Minute + time.Second)
	if err := r.answerEmail(h, txn, code); !fault.Is(err, fault.Invalid) {
		t.Errorf("late: %v", err)
	}
	if err := r.answerEmail(h, id.New(), code); !fault.Is(err, fault.Invalid) {
		t.Errorf("nobody's: %v", err)
	}
	for _, bad := range []string{"", "a", "a@b", "a@mail.example\r\nBcc: b@mail.example", "a b@mail.example", "अ@mail.example", strings.Repeat("a", 65) + "@mail.example"} {
		if _, err := r.k.EmailCode(t.Context(), vault.EmailRequest{Holder: h, Email: bad}); !fault.Is(err, fault.Invalid) || len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	s := r.site("COVISHIELD")
	card := r.byCard(r.walkIn(s.vaccinator, 1))
	for who, holder := range map[string]vault.Holder{"card": card, "nobody": {Bearer: "x"}} {
		_, err1 := r.k.EmailCode(t.Context(), vault.EmailRequest{Holder: holder, Email: "a@mail.example"})
		_, err2 := r.k.EmailState(t.Context(), holder)
		_, err3 := r.k.EmailDrop(t.Context(), holder)
		for _, err := range []error{err1, err2, err3, r.answerEmail(holder, txn, code)} {
			if !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthorized) {
				t.Errorf("%s: %v", who, err)
			}
		}
	}
}

// TestEmailBudgets: five codes a day for a household, and five for an address
// whoever asks.
func TestEmailBudgets(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000304")
	ask := func(h vault.Holder, email string) error {
		_, err := r.k.EmailCode(t.Context(), vault.EmailRequest{Holder: h, Email: email})
		return err
	}
	for i := range 5 {
		if err := ask(h, fmt.Sprintf("a%d@mail.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(h, "b@mail.example"); !fault.Is(err, fault.RateLimited) || fault.RetryAfter(err) == 0 {
		t.Errorf("the sixth of a household: %v", err)
	}
	for i := range 5 {
		if err := ask(r.signIn(fmt.Sprintf("00000031%02d", i)), "victim@mail.example"); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(r.signIn("0000003199"), "victim@mail.example"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the sixth to an address: %v", err)
	}
}

// TestEmailRouteDown: while the mail server is down the messages to mobiles go on,
// each once, and the e-mails come when it is back; an address that no route takes
// is said to be none.
func TestEmailRouteDown(t *testing.T) {
	c := newCentre(t, nil)
	c.messages("booking", 1)
	h, people := c.family("0000000305", 1)
	txn, code := c.askEmail(h, "a@mail.example")
	if err := c.answerEmail(h, txn, code); err != nil {
		t.Fatal(err)
	}
	c.messages("email-changed", 1)
	c.mu.Lock()
	c.route = func(ctx context.Context, n keeper.Notice) error {
		if n.Email == "" {
			return nil
		}
		return fault.New(fault.Unavailable, "courier", "down")
	}
	c.mu.Unlock()
	c.forget()
	c.mustBook(h, "hold-e", 1, c.offer, people[0])
	time.Sleep(600 * time.Millisecond)
	if mobiles, emails := where(c.messages("booking", 1)); len(mobiles) != 1 || len(emails) != 0 {
		t.Errorf("meanwhile: told %v %v", mobiles, emails)
	}
	c.mu.Lock()
	c.route = nil
	c.mu.Unlock()
	for range 100 {
		if _, emails := where(c.messages("booking", 2)); len(emails) == 1 {
			break
		}
	}
	if mobiles, emails := where(c.messages("booking", 2)); len(mobiles) != 1 || len(emails) != 1 {
		t.Errorf("afterwards: told %v %v", mobiles, emails)
	}
	c.mu.Lock()
	c.route = func(context.Context, keeper.Notice) error {
		return fault.New(fault.Invalid, "courier", "no such mailbox")
	}
	c.mu.Unlock()
	if _, err := c.k.EmailCode(t.Context(), vault.EmailRequest{Holder: h, Email: "nobody@mail.example"}); !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "email" {
		t.Error(err)
	}
}
