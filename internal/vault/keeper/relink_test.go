package keeper_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/keeper/relink"
	"tikakosh/internal/vault/state"
)

const (
	relinkURL = "https://api.example.org/api/v3" + vault.RouteRelink
	newNumber = "0000000291"
)

// relinkRig is a centre at work, with a family of three under an old number.
type relinkRig struct {
	*glassRig
	people []id.Person
	doc    string // the document the person registered with
}

func newRelink(t testing.TB) *relinkRig {
	t.Helper()
	g := &relinkRig{glassRig: newGlass(t)}
	h, people := g.family("0000000205", 3)
	g.holder, g.people, g.person, g.doc = h, people, people[0], asha(atLeast("0000000205")).IDNumber
	row, err := g.k.Person(t.Context(), g.person)
	if err != nil {
		t.Fatal(err)
	}
	g.ref = row.Reference
	return g
}

func (g *relinkRig) form() map[string]any {
	return map[string]any{"beneficiary_reference_id": string(g.ref), "photo_id_type": 6, "photo_id_number": g.doc, "mobile_number": newNumber, "reason": "phone lost; document seen"}
}

func (g *relinkRig) ask(d *desk, body map[string]any) (vault.Glass, error) {
	return g.k.Relinks().Propose(g.t.Context(), vault.GlassRequest{Signed: g.touchOf(relinkURL, d, d, body), Person: g.person})
}

func (g *relinkRig) agree(screen, passkey *desk, q vault.Glass) (vault.Glass, error) {
	body := map[string]any{"request_id": q.ID, "about": q.About, "reason": q.Reason}
	return g.k.Relinks().Approve(g.t.Context(), vault.GlassAct{Signed: g.touchOf(relinkURL+"/approve", screen, passkey, body)})
}

// waits is a re-link that both signed.
func (g *relinkRig) waits() vault.Glass {
	g.t.Helper()
	q := must[vault.Glass](g.t)(g.ask(g.a, g.form()))
	return must[vault.Glass](g.t)(g.agree(g.b, g.b, q))
}

func (g *relinkRig) stop(h vault.Holder, name string) error {
	_, err := g.k.Relinks().Stop(g.t.Context(), vault.RelinkStopRequest{Holder: h, Request: name})
	return err
}

func (g *relinkRig) finish(h vault.Holder) (vault.Linked, error) {
	return g.k.Relinks().Finish(g.t.Context(), vault.RelinkFinishRequest{Holder: h, Reference: g.ref, Person: g.person})
}

// later is a session by the new number after the three days.
func (g *relinkRig) later() vault.Holder {
	g.t.Helper()
	g.advance(relink.Delay + time.Second)
	return g.signIn(newNumber)
}

func (g *relinkRig) members(h vault.Holder) (out []id.Person) {
	g.t.Helper()
	m, err := g.k.Membership(g.t.Context(), h)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, p := range m.Members {
		out = append(out, p.Person)
	}
	return out
}

