package redteam

import (
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// The attacks on two vaults of one installation. They need PostgreSQL:
// TestPostgresAttacks runs them.

// takeoverTime is how long people may be without a vault when one is lost.
const takeoverTime = 30 * time.Second

func TestR31OtherMachine(t *testing.T) {
	if !harness.OnPostgres() {
		return
	}
	run(t, "R31", trial{own: true, try: replayOnOther})
}

// takeOver starts a second machine, kills the first and waits for the second.
func takeOver(t *testing.T, s *harness.Server) *harness.Server {
	t.Helper()
	m := s.Second(&shared.builder)
	begin := time.Now()
	s.Kill()
	two := m.Serving(2 * takeoverTime)
	if two == nil {
		t.Fatal("nobody took over")
	}
	if took := time.Since(begin); took > takeoverTime {
		t.Errorf("the second machine serves after %v", took)
	}
	return two
}

// replayOnOther spends a one-time code and has a consented status told on the
// first machine, and tries both again on the one that took over. A code that
// nobody spent dies with the vault that sent it.
func replayOnOther(t *testing.T, s *harness.Server) (bool, string) {
	mobile, _ := consented(t, s)
	p := s.EnrolPartner("Test Clinic", "status")
	token := s.Client().With(s.Client().PartnerToken(p, mobile, "Asha Test"))
	c, d := s.Client(), s.Client()
	txn, code := c.Code(s.Mobile())
	left, unspent := d.Code(s.Mobile())
	if bearer, a := c.Confirm(txn, code); bearer == "" {
		t.Fatal(a.Text())
	}
	if a := token.By(p, http.MethodGet, "/v3/vaccination/status", nil); !a.OK() {
		t.Fatal(a.Text())
	}
	two := takeOver(t, s)
	bearer, _ := two.Client().Confirm(txn, code)
	other, _ := two.Client().Confirm(left, unspent)
	told := two.Client().With(token.Bearer).By(p, http.MethodGet, "/v3/vaccination/status", nil)
	return bearer != "" || other != "" || told.OK(), fmt.Sprintf("on the machine that took over: a spent code taken %v, one sent by the first %v; a spent consent: %s", bearer != "", other != "", told.Text())
}

func TestR93SplitVaults(t *testing.T) {
	if !harness.OnPostgres() {
		return
	}
	line := harness.NewLine(t, pgtest.Shared(t).Hosts())
	run(t, "R93", trial{own: true, base: harness.Options{VaultVia: line.Addr()}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		return split(t, s, line)
	}})
}

// split cuts a vault off from the database's primary while it serves. It must
// refuse, also when the line is back and another vault has taken over; what was
// counted before stays counted.
func split(t *testing.T, s *harness.Server, line *harness.Line) (bool, string) {
	c, _ := s.Holder()
	c.Enrol("Asha Test")
	from := netip.MustParseAddr("127.99.1.1") // codes are counted for number and network
	mobile := s.Mobile()
	for range 5 {
		s.ClientFrom(from).Code(mobile)
	}
	m := s.Second(&shared.builder)
	stop, opened, asked := make(chan struct{}), atomic.Int64{}, atomic.Int64{}
	var asking sync.WaitGroup
	line.Hold(true)
	begin := time.Now()
	asking.Go(func() { // people go on asking the vault that is cut off, whether it answers or not
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			asking.Go(func() {
				asked.Add(1)
				if a, err := c.Do(http.MethodGet, "/v2/appointment/beneficiaries", nil); err == nil && a.OK() {
					opened.Add(1)
				}
			})
		}
	})
	two := m.Serving(2 * takeoverTime)
	if two == nil {
		t.Fatal("nobody took over")
	}
	took := time.Since(begin)
	if took > takeoverTime {
		t.Errorf("the second machine serves after %v", took)
	}
	if got := two.Client().With(c.Bearer).Beneficiaries(); len(got) != 1 {
		t.Errorf("through the second: %+v", got)
	}
	cut := opened.Load()
	two.ClientFrom(from).AskCode(mobile)
	sixth := len(two.AwaitMessages(mobile, 0, 2*time.Second)) > 0
	line.Hold(false)
	time.Sleep(5 * time.Second)
	close(stop)
	asking.Wait()
	evidence := fmt.Sprintf("cut off, the other served after %.0f s; of %d questions the one cut off answered %d before and %d after the line was back; a sixth code over both: sent %v",
		took.Seconds(), asked.Load(), cut, opened.Load()-cut, sixth)
	if s.Ablated() {
		return opened.Load() > 0 || sixth, evidence
	}
	if out, exit := two.Command("ledger", "audit", "--data", two.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		out, exit := two.Command("ledger", "verify", filepath.Join(two.Data, "ledger"))
		if exit == 0 {
			break
		}
		if time.Since(begin) > 15*time.Second {
			t.Fatalf("verify: exit %d\n%s", exit, out)
		}
	}
	if n := two.Cell(harness.VaultDB, "SELECT CASE WHEN count(*) = max(entry_index) + 1 AND count(*) = count(DISTINCT entry_index) THEN 1 ELSE 0 END FROM ledger_entry"); n != "1" {
		t.Error("the ledger has a gap")
	}
	return opened.Load() > 0 || sixth, evidence
}
