package keeper_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

const (
	askURL    = "https://api.example/api/v2/auth/public/generateOTP"
	answerURL = "https://api.example/api/v2/auth/public/confirmOTP"
)

// device is a browser's key.
func device(t *testing.T) *harness.StaffKey {
	t.Helper()
	k, err := harness.NewStaffKey("", 0)
	if err != nil {
		t.Fatal(err)
	}
	return &k
}

func (r *rig) signedBy(k *harness.StaffKey, url string) *vault.Signed {
	r.t.Helper()
	if k == nil {
		return nil
	}
	s := r.sign(*k, url, map[string]string{"x": "y"})
	return &s
}

// on signs in on a device; nil is a client without a key.
func (r *rig) on(k *harness.StaffKey, mobile string) vault.Holder {
	r.t.Helper()
	r.forget()
	ctx := r.t.Context()
	iss, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24", Device: r.signedBy(k, askURL)})
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := r.k.ConfirmCode(ctx, vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: "192.0.2.0/24", Device: r.signedBy(k, answerURL)})
	if err != nil {
		r.t.Fatal(err)
	}
	return vault.Holder{Bearer: s.Bearer, Origin: "192.0.2.0/24"}
}

// sees opens the household and tells how much is shown: "all", "masked" or an error's kind.
func (r *rig) sees(h vault.Holder, people ...id.Person) string {
	r.t.Helper()
	o, err := r.k.Open(r.t.Context(), vault.OpenRequest{Holder: h, Records: r.records(people...)})
	if err != nil {
		return string(fault.KindOf(err))
	}
	if len(o.People) != len(people) {
		r.t.Fatalf("%d people, want %d", len(o.People), len(people))
	}
	for _, p := range o.People {
		full := p.Name == "Asha Test" && p.BirthYear != 0 && p.MobileLast4 != ""
		initials := p.Name == "A. T." && p.BirthYear == 0 && p.IDLast4 == "" && p.MobileLast4 == "" && len(p.Reference) == 14 && !strings.Contains(string(p.Reference), "*")
		if full == initials || initials != o.Masked || o.Masked != o.Waiting {
			r.t.Fatalf("neither all nor masked: %+v", o)
		}
	}
	if o.Waiting {
		return "masked"
	}
	return "all"
}

func (r *rig) wantSees(h vault.Holder, want string, people ...id.Person) {
	r.t.Helper()
	if got := r.sees(h, people...); got != want {
		r.t.Errorf("sees %s, want %s", got, want)
	}
}

