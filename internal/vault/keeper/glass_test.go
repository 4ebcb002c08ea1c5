package keeper_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

const glassURL = "https://api.example.org/api/v3" + vault.RouteGlass

// glassRig is a centre with a session open today, two vaccinators who are rostered, a
// manager and a privacy officer of the district, and one person.
type glassRig struct {
	*rig
	a, b, manager, privacy *desk
	admins                 []*desk
	holder                 vault.Holder
	person                 id.Person
	ref                    id.Reference
	site                   site
}

func newGlass(t testing.TB) *glassRig {
	t.Helper()
	r, a, b, c := three(t)
	g := &glassRig{rig: r, admins: []*desk{a, b, c}}
	grant := func(role string) string { return fmt.Sprintf("%s@centre/21/395/%d", role, testCentre) }
	g.a, g.b = a.joins(b, "Vani Test", grant("vaccinator")), a.joins(b, "Viru Test", grant("vaccinator"))
	g.manager, g.privacy = a.joins(b, "Mani Test", grant("manager")), a.joins(b, "Pia Test", "privacy@district/21/395")
	g.today1()
	h, people := r.family("0000000201", 1)
	g.holder, g.person = h, people[0]
	row, err := r.k.Person(t.Context(), g.person)
	if err != nil {
		t.Fatal(err)
	}
	g.ref = row.Reference
	return g
}

// today1 opens a session today and rosters both vaccinators to it.
func (g *glassRig) today1() {
	g.t.Helper()
	g.site = g.rig.site("COVISHIELD")
	g.backIn(g.a, g.b, g.manager, g.privacy, g.admins[0])
	for _, d := range []*desk{g.a, g.b} {
		g.manager.mustAct(vault.ActRosterPut, map[string]any{"member_id": d.member, "center_id": int64(testCentre), "date": g.today().Indian(), "on": true})
	}
}

// touch signs a body with a desk's session and somebody's passkey.
func (g *glassRig) touch(session *desk, passkey *desk, path string, body map[string]any) vault.Signed {
	g.t.Helper()
	return g.touchOf(glassURL+path, session, passkey, body)
}

// touchOf is touch of any address.
func (g *glassRig) touchOf(url string, session, passkey *desk, body map[string]any) vault.Signed {
	g.t.Helper()
	n, err := session.begin(vault.ActNonce, map[string]any{})
	if err != nil {
		g.t.Fatal(err)
	}
	body["nonce"] = n.ID
	raw, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("POST\n" + url + "\n" + string(raw)))
	var options map[string]any
	if err := json.Unmarshal(n.Options, &options); err != nil {
		g.t.Fatal(err)
	}
	if session != passkey { // whoever's passkey is at this screen
		delete(options, "allowCredentials")
	}
	asked, err := json.Marshal(options)
	if err != nil {
		g.t.Fatal(err)
	}
	assertion, err := passkey.auth.Get(asked, sum[:])
	if err != nil {
		g.t.Fatal(err)
	}
	return g.atURL(session, url, raw, assertion)
}

// at signs bytes with a desk's session.
func (g *glassRig) at(d *desk, path string, raw, assertion []byte) vault.Signed {
	g.t.Helper()
	return g.atURL(d, glassURL+path, raw, assertion)
}

func (g *glassRig) atURL(d *desk, url string, raw, assertion []byte) vault.Signed {
	g.t.Helper()
	proof, err := d.key.Sign(harness.Claims("POST", url, raw, g.clock()))
	if err != nil {
		g.t.Fatal(err)
	}
	return vault.Signed{Method: "POST", URL: url, Body: raw, Proof: proof, Assertion: assertion}
}

func (g *glassRig) byRef() map[string]any {
	return map[string]any{"beneficiary_reference_id": string(g.ref), "reason": "unconscious, allergy has to be known"}
}

