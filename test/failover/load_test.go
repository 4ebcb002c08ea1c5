package failover

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// tally is what the callers of one kind saw.
type tally struct {
	acked, errors, late atomic.Int64 // late: acknowledged only when asked again
	vague               atomic.Int64 // errors that left open whether it was stored, and nobody asked again

	mu          sync.Mutex
	last        time.Time // of the newest acknowledgement
	gap         time.Duration
	first, end  time.Time // of the errors
	odd         []string  // answers that no failing database explains
	withoutWait int       // 503 without Retry-After
}

// took notes an acknowledgement; again says that an error came before it.
func (y *tally) took(again bool) {
	y.acked.Add(1)
	if again {
		y.late.Add(1)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	now := time.Now()
	if !y.last.IsZero() && now.Sub(y.last) > y.gap {
		y.gap = now.Sub(y.last)
	}
	y.last = now
}

// failed notes an error and says whether the caller may go on.
func (y *tally) failed(a harness.Answer, err error) {
	y.errors.Add(1)
	y.mu.Lock()
	defer y.mu.Unlock()
	y.end = time.Now()
	if y.first.IsZero() {
		y.first = y.end
	}
	switch {
	case err != nil:
		y.odd = append(y.odd, err.Error())
	case a.Status != 503:
		y.odd = append(y.odd, a.Text())
	case a.Header.Get("Retry-After") == "":
		y.withoutWait++
	}
}

func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return fmt.Sprintf("%d acknowledged (%d when asked again), %d errors, %d left open, longest time without one %.1f s",
		y.acked.Load(), y.late.Load(), y.errors.Load(), y.vague.Load(), y.gap.Seconds())
}

// house is one household with what it was told.
type house struct {
	c      *harness.Client
	mobile string
	refs   []string          // acknowledged, in order
	named  map[string]string // reference by the name asked for; "" when no answer came
	live   map[string]string // appointment by reference, of the last answer; "" for none
	codes  map[string]string // security codes by reference
	given  map[string]bool   // acknowledged doses by reference
}