// TestNewDevice (R57): the right code on a device that is new to the household opens
// initials; the number and the other channel are told; booking goes on; a day later, or
// when the other channel speaks for it, it sees all.
func TestNewDevice(t *testing.T) {
	r := newRig(t)
	const mobile = "0000000401"
	own, thief := device(t), device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	asha1 := e.Seal.Person
	r.wantSees(h, "all", asha1)
	if got := r.messages("newdevice", 0); len(got) != 0 {
		t.Errorf("the first registration is told of a new device: %+v", got)
	}
	txn, code := r.askEmail(h, "asha@mail.example")
	if err := r.answerEmail(h, txn, code); err != nil {
		t.Fatal(err)
	}

	for name, k := range map[string]*harness.StaffKey{"another device": thief, "a client without a key": nil} {
		s := r.on(k, mobile)
		if mobiles, emails := where(r.messages("newdevice", 2)); len(mobiles) != 1 || len(emails) != 1 {
			t.Errorf("%s: told %v %v", name, mobiles, emails)
		}
		r.wantSees(s, "masked", asha1)
		r.refusedNew(s, asha1)
	}
	s := r.on(thief, mobile)
	r.mustBook(s, "hold-1", 1, r.site("COVISHIELD").offer, asha1)
	list, err := r.k.Devices(t.Context(), s)
	if err != nil || !list.Waiting || !list.Other || len(list.Devices) != 1 || !list.Devices[0].This || list.Devices[0].State != vault.DeviceWaiting || list.Devices[0].Until == 0 {
		t.Errorf("what a new device sees of the list: %+v %v", list, err)
	}
	r.wantSees(r.on(own, mobile), "all", asha1)

	// The other channel speaks for it.
	got, err := r.k.DeviceCode(t.Context(), vault.DeviceCodeRequest{Holder: s, Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	sent := r.messages("code-device", 1)
	if len(sent) != 1 || sent[0].Email != "asha@mail.example" || sent[0].Mobile != "" {
		t.Fatalf("%+v", sent)
	}
	answer := vault.DeviceAnswer{Holder: h, Txn: got.Txn, Digest: sha(sent[0].Params["code"])}
	if _, err := r.k.DeviceConfirm(t.Context(), answer); !fault.Is(err, fault.Invalid) {
		t.Errorf("another session's answer: %v", err)
	}
	answer.Holder = s
	if _, err := r.k.DeviceConfirm(t.Context(), answer); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.DeviceConfirm(t.Context(), answer); !fault.Is(err, fault.Invalid) {
		t.Errorf("the same answer again: %v", err)
	}
	r.wantSees(s, "all", asha1)
	r.wantSees(r.on(thief, mobile), "all", asha1)

	// A day later a client is trusted that nobody ended.
	r.advance(25 * time.Hour)
	r.wantSees(r.on(nil, mobile), "all", asha1)
	r.audit()
}

// refusedNew asks for everything that a new device may not have.
func (r *rig) refusedNew(h vault.Holder, person id.Person) {
	r.t.Helper()
	ctx, rec := r.t.Context(), r.records(person)[0]
	for name, f := range map[string]func() error{
		"history": func() error { _, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: h}); return err },
		"certificate": func() error {
			_, err := r.k.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: rec})
			return err
		},
		"slip": func() error {
			_, err := r.k.Slip(ctx, vault.SlipRequest{Holder: h, Hold: "x", Records: r.records(person)})
			return err
		},
		"doses": func() error {
			_, err := r.k.Doses(ctx, vault.DosesRequest{Holder: h, Records: r.records(person)})
			return err
		},
		"card":   func() error { _, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: h, Person: person}); return err },
		"delete": func() error { _, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: h, Record: rec}); return err },
		"leave":  func() error { _, err := r.k.Leave(ctx, vault.LeaveRequest{Holder: h, Record: rec}); return err },
		"e-mail": func() error {
			_, err := r.k.EmailCode(ctx, vault.EmailRequest{Holder: h, Email: "x@mail.example"})
			return err
		},
		"no e-mail": func() error { _, err := r.k.EmailDrop(ctx, h); return err },
		"its state": func() error { _, err := r.k.EmailState(ctx, h); return err },
		"PIN":       func() error { _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: "482913"}); return err },
		"no PIN":    func() error { _, err := r.k.PINEnd(ctx, vault.PINEndRequest{Holder: h}); return err },
		"end":       func() error { _, err := r.k.DeviceEnd(ctx, vault.DeviceEndRequest{Holder: h, ID: "x"}); return err },
		"link":      func() error { _, err := r.k.Link(ctx, vault.LinkRequest{Holder: h, Card: "x", PIN: "1"}); return err },
	} {
		if err := f(); !fault.Is(err, fault.Forbidden) {
			r.t.Errorf("%s on a new device: %v", name, err)
		}
	}
}

// TestClientsWithoutKey: who uses clients without a key only is never asked for more, for as
// long as they like.
func TestClientsWithoutKey(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000402", 2)
	for _, after := range []time.Duration{0, time.Hour, 24 * time.Hour, 95 * 24 * time.Hour} {
		r.advance(after)
		h = r.on(nil, "0000000402")
		r.wantSees(h, "all", people...)
	}
	if got := r.messages("newdevice", 0); len(got) != 0 {
		t.Errorf("told of a new device: %+v", got)
	}
	list, err := r.k.Devices(t.Context(), h)
	if err != nil || list.Waiting || len(list.Devices) != 0 || list.PIN != vault.PINNone {
		t.Errorf("%+v %v", list, err)
	}
}

