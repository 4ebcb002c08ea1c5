package keeper_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/requests"
	"tikakosh/test/harness"
)

const requestsURL = "https://api.example.org/api/v3" + vault.RouteRequests

// asks makes a request about a person of a household.
func (r *rig) asks(h vault.Holder, p id.Person, kind, key string, change func(*vault.RequestMake)) (vault.Request, error) {
	r.t.Helper()
	m := vault.RequestMake{Holder: h, Key: key, Kind: kind, Record: r.records(p)[0], Detail: vault.RequestDetail{Text: "This is not right."}}
	if change != nil {
		change(&m)
	}
	return r.k.Asked().Make(r.t.Context(), m)
}

// staffAsks signs a request of staff about requests.
func (r *rig) staffAsks(k harness.StaffKey, path string, body map[string]any) (vault.StaffRequests, error) {
	r.t.Helper()
	var raw []byte
	method := "GET"
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			r.t.Fatal(err)
		}
		method = "POST"
	}
	proof, err := k.Sign(harness.Claims(method, requestsURL+path, raw, r.clock()))
	if err != nil {
		r.t.Fatal(err)
	}
	act := vault.StaffRequestAct{Signed: vault.Signed{Method: method, URL: requestsURL + path, Body: raw, Proof: proof}}
	switch path {
	case "/read":
		return r.k.Asked().Read(r.t.Context(), act)
	case "/decide":
		return r.k.Asked().Decide(r.t.Context(), act)
	}
	return r.k.Asked().Waiting(r.t.Context(), act)
}

// entryOf is the index of the newest entry of a kind in somebody's history.
func (r *rig) entryOf(h vault.Holder, p id.Person, kind, view string) int64 {
	r.t.Helper()
	for range 2 { // the second time the first is an entry
		o, err := r.k.Openings(r.t.Context(), vault.OpeningsRequest{Holder: h, Person: p, Limit: 50})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range o.Entries {
			if e.Kind == kind && e.View == view {
				return e.Index
			}
		}
	}
	r.t.Fatalf("no %s %s", kind, view)
	return 0
}

