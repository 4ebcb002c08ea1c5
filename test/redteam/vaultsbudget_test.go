package redteam

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestR36bTwoVaults opens the rows of a list at the same instant on two machines of one
// installation, while the vault of the first stops in the middle and the second takes over.
// It needs PostgreSQL: TestPostgresAttacks runs it.
func TestR36bTwoVaults(t *testing.T) {
	if !harness.OnPostgres() {
		return
	}
	run(t, "R36b", trial{own: true, base: listed("phantoms", "fresh-assertion"), try: overTwoVaults})
}

// opens counts different people opened, by phase.
type opens struct {
	mu     sync.Mutex
	people map[string]string
}

func (o *opens) add(a harness.Answer, phase string) bool {
	ref := a.Field("beneficiary_reference_id")
	if !a.OK() || ref == "" {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.people[ref] == "" {
		o.people[ref] = phase
	}
	return true
}

func (o *opens) in(phase string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.people {
		if p == phase {
			n++
		}
	}
	return n
}

// walkAtOnce opens every row at the same instant on one machine.
func (o *opens) walkAtOnce(s *harness.Server, k harness.StaffKey, rows []listRow, phase string) *sync.WaitGroup {
	var wg sync.WaitGroup
	for _, row := range rows {
		wg.Go(func() {
			for range 10 { // a race that was lost may be run again
				raw := []byte(fmt.Sprintf(`{"row_id":%q,"nonce":"n"}`, row.Row))
				proof, err := k.Sign(harness.Claims("POST", s.API+openRowPath, raw, s.Now()))
				if err != nil {
					return
				}
				a, err := s.Client().Do(http.MethodPost, openRowPath, raw, "DPoP", proof)
				if err != nil || o.add(a, phase) || a.Status != 409 && a.Status != 503 {
					return
				}
			}
		})
	}
	return &wg
}

func overTwoVaults(t *testing.T, s *harness.Server) (bool, string) {
	const people = 60
	k := s.StaffKey("vaccinator")
	rows, _ := dayRows(t, s, s.OpenToday(), k, people)
	m := s.Second(&shared.builder)
	o := &opens{people: map[string]string{}}
	pid := s.Role(harness.RoleVault)
	for _, row := range rows[:10] {
		o.add(openRow(s, row.Row), "first")
	}
	first := o.walkAtOnce(s, k, rows[10:], "first")
	time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
	harness.Freeze(t, pid) // in the middle of the race
	stopped := o.in("first")
	begin := time.Now()
	two := m.Serving(2 * takeoverTime)
	if two == nil {
		_ = syscall.Kill(pid, syscall.SIGCONT)
		t.Fatal("nobody took over")
	}
	took := time.Since(begin)
	second := o.walkAtOnce(two, k, rows, "second")
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil { // while the second opens
		t.Fatal(err)
	}
	late := o.walkAtOnce(s, k, rows, "woken")
	first.Wait()
	second.Wait()
	late.Wait()
	all := len(o.people)
	return all > 25, fmt.Sprintf("%d of %d people opened over both vaults, 25 allowed: %d until the first was stopped, %d by it afterwards, %d by the one that took over after %.0f s",
		all, people, stopped, o.in("first")-stopped+o.in("woken"), o.in("second"), took.Seconds())
}