// TestDeviceBinding: a code asked for on a device is good on that one only, and a session
// ends with its device.
func TestDeviceBinding(t *testing.T) {
	r := newRig(t)
	const mobile = "0000000403"
	ctx := t.Context()
	a, b := device(t), device(t)
	for name, by := range map[string]*harness.StaffKey{"another key": b, "no key": nil} {
		r.forget()
		iss, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24", Device: r.signedBy(a, askURL)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.k.ConfirmCode(ctx, vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: "192.0.2.0/24", Device: r.signedBy(by, answerURL)}); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.k.ConfirmCode(ctx, vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: "192.0.2.0/24", Device: r.signedBy(a, answerURL)}); err != nil {
			t.Errorf("the key itself, afterwards: %v", err)
		}
	}
	proof := r.signedBy(a, askURL)
	proof.Body = []byte("another")
	if _, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: mobile, Device: proof}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a proof of another request: %v", err)
	}
	h := r.on(a, mobile)
	e := r.enrol(h, "k", asha(3))
	r.store(e.Seal, true)
	s := r.on(b, mobile)
	list, err := r.k.Devices(ctx, h)
	if err != nil || len(list.Devices) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, d := range list.Devices {
		if !d.This {
			if _, err := r.k.DeviceEnd(ctx, vault.DeviceEndRequest{Holder: h, ID: d.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.wantSees(s, "unauthorized", e.Seal.Person)
	r.wantSees(h, "all", e.Seal.Person)
	if _, err := r.k.DeviceEnd(ctx, vault.DeviceEndRequest{Holder: h, ID: "0000000000000000"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody's device: %v", err)
	}
}

// TestCardConfirms: a card of the household speaks for a device.
func TestCardConfirms(t *testing.T) {
	r := newRig(t)
	const mobile = "0000000404"
	h := r.on(device(t), mobile)
	e := r.enrol(h, "k", asha(4))
	r.store(e.Seal, true)
	card, err := r.k.NewCard(t.Context(), vault.NewCardRequest{Holder: h, Person: e.Seal.Person})
	if err != nil {
		t.Fatal(err)
	}
	s := r.on(device(t), mobile)
	show := func(pin string) error {
		_, err := r.k.ShowCard(t.Context(), vault.ShowCardRequest{Holder: s, Card: card.Card, PIN: pin})
		return err
	}
	if err := show(wrongPIN(card.PIN)); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	r.wantSees(s, "masked", e.Seal.Person)
	if err := show(card.PIN); err != nil {
		t.Fatal(err)
	}
	r.wantSees(s, "all", e.Seal.Person)
}

// TestHousePIN (R58): ten wrong ones lock it, a card opens the lock, and no day of waiting
// takes its place.
func TestHousePIN(t *testing.T) {
	r := newRig(t)
	const mobile, pin = "0000000405", "482913"
	ctx := t.Context()
	own := device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(5))
	r.store(e.Seal, true)
	card, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: h, Person: e.Seal.Person})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: "123456"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an easy one: %v", err)
	}
	if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: pin}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: "592031", Old: "592030"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("changed without the old one: %v", err)
	}
	if strings.Contains(r.dump("household"), pin) {
		t.Error("the PIN lies open in the database")
	}
	give := func(s vault.Holder, pin string) error {
		_, err := r.k.PINGive(ctx, vault.PINAnswer{Holder: s, PIN: pin})
		return err
	}
	other := device(t)
	r.on(other, mobile)
	r.advance(26 * time.Hour)
	s := r.on(other, mobile)
	r.wantSees(s, "masked", e.Seal.Person) // time alone is no PIN
	for n := range 8 {                     // the ninth: PINSet counted the wrong old one
		if err := give(s, fmt.Sprintf("48291%d", (n+4)%10)); !fault.Is(err, fault.Invalid) {
			t.Fatalf("guess %d: %v", n, err)
		}
	}
	if err := give(s, pin); err != nil {
		t.Fatalf("the right one at the tenth try: %v", err)
	}
	r.wantSees(s, "all", e.Seal.Person)
	client := r.on(nil, mobile)
	r.wantSees(client, "masked", e.Seal.Person)
	for range 10 {
		if err := give(client, "000001"); !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	}
	if err := give(client, pin); !fault.Is(err, fault.Invalid) {
		t.Errorf("the right one after ten wrong ones: %v", err)
	}
	if list, err := r.k.Devices(ctx, r.on(own, mobile)); err != nil || list.PIN != vault.PINLocked {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := r.k.ShowCard(ctx, vault.ShowCardRequest{Holder: client, Card: card.Card, PIN: card.PIN}); err != nil {
		t.Fatal(err)
	}
	r.wantSees(client, "all", e.Seal.Person)
	client = r.on(nil, mobile)
	r.wantSees(client, "masked", e.Seal.Person)
	if err := give(client, pin); err != nil {
		t.Errorf("after the card: %v", err)
	}
	r.wantSees(client, "all", e.Seal.Person)
	r.audit()
}