// TestOpeningLooksWrong: from the complaint to the answer that the person reads, and who
// has no part in it.
func TestOpeningLooksWrong(t *testing.T) {
	g := newGlass(t)
	q := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if err := g.approve(g.b, g.b, q); err != nil {
		t.Fatal(err)
	}
	must[vault.StaffView](t)(g.open(g.a, q))
	index := g.entryOf(g.holder, g.person, "break-glass", "dose history at the centre")
	wrong := func(m *vault.RequestMake) { m.Entry = index }
	asked := must[vault.Request](t)(g.asks(g.holder, g.person, vault.RequestOpening, "k1", wrong))
	if asked.State != vault.RequestReceived || asked.Due != asked.At+(7*24*time.Hour).Milliseconds() || asked.Receipt == "" || asked.Reference != g.ref {
		t.Fatalf("%+v", asked)
	}
	if plain, err := requests.ParseTracking(asked.Tracking); err != nil || requests.Shown(plain) != asked.Tracking {
		t.Errorf("%q: %v", asked.Tracking, err)
	}
	if again := must[vault.Request](t)(g.asks(g.holder, g.person, vault.RequestOpening, "k1", wrong)); again.Tracking != asked.Tracking {
		t.Errorf("a repetition is another request: %+v", again)
	}
	body := map[string]any{"tracking_number": asked.Tracking}
	for name, k := range map[string]harness.StaffKey{"who opened it": g.a.key, "their manager": g.manager.key} {
		if _, err := g.staffAsks(k, "/read", body); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s reads it: %v", name, err)
		}
	}
	if list, err := g.staffAsks(g.manager.key, "", nil); err != nil || len(list.Rows) != 0 {
		t.Errorf("the manager's list: %+v %v", list, err)
	}
	list := must[vault.StaffRequests](t)(g.staffAsks(g.privacy.key, "", nil))
	if len(list.Rows) != 1 || list.Rows[0].Tracking != asked.Tracking || list.Rows[0].Detail.Text != "" || list.Rows[0].Reference != "" || list.Rows[0].Overdue {
		t.Fatalf("the privacy officer's list: %+v", list)
	}
	read := must[vault.StaffRequests](t)(g.staffAsks(g.privacy.key, "/read", body)).Rows[0]
	if read.Detail.Text != "This is not right." || read.Actor != id.Staff(g.a.member) || read.Opened == nil || read.Opened.Reason != "unconscious, allergy has to be known" || read.Reference != "" || read.State != vault.RequestInHand {
		t.Errorf("read: %+v", read)
	}
	decide := map[string]any{"tracking_number": asked.Tracking, "outcome": "granted", "reason": "It was not needed. The member of staff was told, and their manager."}
	must[vault.StaffRequests](t)(g.staffAsks(g.privacy.key, "/decide", decide))
	if _, err := g.staffAsks(g.privacy.key, "/decide", decide); !fault.Is(err, fault.Conflict) {
		t.Errorf("decided twice: %v", err)
	}
	mine := must[vault.RequestList](t)(g.k.Asked().List(t.Context(), vault.RequestAct{Holder: g.holder}))
	if len(mine.Requests) != 1 || mine.Requests[0].State != vault.RequestDecided || mine.Requests[0].Outcome != vault.RequestGranted || !strings.Contains(mine.Requests[0].Answer, "not needed") || mine.Requests[0].Detail.Text != "This is not right." {
		t.Errorf("what the person reads: %+v", mine)
	}
	if sent := g.messages("answered", 1); len(sent) != 1 || sent[0].Params["tracking"] != asked.Tracking {
		t.Errorf("told: %+v", sent)
	}
	history := g.history(g.holder, g.person)
	for _, want := range []string{"request: asked: opening", "opening: a request of theirs", "request: answered: granted", "opening: requests they made"} {
		if !slices.Contains(history, want) {
			t.Errorf("no %q in %q", want, history)
		}
	}
	if list := must[vault.StaffRequests](t)(g.staffAsks(g.privacy.key, "", nil)); len(list.Rows) != 0 {
		t.Errorf("still waits: %+v", list)
	}
	if dump := g.dump("request"); strings.Contains(dump, "not right") || strings.Contains(dump, "not needed") || strings.Contains(dump, string(g.ref)) {
		t.Error("what was asked stands in the clear")
	}
	must[vault.StaffRequests](t)(g.staffAsks(g.privacy.key, "/read", body)) // a decision can be read again, for a month
	g.advance(31 * 24 * time.Hour)
	g.backIn(g.privacy)
	if _, err := g.staffAsks(g.privacy.key, "/read", body); !fault.Is(err, fault.NotFound) {
		t.Errorf("a kept number opens it after a month: %v", err)
	}
	g.audit()
}

// TestManyWait: what waits comes in pages, also when it is all on one list, for who sees one
// centre and for who sees more; each once.
func TestManyWait(t *testing.T) {
	const n = 130
	pages := func(r *rig, k harness.StaffKey, want map[string]bool) {
		t.Helper()
		seen, after := map[string]int{}, ""
		for page := 0; page == 0 || after != ""; page++ {
			path := ""
			if after != "" {
				path = "?after=" + url.QueryEscape(after)
			}
			list := must[vault.StaffRequests](t)(r.staffAsks(k, path, nil))
			if page == 0 && (len(list.Rows) != 100 || list.After == "") || page == 2 {
				t.Fatalf("page %d has %d and goes on at %q", page, len(list.Rows), list.After)
			}
			for _, row := range list.Rows {
				seen[row.Tracking]++
			}
			after = list.After
		}
		for tracking := range want {
			if seen[tracking] != 1 {
				t.Fatalf("%s stands %d times on the pages", tracking, seen[tracking])
			}
		}
		if len(want) != n || len(seen) != n {
			t.Errorf("%d were asked, %d are shown", len(want), len(seen))
		}
	}
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	event := must[vault.Doses](t)(c.k.Doses(t.Context(), vault.DosesRequest{Holder: c.holder, Records: c.records(c.person)})).Events[0].Event
	want := map[string]bool{}
	for i := range n {
		want[must[vault.Request](t)(c.asks(c.holder, c.person, vault.RequestRevoke, "k"+strconv.Itoa(i), func(m *vault.RequestMake) { m.Event = event })).Tracking] = true
	}
	pages(c.rig, c.manager, want)

	g := newGlass(t)
	q := must[vault.Glass](t)(g.propose(g.a, g.byRef()))
	if err := g.approve(g.b, g.b, q); err != nil {
		t.Fatal(err)
	}
	must[vault.StaffView](t)(g.open(g.a, q))
	index := g.entryOf(g.holder, g.person, "break-glass", "dose history at the centre")
	want = map[string]bool{}
	for i := range n {
		want[must[vault.Request](t)(g.asks(g.holder, g.person, vault.RequestOpening, "k"+strconv.Itoa(i), func(m *vault.RequestMake) { m.Entry = index })).Tracking] = true
	}
	pages(g.rig, g.privacy.key, want)
}

