package keeper_test

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/sharing"
)

const strangers = "198.51.100.0/24"

// shared is a centre with a vaccinated person and a link to their certificate.
type shared struct {
	*centre
	l *sharing.Links
}

func newShared(t *testing.T) *shared {
	t.Helper()
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	return &shared{c, c.k.Shares()}
}

func (s *shared) make(days int) vault.ShareMade {
	s.t.Helper()
	m, err := s.l.Make(s.t.Context(), vault.ShareMakeRequest{Holder: s.holder, Person: s.person, Days: days})
	if err != nil || len(m.Token) != 22 || m.Receipt == "" || !m.Share.Live {
		s.t.Fatalf("%+v %v", m, err)
	}
	return m
}

// use opens with a secret as the web role does: it is told whose record, and brings it.
func (s *shared) use(token, origin string) error {
	got, err := s.open(token, origin)
	if err == nil && (!strings.HasPrefix(got.Certificate.HC1, "HC1:") || len(got.Certificate.Receipts) != 1) {
		s.t.Errorf("%+v", got)
	}
	return err
}

func (s *shared) open(token, origin string) (vault.ShareOpened, error) {
	found, err := s.l.Find(s.t.Context(), vault.ShareFindRequest{Token: token, Origin: origin})
	if err != nil {
		return vault.ShareOpened{}, err
	}
	return s.l.Open(s.t.Context(), vault.ShareOpenRequest{Token: token, Origin: origin, Record: s.records(found.Person)[0]})
}

func (s *shared) list() []vault.Share {
	s.t.Helper()
	got, err := s.l.List(s.t.Context(), vault.ShareListRequest{Holder: s.holder, Person: s.person})
	if err != nil {
		s.t.Fatal(err)
	}
	return got.Shares
}