// TestPINRemoval: taken away without being given it goes a day later, the household is told,
// and whoever gives it keeps it; a card that was made meanwhile is no short cut.
func TestPINRemoval(t *testing.T) {
	r := newRig(t)
	const mobile, pin = "0000000406", "482913"
	ctx := t.Context()
	own := device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(6))
	r.store(e.Seal, true)
	set := func(h vault.Holder) {
		t.Helper()
		if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: pin}); err != nil {
			t.Fatal(err)
		}
	}
	end := func(h vault.Holder, pin string) int64 {
		t.Helper()
		got, err := r.k.PINEnd(ctx, vault.PINEndRequest{Holder: h, PIN: pin})
		if err != nil {
			t.Fatal(err)
		}
		return got.Ends
	}
	set(h)
	card, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: h, Person: e.Seal.Person})
	if err != nil {
		t.Fatal(err)
	}
	if got := end(h, ""); got != r.clock().Add(24*time.Hour).UnixMilli() {
		t.Errorf("with a card made in this session: %d", got)
	}
	if got := r.messages("pin-ends", 1); len(got) != 1 || got[0].Mobile != mobile {
		t.Errorf("%+v", got)
	}
	if _, err := r.k.PINEnd(ctx, vault.PINEndRequest{Holder: h, PIN: "592031"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("with a wrong one: %v", err)
	}
	if _, err := r.k.PINGive(ctx, vault.PINAnswer{Holder: h, PIN: pin}); err != nil { // it stays
		t.Fatal(err)
	}
	r.advance(25 * time.Hour)
	h = r.on(own, mobile)
	if list, err := r.k.Devices(ctx, h); err != nil || list.PIN != vault.PINSet {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := r.k.ShowCard(ctx, vault.ShowCardRequest{Holder: h, Card: card.Card, PIN: card.PIN}); err != nil {
		t.Fatal(err)
	}
	if got := end(h, ""); got != 0 {
		t.Errorf("with a card of yesterday: %d", got)
	}
	set(h)
	if got := end(h, pin); got != 0 {
		t.Errorf("given: %d", got)
	}
	set(h)
	h = r.on(own, mobile)
	if got := end(h, ""); got == 0 {
		t.Error("without anything: at once")
	}
	if list, err := r.k.Devices(ctx, h); err != nil || list.PIN != vault.PINEnding {
		t.Errorf("%+v %v", list, err)
	}
	r.advance(23 * time.Hour)
	r.wantSees(r.on(nil, mobile), "masked", e.Seal.Person)
	r.advance(2 * time.Hour)
	if list, err := r.k.Devices(ctx, r.on(own, mobile)); err != nil || list.PIN != vault.PINNone {
		t.Errorf("a day later: %+v %v", list, err)
	}
}

// TestRecycled (R59): after half a year a code opens nothing of those whose number it was.
// It is answered as a number that nobody is registered under; their card, or their PIN on
// the number, gets them back.
func TestRecycled(t *testing.T) {
	r := newRig(t)
	const mobile, pin = "0000000407", "482913"
	ctx := t.Context()
	own := device(t)
	h := r.on(own, mobile)
	e := r.enrol(h, "k", asha(7))
	f := r.enrol(h, "l", asha(8))
	r.store(e.Seal, true)
	r.store(f.Seal, true)
	both := []id.Person{e.Seal.Person, f.Seal.Person}
	card, err := r.k.NewCard(ctx, vault.NewCardRequest{Holder: h, Person: e.Seal.Person})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: pin}); err != nil {
		t.Fatal(err)
	}
	r.advance(189 * 24 * time.Hour)

	back := r.on(own, mobile) // the device itself speaks for them; the PIN is asked after 90 days
	r.wantSees(back, "masked", both...)
	if _, err := r.k.PINGive(ctx, vault.PINAnswer{Holder: back, PIN: pin}); err != nil {
		t.Fatal(err)
	}
	r.wantSees(back, "all", both...)
	r.advance(189 * 24 * time.Hour)

	s := r.on(nil, mobile)
	m, err := r.k.Membership(ctx, s)
	if err != nil || len(m.Members) != 0 {
		t.Fatalf("a stranger with the number: %+v %v", m, err)
	}
	if got := r.messages("newdevice", 0); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if list, err := r.k.Devices(ctx, s); err != nil || list.PIN != vault.PINNone || list.Other || list.Waiting || len(list.Devices) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	byCard, err := r.k.CardSession(ctx, vault.CardAnswer{Card: card.Card, PIN: card.PIN, Origin: "192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := r.k.Open(ctx, vault.OpenRequest{Holder: vault.Holder{Bearer: byCard.Bearer}, Records: r.records(both[0])}); err != nil || len(o.People) != 1 || o.People[0].Name != "Asha Test" {
		t.Errorf("by card: %+v %v", o, err)
	}
	give := func(s vault.Holder, pin string) error {
		_, err := r.k.PINGive(ctx, vault.PINAnswer{Holder: s, PIN: pin})
		return err
	}
	nobody := r.on(nil, "0000000408")
	if a, b := give(s, "592031"), give(nobody, "592031"); a == nil || b == nil || a.Error() != b.Error() {
		t.Errorf("a wrong PIN: %v, and for nobody: %v", a, b)
	}
	if err := give(s, pin); err != nil {
		t.Fatal(err)
	}
	r.wantSees(s, "all", both...)
	again := r.on(nil, mobile)
	r.wantSees(again, "masked", both...) // the PIN is asked of a client each time
	r.audit()

	// The number's new owner registers; then a card takes its person to another number.
	r.advance(190 * 24 * time.Hour)
	s = r.on(nil, mobile)
	g := r.enrol(s, "m", asha(9))
	r.store(g.Seal, true)
	r.wantSees(s, "all", g.Seal.Person)
	if err := give(s, pin); !fault.Is(err, fault.Invalid) {
		t.Errorf("the PIN of before in a household with people: %v", err)
	}
	r.wantSees(s, "all", g.Seal.Person)
	to := r.on(nil, "0000000409")
	if _, err := r.k.Link(ctx, vault.LinkRequest{Holder: to, Card: card.Card, PIN: card.PIN}); err != nil {
		t.Fatal(err)
	}
	r.wantSees(to, "all", both[0])
	r.audit()
}