// TestRequestsAreTheirs: nobody asks about another household's people, entries or doses,
// or sees and withdraws what others asked.
func TestRequestsAreTheirs(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.NoBounds = false })
	h, people := r.family("0000000201", 2)
	other, strangers := r.family("0000000202", 1)
	theirs := r.entryOf(other, strangers[0], "opening", "access history")
	if _, err := r.asks(h, strangers[0], vault.RequestOpening, "k", func(m *vault.RequestMake) { m.Entry = 1 }); !fault.Is(err, fault.NotFound) {
		t.Errorf("about a stranger: %v", err)
	}
	for _, index := range []int64{theirs, 1 << 40} {
		if _, err := r.asks(h, people[0], vault.RequestOpening, "k", func(m *vault.RequestMake) { m.Entry = index }); !fault.Is(err, fault.NotFound) {
			t.Errorf("entry %d: %v", index, err)
		}
	}
	if _, err := r.asks(h, people[0], vault.RequestRevoke, "k", func(m *vault.RequestMake) { m.Event = id.Event(id.NewOrdered()) }); !fault.Is(err, fault.NotFound) {
		t.Errorf("a dose that is none: %v", err)
	}
	mine := must[vault.Request](t)(r.asks(h, people[0], vault.RequestOpening, "k", func(m *vault.RequestMake) { m.Entry = r.entryOf(h, people[0], "opening", "access history") }))
	if got := must[vault.RequestList](t)(r.k.Asked().List(t.Context(), vault.RequestAct{Holder: other})); len(got.Requests) != 0 {
		t.Errorf("others see it: %+v", got)
	}
	_, err := r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: other, Tracking: mine.Tracking})
	if _, none := r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: other, Tracking: "0000-0000-0003"}); !fault.Is(err, fault.NotFound) || err.Error() != none.Error() {
		t.Errorf("others withdraw it: %v, %v", err, none)
	}
	if got := must[vault.Request](t)(r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: h, Tracking: mine.Tracking})); got.State != vault.RequestWithdrawn {
		t.Errorf("%+v", got)
	}
	for i := 1; i < 10; i++ {
		must[vault.Request](t)(r.asks(h, people[0], vault.RequestOpening, string(rune('l'+i)), func(m *vault.RequestMake) { m.Entry = r.entryOf(h, people[0], "opening", "access history") }))
	}
	if _, err := r.asks(h, people[0], vault.RequestOpening, "z", func(m *vault.RequestMake) { m.Entry = r.entryOf(h, people[0], "opening", "access history") }); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the eleventh of a day: %v", err)
	}
}

