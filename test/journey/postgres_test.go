package journey

import (
	"fmt"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// TestPostgresJourneys: the ways through the product, on PostgreSQL.
func TestPostgresJourneys(t *testing.T) {
	harness.Again(t, ".")
}

// TestPostgresRush is the rush with 16 connections for each process and through
// two web processes at once: places are given once, whoever asks whom.
func TestPostgresRush(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	rush(t, harness.Options{Engine: pgtest.Shared(t), Pool: 16, Args: []string{"--also-listen", "127.0.0.1:0"}})
}

// TestPostgresGone takes the database server away while the roles serve: what
// needs it is refused with 503 and Retry-After, places can still be searched,
// and all of it is back by itself when the server is.
func TestPostgresGone(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	engine, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Stop)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Engine: engine})
	c, _ := s.Holder()
	ref, day := c.Enrol("Asha Test"), s.Later()[0]
	web, vault := s.Role(harness.RoleWeb), s.Role(harness.RoleVault)
	search := fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", day.Centre, day.Date)

	engine.Down(t)
	for name, a := range map[string]harness.Answer{
		"own record": c.Must("GET", "/v2/appointment/beneficiaries", nil),
		"booking":    c.Must("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}),
	} {
		if a.Status != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s without a database: %s, Retry-After %q", name, a.Text(), a.Header.Get("Retry-After"))
		}
	}
	if a := s.Client().Must("GET", search, nil); a.Status != 200 || len(a.Body) < 100 {
		t.Errorf("search without a database: %s", a.Text())
	}

	engine.Up(t)
	begin := time.Now()
	for {
		number, a := c.Book(day, 1, ref)
		if number != "" {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("the server is back for 20 s: %s", a.Text())
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("bookings again %v after the server came back", time.Since(begin).Round(time.Millisecond))
	if got := c.Beneficiaries(); len(got) != 1 || len(got[0].Appointments) != 1 {
		t.Errorf("%+v", got)
	}
	if s.Role(harness.RoleWeb) != web || s.Role(harness.RoleVault) != vault {
		t.Error("a role was started again: it should have waited")
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}