// TestLinkFromIdle: a card takes its person from a number that was idle, before anybody
// else has it; from one in use it does not.
func TestLinkFromIdle(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000410", 1)
	card, err := r.k.NewCard(t.Context(), vault.NewCardRequest{Holder: h, Person: people[0]})
	if err != nil {
		t.Fatal(err)
	}
	link := func() error {
		_, err := r.k.Link(t.Context(), vault.LinkRequest{Holder: r.on(nil, "0000000411"), Card: card.Card, PIN: card.PIN})
		return err
	}
	if err := link(); !fault.Is(err, fault.Conflict) {
		t.Errorf("in use: %v", err)
	}
	r.advance(189 * 24 * time.Hour)
	if err := link(); err != nil {
		t.Errorf("idle: %v", err)
	}
	r.wantSees(r.on(nil, "0000000411"), "all", people[0])
	r.audit()
}

// TestRecycledAtEveryCommit lets the store fail at the commit in which a number changes
// hands, and at the one in which its PIN takes it back, stored or not: no household is lost,
// doubled, or half with the number.
func TestRecycledAtEveryCommit(t *testing.T) {
	const mobile, pin = "0000000412", "482913"
	for _, persist := range []bool{false, true} {
		store := &failing{}
		r := rigWith(t, func(r *rig) { r.wrap = func(s state.Store) state.Store { store.Store = s; return store } })
		ctx := t.Context()
		h, people := r.family(mobile, 2)
		if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: h, PIN: pin}); err != nil {
			t.Fatal(err)
		}
		r.advance(189 * 24 * time.Hour)
		r.forget()
		iss, err := r.k.RequestCode(ctx, vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24"})
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]fault.Kind{false: fault.Unavailable, true: fault.Unknown}[persist]
		store.arm(1, persist)
		_, err = r.k.ConfirmCode(ctx, vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: "192.0.2.0/24"})
		wantKind(t, err, want)
		if n := r.count("household"); n != map[bool]int{false: 1, true: 2}[persist] {
			t.Errorf("%d households", n)
		}
		s := r.on(nil, mobile)
		if m, err := r.k.Membership(ctx, s); err != nil || len(m.Members) != 0 || r.count("household") != 2 {
			t.Fatalf("%+v %v, %d households", m, err, r.count("household"))
		}
		store.arm(1, persist)
		_, err = r.k.PINGive(ctx, vault.PINAnswer{Holder: s, PIN: pin})
		wantKind(t, err, want)
		if _, err := r.k.PINGive(ctx, vault.PINAnswer{Holder: s, PIN: pin}); err != nil {
			t.Fatalf("repeated: %v", err)
		}
		r.wantSees(s, "all", people...)
		r.audit()
		r.close()
		if err := r.open(); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	}
}