// TestUnknownMember: who is taken off a list keeps their record and card, and comes back
// when the household says that it was wrong.
func TestUnknownMember(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 2)
	asked := must[vault.Request](t)(r.asks(h, people[1], vault.RequestMember, "k", nil))
	if asked.Undo == 0 || asked.State != vault.RequestReceived {
		t.Errorf("%+v", asked)
	}
	names := func() (out []id.Person) {
		m := must[vault.Membership](t)(r.k.Membership(t.Context(), h))
		for _, one := range m.Members {
			out = append(out, one.Person)
		}
		return out
	}
	if got := names(); !slices.Equal(got, people[:1]) {
		t.Fatalf("members: %v", got)
	}
	if again := must[vault.Request](t)(r.asks(h, people[1], vault.RequestMember, "k", nil)); again.Tracking != asked.Tracking {
		t.Errorf("repeated: %+v", again)
	}
	if got := must[vault.RequestList](t)(r.k.Asked().List(t.Context(), vault.RequestAct{Holder: h})); len(got.Requests) != 1 {
		t.Errorf("%+v", got)
	}
	if sent := r.messages("apart", 1); len(sent) != 1 {
		t.Errorf("told: %+v", sent)
	}
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	must[vault.Request](t)(r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: h, Tracking: asked.Tracking}))
	if got := names(); !slices.Equal(got, people) {
		t.Errorf("after it was taken back: %v", got)
	}
	late := must[vault.Request](t)(r.asks(h, people[1], vault.RequestMember, "k2", nil))
	r.advance(8 * 24 * time.Hour)
	h = r.signIn("0000000201")
	if _, err := r.k.Asked().Withdraw(t.Context(), vault.RequestAct{Holder: h, Tracking: late.Tracking}); !fault.Is(err, fault.Conflict) {
		t.Errorf("undone after eight days: %v", err)
	}
	r.audit()
}

// TestNoSeventhPlace: one mobile has six people, and no more appointments by putting those who
// have one apart and registering others in their place.
func TestNoSeventhPlace(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000207", 1)
	o := r.offer("COVISHIELD")
	r.mustBook(h, "h1", 1, o, people[0])
	for _, kind := range []string{vault.RequestMove, vault.RequestMember} {
		if _, err := r.asks(h, people[0], kind, "k"+kind, nil); !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "booked" {
			t.Errorf("%s with an appointment: %v", kind, err)
		}
	}
	if m := must[vault.Membership](t)(r.k.Membership(t.Context(), h)); len(m.Members) != 1 {
		t.Errorf("members: %+v", m.Members)
	}
	r.advance(40 * 24 * time.Hour) // the day is over: nothing is held any more
	must[vault.Request](t)(r.asks(r.signIn("0000000207"), people[0], vault.RequestMove, "later", nil))
}

// TestOverdueRequest: a request whose time is over is an alarm once: in the log, for the
// privacy officer, and in the person's history.
func TestOverdueRequest(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 1)
	must[vault.Request](t)(r.asks(h, people[0], vault.RequestOpening, "k", func(m *vault.RequestMake) { m.Entry = r.entryOf(h, people[0], "opening", "access history") }))
	look := func() int {
		t.Helper()
		if err := r.k.Asked().Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return strings.Count(r.log(), "not answered by the time")
	}
	if n := look(); n != 0 {
		t.Fatalf("%d alarms at once", n)
	}
	r.advance(7*24*time.Hour + time.Minute)
	for range 2 {
		if n := look(); n != 1 {
			t.Fatalf("%d alarms", n)
		}
	}
	if err := r.reopen(); err != nil {
		t.Fatal(err)
	}
	if n := look(); n != 1 {
		t.Errorf("%d alarms after a start", n)
	}
	h = r.signIn("0000000201")
	if history := r.history(h, people[0]); !slices.Contains(history, "request: overdue request") {
		t.Errorf("%q", history)
	}
	if dump := r.dump("budget"); !strings.Contains(dump, requests.Overdue) {
		t.Error("nobody who watches sees it")
	}
}

