package keeper_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// written is a dose as the web role keeps it for the vault.
type written struct {
	event  id.Event
	sealed []byte
}

func (r *rig) inbox() []byte {
	r.t.Helper()
	keys, err := r.k.Keys(r.t.Context(), vault.Empty{})
	if err != nil {
		r.t.Fatal(err)
	}
	return keys.Inbox
}

// write seals a vaccinator's signed request as the web role does.
func (r *rig) write(k harness.StaffKey, body map[string]any) written {
	r.t.Helper()
	s := r.sign(k, doseURL, body)
	return r.writeSigned(s)
}

func (r *rig) writeSigned(s vault.Signed) written {
	r.t.Helper()
	event := vault.InboxEvent(s.Proof)
	sealed, err := vault.SealInbox(r.inbox(), 1, event, vault.InboxItem{Signed: s, Received: r.clock().UnixMilli()})
	if err != nil {
		r.t.Fatal(err)
	}
	return written{event, sealed}
}

func (r *rig) handOver(w written, p id.Person) (vault.Accepted, error) {
	req := vault.AcceptRequest{Event: w.event, Sealed: w.sealed, Person: p}
	if p != "" {
		req.Record = r.records(p)[0]
	}
	return r.k.AcceptDose(r.t.Context(), req)
}

// without is a dose's body without the person's code.
func (c *centre) without(changes map[string]any) map[string]any {
	b := c.body(changes)
	delete(b, "security_code")
	return b
}

func (c *centre) events(h vault.Holder, p id.Person) []vault.DoseEvent {
	c.t.Helper()
	got, err := c.k.Doses(c.t.Context(), vault.DosesRequest{Holder: h, Records: c.records(p)})
	if err != nil {
		c.t.Fatal(err)
	}
	return got.Events
}

func (c *centre) certificate(h vault.Holder, p id.Person) (vault.Certificate, error) {
	return c.k.Certificate(c.t.Context(), vault.CertificateRequest{Holder: h, Record: c.records(p)[0], Language: "en"})
}

// verdict is what a verifier with the present list says of a certificate.
func (c *centre) verdict(hc1 string) string {
	c.t.Helper()
	keys, err := c.k.Keys(c.t.Context(), vault.Empty{})
	if err != nil {
		c.t.Fatal(err)
	}
	set, err := encode.ParseKeySet(keys.Certificates)
	if err != nil {
		c.t.Fatal(err)
	}
	list, err := c.k.Revocations(c.t.Context(), vault.Empty{})
	if err != nil {
		c.t.Fatal(err)
	}
	revoked, err := encode.ParseRevocations(list.List, set)
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := certificate.Verify([]byte(hc1), set, c.clock())
	if err == nil {
		res, _ = res.Against(revoked, c.clock())
	}
	first, _, _ := strings.Cut(res.Lines()[0], ":")
	return first
}