// TestRelink: one person is moved to a new number after three days, with notice to the old
// one; nobody saw anything of them.
func TestRelink(t *testing.T) {
	g := newRelink(t)
	q := must[vault.Glass](t)(g.ask(g.a, g.form()))
	if q.About != "reference "+string(g.ref)+"; PAN Card ending "+g.doc[6:]+"; mobile "+newNumber {
		t.Fatalf("%+v", q)
	}
	waiting := must[vault.GlassList](t)(g.list(g.b, "/waiting"))
	if len(waiting.Rows) != 1 || waiting.Rows[0].Kind != state.PresenceRelink || waiting.Rows[0].About != q.About {
		t.Fatalf("%+v", waiting)
	}
	if err := g.approve(g.b, g.b, q); !fault.Is(err, fault.NotFound) {
		t.Errorf("approved as break-glass: %v", err)
	}
	before := len(g.messages(relink.NoticeAsked, 0))
	agreed := must[vault.Glass](t)(g.agree(g.b, g.b, q))
	if at := time.UnixMilli(agreed.Due); at.Sub(g.clock()).Round(time.Minute) != 72*time.Hour {
		t.Errorf("from %s", at)
	}
	if sent := g.messages(relink.NoticeAsked, before+1); len(sent) != before+1 || sent[0].Mobile != "0000000205" || sent[0].Params["centre"] != "Test Centre" || sent[0].Params["date"] == "" {
		t.Errorf("told: %+v", sent)
	}
	for _, table := range []string{"presence", "relink", "person"} {
		if dump := g.dump(table); strings.Contains(dump, newNumber) || strings.Contains(dump, g.doc) {
			t.Errorf("%s has the number or the document in the clear", table)
		}
	}
	list, err := g.k.Relinks().List(t.Context(), g.holder)
	if err != nil || len(list.Rows) != 1 || list.Rows[0].ID != q.ID || list.Rows[0].From != agreed.Due || list.Rows[0].Place != "Test Centre" {
		t.Errorf("what the old number sees: %+v, %v", list, err)
	}
	early := g.signIn(newNumber)
	if _, err := g.finish(early); fault.CodeOf(err) != "wait" {
		t.Errorf("before three days: %v", err)
	}
	if left := must[vault.GlassList](t)(g.list(g.a, "/waiting")).Left; left != 1 {
		t.Errorf("%d of two are left to who asked", left)
	}
	h := g.later()
	l := must[vault.Linked](t)(g.finish(h))
	if again := must[vault.Linked](t)(g.finish(h)); again.Place != l.Place || again.Person != l.Person {
		t.Errorf("repeated: %+v, then %+v", l, again)
	}
	if sent := g.messages(relink.NoticeMoved, 1); len(sent) != 1 || sent[0].Mobile != "0000000205" {
		t.Errorf("told of the move: %+v", sent)
	}
	if got := g.members(h); !slices.Equal(got, g.people[:1]) {
		t.Errorf("under the new number: %v", got)
	}
	if got := g.members(g.signIn("0000000205")); !slices.Equal(got, g.people[1:]) {
		t.Errorf("under the old number: %v", got)
	}
	h = g.signIn(newNumber)
	history := g.history(h, g.person)
	for _, want := range []string{"re-link: asked for", "re-link: approved by a second member of staff; waits for three days", "re-link: moved to the new number"} {
		if !slices.Contains(history, want) {
			t.Errorf("the history lacks %q: %q", want, history)
		}
	}
	if n := g.count("relink"); n != 0 {
		t.Errorf("%d numbers are kept after the end", n)
	}
	done := must[vault.GlassList](t)(g.list(g.today2().privacy, ""))
	if len(done.Rows) != 1 || done.Rows[0].Kind != state.PresenceRelink || done.Rows[0].State != state.PresenceDone || done.Rows[0].About != "" {
		t.Errorf("the privacy officer's list: %+v", done)
	}
	g.audit()
}

// today2 has everybody sign in again.
func (g *relinkRig) today2() *relinkRig {
	g.backIn(g.a, g.b, g.manager, g.privacy)
	return g
}

// TestRelinkStopped: who has the old number, or the person's card, or one member of staff,
// says no; nobody else does.
func TestRelinkStopped(t *testing.T) {
	g := newRelink(t)
	q := g.waits()
	card, err := g.k.NewCard(t.Context(), vault.NewCardRequest{Holder: g.holder, Person: g.person})
	if err != nil {
		t.Fatal(err)
	}
	mine := g.byCard(vault.WalkedIn{Card: card.Card, PIN: card.PIN})
	otherCard, err := g.k.NewCard(t.Context(), vault.NewCardRequest{Holder: g.holder, Person: g.people[1]})
	if err != nil {
		t.Fatal(err)
	}
	theirs := g.byCard(vault.WalkedIn{Card: otherCard.Card, PIN: otherCard.PIN})
	stranger := g.signIn("0000000207")
	for name, h := range map[string]vault.Holder{"a stranger": stranger, "another member's card": theirs, "the new number": g.signIn(newNumber)} {
		if err := g.stop(h, q.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("stopped by %s: %v", name, err)
		}
	}
	if err := g.stop(g.holder, id.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if list, err := g.k.Relinks().List(t.Context(), theirs); err != nil || len(list.Rows) != 0 {
		t.Errorf("another member's card sees %+v, %v", list, err)
	}
	if err := g.stop(mine, q.ID); err != nil {
		t.Fatal(err)
	}
	if err := g.stop(mine, q.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("twice: %v", err)
	}
	g.messages(relink.NoticeStopped, 1)
	q = g.waits() // by the same two: their second of the day
	if err := g.stop(g.holder, q.ID); err != nil {
		t.Fatal(err)
	}
	if sent := g.messages(relink.NoticeStopped, 2); len(sent) != 2 || sent[0].Mobile != "0000000205" {
		t.Errorf("told that it was stopped: %+v", sent)
	}
	history := g.history(g.holder, g.person)
	if !slices.Contains(history, "re-link: stopped") {
		t.Errorf("%q", history)
	}
	if _, err := g.ask(g.a, g.form()); fault.CodeOf(err) != "GLASSUSED" {
		t.Errorf("a third of the day: %v", err)
	}
	tripped, err := g.tripped(g.privacy, "")
	if err != nil || !slices.ContainsFunc(tripped.Rows, func(r vault.TrippedRow) bool { return r.Why == relink.NoticeStopped }) {
		t.Errorf("who watches sees %+v, %v", tripped, err)
	}
	if _, err := g.finish(g.later()); !fault.Is(err, fault.NotFound) {
		t.Errorf("taken over though stopped: %v", err)
	}
	// By one member of staff who watches, the next day.
	g.today1()
	q = g.waits()
	if sent := g.messages(relink.NoticeAsked, 1); len(sent) == 0 { // before it is stopped: nothing is said of what no longer waits
		t.Error("no message at all")
	}
	for _, c := range []struct {
		d    *desk
		fine bool
	}{{g.admins[0], false}, {g.privacy, true}} {
		raw := []byte(`{"request_id":"` + q.ID + `","reason":"the holder rang"}`)
		_, err := g.k.Relinks().StaffStop(t.Context(), vault.GlassAct{Signed: g.atURL(c.d, relinkURL+"/stop", raw, nil)})
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", c.d.member, err)
		}
	}
	g.audit()
}