// TestFalseDose: what was not given is revoked by two people, and the request ends with
// that correction and no other.
func TestFalseDose(t *testing.T) {
	c := newCentre(t, nil)
	c.staff("vaccinator", testCentre) // three work here: nothing waits
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	doses := must[vault.Doses](t)(c.k.Doses(t.Context(), vault.DosesRequest{Holder: c.holder, Records: c.records(c.person)}))
	event := doses.Events[0].Event
	asked := must[vault.Request](t)(c.asks(c.holder, c.person, vault.RequestRevoke, "k", func(m *vault.RequestMake) { m.Event = event }))
	list := must[vault.StaffRequests](t)(c.staffAsks(c.manager, "", nil))
	if len(list.Rows) != 1 || list.Rows[0].Centre != testCentre {
		t.Fatalf("the manager's list: %+v", list)
	}
	if _, err := c.staffAsks(c.vaccinator, "", nil); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the vaccinator's list: %v", err)
	}
	if _, err := c.staffAsks(c.staff("manager", 8), "/read", map[string]any{"tracking_number": asked.Tracking}); !fault.Is(err, fault.NotFound) {
		t.Errorf("another centre's manager: %v", err)
	}
	read := must[vault.StaffRequests](t)(c.staffAsks(c.manager, "/read", map[string]any{"tracking_number": asked.Tracking})).Rows[0]
	if read.Event != event || read.Reference != c.ref {
		t.Fatalf("%+v", read)
	}
	granted := map[string]any{"tracking_number": asked.Tracking, "outcome": "granted", "reason": "The dose was another person's."}
	if _, err := c.staffAsks(c.manager, "/decide", granted); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a correction: %v", err)
	}
	body := c.correctionBody("revoke", event, c.ref, nil)
	name := c.propose(c.manager, body)
	granted["correction_id"] = name
	if _, err := c.staffAsks(c.manager, "/decide", granted); !fault.Is(err, fault.NotFound) {
		t.Errorf("by a correction that nobody approved: %v", err)
	}
	body["correction_id"] = name
	done, err := c.k.Approve(t.Context(), vault.ApproveRequest{Signed: c.sign(c.vaccinator, correctionsURL+"/approve", body), Person: c.person, Record: c.records(c.person)[0]})
	if err != nil {
		t.Fatal(err)
	}
	c.store(done.Seal, true)
	must[vault.StaffRequests](t)(c.staffAsks(c.manager, "/decide", granted))
	mine := must[vault.RequestList](t)(c.k.Asked().List(t.Context(), vault.RequestAct{Holder: c.holder}))
	if len(mine.Requests) != 1 || mine.Requests[0].Outcome != vault.RequestGranted {
		t.Errorf("%+v", mine)
	}
	if _, err := c.asks(c.holder, c.person, vault.RequestRevoke, "k2", func(m *vault.RequestMake) { m.Event = event }); !fault.Is(err, fault.Conflict) {
		t.Errorf("a revoked dose: %v", err)
	}
	c.audit()
}

// FuzzRequests: of whatever is signed or asked, a request with a sound number and sound
// words is read, or it is refused.
func FuzzRequests(f *testing.F) {
	for _, s := range []string{`{"tracking_number":"1234-5678-9010","outcome":"granted","reason":"ok"}`, `{"tracking_number":"000000000000"}`, `{"tracking_number":"٠٠٠٠"}`, `null`, ``} {
		f.Add([]byte(s), "some words")
	}
	f.Fuzz(func(t *testing.T, body []byte, text string) {
		for _, decide := range []bool{true, false} {
			a, err := requests.ParseAnswer(body, decide)
			if err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", body, err)
			}
			if err == nil && (len(a.Tracking) != 12 || decide != (a.Outcome != "")) {
				t.Errorf("%q: %+v", body, a)
			}
		}
		m, err := requests.Checked(vault.RequestMake{Key: "k", Kind: vault.RequestDetails, Detail: vault.RequestDetail{Text: text, Name: text, Date: text, Batch: text}}, civil.Date{Year: 2026, Month: 11, Day: 26})
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && (m.Detail.Text == "" || strings.ContainsAny(m.Detail.Text, "\n\u202e")) {
			t.Errorf("%q taken as %q", text, m.Detail.Text)
		}
	})
}