// TestWriteOnly: a dose without evidence gets into the record without anything
// leaving, counts for nothing, and counts when its person says so.
func TestWriteOnly(t *testing.T) {
	c := newCentre(t, nil)
	w := c.write(c.vaccinator, c.without(nil))
	before := c.history(c.holder, c.person)
	got, err := c.handOver(w, c.person)
	if err != nil || got.Verdict != vault.InboxSealed || len(got.Seal.Parts) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if again, err := c.handOver(w, c.person); err != nil || again.Seal.ID != got.Seal.ID {
		t.Errorf("handed over twice: %+v %v", again, err)
	}
	c.store(got.Seal, true)
	if again, err := c.handOver(w, c.person); err != nil || again.Verdict != vault.InboxSealed || len(again.Seal.Parts) != 0 {
		t.Errorf("handed over after it was stored: %+v %v", again, err)
	}
	if after := c.history(c.holder, c.person)[len(before):]; slices.ContainsFunc(after[1:], func(s string) bool { return strings.HasPrefix(s, "opening: dose") }) {
		t.Errorf("recording it opened the person: %q", after)
	}
	if _, err := c.certificate(c.holder, c.person); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a certificate of an unconfirmed dose: %v", err)
	}
	o, err := c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)})
	if err != nil || o.People[0].Status != "Not Vaccinated" {
		t.Errorf("%+v %v", o.People, err)
	}
	ev := c.events(c.holder, c.person)
	if len(ev) != 1 || ev[0].Status != "unconfirmed" || ev[0].Event != w.event || ev[0].Product != "COVISHIELD" {
		t.Fatalf("%+v", ev)
	}
	stranger := c.signIn("0000000071")
	_, err = c.k.AnswerDose(t.Context(), vault.AnswerDoseRequest{Holder: stranger, Record: c.records(c.person)[0], Event: w.event, Confirm: true})
	wantKind(t, err, fault.NotFound)
	yes := vault.AnswerDoseRequest{Holder: c.holder, Record: c.records(c.person)[0], Event: w.event, Confirm: true}
	a, err := c.k.AnswerDose(t.Context(), yes)
	if err != nil || len(a.Seal.Parts) != 1 || a.Seal.Parts[0].Version != 2 {
		t.Fatalf("%+v %v", a, err)
	}
	if b, err := c.k.AnswerDose(t.Context(), yes); err != nil || b.Seal.ID != a.Seal.ID {
		t.Errorf("said twice: %+v %v", b, err)
	}
	c.wantCounted("before it is confirmed", 0, 0)
	c.store(a.Seal, true)
	yes.Record = c.records(c.person)[0]
	c.wantCounted("confirmed", 1, 0)
	if b, err := c.k.AnswerDose(t.Context(), yes); err != nil || len(b.Seal.Parts) != 0 {
		t.Errorf("said after it was stored: %+v %v", b, err)
	}
	cert, err := c.certificate(c.holder, c.person)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.verdict(cert.HC1); got != "GENUINE" {
		t.Errorf("the certificate is %s", got)
	}
	c.audit()
}

