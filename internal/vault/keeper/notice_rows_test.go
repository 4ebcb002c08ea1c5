package keeper_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// down lets no message but codes out.
func (r *rig) down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.route = func(_ context.Context, n keeper.Notice) error {
		if n.Template == "code" {
			return nil
		}
		return fault.New(fault.Unavailable, "courier", "down")
	}
}

func (r *rig) up() { r.mu.Lock(); r.route = nil; r.mu.Unlock() }

func (r *rig) restart() {
	r.t.Helper()
	r.close()
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
}

// waitRows waits until the table of notices has n rows.
func (r *rig) waitRows(n int) {
	r.t.Helper()
	for range 1600 {
		if r.count("notice") == n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	r.t.Fatalf("%d notices wait, want %d", r.count("notice"), n)
}

// TestNoticesSurvive: what was committed and not sent goes out after the vault
// was started again, once, and then its row is gone. The rows hold neither
// number nor code nor name.
func TestNoticesSurvive(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 2)
	r.down()
	r.mustBook(h, "h1", 1, r.offer("COVISHIELD"), people...)
	if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: "h1", Persons: people[:1]}); err != nil {
		t.Fatal(err)
	}
	r.waitRows(2)
	code := r.slipCode(h, "h1", people[1])
	if text := r.dump("notice"); strings.Contains(text, "0000000201") || strings.Contains(text, ":"+code) || strings.Contains(text, "Asha") {
		t.Errorf("a row says too much: %s", text)
	}
	r.restart()
	r.forget()
	r.up()
	got := r.messages("booking", 1)
	if len(got) != 1 || got[0].Mobile != "0000000201" || got[0].ID != "book/h1" || !strings.HasSuffix(got[0].Params["people"], ":"+code) ||
		strings.Contains(got[0].Params["people"], ",") {
		t.Fatalf("%+v", got)
	}
	if got := r.messages("cancel", 1); len(got) != 1 || len(got[0].Params["people"]) != 4 {
		t.Errorf("%+v", got)
	}
	r.waitRows(0)
	r.restart()
	time.Sleep(50 * time.Millisecond)
	if got := r.messages("booking", 2); len(got) != 1 {
		t.Errorf("sent %d times", len(got))
	}
}

// TestNoticeForged: a row that the vault did not write is not sent.
func TestNoticeForged(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 1)
	r.down()
	r.mustBook(h, "h1", 1, r.offer("COVISHIELD"), people...)
	r.waitRows(1)
	r.exec("UPDATE notice SET content = CAST(replace(CAST(content AS TEXT), 'booking', 'reminder') AS BLOB)")
	r.up()
	r.restart()
	for range 400 {
		if strings.Count(r.log(), "cannot be trusted") == 1 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n := len(r.messages("booking", 0)) + len(r.messages("reminder", 0)); n != 0 || strings.Count(r.log(), "cannot be trusted") != 1 {
		t.Errorf("%d forged messages were sent\n%s", n, r.log())
	}
}

// TestReminder: it comes the day before at ten, in the language asked for, not
// for a cancelled appointment and not when the day is near already.
func TestReminder(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 2)
	far := r.offer("COVISHIELD")
	far.Day = far.Day.AddDays(5)
	r.mustBook(h, "h1", 1, far, people...)
	near := r.offer("COVISHIELD")
	near.Day = near.Day.AddDays(1)
	other := r.register("0000000202", 5)
	r.mustBook(other.holder, "h2", 1, near, other.person)
	r.waitRows(1)
	if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: "h1", Persons: people[:1]}); err != nil {
		t.Fatal(err)
	}
	r.advance(3 * 24 * time.Hour)
	r.speakHindi("0000000201")
	r.restart()
	if got := r.messages("reminder", 0); len(got) != 0 {
		t.Fatalf("too early: %+v", got)
	}
	r.advance(24 * time.Hour)
	r.restart()
	got := r.messages("reminder", 1)
	if len(got) != 1 || got[0].Language != "hi" || got[0].Params["date"] != far.Day.Indian() || strings.Contains(got[0].Params["people"], ",") {
		t.Errorf("%+v", got)
	}
	r.waitRows(0)
	r.audit()
}

// speakHindi signs in with Hindi asked for.
func (r *rig) speakHindi(mobile string) {
	r.t.Helper()
	iss, err := r.k.RequestCode(r.t.Context(), vault.CodeRequest{Mobile: mobile, Origin: "192.0.2.0/24", Language: "hi", Chosen: true})
	if err == nil {
		_, err = r.k.ConfirmCode(r.t.Context(), vault.CodeAnswer{Txn: iss.Txn, Digest: sha(r.code(mobile)), Origin: "192.0.2.0/24"})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestOpeningTold: an opening at a centre without a dose is told after two
// minutes; with a dose only the dose is. Both name the centre.
func TestOpeningTold(t *testing.T) {
	c := newCentre(t, nil)
	if _, err := c.dose(c.vaccinator, c.person, c.body(map[string]any{"dose": 2})); err == nil {
		t.Fatal("the second dose came first")
	}
	c.waitRows(1)
	c.advance(3 * time.Minute)
	c.restart()
	got := c.messages("opening", 1)
	if len(got) != 1 || got[0].Params["centre"] != "Test Centre" || got[0].Params["date"] != c.today().Indian() {
		t.Fatalf("%+v", got)
	}
	c.waitRows(0)
	if _, err := c.dose(c.vaccinator, c.person, c.body(nil)); err != nil {
		t.Fatal(err)
	}
	c.advance(3 * time.Minute)
	c.restart()
	if got := c.messages("dose", 1); len(got) != 1 || got[0].Params["centre"] != "Test Centre" {
		t.Errorf("%+v", got)
	}
	if got := c.messages("opening", 1); len(got) != 1 {
		t.Errorf("the opening for the dose was told too: %+v", got)
	}
}

// TestNoticeWithAct: when the act is not committed, nor is its notice; when it
// is and the answer was lost, the notice goes out, once however often it is asked.
func TestNoticeWithAct(t *testing.T) {
	for _, persist := range []bool{false, true} {
		store := &failing{}
		c := newCentre(t, func(r *rig) { r.wrap = func(s state.Store) state.Store { store.Store = s; return store } })
		c.waitRows(0)
		c.forget()
		store.arm(2, persist)
		offer := c.rig.offer("STAMARIL")
		if err := c.book(c.holder, "h2", 1, offer, c.person); err == nil {
			t.Fatal("no failure")
		}
		time.Sleep(30 * time.Millisecond)
		if got := c.messages("booking", 0); !persist && len(got) != 0 {
			t.Errorf("told of what did not happen: %+v", got)
		}
		for range 2 {
			if err := c.book(c.holder, "h2", 1, offer, c.person); err != nil {
				t.Fatal(err)
			}
		}
		c.restart() // a commit whose answer was lost is found by the sweep
		c.waitRows(0)
		ids := []string{}
		for _, n := range c.messages("booking", 1) {
			ids = append(ids, n.ID)
		}
		if !slices.Equal(slices.Compact(ids), []string{"book/h2"}) { // the courier takes an id once
			t.Errorf("persist %v: %v", persist, ids)
		}
	}
}