// TestUnknownMemberOnNewDevice: a device that one code let in takes nobody off the list;
// that of the first registration does.
func TestUnknownMemberOnNewDevice(t *testing.T) {
	r := newRig(t)
	own, thief := device(t), device(t)
	h := r.on(own, "0000000401")
	e := r.enrol(h, "k", asha(1))
	r.store(e.Seal, true)
	if _, err := r.asks(r.on(thief, "0000000401"), e.Seal.Person, vault.RequestMember, "k", nil); !fault.Is(err, fault.Forbidden) {
		t.Errorf("on a new device: %v", err)
	}
	must[vault.Request](t)(r.asks(h, e.Seal.Person, vault.RequestMember, "k", nil))
}

// TestDetailsCorrected: two people who have seen the document put name, birth and gender
// right; the old certificate is revoked, and the request ends with that correction.
func TestDetailsCorrected(t *testing.T) {
	c := newCentre(t, nil)
	c.staff("vaccinator", testCentre)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	old, err := c.certificate(c.holder, c.person)
	if err != nil || c.verdict(old.HC1) != "GENUINE" {
		t.Fatal(err)
	}
	asked := must[vault.Request](t)(c.asks(c.holder, c.person, vault.RequestDetails, "k", func(m *vault.RequestMake) { m.Detail.Name, m.Detail.BirthYear = "Asha Right", 1979 }))
	body := map[string]any{"kind": "details", "center_id": int64(testCentre), "beneficiary_reference_id": string(c.ref), "name": "Asha Right", "birth_year": 1979, "reason": "passport seen"}
	if _, err := c.k.Propose(t.Context(), vault.ProposeRequest{Signed: c.sign(c.manager, correctionsURL, body), Person: c.person}); !fault.Is(err, fault.Invalid) {
		t.Errorf("nobody has seen the person: %v", err)
	}
	body["person_seen"] = true
	name := c.propose(c.manager, body)
	body["correction_id"] = name
	approve := func() (vault.Amended, error) {
		return c.k.Approve(t.Context(), vault.ApproveRequest{Signed: c.sign(c.vaccinator, correctionsURL+"/approve", body), Person: c.person, Record: c.records(c.person)[0]})
	}
	done := must[vault.Amended](t)(approve())
	if again := must[vault.Amended](t)(approve()); again.Seal.ID != done.Seal.ID {
		t.Errorf("a lost answer: %+v", again)
	}
	c.store(done.Seal, true)
	seen := must[vault.Opened](t)(c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)}))
	if p := seen.People[0]; p.Name != "Asha Right" || p.BirthYear != 1979 || p.GenderID != asha(50).GenderID {
		t.Errorf("%+v", p)
	}
	if got := c.verdict(old.HC1); got == "GENUINE" {
		t.Error("the certificate with the wrong name is genuine still")
	}
	must[vault.StaffRequests](t)(c.staffAsks(c.manager, "/decide", map[string]any{"tracking_number": asked.Tracking, "outcome": "granted", "reason": "It was put right.", "correction_id": name}))
	if again := must[vault.Amended](t)(approve()); len(again.Seal.Parts) != 0 {
		t.Errorf("carried out twice: %+v", again)
	}
	c.audit()
}

// TestDetailsOfStrangers: two members of staff of a centre that has nothing to do with somebody
// cannot rename them by their reference number alone; when they ask for it there, they can.
func TestDetailsOfStrangers(t *testing.T) {
	c := newCentre(t, nil)
	c.staff("vaccinator", testCentre)
	other, strangers := c.family("0000000209", 1)
	row, err := c.k.Person(t.Context(), strangers[0])
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"kind": "details", "center_id": int64(testCentre), "beneficiary_reference_id": string(row.Reference), "name": "Another Name", "person_seen": true, "reason": "passport seen"}
	name, err := c.k.Propose(t.Context(), vault.ProposeRequest{Signed: c.sign(c.manager, correctionsURL, body), Person: strangers[0]})
	if err != nil {
		t.Fatal(err)
	}
	body["correction_id"] = name.Correction
	approve := func() error {
		_, err := c.k.Approve(t.Context(), vault.ApproveRequest{Signed: c.sign(c.vaccinator, correctionsURL+"/approve", body), Person: strangers[0], Record: c.records(strangers[0])[0]})
		return err
	}
	if err := approve(); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a stranger: %v", err)
	}
	must[vault.Request](t)(c.asks(other, strangers[0], vault.RequestDetails, "k", func(m *vault.RequestMake) { m.Detail.Name, m.Centre = "Another Name", testCentre }))
	if err := approve(); err != nil {
		t.Errorf("who asks for it there: %v", err)
	}
}