// TestWriteOnlyRefused: what a captured web role could hand over.
func TestWriteOnlyRefused(t *testing.T) {
	c := newCentre(t, nil)
	elsewhere := c.staff("vaccinator", 8)
	manager := c.staff("manager", 7)
	unknown, err := harness.NewStaffKey("vaccinator", 7)
	if err != nil {
		t.Fatal(err)
	}
	good := c.sign(c.vaccinator, doseURL, c.without(nil))
	forged := good
	forged.Body = []byte(strings.Replace(string(good.Body), "COVISHIELD", "COVAXIN", 1))
	for name, w := range map[string]written{
		"a manager's key":          c.write(manager, c.without(nil)),
		"nobody's key":             c.write(unknown, c.without(nil)),
		"a body that was changed":  c.writeSigned(forged),
		"another event's sealing":  {event: vault.InboxEvent("x"), sealed: c.writeSigned(good).sealed},
		"not sealed to this vault": {event: vault.InboxEvent(good.Proof), sealed: []byte("nothing")},
	} {
		got, err := c.handOver(w, c.person)
		if err != nil || got.Verdict != vault.InboxRefused || len(got.Seal.Parts) != 0 {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if got, err := c.handOver(c.write(elsewhere, c.without(nil)), c.person); err != nil || got.Verdict != vault.InboxNobody || got.Centre != 8 || len(got.Seal.Parts) != 0 {
		t.Errorf("another centre's key: %+v %v", got, err)
	}
	if got, err := c.handOver(c.write(c.vaccinator, c.without(map[string]any{"dose_date": c.today().AddDays(1).Indian()})), c.person); err != nil || got.Verdict != vault.InboxNobody {
		t.Errorf("a day that is to come is the manager's to judge: %+v %v", got.Verdict, err)
	}
	old := c.writeSigned(good)
	if _, err := c.handOver(old, c.person); err != nil {
		t.Fatal(err)
	}
	replay := c.sign(c.vaccinator, doseURL, c.without(map[string]any{"vaccine_batch": "OTHER-2"}))
	late := c.writeSigned(replay)
	c.advance(25 * time.Hour)
	if got, err := c.handOver(late, c.person); err != nil || got.Verdict != vault.InboxNobody {
		t.Errorf("what waited more than a day is the manager's to judge: %+v %v", got.Verdict, err)
	}
}

// TestWriteOnlyTwice: the vaccinator signs anew because no answer came.
func TestWriteOnlyTwice(t *testing.T) {
	c := newCentre(t, nil)
	one, err := c.handOver(c.write(c.vaccinator, c.without(nil)), c.person)
	if err != nil {
		t.Fatal(err)
	}
	c.store(one.Seal, true)
	two, err := c.handOver(c.write(c.vaccinator, c.without(nil)), c.person)
	if err != nil || two.Verdict != vault.InboxSealed || len(two.Seal.Parts) != 0 {
		t.Errorf("%+v %v", two, err)
	}
	if ev := c.events(c.holder, c.person); len(ev) != 1 {
		t.Errorf("%d events", len(ev))
	}
	if n := len(c.messages("dose", 1)); n != 1 {
		t.Errorf("the person is told %d times of a dose that waits for them", n)
	}
	c.audit()
}

// correctionBody is what a manager proposes.
func (c *centre) correctionBody(kind string, event id.Event, ref id.Reference, changes map[string]any) map[string]any {
	b := map[string]any{"kind": kind, "center_id": 7, "event_id": string(event), "beneficiary_reference_id": string(ref), "reason": "written down wrongly"}
	for k, v := range changes {
		b[k] = v
	}
	return b
}

// correct proposes and approves.
func (c *centre) correct(manager, second harness.StaffKey, p id.Person, item written, body map[string]any) (vault.Amended, error) {
	c.t.Helper()
	got, err := c.k.Propose(c.t.Context(), vault.ProposeRequest{Signed: c.sign(manager, "https://api.test/api/v3/staff/corrections", body)})
	if err != nil {
		return vault.Amended{}, err
	}
	body["correction_id"] = got.Correction
	r := vault.ApproveRequest{Signed: c.sign(second, "https://api.test/api/v3/staff/corrections/approve", body), Person: p,
		Item: vault.InboxRow{Event: item.event, Sealed: item.sealed}}
	if p != "" {
		r.Record = c.records(p)[0]
	}
	out, err := c.k.Approve(c.t.Context(), r)
	if err == nil { // a lost answer is asked for again
		again, err := c.k.Approve(c.t.Context(), r)
		if err != nil || again.Seal.ID != out.Seal.ID {
			c.t.Errorf("approved again: %+v %v", again, err)
		}
		third := r
		third.Signed = c.sign(manager, "https://api.test/api/v3/staff/corrections/approve", body)
		if _, err := c.k.Approve(c.t.Context(), third); !fault.Is(err, fault.Conflict) {
			c.t.Errorf("carried out, and open still: %v", err)
		}
	}
	return out, err
}

// TestMistyped: a dose on a number that is nobody's ends on the manager's list
// and is put right by two.
func TestMistyped(t *testing.T) {
	c := newCentre(t, nil)
	manager := c.staff("manager", 7)
	typed := id.NewReference()
	w := c.write(c.vaccinator, c.without(map[string]any{"beneficiary_reference_id": string(typed)}))
	if got, err := c.handOver(w, ""); err != nil || got.Verdict != vault.InboxNobody {
		t.Fatalf("%+v %v", got, err)
	}
	rows := []vault.InboxRow{{Event: w.event, Sealed: w.sealed}}
	list := func(k harness.StaffKey, centre int) (vault.Unmatched, error) {
		return c.k.Unmatched(t.Context(), vault.UnmatchedRequest{Signed: c.sign(k, "https://api.test/api/v3/staff/doses/unmatched", map[string]any{"center_id": centre}), Rows: rows})
	}
	for name, k := range map[string]harness.StaffKey{"a vaccinator": c.vaccinator, "another centre's manager": c.staff("manager", 8)} {
		if _, err := list(k, 7); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := list(manager, 7)
	if err != nil || len(got.Doses) != 1 || got.Doses[0].Typed != typed || got.Doses[0].Lot == "" || len(got.Receipts) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	ref := c.ref
	_, err = c.correct(manager, manager, c.person, w, c.correctionBody("assign", w.event, ref, nil))
	wantKind(t, err, fault.Forbidden) // alone
	_, err = c.correct(manager, c.staff("vaccinator", 8), c.person, w, c.correctionBody("assign", w.event, ref, nil))
	wantKind(t, err, fault.NotFound) // not of this centre
	done, err := c.correct(manager, c.vaccinator, c.person, w, c.correctionBody("assign", w.event, ref, nil))
	if err != nil || len(done.Seal.Parts) != 1 {
		t.Fatalf("%+v %v", done, err)
	}
	c.store(done.Seal, true)
	if _, err := c.certificate(c.holder, c.person); fault.KindOf(err) != fault.NotFound {
		t.Errorf("assigned, not confirmed: %v", err)
	}
	if n := len(c.messages("dose", 1)); n != 1 {
		t.Errorf("the person is told %d times of a dose that two assigned", n)
	}
	if done, err = c.correct(manager, c.vaccinator, c.person, written{}, c.correctionBody("confirm", w.event, ref, map[string]any{"person_seen": true})); err != nil {
		t.Fatal(err)
	}
	c.store(done.Seal, true)
	cert, err := c.certificate(c.holder, c.person)
	if err != nil || c.verdict(cert.HC1) != "GENUINE" {
		t.Errorf("%v", err)
	}
	c.audit()
}

// TestCorrection: the wrong lot is put right by two, the old certificate is
// revoked and the new one genuine; then the dose is revoked.
func TestCorrection(t *testing.T) {
	c := newCentre(t, nil)
	manager := c.staff("manager", 7)
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	old, err := c.certificate(c.holder, c.person)
	if err != nil || c.verdict(old.HC1) != "GENUINE" {
		t.Fatal(err)
	}
	ref := c.ref
	event := c.events(c.holder, c.person)[0].Event
	_, err = c.k.AnswerDose(t.Context(), vault.AnswerDoseRequest{Holder: c.holder, Record: c.records(c.person)[0], Event: event, Reason: "not mine"})
	wantKind(t, err, fault.Conflict) // recorded with the person's code
	done, err := c.correct(manager, c.vaccinator, c.person, written{}, c.correctionBody("correct", event, ref, map[string]any{"vaccine_batch": "RIGHT-9"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.verdict(old.HC1); got != "GENUINE" {
		t.Errorf("revoked before the correction was stored: %s", got)
	}
	c.store(done.Seal, true)
	if got := c.verdict(old.HC1); got != "REVOKED" {
		t.Errorf("the old certificate is %s", got)
	}
	fresh, err := c.certificate(c.holder, c.person)
	if err != nil || c.verdict(fresh.HC1) != "GENUINE" {
		t.Fatalf("%v", err)
	}
	c.wantCounted("with another lot", 1, 0)
	ev := c.events(c.holder, c.person)
	if len(ev) != 1 || ev[0].Lot != "RIGHT-9" || ev[0].Changes != 1 || ev[0].Reason == "" {
		t.Errorf("%+v", ev)
	}
	if done, err = c.correct(manager, c.vaccinator, c.person, written{}, c.correctionBody("revoke", event, ref, nil)); err != nil {
		t.Fatal(err)
	}
	c.store(done.Seal, true)
	if got := c.verdict(fresh.HC1); got != "REVOKED" {
		t.Errorf("the certificate of a revoked dose is %s", got)
	}
	if _, err := c.certificate(c.holder, c.person); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a certificate of a revoked dose: %v", err)
	}
	list, err := c.k.Revocations(t.Context(), vault.Empty{})
	if err != nil || list.Number != 2 {
		t.Errorf("number %d %v", list.Number, err)
	}
	c.close()
	if err := c.open(); err != nil {
		t.Fatal(err)
	}
	if got := c.verdict(old.HC1); got != "REVOKED" {
		t.Errorf("after a restart the old certificate is %s", got)
	}
	c.audit()
}

// TestGiven: doses from a record and from abroad, on the person's evidence.
func TestGiven(t *testing.T) {
	c := newCentre(t, nil)
	past := c.today().AddDays(-200)
	record := func(changes map[string]any) (vault.Amended, error) {
		b := c.body(map[string]any{"source": "abroad", "country": "FR", "dose_date": past.Indian()})

		for k, v := range changes {
			b[k] = v
		}
		return c.k.RecordGiven(t.Context(), vault.RecordGivenRequest{Signed: c.sign(c.vaccinator, "https://api.test/api/v3/staff/doses", b),
			Person: c.person, Record: c.records(c.person)[0]})
	}
	for name, changes := range map[string]map[string]any{"no evidence": {"security_code": ""}, "a wrong code": {"security_code": wrong(c.code)},
		"today": {"dose_date": c.today().Indian()}, "no country": {"country": ""}, "home": {"country": "IN"}, "small letters": {"country": "fr"},
		"another source": {"source": "rumour"}, "the second dose first": {"dose": 2}} {
		if _, err := record(changes); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := c.count("notice"); n == 0 {
		t.Error("the record was opened and nobody is told")
	}
	got, err := record(map[string]any{"vaccine_batch": ""})
	if err != nil || len(got.Seal.Parts) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	c.store(got.Seal, true)
	if n := len(c.messages("dose", 1)); n != 1 {
		t.Errorf("the person is told %d times", n)
	}
	ev := c.events(c.holder, c.person)
	c.wantCounted("abroad", 0, 0)
	if len(ev) != 1 || ev[0].Source != "abroad" || ev[0].Country != "FR" || ev[0].Status != "confirmed" || ev[0].Day != past {
		t.Fatalf("%+v", ev)
	}
	cert, err := c.certificate(c.holder, c.person)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.verdict(cert.HC1); got != "GENUINE" {
		t.Errorf("the certificate is %s", got)
	}
	keys, err := c.k.Keys(t.Context(), vault.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := encode.ParseKeySet(keys.Certificates)
	if err != nil {
		t.Fatal(err)
	}
	res, err := certificate.Verify([]byte(cert.HC1), set, c.clock())
	if text := strings.Join(res.Lines(), "\n"); err != nil || !strings.Contains(text, "Given in") || !strings.Contains(text, "FR") {
		t.Errorf("the certificate does not say where the dose was given: %v\n%s", err, text)
	}
	c.audit()
}

// TestOneDoseOnePerson: a dose without evidence is in one record at a time.
func TestOneDoseOnePerson(t *testing.T) {
	c := newCentre(t, nil)
	manager := c.staff("manager", 7)
	other := c.register("0000000081", 81)
	w := c.write(c.vaccinator, c.without(map[string]any{"beneficiary_reference_id": string(other.ref)})) // mistyped: somebody else's
	got, err := c.handOver(w, other.person)
	if err != nil || got.Verdict != vault.InboxSealed {
		t.Fatalf("%+v %v", got.Verdict, err)
	}
	c.store(got.Seal, true)
	_, err = c.correct(manager, c.vaccinator, c.person, w, c.correctionBody("assign", w.event, c.ref, nil))
	wantKind(t, err, fault.Conflict) // it is still the other's
	no, err := c.k.AnswerDose(t.Context(), vault.AnswerDoseRequest{Holder: other.holder, Record: c.records(other.person)[0], Event: w.event, Reason: "I was not there"})
	if err != nil {
		t.Fatal(err)
	}
	c.store(no.Seal, true)
	done, err := c.correct(manager, c.vaccinator, c.person, w, c.correctionBody("assign", w.event, c.ref, nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(done.Seal, true)
	third := c.register("0000000082", 82)
	_, err = c.correct(manager, c.vaccinator, third.person, w, c.correctionBody("assign", w.event, third.ref, nil))
	wantKind(t, err, fault.Conflict)
	refused := c.write(c.staff("vaccinator", 8), c.without(nil)) // what the vault would not take from its sender
	_, err = c.correct(manager, c.vaccinator, c.person, refused, c.correctionBody("assign", refused.event, c.ref, nil))
	wantKind(t, err, fault.NotFound)
	if ev := c.events(other.holder, other.person); len(ev) != 1 || ev[0].Status != "revoked" {
		t.Errorf("%+v", ev)
	}
	c.audit()
}