// TestBreaker: beyond the hour's limit whatever is new to a household waits, and only that:
// who comes from a network or on a device that it knows does not, nor does who registers.
func TestBreaker(t *testing.T) {
	r := rigWith(t, func(r *rig) {
		r.cfg.NewDevices = budgets.NewDevices{Percent: 300, Weeks: 4, DistrictFloor: 1, DistrictStart: 100, SystemFloor: 1, SystemStart: 2}
	})
	from := func(mobile, origin string) vault.Holder {
		t.Helper()
		r.forget()
		iss, err := r.k.RequestCode(t.Context(), vault.CodeRequest{Mobile: mobile, Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.k.ConfirmCode(t.Context(), vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		return vault.Holder{Bearer: s.Bearer, Origin: origin}
	}
	const own, thief = "192.0.2.0/24", "198.51.100.0/24"
	var people []id.Person
	mobiles := []string{"0000000421", "0000000422", "0000000423", "0000000424"}
	key := device(t)
	for _, m := range mobiles[:3] {
		_, p := r.family(m, 1)
		people = append(people, p[0])
	}
	h := r.on(key, mobiles[3])
	e := r.enrol(h, "k", asha(77))
	r.store(e.Seal, true)
	for n, want := range []string{"all", "all", "masked"} {
		r.wantSees(from(mobiles[n], thief), want, people[n])
	}
	if n := strings.Count(r.log(), "alarm=new-devices"); n != 1 {
		t.Errorf("%d alarms", n)
	}
	r.wantSees(from(mobiles[2], own), "all", people[2])
	r.wantSees(r.on(key, mobiles[3]), "all", e.Seal.Person)
	waits := r.on(device(t), mobiles[2])
	r.wantSees(waits, "masked", people[2])
	r.mustBook(waits, "hold-1", 1, r.site("COVISHIELD").offer, people[2])
	g, p := r.family("0000000425", 1)
	r.wantSees(g, "all", p[0])
	r.advance(time.Hour)
	r.wantSees(from(mobiles[2], thief), "all", people[2])
	r.wantSees(from(mobiles[2], thief), "all", people[2]) // known by now
	r.audit()
}

// TestFirstDay: one code on a household that used clients only lets a device in, and takes
// nothing from the household: for a day its clients go on, end the device and take its PIN
// away, and an address that was set by it confirms nothing.
func TestFirstDay(t *testing.T) {
	r := newRig(t)
	const mobile, pin = "0000000431", "482913"
	ctx := t.Context()
	_, people := r.family(mobile, 1)
	thief := r.on(device(t), mobile)
	r.wantSees(thief, "all", people...) // nothing tells it from a first device of theirs
	if got := r.messages("newdevice", 1); len(got) != 1 {
		t.Errorf("not told: %+v", got)
	}
	if _, err := r.k.PINSet(ctx, vault.PINRequest{Holder: thief, PIN: pin}); err != nil {
		t.Fatal(err)
	}
	txn, code := r.askEmail(thief, "thief@mail.example")
	if err := r.answerEmail(thief, txn, code); err != nil {
		t.Fatal(err)
	}
	r.advance(23 * time.Hour)
	own := device(t)
	for name, h := range map[string]vault.Holder{"a client": r.on(nil, mobile), "a device": r.on(own, mobile)} {
		if got := r.sees(h, people...); got != "all" {
			t.Errorf("%s of the household's sees %s", name, got)
		}
	}
	h := r.on(nil, mobile)
	list, err := r.k.Devices(ctx, h)
	if err != nil || list.PIN != vault.PINComing || list.From == 0 || len(list.Devices) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := r.k.PINEnd(ctx, vault.PINEndRequest{Holder: h}); err != nil {
		t.Fatal(err)
	}
	if list, err := r.k.Devices(ctx, h); err != nil || list.PIN != vault.PINNone {
		t.Errorf("%+v %v", list, err)
	}
	for _, d := range list.Devices {
		if d.Last != d.Since || d.Since != list.Devices[1].Since {
			continue // the thief's is the older one
		}
		if _, err := r.k.DeviceEnd(ctx, vault.DeviceEndRequest{Holder: h, ID: d.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.sees(thief, people...); got != "unauthorized" {
		t.Errorf("the thief's session sees %s", got)
	}
	r.wantSees(r.on(own, mobile), "all", people...)

	// A day later the household's device is firm: what is new waits, and does not end it.
	r.advance(25 * time.Hour)
	late := r.on(device(t), mobile)
	r.wantSees(late, "masked", people...)
	if _, err := r.k.DeviceCode(ctx, vault.DeviceCodeRequest{Holder: late}); err != nil {
		t.Errorf("an address of a day: %v", err)
	}
	r.audit()
}

// TestBreakerCountsHouseholds: a household that is opened by key after key is one in the
// hour, however many codes its number completes.
func TestBreakerCountsHouseholds(t *testing.T) {
	r := rigWith(t, func(r *rig) {
		r.cfg.NewDevices = budgets.NewDevices{Percent: 300, Weeks: 4, DistrictFloor: 1, DistrictStart: 100, SystemFloor: 1, SystemStart: 3}
	})
	const one, other = "0000000441", "0000000442"
	_, mine := r.family(one, 1)
	_, theirs := r.family(other, 1)
	for range 6 { // nothing tells these from the household's first device
		r.wantSees(r.on(device(t), one), "all", mine...)
	}
	r.wantSees(r.on(device(t), other), "all", theirs...)
	r.advance(time.Hour)
	r.wantSees(r.on(device(t), one), "all", mine...)
	if strings.Contains(r.log(), "alarm=new-devices") {
		t.Error("one number was taken for many")
	}
	r.audit()
}