// TestExport: the file has what is held of the household's people, and nothing of others;
// it is an opening, and bounded.
func TestExport(t *testing.T) {
	c := newCentre(t, func(r *rig) { r.cfg.NoBounds = false })
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	must[vault.Request](t)(c.asks(c.holder, c.person, vault.RequestDetails, "k", func(m *vault.RequestMake) { m.Detail.Name = "Asha Right" }))
	ask := func(h vault.Holder, people ...id.Person) (vault.Export, error) {
		return c.k.Asked().Export(t.Context(), vault.ExportRequest{Holder: h, Records: c.records(people...)})
	}
	e := must[vault.Export](t)(ask(c.holder, c.person))
	if len(e.People) != 1 || e.Household.MobileLast4 == "" {
		t.Fatalf("%+v", e)
	}
	p := e.People[0]
	if p.Reference != c.ref || p.Name != asha(50).Name || len(p.Doses) != 1 || p.Doses[0].Lot == "" || len(p.Consents) != 1 || len(p.Appointments) != 1 || len(p.Requests) != 1 || len(p.Openings) == 0 {
		t.Errorf("%+v", p)
	}
	if history := c.history(c.holder, c.person); history[len(history)-1] != "opening: everything that is held" && !slices.Contains(history, "opening: everything that is held") {
		t.Errorf("%q", history)
	}
	if again := must[vault.Export](t)(ask(c.holder, c.person)); !slices.ContainsFunc(again.People[0].Openings, func(o vault.Opening) bool { return o.View == "everything that is held" && o.ViewRef == e.ViewRef }) {
		t.Errorf("the file before has no view reference in this one: %+v", again.People[0].Openings)
	}
	other, strangers := c.family("0000000202", 1)
	if e, err := ask(other, c.person); err == nil && (len(e.People) != 0 || len(e.Withheld) != 0) {
		t.Errorf("of another household: %+v", e)
	}
	if e := must[vault.Export](t)(ask(other, strangers...)); len(e.People) != 1 || e.People[0].Reference == c.ref {
		t.Errorf("their own: %+v", e)
	}
	for i := range 9 {
		if _, err := ask(c.holder, c.person); (i < 8) != (err == nil) {
			t.Errorf("file %d of the day: %v", i+3, err)
		}
	}
}

// TestRequestsForgotten: with a person's key go the words of what they asked, and nothing
// waits for an answer any more.
func TestRequestsForgotten(t *testing.T) {
	c := newCentre(t, nil)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	must[vault.Request](t)(c.asks(c.holder, c.person, vault.RequestDetails, "k", func(m *vault.RequestMake) { m.Detail.Name = "Asha Right" }))
	if dump := c.dump("request"); !strings.Contains(dump, string(c.person)) || !strings.Contains(dump, `"Details":"`) {
		t.Fatalf("nothing is kept: %s", dump)
	}
	must[vault.Left](t)(c.k.Leave(t.Context(), vault.LeaveRequest{Holder: c.holder, Record: c.records(c.person)[0]}))
	for range 2 { // the week to come back, then the year
		c.advance(366 * 24 * time.Hour)
		if _, err := c.k.Leavers(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if dump := c.dump("request"); strings.Contains(dump, `"Details":"`) || strings.Contains(dump, `"Person":"`+string(c.person)) {
		t.Errorf("kept: %s", dump)
	}
	if list := must[vault.StaffRequests](t)(c.staffAsks(c.manager, "", nil)); len(list.Rows) != 0 {
		t.Errorf("waits still: %+v", list)
	}
	c.audit()
}
