package keeper

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/loose"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// The budgets of cards (ADR 9).
const (
	walkInsPerDay = 300              // registrations of a staff member in a day (UTC)
	walkInRetry   = time.Hour        // how long the same registration answers the same person
	pinTries      = 5                // wrong PINs in a row before a card locks
	pinWrongMost  = 30               // wrong PINs in a card's life
	pinLock       = 15 * time.Minute // the first lock; each further wrong PIN doubles it
	pinLockMost   = 6                // doublings: 16 hours
)

// walkInFacts is the body of V1 (contract.md 1.7). A mobile number in it is
// neither linked nor looked up (design.md 10): only its form is read.
type walkInFacts struct {
	Mobile      loose.Text `json:"mobile_number"`
	Name        string     `json:"name"`
	NameLocal   string     `json:"name_local"`
	BirthYear   loose.Text `json:"birth_year"`
	BirthDate   string     `json:"birth_date"`
	Gender      loose.Text `json:"gender_id"`
	IDType      loose.Text `json:"photo_id_type"`
	IDNumber    loose.Text `json:"photo_id_number"`
	Comorbidity string     `json:"comorbidity_ind"`
	Consent     loose.Text `json:"consent_version"`
	Guardian    string     `json:"guardian_name"`
}

// parseWalkIn reads who is to be registered from a signed body.
func parseWalkIn(body []byte) (who vault.Identity, c vault.Consent, err error) {
	missing := func(what string) error {
		return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: "+what)
	}
	var f walkInFacts
	if len(body) > 8192 || json.Unmarshal(body, &f) != nil {
		return who, c, fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	who = vault.Identity{Name: f.Name, NameLocal: f.NameLocal, IDNumber: string(f.IDNumber), Comorbidity: f.Comorbidity == "Y", Guardian: f.Guardian}
	for _, n := range []struct {
		name string
		text loose.Text
		into *int
	}{{"birth_year", f.BirthYear, &who.BirthYear}, {"gender_id", f.Gender, &who.GenderID}, {"photo_id_type", f.IDType, &who.IDType}} {
		if *n.into, err = strconv.Atoi(string(n.text)); err != nil {
			return who, c, missing(n.name)
		}
	}
	for _, n := range [...]struct{ name, text string }{{"name", f.Name}, {"photo_id_number", string(f.IDNumber)}, {"consent_version", string(f.Consent)}} {
		if n.text == "" {
			return who, c, missing(n.name)
		}
	}
	if len(f.Consent) > 32 || !rules.Printable(string(f.Consent)) {
		return who, c, missing("consent_version")
	}
	if f.Comorbidity != "" && f.Comorbidity != "Y" && f.Comorbidity != "N" {
		return who, c, fault.New(fault.Invalid, "USRRES0001", "comorbidity_ind is Y or N")
	}
	if f.BirthDate != "" {
		if who.BirthDate, err = civil.ParseIndian(f.BirthDate); err != nil {
			return who, c, err
		}
	}
	return who, vault.Consent{Version: string(f.Consent), Language: "en", Purpose: "registration"}, nil
}

// WalkIn implements the vault's word. The same registration by the same staff
// member within the hour is a retry: it answers the same person, and a new card
// whose predecessor is void, until somebody has used that.
func (k *Keeper) WalkIn(ctx context.Context, r vault.WalkInRequest) (vault.WalkedIn, error) {
	who, consent, err := parseWalkIn(r.Signed.Body)
	if err != nil {
		return vault.WalkedIn{}, err
	}
	doc, number, err := k.checkedIdentity(who)
	if err != nil {
		return vault.WalkedIn{}, err
	}
	tags, err := k.keys.Tags(who.IDType, number)
	if err != nil {
		return vault.WalkedIn{}, err
	}
	who.IDNumber = tags.Oldest()
	digest, err := k.enrolDigest(who, consent)
	if err != nil {
		return vault.WalkedIn{}, err
	}
	var out vault.WalkedIn
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.WalkedIn{}
		staff, place, policies, err := t.registrar(r.Signed, policy.StaffWalkIn)
		if err != nil {
			return err
		}
		by := engine.Entry{Role: roleVaccinator, Actor: string(staff), Place: place, Policy: policies}
		key := "walk-in/" + string(staff) + "/" + hex.EncodeToString(digest[:])
		before, ok, err := engine.Get[state.Idempotency](t, state.Idempotencies, key)
		if err != nil {
			return err
		}
		if ok {
			err = t.walkedInBefore(before.Person, &out.Enrolled)
		} else {
			err = t.walkIn(staff, key, vault.EnrolRequest{Key: "walk-in", Identity: who, Consent: consent}, doc, tags, digest, by, &out.Enrolled)
		}
		if err != nil {
			return err
		}
		person := out.Enrolled.Seal.Person
		p, err := t.Person(person)
		if err != nil {
			return err
		}
		if out.Card, out.PIN, err = t.issueCard(person, &p, by); err != nil {
			return err
		}
		return engine.Put(t, state.Persons, string(person), p, 0)
	})
	if err == nil {
		out.Enrolled.Seal.Receipt = receipts[0]
	}
	return out, err
}

