package keeper_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/test/harness"
)

const (
	listURL    = "http://127.0.0.1/api/v3/staff/day-list"
	openRowURL = "http://127.0.0.1/api/v3/staff/day-list/open"
	closeURL   = "http://127.0.0.1/api/v3/staff/visits/close"
	trippedURL = "http://127.0.0.1/api/v3/staff/tripped?center_id=7"
)

// listed is a centre in roster mode with people booked into today's session.
type listed struct {
	*rig
	site
	people  []id.Person
	holders map[id.Person]vault.Holder
	refs    map[id.Person]id.Reference
}

// newListed books so many people; passkeys are touched as fresh says, nil: always.
func newListed(t testing.TB, n int) *listed {
	t.Helper()
	l := &listed{rig: newRig(t), holders: map[id.Person]vault.Holder{}, refs: map[id.Person]id.Reference{}}
	l.site = l.rig.site("COVISHIELD")
	for house := 0; len(l.people) < n; house++ {
		h, people := l.family(fmt.Sprintf("00000%05d", 30000+house), min(6, n-len(l.people)))
		l.mustBook(h, id.Hold(id.New()), 1, l.site.offer, people...)
		for _, p := range people {
			l.holders[p] = h
			row, err := l.k.Person(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			l.refs[p] = row.Reference
		}
		l.people = append(l.people, people...)
	}
	l.allow(true)
	l.k.TakeAsFresh(func(vault.Signed) error { return nil })
	return l
}

func (l *listed) allow(on bool) {
	l.t.Helper()
	if err := l.k.AllowRoster(l.t.Context(), testCentre, on); err != nil {
		l.t.Fatal(err)
	}
}

// list has the day's list, as the web role asks for it with all records.
func (l *listed) tryList(k harness.StaffKey) (vault.DayList, error) {
	body := map[string]any{"center_id": testCentre, "session_id": l.site.offer.Session}
	return l.k.DayList(l.t.Context(), vault.DayListRequest{Signed: l.sign(k, listURL, body), People: l.records(l.people...)})
}

func (l *listed) list(k harness.StaffKey) []vault.DayRow {
	l.t.Helper()
	got, err := l.tryList(k)
	if err != nil {
		l.t.Fatal(err)
	}
	return got.Rows
}

// who asks whose record a row needs.
func (l *listed) who(k harness.StaffKey, row string) id.Person {
	l.t.Helper()
	got, err := l.k.RosterRow(l.t.Context(), vault.RosterRowRequest{Signed: l.sign(k, openRowURL, map[string]any{"row_id": row})})
	if err != nil {
		l.t.Fatal(err)
	}
	return got.Person
}

func (l *listed) openRow(k harness.StaffKey, row string, person id.Person) (vault.RosterOpened, error) {
	r := vault.RosterOpenRequest{Signed: l.sign(k, openRowURL, map[string]any{"row_id": row, "nonce": "n"})}
	if person != "" {
		r.Record = l.records(person)[0]
	}
	return l.k.RosterOpen(l.t.Context(), r)
}

func (l *listed) closeRow(k harness.StaffKey, row string) error {
	_, err := l.k.VisitClose(l.t.Context(), vault.VisitCloseRequest{Signed: l.sign(k, closeURL, map[string]any{"row_id": row, "reason": "left"})})
	return err
}

// rows are the list's rows of people, and of phantoms.
func (l *listed) rows(k harness.StaffKey) (real map[string]id.Person, order, phantoms []string) {
	l.t.Helper()
	real = map[string]id.Person{}
	for _, row := range l.list(k) {
		if p := l.who(k, row.Row); p != "" {
			real[row.Row] = p
			order = append(order, row.Row)
		} else {
			phantoms = append(phantoms, row.Row)
		}
	}
	return real, order, phantoms
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
}

// TestDayList: by code it is slots and numbers; as a roster it is an opening that everybody
// on it sees, with people on it who do not exist.
func TestDayList(t *testing.T) {
	l := newListed(t, 12)
	l.allow(false)
	got, err := l.tryList(l.vaccinator)
	if err != nil || got.Mode != vault.DayListCode || len(got.Rows) != 12 {
		t.Fatalf("%+v %v", got, err)
	}
	for i, row := range got.Rows {
		if row != (vault.DayRow{Slot: l.site.offer.Slot, Number: i + 1}) {
			t.Fatalf("a row by code: %+v", row)
		}
	}
	if h := l.history(l.holders[l.people[0]], l.people[0]); slices.Contains(h, "opening: list of the day") {
		t.Fatal("slots and numbers are an opening")
	}
	l.allow(true)
	got, err = l.tryList(l.vaccinator)
	if err != nil || got.Mode != vault.DayListRoster || len(got.Rows) != 15 || got.ViewRef == "" {
		t.Fatalf("%+v %v", got, err)
	}
	length := len(got.Rows[0].Row)
	for _, row := range got.Rows {
		if len(row.Initial) != 1 || len(row.LastTwo) != 2 || len(row.Row) != length || row.Slot != l.site.offer.Slot {
			t.Fatalf("a row: %+v", row)
		}
	}
	if h := l.history(l.holders[l.people[0]], l.people[0]); !slices.Contains(h, "opening: list of the day") {
		t.Fatalf("nobody sees that they were listed: %v", h)
	}
	for range 3 {
		if _, err := l.tryList(l.vaccinator); err != nil {
			t.Fatal(err)
		}
	}
	_, err = l.tryList(l.vaccinator)
	wantKind(t, err, fault.RateLimited)
	_, err = l.tryList(l.manager)
	wantKind(t, err, fault.Forbidden)
	_, err = l.tryList(l.staff("vaccinator", 8))
	wantKind(t, err, fault.Forbidden)
	// Nobody without an appointment is listed, whoever the web role brings.
	stranger := l.register("0000000777", 900)
	l.people = append(l.people, stranger.person)
	other := l.staff("vaccinator", testCentre)
	if rows := l.list(other); len(rows) != 15 {
		t.Fatalf("%d rows", len(rows))
	}
	l.audit()
}

// TestRosterOpen: what has to be so for a row to be opened, one at a time.
func TestRosterOpen(t *testing.T) {
	l := newListed(t, 8)
	real, order, _ := l.rows(l.vaccinator)
	first, person := order[0], real[order[0]]
	got, err := l.openRow(l.vaccinator, first, person)
	if err != nil || got.Person.Name != "Asha Test" || got.ViewRef == "" || len(got.Receipts) == 0 || got.Warn {
		t.Fatalf("%+v %v", got, err)
	}
	if h := l.history(l.holders[person], person); !slices.Contains(h, "opening: dose history at the centre") {
		t.Fatalf("the person does not see it: %v", h)
	}
	second, who := order[1], real[order[1]]
	l.allow(false)
	_, err = l.openRow(l.vaccinator, second, who)
	wantCode(t, err, "NEEDCODE")
	l.allow(true)
	l.k.TakeAsFresh(func(s vault.Signed) error { return fault.New(fault.Forbidden, "FRESH", "not touched") })
	_, err = l.openRow(l.vaccinator, second, who)
	wantCode(t, err, "FRESH")
	l.k.TakeAsFresh(func(vault.Signed) error { return nil })
	colleague := l.staff("vaccinator", testCentre)
	_, err = l.openRow(colleague, second, who) // a row is its member's
	wantKind(t, err, fault.NotFound)
	_, err = l.openRow(l.manager, second, who)
	wantKind(t, err, fault.Forbidden)
	_, err = l.openRow(l.staff("vaccinator", 8), second, who)
	wantKind(t, err, fault.Forbidden)
	_, err = l.openRow(l.vaccinator, second, person)
	wantCode(t, err, "record")
	_, err = l.openRow(l.vaccinator, "AAAA", who)
	wantKind(t, err, fault.NotFound)
	if tripped := l.tripped(); len(tripped) == 0 || tripped[0].Why != "elsewhere" {
		t.Fatalf("a row that is none: %+v", tripped)
	}
	if err := l.cancelAll(who); err != nil {
		t.Fatal(err)
	}
	_, err = l.openRow(l.vaccinator, second, who) // the appointment has ended
	wantKind(t, err, fault.NotFound)
	if h := l.history(l.holders[who], who); !slices.Contains(h, "refusal: dose history at the centre") {
		t.Fatalf("the refusal is not seen: %v", h)
	}
	l.advance(24 * time.Hour)
	l.openDay(l.manager, l.rig.offer("COVISHIELD"))
	_, err = l.openRow(l.vaccinator, order[2], real[order[2]]) // yesterday's list
	wantKind(t, err, fault.NotFound)
	l.audit()
}

// TestMachineKeysOpenNothing: as released, a key without a passkey opens no row.
func TestMachineKeysOpenNothing(t *testing.T) {
	l := newListed(t, 2)
	real, order, _ := l.rows(l.vaccinator)
	l.close()
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	_, err := l.openRow(l.vaccinator, order[0], real[order[0]])
	wantCode(t, err, "FRESH")
}

func (l *listed) cancelAll(p id.Person) error {
	row, err := l.k.Person(l.t.Context(), p)
	if err != nil {
		return err
	}
	_, err = l.k.Cancel(l.t.Context(), vault.CancelRequest{Holder: l.holders[p], Hold: row.Bookings[0].Hold, Persons: []id.Person{p}})
	return err
}

func (l *listed) tripped() []vault.TrippedRow {
	l.t.Helper()
	got, err := l.tryTripped(l.manager)
	if err != nil {
		l.t.Fatal(err)
	}
	return got.Rows
}

func (l *listed) tryTripped(k harness.StaffKey) (vault.Tripped, error) {
	proof, err := k.Sign(harness.Claims("GET", trippedURL, nil, l.clock()))
	if err != nil {
		l.t.Fatal(err)
	}
	return l.k.Absent().Tripped(l.t.Context(), vault.TrippedRequest{Signed: vault.Signed{Method: "GET", URL: trippedURL, Proof: proof}})
}

// TestPendingAndAllowance walks a list without closing, then with made-up doses: 25 open at
// one time, 30 in all, and more only for what holders confirm (R33, R35).
func TestPendingAndAllowance(t *testing.T) {
	l := newListed(t, 40)
	real, order, _ := l.rows(l.vaccinator)
	for i, row := range order[:25] {
		if got, err := l.openRow(l.vaccinator, row, real[row]); err != nil || got.Warn != (i >= 19) {
			t.Fatalf("opening %d: %+v %v", i, got.Warn, err)
		}
	}
	_, err := l.openRow(l.vaccinator, order[25], real[order[25]])
	wantCode(t, err, "NEEDCODE-pending")
	if _, err := l.openRow(l.vaccinator, order[0], real[order[0]]); err != nil {
		t.Fatalf("who is open is looked at again: %v", err)
	}
	// With what the person shows, work goes on.
	next := real[order[25]]
	code := l.slipCode(l.holders[next], l.holdOf(next), next)
	if _, err := l.staffView(l.vaccinator, next, l.refs[next], vault.Evidence{Code: code}); err != nil {
		t.Fatalf("by code at the cap: %v", err)
	}
	events := map[id.Person]written{}
	for _, row := range order[:25] {
		events[real[row]] = l.unconfirmed(real[row])
	}
	for _, row := range order[26:31] {
		if _, err := l.openRow(l.vaccinator, row, real[row]); err != nil {
			t.Fatal(err)
		}
	}
	_, err = l.openRow(l.vaccinator, order[31], real[order[31]])
	wantCode(t, err, "NEEDCODE-allowance")
	for _, row := range order[:5] {
		p := real[row]
		if _, err := l.k.AnswerDose(t.Context(), vault.AnswerDoseRequest{Holder: l.holders[p], Record: l.records(p)[0], Event: events[p].event, Confirm: true}); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range order[31:37] {
		if _, err := l.openRow(l.vaccinator, row, real[row]); err != nil {
			t.Fatalf("after five confirmations: %v", err)
		}
	}
	_, err = l.openRow(l.vaccinator, order[37], real[order[37]])
	wantCode(t, err, "NEEDCODE-allowance")
	day, err := l.k.MemberDay(t.Context(), id.Staff(l.vaccinator.Staff))
	if err != nil || day.Codeless() != 36 || day.Confirmed() != 5 {
		t.Fatalf("%+v %v", day, err)
	}
	l.audit()
}

func (l *listed) holdOf(p id.Person) id.Hold {
	l.t.Helper()
	row, err := l.k.Person(l.t.Context(), p)
	if err != nil {
		l.t.Fatal(err)
	}
	return row.Bookings[0].Hold
}

// unconfirmed records a dose without anything the person showed, as the centre does after
// an opening from the list.
func (l *listed) unconfirmed(p id.Person) written {
	l.t.Helper()
	body := doseBody(l.site.offer, l.refs[p], "", 1)
	delete(body, "security_code")
	w := l.write(l.vaccinator, body)
	got, err := l.handOver(w, p)
	if err != nil || got.Verdict != vault.InboxSealed {
		l.t.Fatalf("%+v %v", got, err)
	}
	l.store(got.Seal, true)
	return w
}

// TestStepUp closes each visit without a dose: after four every opening needs a code, and
// manager and holders see it (R34).
func TestStepUp(t *testing.T) {
	l := newListed(t, 8)
	real, order, _ := l.rows(l.vaccinator)
	for i, row := range order[:4] {
		if _, err := l.openRow(l.vaccinator, row, real[row]); err != nil {
			t.Fatal(i, err)
		}
		if err := l.closeRow(l.vaccinator, row); err != nil {
			t.Fatal(i, err)
		}
	}
	_, err := l.openRow(l.vaccinator, order[4], real[order[4]])
	wantCode(t, err, "NEEDCODE-step-up")
	wantCode(t, l.closeRow(l.vaccinator, order[0]), "NOTOPEN")
	rows := l.tripped()
	if len(rows) != 1 || rows[0].Why != string(budget.WhyOutcomes) || string(rows[0].Staff) != l.vaccinator.Staff || rows[0].Centre != testCentre {
		t.Fatalf("%+v", rows)
	}
	for name, k := range map[string]harness.StaffKey{"a vaccinator": l.vaccinator, "another centre's": l.staff("manager", 8)} {
		if _, err := l.tryTripped(k); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s sees what tripped: %v", name, err)
		}
	}
	colleague := l.staff("vaccinator", testCentre)
	real2, order2, _ := l.rows(colleague)
	if _, err := l.openRow(colleague, order2[5], real2[order2[5]]); err != nil {
		t.Fatalf("a colleague: %v", err)
	}
	p := real[order[0]]
	if h := l.history(l.holders[p], p); !slices.Contains(h, "visit: closed without a dose") {
		t.Fatalf("%v", h)
	}
	l.advance(24 * time.Hour) // a new day begins anew
	if day, err := l.k.MemberDay(t.Context(), id.Staff(l.vaccinator.Staff)); err != nil || day.SteppedUp == 0 {
		t.Fatalf("%+v %v", day, err)
	}
	l.audit()
}

// TestPhantom opens somebody who does not exist: it looks like anybody, the alarm is where
// the worker does not hear it, and the next one needs a code (R37).
func TestPhantom(t *testing.T) {
	l := newListed(t, 4)
	real, order, phantoms := l.rows(l.vaccinator)
	if len(phantoms) != 3 {
		t.Fatalf("%d phantoms", len(phantoms))
	}
	honest, err := l.openRow(l.vaccinator, order[0], real[order[0]])
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.openRow(l.vaccinator, phantoms[0], "")
	if err != nil || got.Person.Name == "" || got.Person.Status != honest.Person.Status || len(got.Person.Reference) != 14 || len(got.Person.IDLast4) != 4 ||
		got.ViewRef == "" || len(got.Receipts) != len(honest.Receipts) || got.Warn {
		t.Fatalf("%+v %v", got, err)
	}
	for _, row := range phantoms { // else a sum would tell them apart
		if p, err := l.openRow(l.vaccinator, row, ""); err == nil && !id.VerhoeffValid(string(p.Person.Reference)) {
			t.Errorf("%s has no check digit", p.Person.Reference)
		}
	}
	again, err := l.openRow(l.vaccinator, phantoms[0], "")
	if err != nil || again.Person.Name != got.Person.Name || again.Person.Reference != got.Person.Reference {
		t.Fatalf("the second look differs: %+v %v", again, err)
	}
	_, err = l.openRow(l.vaccinator, order[1], real[order[1]])
	wantCode(t, err, "NEEDCODE-step-up")
	if rows := l.tripped(); len(rows) != 1 || rows[0].Why != string(budget.WhyPhantom) {
		t.Fatalf("%+v", rows)
	}
	if !strings.Contains(l.log(), "alarm=phantom") {
		t.Fatal("no alarm")
	}
	if dump := l.dump("budget", "person"); strings.Contains(dump, "phantom/") || strings.Contains(dump, got.Person.Name) {
		t.Fatal("a phantom can be read in the database")
	}
	l.audit()
}

// TestBudgetRace opens with 60 requests at one time: never more than 25 pending, never more
// than the allowance (R36).
func TestBudgetRace(t *testing.T) {
	l := newListed(t, 60)
	real, order, _ := l.rows(l.vaccinator)
	var opened atomic.Int64
	var wg sync.WaitGroup
	for _, row := range order {
		wg.Go(func() {
			for range 20 {
				_, err := l.openRow(l.vaccinator, row, real[row])
				if err == nil {
					opened.Add(1)
				}
				if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Unavailable) {
					return
				}
			}
		})
	}
	wg.Wait()
	if opened.Load() != 25 {
		t.Fatalf("%d opened", opened.Load())
	}
	l.audit()
}