func (g *glassRig) propose(d *desk, body map[string]any) (vault.Glass, error) {
	return g.k.Absent().Propose(g.t.Context(), vault.GlassRequest{Signed: g.touch(d, d, "", body), Person: g.person})
}

// approve is by the passkey of one at the screen of another, or at their own.
func (g *glassRig) approve(screen, passkey *desk, q vault.Glass) error {
	body := map[string]any{"request_id": q.ID, "about": q.About, "reason": q.Reason}
	_, err := g.k.Absent().Approve(g.t.Context(), vault.GlassAct{Signed: g.touch(screen, passkey, "/approve", body)})
	return err
}

func (g *glassRig) open(d *desk, q vault.Glass, who ...id.Person) (vault.StaffView, error) {
	raw := []byte(`{"request_id":"` + q.ID + `"}`)
	r := vault.GlassOpenRequest{Signed: g.at(d, "/open", raw, nil)}
	if whom, err := g.k.Absent().Whom(g.t.Context(), vault.GlassAct{Signed: g.at(d, "/open", raw, nil)}); err == nil && whom.Person != "" {
		who = append(who, whom.Person)
	}
	if len(who) > 0 {
		r.Record = g.records(who[0])[0]
	}
	return g.k.Absent().Open(g.t.Context(), r)
}