// TestShare: a link opens the certificate until its day or until it is ended; each use is an
// entry that the person sees and a number on the list; the secret is in no row.
func TestShare(t *testing.T) {
	s := newShared(t)
	ctx := t.Context()
	m := s.make(7)
	if sent := s.messages("link-made", 1); len(sent) != 1 { // to the household: who made it may be somebody else
		t.Errorf("told: %+v", sent)
	}
	for range 2 {
		if err := s.use(m.Token, strangers); err != nil {
			t.Fatal(err)
		}
	}
	list := s.list()
	if len(list) != 1 || list[0].Uses != 2 || list[0].Last == 0 || !list[0].Live || list[0].Expires-list[0].Made != (7*24*time.Hour).Milliseconds() {
		t.Errorf("%+v", list)
	}
	got, err := s.k.Openings(ctx, vault.OpeningsRequest{Holder: s.holder, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	uses, made := 0, 0
	for _, o := range got.Entries {
		if o.View == "certificate" && o.Reason == sharing.Evidence {
			uses++
		}
		if o.Kind == "share" && o.View == "link made" {
			made++
		}
	}
	if uses != 2 || made != 1 {
		t.Errorf("%d uses and %d links on the person's list", uses, made)
	}
	for _, table := range []string{"share", "share_link"} {
		if text := s.dump(table); s.count(table) != 1 || strings.Contains(text, m.Token) {
			t.Errorf("%s: %s", table, text)
		}
	}
	// Ended: at once, for good.
	other := s.make(1)
	if _, err := s.l.End(ctx, vault.ShareEndRequest{Holder: s.holder, Person: s.person, ID: m.Share.ID}); err != nil {
		t.Fatal(err)
	}
	_, err = s.l.End(ctx, vault.ShareEndRequest{Holder: s.holder, Person: s.person, ID: m.Share.ID})
	wantKind(t, err, fault.NotFound)
	ended := s.use(m.Token, strangers)
	// Expired, wrong, changed, cut, another spelling: one answer.
	s.advance(24*time.Hour - time.Minute)
	s.holder = s.signIn("0000000050")
	if err := s.use(other.Token, strangers); err != nil {
		t.Errorf("a minute before its end: %v", err)
	}
	s.advance(time.Minute)
	for name, token := range map[string]string{"expired": other.Token, "wrong": strings.Repeat("A", 22), "cut": m.Token[:21], "long": m.Token + "A", "none": "", "spaced": " " + m.Token, "a person": string(s.person), "huge": strings.Repeat("A", 100_000)} {
		if err := s.use(token, strangers); err == nil || err.Error() != ended.Error() || fault.CodeOf(err) != vault.CodeShare || fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list = s.list(); len(list) != 2 || list[0].Live || list[1].Live || list[1].Ended == 0 {
		t.Errorf("%+v", list)
	}
	s.advance(31 * 24 * time.Hour)
	s.holder = s.signIn("0000000050")
	if list = s.list(); len(list) != 0 {
		t.Errorf("after a month: %+v", list)
	}
	s.audit()
}

// TestShareWho: who may make, see and end links, and for how long they can be.
func TestShareWho(t *testing.T) {
	s := newShared(t)
	ctx := t.Context()
	m := s.make(30)
	stranger := s.signIn("0000000851")
	for _, days := range []int{0, -1, 31, 1 << 40} {
		_, err := s.l.Make(ctx, vault.ShareMakeRequest{Holder: s.holder, Person: s.person, Days: days})
		wantKind(t, err, fault.Invalid)
	}
	for what, h := range map[string]vault.Holder{"another household": stranger, "nobody": {Bearer: "x.y.z"}, "the link itself": {Bearer: m.Token}} {
		want := fault.NotFound
		if what != "another household" {
			want = fault.Unauthorized
		}
		_, err := s.l.Make(ctx, vault.ShareMakeRequest{Holder: h, Person: s.person, Days: 7})
		wantKind(t, err, want)
		_, err = s.l.List(ctx, vault.ShareListRequest{Holder: h, Person: s.person})
		wantKind(t, err, want)
		_, err = s.l.End(ctx, vault.ShareEndRequest{Holder: h, Person: s.person, ID: m.Share.ID})
		wantKind(t, err, want)
	}
	_, err := s.l.Make(ctx, vault.ShareMakeRequest{Holder: s.holder, Person: id.Person(id.New()), Days: 7})
	wantKind(t, err, fault.NotFound)
	for range 4 {
		s.make(7)
	}
	_, err = s.l.Make(ctx, vault.ShareMakeRequest{Holder: s.holder, Person: s.person, Days: 7})
	wantKind(t, err, fault.Conflict)
	for i := range 20 { // a day's links are counted, whatever becomes of them
		if _, err := s.l.End(ctx, vault.ShareEndRequest{Holder: s.holder, Person: s.person, ID: s.list()[0].ID}); err != nil && i == 0 {
			t.Fatal(err)
		}
		if _, err = s.l.Make(ctx, vault.ShareMakeRequest{Holder: s.holder, Person: s.person, Days: 7}); err != nil {
			break
		}
	}
	wantKind(t, err, fault.RateLimited)
	// A record of somebody else opens nothing.
	e := s.enrol(s.holder, "other", asha(2))
	s.store(e.Seal, true)
	_, err = s.l.Open(ctx, vault.ShareOpenRequest{Token: m.Token, Origin: strangers, Record: s.records(e.Seal.Person)[0]})
	wantKind(t, err, fault.NotFound)
	if err := s.use(m.Token, strangers); err != nil {
		t.Error(err)
	}
}

// TestShareBounds: a network that guesses is told to wait, and what opens still opens there; a
// link that is passed around is opened sixty times a day, and stops no other one.
func TestShareBounds(t *testing.T) {
	s := newShared(t)
	m := s.make(7)
	var err error
	for range 101 {
		err = s.use("AAAAAAAAAAAAAAAAAAAAAA", strangers)
	}
	wantKind(t, err, fault.RateLimited)
	if err := s.use(m.Token, strangers); err != nil {
		t.Errorf("a link that opens, from a network that guesses: %v", err)
	}
	for range 59 {
		if err = s.use(m.Token, "203.0.113.0/24"); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, s.use(m.Token, "203.0.113.0/24"), fault.RateLimited)
	if err := s.use(s.make(7).Token, strangers); err != nil {
		t.Errorf("another link of the same person: %v", err)
	}
	s.advance(24 * time.Hour)
	s.holder = s.signIn("0000000050")
	if err := s.use(m.Token, strangers); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

// TestShareGuarded: an adult's card guards who makes links to their certificate, as it guards
// the certificate.
func TestShareGuarded(t *testing.T) {
	f := newFamily(t)
	l, phone := f.k.Shares(), f.signIn(f.mobile)
	try := func(h vault.Holder, p id.Person) string {
		_, err := l.Make(t.Context(), vault.ShareMakeRequest{Holder: h, Person: p, Days: 7})
		_, listed := l.List(t.Context(), vault.ShareListRequest{Holder: h, Person: p})
		if fault.CodeOf(err) != fault.CodeOf(listed) {
			t.Errorf("%v, %v", err, listed)
		}
		return fault.CodeOf(err)
	}
	if code := try(phone, f.adult); code != "CARDFIRST" {
		t.Errorf("by the mobile alone: %q", code)
	}
	if code := try(phone, f.child); code != "" {
		t.Errorf("for a child: %q", code)
	}
	if code := try(f.byCard(f.w), f.adult); code != "" {
		t.Errorf("by the card: %q", code)
	}
	if err := f.show(phone, f.w.Card, f.w.PIN); err != nil {
		t.Fatal(err)
	}
	if code := try(phone, f.adult); code != "" {
		t.Errorf("after card and PIN: %q", code)
	}
}

// TestShareTampered: a row that a database administrator brings back, or writes, opens nothing.
func TestShareTampered(t *testing.T) {
	s := newShared(t)
	m := s.make(7)
	before := s.rowOf("share", string(s.person))
	if _, err := s.l.End(t.Context(), vault.ShareEndRequest{Holder: s.holder, Person: s.person, ID: m.Share.ID}); err != nil {
		t.Fatal(err)
	}
	s.setRow("share", string(s.person), before)
	if err := s.use(m.Token, strangers); err == nil || !fault.Is(err, fault.Integrity) {
		t.Errorf("an ended link brought back: %v", err)
	}
}

// FuzzShareToken: a secret has one spelling.
func FuzzShareToken(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("AAAAAAAAAAAAAAAAAAAAAB")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if raw, ok := sharing.ParseToken(s); ok && (len(raw) != 16 || len(s) != 22) {
			t.Errorf("%q is taken", s)
		}
	})
}