// TestBudgetRolledBack: a counter that the database's administrator puts back is noticed at
// once, and at the next start.
func TestBudgetRolledBack(t *testing.T) {
	l := newListed(t, 3)
	real, order, _ := l.rows(l.vaccinator)
	key := "member/" + l.vaccinator.Staff
	if _, err := l.openRow(l.vaccinator, order[0], real[order[0]]); err != nil {
		t.Fatal(err)
	}
	l.exec("CREATE TABLE old AS SELECT * FROM budget WHERE key = '" + key + "'")
	if _, err := l.openRow(l.vaccinator, order[1], real[order[1]]); err != nil {
		t.Fatal(err)
	}
	for _, put := range []string{"DELETE FROM budget WHERE key = '" + key + "'", "INSERT INTO budget SELECT * FROM old"} {
		l.exec(put)
		_, err := l.openRow(l.vaccinator, order[2], real[order[2]])
		wantKind(t, err, fault.Integrity)
	}
	l.close()
	if err := l.open(); !fault.Is(err, fault.Integrity) {
		t.Fatalf("the next start: %v", err)
	}
}

// TestBudgetSettings: the figures in force are those that were approved.
func TestBudgetSettings(t *testing.T) {
	l := newListed(t, 5)
	if err := l.k.SetBudgets(t.Context(), func(s *budget.Settings) { s.Base = 2 }); err != nil {
		t.Fatal(err)
	}
	real, order, _ := l.rows(l.vaccinator)
	for i, row := range order[:3] {
		if _, err := l.openRow(l.vaccinator, row, real[row]); (err == nil) != (i < 2) {
			t.Fatal(i, err)
		}
	}
	if err := l.k.SetBudgets(t.Context(), func(s *budget.Settings) { s.Base = 9999 }); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
}

// FuzzParseRoster: no body is taken that says something else than it seems to.
func FuzzParseRoster(f *testing.F) {
	for _, s := range []string{`{"center_id":7,"session_id":"x"}`, `{"row_id":"AAAA","reason":"left","nonce":"n"}`, `{"row_id":1}`, `{}{}`, `{"name":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		row, _, err := keeper.ParseRoster(body)
		if err == nil && (len(row) > 200 || len(body) > 8192) {
			t.Fatalf("taken: %q", body)
		}
	})
}