// registrar checks that a signed request is a vaccinator's whose centre has an
// open session today, and names that centre.
func (t *txn) registrar(s vault.Signed, do policy.Action) (staff id.Staff, place, policies string, err error) {
	staff, row, sessions, facts, err := t.staffAtWork(s)
	if err != nil {
		return "", "", "", err
	}
	permit := t.k.permits.May(row, do, row.Centre, facts)
	if !permit.Allowed() {
		return "", "", "", notAtWork(permit, "only a vaccinator registers people at a centre")
	}
	return staff, sessions[0].Name, permit.Policies(), nil
}

func noOpenSession() error {
	return fault.New(fault.Forbidden, "session", "no session is open at this centre today")
}

// walkIn makes a household of its own for the new person.
func (t *txn) walkIn(staff id.Staff, key string, r vault.EnrolRequest, doc release.Identity, tags keyring.Tags, digest vault.Hash, by engine.Entry, out *vault.Enrolled) error {
	n, err := t.Count(staffWindow, "walk-in", string(staff), 1)
	if err != nil {
		return err
	}
	now := t.k.now()
	if n > walkInsPerDay {
		return &fault.Error{Kind: fault.RateLimited, Code: "walk-ins", Text: "too many registrations today; a colleague has to go on", RetryAfter: now.Truncate(staffWindow).Add(staffWindow).Sub(now)}
	}
	house := id.Household(id.New())
	if err := engine.Put(t, state.Households, string(house), state.Household{Created: now.UnixMilli()}, 0); err != nil {
		return err
	}
	if err := t.enrolBy(house, r, doc, tags, digest, by, out); err != nil {
		return err
	}
	return engine.Put(t, state.Idempotencies, key, state.Idempotency{Person: out.Seal.Person, Digest: digest}, now.Add(walkInRetry).UnixMilli())
}

// walkedInBefore answers a retry while nobody has used the card.
func (t *txn) walkedInBefore(person id.Person, out *vault.Enrolled) error {
	used := fault.New(fault.Conflict, "registered", "this person was registered a moment ago and has a card")
	p, err := t.Person(person)
	if err != nil {
		return err
	}
	card, ok, err := engine.Get[state.Card](t, state.Cards, p.Card)
	if err != nil {
		return err
	}
	if !ok || card.Used || (p.State != state.Pending && p.State != state.Active) {
		return used
	}
	return t.answerEnrolled(p.Household, person, out)
}

// issueCard makes a card for a person and voids the one before. The caller puts
// p. The texts exist in the clear only in the answer.
func (t *txn) issueCard(person id.Person, p *state.Person, by engine.Entry) (text, pin string, err error) {
	return t.makeCard(person, p, by, vault.NewCardSecret(), codes.Make())
}