// TestRelinkWrong: whatever was wrong, one answer, and only when two have signed; it counts
// for both.
func TestRelinkWrong(t *testing.T) {
	g := newRelink(t)
	texts := map[string]bool{}
	for name, change := range map[string]map[string]any{
		"another document":       {"photo_id_number": "ZZZZZ9999Z"},
		"another kind":           {"photo_id_type": 13},
		"nobody's number":        {"beneficiary_reference_id": string(id.NewReference())},
		"nobody's card":          {"card": vault.NewCardSecret().Text(), "beneficiary_reference_id": ""},
		"another one's document": {"photo_id_number": asha(atLeast("0000000205") + 1).IDNumber},
	} {
		body := g.form()
		for k, v := range change {
			body[k] = v
		}
		q, err := g.ask(g.a, body)
		if err != nil {
			t.Fatalf("%s was told before two had signed: %v", name, err)
		}
		_, err = g.agree(g.b, g.b, q)
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		texts[err.Error()] = true
		if _, err := g.agree(g.b, g.b, q); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s, approved again: %v", name, err)
		}
	}
	if len(texts) != 1 {
		t.Errorf("what was wrong is told: %v", texts)
	}
	if sent := g.messages(relink.NoticeAsked, 0); len(sent) != 0 {
		t.Errorf("told: %+v", sent)
	}
	history := g.history(g.holder, g.person)
	if !slices.Contains(history, "refusal: re-link") {
		t.Errorf("the person does not see that a wrong document was shown for them: %q", history)
	}
	for i := range 6 { // five of each are counted
		body := g.form()
		body["photo_id_number"] = "ZZZZZ9999Z"
		q, err := g.ask(g.b, body)
		if i == 5 {
			if !fault.Is(err, fault.RateLimited) {
				t.Errorf("an eleventh: %v", err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.agree(g.a, g.a, q); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	}
	if _, err := g.ask(g.a, g.form()); !fault.Is(err, fault.RateLimited) {
		t.Errorf("who stood by ten wrong ones: %v", err)
	}
	for name, change := range map[string]map[string]any{
		"no document": {"photo_id_number": ""}, "no number": {"mobile_number": "12"}, "no reason": {"reason": ""}, "both ways": {"card": vault.NewCardSecret().Text()}, "a name": {"name": "Asha Test"},
	} {
		body := g.form()
		for k, v := range change {
			body[k] = v
		}
		if _, err := g.ask(g.a, body); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRelinkTwoPeople: who asks does not approve, and what was read is what is signed.
func TestRelinkTwoPeople(t *testing.T) {
	g := newRelink(t)
	q := must[vault.Glass](t)(g.ask(g.a, g.form()))
	if _, err := g.agree(g.a, g.a, q); fault.CodeOf(err) != "second" {
		t.Errorf("approved by who asked: %v", err)
	}
	if _, err := g.agree(g.privacy, g.privacy, q); !fault.Is(err, fault.Forbidden) {
		t.Errorf("approved from elsewhere: %v", err)
	}
	bait := q
	bait.About = strings.Replace(q.About, newNumber, "0000000299", 1)
	if _, err := g.agree(g.b, g.b, bait); fault.CodeOf(err) != "another" {
		t.Errorf("approved with another number: %v", err)
	}
	if _, err := g.ask(g.manager, g.form()); !fault.Is(err, fault.Forbidden) {
		t.Errorf("asked by who opens nobody: %v", err)
	}
	machine := vault.GlassRequest{Signed: g.sign(g.site.vaccinator, relinkURL, g.form()), Person: g.person}
	if _, err := g.k.Relinks().Propose(t.Context(), machine); err == nil {
		t.Error("asked by a machine's key")
	}
	must[vault.Glass](t)(g.agree(g.a, g.manager, q)) // at the same screen
	other := must[vault.Glass](t)(g.ask(g.a, g.form()))
	if _, err := g.agree(g.b, g.b, other); fault.CodeOf(err) != "waiting" {
		t.Errorf("a second one for the same person: %v", err)
	}
	same := g.form()
	same["mobile_number"] = "0000000205"
	if err := g.stop(g.holder, q.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.ask(g.a, same); fault.CodeOf(err) != "GLASSUSED" { // who was told twice that a document is right
		t.Errorf("a third of the day: %v", err)
	}
	g.advance(24 * time.Hour)
	g.today1()
	other = must[vault.Glass](t)(g.ask(g.a, same))
	if _, err := g.agree(g.b, g.b, other); fault.CodeOf(err) != "linked" {
		t.Errorf("to the number they have: %v", err)
	}
}

// TestRelinkEnds: what is no longer good when its time has come.
func TestRelinkEnds(t *testing.T) {
	t.Run("a role ended", func(t *testing.T) {
		g := newRelink(t)
		g.waits()
		g.advance(time.Hour)
		g.backIn(g.admins...)
		g.admins[0].mustAct(vault.ActDisable, map[string]any{"member_id": g.b.member, "reason": "an inquiry"})
		h := g.later()
		if _, err := g.finish(h); fault.CodeOf(err) != "lapsed" {
			t.Errorf("%v", err)
		}
		if _, err := g.finish(h); !fault.Is(err, fault.NotFound) {
			t.Errorf("again: %v", err)
		}
	})
	t.Run("another number", func(t *testing.T) {
		g := newRelink(t)
		g.waits()
		g.advance(relink.Delay + time.Second)
		h := g.signIn("0000000299")
		for i := range 11 {
			_, err := g.finish(h)
			if want := map[bool]fault.Kind{true: fault.RateLimited, false: fault.NotFound}[i == 10]; !fault.Is(err, want) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
	t.Run("too late", func(t *testing.T) {
		g := newRelink(t)
		g.waits()
		g.advance(relink.Delay + 7*24*time.Hour)
		if _, err := g.finish(g.signIn(newNumber)); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		if err := g.stop(g.signIn("0000000205"), "x"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	})
	t.Run("left", func(t *testing.T) {
		g := newRelink(t)
		g.waits()
		if _, err := g.k.Remove(t.Context(), vault.RemoveRequest{Holder: g.holder, Record: g.records(g.person)[0]}); err != nil {
			t.Fatal(err)
		}
		h := g.later()
		if _, err := g.finish(h); err == nil || len(g.members(h)) != 0 {
			t.Errorf("%v", err)
		}
	})
	t.Run("full", func(t *testing.T) {
		g := newRelink(t)
		g.waits()
		_, people := g.family(newNumber, 6)
		if _, err := g.finish(g.later()); !fault.Is(err, fault.Full) {
			t.Errorf("a seventh: %v", err)
		}
		h := g.signIn(newNumber)
		if _, err := g.k.Remove(t.Context(), vault.RemoveRequest{Holder: h, Record: g.records(people[0])[0]}); err != nil {
			t.Fatal(err)
		}
		must[vault.Linked](t)(g.finish(h))
	})
	t.Run("a child", func(t *testing.T) {
		g := newRelink(t)
		child := asha(77)
		child.BirthYear, child.Guardian = g.today().Year-9, "Asha Test"
		e := g.enrol(g.holder, "child", child)
		g.store(e.Seal, true)
		g.person, g.ref, g.doc = e.Seal.Person, e.Reference, child.IDNumber
		g.waits()
		h := g.later()
		if _, err := g.finish(h); fault.CodeOf(err) != "adult" {
			t.Errorf("to a number without a grown-up: %v", err)
		}
		grown := g.enrol(h, "grown", asha(78))
		g.store(grown.Seal, true)
		must[vault.Linked](t)(g.finish(h))
	})
}

// TestRelinkCard: somebody who has only a card gets a number, and can have a new card made
// though the old one is lost.
func TestRelinkCard(t *testing.T) {
	g := newRelink(t)
	w := g.walkIn(g.site.vaccinator, 61)
	g.person, g.ref, g.doc = w.Enrolled.Seal.Person, w.Enrolled.Reference, asha(61).IDNumber
	body := g.form()
	body["card"], body["beneficiary_reference_id"] = w.Card, ""
	q := must[vault.Glass](t)(g.ask(g.a, body))
	if !strings.HasPrefix(q.About, "card ending ") {
		t.Errorf("%q", q.About)
	}
	must[vault.Glass](t)(g.agree(g.b, g.b, q))
	h := g.later()
	grown := g.enrol(h, "grown", asha(79)) // another adult: the card would guard its person
	g.store(grown.Seal, true)
	must[vault.Linked](t)(g.finish(h))
	if _, err := g.k.NewCard(t.Context(), vault.NewCardRequest{Holder: h, Person: g.person}); err != nil {
		t.Errorf("a new card: %v", err)
	}
	if _, err := g.k.NewCard(t.Context(), vault.NewCardRequest{Holder: g.signIn(newNumber), Person: g.person}); fault.CodeOf(err) != "CARDFIRST" {
		t.Errorf("a new card in a later session: %v", err)
	}
}

// TestRelinkAfterGap: what waited when a copy was made may have been stopped since: it
// lapses.
func TestRelinkAfterGap(t *testing.T) {
	g := newRelink(t)
	q := g.waits()
	g.rig.close()
	older, err := os.ReadFile(g.path())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.rig.open(); err != nil {
		t.Fatal(err)
	}
	have := g.k.LastNext()
	if err := g.stop(g.signIn("0000000205"), q.ID); err != nil {
		t.Fatal(err)
	}
	leaves, err := g.k.Leaves(t.Context(), uint64(have), 100)
	if err != nil {
		t.Fatal(err)
	}
	g.rig.close()
	if err := os.WriteFile(g.path(), older, 0o600); err != nil {
		t.Fatal(err)
	}
	g.cfg.Restore = &keeper.RestoreOrder{Set: "recovered database", Ledger: have, Known: "ledger", Unpublished: leaves}
	if err := g.rig.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.finish(g.later()); !fault.Is(err, fault.NotFound) {
		t.Errorf("taken over after a restore: %v", err)
	}
	history := g.history(g.signIn("0000000205"), g.person)
	if !slices.Contains(history, "re-link: lapsed: after a restore") {
		t.Errorf("%q", history)
	}
}

// TestRelinkToldAgain: a day before the end the old number is told once more, while there is
// something to stop.
func TestRelinkToldAgain(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		g := newRelink(t)
		q := g.waits()
		g.messages(relink.NoticeAsked, 1)
		if stopped {
			if err := g.stop(g.holder, q.ID); err != nil {
				t.Fatal(err)
			}
			g.messages(relink.NoticeStopped, 1)
		}
		g.rig.close()
		g.forget()
		g.advance(48*time.Hour + time.Second)
		if err := g.rig.open(); err != nil { // a start looks for what is due
			t.Fatal(err)
		}
		want := 1
		if stopped {
			want = 0
		}
		if sent := g.messages(relink.NoticeAsked, 1); len(sent) != want || (want > 0 && sent[0].Mobile != "0000000205") {
			t.Errorf("stopped %v: after two days the old number was sent %+v", stopped, sent)
		}
		g.rig.close()
	}
}

// FuzzRelinkBodies reads the bodies of re-linking.
func FuzzRelinkBodies(f *testing.F) {
	f.Add([]byte(`{"nonce":"n","beneficiary_reference_id":"12345678901234","photo_id_type":6,"photo_id_number":"ABCDE1234F","mobile_number":"0000000291","reason":"x"}`))
	f.Add([]byte(`{"request_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","reason":"x"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if about, reason, err := relink.ParseAsk(raw, true); err == nil && (about == "" || reason == "" || len(about) > 100) {
			t.Errorf("%q %q", about, reason)
		}
		if request, reason, err := relink.ParseStop(raw); err == nil && (request == "" || reason == "") {
			t.Errorf("%q %q", request, reason)
		}
	})
}