// ask sends a request until it is answered or the run ends; the same key looks
// up what the try before it may have stored.
func ask(y *tally, stop <-chan struct{}, try func() (harness.Answer, error)) (a harness.Answer, ok bool) {
	again := false
	for {
		a, err := try()
		if err == nil && a.OK() {
			y.took(again)
			return a, true
		}
		y.failed(a, err)
		if err == nil && a.Status != 503 {
			return a, false
		}
		again = true
		select {
		case <-stop:
			return a, false
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// pause waits between two writes of one caller.
func pause(stop <-chan struct{}, d time.Duration) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// enrols registers people into its households; every second one asks once only,
// and what it was not told stays open.
func enrols(s *harness.Server, y *tally, stop <-chan struct{}, houses []*house) {
	n := 0
	for _, h := range houses {
		for len(h.named) < 6 {
			if !pause(stop, 150*time.Millisecond) {
				return
			}
			n++
			name := fmt.Sprintf("Asha Test%c", 'a'+len(h.named))
			h.named[name] = ""
			form := harness.Person{Name: name, ID: s.PAN()}.Form()
			key := fmt.Sprintf("enrol-%s-%d", h.mobile[4:], n)
			try := func() (harness.Answer, error) {
				return h.c.Do("POST", "/v2/registration/beneficiary/new", form, "Idempotency-Key", key)
			}
			var a harness.Answer
			var ok bool
			if n%2 == 0 {
				a, ok = ask(y, stop, try)
			} else {
				var err error
				if a, err = try(); err == nil && a.OK() {
					ok = true
					y.took(false)
				} else {
					y.failed(a, err)
				}
			}
			if ok {
				h.named[name] = a.Field("beneficiary_reference_id")
				h.refs = append(h.refs, h.named[name])
			} else {
				y.vague.Add(1)
			}
		}
	}
}

// books books and cancels for one household's people in turn.
func books(y *tally, stop <-chan struct{}, h *house, day harness.Day) {
	for n := 0; pause(stop, 100*time.Millisecond); n++ {
		ref := h.refs[n%len(h.refs)]
		key := fmt.Sprintf("book-%s-%d", h.mobile[4:], n)
		if h.live[ref] == "?" {
			continue
		}
		had := h.live[ref]
		h.live[ref] = "?" // open until an answer comes
		if had == "" {
			a, ok := ask(y, stop, func() (harness.Answer, error) {
				return h.c.Do("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}, "Idempotency-Key", key)
			})
			if ok {
				h.live[ref] = a.Field("appointment_confirmation_no")
			}
			continue
		}
		_, ok := ask(y, stop, func() (harness.Answer, error) {
			return h.c.Do("POST", "/v2/appointment/cancel", map[string]any{"appointment_id": had, "beneficiariesToCancel": []string{ref}})
		})
		if ok {
			h.live[ref] = ""
		}
	}
}

// doses records doses of people who are booked today, signed anew at every try.
func doses(s *harness.Server, y *tally, stop <-chan struct{}, houses []*house, day harness.Day) {
	staff, k := s.Client(), s.StaffKey("vaccinator")
	for _, h := range houses {
		for _, ref := range h.refs {
			if !pause(stop, 500*time.Millisecond) {
				return
			}
			raw, err := json.Marshal(harness.DoseForm(day, ref, h.codes[ref], 1))
			if err != nil {
				panic(err)
			}
			_, ok := ask(y, stop, func() (harness.Answer, error) {
				proof, err := k.Sign(harness.Claims("POST", s.API+harness.VaccinatePath, raw, s.Now()))
				if err != nil {
					return harness.Answer{}, err
				}
				return staff.Do("POST", harness.VaccinatePath, raw, "DPoP", proof)
			})
			if ok {
				h.given[ref] = true
			}
		}
	}
}

// newHouse signs a number in and registers so many people.
func newHouse(s *harness.Server, people int) *house {
	h := &house{named: map[string]string{}, live: map[string]string{}, codes: map[string]string{}, given: map[string]bool{}}
	h.c, h.mobile = s.Holder()
	for i := range people {
		name := fmt.Sprintf("Asha Test%c", 'a'+i)
		h.named[name] = h.c.Enrol(name)
		h.refs = append(h.refs, h.named[name])
	}
	return h
}

// comeToday books a household's people for today and reads their codes.
func comeToday(t *testing.T, s *harness.Server, h *house, day harness.Day) {
	t.Helper()
	for _, ref := range h.refs {
		number, a := h.c.Book(day, 1, ref)
		if number == "" {
			t.Fatalf("book for today: %s", a.Text())
		}
		h.live[ref] = number
		h.codes[ref] = s.SecurityCode(h.mobile, day.Date, ref)
	}
}

// told compares what a household was told with what the server has now, and
// counts what is there that nobody was told of.
func (h *house) told(t *testing.T, untold *atomic.Int64) {
	t.Helper()
	there := map[string]harness.Beneficiary{}
	names := map[string]int{}
	for _, b := range h.c.Beneficiaries() {
		there[b.Reference] = b
		names[b.Name]++
	}
	for name, ref := range h.named {
		switch _, have := there[ref]; {
		case ref != "" && !have:
			t.Errorf("%s was registered, and is not there", ref)
		case names[name] > 1:
			t.Errorf("one registration is there %d times", names[name])
		case ref == "" && names[name] == 1:
			untold.Add(1)
		}
	}
	for ref, number := range h.live {
		var got []string
		for _, a := range there[ref].Appointments {
			got = append(got, a.ID)
		}
		switch {
		case number == "?":
		case number == "" && len(got) != 0, number != "" && (len(got) != 1 || got[0] != number):
			t.Errorf("%s has the appointments %v, was told %q", ref, got, number)
		}
	}
	if len(h.codes) == 0 {
		return
	}
	given := map[string]int{}
	for _, d := range h.c.Doses() {
		given[d.Reference]++
	}
	for _, ref := range h.refs {
		switch n := given[ref]; {
		case h.given[ref] && n == 0:
			t.Errorf("the dose of %s was recorded, and is not there", ref)
		case n > 1:
			t.Errorf("the dose of %s is there %d times", ref, n)
		case !h.given[ref] && n == 1:
			untold.Add(1)
		}
	}
}