func (g *glassRig) list(d *desk, path string) (vault.GlassList, error) {
	g.t.Helper()
	proof, err := d.key.Sign(harness.Claims("GET", glassURL+path, nil, g.clock()))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.k.Absent().List(g.t.Context(), vault.GlassAct{Signed: vault.Signed{Method: "GET", URL: glassURL + path, Proof: proof}})
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestBreakGlass: both ways to the second person, what the person is told and sees, and
// what the privacy officer does.
func TestBreakGlass(t *testing.T) {
	g := newGlass(t)
	q := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if q.About != "reference "+string(g.ref) {
		t.Fatalf("%+v", q)
	}
	waits := must[vault.GlassList](t)(g.list(g.b, "/waiting"))
	if len(waits.Rows) != 1 || waits.Rows[0].About != q.About || waits.Rows[0].Reason != q.Reason || waits.Rows[0].Mine || waits.Left != 2 {
		t.Fatalf("%+v", waits)
	}
	if _, err := g.open(g.a, q, g.person); !fault.Is(err, fault.NotFound) {
		t.Errorf("opened before anybody approved: %v", err)
	}
	if err := g.approve(g.b, g.b, q); err != nil {
		t.Fatal(err)
	}
	if _, err := g.open(g.b, q, g.person); !fault.Is(err, fault.NotFound) {
		t.Errorf("opened by the second person's session: %v", err)
	}
	v := must[vault.StaffView](t)(g.open(g.a, q))
	if v.Person.Reference != g.ref || v.Person.Name == "" || v.Person.MobileLast4 != "" || v.ViewRef == "" {
		t.Errorf("%+v", v)
	}
	if _, err := g.open(g.a, q, g.person); !fault.Is(err, fault.NotFound) {
		t.Errorf("the view a second time: %v", err)
	}
	if sent := g.messages("break-glass", 1); len(sent) != 1 || sent[0].Params["centre"] != "Test Centre" {
		t.Errorf("told: %+v", sent)
	}
	history := g.history(g.holder, g.person)
	if !slices.Equal(history[len(history)-3:], []string{"break-glass: asked for", "break-glass: approved by a second member of staff", "break-glass: dose history at the centre"}) {
		t.Errorf("what the person sees: %q", history)
	}
	// At the same screen, by a manager.
	q = must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if err := g.approve(g.a, g.manager, q); err != nil {
		t.Fatal(err)
	}
	must[vault.StaffView](t)(g.open(g.a, q))
	// A third time in the day it is refused, and says how to go on.
	_, err := g.propose(g.a, g.byRef())
	wantCode(t, err, "GLASSUSED")
	done := must[vault.GlassList](t)(g.list(g.privacy, ""))
	if len(done.Rows) != 2 || done.Rows[0].State != state.PresenceDone || done.Rows[0].Second != id.Staff(g.b.member) || done.Rows[1].Second != id.Staff(g.manager.member) || done.Rows[0].About != "" {
		t.Errorf("the privacy officer's list: %+v", done)
	}
	if dump := g.dump("presence"); strings.Contains(dump, string(g.ref)) || strings.Contains(dump, "unconscious") {
		t.Error("whom and why stand in the clear")
	}
	g.audit()
}

// TestBreakGlassRefusals: what does not open anybody.
func TestBreakGlassRefusals(t *testing.T) {
	g := newGlass(t)
	absent := g.k.Absent()
	for name, body := range map[string]map[string]any{
		"a name":           {"name": "Asha Test", "reason": "x"},
		"a mobile":         {"mobile": "0000000201", "reason": "x"},
		"nobody":           {"reason": "x"},
		"no reason":        {"beneficiary_reference_id": string(g.ref)},
		"two ways":         {"beneficiary_reference_id": string(g.ref), "row_id": "AAAA", "reason": "x"},
		"a wrong number":   {"beneficiary_reference_id": "123", "reason": "x"},
		"a card of nobody": {"card": "TK1:AAAA", "reason": "x"},
	} {
		if _, err := g.propose(g.a, body); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	machine := vault.GlassRequest{Signed: g.sign(g.site.vaccinator, glassURL, map[string]any{"nonce": "n", "beneficiary_reference_id": string(g.ref), "reason": "x"}), Person: g.person}
	if _, err := absent.Propose(t.Context(), machine); !fault.Is(err, fault.Forbidden) {
		t.Errorf("by a machine's key: %v", err)
	}
	raw := []byte(`{"nonce":"` + id.New() + `","beneficiary_reference_id":"` + string(g.ref) + `","reason":"x"}`)
	if _, err := absent.Propose(t.Context(), vault.GlassRequest{Signed: g.at(g.a, "", raw, nil), Person: g.person}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("without a passkey: %v", err)
	}
	if _, err := absent.Propose(t.Context(), vault.GlassRequest{Signed: g.touch(g.a, g.b, "", g.byRef()), Person: g.person}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("asked with somebody else's passkey: %v", err)
	}
	for _, d := range []*desk{g.manager, g.privacy, g.admins[0]} {
		if _, err := g.propose(d, g.byRef()); err == nil {
			t.Error("asked by who opens nobody")
		}
	}
	q := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	for _, d := range []*desk{g.privacy, g.admins[0]} {
		if err := g.approve(d, d, q); !fault.Is(err, fault.Forbidden) {
			t.Errorf("approved from elsewhere: %v", err)
		}
	}
	wantCode(t, g.approve(g.a, g.a, q), "second")
	bait := q
	bait.About = "reference 12345678901234"
	wantCode(t, g.approve(g.b, g.b, bait), "another")
	bait = q
	bait.Reason = "the person is here"
	wantCode(t, g.approve(g.b, g.b, bait), "another")
	// A used assertion, over a request of its own.
	signed := g.touch(g.b, g.b, "/approve", map[string]any{"request_id": id.New(), "about": q.About, "reason": q.Reason})
	if _, err := absent.Approve(t.Context(), vault.GlassAct{Signed: signed}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a request that nobody made: %v", err)
	}
	body := []byte(`{"nonce":"` + id.New() + `","request_id":"` + q.ID + `","about":"` + q.About + `","reason":"` + q.Reason + `"}`)
	if _, err := absent.Approve(t.Context(), vault.GlassAct{Signed: g.at(g.b, "/approve", body, signed.Assertion)}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("an assertion that was over another request: %v", err)
	}
	g.advance(5*time.Minute + time.Second)
	if err := g.approve(g.b, g.b, q); !fault.Is(err, fault.NotFound) {
		t.Errorf("after five minutes: %v", err)
	}
	q = must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if err := g.approve(g.b, g.b, q); err != nil {
		t.Fatal(err)
	}
	if err := g.a.signIn(""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.open(g.a, q, g.person); !fault.Is(err, fault.NotFound) {
		t.Errorf("by another session of who asked: %v", err)
	}
	if done := must[vault.GlassList](t)(g.list(g.manager, "")); len(done.Rows) != 2 || done.Rows[0].State != "expired" {
		t.Errorf("%+v", done)
	}
	if _, err := g.list(g.a, ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the list of what was done for a vaccinator: %v", err)
	}
}

// TestBreakGlassNobody: a number that is nobody's is told of only when two have touched
// for it, and counts as a wrong one.
func TestBreakGlassNobody(t *testing.T) {
	g := newGlass(t)
	other := id.NewReference()
	for i := range 11 {
		body := map[string]any{"beneficiary_reference_id": string(other), "reason": "x"}
		q, err := g.propose(g.a, body) // the web role says it is our person's: the vault knows better
		if i == 10 {
			if !fault.Is(err, fault.RateLimited) {
				t.Fatalf("an eleventh number: %v", err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := g.approve(g.b, g.b, q); err != nil {
			t.Fatal(err)
		}
		if _, err := g.open(g.a, q, g.person); !fault.Is(err, fault.NotFound) {
			t.Fatalf("opened: %v", err)
		}
	}
	if sent := g.messages("break-glass", 0); len(sent) != 0 {
		t.Errorf("told: %+v", sent)
	}
}

// TestBreakGlassByCardAndRow: the other two ways to name somebody.
func TestBreakGlassByCardAndRow(t *testing.T) {
	g := newGlass(t)
	w := g.walkIn(g.site.vaccinator, 77)
	q := must[vault.Glass](t)(g.propose(g.a, map[string]any{"card": w.Card, "reason": "x"}))
	ref := string(w.Enrolled.Reference)
	if q.About != "card "+ref[10:] {
		t.Errorf("%+v", q)
	}
	if err := g.approve(g.b, g.b, q); err != nil {
		t.Fatal(err)
	}
	if v := must[vault.StaffView](t)(g.open(g.a, q)); v.Person.Reference != w.Enrolled.Reference {
		t.Errorf("%+v", v)
	}
	// A row of the list, in the hands of whom it was given to.
	g.mustBook(g.holder, id.Hold(id.New()), 1, g.site.offer, g.person)
	if err := g.k.AllowRoster(t.Context(), testCentre, true); err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"center_id": testCentre, "session_id": g.site.offer.Session}
	list := must[vault.DayList](t)(g.k.DayList(t.Context(), vault.DayListRequest{Signed: g.sign(g.a.key, listURL, body), People: g.records(g.person)}))
	opened := 0
	for i, row := range list.Rows {
		by := g.b
		if i == 0 {
			by = g.a
		}
		q, err := g.propose(by, map[string]any{"row_id": row.Row, "reason": "x"})
		if err != nil {
			continue
		}
		second := map[*desk]*desk{g.a: g.b, g.b: g.a}[by]
		if err := g.approve(second, second, q); err != nil {
			t.Fatal(err)
		}
		if _, err := g.open(by, q); err == nil {
			if opened++; by != g.a {
				t.Error("a row was opened by whom it was not given to")
			}
		}
	}
	if opened > 1 {
		t.Errorf("%d rows opened", opened)
	}
}

// tripped is what somebody who watches sees.
func (g *glassRig) tripped(d *desk, query string) (vault.Tripped, error) {
	g.t.Helper()
	url := "https://api.example.org/api/v3" + vault.RouteTripped + query
	proof, err := d.key.Sign(harness.Claims("GET", url, nil, g.clock()))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.k.Absent().Tripped(g.t.Context(), vault.TrippedRequest{Signed: vault.Signed{Method: "GET", URL: url, Proof: proof}})
}

// TestTrippedIsWatched: the centre's manager and the privacy officer of the place see what
// tripped, others do not; who has seen to it says so, and nothing leaves the list.
func TestTrippedIsWatched(t *testing.T) {
	g := newGlass(t)
	q := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if err := g.approve(g.b, g.b, q); err != nil {
		t.Fatal(err)
	}
	must[vault.StaffView](t)(g.open(g.a, q))
	tripped := g.tripped
	seen := func(d *desk, alert, note string) error {
		raw := []byte(`{"alert_id":"` + alert + `","note":"` + note + `"}`)
		_, err := g.k.Absent().Acknowledge(t.Context(), vault.SeenRequest{Signed: g.at(d, "", raw, nil)})
		return err
	}
	away := g.admins[0].joins(g.admins[1], "Bela Test", "privacy@state/9")
	g.backIn(g.a, g.b, g.manager, g.privacy)
	for _, d := range []*desk{g.manager, g.privacy} {
		got := must[vault.Tripped](t)(tripped(d, ""))
		if len(got.Rows) != 2 || got.Rows[0].Why != "glass" || got.Rows[0].Centre != testCentre || got.Rows[0].SeenBy != "" {
			t.Errorf("%+v", got)
		}
	}
	if got := must[vault.Tripped](t)(tripped(away, "")); len(got.Rows) != 0 {
		t.Errorf("another state's privacy officer sees %+v", got.Rows)
	}
	if _, err := tripped(away, "?center_id=7"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another state's privacy officer: %v", err)
	}
	if _, err := tripped(g.a, "?center_id=7"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a vaccinator: %v", err)
	}
	alert := must[vault.Tripped](t)(tripped(g.privacy, "?center_id=7")).Rows[0].ID
	if err := seen(g.a, alert, "mine"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("seen to by a vaccinator: %v", err)
	}
	if err := seen(g.privacy, id.New(), "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if err := seen(g.privacy, alert, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a note: %v", err)
	}
	if err := seen(g.privacy, alert, "called the centre"); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"", "?center_id=7"} {
		got := must[vault.Tripped](t)(tripped(g.manager, query))
		if len(got.Rows) != 2 || got.Rows[0].SeenBy != id.Staff(g.privacy.member) || got.Rows[0].SeenAt == 0 {
			t.Errorf("afterwards: %+v", got)
		}
	}
	// The tenth wrong number of a day is seen, too.
	for range 10 {
		q := must[vault.Glass](t)(g.propose(g.b, map[string]any{"beneficiary_reference_id": string(id.NewReference()), "reason": "x"}))
		if err := g.approve(g.a, g.a, q); err != nil {
			t.Fatal(err)
		}
		if _, err := g.open(g.b, q, g.person); !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	if got := must[vault.Tripped](t)(tripped(g.manager, "")); got.Rows[0].Why != "codes" || got.Rows[0].Staff != id.Staff(g.b.member) {
		t.Errorf("ten wrong numbers: %+v", got.Rows)
	}
}

// FuzzGlassBodies reads the bodies of break-glass and of who has seen to what tripped.
func FuzzGlassBodies(f *testing.F) {
	f.Add([]byte(`{"nonce":"n","beneficiary_reference_id":"12345678901234","reason":"x"}`))
	f.Add([]byte(`{"nonce":"n","request_id":"r","about":"card 1234","reason":"x"}`))
	f.Add([]byte(`{"alert_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11","note":"x"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, ref, err := presence.ParseAsk(raw); err == nil && (a.Reason == "" || (ref == "") == (a.Reference != "")) {
			t.Errorf("%+v %q", a, ref)
		}
		if a, err := presence.ParseApproval(raw); err == nil && (a.About == "" || a.Reason == "") {
			t.Errorf("%+v", a)
		}
		if alert, note, err := presence.ParseSeen(raw); err == nil && (!id.Valid(alert) || note == "") {
			t.Errorf("%q %q", alert, note)
		}
	})
}