// onceCard makes a card whose secrets follow from a form's key, or shows the one again that the
// form made a moment ago (again). A key whose card was replaced or has ended makes none.
func (t *txn) onceCard(person id.Person, p *state.Person, formKey string) (text, pin string, again bool, err error) {
	secret := vault.CardSecret(t.k.keys.Once(len(vault.CardSecret{}), "card", string(person), formKey))
	pin = t.k.keys.OncePIN("card", string(person), formKey)
	key := t.k.cardKey(secret)
	card, made, err := engine.Get[state.Card](t, state.Cards, key)
	if err != nil {
		return "", "", false, err
	}
	if !made {
		text, pin, err = t.makeCard(person, p, engine.Entry{Role: "holder"}, secret, pin)
		return text, pin, false, err
	}
	if p.Card != key || card.State != state.CardLive || t.k.now().UnixMilli()-card.Created >= keyring.OnceFor.Milliseconds() {
		return "", "", false, fault.New(fault.Conflict, "made", "this card was made before and is not shown again; make another one")
	}
	t.Append(engine.Entry{Kind: "card", Person: person, House: p.Household, View: "shown again", Role: "holder", Evidence: key})
	return secret.Text(), pin, true, nil
}

// makeCard keeps a card with its secrets.
func (t *txn) makeCard(person id.Person, p *state.Person, by engine.Entry, secret vault.CardSecret, pin string) (string, string, error) {
	by.View = "issued"
	if p.Card != "" {
		by.View = "replaced"
		t.mark(markVoid, id.Person(p.Card), 0)
		if err := t.voidCard(p); err != nil {
			return "", "", err
		}
	}
	key := t.k.cardKey(secret)
	card := state.Card{Person: person, Salt: keyring.RandomBytes(16), State: state.CardLive, Created: t.k.now().UnixMilli()}
	card.PIN = t.k.pinMAC(key, card.Salt, pin)
	p.Card = key
	by.Kind, by.Person, by.House, by.Evidence = "card", person, p.Household, key
	t.Append(by)
	return secret.Text(), pin, engine.Put(t, state.Cards, key, card, 0)
}

// voidCard ends a person's card; the caller appends an entry.
func (t *txn) voidCard(p *state.Person) error {
	if p.Card == "" {
		return nil
	}
	card, ok, err := engine.Get[state.Card](t, state.Cards, p.Card)
	if err != nil || !ok {
		return err
	}
	card.State, card.PIN, card.Salt = state.CardVoid, nil, nil
	key := p.Card
	p.Card = ""
	return engine.Put(t, state.Cards, key, card, 0)
}

func (k *Keeper) pinMAC(card string, salt []byte, pin string) []byte {
	return k.keys.MAC(keyring.PurposeBooking, k.keys.RealmBytes(), []byte("card pin"), []byte(card), salt, []byte(pin))
}

// wrongCard is one answer for a card that is unknown, void or locked, and for a
// wrong PIN.
func wrongCard() error {
	return fault.New(fault.Invalid, "CARD", "The card or its PIN is not right, or the card is locked for a while")
}

// cardPIN checks a card with its PIN and counts a wrong one, in the transaction
// that acts on it. ok false is a refusal that the caller returns apart from an
// error, so that what was counted is kept.
func (t *txn) cardPIN(a vault.CardAnswer, view string) (key string, p state.Person, ok bool, err error) {
	secret, perr := vault.ParseCard(a.Card)
	key = t.k.cardKey(secret)
	card, found, err := engine.Get[state.Card](t, state.Cards, key)
	if err != nil {
		return key, p, false, err
	}
	right := hmac.Equal(card.PIN, t.k.pinMAC(key, card.Salt, a.PIN))
	now := t.k.now()
	locked := now.UnixMilli() < card.Locked && !ablate.Off(ablate.CardTries)
	if perr != nil || !found || card.State != state.CardLive || locked {
		return key, p, false, t.k.codes.CountWrong(t.Engine(), a.Origin, false)
	}
	if p, err = t.Person(card.Person); err != nil {
		return key, p, false, err
	}
	if p.Card != key || (p.State != state.Pending && p.State != state.Active && (!t.Returns || !t.MayReturn(p))) {
		return key, p, false, t.k.codes.CountWrong(t.Engine(), a.Origin, false)
	}
	e := engine.Entry{Kind: "card", Person: card.Person, House: p.Household, View: view, Role: "holder", Evidence: key}
	if right {
		card.Run, card.Used = 0, true
		t.Append(e)
		return key, p, true, engine.Put(t, state.Cards, key, card, 0)
	}
	card.Run++
	card.Wrong++
	if card.Run >= pinTries {
		card.Locked = now.Add(pinLock << min(card.Run-pinTries, pinLockMost)).UnixMilli()
	}
	if card.Wrong >= pinWrongMost && !ablate.Off(ablate.CardTries) {
		card.State = state.CardBlocked
	}
	e.Kind, e.Reason = "refusal", "wrong PIN"
	t.Append(e)
	if err := t.k.codes.CountWrong(t.Engine(), a.Origin, false); err != nil {
		return key, p, false, err
	}
	return key, p, false, engine.Put(t, state.Cards, key, card, 0)
}

