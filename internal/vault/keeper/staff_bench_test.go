package keeper_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/passkey/passkeytest"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/test/harness"
)

// benchPeople is how many people a round has; -benchtime may not ask for more.
const benchPeople = 180

// meter sums the processor time of the process over what it is asked to measure, and
// keeps how long each took. What prepares a request (a browser's signature, a passkey's
// touch) is not measured.
type meter struct {
	mu   sync.Mutex
	cpu  time.Duration
	took []time.Duration
}

func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// do measures one act that nothing runs beside.
func (m *meter) do(b *testing.B, act func() error) {
	b.Helper()
	begin, cpu := time.Now(), processor()
	err := act()
	m.cpu += processor() - cpu
	m.took = append(m.took, time.Since(begin))
	if err != nil {
		b.Fatal(err)
	}
}

// report gives the median and the 99th percentile of the time an act took, and its
// processor time.
func (m *meter) report(b *testing.B) {
	slices.Sort(m.took)
	n := len(m.took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m.cpu.Microseconds())/float64(n), "cpu-µs/op")
	b.ReportMetric(float64(m.took[n/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(m.took[n*99/100].Microseconds()), "p99-µs")
}

// workplace is a centre in roster mode with a manager and a rostered vaccinator, both
// signed in with passkeys, and people booked into today's session.
type workplace struct {
	*rig
	manager, vaccinator *desk
	offer               vault.Offer
	people              []id.Person
	refs                map[id.Person]id.Reference
	codes               map[id.Person]string
}

// newWorkplace books people; without limits of the day, so that every opening is one.
func newWorkplace(b *testing.B, n int) *workplace {
	b.Helper()
	if n > benchPeople {
		b.Fatalf("a round has %d people: use -benchtime %dx or less", benchPeople, benchPeople)
	}
	r, a, second, _ := three(b)
	w := &workplace{rig: r, refs: map[id.Person]id.Reference{}, codes: map[id.Person]string{}}
	w.manager = a.joins(second, "Mira Test", "manager@centre/21/395/7")
	w.vaccinator = a.joins(second, "Vani Test", "vaccinator@centre/21/395/7")
	w.offer = r.offer("COVISHIELD")
	r.openDay(w.manager.key, w.offer)
	w.manager.mustAct(vault.ActRosterPut, map[string]any{"member_id": w.vaccinator.member, "center_id": 7, "date": w.offer.Day.Indian(), "on": true})
	for house := 0; len(w.people) < n; house++ {
		h, people := r.family(fmt.Sprintf("00000%05d", 30000+house), min(6, n-len(w.people)))
		hold := id.Hold(id.New())
		r.mustBook(h, hold, 1, w.offer, people...)
		for _, p := range people {
			row, err := r.k.Person(b.Context(), p)
			if err != nil {
				b.Fatal(err)
			}
			w.refs[p], w.codes[p] = row.Reference, r.slipCode(h, hold, p)
		}
		w.people = append(w.people, people...)
	}
	if err := r.k.AllowRoster(b.Context(), testCentre, true); err != nil {
		b.Fatal(err)
	}
	if err := r.k.SetBudgets(b.Context(), func(s *budget.Settings) {
		s.Pending, s.Base, s.Centre = 400, 400, 10_000
		s.DistrictStart, s.SystemStart, s.StepUpMilli = 10_000, 10_000, 100_000
	}); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	return w
}

// BenchmarkSignIn is the vault's work for a sign-in with a passkey: a challenge, and the
// answer to it with a session's begin.
func BenchmarkSignIn(b *testing.B) {
	r, a, _, _ := three(b)
	var begun, finished meter
	for range b.N {
		a.newKey()
		var c vault.StaffCeremony
		ask := a.signed("POST", vault.ActSignInBegin, map[string]any{}, nil)
		begun.do(b, func() (err error) {
			c, err = r.k.Office().StaffBegin(b.Context(), vault.StaffAct{Signed: ask})
			return err
		})
		answer, err := a.auth.Get(c.Options, nil)
		if err != nil {
			b.Fatal(err)
		}
		s := a.signed("POST", vault.ActSignInFinish, map[string]any{"ceremony": c.ID, "credential": json.RawMessage(answer)}, nil)
		finished.do(b, func() error {
			_, err := r.k.Office().StaffAct(b.Context(), vault.StaffAct{Signed: s})
			return err
		})
		r.advance(time.Second)
	}
	both := meter{cpu: begun.cpu + finished.cpu}
	for i := range begun.took {
		both.took = append(both.took, begun.took[i]+finished.took[i])
	}
	both.report(b)
}

// BenchmarkOpenByCode is the vault's work for one opening on a person's code, asked by a
// member's session.
func BenchmarkOpenByCode(b *testing.B) {
	w := newWorkplace(b, b.N)
	var m meter
	for _, p := range w.people {
		url := viewURL + "?beneficiary_reference_id=" + string(w.refs[p])
		req := vault.StaffViewRequest{Signed: w.signGet(w.vaccinator.key, url, vault.Evidence{Code: w.codes[p]}), Reference: w.refs[p], Person: p, Record: w.records(p)[0]}
		m.do(b, func() error { _, err := w.k.StaffView(b.Context(), req); return err })
	}
	m.report(b)
}

// BenchmarkOpenByRoster is the vault's work for one opening from the day's list: the
// nonce, and the opening with its fresh assertion. Beside it, in turns, a transaction
// with and without the budgets of such an opening: their difference, as a part of the
// opening, is what budgets cost.
func BenchmarkOpenByRoster(b *testing.B) {
	w := newWorkplace(b, b.N)
	list, err := w.k.DayList(b.Context(), vault.DayListRequest{People: w.records(w.people...),
		Signed: w.sign(w.vaccinator.key, listURL, map[string]any{"center_id": testCentre, "session_id": w.offer.Session})})
	if err != nil {
		b.Fatal(err)
	}
	var opening, with, without meter
	for _, row := range list.Rows {
		who, err := w.k.RosterRow(b.Context(), vault.RosterRowRequest{Signed: w.sign(w.vaccinator.key, openRowURL, map[string]any{"row_id": row.Row})})
		if err != nil {
			b.Fatal(err)
		}
		if who.Person == "" {
			continue // a phantom
		}
		ask := w.vaccinator.signed("POST", vault.ActNonce, map[string]any{}, nil)
		var n vault.StaffCeremony
		begin, cpu := time.Now(), processor()
		if n, err = w.k.Office().StaffBegin(b.Context(), vault.StaffAct{Signed: ask}); err != nil {
			b.Fatal(err)
		}
		cpu, asked := processor()-cpu, time.Since(begin)
		req := vault.RosterOpenRequest{Signed: touched(b, w.rig, w.vaccinator.key, w.vaccinator.auth, n, row.Row), Record: w.records(who.Person)[0]}
		opening.do(b, func() error { _, err := w.k.RosterOpen(b.Context(), req); return err })
		opening.cpu += cpu
		opening.took[len(opening.took)-1] += asked
		with.do(b, func() error { return w.k.OnlyBudget(b.Context(), w.offer, who.Person, true) })
		without.do(b, func() error { return w.k.OnlyBudget(b.Context(), w.offer, who.Person, false) })
	}
	opening.report(b)
	b.ReportMetric(100*float64(with.cpu-without.cpu)/float64(opening.cpu), "%budgets")
}

// touched is the request to open a row, signed by the session's key and the passkey.
func touched(b *testing.B, r *rig, key harness.StaffKey, auth *passkeytest.Authenticator, n vault.StaffCeremony, row string) vault.Signed {
	b.Helper()
	s := r.sign(key, openRowURL, map[string]any{"row_id": row, "nonce": n.ID})
	sum := sha256.Sum256([]byte("POST\n" + openRowURL + "\n" + string(s.Body)))
	var err error
	if s.Assertion, err = auth.Get(n.Options, sum[:]); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkRecordDose is the vault's work for one dose on a person's code, alone and from
// 16 callers at once.
func BenchmarkRecordDose(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			w := newWorkplace(b, b.N)
			var reqs []vault.DoseRequest
			for _, p := range w.people {
				reqs = append(reqs, vault.DoseRequest{Person: p, Record: w.records(p)[0], Receipts: true,
					Signed: w.sign(w.vaccinator.key, doseURL, doseBody(w.offer, w.refs[p], w.codes[p], 1))})
			}
			record(b, w.k, reqs, callers)
		})
	}
}

func record(b *testing.B, k *keeper.Keeper, reqs []vault.DoseRequest, callers int) {
	var m meter
	var wg sync.WaitGroup
	next := make(chan vault.DoseRequest)
	begin, cpu := time.Now(), processor()
	for range callers {
		wg.Go(func() {
			for r := range next {
				at := time.Now()
				if _, err := k.RecordDose(b.Context(), r); err != nil {
					b.Error(err)
				}
				m.mu.Lock()
				m.took = append(m.took, time.Since(at))
				m.mu.Unlock()
			}
		})
	}
	for _, r := range reqs {
		next <- r
	}
	close(next)
	wg.Wait()
	m.cpu = processor() - cpu
	m.report(b)
	b.ReportMetric(float64(len(reqs))/time.Since(begin).Seconds(), "doses/s")
}