// CardSession implements the vault's word: a session for the card's person alone.
func (k *Keeper) CardSession(ctx context.Context, a vault.CardAnswer) (vault.Session, error) {
	var mint func() (vault.Session, error)
	_, err := k.update(ctx, func(t *txn) error {
		mint, t.Returns = nil, true // who has left may come back
		key, p, ok, err := t.cardPIN(a, "session by card")
		if err != nil || !ok {
			return err
		}
		card, _, err := engine.Get[state.Card](t, state.Cards, key)
		if err != nil {
			return err
		}
		mint, err = t.Mint(state.Bearer{Household: p.Household, Origin: a.Origin, Person: card.Person, Card: key}, "card/"+string(card.Person), proof.ScopeHolder, proof.BearerLife)
		return err
	})
	if err != nil {
		return vault.Session{}, err
	}
	if mint == nil {
		return vault.Session{}, wrongCard()
	}
	return mint()
}

// NewCard implements the vault's word: the holder's evidence replaces a card.
func (k *Keeper) NewCard(ctx context.Context, r vault.NewCardRequest) (vault.NewCard, error) {
	if len(r.Key) > 200 {
		return vault.NewCard{}, fault.New(fault.Invalid, "key", "an idempotency key of 1 to 200 bytes is wanted")
	}
	var out vault.NewCard
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.NewCard{}
		m, err := t.mine(r.Holder, r.Person)
		if err != nil {
			return err
		}
		house, p := m.house, m.person
		again := false
		if r.Key == "" {
			out.Card, out.PIN, err = t.issueCard(r.Person, &p, engine.Entry{Role: "holder"})
		} else {
			out.Card, out.PIN, again, err = t.onceCard(r.Person, &p, r.Key)
		}
		if err != nil || again {
			return err
		}
		if _, err := t.notice(state.Notice{ID: "card/" + p.Card, Household: house, Kind: noticeCard}, 0, noticeLife); err != nil {
			return err
		}
		if err := t.noteShown(r.Holder, r.Person, p.Card); err != nil { // its PIN is in this session's answer
			return err
		}
		return engine.Put(t, state.Persons, string(r.Person), p, 0)
	})
	out.Receipt = done(receipts).Receipt
	if err != nil {
		return vault.NewCard{}, err
	}
	return out, nil
}

// cardMethods are the methods about cards, their people and what staff open.
func (k *Keeper) cardMethods() []method {
	web := []Caller{CallerWeb}
	return []method{
		{vault.MethodWalkIn, web, bind(k.WalkIn)},
		{vault.MethodCardSession, web, bind(k.CardSession)},
		{vault.MethodNewCard, web, bind(k.NewCard)},
		{vault.MethodShowCard, web, bind(k.ShowCard)},
		{vault.MethodLink, web, bind(k.Link)},
		{vault.MethodMerge, web, bind(k.Merge)},
		{vault.MethodStaffView, web, bind(k.StaffView)},
		{vault.MethodStaffCertificate, web, bind(k.StaffCertificate)},
		{vault.MethodStaffCode, web, bind(k.StaffCode)},
		{vault.MethodStaffCheck, web, bind(k.StaffCheck)},
		{vault.MethodWalkInBook, web, bind(k.WalkInBook)},
	}
}
